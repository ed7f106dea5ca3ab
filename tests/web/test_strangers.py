"""What people who do not exist are told, and where links lead: nothing tells them apart, nothing a client chose."""

from __future__ import annotations

import json
from typing import Any

import pytest
from web_world import ORG, SECRET, Site, context

from stepup import Action, Actor, StepUp
from stepup._bridge import run_sync
from stepup.mailers import Outbox
from stepup.stores.memory import MemoryStore
from stepup.testing import FrozenClock
from stepup.verifiers import EmailCode, Password
from stepup.web import Protocol, WebRequest, WebResponse, respond

BARE = Actor("usr_1")
GHOST = Actor("usr_2")


def bare_protocol() -> Protocol:
    """A gate to which the one exists, and has neither password nor address, and the other is not there at all."""
    gate = StepUp(
        actions=[Action("org.delete", "Delete organization", risk=4)],
        verifiers=[Password(hash_of=none_for), EmailCode(mailer=Outbox())],
        store=MemoryStore(),
        secret=SECRET,
        clock=FrozenClock(),
        enrol_url="/account/enrol",
    )
    return Protocol(gate.core)


def none_for(actor: Actor) -> str | None:
    """The hash of a password: of somebody who has none it is None; for somebody unknown the application fails."""
    if actor == GHOST:
        raise LookupError(actor.id)
    return None


def asked(protocol: Protocol, actor: Actor, path: str, body: object) -> WebResponse:
    headers = {"content-type": "application/json", "sec-fetch-site": "same-origin"}
    return run_sync(respond(protocol, WebRequest("POST", path, headers, {}, json.dumps(body).encode(), context(actor))))


@pytest.mark.requirement("E-05")
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/preflight", {"action": "org.delete"}),
        ("/challenges", {"offer": "x"}),
        ("/challenges/stepup_x/methods/email_code", {}),
        ("/challenges/stepup_x/attempts", {"method": "email_code", "response": "123456"}),
    ],
)
def test_nobody_learns_who_exists(path: str, body: object) -> None:
    """Somebody with nothing to prove with, and somebody whom the application does not know: the same bytes.

    Only the reason why the password cannot be used may differ, which the person's own preflight says of itself.
    """
    protocol = bare_protocol()
    known, unknown = asked(protocol, BARE, path, body), asked(protocol, GHOST, path, body)

    assert (known.status, known.headers) == (unknown.status, unknown.headers)
    told = [json.loads(one.body) for one in (known, unknown)]
    if path == "/preflight":
        assert [one.pop("unavailable")["email_code"] for one in told] == ["not_enrolled", "not_enrolled"]
        assert {one["code"] for one in told} == {"no_usable_method"}
    assert told[0] == told[1]


@pytest.mark.requirement("E-06")
def test_links_come_from_configuration() -> None:
    """No host, forwarded or not, and nothing in a request changes where a link leads."""
    site = Site(who=None)
    evil = "evil.example"
    forged: dict[str, Any] = {"host": evil, "x_forwarded_host": evil, "forwarded": f"host={evil}"}
    empty: dict[str, Any] = {}
    plain, turned = (site.call("GET", "/actions", **headers) for headers in (empty, forged))
    assert plain.raw == turned.raw
    assert plain.json["loginUrl"] == "/login"

    site.who = context()
    started = site.call("POST", "/challenges", {"offer": site.blocked()}, **forged)
    assert (started.header("location") or "").startswith("/stepup/challenges/")
    assert b"evil.example" not in started.raw.body


@pytest.mark.requirement("E-06")
def test_following_a_link_uses_nothing_up() -> None:
    """A link to a challenge can be opened any number of times, by a mail scanner too, and holds no secret."""
    site = Site()
    challenge = site.started()
    before = site.call("GET", f"/challenges/{challenge}").json
    for _ in range(3):
        assert site.call("GET", f"/challenges/{challenge}").json == before
        assert site.call("HEAD", f"/challenges/{challenge}").status == 200
    site.who = None
    assert site.call("GET", f"/challenges/{challenge}").status == 401
    site.who = context()
    right = site.call("POST", f"/challenges/{challenge}/attempts", {"method": "password", "response": "right"})
    assert right.json["status"] == "verified"
    assert right.json["grant"]["token"] not in json.dumps(before)
    assert ORG["id"] in json.dumps(before)

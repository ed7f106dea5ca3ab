# mypy: disable-error-code="import-untyped"
"""What Flask-Security tells of changes is heard: what was opened ends, for the person it is about and nobody else."""

from __future__ import annotations

from typing import Any

import flask_security
import pytest
from flask import request
from flask_world import PEOPLE, Browser, problem
from test_flask_logins import Site, User, site

from stepup import Actor, Context, Session
from stepup.errors import InvalidInput
from stepup.event import EventType
from stepup.flask._neighbours import CHANGES


def told(**options: Any) -> Site:
    """A site with a route that sends any of Flask-Security's signals about anybody, as its own views do."""
    here = site(**options)

    @here.app.post("/send/<name>/<who>")
    def send(name: str, who: str) -> str:
        getattr(flask_security, name).send(here.app, _async_wrapper=None, user=User(who))
        return "sent"

    @here.app.post("/signal/<word>")
    def signal(word: str) -> str:
        user = request.args.get("user")
        here.shim.signal(word, *([User(user)] if user else []))  # type: ignore[arg-type]
        return "told"

    return here


def opened(here: Site, who: str = "usr_2048") -> Browser:
    """A browser in which a role can be changed."""
    browser = here.browser()
    browser.post(f"/login/{who}")
    browser.proved(browser.post("/role"))
    assert browser.post("/role").text == "done"
    return browser


def last(here: Site, who: str = "usr_2048") -> tuple[EventType, str | None]:
    found = here.shim.gate.events(PEOPLE[who], limit=1).items[0]
    return found.type, found.reason


@pytest.mark.requirement("P-15", "V-02")
@pytest.mark.parametrize("name", CHANGES)
def test_flask_security_tells_of_changes(name: str) -> None:
    """In every session of the person, whoever makes the change; a stranger keeps theirs."""
    here = told()
    mine, elsewhere, other = opened(here), opened(here), opened(here, "usr_4096")
    support = here.browser()
    support.post("/login/usr_4096")

    assert support.post(f"/send/{name}/usr_2048").text == "sent"

    assert last(here) == (EventType.EVERYTHING_REVOKED, CHANGES[name].value)
    for browser in (mine, elsewhere):
        assert problem(browser.post("/role")) == (403, "verification_required")
    assert other.post("/role").text == "done"


def test_a_signal_of_ones_own_is_about_whoever_makes_the_request() -> None:
    """Who that is to the gate, ``user_of`` knows: a tenant's actor; or about somebody else, by name."""
    here = told()
    mine, other = opened(here), opened(here, "usr_4096")
    mine.post("/signal/risk_raised")
    assert last(here) == (EventType.EVERYTHING_REVOKED, "risk_raised")
    assert problem(mine.post("/role")) == (403, "verification_required")
    assert other.post("/role").text == "done"

    mine.post("/signal/disabled?user=usr_4096")
    assert last(here, "usr_4096") == (EventType.DISABLED, "disabled")
    assert problem(other.post("/role")) == (403, "action_blocked")


def test_the_actor_of_the_application_is_the_one_meant() -> None:
    """The extension knows a user; the gate's actor has a tenant."""
    tenant = Actor("usr_2048", tenant="northstar")
    here = told(user_of=lambda: tenant)
    browser = opened(here)
    browser.post("/send/password_changed/usr_2048")

    assert here.shim.gate.events(tenant, limit=1).items[0].reason == "password_changed"
    assert problem(browser.post("/role")) == (403, "verification_required")


@pytest.mark.parametrize("about", ["usr_2048", "usr_4096"])
def test_while_somebody_is_impersonated_it_is_about_the_one_it_names(about: str) -> None:
    """Marcus acts for Olivia. The extension names whose password it was; the tenant is the gate's to know."""
    acting = Actor("usr_4096", on_behalf_of="usr_2048", tenant="northstar")
    here = told(user_of=lambda: acting)
    here.browser().post(f"/send/password_changed/{about}")

    gate = here.shim.gate
    told_of = {one: len(gate.events(Actor(one, tenant="northstar")).items) for one in ("usr_2048", "usr_4096")}
    assert told_of == {"usr_2048": 0, "usr_4096": 0} | {about: 1}


def test_an_actor_is_meant_as_it_is() -> None:
    """The same id in another tenant is somebody else."""
    here = told(user_of=lambda: Actor("usr_2048", tenant="northstar"))
    with here.app.test_request_context("/"):
        here.shim.signal("risk_raised", Actor("usr_2048", tenant="southstar"))
        here.shim.signal("disabled", Actor("usr_2048", tenant="northstar"))

    reasons = {
        tenant: [one.reason for one in here.shim.gate.events(Actor("usr_2048", tenant=tenant)).items]
        for tenant in ("northstar", "southstar")
    }
    assert reasons == {"northstar": ["disabled"], "southstar": ["risk_raised"]}


def test_it_is_told_of_somebody() -> None:
    """Nobody, and a word that is none, are mistakes of the developer."""
    here = told()
    with here.app.test_request_context("/"), pytest.raises(InvalidInput, match="nobody"):
        here.shim.signal("risk_raised")
    with here.app.test_request_context("/"), pytest.raises(InvalidInput, match="must be one of"):
        here.shim.signal("anything", User("usr_2048"))  # type: ignore[arg-type]


def test_with_contexts_of_its_own_it_is_told_all_the_same() -> None:
    """The context says who it is."""
    here = told(context_of=lambda: Context(PEOPLE["usr_2048"], Session("sess_1")))
    browser = opened(here)
    browser.post("/send/password_reset/usr_2048")

    assert problem(browser.post("/role")) == (403, "verification_required")

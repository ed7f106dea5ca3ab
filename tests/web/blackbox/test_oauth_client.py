"""A client that knows standards, and not stepup, gets a blocked call through; on each of the four real servers.

``OAuthClient`` is written from RFC 6750 (bearer tokens), RFC 9470 (what a challenge for stronger authentication says),
RFC 9396 (authorization details), RFC 9110 (how the header is read) and the protocol's own description: which call opens
a challenge, which answers it, and the header that the token of the proof goes in. It holds no cookies.
"""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

PASSWORD = "seven quiet herons"
SERVERS = ("flask", "starlette", "fastapi", "fastapi-sync")
on_each = pytest.mark.parametrize("server", SERVERS)

Servers = dict[str, tuple[int, Path]]


# -- RFC 9110, sections 5.6 and 11 -----------------------------------------------------------

TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
QUOTED = r'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
PARAMETER = re.compile(rf"({TOKEN})[ \t]*=[ \t]*({TOKEN}|{QUOTED})[ \t]*(?:,[ \t]*|$)")
SCHEME = re.compile(rf"({TOKEN})(?: +|[ \t]*(?:,[ \t]*|$))")


class Challenge(NamedTuple):
    """One challenge of a ``WWW-Authenticate`` header: names are lower case, values are unquoted."""

    scheme: str
    parameters: Mapping[str, str]


def challenges(header: str) -> list[Challenge]:
    """What a ``WWW-Authenticate`` header asks for; anything that is not in the grammar is an error."""
    made: list[Challenge] = []
    at = 0
    while at < len(header):
        parameter = PARAMETER.match(header, at)
        if parameter is not None and made:
            name, value = parameter[1].lower(), parameter[2]
            known = made[-1].parameters
            if name in known:
                raise ValueError(f"{name} stands in the challenge twice")
            value = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
            made[-1] = made[-1]._replace(parameters={**known, name: value})
            at = parameter.end()
            continue
        scheme = SCHEME.match(header, at)
        if scheme is None or parameter is not None:
            raise ValueError(f"not a challenge: {header[at:]!r}")
        made.append(Challenge(scheme[1].lower(), {}))
        at = scheme.end()
    return made


def test_the_header_is_read_by_its_grammar() -> None:
    """Quoted strings with commas and quotes in them, tokens, several challenges; junk is no challenge."""
    read = challenges(
        'Basic realm="a, b=\\"c\\"", Bearer error=insufficient_user_authentication ,max_age="5", Negotiate'
    )

    assert read == [
        ("basic", {"realm": 'a, b="c"'}),
        ("bearer", {"error": "insufficient_user_authentication", "max_age": "5"}),
        ("negotiate", {}),
    ]
    for junk in ('Bearer error="open', "Bearer a=b c=d", 'Bearer a=b, a="c"', 'error="x"', "Bearer ="):
        with pytest.raises(ValueError, match=r"challenge"):
            challenges(junk)


# -- the client ----------------------------------------------------------------------------------


class Answer(NamedTuple):
    """A response, and what it was asked with."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    sent: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def bearer(self) -> Mapping[str, str]:
        """The parameters of the one bearer challenge; none where there is none."""
        found = [one for one in challenges(self.headers.get("www-authenticate", "")) if one.scheme == "bearer"]
        return found[0].parameters if found else {}


class Needed(NamedTuple):
    """What a blocked call asks for: RFC 9470 says how strong and how fresh, RFC 9396 for what, the offer how."""

    acr_values: list[str]
    max_age: int | None
    details: list[dict[str, Any]]
    offer: str


def needed(answer: Answer) -> Needed | None:
    """What the answer asks for, if it is a challenge of RFC 9470 that an offer goes with."""
    if answer.status != 401 or answer.bearer.get("error") != "insufficient_user_authentication":
        return None
    if "offer" not in answer.json:
        return None
    age = answer.bearer.get("max_age")
    if age is not None and re.fullmatch("[0-9]+", age) is None:
        raise ValueError(f"max_age is no non-negative integer: {age}")
    return Needed(
        answer.bearer.get("acr_values", "").split(),
        None if age is None else int(age),
        answer.json["authorization_details"],
        answer.json["offer"],
    )


@dataclass
class OAuthClient:
    """Calls with an access token; where a proof is asked for, asks its user, and calls again."""

    port: int
    token: str | None
    ask: Callable[[Needed], str]

    def call(self, method: str, path: str, body: object = None) -> Answer:
        """The answer to a call that may need fresh proof."""
        answer = self.send(method, path, body)
        asked = needed(answer)
        if asked is None:
            return answer
        return self.send(method, path, body, {"stepup-token": self.prove(asked)})

    def prove(self, asked: Needed) -> str:
        """The token for what the user knows."""
        opening = {"offer": asked.offer, "authorization_details": asked.details}
        opened = self.send("POST", "/stepup/challenges", opening)
        assert opened.status == 201, opened.body
        assert "password" in opened.json["challenge"]["allowedMethods"]
        attempt = {"method": "password", "response": self.ask(asked)}
        proved = self.send("POST", f"{opened.headers['location']}/attempts", attempt)
        assert (proved.status, proved.json["status"]) == (200, "verified"), proved.body
        return str(proved.json["grant"]["token"])

    def send(self, method: str, path: str, body: object = None, more: Mapping[str, str] | None = None) -> Answer:
        """One request."""
        sent = {"content-type": "application/json", **(more or {})}
        if self.token is not None:
            sent["authorization"] = f"Bearer {self.token}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, json.dumps(body), sent)
            got = connection.getresponse()
            headers = {name.lower(): value for name, value in got.getheaders()}
            answer = Answer(got.status, headers, got.read(), sent)
        finally:
            connection.close()
        assert "set-cookie" not in answer.headers, "a client with a token is given no cookie"
        assert "cookie" not in answer.sent
        return answer


def client(servers: Servers, server: str, token: str | None) -> tuple[OAuthClient, list[Needed]]:
    """A client, and what its user is asked."""
    asked: list[Needed] = []

    def user(what: Needed) -> str:
        asked.append(what)
        return PASSWORD

    return OAuthClient(servers[server][0], token, user), asked


# -- and what it gets ------------------------------------------------------------------------------


@on_each
@pytest.mark.requirement("G-07", "G-10")
def test_a_blocked_call_gets_through(server: str, servers: Servers) -> None:
    """One call, one question to the user, who is told what for; it is done once, and the next call asks anew."""
    here, asked = client(servers, server, "olivia-oauth-1")

    assert here.call("POST", "/orgs/org_7/delete").body == b"deleted org_7"
    assert [(one.acr_values, one.max_age) for one in asked] == [(["urn:stepup:level:4"], 120)]
    assert asked[0].details == [
        {
            "type": "urn:stepup:action",
            "actions": ["org.delete"],
            "resource": {"type": "organization", "id": "org_7"},
        }
    ]
    assert here.call("POST", "/orgs/org_7/delete").body == b"deleted org_7"
    assert len(asked) == 2
    assert asked[0].offer != asked[1].offer


@on_each
@pytest.mark.requirement("G-10")
def test_what_the_call_is_made_with_stands_in_the_details(server: str, servers: Servers) -> None:
    """Params of the body are named to the client, which need not know what they mean, and are what is opened."""
    here, asked = client(servers, server, "olivia-oauth-2")
    owner = {"role": "owner", "until": None}

    assert here.call("POST", "/members/usr_1/role", owner).body == b"changed usr_1"
    assert [one.details[0]["params"] for one in asked] == [owner]
    assert here.call("POST", "/members/usr_1/role", owner).body == b"changed usr_1"
    assert len(asked) == 1, "at this level a proof lasts"
    here.call("POST", "/members/usr_1/role", {**owner, "role": "admin"})
    assert [one.details[0]["params"]["role"] for one in asked] == ["owner", "admin"]


@on_each
@pytest.mark.requirement("G-10")
def test_details_that_are_not_the_blocked_calls_are_refused(server: str, servers: Servers) -> None:
    """Other values, a type or a member that nobody knows, and two at once open no challenge."""
    here, _ = client(servers, server, "olivia-oauth-3")
    asked = needed(here.send("POST", "/orgs/org_7/delete"))
    assert asked is not None
    (right,) = asked.details

    for wrong in (
        [{**right, "resource": {"type": "organization", "id": "org_8"}}],
        [{**right, "actions": ["member.role"]}],
        [{**right, "type": "payment_initiation"}],
        [{**right, "locations": ["https://app.northstar.example"]}],
        [right, right],
        [],
        right,
    ):
        opening = {"offer": asked.offer, "authorization_details": wrong}
        answer = here.send("POST", "/stepup/challenges", opening)
        assert (answer.status, answer.json["code"]) == (400, "bad_request"), wrong
    assert here.prove(asked)


@on_each
@pytest.mark.requirement("G-07")
def test_another_access_token_has_proved_nothing(server: str, servers: Servers) -> None:
    """A refreshed token is not fresh: what was proved with the one before is asked for again, its token included."""
    here, asked = client(servers, server, "olivia-oauth-4")
    here.call("POST", "/members/usr_1/role", {"role": "guest"})
    presented = here.send("POST", "/orgs/org_7/delete")
    blocked = needed(presented)
    assert blocked is not None
    proof = here.prove(blocked)

    here.token = "olivia-oauth-5"
    for path, body, more in (
        ("/notes/1", None, {}),
        ("/members/usr_1/role", {"role": "guest"}, {}),
        ("/orgs/org_7/delete", None, {"stepup-token": proof}),
    ):
        answer = here.send("POST", path, body, more)
        assert needed(answer) is not None, (path, answer.body)
    here.token = "olivia-oauth-4"
    assert here.send("POST", "/orgs/org_7/delete", None, {"stepup-token": proof}).body == b"deleted org_7"
    assert len(asked) == 2


@on_each
@pytest.mark.requirement("G-08")
@pytest.mark.parametrize("token", [None, "nobody-1", ""], ids=["no token", "a token of nobody", "an empty token"])
def test_strangers_are_not_told_how_strong_a_proof_is_needed(server: str, servers: Servers, token: str | None) -> None:
    """RFC 9470 section 9: without a valid token there is no acr_values, no age, no details, and no offer."""
    here, asked = client(servers, server, token)

    for method, path in (("POST", "/orgs/org_7/delete"), ("POST", "/notes/1"), ("GET", "/stepup/actions")):
        answer = here.call(method, path)
        assert (answer.status, answer.json["code"]) == (401, "login_required"), path
        assert answer.bearer.get("error") == ("invalid_token" if token else None), "RFC 6750, section 3.1"
        assert answer.bearer.keys() & {"acr_values", "max_age"} == set()
        assert "urn:stepup" not in answer.body.decode()
        assert answer.json.keys() & {"acrValues", "maxAge", "authorization_details", "offer", "methods"} == set()
    assert asked == []

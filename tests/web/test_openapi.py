"""The OpenAPI document: whole, valid, and true of what the protocol answers."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import openapi_spec_validator
import pyotp
import pytest
import schemathesis
from pydantic import BaseModel, ValidationError
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from web_world import MARCUS, ORG, ORIGIN, Answer, Site, context

from stepup import Action, Context, Device, RiskAssessment, RiskLevel
from stepup._bridge import run_sync
from stepup.approval import Approvers
from stepup.device import Remembered
from stepup.testing import SoftPasskey
from stepup.verifiers import TOTP, Approval, Passkey, RecoveryCode
from stepup.web import PROBLEMS, WebRequest, respond
from stepup.web.answers.about import Problem
from stepup.web.answers.ceremony import Challenge, Preflight
from stepup.web.api import CALLS, PAGES, find
from stepup.web.call import Public, Route

PASSKEY = Passkey(rp_id="app.northstar.example", rp_name="Northstar", origins=[ORIGIN])
APPROVAL = Approval(Approvers(people=[MARCUS.id]))
APPROVED = (Action("payout.create", "Send a payout", risk=4, methods="approval"),)
both_faces = pytest.mark.parametrize("face", ["sync", "async"])
SPEC: dict[str, Any] = Site(who=None).call("GET", "/openapi.json").json
every_route = pytest.mark.parametrize("route", CALLS, ids=lambda route: f"{route.method} {route.path}")


def operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = SPEC["paths"][route.path][route.method.lower()]
    return found


# -- the document ---------------------------------------------------------------------------


def test_the_document_is_valid() -> None:
    """A validator of OpenAPI 3.1 finds nothing wrong with it."""
    openapi_spec_validator.validate(SPEC)


def test_anybody_may_read_it_and_it_is_the_same_for_all() -> None:
    """It says nothing of who asks; only the address it is mounted at differs."""
    first, second = Site(who=None), Site()
    elsewhere = Site(options={"prefix": "/account/security"})

    assert first.call("GET", "/openapi.json").raw == second.call("GET", "/openapi.json").raw
    assert first.call("GET", "/openapi.json").header("content-type") == "application/json"
    assert elsewhere.call("GET", "/openapi.json").json == {**SPEC, "servers": [{"url": "/account/security"}]}
    assert SPEC["servers"] == [{"url": "/stepup"}]


def test_every_route_is_described_and_nothing_else_is() -> None:
    """A call cannot be added without its description; a page has none and stands nowhere in the document."""
    described = {(method.upper(), path) for path, at in SPEC["paths"].items() for method in at}

    assert described == {(route.method, route.path) for route in CALLS}
    assert all(route.says is not None for route in CALLS)
    assert all(route.says is None for route in PAGES)
    assert all(find(route.path.replace("{", "").replace("}", "")) is not None for route in (*CALLS, *PAGES))


@every_route
def test_a_description_says_enough(route: Route) -> None:
    """A name of its own, a tag that is explained, a summary, and what each part of the path is."""
    said = operation(route)

    assert [one["operationId"] for at in SPEC["paths"].values() for one in at.values()].count(said["operationId"]) == 1
    assert {*said["tags"]} <= {tag["name"] for tag in SPEC["tags"]}
    assert said["summary"]
    parts = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    assert [one["name"] for one in said.get("parameters", []) if one["in"] == "path"] == parts
    assert all(one["description"] for one in said.get("parameters", []))
    assert ("security" in said) is isinstance(route.handler, Public)


def test_bodies_are_closed_and_bounded() -> None:
    """No body has room for members that nobody knows, and every text in one has a length."""
    for name, schema in SPEC["components"]["schemas"].items():
        if schema.get("type") == "object" and name != "OpenApi":
            assert schema["additionalProperties"] is False, name
    for kind in (kind for route in CALLS if route.says for kind in route.says.reads):
        for name, schema in SPEC["components"]["schemas"][kind.__name__].get("properties", {}).items():
            for one in schema.get("anyOf", [schema]):
                assert one.get("type") != "string" or {"maxLength", "enum"} & {*one}, f"{kind.__name__}.{name}"


# -- and what is answered ---------------------------------------------------------------------


def holds(route: Route, answer: Answer) -> type[BaseModel] | None:
    """Hold an answer against what its route says; the model that it is."""
    said = operation(route)["responses"]
    assert str(answer.status) in said, f"{route.method} {route.path} answers {answer.status}"
    described = said[str(answer.status)]
    for name, header in described.get("headers", {}).items():
        assert not header["required"] or answer.header(name) is not None
    if "content" not in described:
        assert answer.raw.body == b""
        return None
    assert [*described["content"]] == [answer.header("content-type")]
    assert route.says is not None
    model = route.says.answer if answer.status == route.says.status else Problem
    assert model is not None
    model.model_validate_json(answer.raw.body)
    if model is Problem:
        narrowed = described["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]
        assert answer.json["code"] in narrowed["code"]["enum"]
        assert answer.json["status"] == narrowed["status"]["const"] == answer.status
    return model


class Held(Site):
    """A site that holds each of its answers against the document."""

    def __init__(self, face: str = "sync", **more: Any) -> None:
        self.seen: set[tuple[str, int]] = set()
        self.models: set[str] = set()
        super().__init__(face, **more)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        /,
        *,
        raw: bytes | None = None,
        query: str = "",
        **headers: str,
    ) -> Answer:
        answer = super().call(method, path, body, raw=raw, query=query, **headers)
        found = find(path)
        assert found is not None
        self.held(found.routes[method], answer)
        return answer

    def proved_for(self, blocked: Answer, method: str = "password", response: str = "right") -> str:
        """The token for a blocked call."""
        offer = blocked.json["offer"]
        challenge = self.call("POST", "/challenges", {"offer": offer}).json["challenge"]["id"]
        right = self.call("POST", f"/challenges/{challenge}/attempts", {"method": method, "response": response})
        return str(right.json["grant"]["token"])

    def wrong_for(self, blocked: Answer, method: str) -> None:
        """Wrong answers for a blocked call, until no more are taken."""
        challenge = self.call("POST", "/challenges", {"offer": blocked.json["offer"]}).json["challenge"]["id"]
        body = {"method": method, "response": "000000"}
        while self.call("POST", f"/challenges/{challenge}/attempts", body).code == "verification_failed":
            pass

    def misspelt(self, route: Route) -> None:
        """Call a route with parts in its path that are none."""
        self.held(route, super().call(route.method, route.path.replace("{", "").replace("}", "!")))

    def held(self, route: Route, answer: Answer) -> None:
        model = holds(route, answer)
        assert route.says is not None
        self.seen.add((route.says.id, answer.status))
        self.models.add(model.__name__ if model else "")


def ceremony(site: Site) -> None:
    """From blocked to opened, with every way to go wrong on the way."""
    password = {"method": "password", "response": "right"}
    challenge = site.started("key.rotate")
    site.call("POST", f"/challenges/{challenge}/attempts", {"method": "password", "response": "no"})
    site.call("POST", f"/challenges/{challenge}/attempts", {"method": "nothing", "response": "no"})
    assert site.call("POST", f"/challenges/{challenge}/attempts", password).json["status"] == "open"
    site.call("POST", f"/challenges/{challenge}/methods/nothing")
    for _ in range(12):
        site.call("POST", f"/challenges/{challenge}/methods/email_code", {})
        site.clock.advance(31)
    site.call("GET", f"/challenges/{challenge}")
    site.clock.advance(3600)
    site.call("POST", f"/challenges/{challenge}/methods/email_code")
    site.call("POST", f"/challenges/{challenge}/attempts", password)
    challenge = site.started("member.role")
    assert site.call("POST", f"/challenges/{challenge}/attempts", password).json["status"] == "verified"
    site.call("POST", f"/challenges/{challenge}/attempts", password)
    site.call("POST", f"/challenges/{challenge}/methods/password")
    site.call("DELETE", f"/challenges/{challenge}")
    site.call("DELETE", f"/challenges/{site.started()}")
    site.call("POST", "/preflight", {"action": "member.role", "resource": ORG})
    site.call("POST", "/preflight", {"action": "nothing"})
    site.call("POST", "/challenges/nothing/attempts", password)
    for _ in range(5):
        site.clock.advance(400)
        challenge = site.started("key.rotate")
        site.call("POST", f"/challenges/{challenge}/attempts", {"method": "password", "response": "no"})
    assert site.call("POST", f"/challenges/{challenge}/attempts", password).code == "locked_out"


def account(site: Site) -> None:
    """What the account page reads."""
    for path in ("/actions", "/session", "/grants", "/events"):
        site.call("GET", path)
    site.call("GET", "/events", query="limit=0")
    site.call("GET", "/events", query="after=x")
    for grant in site.call("GET", "/grants").json["grants"]:
        site.call("DELETE", f"/grants/{grant['id']}")


def factors(site: Held) -> None:
    """Adding, confirming, replacing and removing; blocked, wrong and locked."""
    site.token = site.proved_for(site.call("POST", "/factors/totp", {"label": "Phone"}))
    made = site.call("POST", "/factors/totp", {"label": "Phone"}).json
    site.token = None
    site.call("POST", f"/factors/totp/{made['id']}", {"code": "12"})
    site.call("POST", f"/factors/totp/{made['id']}", {"code": authenticator(made["secret"], site)})
    site.call("POST", "/factors/totp/nothing", {"code": "123456"})
    site.call("POST", "/factors/recovery_code")
    site.clock.advance(25 * 3600)
    blocked = site.call("POST", "/factors/recovery_code", {})
    site.token = site.proved_for(blocked, "totp", authenticator(made["secret"], site))
    site.call("POST", "/factors/recovery_code")
    site.token = None
    site.call("GET", "/factors")
    site.clock.advance(60)
    blocked = site.call("DELETE", f"/factors/{made['id']}")
    site.token = site.proved_for(blocked, "totp", authenticator(made["secret"], site))
    site.call("DELETE", f"/factors/{made['id']}")
    site.call("DELETE", "/factors/nothing")


def devices(site: Held) -> None:
    """Having a device remembered, reviewing it and forgetting it."""
    site.who = context(age=5)
    challenge = site.started("member.role")
    body = {"method": "password", "response": "right", "rememberDevice": True}
    site.call("POST", f"/challenges/{challenge}/attempts", body)
    assert site.kept is not None
    site.who = replace(context(age=5), device_token=site.kept[0])
    (one,) = site.call("GET", "/devices").json["devices"]
    site.call("PATCH", f"/devices/{one['id']}", {"label": "Desk"})
    site.call("PATCH", "/devices/nothing", {"label": "Desk"})
    site.call("DELETE", f"/devices/{one['id']}")
    site.call("DELETE", "/devices/nothing")
    site.call("DELETE", "/devices")
    site.clock.advance(601)
    site.who = context()
    reviewing = ("GET", "/devices"), ("DELETE", "/devices"), ("PATCH", "/devices/x"), ("DELETE", "/devices/x")
    for method, path in reviewing:
        body = {"label": "x"} if method == "PATCH" else {}
        assert site.call(method, path, body).code == "verification_required"
    site.who = replace(context(), risk=RiskAssessment(methods=frozenset({"password"})))  # else signing in would help
    while (refused := site.call("GET", "/devices")).code != "locked_out":
        site.wrong_for(refused, "password")
        site.clock.advance(400)
    for method, path in reviewing:
        assert site.call(method, path, {"label": "x"} if method == "PATCH" else {}).code == "locked_out"


def passkeys(site: Held) -> None:
    """Registering a passkey, wrongly and rightly, and giving it another name."""
    site.token = site.proved_for(site.call("POST", "/factors/passkey", {"label": "Key"}))
    begun = site.call("POST", "/factors/passkey", {"label": "Key"}).json
    site.call("POST", f"/factors/passkey/{begun['id']}", {"response": {}})
    site.call("POST", f"/factors/passkey/{begun['id']}", {"response": SoftPasskey(ORIGIN).create(begun["options"])})
    site.call("POST", "/factors/passkey/nothing", {"response": {}})
    site.call("PATCH", f"/factors/{begun['id']}", {"label": "My key"})
    site.call("PATCH", "/factors/nothing", {"label": "My key"})


def locked(site: Held) -> None:
    """Every change, while the one method that counts is locked."""
    site.token = site.proved_for(site.call("POST", "/factors/totp", {}))
    made = site.call("POST", "/factors/totp", {}).json
    site.token = None
    site.call("POST", f"/factors/totp/{made['id']}", {"code": authenticator(made["secret"], site)})
    while (refused := site.call("POST", "/factors/totp", {})).code != "locked_out":
        site.wrong_for(refused, "password")
        site.clock.advance(400)
    for method, path in (
        ("POST", "/factors/totp"),
        ("POST", "/factors/passkey"),
        ("POST", "/factors/recovery_code"),
        ("DELETE", f"/factors/{made['id']}"),
    ):
        assert site.call(method, path, {}).code == "locked_out"


def authenticator(secret: str, site: Site) -> str:
    """What the app shows now."""
    return pyotp.TOTP(secret).at(site.clock.now())


def strangers(site: Held) -> None:
    """Every call by nobody, from another site, with junk, too large, and of another type."""
    for who in (None, site.who):
        site.who = who
        for route in CALLS:
            path = route.path.replace("{", "").replace("}", "")
            site.call(route.method, path)
            site.call(route.method, path, {"junk": 1})
            if "{" in route.path:
                site.misspelt(route)
            site.call(route.method, path, {}, authorization="Bearer abc")
            if route.method != "GET":
                site.call(route.method, path, {}, origin="https://evil.example")
                site.call(route.method, path, raw=b"x" * 70_000)
                site.call(route.method, path, raw=b"x", content_type="text/plain")


@both_faces
def test_every_answer_is_as_described(face: str) -> None:
    """Status, content type, headers and every member, of every call, well or badly made."""
    whole = Context(
        context().actor, session=context().session, device=Device("f", "Safari"), organization="org_7",
        risk=RiskAssessment(10, RiskLevel.LOW),
    )  # fmt: skip
    allowed: Callable[[str, Context], object] = lambda action, context: True  # noqa: E731
    site = Held(face, who=whole, options={"may_start": allowed})

    ceremony(site)
    account(site)
    strangers(site)
    for code in PROBLEMS:
        site.call("GET", f"/problems/{code.value}")
    site.who = context(MARCUS)
    account(site)
    site.who = context(age=5)
    site.call("POST", "/preflight", {"action": "note.edit"})
    site.call("POST", "/challenges", {"action": "nothing"})
    site.call("POST", "/challenges", {"action": "org.delete"})
    keeping = Held(face, more=(TOTP(), RecoveryCode()))
    factors(keeping)
    passkeys(registering := Held(face, more=(PASSKEY,)))
    locked(other := Held(face, more=(TOTP(), RecoveryCode(), PASSKEY)))
    devices(remembering := Held(face))
    approvals(asking := Held(face, more=(APPROVAL, TOTP()), actions=APPROVED))
    site.seen |= keeping.seen | registering.seen | other.seen | remembering.seen | asking.seen
    site.models |= keeping.models | registering.models | remembering.models | asking.models
    for path in ("/factors/totp", "/factors/recovery_code", "/factors/passkey"):
        site.call("POST", path, {})
    site.call("POST", "/factors/totp/x", {"code": "123456"})
    site.call("POST", "/factors/passkey/x", {"response": {}})

    assert site.models == {
        "", "Actions", "AttemptAnswer", "ChallengeEnvelope", "Events", "Grants", "OpenApi", "Preflight", "Problem",
        "ProblemDescription", "PromptEnvelope", "Session", "Factors", "FactorEnvelope", "TotpEnrolment",
        "RecoveryCodes", "PasskeyEnrolment", "Devices", "Approvals", "ApprovalEnvelope",
    }  # fmt: skip
    never = {
        (route.says.id, int(status))
        for route in CALLS
        if route.says
        for status in operation(route)["responses"]
        if int(status) != HTTPStatus.SERVICE_UNAVAILABLE
    } - site.seen
    assert never == set()


def approvals(site: Held) -> None:
    """Asked, seen, refused for every reason there is, approved, collected, withdrawn."""

    def asked(session: str = "sess_1") -> tuple[str, str]:
        site.who = context(session=session)
        name = site.started("payout.create")
        site.call("POST", f"/challenges/{name}/methods/approval", {})
        return name, site.call("GET", f"/challenges/{name}").json["approval"]["id"]

    first, request = asked()
    site.call("POST", f"/challenges/{first}/attempts", {"method": "approval", "response": None})
    site.who = context(MARCUS, "sess_m")
    site.call("GET", "/approvals")
    site.call("GET", "/approvals", query="limit=0")
    site.call("GET", "/approvals", query="after=elsewhere")
    say: dict[str, object] = {"decision": "approve", "reason": "Seen"}
    for body in ({}, {"decision": "perhaps"}, {**say, "more": 1}):
        site.call("POST", f"/approvals/{request}", body)
    site.call("POST", f"/approvals/{request}", raw=b"{" + b" " * 70_000)
    site.call("POST", f"/approvals/{request}", say, content_type="text/plain")
    site.call("POST", f"/approvals/{request}", say, origin="https://elsewhere.example", sec_fetch_site="cross-site")
    site.call("DELETE", f"/approvals/{request}", origin="https://elsewhere.example", sec_fetch_site="cross-site")
    site.call("POST", "/approvals/unknown", say)
    blocked = site.call("POST", f"/approvals/{request}", say)
    own = site.call("POST", "/challenges", {"offer": blocked.json["offer"]}).json["challenge"]["id"]
    for _ in range(4):
        site.call("POST", f"/challenges/{own}/attempts", {"method": "password", "response": "wrong"})
    done = site.call("POST", f"/challenges/{own}/attempts", {"method": "password", "response": "right"}).json
    site.token = "nonsense"
    site.call("POST", f"/approvals/{request}", say)
    site.token = done["grant"]["token"]
    site.call("POST", f"/approvals/{request}", say)
    site.token = None
    site.who = context()
    site.call("POST", f"/challenges/{first}/attempts", {"method": "approval", "response": None})
    site.who = context(MARCUS, "sess_m")
    site.call("POST", f"/approvals/{request}", say)  # collected: closed
    site.clock.advance(60)
    second, request = asked()
    site.call("GET", "/approvals")
    site.who = context(MARCUS, "sess_m")
    site.call("POST", f"/approvals/{request}", {"decision": "deny", "reason": "No"})
    site.call("POST", f"/approvals/{request}", say)
    site.who = context()
    site.call("GET", f"/challenges/{second}")
    site.call("POST", f"/challenges/{second}/methods/approval", {})
    site.call("POST", f"/challenges/{second}/attempts", {"method": "approval", "response": None})
    site.clock.advance(600)
    _, request = asked()
    site.call("DELETE", f"/approvals/{request}")
    site.call("DELETE", f"/approvals/{request}")
    site.clock.advance(60)
    _, request = asked()
    site.who = context(MARCUS, "sess_m")
    while (offer := site.call("POST", f"/approvals/{request}", say).json.get("offer")) is not None:  # until locked out
        own = site.call("POST", "/challenges", {"offer": offer}).json["challenge"]["id"]
        site.call("POST", f"/challenges/{own}/attempts", {"method": "password", "response": "wrong"})
        site.clock.advance(121)
    site.clock.advance(24 * 3600)
    site.call("POST", f"/approvals/{request}", say)
    site.who = None
    for method, path in (("GET", "/approvals"), ("POST", f"/approvals/{request}"), ("DELETE", f"/approvals/{request}")):
        site.call(method, path, say if method == "POST" else None)


@both_faces
@every_route
def test_a_store_that_fails_is_described(face: str, route: Route) -> None:
    """503 is said of the calls that need the store, and of no others."""

    class Failing:
        def __getattr__(self, name: str) -> Any:
            async def fail(*args: object, **more: object) -> object:
                raise RuntimeError("unreachable")

            return fail

    bodies: dict[str, object] = {
        "/preflight": {"action": "org.delete"},
        "/challenges": {"action": "org.delete"},
        "/factors/totp": {},
        "/factors/totp/{factor}": {"code": "123456"},
        "/factors/passkey": {},
        "/factors/passkey/{factor}": {"response": {}},
        "/factors/{factor}": {"label": "x"},
        "/devices/{device}": {"label": "x"},
        "/approvals/{approval}": {"decision": "deny"},
    }
    allowed: Callable[[str, Context], object] = lambda action, context: True  # noqa: E731
    site = Site(face, options={"may_start": allowed}, more=(TOTP(), RecoveryCode(), PASSKEY))
    tokens, now = site.core.trust, site.clock.now()
    known = tokens.written(Remembered("dev", None, 1, 1, now, now, now), tokens.minting(wanted=True))
    site.who = replace(context(), device_token=known)
    object.__setattr__(site.core, "store", Failing())
    body = bodies.get(route.path, {"method": "password", "response": "right"} if "attempts" in route.path else None)
    path = route.path.replace("{code}", "locked_out").replace("{", "").replace("}", "")

    answer = site.call(route.method, path, body)

    holds(route, answer)
    assert (answer.status == HTTPStatus.SERVICE_UNAVAILABLE) is ("503" in operation(route)["responses"])


@pytest.mark.parametrize("kind", [Challenge, Problem, Preflight])
def test_the_models_refuse_what_they_do_not_know(kind: type[BaseModel]) -> None:
    """A member too many, or one of another type, would be seen by the tests above."""
    known = {
        Problem: {"type": "/x", "title": "x", "status": 400, "code": "bad_request"},
        Challenge: None,
        Preflight: None,
    }[kind]
    site = Site()
    document = known or (
        site.call("GET", f"/challenges/{site.started()}").json["challenge"]
        if kind is Challenge
        else site.call("POST", "/preflight", {"action": "org.delete"}).json
    )

    kind.model_validate_json(json.dumps(document))
    for wrong in ({**document, "more": 1}, {**document, next(iter(document)): 7}, {}):
        with pytest.raises(ValidationError):
            kind.model_validate_json(json.dumps(wrong))


def test_an_absent_member_of_a_problem_is_never_null() -> None:
    """What has nothing to say is left out."""
    with pytest.raises(ValidationError):
        Problem.model_validate_json('{"type":"/x","title":"x","status":400,"code":"bad_request","offer":null}')


# -- and what a stranger's tool finds -----------------------------------------------------------


def wsgi(site: Site) -> Callable[[dict[str, Any], Callable[..., object]], Iterable[bytes]]:
    """The protocol as a WSGI application; whoever has the cookie or the token is signed in."""

    def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        headers = {name[5:].lower().replace("_", "-"): value for name, value in environ.items() if "HTTP_" in name[:5]}
        if environ.get("CONTENT_TYPE"):
            headers["content-type"] = environ["CONTENT_TYPE"]
        read = environ.get("wsgi.input", io.BytesIO()).read
        known = headers.get("authorization") == "Bearer known" or headers.get("cookie") == "session=known"
        path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace").removeprefix(site.protocol.prefix)
        request = WebRequest(
            environ["REQUEST_METHOD"],
            path,
            headers,
            dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)),
            read(int(environ.get("CONTENT_LENGTH") or 0)),
            site.who if known else None,
            ORIGIN,
        )
        made = run_sync(respond(site.protocol, request))
        start_response(f"{made.status} {HTTPStatus(made.status).phrase}", list(made.headers))
        return [b"" if request.method == "HEAD" else made.body]

    return application


@pytest.mark.parametrize("seed", [1, 2])
def test_a_fuzzer_finds_nothing(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    """Requests made from the document, right and wrong ones, are answered as it says."""
    caplog.set_level(logging.CRITICAL)
    allowed: Callable[[str, Context], object] = lambda action, context: True  # noqa: E731
    # An offer and a page's cursor are opaque: no schema tells good ones from bad, so 400 is a right answer too. What is
    # wrong and too large at once is too large.
    fitting, refused = ["2xx", "400", "403", "404", "409", "422", "429"], ["400", "401", "404", "413", "415"]
    config = SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "generation": {"max-examples": 15},
            "continue-on-failure": True,
            "auth": {"openapi": {"bearer": {"bearer": "known"}, "session": {"api_key": "known"}}},
            "checks": {
                "positive_data_acceptance": {"expected-statuses": fitting},
                "negative_data_rejection": {"expected-statuses": refused},
                "ignored_auth": {"enabled": False},  # fails by itself over WSGI; who is nobody is tested above
            },
        }
    )
    site = Site(options={"may_start": allowed})
    schema = schemathesis.openapi.from_wsgi("/stepup/openapi.json", wsgi(site), config=config)

    found: list[str] = []
    tried: set[str] = set()
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            found.append(repr(event))
        if isinstance(event, events.ScenarioFinished):
            tried.add(str(event.recorder.label))
            made = (check for checks in event.recorder.checks.values() for check in checks)
            found += [
                f"{event.recorder.label}: {one.name}: {one.failure_info.failure}\n{one.failure_info.code_sample}"
                for one in made
                if one.failure_info is not None
            ]

    assert found == []
    assert {f"{route.method} {route.path}" for route in CALLS if route.says and route.says.id != "describe"} <= tried

"""The protocol: every call, on both faces, and what each refusal looks like on the wire."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from web_world import MARCUS, ORG, ORIGIN, Site, context

from stepup import Code
from stepup._bridge import run_sync
from stepup._engine import authorize
from stepup.context import Resource
from stepup.errors import StepUpRequired
from stepup.web import PROBLEMS, WebRequest, respond
from stepup.web.api import find

both_faces = pytest.mark.parametrize("face", ["sync", "async"])
DOCUMENT = {
    "id", "status", "action", "actor", "params", "allowedMethods", "expiresAt", "policy", "audit",
}  # fmt: skip


# -- the ceremony -------------------------------------------------------------------------


@both_faces
def test_from_a_blocked_call_to_a_token(face: str) -> None:
    """Preflight says what is needed, the offer opens a challenge, the answer mints a token that opens the call."""
    site = Site(face, options={"may_start": lambda action, who: True})

    asked = site.call("POST", "/preflight", {"action": "org.delete", "resource": ORG}).json
    started = site.call("POST", "/challenges", {"offer": asked["offer"], "reason": "we are closing"})
    challenge = started.json["challenge"]
    wrong = site.call("POST", f"/challenges/{challenge['id']}/attempts", {"method": "password", "response": "no"})
    right = site.call("POST", f"/challenges/{challenge['id']}/attempts", {"method": "password", "response": "right"})

    assert (asked["outcome"], asked["code"], asked["methods"]) == (
        "step_up_required", "verification_required", ["password"],
    )  # fmt: skip
    assert (started.status, started.header("location")) == (201, f"/stepup/challenges/{challenge['id']}")
    assert (wrong.status, wrong.code, wrong.json["attemptsLeft"]) == (422, "verification_failed", 4)
    assert right.json["status"] == "verified"
    token = right.json["grant"]["token"]
    if face == "sync":
        opened = authorize.require(
            site.core, "org.delete", context(), Resource("organization", "org_7"), None, token, None
        )
        assert run_sync(opened).action == "org.delete"
        with pytest.raises(StepUpRequired):
            run_sync(
                authorize.require(
                    site.core, "org.delete", context(), Resource("organization", "org_7"), None, token, None
                )
            )


@both_faces
def test_the_challenge_document_has_the_promised_keys_and_no_others(face: str) -> None:
    """What stands in the documentation is what stands on the wire; what else a client needs stands beside it."""
    site = Site(face)
    found = site.call("POST", "/challenges", {"offer": site.blocked(), "reason": "closing"}).json

    document = found["challenge"]
    assert set(document) == DOCUMENT
    told = {"challenge", "description", "now", "attemptsLeft", "remaining", "proved", "items", "uses", "onBehalfOf"}
    assert set(found) == {*told, "resourceLabel", "approval"}
    assert found["resourceLabel"] is None
    assert found["approval"] is None
    assert found["description"] == "For ever."
    assert site.call("POST", "/challenges", {"offer": site.blocked("member.role")}).json["description"] == ""
    assert document["action"] == {
        "id": "org.delete", "label": "Delete organization", "resourceType": "organization", "resourceId": "org_7",
        "riskLevel": "critical",
    }  # fmt: skip
    assert document["actor"]["id"] == "usr_2048"
    assert re.fullmatch(r"sess_[0-9a-f]{12}", document["actor"]["sessionId"])
    assert document["policy"] == {
        "requireFreshAuthWithinMinutes": 2, "blockIfSessionRisk": [], "allowTrustedDeviceRemembering": True,
    }  # fmt: skip
    assert document["audit"] == {"ip": "192.0.2.7", "deviceLabel": None, "reason": "closing"}
    assert document["expiresAt"] == "2026-06-11T18:08:00Z"
    assert "sess_1" not in json.dumps(found)


@both_faces
def test_what_the_resource_is_called_is_the_servers_word(face: str) -> None:
    """It stands beside the document, as the blocked call named it; a client cannot say another."""
    site = Site(face, options={"may_start": lambda action, context: True})
    opened = site.call("POST", "/challenges", {"offer": site.offer("org.delete", label="Northstar")}).json
    assert opened["resourceLabel"] == "Northstar"
    assert site.call("GET", f"/challenges/{opened['challenge']['id']}").json["resourceLabel"] == "Northstar"
    planted = {**ORG, "label": "A playground"}
    for named in ({"action": "org.delete", "resource": planted}, {"offer": site.blocked(), "resourceLabel": "x"}):
        refused = site.call("POST", "/challenges", named)
        assert (refused.status, refused.code) == (400, "bad_request")


@both_faces
def test_a_mailed_code_is_prepared_and_parts_are_proved_one_by_one(face: str) -> None:
    """``begin`` sends the code; the first right part leaves the challenge open and says what is missing."""
    site = Site(face)
    challenge = site.started("key.rotate")

    first = site.call("POST", f"/challenges/{challenge}/attempts", {"method": "password", "response": "right"})
    prompt = site.call("POST", f"/challenges/{challenge}/methods/email_code").json["prompt"]
    code = re.search(r"\b\d{6}\b", site.outbox.messages[-1].text)
    assert code is not None
    last = site.call("POST", f"/challenges/{challenge}/attempts", {"method": "email_code", "response": code[0]})

    assert first.json == {"status": "open", "remaining": ["email_code"]}
    assert prompt["method"] == "email_code"
    assert "olivia@" not in prompt["sentTo"]
    assert last.json["status"] == "verified"


@both_faces
def test_a_challenge_can_be_read_and_called_off(face: str) -> None:
    """GET shows it, DELETE closes it, and afterwards it takes no answer."""
    site = Site(face)
    challenge = site.started()

    seen = site.call("GET", f"/challenges/{challenge}").json["challenge"]["status"]
    gone = site.call("DELETE", f"/challenges/{challenge}")
    after = site.call("POST", f"/challenges/{challenge}/attempts", {"method": "password", "response": "right"})

    assert (seen, gone.status) == ("open", 204)
    assert (after.status, after.code) == (409, "challenge_closed")
    assert site.call("GET", f"/challenges/{challenge}").json["challenge"]["status"] == "cancelled"


@both_faces
def test_somebody_elses_challenge_is_no_challenge(face: str) -> None:
    """An id of another person, of another session, and one that never existed: the same bytes."""
    site = Site(face)
    challenge = site.started()

    answers: set[tuple[int, bytes]] = set()
    for who, ident in (
        (context(MARCUS, "sess_m"), challenge),
        (context(session="sess_2"), challenge),
        (context(), "stepup_" + "0" * 32),
    ):
        site.who = who
        for method, path, body in (
            ("GET", f"/challenges/{ident}", None),
            ("DELETE", f"/challenges/{ident}", None),
            ("POST", f"/challenges/{ident}/methods/password", None),
            ("POST", f"/challenges/{ident}/attempts", {"method": "password", "response": "right"}),
        ):
            raw = site.call(method, path, body).raw
            answers.add((raw.status, raw.body))

    assert len(answers) == 1
    ((status, told),) = answers
    assert (status, json.loads(told)["code"]) == (404, "challenge_not_found")


def test_an_offer_of_another_session_opens_nothing() -> None:
    """An offer is for who was blocked, in the session in which it was."""
    site = Site()
    offer = site.blocked()

    site.who = context(session="sess_2")
    found = site.call("POST", "/challenges", {"offer": offer})

    assert (found.status, found.code) == (400, "bad_request")


@pytest.mark.parametrize(("allow", "status"), [(None, 400), (False, 400), ("yes", 400), (True, 201)])
def test_a_client_starts_without_an_offer_only_where_it_may(allow: Any, status: int) -> None:
    """``may_start`` has to answer True, and nothing else, for an action that a client names."""
    hook: Callable[[str, Any], object] | None = None if allow is None else lambda action, context: allow
    site = Site(options={"may_start": hook})

    assert site.call("POST", "/challenges", {"action": "org.delete", "resource": ORG}).status == status


@both_faces
def test_without_leave_a_client_words_no_challenge(face: str) -> None:
    """Preflight says what would be needed, and hands out the offer only where a client may start by name."""
    for allowed, told in ((False, False), (True, True)):
        site = Site(face, options={"may_start": lambda action, who, allowed=allowed: allowed})
        asked = site.call("POST", "/preflight", {"action": "org.delete", "resource": ORG, "params": {"note": "x"}}).json
        assert asked["code"] == "verification_required"
        assert (asked["offer"] is not None) is told


def test_a_hook_that_fails_has_not_said_yes(caplog: pytest.LogCaptureFixture) -> None:
    """``may_start`` that raises is a no, and a line in the log that names no more than the error's kind."""

    def hook(action: str, who: Any) -> bool:
        raise RuntimeError("a secret of the application")

    site = Site(options={"may_start": hook})

    assert site.call("POST", "/challenges", {"action": "org.delete", "resource": ORG}).status == 400
    assert [record.getMessage() for record in caplog.records] == ["may_start raised RuntimeError"]


# -- the account's pages ------------------------------------------------------------------


@both_faces
def test_actions_grants_session_and_events(face: str) -> None:
    """What the account page shows: the registry with its status, what is unlocked, the session, the history."""
    site = Site(face)
    before = {one["id"]: one["status"] for one in site.call("GET", "/actions").json["actions"]}
    challenge = site.started("member.role")
    site.call("POST", f"/challenges/{challenge}/attempts", {"method": "password", "response": "right"})

    listed = {one["id"]: one for one in site.call("GET", "/actions").json["actions"]}
    (grant,) = site.call("GET", "/grants").json["grants"]
    session = site.call("GET", "/session").json
    events = site.call("GET", "/events", query="limit=2").json
    locked = site.call("DELETE", f"/grants/{grant['id']}")

    assert before == {
        "org.delete": "needs_proof", "member.role": "needs_proof", "note.edit": "needs_proof",
        "key.rotate": "needs_proof",
    }  # fmt: skip
    assert listed["member.role"]["status"] == "unlocked"
    assert listed["key.rotate"]["methods"] == ["password", "email_code"]
    assert (grant["action"], grant["methods"], grant["uses"]) == ("member.role", ["password"], None)
    assert session["ageSeconds"] == 3600
    assert [event["result"] for event in events["events"]] == ["ok", "ok"]
    assert events["after"] is None
    assert site.call("GET", "/events", query="limit=1").json["after"] is not None
    assert locked.status == 204
    assert site.call("GET", "/grants").json["grants"] == []


def test_a_clients_history_holds_no_reasons() -> None:
    """Outward answers do not tell causes apart, and the history is an outward answer."""
    site = Site()
    challenge = site.started()
    site.call("POST", f"/challenges/{challenge}/attempts", {"method": "password", "response": "no"})

    for event in site.call("GET", "/events").json["events"]:
        assert not {"reason", "detail", "riskScore", "rules", "session", "snapshot"} & set(event)


# -- who may call ---------------------------------------------------------------------------


def test_nobody_signed_in_is_told_to_sign_in_and_nothing_else() -> None:
    """The strength an action needs is not for strangers (RFC 9470 section 9)."""
    site = Site(who=None)
    for method, path in (
        ("GET", "/actions"),
        ("POST", "/challenges"),
        ("POST", "/preflight"),
        ("GET", "/challenges/x"),
    ):
        found = site.call(method, path, {} if method == "POST" else None)
        assert (found.status, found.code, found.json["loginUrl"]) == (401, "login_required", "/login")
        assert "acrValues" not in found.json
        assert "acr_values" not in (found.header("www-authenticate") or "")


@pytest.mark.requirement("B-01")
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ORIGIN + ".evil.example"},
        {"origin": ORIGIN.replace("https", "http"), "sec_fetch_site": "-"},
        {"origin": ORIGIN.replace("https", "http"), "sec_fetch_site": "cross-site"},
        {"origin": ORIGIN.replace("https", "ws")},
        {"origin": ORIGIN + ":8443"},
        {"origin": "-", "sec_fetch_site": "cross-site"},
        {"origin": "-", "sec_fetch_site": "same-site"},
        {"origin": "-", "sec_fetch_site": "none"},
    ],
)
def test_calls_from_other_sites_change_nothing(headers: dict[str, str]) -> None:
    """Whatever a browser says of where a call comes from: only this very origin may change state."""
    site = Site()
    challenge = site.started()

    found = site.call("DELETE", f"/challenges/{challenge}", None, raw=None, query="", **headers)

    assert (found.status, found.code) == (403, "bad_request")
    assert site.call("GET", f"/challenges/{challenge}").json["challenge"]["status"] == "open"


def test_behind_a_proxy_the_host_and_the_browser_are_believed() -> None:
    """A server behind a proxy calls itself http where its pages are https; the browser knows that they are one."""
    site = Site()
    challenge = site.started()

    assert site.call("DELETE", f"/challenges/{challenge}", origin=ORIGIN.replace("https", "http")).status == 204


@pytest.mark.requirement("B-01")
def test_reading_changes_nothing() -> None:
    """GET and HEAD, of every address, leave the challenge open and the grants as they are."""
    site = Site()
    challenge = site.started()
    site.call(
        "POST", f"/challenges/{site.started('member.role')}/attempts", {"method": "password", "response": "right"}
    )
    grants = site.call("GET", "/grants").json["grants"]

    for method in ("GET", "HEAD"):
        for path in (
            "/actions", "/session", "/grants", "/events", f"/challenges/{challenge}", "/problems/locked_out",
            f"/challenges/{challenge}/attempts", f"/challenges/{challenge}/methods/password", "/preflight",
            "/challenges", f"/grants/{grants[0]['id']}",
        ):  # fmt: skip
            site.call(method, path)

    assert site.call("GET", f"/challenges/{challenge}").json["challenge"]["status"] == "open"
    assert site.call("GET", "/grants").json["grants"] == grants
    assert site.call("GET", f"/challenges/{challenge}").json["attemptsLeft"] == 5


# -- what a refusal looks like -----------------------------------------------------------------


@pytest.mark.requirement("G-07")
def test_bearer_callers_get_the_challenge_of_rfc_9470() -> None:
    """With a bearer token a blocked call is a 401 with the header; with a cookie a 403 without it, the same body."""
    bearer = Site().protocol.voice
    request = WebRequest("POST", "/x", {"authorization": "Bearer abc"}, context=context(), origin=ORIGIN)
    cookie = WebRequest("POST", "/x", {}, context=context(), origin=ORIGIN)
    site = Site()
    decision = run_sync(
        authorize.check(site.core, "org.delete", context(), Resource("organization", "org_7"), None, None)
    )

    first, second = bearer.refused(request, decision), bearer.refused(cookie, decision)

    assert first.status == 401
    assert first.header("www-authenticate") == (
        'Bearer error="insufficient_user_authentication", error_description="Fresh proof is needed for this action.", '
        'acr_values="urn:stepup:level:4", max_age="120"'
    )
    assert (second.status, second.header("www-authenticate")) == (403, None)
    assert {**json.loads(first.body), "status": 0} == {**json.loads(second.body), "status": 0}
    assert json.loads(second.body)["offer"] == decision.offer


def test_waiting_is_said_in_seconds_too() -> None:
    """A refusal that passes by itself carries ``retryAt`` and ``Retry-After``."""
    site = Site()
    challenge = site.started("key.rotate")
    for _ in range(5):
        site.clock.advance(200)
        challenge = site.started("key.rotate")
        site.call("POST", f"/challenges/{challenge}/attempts", {"method": "password", "response": "no"})
    locked = site.call("POST", f"/challenges/{challenge}/attempts", {"method": "password", "response": "no"})

    assert (locked.status, locked.code) == (429, "locked_out")
    assert locked.header("retry-after") == "5"


def test_htmx_is_told_what_happened_and_swaps_nothing() -> None:
    """A blocked htmx request keeps its page and fires an event with the problem."""
    site = Site()
    request = WebRequest("POST", "/x", {"hx-request": "true"}, context=context(), origin=ORIGIN)
    decision = run_sync(authorize.check(site.core, "org.delete", context(), None, None, None))

    found = site.protocol.voice.refused(request, decision)

    assert found.header("hx-reswap") == "none"
    assert json.loads(found.header("hx-trigger") or "")["stepup:required"]["offer"] == decision.offer


def test_every_code_has_a_problem_and_a_page() -> None:
    """The table is whole, and each problem's address answers what it means."""
    site = Site(who=None)

    assert set(PROBLEMS) == set(Code) - {Code.ALLOWED}
    for code, kind in PROBLEMS.items():
        assert site.call("GET", f"/problems/{code.value}").json == {
            "type": f"/stepup/problems/{code.value}", "code": code.value, "status": kind.status, "title": kind.title,
            "detail": kind.helps,
        }  # fmt: skip
        read = site.call("GET", f"/problems/{code.value}", sec_fetch_mode="navigate")
        assert read.header("content-type") == "text/html; charset=utf-8"
        assert kind.title in html.unescape(read.raw.body.decode())
    assert site.call("GET", "/problems/nothing").status == 404
    assert site.call("GET", "/problems/allowed").status == 404


@pytest.mark.requirement("B-02", "B-06")
def test_nothing_is_kept_or_told_on() -> None:
    """Every answer, good or bad, is not to be stored, sniffed, or told of to other sites."""
    site = Site()
    answers = [
        site.call("GET", "/actions"),
        site.call("GET", "/nowhere"),
        site.call("PUT", "/actions"),
        site.call("POST", "/challenges", {"offer": "x"}),
        site.call("POST", f"/challenges/{site.started()}/attempts", {"method": "password", "response": "right"}),
    ]

    for answer in answers:
        assert answer.header("cache-control") == "no-store"
        assert answer.header("referrer-policy") == "no-referrer"
        assert answer.header("x-content-type-options") == "nosniff"


# -- bad input -----------------------------------------------------------------------------------

JUNK = (
    b"", b"null", b"[]", b'"x"', b"{", b'{"offer":"a","offer":"b"}', b'{"offer":NaN}', b"\xff{}", b'{"offer":1}',
    b'{"offer":null}', b'{"offer":""}', b'{"offer":"x","more":1}', b'{"a":' * 50 + b"1" + b"}" * 50,
    b'{"offer":"' + b"a" * 20_000 + b'"}', b'{"action":["org.delete"]}', b'{"action":"org.delete","resource":"x"}',
    b'{"action":"org.delete","resource":{"type":"a"}}', b'{"action":"org.delete","params":[]}', b'{"offer":"\\ud800"}',
    b"[" * 100_000,
)  # fmt: skip


@both_faces
@pytest.mark.parametrize("path", ["/challenges", "/preflight"])
@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
def test_junk_is_a_bad_request(face: str, path: str, junk: bytes) -> None:
    """Whatever stands in a body: 400 or 413, a problem document, and never a 500."""
    found = Site(face).call("POST", path, raw=junk)

    assert found.status in {400, 413}
    assert found.code == "bad_request"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content_type": "text/plain"}, 415),
        ({"content_type": "-"}, 415),
        ({"content_type": "application/json; charset=utf-16"}, 415),
        ({"content_type": "application/jsonp"}, 415),
        ({"content_type": 'application/json; charset="utf-8"'}, 400),
        ({"content_type": "APPLICATION/JSON"}, 400),
    ],
)
def test_only_json_is_read(headers: dict[str, str], status: int) -> None:
    """A body is JSON by its own word, in UTF-8; a form or a text from another site is none."""
    assert Site().call("POST", "/challenges", {"offer": "x"}, raw=None, query="", **headers).status == status


def test_a_large_body_is_refused() -> None:
    """Ten megabytes are too many, and what is in them does not matter."""
    assert Site().call("POST", "/challenges", raw=b'{"offer":"' + b"a" * 10_000_000 + b'"}').status == 413


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "//actions", "/actions/", "/./actions", "/Actions", "/actions.", "/challenges//attempts",
        "/../actions", "/challenges/a%2fb", "/challenges/ä", "/challenges/" + "a" * 200,
        "/challenges/a/attempts/", "/grants/\n", "/actions\n",
    ],
)  # fmt: skip
def test_an_address_has_one_spelling(path: str) -> None:
    """Variants of a path are not mended: they are nothing."""
    assert find(path) is None
    assert Site().call("GET", path).status == 404


@pytest.mark.parametrize(
    "response_", [None, 7, True, [], {}, {"a": [1]}, "", " ", "x" * 10_000, "\u0000", "\uff11\uff12\uff13"]
)
def test_no_answer_of_a_wrong_form_is_accepted(response_: Any) -> None:
    """A response of any JSON type is judged or refused, counted, and opens nothing."""
    site = Site()
    challenge = site.started()
    found = site.call("POST", f"/challenges/{challenge}/attempts", {"method": "password", "response": response_})

    assert found.status == 422
    assert site.call("GET", f"/challenges/{challenge}").json["attemptsLeft"] == 4


def test_a_store_that_fails_is_503_and_says_nothing() -> None:
    """The client learns that it did not work, and not why."""
    site = Site()

    class Failing:
        def __getattr__(self, name: str) -> Any:
            async def fail(*args: object, **more: object) -> object:
                raise RuntimeError("connection to 10.0.0.7 refused")

            return fail

    object.__setattr__(site.core, "store", Failing())
    for method, path, body in (("GET", "/grants", None), ("POST", "/preflight", {"action": "org.delete"})):
        found = site.call(method, path, body)
        assert (found.status, found.code) == (503, "store_unavailable")
        assert b"10.0.0.7" not in found.raw.body


def test_the_session_is_renewed_with_the_last_proof() -> None:
    """A shim's ``rotate`` is called once, when the proof is complete, and the grant is the new session's."""
    site = Site()
    challenge, renewed = site.started(), []

    def rotate() -> str:
        renewed.append("sess_new")
        return "sess_new"

    def attempt(answer: str) -> Any:
        body = json.dumps({"method": "password", "response": answer}).encode()
        request = WebRequest(
            "POST", f"/challenges/{challenge}/attempts", {"content-type": "application/json"}, {}, body, context(),
            ORIGIN, rotate,
        )  # fmt: skip
        return run_sync(respond(site.protocol, request))

    attempt("no")
    before = list(renewed)
    attempt("right")

    assert (before, renewed) == ([], ["sess_new"])
    site.who = context()
    assert site.call("GET", "/grants").json["grants"] == []
    site.who = context(session="sess_new")
    assert len(site.call("GET", "/grants").json["grants"]) == 1

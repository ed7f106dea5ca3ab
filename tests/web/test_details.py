"""``authorization_details`` (RFC 9396): a blocked call described, and a call named by its details."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from web_world import MARCUS, ORG, ORIGIN, Site, context

from stepup._bridge import run_sync
from stepup._engine import authorize
from stepup.context import Context, Resource
from stepup.decision import Authorization
from stepup.errors import StepUpRequired
from stepup.web import WebRequest

T = TypeVar("T")
both_faces = pytest.mark.parametrize("face", ["sync", "async"])
pytestmark = pytest.mark.requirement("G-10")

PARAMS = {"amount": "120.00", "to": ["a", {"b": 1}]}
DETAIL = {"type": "urn:stepup:action", "actions": ["org.delete"], "resource": ORG, "params": PARAMS}


def run(site: Site, made: Awaitable[T]) -> T:
    async def waited() -> T:
        return await made

    return run_sync(waited()) if site.face == "sync" else asyncio.run(waited())


def open_to_all(face: str) -> Site:
    """A site whose clients may start challenges by themselves."""
    allowed: Callable[[str, Context], object] = lambda action, context: True  # noqa: E731
    return Site(face, options={"may_start": allowed})


def required(site: Site, params: Any, token: str | None = None) -> Authorization:
    made = authorize.require(site.core, "org.delete", context(), Resource("organization", "org_7"), params, token, None)
    return run(site, made)


# -- in what clients get back ---------------------------------------------------------------


@both_faces
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer abc"}])
def test_a_blocked_call_is_described(face: str, headers: dict[str, str]) -> None:
    """The problem of a blocked call names exactly that call, for cookies and for bearer tokens alike."""
    site = Site(face)
    with pytest.raises(StepUpRequired) as blocked:
        required(site, PARAMS)

    found = site.protocol.voice.error(
        WebRequest("POST", "/x", headers, context=context(), origin=ORIGIN), blocked.value
    )

    assert json.loads(found.body)["authorization_details"] == [DETAIL]


@both_faces
def test_preflight_describes_the_call_that_would_be_blocked(face: str) -> None:
    """What the call does not name is not in the details; a call that would pass has none."""
    site = Site(face)
    whole = site.call("POST", "/preflight", {"action": "org.delete", "resource": ORG, "params": PARAMS}).json
    bare = site.call("POST", "/preflight", {"action": "org.delete"}).json
    site.who = context(age=5)
    passes = site.call("POST", "/preflight", {"action": "note.edit"}).json

    assert whole["authorization_details"] == [DETAIL]
    assert bare["authorization_details"] == [{"type": "urn:stepup:action", "actions": ["org.delete"]}]
    assert (passes["outcome"], passes["authorization_details"]) == ("allowed", None)


def test_a_call_that_no_proof_would_open_has_no_details() -> None:
    """There is nothing to ask authorization for where nothing is offered."""
    site = Site()
    found = site.call("POST", "/challenges", {"offer": "x"})

    assert found.status == 400
    assert "authorization_details" not in found.json


def test_an_htmx_header_stays_short() -> None:
    """Details stand in the body; the header that fires the event does without them."""
    site = Site()
    with pytest.raises(StepUpRequired) as blocked:
        required(site, PARAMS)
    request = WebRequest("POST", "/x", {"hx-request": "true"}, context=context(), origin=ORIGIN)

    found = site.protocol.voice.error(request, blocked.value)
    told = json.loads(found.header("hx-trigger") or "")["stepup:required"]

    assert json.loads(found.body)["authorization_details"] == [DETAIL]
    assert "authorization_details" not in told
    assert told["offer"] == blocked.value.offer


# -- in what clients send -------------------------------------------------------------------


@both_faces
def test_details_take_the_place_of_action_resource_and_params(face: str) -> None:
    """Preflight answers the same, offer aside, whichever way the call is named."""
    site = open_to_all(face)
    by_call = site.call("POST", "/preflight", {"action": "org.delete", "resource": ORG, "params": PARAMS}).json
    by_details = site.call("POST", "/preflight", {"authorization_details": [DETAIL]}).json

    assert {**by_call, "offer": ""} == {**by_details, "offer": ""}
    started = site.call("POST", "/challenges", {"offer": by_details["offer"]})
    assert [one["label"] for one in started.json["challenge"]["params"]] == ["amount", "to"]


@both_faces
def test_a_challenge_by_details_opens_exactly_that_call(face: str) -> None:
    """The details take part in the decision: the token opens the call with these params and with no others."""
    site = open_to_all(face)
    challenge = site.call("POST", "/challenges", {"authorization_details": [DETAIL], "reason": "closing"}).json
    answer = {"method": "password", "response": "right"}
    token = site.call("POST", f"/challenges/{challenge['challenge']['id']}/attempts", answer).json["grant"]["token"]

    assert challenge["challenge"]["audit"]["reason"] == "closing"
    with pytest.raises(StepUpRequired):
        required(site, {**PARAMS, "amount": "120.01"}, token)
    assert required(site, PARAMS, token).action == "org.delete"


@both_faces
def test_details_start_a_challenge_only_where_a_client_may(face: str) -> None:
    """Without the application's leave a call cannot be named, in this form as in the other."""
    found = Site(face).call("POST", "/challenges", {"authorization_details": [DETAIL]})

    assert (found.status, found.code) == (400, "bad_request")


@both_faces
@pytest.mark.parametrize(
    "detail",
    [
        {**DETAIL, "locations": ["https://api.example"]},
        {**DETAIL, "privileges": []},
        {**DETAIL, "identifier": "org_7"},
        {**DETAIL, "type": "payment_initiation"},
        {**DETAIL, "type": "urn:stepup:Action"},
        {**DETAIL, "type": None},
        {**DETAIL, "actions": []},
        {**DETAIL, "actions": ["org.delete", "note.edit"]},
        {**DETAIL, "actions": "org.delete"},
        {**DETAIL, "actions": [None]},
        {**DETAIL, "resource": {**ORG, "label": "ours"}},
        {**DETAIL, "resource": "org_7"},
        {**DETAIL, "params": [1]},
        {name: value for name, value in DETAIL.items() if name != "type"},
        {name: value for name, value in DETAIL.items() if name != "actions"},
        "urn:stepup:action",
        None,
        [],
    ],
)
@pytest.mark.parametrize("path", ["/preflight", "/challenges"])
def test_an_unknown_detail_is_refused(face: str, path: str, detail: Any) -> None:
    """Another type, another member, another number of actions: refused, never ignored; also beside a good offer."""
    site = open_to_all(face)
    bodies: list[dict[str, Any]] = [{"authorization_details": [detail]}]
    if path == "/challenges":
        bodies.append({"authorization_details": [detail], "offer": site.blocked()})

    for body in bodies:
        found = site.call("POST", path, body)
        assert (found.status, found.code) == (400, "bad_request")
        assert "authorization_details" in found.json["detail"]
    assert site.call("GET", "/events").json["events"] == []


@both_faces
@pytest.mark.parametrize("details", [[], [DETAIL, DETAIL], DETAIL, "x", 7])
@pytest.mark.parametrize("path", ["/preflight", "/challenges"])
def test_details_are_a_list_of_exactly_one(face: str, path: str, details: Any) -> None:
    """None, two, or no list at all is a bad request."""
    found = open_to_all(face).call("POST", path, {"authorization_details": details})

    assert (found.status, found.code) == (400, "bad_request")


@pytest.mark.parametrize("more", [{"action": "org.delete"}, {"resource": ORG}, {"params": {}}])
@pytest.mark.parametrize("path", ["/preflight", "/challenges"])
def test_a_call_is_named_in_one_way(path: str, more: dict[str, Any]) -> None:
    """Details beside action, resource or params could mean two things, so they mean none."""
    found = open_to_all("sync").call("POST", path, {"authorization_details": [DETAIL], **more})

    assert (found.status, found.code) == (400, "bad_request")


# -- an offer and details together ------------------------------------------------------------


def offered(site: Site, params: Any = PARAMS) -> str:
    return str(site.offer("org.delete", params))


@both_faces
def test_an_offer_with_its_own_details_opens_the_challenge(face: str) -> None:
    """What the blocked call's answer carried can be sent back as it was."""
    site = open_to_all(face)
    asked = site.call("POST", "/preflight", {"action": "org.delete", "resource": ORG, "params": PARAMS}).json
    body = {name: asked[name] for name in ("offer", "authorization_details")}

    assert site.call("POST", "/challenges", body).status == 201


@both_faces
@pytest.mark.parametrize(
    ("offer", "details"),
    [({"a": 1, "b": 2}, {"b": 2, "a": 1}), ({"a": 1}, {"a": 1.0}), ({"a": 100}, {"a": 1e2}), ({"a": 0}, {"a": -0.0})],
)
def test_params_are_compared_in_canonical_form(face: str, offer: Any, details: Any) -> None:
    """Another order, or another way of writing the same number, is the same call."""
    site = Site(face)
    body = {"offer": offered(site, offer), "authorization_details": [{**DETAIL, "params": details}]}

    assert site.call("POST", "/challenges", body).status == 201


@both_faces
@pytest.mark.parametrize(
    "other",
    [
        {**DETAIL, "actions": ["member.role"]},
        {**DETAIL, "resource": {**ORG, "id": "org_8"}},
        {**DETAIL, "resource": {**ORG, "type": "team"}},
        {**DETAIL, "resource": None},
        {**DETAIL, "params": {**PARAMS, "amount": "120.01"}},
        {**DETAIL, "params": {"amount": "120.00"}},
        {**DETAIL, "params": {**PARAMS, "to": ["a", {"b": True}]}},
        {**DETAIL, "params": {}},
        {**DETAIL, "params": None},
        {**DETAIL, "params": {"a": "\ud800"}},
    ],
)
def test_an_offer_with_other_details_opens_nothing(face: str, other: dict[str, Any]) -> None:
    """Details that name another call than the offer are refused, and no challenge is left behind."""
    site = open_to_all(face)
    offer = offered(site)

    found = site.call(
        "POST", "/challenges", raw=json.dumps({"offer": offer, "authorization_details": [other]}).encode()
    )

    assert (found.status, found.code) == (400, "bad_request")
    assert site.call("GET", "/events").json["events"] == []


@both_faces
def test_no_params_and_empty_params_are_two_calls(face: str) -> None:
    """An offer without params does not go with details that have some, be they empty."""
    site = Site(face)
    body = {"offer": offered(site, None), "authorization_details": [{**DETAIL, "params": {}}]}

    assert site.call("POST", "/challenges", body).status == 400


@both_faces
def test_good_details_make_no_offer_good(face: str) -> None:
    """Somebody else's offer stays nobody's, whatever stands beside it."""
    site = Site(face)
    offer = offered(site)
    site.who = context(MARCUS, "sess_m")

    found = site.call("POST", "/challenges", {"offer": offer, "authorization_details": [DETAIL]})

    assert (found.status, found.code) == (400, "bad_request")
    assert [event["result"] for event in site.call("GET", "/events").json["events"]] == ["refused"]

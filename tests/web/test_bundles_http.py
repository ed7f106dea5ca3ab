"""Bundles and counted grants over HTTP: named in the problem, shown in the envelope, listed while they last."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from web_world import ORG, ORIGIN, Site, context

from stepup import Context, Item, Resource
from stepup._bridge import run_sync
from stepup._engine import authorize, bundle
from stepup.bundle import MAX_ITEMS
from stepup.errors import StepUpError, StepUpRequired
from stepup.web import WebRequest

T = TypeVar("T")
both_faces = pytest.mark.parametrize("face", ["sync", "async"])
pytestmark = both_faces

NORTHSTAR = Resource("organization", "org_7", label="Northstar")
ITEMS = (
    Item("org.delete", NORTHSTAR, {"amount": "120.00"}),
    Item("member.role", Resource("member", "m_1")),
    Item("note.edit"),
)
DETAILS: list[dict[str, Any]] = [
    {
        "type": "urn:stepup:action",
        "actions": ["org.delete"],
        "resource": {"type": "organization", "id": "org_7"},
        "params": {"amount": "120.00"},
    },
    {"type": "urn:stepup:action", "actions": ["member.role"], "resource": {"type": "member", "id": "m_1"}},
    {"type": "urn:stepup:action", "actions": ["note.edit"]},
]


def run(site: Site, made: Coroutine[Any, Any, T]) -> T:
    return run_sync(made) if site.face == "sync" else asyncio.run(made)


def blocked(site: Site, **headers: str) -> tuple[int, dict[str, Any]]:
    """What the application's answer to a blocked bundle is."""
    with pytest.raises(StepUpRequired) as raised:
        run(site, bundle.require_bundle(site.core, ITEMS, context(), None, None))
    request = WebRequest("POST", "/x", headers, context=context(), origin=ORIGIN)
    made = site.protocol.voice.error(request, raised.value)
    return made.status, json.loads(made.body)


def proved(site: Site, offer: str) -> dict[str, Any]:
    """The grant that a right answer gives."""
    started = site.call("POST", "/challenges", {"offer": offer}).json
    path = f"/challenges/{started['challenge']['id']}/attempts"
    answer: dict[str, Any] = site.call("POST", path, {"method": "password", "response": "right"}).json
    found: dict[str, Any] = answer["grant"]
    return found


def anything(action: str, who: Context) -> bool:
    return action in {"org.delete", "member.role", "note.edit"} and who == context()


def all_but_deleting(action: str, who: Context) -> bool:
    return action != "org.delete" and who == context()


def passes(site: Site, item: Item, token: str, who: Context | None = None) -> bool:
    asked = authorize.require(site.core, item.action, who or context(), item.resource, item.params, token, None)
    try:
        run(site, asked)
    except StepUpError:
        return False
    return True


@pytest.mark.requirement("G-10")
@pytest.mark.parametrize(("headers", "status"), [({}, 403), ({"authorization": "Bearer abc"}, 401)])
def test_a_blocked_bundle_is_described_one_entry_an_item(face: str, headers: dict[str, str], status: int) -> None:
    """In order, in the words of RFC 9396; else it is the usual problem."""
    answered, problem = blocked(Site(face), **headers)

    assert answered == status
    assert (problem["code"], problem["action"], problem["acrValues"]) == (
        "verification_required",
        "stepup.bundle",
        "urn:stepup:level:4",
    )
    assert problem["authorization_details"] == DETAILS


def test_the_envelope_lists_what_the_document_cannot(face: str) -> None:
    """The promised keys are as ever; every item stands beside them, and a line for each in ``params``."""
    site = Site(face)
    envelope = site.call("POST", "/challenges", {"offer": blocked(site)[1]["offer"]}).json

    assert envelope["challenge"]["action"] == {
        "id": "stepup.bundle",
        "label": "Delete organization, Change role, Edit note",
        "resourceType": None,
        "resourceId": None,
        "riskLevel": "critical",
    }
    assert envelope["items"] == [
        {
            "label": "Delete organization",
            "resource": {"type": "organization", "id": "org_7", "label": "Northstar"},
            "params": [{"label": "amount", "value": "120.00"}],
        },
        {"label": "Change role", "resource": {"type": "member", "id": "m_1", "label": None}, "params": []},
        {"label": "Edit note", "resource": None, "params": []},
    ]
    assert [one["label"] for one in envelope["challenge"]["params"]] == [one["label"] for one in envelope["items"]]
    assert (envelope["uses"], envelope["onBehalfOf"]) == (3, None)


def test_the_token_opens_each_item_once_and_the_grant_says_what_is_left(face: str) -> None:
    """``GET /grants`` counts down; then it is gone."""
    site = Site(face)
    grant = proved(site, blocked(site)[1]["offer"])
    assert grant["uses"] == 3

    left: list[Any] = []
    for item in ITEMS:
        listed = site.call("GET", "/grants").json["grants"]
        left.append([(one["action"], one["uses"], one["remaining"]) for one in listed])
        assert passes(site, item, grant["token"])
        assert item.action == "note.edit" or not passes(site, item, grant["token"])
    assert left == [[("stepup.bundle", 3, remaining)] for remaining in (3, 2, 1)]
    assert site.call("GET", "/grants").json["grants"] == []


@pytest.mark.requirement("G-10")
def test_a_bundle_is_named_by_its_details_where_that_is_allowed(face: str) -> None:
    """By preflight and by start; by an offer, the details must be exactly those of the offer."""
    site = Site(face, options={"may_start": anything})
    asked = site.call("POST", "/preflight", {"authorization_details": DETAILS}).json

    assert (asked["outcome"], asked["action"], asked["authorization_details"]) == (
        "step_up_required",
        "stepup.bundle",
        DETAILS,
    )
    for body in ({"authorization_details": DETAILS}, {"offer": asked["offer"], "authorization_details": DETAILS}):
        assert len(site.call("POST", "/challenges", body).json["items"]) == 3
    for other in (DETAILS[:2], DETAILS[::-1], DETAILS[:1]):
        refused = site.call("POST", "/challenges", {"offer": asked["offer"], "authorization_details": other})
        assert (refused.status, refused.code) == (400, "bad_request")
    many = [{**DETAILS[2], "resource": {"type": "note", "id": f"n_{n}"}} for n in range(MAX_ITEMS + 1)]
    for wrong in (many, [], [DETAILS[2], DETAILS[2]], [DETAILS[0], {**DETAILS[1], "more": 1}]):
        assert site.call("POST", "/preflight", {"authorization_details": wrong}).status == 400


def test_a_bundle_is_worded_by_a_client_only_if_each_call_may_be(face: str) -> None:
    """One action that the application keeps to itself keeps the bundle; and nobody names the bundle's own action."""
    site = Site(face, options={"may_start": all_but_deleting})

    assert site.call("POST", "/challenges", {"authorization_details": DETAILS[1:]}).status == 201
    assert site.call("POST", "/challenges", {"authorization_details": DETAILS}).status == 400
    assert site.call("POST", "/preflight", {"authorization_details": DETAILS}).json["offer"] is None
    assert site.call("POST", "/challenges", {"action": "stepup.bundle", "resource": ORG}).code == "action_unknown"


def test_a_counted_proof_says_how_often(face: str) -> None:
    """In the envelope before, in the grant after."""
    site = Site(face)
    with pytest.raises(StepUpRequired) as raised:
        run(site, authorize.require(site.core, "member.role", context(), None, None, None, None, None, 25))
    started = site.call("POST", "/challenges", {"offer": raised.value.offer}).json
    assert (started["uses"], started["items"]) == (25, [])
    path = f"/challenges/{started['challenge']['id']}/attempts"
    grant = site.call("POST", path, {"method": "password", "response": "right"}).json["grant"]

    assert grant["uses"] == 25
    assert passes(site, Item("member.role"), grant["token"])
    assert site.call("GET", "/grants").json["grants"][0]["remaining"] == 24

"""Approvals over HTTP, on both faces: the inbox, answering under a step-up, what the requester's page is told."""

from __future__ import annotations

import pytest
from web_world import MARCUS, OLIVIA, ORG, Site, context

from stepup import Action, Actor
from stepup.approval import Approvers
from stepup.verifiers import Approval

both_faces = pytest.mark.parametrize("face", ["sync", "async"])
ACTIONS = (Action("payout.create", "Send a payout", risk=4, methods="approval", description="Money leaves."),)
BOSS, REQUESTER, STRANGER = context(MARCUS, "sess_m"), context(), context(Actor("usr_9"), "sess_s")
SAY = {"decision": "approve", "reason": "Checked"}


def site_with(face: str, *, step_up: bool = True) -> Site:
    approval = Approval(Approvers(people=[MARCUS.id], step_up=step_up, called="Marcus"))
    return Site(face, more=(approval,), actions=ACTIONS)


def asked(site: Site) -> tuple[str, str]:
    """The ids of a challenge that others are asked to approve, and of the request."""
    site.who = REQUESTER
    name = site.call("POST", "/challenges", {"offer": site.offer("payout.create", {"amount": "9"})}).json["challenge"][
        "id"
    ]
    prompt = site.call("POST", f"/challenges/{name}/methods/approval", {})
    assert prompt.json["prompt"]["expiresAt"] == "2026-06-12T18:03:00Z"
    (own,) = site.call("GET", "/approvals").json["own"]
    return name, own["id"]


@both_faces
@pytest.mark.requirement("P-04")
def test_the_whole_way(face: str) -> None:
    """Asked, seen, blocked with an offer, approved with the token, and collected by the page that waited."""
    site = site_with(face)
    name, request = asked(site)
    waiting = site.call("GET", f"/challenges/{name}").json
    assert waiting["approval"] == {
        "id": request, "standing": "pending", "who": "Marcus", "quorum": 1, "given": 0,
        "expiresAt": "2026-06-12T18:03:00Z", "denial": None,
    }  # fmt: skip
    early = site.call("POST", f"/challenges/{name}/attempts", {"method": "approval", "response": None})
    assert (early.status, early.code) == (403, "approval_pending")

    site.who = BOSS
    (seen,) = site.call("GET", "/approvals").json["inbox"]
    assert seen["id"] == request
    assert seen["requester"] == {"id": OLIVIA.id, "onBehalfOf": None}
    assert seen["params"] == [{"label": "amount", "value": "9"}]
    assert seen["description"] == waiting["description"] == "Money leaves."
    assert seen["action"]["resourceId"] == ORG["id"]
    assert len(seen["digest"]) == 64
    blocked = site.call("POST", f"/approvals/{request}", SAY)
    assert (blocked.status, blocked.code) == (403, "verification_required")
    own = site.call("POST", "/challenges", {"offer": blocked.json["offer"]}).json["challenge"]
    assert {"label": "amount", "value": "9"} in own["params"]
    done = site.call("POST", f"/challenges/{own['id']}/attempts", {"method": "password", "response": "right"}).json
    site.token = done["grant"]["token"]
    approved = site.call("POST", f"/approvals/{request}", SAY)
    assert (approved.status, approved.json["approval"]["standing"]) == (200, "ready")
    assert approved.json["approval"]["mine"] == "approve"

    site.who, site.token = REQUESTER, None
    assert site.call("GET", f"/challenges/{name}").json["approval"]["standing"] == "ready"
    collected = site.call("POST", f"/challenges/{name}/attempts", {"method": "approval", "response": None}).json
    assert collected["status"] == "verified"
    assert site.call("GET", "/approvals").json["own"] == []


@both_faces
def test_a_refusal_is_told_with_its_reason(face: str) -> None:
    """The requester's page reads it; the attempt is ``approval_denied``."""
    site = site_with(face)
    name, request = asked(site)
    site.who = BOSS
    assert site.call("POST", f"/approvals/{request}", {"decision": "deny", "reason": "Wrong payee"}).status == 200
    site.who = REQUESTER

    found = site.call("GET", f"/challenges/{name}").json
    assert found["challenge"]["status"] == "denied"
    assert found["approval"]["denial"] == "Wrong payee"
    answer = site.call("POST", f"/challenges/{name}/attempts", {"method": "approval", "response": None})
    assert (answer.status, answer.code) == (403, "approval_denied")


@both_faces
@pytest.mark.requirement("P-04")
def test_whoever_may_not_learns_nothing(face: str) -> None:
    """The requester and a stranger get the same bytes as for an id that is none."""
    site = site_with(face, step_up=False)
    _, request = asked(site)
    unknown = request.replace("stepup_", "stepup_f")[:-1] + "0"
    for who in (REQUESTER, STRANGER):
        site.who = who
        assert site.call("GET", "/approvals").json["inbox"] == []
        for decision in ("approve", "deny"):
            answers = [site.call("POST", f"/approvals/{one}", {"decision": decision}) for one in (request, unknown)]
            assert answers[0].raw.body == answers[1].raw.body
            assert (answers[0].status, answers[0].code) == (404, "challenge_not_found")
    site.who = STRANGER
    assert site.call("DELETE", f"/approvals/{request}").status == 404


@both_faces
def test_it_can_be_withdrawn_once(face: str) -> None:
    """By its requester; then it is no more."""
    site = site_with(face)
    name, request = asked(site)
    assert site.call("DELETE", f"/approvals/{request}").status == 204
    assert site.call("DELETE", f"/approvals/{request}").status == 404
    assert site.call("GET", f"/challenges/{name}").json["challenge"]["status"] == "cancelled"
    site.who = BOSS
    assert site.call("GET", "/approvals").json["inbox"] == []


@both_faces
def test_the_inbox_is_continued(face: str) -> None:
    """``after`` of one page asks for the next; ``own`` comes with the first alone."""
    site = site_with(face)
    for number in range(3):
        site.who = context(Actor(f"usr_{number}"), f"sess_{number}")
        name = site.started("payout.create")
        site.call("POST", f"/challenges/{name}/methods/approval", {})
    site.who = BOSS
    first = site.call("GET", "/approvals", query="limit=2").json
    assert len(first["inbox"]) == 2
    rest = site.call("GET", "/approvals", query=f"after={first['after']}").json
    assert (len(rest["inbox"]), rest["own"], rest["after"]) == (1, [], None)
    assert site.call("GET", "/approvals", query="after=2:x").status == 400


@both_faces
def test_a_gate_without_approvals_has_an_empty_inbox(face: str) -> None:
    """And nothing to answer."""
    site = Site(face)
    assert site.call("GET", "/approvals").json["inbox"] == []
    assert site.call("POST", "/approvals/x", SAY).status == 404
    assert site.call("GET", f"/challenges/{site.started()}").json["approval"] is None

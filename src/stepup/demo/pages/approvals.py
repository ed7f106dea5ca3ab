"""A second person: what waits for one's answer, what one waits for oneself, and what others have refused.

Who may answer what is stepup's to say (``Approvers`` in ``actions``): the inbox holds nothing else, and nobody's own.
What was asked is shown as stepup has it bound; the draft beside it only brings its requester back to the payout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stepup import Denied
from stepup.demo.actions import LARGE
from stepup.demo.site import Site, fields
from stepup.demo.workspace import Draft
from stepup.event import Event, EventType
from stepup.grant import Grant

from .review import MANY, known


@dataclass(frozen=True)
class Refusal:
    """What somebody else has refused, and why."""

    at: datetime
    by: str
    reason: str
    draft: Draft | None


def routes(site: Site) -> list[Route]:
    """These pages."""
    gate = site.gate.approvals

    @site.signed_in
    async def approvals(request: Request) -> Response:
        """One page of the inbox at a time, and all that the person waits for."""
        context, after = await known(site, request), request.query_params.get("after")
        inbox = await run_in_threadpool(gate.inbox, context, after=after, limit=20)
        own = await run_in_threadpool(gate.own, context)
        refusals = await run_in_threadpool(_refusals, site, context.actor.id)
        collected = _collected(site, await run_in_threadpool(site.gate.grants, context))
        return site.page(
            request, "approvals.html", inbox=inbox, own=own, collected=collected, refusals=refusals, names=_names(site),
        )  # fmt: skip

    @site.signed_in
    async def approve(request: Request) -> Response:
        """Blocked until the approver has proved for this request that it is them; then theirs is given, once."""
        reason = (await fields(request)).get("reason", "")
        context, one = await known(site, request), request.path_params["approval"]
        try:
            await run_in_threadpool(gate.approve, one, context, reason=reason or None)
        except Denied:
            return site.answer(request, "not_waiting", "/approvals", 409)
        return site.answer(request, "approved", "/approvals")

    @site.signed_in
    async def deny(request: Request) -> Response:
        reason = (await fields(request)).get("reason", "")
        context, one = await known(site, request), request.path_params["approval"]
        try:
            await run_in_threadpool(gate.deny, one, context, reason=reason or None)
        except Denied:
            return site.answer(request, "not_waiting", "/approvals", 409)
        return site.answer(request, "denied", "/approvals")

    @site.signed_in
    async def withdraw(request: Request) -> Response:
        done = await run_in_threadpool(gate.withdraw, request.path_params["approval"], await known(site, request))
        return site.answer(request, "withdrawn" if done else "not_waiting", "/approvals", 200 if done else 409)

    return [
        Route("/approvals", approvals),
        Route("/approvals/{approval}/approve", approve, methods=["POST"]),
        Route("/approvals/{approval}/deny", deny, methods=["POST"]),
        Route("/approvals/{approval}/withdraw", withdraw, methods=["POST"]),
    ]


def _names(site: Site) -> Mapping[str, str]:
    """Everybody's name; somebody who is gone is shown by their id."""
    return {one.actor.id: one.name for one in site.people.everybody}


def _collected(site: Site, grants: Sequence[Grant]) -> Sequence[tuple[Draft, Grant]]:
    """What was approved and collected, and is not paid yet: whoever has no JavaScript presses the button again."""
    drafts = site.workspace.drafts
    found = [(drafts.get(one.binding.resource_id or ""), one) for one in grants if one.binding.action == LARGE]
    return [(draft, one) for draft, one in found if draft is not None]


def _refusals(site: Site, person: str) -> Sequence[Refusal]:
    """What was refused lately, from the person's own history."""
    actor = next(one.actor for one in site.people.everybody if one.actor.id == person)
    names, drafts = _names(site), site.workspace.drafts
    return [
        Refusal(one.at, names.get(one.actor, one.actor), _why(one), drafts.get(one.resource_id or ""))
        for one in site.gate.events(actor, limit=MANY).items
        if one.type is EventType.APPROVAL_DENIED
    ]


def _why(event: Event) -> str:
    return str(event.detail.get("reason") or "")

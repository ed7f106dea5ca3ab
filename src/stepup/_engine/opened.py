"""A challenge found for an answer: in the person's own partition, made concrete in today's context."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from stepup import event as audit
from stepup.bundle import Item
from stepup.ceremony import Ceremony
from stepup.challenge import Challenge, FactorRef
from stepup.changes import Changes, Snapshot, challenge_key, factor_key
from stepup.context import Context, Resource, clean_text, require_context
from stepup.decide import start
from stepup.decide.device import trusting
from stepup.decide.request import Request
from stepup.decide.standing import NOT_FOUND, Refusal, answer_keys, refs_now, roster_of
from stepup.errors import UnknownAction
from stepup.event import EventType
from stepup.factor import FactorSet
from stepup.policy import Risk

from .core import Core, ids

MAX_CHALLENGE_ID: Final = 64


@dataclass(frozen=True, slots=True)
class Opened:
    """A challenge that was found: the call it is for, made concrete in today's context, and its factors."""

    challenge: Challenge
    request: Request
    snapshot: Snapshot
    refs: tuple[FactorRef, ...]


async def open_challenge(
    core: Core, challenge_id: object, method: object, context: Context, now: datetime
) -> Opened | Refusal:
    """Find the challenge in the person's own partition; nobody else's can be found."""
    require_context(context)
    if not isinstance(challenge_id, str) or len(challenge_id) > MAX_CHALLENGE_ID or not challenge_id.isascii():
        return NOT_FOUND
    known = method if isinstance(method, str) and method in core.verifiers else ""
    where, session = core.partition(context.actor), _session(core, context)
    snapshot = await core.load(where, answer_keys(challenge_id, session, known))
    challenge = snapshot.get(challenge_key(challenge_id), Challenge)
    if challenge is None:
        return NOT_FOUND
    try:
        request = trusting(await _request_of(core, challenge, context), snapshot, now)
    except UnknownAction:
        return NOT_FOUND
    if not known:
        return Opened(challenge, request, snapshot, ())
    roster = roster_of(snapshot)
    enrolled = await core.enrolled(context.actor, known, roster)
    current = roster.of(known) if enrolled is None else roster.apply_quarantine(enrolled)
    return Opened(challenge, request, snapshot, refs_now(challenge, known, current, now))


async def _request_of(core: Core, challenge: Challenge, context: Context) -> Request:
    bound = challenge.binding
    if challenge.items:
        items = [Item(one.action, one.resource, start.params_of(one)) for one in challenge.items]
        return await core.bundle(items, context, [Risk(one.level) for one in challenge.items])
    resource = None
    if bound.resource_type is not None and bound.resource_id is not None:
        resource = Resource(bound.resource_type, bound.resource_id, challenge.resource_label)
    params = start.params_of(challenge)
    return await core.request(bound.action, context, resource, params, Risk(challenge.level))


def _session(core: Core, context: Context) -> str | None:
    return core.ring.hash_id("session", context.session.id) if context.session else None


def ceremony_of(core: Core, opened: Opened, context: Context, method: str, now: datetime) -> Ceremony:
    held = opened.snapshot.get(factor_key(method), FactorSet) or FactorSet()
    stored = {factor.id: factor for factor in held.factors if factor.pending is None}
    return Ceremony(context, opened.challenge, now, opened.refs, stored, core.vault)


async def record_refusal(
    core: Core, context: Context, challenge_id: object, method: object, refusal: Refusal, now: datetime, kind: EventType
) -> None:
    """Record an answer to a challenge that was not found."""
    made = audit.event(
        ids().event,
        now,
        kind,
        "refused",
        context,
        reason=refusal.reason,
        method=clean_text(method, limit=64),
        challenge_id=clean_text(challenge_id, limit=MAX_CHALLENGE_ID),
    )
    await core.record(core.partition(context.actor), Changes(now, events=(made,)))

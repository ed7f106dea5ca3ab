"""Spending a grant, or seeing whether it stands: the batches that redeem, and what it means that one was lost.

What redeeming costs, in store calls: single use one ``apply``; many uses one ``apply`` with checks at
levels 3 and 4, one ``load`` at 1 and 2; counted uses two.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from stepup.changes import (
    ACTOR_EPOCH,
    FENCE,
    RETENTION,
    Changes,
    Check,
    Key,
    Record,
    Snapshot,
    claim_key,
    grant_key,
    session_epoch,
)
from stepup.event import Event, EventType
from stepup.grant import REMEMBER_REQUESTS, Claim, Grant, Spend
from stepup.policy import Risk

from .request import Request


def grant_keys(grant: Grant) -> tuple[Key, ...]:
    """What to load to see whether *grant* still stands, without spending it."""
    bound = session_epoch(grant.binding.session)
    return (ACTOR_EPOCH, bound, FENCE, grant_key(grant.id), claim_key(grant.claim))


def standing(grant: Grant, snapshot: Snapshot) -> str | None:
    """Why *grant* stands no longer: ``revoked``, ``fence`` or ``spent``; None if it does."""
    if snapshot.version(FENCE) != grant.fence:
        return "fence"
    if not epochs_hold(grant, snapshot):
        return "revoked"
    spend = snapshot.get(grant_key(grant.id), Spend)
    if spend is None or spend.revoked:
        return "revoked"
    if spend.remaining == 0 or snapshot.version(claim_key(grant.claim)):
        return "spent"
    return None


def left(grant: Grant, snapshot: Snapshot) -> int | None:
    """How often *grant* can still be spent; None where that is not counted; 0 where it stands no longer."""
    parts = [replace(grant, items=(part,), uses=1) for part in grant.items]
    if parts:
        return sum(standing(part, snapshot) is None for part in parts)
    if standing(grant, snapshot) is not None:
        return 0
    spend = snapshot.get(grant_key(grant.id), Spend)
    return spend.remaining if spend else 0


def left_keys(grant: Grant) -> tuple[Key, ...]:
    """What to load for ``left``."""
    claims = [claim_key(replace(grant, items=(part,)).claim) for part in grant.items]
    return (*grant_keys(grant), *claims)


def writes_on_redeem(request: Request, grant: Grant) -> bool:
    """Whether redeeming is a batch: where uses are limited, at levels 3 and 4, and away from its session."""
    away = grant.binding.session != request.binding.session
    return grant.uses is not None or request.rules.level >= Risk.HIGH or away


def redeem(request: Request, grant: Grant, now: datetime, event_id: str, request_hash: str | None) -> Changes:
    """The batch that redeems a grant of one use (by a claim) or of many (by checks alone)."""
    puts: tuple[Record, ...] = ()
    checks = _checks(grant)
    if grant.uses == 1:
        claim = Claim(now, request_hash)
        puts = (Record(claim_key(grant.claim), claim, 0, grant.expires_at + RETENTION),)
    if grant.uses != 1 or grant.items:  # a bundle's revocation claims none of its items
        checks = (*checks, Check(grant_key(grant.id), 1))
    return Changes(now, puts, checks, (_redeemed(request, grant, now, event_id),))


def redeem_counted(
    request: Request, grant: Grant, snapshot: Snapshot, now: datetime, event_id: str, request_hash: str | None
) -> tuple[Changes | None, str | None, int | None]:
    """The batch that takes one of several uses: ``(changes, refusal, remaining)``.

    Without changes and refusal, this very request has taken its use before.
    """
    key = grant_key(grant.id)
    spend = snapshot.get(key, Spend)
    if spend is None or spend.revoked:
        return None, "revoked", None
    if request_hash is not None and request_hash in spend.requests:
        refusal = standing(grant, snapshot)
        return None, None if refusal == "spent" else refusal, spend.remaining
    if (refusal := standing(grant, snapshot)) is not None or not spend.remaining:
        return None, refusal or "spent", None
    left = spend.remaining - 1
    requests = (*spend.requests, request_hash)[-REMEMBER_REQUESTS:] if request_hash else spend.requests
    put = snapshot.put(key, Spend(left, requests=requests), expires_at=grant.expires_at + RETENTION)
    return Changes(now, (put,), _checks(grant), (_redeemed(request, grant, now, event_id),)), None, left


def lost_because(grant: Grant, key: Key) -> str:
    """What it means that a redeeming batch lost on *key*."""
    if key == claim_key(grant.claim):
        return "spent"
    return "fence" if key == FENCE else "revoked"


def same_request(claim: Claim | None, request_hash: str | None) -> bool:
    """Whether a claim was made by this very request."""
    return claim is not None and request_hash is not None and claim.request == request_hash


def _checks(grant: Grant) -> tuple[Check, ...]:
    actor, session = grant.epochs
    return (Check(ACTOR_EPOCH, actor), Check(session_epoch(grant.binding.session), session), Check(FENCE, grant.fence))


def epochs_hold(grant: Grant, snapshot: Snapshot) -> bool:
    """Whether the epochs hold as far as loaded; the redeeming batch checks the rest."""
    if grant.epochs[0] != snapshot.version(ACTOR_EPOCH):
        return False
    key = session_epoch(grant.binding.session)
    return key not in snapshot.records or snapshot.version(key) == grant.epochs[1]


def _redeemed(request: Request, grant: Grant, now: datetime, event_id: str) -> Event:
    return request.event(event_id, now, EventType.AUTHORIZATION, "ok", reason="grant_redeemed", grant_id=grant.id)


def redeem_all(
    pairs: Iterable[tuple[Request, Grant]], now: datetime, event_ids: Iterable[str], request_hash: str | None
) -> Changes:
    """The one batch that takes every call of a bundle: all of them, or none."""
    each = [redeem(one, grant, now, made, request_hash) for (one, grant), made in zip(pairs, event_ids, strict=True)]
    return Changes(
        now,
        tuple(put for one in each for put in one.puts),
        tuple(dict.fromkeys(check for one in each for check in one.checks)),
        tuple(event for one in each for event in one.events),
    )

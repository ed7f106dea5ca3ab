"""Ending authority: one grant, a session, everything; cancelling, rotating, unlocking, forgetting.

Revoking bumps an epoch or writes the claim that a redeem would write, so it decides against redeems in
flight by the same conditional write: whichever commits first wins, and a revoke that has returned holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from stepup.challenge import Challenge, Input, advance
from stepup.changes import (
    ACTOR_EPOCH,
    FENCE,
    RETENTION,
    THROTTLE,
    Changes,
    Epoch,
    Key,
    Record,
    Snapshot,
    claim_key,
    grant_key,
    session_epoch,
    shelf_key,
)
from stepup.context import Context
from stepup.event import Event, EventType, event
from stepup.grant import Claim, Shelf, Spend, moved
from stepup.throttle import Throttle, closing
from stepup.tries import unlocked

from .request import Ids


def cancel(challenge: Challenge, context: Context, snapshot: Snapshot, now: datetime, ids: Ids) -> Changes:
    """Close a challenge, found open, at the person's wish."""
    ended = advance(challenge, Input.CANCEL)
    assert ended is not None  # check_open found it open
    throttle = snapshot.get(THROTTLE, Throttle) or Throttle()
    puts = (
        snapshot.put_challenge(ended),
        snapshot.put(THROTTLE, closing(throttle, ended.id)),
    )
    made = event(
        ids.event, now, EventType.CHALLENGE_CANCELLED, "ok", context, binding=ended.binding, challenge_id=ended.id
    )
    return Changes(now, puts, events=(made,))


def grant_revocation_keys(grant_id: str, session: str | None) -> tuple[Key, ...]:
    """What to load to revoke one grant."""
    return (grant_key(grant_id), claim_key(f"grant:{grant_id}"), shelf_key(session), shelf_key(None))


def revoke_grant(
    grant_id: str, context: Context, session: str | None, snapshot: Snapshot, now: datetime, ids: Ids
) -> Changes | None:
    """End one grant, in all its forms; None where there is nothing left to end."""
    key, claimed = grant_key(grant_id), claim_key(f"grant:{grant_id}")
    spend = snapshot.get(key, Spend)
    if spend is None or spend.revoked:
        return None
    record = snapshot.records[key]
    assert record is not None  # it holds the Spend read above
    puts = [snapshot.put(key, replace(spend, revoked=True), expires_at=record.expires_at)]
    if not snapshot.version(claimed):  # one that was spent already ends what its proof still opens
        puts.append(Record(claimed, Claim(now), 0, record.expires_at))
    for shelf in dict.fromkeys((shelf_key(session), shelf_key(None))):
        found = snapshot.get(shelf, Shelf)
        if found and any(one.id == grant_id for one in found.grants):
            kept = tuple(one for one in found.grants if one.id != grant_id)
            until = max([now, *(one.expires_at for one in kept)]) + RETENTION
            puts.append(snapshot.put(shelf, replace(found, grants=kept), expires_at=until))
    made = event(ids.event, now, EventType.GRANT_REVOKED, "ok", context, grant_id=grant_id)
    return Changes(now, tuple(puts), events=(made,))


def revoke_session(
    context: Context, session: str | None, snapshot: Snapshot, now: datetime, ids: Ids, reason: str | None = None
) -> Changes:
    """End every grant, token and challenge of one session."""
    detail = {"session": session}
    made = event(ids.event, now, EventType.SESSION_REVOKED, "ok", context, reason=reason, detail=detail)
    return Changes(now, (snapshot.put(session_epoch(session), Epoch()),), events=(made,))


def revoke_everything(context: Context, snapshot: Snapshot, now: datetime, ids: Ids) -> Changes:
    """End every grant, token and challenge of the person, in every session."""
    made = event(ids.event, now, EventType.EVERYTHING_REVOKED, "ok", context)
    return Changes(now, (snapshot.put(ACTOR_EPOCH, Epoch()),), events=(made,))


def rotation_keys(old: str, new: str) -> tuple[Key, ...]:
    """What to load to move a session's grants."""
    return (ACTOR_EPOCH, session_epoch(old), session_epoch(new), shelf_key(old), shelf_key(new), FENCE)


def rotate(context: Context, old: str, new: str, snapshot: Snapshot, now: datetime, ids: Ids) -> Changes:
    """Move session grants to the session's new id; outstanding tokens and challenges die with the old one."""
    actor = snapshot.version(ACTOR_EPOCH)
    version = snapshot.version(session_epoch(new))
    epochs = (actor or 1, version or 1)
    puts = [snapshot.put(session_epoch(old), Epoch())]
    if not actor:
        puts.append(snapshot.put(ACTOR_EPOCH, Epoch()))
    if not version:
        puts.append(snapshot.put(session_epoch(new), Epoch()))
    before = snapshot.get(shelf_key(old), Shelf)
    held = (actor, snapshot.version(session_epoch(old)))
    if before is not None and (before.epochs, before.fence) == (held, snapshot.version(FENCE)):
        until = max([now, *(grant.expires_at for grant in before.grants)]) + RETENTION
        puts.append(snapshot.put(shelf_key(new), moved(before, new, epochs), expires_at=until))
        puts.append(snapshot.put(shelf_key(old), Shelf(before.epochs, before.fence), expires_at=until))
    checks = [snapshot.check(key) for key in (ACTOR_EPOCH, session_epoch(new), FENCE) if snapshot.version(key)]
    made = event(ids.event, now, EventType.SESSION_ROTATED, "ok", context, detail={"session": old, "moved_to": new})
    return Changes(now, tuple(puts), tuple(checks), (made,))


def unlock(
    context: Context, support: Context, factors: Iterable[str] | None, snapshot: Snapshot, now: datetime, ids: Ids
) -> Changes:
    """Set a person's failure counters to zero; the event says who did it."""
    throttle = snapshot.get(THROTTLE, Throttle) or Throttle()
    made = event(ids.event, now, EventType.UNLOCKED, "ok", context, detail={"by": support.actor.id})
    return Changes(now, (snapshot.put(THROTTLE, unlocked(throttle, factors)),), events=(made,))


def forget(snapshot: Snapshot, now: datetime, ids: Ids) -> Changes:
    """Erase everything kept about a person.

    The actor's epoch is bumped and stays (it holds nothing about anybody), so that no token issued before
    comes back to life. The event that remains names nobody.
    """
    made = Event(ids.event, now, EventType.FORGOTTEN, "ok", actor="")
    return Changes(now, (snapshot.put(ACTOR_EPOCH, Epoch()),), events=(made,), erase=True)

"""Adding, changing and removing factors.

The rules: a person whom no method at all can challenge may add the first factor from a fresh session;
everything else needs a step-up with the strongest factor held, which the engine has required before it
comes here. A factor added under a weaker proof than itself is quarantined. Every change bumps the actor's
epoch: whatever was opened before it ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from stepup.binding import Binding
from stepup.challenge import Challenge, FactorRef
from stepup.changes import (
    ACTOR_EPOCH,
    KNOWN,
    ROSTER,
    THROTTLE,
    Changes,
    Epoch,
    Record,
    Snapshot,
    factor_key,
    session_epoch,
)
from stepup.context import RECOVERY_CODE, Context, Resource
from stepup.event import EventType, event
from stepup.factor import (
    MAX_FACTORS,
    PENDING_TTL,
    Factor,
    FactorSet,
    Pending,
    Roster,
    StoredFactor,
    quarantine_until,
)
from stepup.history import KEPT, Known
from stepup.policy import Action, Policy, Risk
from stepup.requirement import STRONGEST, Strength
from stepup.surface import Impersonation
from stepup.throttle import Throttle
from stepup.tries import unlocked

from .device import MANAGE_ACTION
from .holding import MethodInfo, strength_of
from .own_words import adding, removing
from .request import Ids
from .session import session_age

ADD: Final = "stepup.factor.add"
REMOVE: Final = "stepup.factor.remove"
UNLOCK: Final = "stepup.support.unlock"
FIRST_FACTOR_WINDOW: Final = 300
CONFIRM_TRIES: Final = 5

_REFUSE: Final = Impersonation.REFUSE
_STRONGEST = Policy(methods=STRONGEST, grant_ttl=300)
_CHANGE = Policy(methods=STRONGEST, grant_ttl=300, remember=False)  # the change ends every remembered device

OWN_ACTIONS: Final = (
    MANAGE_ACTION,
    Action(ADD, "Add a verification method", risk=Risk.HIGH, policy=_CHANGE, impersonation=_REFUSE, describe=adding),
    Action(
        REMOVE,
        "Remove a verification method",
        risk=Risk.HIGH,
        policy=_CHANGE,
        impersonation=_REFUSE,
        describe=removing,
    ),
    Action(
        UNLOCK,
        "Unlock somebody's verification methods",
        risk=Risk.HIGH,
        policy=_STRONGEST,
        impersonation=_REFUSE,
    ),
)
"""Stepup's own protected actions. An application may register its own under the same ids."""


def factors_of(context: Context) -> Resource:
    """The resource that adding a factor is done to."""
    return Resource("factors", context.actor.id)


def may_add_first(context: Context, every: Iterable[Factor], now: datetime) -> bool | None:
    """Whether a first factor may be added from this session; None where it would not be the first."""
    if any(True for _ in every):
        return None
    age = session_age(context, now)
    return age is not None and age < FIRST_FACTOR_WINDOW


def session_strength(context: Context, methods: Mapping[str, MethodInfo], now: datetime) -> int:
    """The strongest proof that the fresh session was opened with."""
    proofs = context.session.proofs if context.session else ()
    fresh = [p for p in proofs if 0 <= (now - p.at).total_seconds() < FIRST_FACTOR_WINDOW and p.method in methods]
    return max((methods[proof.method].strength for proof in fresh), default=0)


@dataclass(frozen=True, slots=True)
class Enrolling:
    """One enrolment: who, from which session, under how strong a proof, whether as the first of all,
    and the epochs of actor and session when it was permitted: what has ended either since then ends it.
    """

    context: Context
    session: str | None
    proved: int
    label: str = ""
    first: bool = False
    epochs: tuple[int, int] | None = None


def start_enrolment(one: Enrolling, made: StoredFactor, snapshot: Snapshot, now: datetime, ids: Ids) -> Changes | None:
    """Keep a factor that waits for its first answer, in place of any that waited before; None if there are too many,
    or if what was to be the first would not be it any more.
    """
    roster = snapshot.get(ROSTER, Roster) or Roster()
    if len(roster.factors) >= MAX_FACTORS or (one.first and roster.factors) or revoked(one, snapshot):
        return None
    key = factor_key(made.method)
    before = snapshot.get(key, FactorSet) or FactorSet()
    kept = FactorSet(tuple(factor for factor in before.factors if factor.pending is None))
    ends_with, version = session_epoch(one.session), snapshot.version(session_epoch(one.session))
    until = now + PENDING_TTL
    pending = Pending(one.session, snapshot.version(ACTOR_EPOCH), version or 1, until, one.proved, one.label)
    put = snapshot.put(key, kept.replacing(replace(made, pending=pending)))
    made_event = event(
        ids.event,
        now,
        EventType.FACTOR_ENROLMENT_STARTED,
        "ok",
        one.context,
        method=made.method,
        detail={"factor": made.id},
    )
    puts = (put,) if version else (put, Record(ends_with, Epoch()))
    checks = [snapshot.check(ROSTER), snapshot.check(ACTOR_EPOCH), *([snapshot.check(ends_with)] if version else [])]
    return Changes(now, puts, tuple(checks), (made_event,))


def revoked(one: Enrolling, snapshot: Snapshot) -> bool:
    """Whether everything, or the session, was revoked since the enrolment was permitted."""
    return one.epochs is not None and epochs_of(one.session, snapshot) != one.epochs


def epochs_of(session: str | None, snapshot: Snapshot) -> tuple[int, int]:
    """The epochs of the actor and of *session*; one that is not there yet counts as the one it will be."""
    return snapshot.version(ACTOR_EPOCH), snapshot.version(session_epoch(session)) or 1


def pending_factor(
    factor_id: str, method: str, session: str | None, snapshot: Snapshot, now: datetime, *, counted: bool = False
) -> StoredFactor | None:
    """The factor that waits for this session's answer; None where there is none any more.

    *counted*: the answer now being judged is among its tries already.
    """
    found = (snapshot.get(factor_key(method), FactorSet) or FactorSet()).get(factor_id)
    if found is None or found.pending is None or now >= found.pending.expires_at:
        return None
    epochs = (snapshot.version(ACTOR_EPOCH), snapshot.version(session_epoch(session)))
    if found.pending.session != session or (found.pending.epoch, found.pending.session_epoch) != epochs:
        return None
    return found if found.pending.tries < CONFIRM_TRIES + counted else None


def count_confirmation(factor: StoredFactor, snapshot: Snapshot, now: datetime) -> Changes:
    """Count one answer to an enrolment before it is looked at."""
    assert factor.pending is not None  # pending_factor() found it so
    counted = replace(factor, pending=replace(factor.pending, tries=factor.pending.tries + 1))
    before = snapshot.get(factor_key(factor.method), FactorSet) or FactorSet()
    return Changes(now, (snapshot.put(factor_key(factor.method), before.replacing(counted)),))


def enrol(
    one: Enrolling,
    made: StoredFactor,
    listed: Factor,
    methods: Mapping[str, MethodInfo],
    snapshot: Snapshot,
    now: datetime,
    ids: Ids,
    public: Mapping[str, str] | None = None,
) -> tuple[Changes, Factor]:
    """Make a factor count: at once, or after quarantine where it was added under a weaker proof than itself.

    *public* is what the event keeps of it besides.
    """
    strength = strength_of(listed, methods)
    until = quarantine_until(strength, one.proved, now)
    if listed.quarantined_until is not None and (until is None or until < listed.quarantined_until):
        until = listed.quarantined_until
    listed = replace(listed, strength=strength, enrolled_at=now, label=one.label, quarantined_until=until)
    roster = (snapshot.get(ROSTER, Roster) or Roster()).adding(listed)
    before = FactorSet() if made.method == RECOVERY_CODE else snapshot.get(factor_key(made.method), FactorSet)
    throttle = snapshot.get(THROTTLE, Throttle) or Throttle()
    puts = (
        snapshot.put(factor_key(made.method), (before or FactorSet()).replacing(replace(made, pending=None))),
        snapshot.put(ROSTER, roster),
        snapshot.put(ACTOR_EPOCH, Epoch()),
        snapshot.put(THROTTLE, _relieved(throttle, listed.id, trusted=until is None)),
        *_changed(snapshot, now),
    )
    made_event = event(
        ids.event,
        now,
        EventType.FACTOR_ENROLLED,
        "ok",
        one.context,
        method=made.method,
        detail={**(public or {}), "factor": made.id, "quarantined_until": until.isoformat() if until else None},
    )
    return Changes(now, puts, (snapshot.check(session_epoch(one.session)),), (made_event,)), listed


def _relieved(throttle: Throttle, factor_id: str, *, trusted: bool) -> Throttle:
    """Counters after enrolling anew; the guess budget starts over only where a strong enough proof was given."""
    relieved = unlocked(throttle, [factor_id])
    return replace(relieved, guesses=()) if trusted else relieved


def stands_for(every: Iterable[Factor], methods: Mapping[str, MethodInfo]) -> Factor | None:
    """The factor that recovery codes issued now would stand for: the strongest possession factor, if any."""
    candidates = [
        factor for factor in every if factor.method != RECOVERY_CODE and strength_of(factor, methods) >= Strength.TOTP
    ]
    return max(candidates, key=lambda factor: strength_of(factor, methods), default=None)


def remove(
    context: Context,
    session: str | None,
    factor: Factor,
    others: Iterable[str],
    snapshot: Snapshot,
    now: datetime,
    ids: Ids,
) -> Changes:
    """Remove a factor, its secret, and recovery codes that stood for nothing else."""
    before = snapshot.get(ROSTER, Roster) or Roster()
    after = before.without(factor.id, others)
    gone = [one for one in before.factors if after.get(one.id) is None]
    puts = [snapshot.put(ROSTER, after), snapshot.put(ACTOR_EPOCH, Epoch()), *_changed(snapshot, now)]
    for method in dict.fromkeys(one.method for one in gone):
        kept = snapshot.get(factor_key(method), FactorSet) or FactorSet()
        for one in gone:
            kept = kept.without(one.id)
        puts.append(snapshot.put(factor_key(method), kept))
    made = event(
        ids.event,
        now,
        EventType.FACTOR_REMOVED,
        "ok",
        context,
        method=factor.method,
        detail={"factor": factor.id, "also_removed": len(gone) - 1},
    )
    return Changes(now, tuple(puts), (snapshot.check(session_epoch(session)),), (made,))


def _changed(snapshot: Snapshot, now: datetime) -> tuple[Record, ...]:
    """That a factor has changed, for a gate that keeps a history: it has loaded the record then."""
    if KNOWN not in snapshot.records:
        return ()
    known = snapshot.get(KNOWN, Known) or Known()
    return (snapshot.put(KNOWN, replace(known, factors_changed_at=now), expires_at=now + KEPT),)


def rename(context: Context, factor: Factor, label: str, snapshot: Snapshot, now: datetime, ids: Ids) -> Changes:
    """Give a stored factor another label. What it proves is the same, so nothing that was opened ends."""
    roster = (snapshot.get(ROSTER, Roster) or Roster()).labelling(factor.id, label)
    made = event(
        ids.event,
        now,
        EventType.FACTOR_CHANGED,
        "ok",
        context,
        method=factor.method,
        detail={"factor": factor.id, "renamed": True},
    )
    return Changes(now, (snapshot.put(ROSTER, roster),), events=(made,))


def acknowledge(
    context: Context, factor: Factor, strength: int, proved: int, snapshot: Snapshot, now: datetime, ids: Ids
) -> Changes:
    """Remember what an application-owned factor became under a step-up; a weaker proof leaves it in quarantine."""
    roster = (snapshot.get(ROSTER, Roster) or Roster()).trusting(
        factor.id, factor.fingerprint, now, quarantine_until(strength, proved, now)
    )
    made = event(
        ids.event, now, EventType.FACTOR_CHANGED, "ok", context, method=factor.method, detail={"factor": factor.id}
    )
    puts = (snapshot.put(ROSTER, roster), snapshot.put(ACTOR_EPOCH, Epoch()), *_changed(snapshot, now))
    return Changes(now, puts, events=(made,))


def advance_step(ids: Iterable[str], method: str, step: int, snapshot: Snapshot, now: datetime) -> Changes | None:
    """Move the last accepted step of factors forward to one that a login has used; None where it is no news."""
    before = after = snapshot.get(factor_key(method), FactorSet) or FactorSet()
    for factor_id in ids:
        found = before.get(factor_id) or StoredFactor(factor_id, method, {"last_step": -1})
        last = found.data.get("last_step", -1)
        if isinstance(last, int) and step > last:
            after = after.replacing(replace(found, data={**found.data, "last_step": step}))
    return None if after is before else Changes(now, (snapshot.put(factor_key(method), after),))


def confirmation(one: Enrolling, factor: StoredFactor, strength: int, now: datetime) -> Challenge:
    """The challenge that a verifier is shown when an enrolment is confirmed; it is never stored."""
    return Challenge(
        id=f"enrol:{factor.id}",
        binding=Binding(one.context.actor.id, ADD, session=one.session),
        level=int(Risk.HIGH),
        rules="",
        allowed=(factor.method,),
        factors=(FactorRef(factor.id, factor.method, strength),),
        strongest=None,
        epochs=(0, 0),
        fence=0,
        created_at=now,
        expires_at=now + timedelta(minutes=1),
        max_attempts=1,
    )

"""Opening a challenge: for one call, in the one slot of its binding, with the factors held at that moment."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from stepup.bundle import Listed
from stepup.canonical import canonical_json
from stepup.challenge import Challenge
from stepup.changes import (
    ACCOUNT,
    ACTOR_EPOCH,
    FENCE,
    RETENTION,
    ROSTER,
    THROTTLE,
    Changes,
    Check,
    Epoch,
    Key,
    Record,
    Snapshot,
    challenge_key,
    session_epoch,
)
from stepup.context import clean_text
from stepup.decision import Decision
from stepup.errors import Code
from stepup.event import EventType
from stepup.factor import Factor, Roster
from stepup.limits import Limits
from stepup.throttle import Blocked, OpenChallenge, Throttle, opening

from .device import device_keys, trust_checks
from .holding import Held, ways
from .request import Ids, Request
from .shown import listed_of, shown_of


def start_keys(request: Request) -> tuple[Key, ...]:
    """What to load to open a challenge, and to judge what the person holds."""
    session = session_epoch(request.binding.session)
    return (THROTTLE, ROSTER, ACTOR_EPOCH, session, FENCE, ACCOUNT, *device_keys(request))


@dataclass(frozen=True, slots=True)
class Opening:
    """Everything a new challenge is made from besides the call itself."""

    held: Held
    own: tuple[Factor, ...]
    methods: tuple[str, ...]
    reason: str | None
    limits: Limits


def open_challenge(
    request: Request, opening_: Opening, snapshot: Snapshot, now: datetime, ids: Ids
) -> tuple[Changes, Challenge | Decision]:
    """Open the challenge, or say why not. The one that stood in the slot of its binding is superseded.

    Epochs are created here if this is the first time, so that they exist before anything is minted.
    """
    held = opening_.held
    methods = ways(request, held, (), now)
    throttle = snapshot.get(THROTTLE, Throttle) or Throttle()
    expires = now + timedelta(seconds=request.rules.policy.challenge_ttl)
    made = opening(throttle, OpenChallenge(request.binding.slot, ids.challenge, expires), opening_.limits, now)
    if isinstance(made, Blocked):
        denied = request.denied(Code.RATE_LIMITED, f"{made.why}_challenges", retry_at=made.retry_at)
        return refuse_start(request, now, ids, denied)
    epochs, epoch_puts, epoch_checks = ensure_epochs(request.binding.session, snapshot)
    challenge = Challenge(
        id=ids.challenge,
        binding=request.binding,
        level=int(request.rules.level),
        rules=request.rules.hash,
        allowed=methods,
        factors=tuple(factor for factor in held.factors if factor.method in methods),
        strongest=held.strongest,
        epochs=epochs,
        fence=snapshot.version(FENCE),
        created_at=now,
        expires_at=expires,
        max_attempts=request.rules.policy.attempts,
        params=None if request.params is None else canonical_json(request.params).decode(),
        shown=shown_of(request),
        label=request.action.label,
        resource_label=request.resource.label if request.resource else None,
        reason=clean_text(opening_.reason, limit=500) if opening_.reason else None,
        ip=request.context.ip,
        device_label=request.context.device.label if request.context.device else None,
        risk_score=request.risk.score,
        risk_level=request.risk.level.value,
        risk_reasons=request.risk.reasons,
        risk_methods=None if request.risk.methods is None else tuple(sorted(request.risk.methods)),
        items=listed_of(request),
        uses=request.counted,
    )
    observed = observe(snapshot, opening_.own, opening_.methods, now)
    puts = [
        Record(challenge_key(challenge.id), challenge, 0, expires + RETENTION),
        snapshot.put(THROTTLE, made),
        *epoch_puts,
    ]
    checks = [*epoch_checks, snapshot.check(FENCE), *trust_checks(request, snapshot)]
    if observed is None:
        checks.append(snapshot.check(ROSTER))
    else:
        puts.append(observed)
    event = request.event(
        ids.event,
        now,
        EventType.CHALLENGE_STARTED,
        "ok",
        challenge_id=challenge.id,
        detail={"methods": ",".join(methods), "reason": challenge.reason},
    )
    return Changes(now, tuple(puts), tuple(checks), (event,)), challenge


def refuse_start(
    request: Request, now: datetime, ids: Ids, decision: Decision, observed: Record | None = None
) -> tuple[Changes, Decision]:
    """Record that no challenge was opened, and why; and what was seen of the person's factors meanwhile."""
    reason = ",".join(reason.code for reason in decision.reasons) or decision.code.value
    event = request.event(ids.event, now, EventType.CHALLENGE_REFUSED, "refused", reason=reason)
    return Changes(now, (observed,) if observed else (), events=(event,)), decision


def observe(snapshot: Snapshot, own: Iterable[Factor], methods: Iterable[str], now: datetime) -> Record | None:
    """The roster with what was seen of application-owned factors, so that their quarantine starts once."""
    roster = snapshot.get(ROSTER, Roster) or Roster()
    seen = roster.observing(own, methods, now)
    return None if seen is roster else snapshot.put(ROSTER, seen)


def ensure_epochs(
    session: str | None, snapshot: Snapshot
) -> tuple[tuple[int, int], tuple[Record, ...], tuple[Check, ...]]:
    """The epochs of the actor and the session: their versions, puts for those that are new, checks for the rest."""
    versions: list[int] = []
    puts: list[Record] = []
    checks: list[Check] = []
    for key in (ACTOR_EPOCH, session_epoch(session)):
        version = snapshot.version(key)
        versions.append(version or 1)
        if version:
            checks.append(Check(key, version))
        else:
            puts.append(Record(key, Epoch()))
    return (versions[0], versions[1]), tuple(puts), tuple(checks)


def params_of(one: Challenge | Listed) -> dict[str, object] | None:
    """The params that a challenge, or an item of one, was opened with."""
    return None if one.params is None else json.loads(one.params)

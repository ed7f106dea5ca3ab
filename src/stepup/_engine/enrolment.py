"""What every enrolment has in common: who may begin one, what waits for its first answer, and how that is judged.

``permitted`` requires the step-up, ``wait`` keeps the new factor for ten minutes, ``confirm`` counts an answer, lets
the method judge it and makes the factor count. ``factors.py`` and ``passkeys.py`` say what is enrolled.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from stepup import event as audit
from stepup.binding import session_hash
from stepup.ceremony import Checked
from stepup.changes import ACCOUNT, ACTOR_EPOCH, ROSTER, THROTTLE, Changes, Snapshot, factor_key, session_epoch
from stepup.context import Context, clean_text, require_context
from stepup.decide import enrol as pure
from stepup.decide.acceptance import signals_of
from stepup.decide.answering import Rejected
from stepup.decide.request import refused_outright
from stepup.decide.signal import is_disabled
from stepup.decide.standing import roster_of
from stepup.decision import Decision, Detail, Outcome, Reason
from stepup.errors import IMPERSONATING, Code, Denied, InvalidInput
from stepup.event import EventType
from stepup.factor import PENDING_TTL, Factor, FactorSet, StoredFactor
from stepup.told import Notice, NoticeKind

from .authorize import require
from .core import Core, ids
from .telling import tell

MAX_LABEL: Final = 64


async def every(core: Core, context: Context) -> tuple[Factor, ...]:
    """Everything the person has enrolled; see ``Factors.list``."""
    require_context(context)
    snapshot = await core.load(core.partition(context.actor), (ROSTER,))
    return (await core.factors(context.actor, roster_of(snapshot), core.now())).every


async def permitted(core: Core, context: Context, method: str, label: str, token: object) -> pure.Enrolling:
    """Require the step-up that adding a factor needs, or the fresh session that the very first one needs."""
    now, session = core.now(), session_hash(core.ring, require_context(context))
    own_account(context, pure.ADD)
    denied = refused_outright(await core.request(pure.ADD, context, pure.factors_of(context), {"method": method}))
    if denied is not None:
        raise Denied(denied)
    epochs = await standing_epochs(core, context)
    first = pure.may_add_first(context, await every(core, context), now)
    if first is True:
        return pure.Enrolling(
            context, session, pure.session_strength(context, core.methods, now), label, first=True, epochs=epochs
        )
    if first is False:
        raise Denied(refusal(pure.ADD, Code.LOGIN_REQUIRED, "first_factor_needs_fresh_session", login=core.login_url))
    granted = await require(core, pure.ADD, context, pure.factors_of(context), {"method": method}, token, None)
    return pure.Enrolling(context, session, granted.strength, label, epochs=epochs)


def own_account(context: Context, action: str) -> None:
    """Refuse whoever acts on behalf of somebody: factors, and what is locked, are everybody's own.

    Raises:
        Denied: with ``action_blocked``.
    """
    if context.actor.on_behalf_of is not None:
        reason = Reason(IMPERSONATING, public=True)
        raise Denied(Decision(Outcome.DENIED, Code.ACTION_BLOCKED, action, 3, (reason,)))


async def standing_epochs(core: Core, context: Context) -> tuple[int, int]:
    """The epochs of actor and session before anything is required: what is permitted under them ends with them.

    Raises:
        Denied: for somebody whom the application has disabled.
    """
    session = session_hash(core.ring, context)
    snapshot = await core.load(core.partition(context.actor), (ACTOR_EPOCH, session_epoch(session), ACCOUNT))
    if is_disabled(snapshot):
        raise Denied(refusal(pure.ADD, Code.ACTION_BLOCKED, "disabled"))
    return pure.epochs_of(session, snapshot)


async def wait(core: Core, enrolling: pure.Enrolling, made: StoredFactor) -> datetime:
    """Keep a factor that waits for its first answer, and until when it waits."""
    now, where = core.now(), core.partition(enrolling.context.actor)
    keys = (ROSTER, ACTOR_EPOCH, session_epoch(enrolling.session), factor_key(made.method))

    def decide(snapshot: Snapshot) -> tuple[Changes | None, bool]:
        changes = pure.start_enrolment(enrolling, made, snapshot, now, ids())
        return changes, changes is not None

    if not await core.commit(where, keys, decide):
        raise Denied(refusal(pure.ADD, Code.RATE_LIMITED, "too_many_factors"))
    return now + PENDING_TTL


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A factor that was answered for: its record, the best it can reach, and what the audit keeps of it."""

    factor: StoredFactor
    strength: int | None = None
    public: Mapping[str, str] = field(default_factory=dict[str, str])


Judge = Callable[[StoredFactor, FactorSet, datetime], Awaitable[Confirmed | Checked]]
"""Looks at an answer: the factor it makes, or any finding at all, of which the audit is told the signals."""


async def confirm(core: Core, context: Context, method: str, factor_id: str, judge: Judge) -> Factor | Rejected:
    """Count the answer, let *judge* look at it, and make the factor count if it was right."""
    own_account(require_context(context), pure.ADD)
    where, session, now = core.partition(require_context(context).actor), session_hash(core.ring, context), core.now()
    keys = (ROSTER, ACTOR_EPOCH, session_epoch(session), THROTTLE, factor_key(method), *core.remembered)

    def count(snapshot: Snapshot) -> tuple[Changes | None, tuple[StoredFactor, FactorSet] | None]:
        found = pure.pending_factor(factor_id, method, session, snapshot, now)
        held = snapshot.get(factor_key(method), FactorSet) or FactorSet()
        return (None, None) if found is None else (pure.count_confirmation(found, snapshot, now), (found, held))

    waiting = await core.commit(where, keys, count)
    if waiting is None or waiting[0].pending is None:
        await _attempt(core, context, method, now, "enrolment_not_found")
        return Rejected(Code.CHALLENGE_NOT_FOUND)
    pending = waiting[0].pending
    made = await judge(*waiting, now)
    if not isinstance(made, Confirmed):
        await _attempt(core, context, method, now, "wrong", signals_of(made))
        return Rejected(Code.VERIFICATION_FAILED, pure.CONFIRM_TRIES - pending.tries - 1)
    enrolling = pure.Enrolling(context, session, pending.proved, pending.label)
    listed = Factor(factor_id, method, made.strength)

    def decide(snapshot: Snapshot) -> tuple[Changes | None, Factor | None]:
        if pure.pending_factor(factor_id, method, session, snapshot, now, counted=True) is None:
            return None, None
        return pure.enrol(enrolling, made.factor, listed, core.methods, snapshot, now, ids(), made.public)

    kept = await core.commit(where, keys, decide)
    if kept is None:
        await _attempt(core, context, method, now, "enrolment_not_found")
        return Rejected(Code.CHALLENGE_NOT_FOUND)
    await tell_added(core, context, kept, now)
    return kept


async def tell_added(core: Core, context: Context, kept: Factor, now: datetime) -> None:
    """Tell the person of a new method, and from when on it counts."""
    kind, until = NoticeKind.FACTOR_ADDED, kept.quarantined_until
    await tell(core, context, Notice.of(kind, context, now, method=kept.method, usable_from=until))


def clean_label(label: object) -> str:
    """What the person calls a factor, fit for a record."""
    if not isinstance(label, str):
        raise InvalidInput("label", f"must be a string, not {type(label).__name__}")
    return clean_text(label, limit=MAX_LABEL)


async def _attempt(
    core: Core, context: Context, method: str, now: datetime, reason: str, detail: Mapping[str, Detail] | None = None
) -> None:
    kind = EventType.ATTEMPT
    made = audit.event(ids().event, now, kind, "refused", context, reason=reason, method=method, detail=detail)
    await core.record(core.partition(context.actor), Changes(now, events=(made,)))


def refusal(action: str, code: Code, reason: str, enrol: str | None = None, *, login: str | None = None) -> Decision:
    return Decision(Outcome.DENIED, code, action, 3, (Reason(reason),), enrol_url=enrol, login_url=login)

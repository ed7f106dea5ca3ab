"""Enrolment: adding, listing, changing and removing factors, each a protected action itself.

Adding is two calls for what can be got wrong (an authenticator code confirms the secret) and one for what
cannot (recovery codes). The step-up for it is required by ``authorize.require`` like any other.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from secrets import token_hex
from typing import Final, Protocol, cast, runtime_checkable

from stepup import event as audit
from stepup.binding import session_hash
from stepup.ceremony import Ceremony, Checked, Verdict
from stepup.challenge import FactorRef
from stepup.changes import ACTOR_EPOCH, ROSTER, THROTTLE, Changes, Snapshot, factor_key, session_epoch
from stepup.context import (
    RECOVERY_CODE,
    Actor,
    Context,
    Resource,
    clean_text,
    require_actor,
    require_context,
    require_text,
    same_person,
)
from stepup.decide import enrol as pure
from stepup.decide.attempt import Rejected
from stepup.decide.standing import roster_of
from stepup.decision import Authorization, Decision, Outcome, Reason
from stepup.errors import Code, ConfigurationError, Denied, InvalidInput
from stepup.event import EventType
from stepup.factor import PENDING_TTL, Factor, StoredFactor
from stepup.keys import Vault
from stepup.notices import factor_added, factor_changed, factor_removed

from .authorize import require
from .core import Core, ids, logger

TOTP: Final = "totp"
PROOF_WINDOW: Final = 300
MAX_LABEL: Final = 64
SHORTEST_PERIOD: Final = 15


@dataclass(frozen=True, slots=True)
class TOTPEnrolment:
    """A secret that waits for its first code. Show ``secret`` or ``uri`` once; neither can be read again."""

    factor_id: str
    secret: str = field(repr=False)
    uri: str = field(repr=False)
    expires_at: datetime


@runtime_checkable
class Makes(Protocol):
    """A verifier that makes the factors it keeps in the store."""

    def new(self, factor_id: str, vault: Vault, actor: Actor, /) -> tuple[object, ...]:
        """The record to store, and what to show once."""
        ...


async def every(core: Core, context: Context) -> tuple[Factor, ...]:
    """Everything the person has enrolled; see ``Factors.list``."""
    require_context(context)
    snapshot = await core.load(core.partition(context.actor), (ROSTER,))
    return (await core.factors(context.actor, roster_of(snapshot), core.now())).every


async def enrol_totp(core: Core, context: Context, label: str, token: object) -> TOTPEnrolment:
    """Make a secret that waits for its first code; see ``Factors.enrol_totp``."""
    if not isinstance(label, str):  # pyright: ignore[reportUnnecessaryIsInstance] -- it may come from outside
        raise InvalidInput("label", f"must be a string, not {type(label).__name__}")
    enrolling = await _permitted(core, context, TOTP, clean_text(label, limit=MAX_LABEL), token)
    made, secret, uri = cast(
        "tuple[StoredFactor, str, str]", _maker(core, TOTP).new(f"totp_{token_hex(8)}", core.vault, context.actor)
    )
    now = core.now()

    def decide(snapshot: Snapshot) -> tuple[Changes | None, bool]:
        changes = pure.start_enrolment(enrolling, made, snapshot, now, ids())
        return changes, changes is not None

    kept = await core.commit(
        core.partition(context.actor), (ROSTER, ACTOR_EPOCH, session_epoch(enrolling.session), factor_key(TOTP)), decide
    )
    if not kept:
        raise Denied(_refusal(pure.ADD, Code.RATE_LIMITED, "too_many_factors"))
    return TOTPEnrolment(made.id, secret, uri, now + PENDING_TTL)


async def confirm_totp(core: Core, context: Context, factor_id: str, code: object) -> Factor | Rejected:
    """Make the secret count once its first code is right; see ``Factors.confirm_totp``."""
    where, session, now = core.partition(require_context(context).actor), session_hash(core.ring, context), core.now()
    keys = (ROSTER, ACTOR_EPOCH, session_epoch(session), THROTTLE, factor_key(TOTP))

    def count(snapshot: Snapshot) -> tuple[Changes | None, StoredFactor | None]:
        found = pure.pending_factor(factor_id, TOTP, session, snapshot, now)
        return (None, None) if found is None else (pure.count_confirmation(found, snapshot, now), found)

    found = await core.commit(where, keys, count)
    if found is None or found.pending is None:
        await _attempt(core, context, now, "enrolment_not_found")
        return Rejected(Code.CHALLENGE_NOT_FOUND)
    checked = await _checked(core, context, found, code, now)
    if checked is None or checked.advance is None:
        await _attempt(core, context, now, "wrong")
        return Rejected(Code.VERIFICATION_FAILED, pure.CONFIRM_TRIES - found.pending.tries - 1)
    made = checked.advance
    enrolling = pure.Enrolling(context, session, found.pending.proved, found.pending.label)

    def decide(snapshot: Snapshot) -> tuple[Changes | None, Factor | None]:
        if pure.pending_factor(factor_id, TOTP, session, snapshot, now, counted=True) is None:
            return None, None
        return pure.enrol(enrolling, made, Factor(factor_id, TOTP), core.methods, snapshot, now, ids())

    listed = await core.commit(where, keys, decide)
    if listed is None:
        await _attempt(core, context, now, "enrolment_not_found")
        return Rejected(Code.CHALLENGE_NOT_FOUND)
    await core.tell(context, factor_added(context, listed, now))
    return listed


async def new_recovery_codes(core: Core, context: Context, token: object) -> tuple[str, ...]:
    """Replace the person's recovery codes; see ``Factors.new_recovery_codes``."""
    target = pure.stands_for(await every(core, context), core.methods)
    if target is None:
        raise Denied(_refusal(pure.ADD, Code.NO_USABLE_METHOD, "no_factor_to_stand_for", core.enrol_url))
    maker = _maker(core, RECOVERY_CODE)
    enrolling = await _permitted(core, context, RECOVERY_CODE, "", token)
    made, codes = cast(
        "tuple[StoredFactor, tuple[str, ...]]", maker.new(f"recovery_{token_hex(8)}", core.vault, context.actor)
    )
    listed = Factor(made.id, RECOVERY_CODE, stands_for=target.method, quarantined_until=target.quarantined_until)
    now, keys = core.now(), (ROSTER, ACTOR_EPOCH, THROTTLE, factor_key(RECOVERY_CODE))

    def decide(snapshot: Snapshot) -> tuple[Changes | None, Factor | None]:
        if pure.revoked(enrolling, snapshot):
            return None, None
        return pure.enrol(enrolling, made, listed, core.methods, snapshot, now, ids())

    kept = await core.commit(core.partition(context.actor), keys, decide)
    if kept is None:
        raise Denied(_refusal(pure.ADD, Code.GRANT_INVALID, "revoked"))
    await core.tell(context, factor_added(context, kept, now))
    return codes


async def remove(core: Core, context: Context, factor_id: str, token: object) -> bool:
    """Remove a stored factor; see ``Factors.remove``."""
    where = core.partition(require_context(context).actor)
    if not isinstance(factor_id, str):  # pyright: ignore[reportUnnecessaryIsInstance] -- it may come from outside
        return False
    if roster_of(await core.load(where, (ROSTER,))).get(factor_id) is None:
        return False
    epoch = await _epoch(core, context)
    await require(core, pure.REMOVE, context, Resource("factor", factor_id), None, token, None)
    now = core.now()
    found = await every(core, context)
    methods = tuple(factor_key(method) for method in core.methods)
    stored = {factor.id for factor in roster_of(await core.load(where, (ROSTER,))).factors}
    others = {factor.method for factor in found if factor.id not in stored}

    def decide(snapshot: Snapshot) -> tuple[Changes | None, bool]:
        factor = roster_of(snapshot).get(factor_id)
        if factor is None or snapshot.version(ACTOR_EPOCH) != epoch:
            return None, False
        return pure.remove(context, factor, others, snapshot, now, ids()), True

    gone = await core.commit(where, (ROSTER, ACTOR_EPOCH, *methods), decide)
    if gone:
        await core.tell(context, factor_removed(context, now))
    return gone


async def changed(core: Core, context: Context, method: str, authorization: Authorization) -> None:
    """Remember a change that was made under a step-up; see ``Factors.changed``."""
    now, actor = core.now(), require_context(context).actor
    if not isinstance(authorization, Authorization) or not same_person(authorization.actor, actor):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
        raise InvalidInput("authorization", "must be what require() returned for this person")
    if not 0 <= (now - authorization.at).total_seconds() < PROOF_WINDOW:
        raise InvalidInput("authorization", f"must be less than {PROOF_WINDOW} seconds old")
    if require_text("method", method, limit=64) not in core.methods:
        raise InvalidInput("method", "is not one of this gate's")

    for factor in await _owned(core, context, method):
        strength = core.methods[method].strength

        def decide(snapshot: Snapshot, factor: Factor = factor, strength: int = strength) -> tuple[Changes, None]:
            return pure.acknowledge(context, factor, strength, authorization.strength, snapshot, now, ids()), None

        await core.commit(core.partition(actor), (ROSTER, ACTOR_EPOCH), decide)
    await core.tell(context, factor_changed(context, method, now))


async def report_totp_step(core: Core, actor: Actor, step: int, factor_id: str | None) -> bool:
    """Burn a step that a login has accepted; see ``Factors.report_totp_step``."""
    where, now = core.partition(require_actor(actor)), core.now()
    if type(step) is not int or not 0 <= step <= now.timestamp() / SHORTEST_PERIOD + 1:
        raise InvalidInput("step", "must be a whole number of periods since 1970, and not in the future")
    roster = roster_of(await core.load(where, (ROSTER,)))
    owned = await core.enrolled(actor, TOTP, roster) if TOTP in core.verifiers else ()
    held = [factor.id for factor in (roster.of(TOTP) if owned is None else owned)]
    if factor_id is not None and factor_id not in held:
        raise InvalidInput("factor_id", "names no authenticator of this person")

    def decide(snapshot: Snapshot) -> tuple[Changes | None, bool]:
        changes = pure.advance_step(held if factor_id is None else [factor_id], TOTP, step, snapshot, now)
        return changes, changes is not None

    return await core.commit(where, (factor_key(TOTP),), decide)


async def _permitted(core: Core, context: Context, method: str, label: str, token: object) -> pure.Enrolling:
    """Require the step-up that adding a factor needs, or the fresh session that the very first one needs."""
    now, session = core.now(), session_hash(core.ring, require_context(context))
    epoch = await _epoch(core, context)
    first = pure.may_add_first(context, await every(core, context), now)
    if first is True:
        return pure.Enrolling(
            context, session, pure.session_strength(context, core.methods, now), label, first=True, epoch=epoch
        )
    if first is False:
        raise Denied(_refusal(pure.ADD, Code.LOGIN_REQUIRED, "first_factor_needs_fresh_session", login=core.login_url))
    granted = await require(core, pure.ADD, context, pure.factors_of(context), {"method": method}, token, None)
    return pure.Enrolling(context, session, granted.strength, label, epoch=epoch)


async def _epoch(core: Core, context: Context) -> int:
    """The actor's epoch before anything is required: what is permitted under it ends with it."""
    return (await core.load(core.partition(context.actor), (ACTOR_EPOCH,))).version(ACTOR_EPOCH)


async def _checked(core: Core, context: Context, found: StoredFactor, code: object, now: datetime) -> Checked | None:
    """What the verifier says of the first code; None for anything but an acceptance of this factor."""
    enrolling = pure.Enrolling(context, session_hash(core.ring, context), 0)
    strength = core.methods[TOTP].strength
    ref = FactorRef(found.id, TOTP, strength)
    stored = {found.id: replace(found, pending=None)}
    challenge = pure.confirmation(enrolling, found, strength, now)
    ceremony = Ceremony(context, challenge, now, (ref,), stored, core.vault)
    try:
        checked: object = await core.verifiers[TOTP].check(None, code, ceremony)
    except Exception as error:  # noqa: BLE001 -- a verifier that raises has not accepted
        logger.warning("the verifier of totp raised %s", type(error).__name__)
        return None
    if not isinstance(checked, Checked):  # pyright: ignore[reportUnnecessaryIsInstance] -- a port's answer is never taken on trust
        return None
    mine = checked.advance is not None and checked.advance.id == found.id
    return checked if checked.verdict is Verdict.ACCEPTED and mine else None


async def _owned(core: Core, context: Context, method: str) -> tuple[Factor, ...]:
    roster = roster_of(await core.load(core.partition(context.actor), (ROSTER,)))
    found = await core.enrolled(context.actor, method, roster)
    return found or ()


async def _attempt(core: Core, context: Context, now: datetime, reason: str) -> None:
    made = audit.event(ids().event, now, EventType.ATTEMPT, "refused", context, reason=reason, method=TOTP)
    await core.record(core.partition(context.actor), Changes(now, events=(made,)))


def _maker(core: Core, method: str) -> Makes:
    verifier = core.verifiers.get(method)
    if not isinstance(verifier, Makes):
        raise ConfigurationError(
            f"This gate keeps no factors of {method!r}.", remedy="Add its verifier, without a hook."
        )
    return verifier


def _refusal(action: str, code: Code, reason: str, enrol: str | None = None, *, login: str | None = None) -> Decision:
    return Decision(Outcome.DENIED, code, action, 3, (Reason(reason),), enrol_url=enrol, login_url=login)

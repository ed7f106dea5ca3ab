"""Enrolment: adding, listing, changing and removing factors, each a protected action itself.

Adding is two calls for what can be got wrong (an authenticator code confirms the secret) and one for what
cannot (recovery codes). ``enrolment.py`` has what all of it has in common, ``passkeys.py`` the passkeys.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from secrets import token_hex
from typing import Final, Protocol, cast, runtime_checkable

from stepup.binding import session_hash
from stepup.ceremony import REJECTED, Ceremony, Checked, Verdict
from stepup.challenge import FactorRef
from stepup.changes import ACTOR_EPOCH, ROSTER, THROTTLE, Changes, Snapshot, factor_key, session_epoch
from stepup.context import (
    RECOVERY_CODE,
    Actor,
    Context,
    Resource,
    require_actor,
    require_context,
    require_text,
    same_person,
)
from stepup.decide import enrol as pure
from stepup.decide.answering import Rejected
from stepup.decide.own_words import called
from stepup.decide.standing import roster_of
from stepup.decision import Authorization
from stepup.errors import Code, ConfigurationError, Denied, InvalidInput
from stepup.event import Event
from stepup.factor import Factor, FactorSet, StoredFactor
from stepup.keys import Vault
from stepup.told import Notice, NoticeKind

from .authorize import require
from .core import Core, ids, logger
from .enrolment import (
    Confirmed,
    clean_label,
    confirm,
    own_account,
    permitted,
    refusal,
    standing_epochs,
    tell_added,
    wait,
)
from .enrolment import every as every
from .telling import tell, tell_of

TOTP: Final = "totp"
PROOF_WINDOW: Final = 300
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


async def enrol_totp(core: Core, context: Context, label: str, token: object) -> TOTPEnrolment:
    """Make a secret that waits for its first code; see ``Factors.enrol_totp``."""
    maker = _maker(core, TOTP)
    enrolling = await permitted(core, context, TOTP, clean_label(label), token)
    made, secret, uri = cast(
        "tuple[StoredFactor, str, str]", maker.new(f"totp_{token_hex(8)}", core.vault, context.actor)
    )
    return TOTPEnrolment(made.id, secret, uri, await wait(core, enrolling, made))


async def confirm_totp(core: Core, context: Context, factor_id: str, code: object) -> Factor | Rejected:
    """Make the secret count once its first code is right; see ``Factors.confirm_totp``."""

    async def judge(found: StoredFactor, _: FactorSet, now: datetime) -> Confirmed | Checked:
        checked = await _checked(core, context, found, code, now)
        return REJECTED if checked is None or checked.advance is None else Confirmed(checked.advance)

    return await confirm(core, context, TOTP, factor_id, judge)


async def new_recovery_codes(core: Core, context: Context, token: object) -> tuple[str, ...]:
    """Replace the person's recovery codes; see ``Factors.new_recovery_codes``."""
    maker = _maker(core, RECOVERY_CODE)
    target = pure.stands_for(await every(core, context), core.methods)
    if target is None:
        raise Denied(refusal(pure.ADD, Code.NO_USABLE_METHOD, "no_factor_to_stand_for", core.enrol_url))
    enrolling = await permitted(core, context, RECOVERY_CODE, "", token)
    made, codes = cast(
        "tuple[StoredFactor, tuple[str, ...]]", maker.new(f"recovery_{token_hex(8)}", core.vault, context.actor)
    )
    listed = Factor(made.id, RECOVERY_CODE, stands_for=target.method, quarantined_until=target.quarantined_until)
    ends_with = session_epoch(enrolling.session)
    now, keys = core.now(), (ROSTER, ACTOR_EPOCH, ends_with, THROTTLE, factor_key(RECOVERY_CODE), *core.remembered)

    def decide(snapshot: Snapshot) -> tuple[Changes | None, Factor | None]:
        if pure.revoked(enrolling, snapshot):
            return None, None
        return pure.enrol(enrolling, made, listed, core.methods, snapshot, now, ids())

    kept = await core.commit(core.partition(context.actor), keys, decide)
    if kept is None:
        raise Denied(refusal(pure.ADD, Code.GRANT_INVALID, "revoked"))
    await tell_added(core, context, kept, now)
    return codes


async def remove(core: Core, context: Context, factor_id: str, token: object) -> bool:
    """Remove a stored factor; see ``Factors.remove``."""
    where = core.partition(require_context(context).actor)
    own_account(context, pure.REMOVE)
    if not isinstance(factor_id, str):  # pyright: ignore[reportUnnecessaryIsInstance] -- it may come from outside
        return False
    going = roster_of(await core.load(where, (ROSTER,))).get(factor_id)
    if going is None:
        return False
    session, epochs = session_hash(core.ring, context), await standing_epochs(core, context)
    named = Resource("factor", factor_id, called(going.method, going.label))
    await require(core, pure.REMOVE, context, named, None, token, None)
    now = core.now()
    found = await every(core, context)
    methods = tuple(factor_key(method) for method in core.methods)
    stored = {factor.id for factor in roster_of(await core.load(where, (ROSTER,))).factors}
    others = {factor.method for factor in found if factor.id not in stored}

    method = next((one.method for one in found if one.id == factor_id), None)

    def decide(snapshot: Snapshot) -> tuple[Changes | None, bool]:
        factor = roster_of(snapshot).get(factor_id)
        if factor is None or pure.epochs_of(session, snapshot) != epochs:
            return None, False
        return pure.remove(context, session, factor, others, snapshot, now, ids()), True

    keys = (ROSTER, ACTOR_EPOCH, session_epoch(session), *methods, *core.remembered)
    gone = await core.commit(where, keys, decide)
    if gone:
        await tell(core, context, Notice.of(NoticeKind.FACTOR_REMOVED, context, now, method=method))
    return gone


async def rename(core: Core, context: Context, factor_id: str, label: str) -> bool:
    """Give a stored factor another label; see ``Factors.rename``."""
    where, now, called = core.partition(require_context(context).actor), core.now(), clean_label(label)
    own_account(context, pure.ADD)
    written = tuple[Event, ...]()

    def decide(snapshot: Snapshot) -> tuple[Changes | None, bool]:
        nonlocal written
        factor, written = roster_of(snapshot).get(factor_id), ()
        if factor is None or factor.label == called:
            return None, factor is not None
        changes = pure.rename(context, factor, called, snapshot, now, ids())
        written = changes.events
        return changes, True

    known = await core.commit(where, (ROSTER,), decide)
    await tell_of(core, context, written)  # never by the label, which whoever renames it chooses
    return known


async def changed(core: Core, context: Context, method: str, authorization: Authorization) -> None:
    """Remember a change that was made under a step-up; see ``Factors.changed``."""
    now, actor = core.now(), require_context(context).actor
    own_account(context, pure.ADD)
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

        await core.commit(core.partition(actor), (ROSTER, ACTOR_EPOCH, *core.remembered), decide)
    await tell(core, context, Notice.of(NoticeKind.FACTOR_CHANGED, context, now, method=method))


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


def _maker(core: Core, method: str) -> Makes:
    verifier = core.verifiers.get(method)
    if not isinstance(verifier, Makes):
        raise ConfigurationError(
            f"This gate keeps no factors of {method!r}.", remedy="Add its verifier, without a hook."
        )
    return verifier

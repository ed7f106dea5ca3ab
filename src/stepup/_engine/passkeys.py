"""Enrolling a passkey: its own ceremony between the two calls, by the rules of every enrolment (``enrolment.py``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from secrets import token_hex
from typing import Final

from stepup.ceremony import REJECTED, Checked, Registered, Registering
from stepup.changes import Snapshot, factor_key
from stepup.context import Context
from stepup.decide.answering import Rejected
from stepup.errors import ConfigurationError, ContractBroken
from stepup.factor import Factor, FactorSet, StoredFactor
from stepup.ports import Registers

from .core import Core, logger
from .enrolment import Confirmed, clean_label, confirm, permitted, wait

PASSKEY: Final = "passkey"


@dataclass(frozen=True, slots=True)
class PasskeyEnrolment:
    """A registration that waits for the browser's answer: ``options`` are for ``credentials.create()``, as JSON."""

    factor_id: str
    options: Mapping[str, object] = field(repr=False)
    expires_at: datetime


async def enrol_passkey(core: Core, context: Context, label: str, token: object) -> PasskeyEnrolment:
    """Begin a registration; see ``Factors.enrol_passkey``."""
    verifier = _registers(core)
    enrolling = await permitted(core, context, PASSKEY, clean_label(label), token)
    key = factor_key(PASSKEY)
    held = _held(await core.load(core.partition(context.actor), (key,)))
    begun: object = verifier.register(f"passkey_{token_hex(8)}", context.actor, core.vault, held)
    if not isinstance(begun, Registering):  # pyright: ignore[reportUnnecessaryIsInstance] -- a port's answer is never taken on trust
        raise ContractBroken("The verifier of 'passkey' must answer Registering.")
    return PasskeyEnrolment(begun.factor.id, begun.options, await wait(core, enrolling, begun.factor))


async def confirm_passkey(core: Core, context: Context, factor_id: str, response: object) -> Factor | Rejected:
    """Make the passkey count once the browser's answer is right; see ``Factors.confirm_passkey``."""
    verifier = _registers(core)

    async def judge(found: StoredFactor, every: FactorSet, _: datetime) -> Confirmed | Checked:
        held = tuple(one for one in every.factors if one.pending is None)
        try:
            made: object = verifier.registered(found, response, context.actor, core.vault, held)
        except Exception as error:  # noqa: BLE001 -- a verifier that raises has not accepted
            logger.warning("the verifier of passkey raised %s", type(error).__name__)
            return REJECTED
        if not isinstance(made, Registered) or (made.factor.id, made.factor.method) != (found.id, PASSKEY):
            return made if isinstance(made, Checked) else REJECTED
        return Confirmed(made.factor, made.strength, made.public)

    return await confirm(core, context, PASSKEY, factor_id, judge)


def _held(snapshot: Snapshot) -> tuple[StoredFactor, ...]:
    every = snapshot.get(factor_key(PASSKEY), FactorSet) or FactorSet()
    return tuple(one for one in every.factors if one.pending is None)


def _registers(core: Core) -> Registers:
    verifier = core.verifiers.get(PASSKEY)
    if not isinstance(verifier, Registers):
        raise ConfigurationError("This gate keeps no passkeys.", remedy="Add Passkey() to its verifiers.")
    return verifier

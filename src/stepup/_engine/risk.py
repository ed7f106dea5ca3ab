"""The session's risk for one decision: asked of the assessor, with the person's history where it wants one.

Whatever fails here is unknown risk, the worst there is, and never an error of the call: the policy says what an
unknown risk may do. A history costs one ``load``.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from stepup.changes import KNOWN, ROSTER, THROTTLE
from stepup.context import UNKNOWN_RISK, Context, RiskAssessment
from stepup.errors import WrongColour
from stepup.factor import Roster
from stepup.history import History, Known, Visit, network_of
from stepup.throttle import Throttle

if TYPE_CHECKING:
    from stepup.ports import HistoryAssessor

    from .core import Core

logger = logging.getLogger("stepup")


Judged = tuple[RiskAssessment | None, Visit | None]
"""What was said of a request, and where it comes from, if the gate keeps a history."""


async def assessed(core: Core, context: Context, action: str) -> Judged:
    """What the gate's assessor says of a call, and where the call comes from if the gate keeps a history."""
    if core.watch is not None:
        visit = await _visit(core, core.watch, context)
        return await _by_history(core, core.watch, visit, context), visit
    if core.assess is None:
        return None, None
    try:
        found: object = await core.assess(context, action)
    except WrongColour:
        raise
    except Exception as error:  # noqa: BLE001 -- a failing assessor is unknown risk, never low risk
        return _failed("the risk assessor", error), None
    return _sound(found), None


async def session_risk(core: Core, context: Context) -> tuple[RiskAssessment | None, tuple[str, ...]]:
    """The session's risk for no action in particular, and the codes a client may see; None where nobody tells.

    An assessor that judges actions is not asked.
    """
    told = context.risk
    if core.watch is None:
        return told, ()
    found, _ = await assessed(core, context, "")
    if found is not None and told is not None:
        found = told.worse(found)
    return found, tuple(one for one in (found.reasons if found else ()) if one in core.watch.codes)


async def _by_history(core: Core, watch: HistoryAssessor, visit: Visit, context: Context) -> RiskAssessment:
    history: History | None = None
    try:
        snapshot = await core.load(core.partition(context.actor), (KNOWN, THROTTLE, ROSTER))
        history = History(
            visit,
            snapshot.get(KNOWN, Known) or Known(),
            snapshot.get(THROTTLE, Throttle) or Throttle(),
            snapshot.get(ROSTER, Roster) or Roster(),
        )
    except Exception as error:  # noqa: BLE001 -- what is not known is not low; the assessor is told
        _failed("reading the history", error)
    try:
        found: object = watch.assess(history, context, core.now())
    except Exception as error:  # noqa: BLE001 -- as above
        return _failed("the risk assessor", error)
    return _sound(found)


async def _visit(core: Core, watch: HistoryAssessor, context: Context) -> Visit:
    fingerprint = context.device.fingerprint if context.device else ""
    return Visit(
        core.vault.digests("device", fingerprint.encode()),
        core.vault.digests("network", network_of(context.ip).encode()),
        await _country(core, watch, context.ip),
    )


async def _country(core: Core, watch: HistoryAssessor, ip: str | None) -> tuple[str, ...] | None:
    look = watch.country_of
    if look is None:
        return ()
    found: object = None
    try:
        found = None if ip is None else await core.call(look, ip)
    except WrongColour:
        raise
    except Exception as error:  # noqa: BLE001 -- a country that cannot be looked up is not the same country
        _failed("country_of", error)
    return core.vault.digests("country", found.encode()) if isinstance(found, str) and found else None


def _failed(what: str, error: Exception) -> RiskAssessment:
    logger.warning("%s raised %s", what, type(error).__name__)
    return UNKNOWN_RISK


def _sound(found: object) -> RiskAssessment:
    return found if isinstance(found, RiskAssessment) else UNKNOWN_RISK

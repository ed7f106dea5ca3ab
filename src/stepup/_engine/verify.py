"""``verify``: one answer, in four store calls with the verifier between the second and the third.

Load, reserve; then load again and conclude. What the verifier raises or answers wrongly is a refusal and an
event.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from stepup.ceremony import REJECTED, Checked
from stepup.challenge import Challenge
from stepup.changes import Changes, Snapshot, challenge_key, factor_key
from stepup.context import APPROVAL, Context, clean_text
from stepup.decide import attempt as pure
from stepup.decide.acceptance import acceptable
from stepup.decide.answering import Answering, Findings, MoreNeeded, Rejected, Verified
from stepup.decide.device import issued
from stepup.decide.standing import NOT_FOUND, Refusal, answer_keys, check_standing
from stepup.device import Remembered
from stepup.errors import Code, InvalidInput, StepUpError
from stepup.event import Event, EventType
from stepup.grant import Grant

from .carrying import carry
from .collecting import collect
from .core import Core, ids, logger
from .minted import verified
from .opened import Opened, ceremony_of, open_challenge, record_refusal
from .rotating import Rotate, rotated
from .telling import tell_of
from .trust import end_reused


async def verify(
    core: Core,
    challenge_id: object,
    method: object,
    response: object,
    context: Context,
    rotate: Rotate | None,
    remember: bool = False,
) -> Verified | MoreNeeded | Rejected:
    """Judge one answer; see ``StepUp.verify``."""
    now = core.now()
    if rotate is not None and context.session is None:
        raise InvalidInput("rotate", "needs a session in the context", remedy="Pass Context(session=...).")
    opened = await open_challenge(core, challenge_id, method, context, now)
    if isinstance(opened, Refusal):
        await record_refusal(core, context, challenge_id, method, opened, now, EventType.ATTEMPT)
        return Rejected(opened.code, retry_at=opened.retry_at)
    await end_reused(core, opened.request, now)
    name = clean_text(method, limit=64)
    if name == APPROVAL and core.approval is not None:
        return await collect(core, opened, context, rotate, remember=remember is True)
    reserved = await _reserve(core, opened, name, now)
    if isinstance(reserved, Refusal):
        changes, rejected = pure.refused_attempt(opened.request, opened.challenge.id, name, reserved, now, ids())
        await core.record(core.partition(context.actor), changes)
        if reserved.reason == "challenge_verified" and core.revoke_on_reuse:
            await _revoke_minted(core, context, opened.challenge.id)
        return rejected
    findings = await _check(core, opened, reserved, name, response, context, now)
    if findings.reason is None and rotate is not None:
        findings = await rotated(core, opened, reserved, findings, rotate, now)
    return await _conclude(core, opened, reserved, findings, context, remember=remember is True)


async def _revoke_minted(core: Core, context: Context, challenge_id: str) -> None:
    """End what a finished challenge minted; looked up now, since it may have been finished a moment ago."""
    from .upkeep import revoke_grant

    key = challenge_key(challenge_id)
    current = (await core.load(core.partition(context.actor), (key,))).get(key, Challenge)
    if current is not None and current.grant_id is not None:
        await revoke_grant(core, context, current.grant_id)


async def _reserve(core: Core, opened: Opened, method: str, now: datetime) -> Answering | Refusal:
    """Count the answer in a batch of its own, before the verifier sees it."""
    info = core.methods.get(method)
    if info is None:
        standing = check_standing(opened.challenge, opened.request, opened.snapshot, now)
        return standing or Refusal(Code.METHOD_NOT_ALLOWED, "method_unknown")
    one = Answering(opened.challenge, method, opened.refs, info, core.limits)
    where, session = core.partition(opened.request.context.actor), opened.request.binding.session
    first = pure.reserve_attempt(one, opened.request, opened.snapshot, now)
    if isinstance(first, Refusal):
        return first
    if await core.apply(where, first) is None:
        return one

    def decide(snapshot: Snapshot) -> tuple[Changes | None, Answering | Refusal]:
        current = snapshot.get(challenge_key(one.challenge.id), Challenge)
        if current is None:
            return None, NOT_FOUND
        again = replace(one, challenge=current)
        made = pure.reserve_attempt(again, opened.request, snapshot, now)
        return (None, made) if isinstance(made, Refusal) else (made, again)

    return await core.commit(where, answer_keys(one.challenge.id, session, method), decide)


async def _check(
    core: Core, opened: Opened, one: Answering, method: str, response: object, context: Context, now: datetime
) -> Findings:
    """Ask the verifier; whatever it raises is a refusal."""
    prepared = one.challenge.prepared.get(method)
    ceremony = ceremony_of(core, replace(opened, challenge=one.challenge), context, method, now)
    versions = opened.snapshot.version(factor_key(method))
    serial = prepared.serial if prepared else None
    try:
        checked: object = await core.verifiers[method].check(prepared.state if prepared else None, response, ceremony)
    except StepUpError as error:
        logger.warning("the verifier of %s raised %s", method, type(error).__name__)
        return Findings(REJECTED, "verifier_error", serial, versions)
    except Exception as error:  # noqa: BLE001 -- a verifier that raises has not accepted
        logger.warning("the verifier of %s raised %s", method, type(error).__name__)
        return Findings(REJECTED, "verifier_error", serial, versions)
    if not isinstance(checked, Checked):  # pyright: ignore[reportUnnecessaryIsInstance] -- a port's answer is never taken on trust
        return Findings(REJECTED, "verifier_error", serial, versions)
    reason = acceptable(one, checked, now)
    fingerprint = core.fingerprint(checked.material) if reason is None and checked.material is not None else None
    return Findings(checked, reason, serial, versions, fingerprint)


async def _conclude(
    core: Core, opened: Opened, one: Answering, findings: Findings, context: Context, *, remember: bool
) -> Verified | MoreNeeded | Rejected:
    now = core.now()  # the verifier may have taken its time: what expired meanwhile is expired
    where, request = core.partition(context.actor), opened.request
    keys = (*answer_keys(one.challenge.id, request.binding.session, one.method, findings.rotated), *core.remembered)
    fresh, minting = ids(), core.trust.minting(wanted=remember)
    findings = replace(findings, device=minting.fresh)
    written: tuple[Event, ...] = ()
    kept: Remembered | None = None

    def conclude(snapshot: Snapshot, found: Findings) -> tuple[Changes, Grant | MoreNeeded | Rejected]:
        nonlocal written, kept
        changes, outcome = pure.conclude(one, request, snapshot, found, now, fresh)
        written, kept = changes.events, issued(changes, minting.fresh)
        return changes, outcome

    def decide(snapshot: Snapshot) -> tuple[Changes, Grant | MoreNeeded | Rejected]:
        return conclude(snapshot, findings)

    def replayed(snapshot: Snapshot) -> tuple[Changes, Grant | MoreNeeded | Rejected]:
        return conclude(snapshot, replace(findings, reason="replayed"))

    outcome = await core.commit(where, keys, decide, replayed)
    await tell_of(core, context, written, one.challenge.label)
    if isinstance(outcome, MoreNeeded | Rejected):
        return outcome
    await carry(core, where, request.binding.session, findings.rotated, outcome.epochs[1], now)
    return verified(core, one.challenge, outcome, kept, minting)

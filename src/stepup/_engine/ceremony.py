"""``start``, ``begin``, ``verify`` and ``cancel``: orchestration of the ceremony.

``verify`` makes four store calls with the verifier between the second and the third: load, reserve, and
load, conclude. What the verifier raises or answers wrongly is a refusal and an event.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from .. import event as audit
from ..ceremony import REJECTED, Begun, Ceremony, Checked, Prompt
from ..challenge import Challenge, FactorRef, observed
from ..changes import THROTTLE, Changes, Snapshot, challenge_key, factor_key
from ..context import RECOVERY_CODE, Context, Resource, clean_text
from ..decide import attempt as pure
from ..decide import prepare as preparing
from ..decide import revoke, start
from ..decide.attempt import Answering, Findings, MoreNeeded, Rejected, Verified
from ..decide.holding import answer, judge
from ..decide.request import Request, refused_outright
from ..decide.standing import NOT_FOUND, Refusal, answer_keys, check_standing, refs_now, roster_of
from ..decision import Decision, Outcome, Reason
from ..errors import Code, ContractBroken, Denied, DeliveryFailed, InvalidInput, StepUpError, UnknownAction
from ..event import EventType
from ..factor import FactorSet
from ..grant import Grant, to_claims
from ..notices import recovery_code_used
from ..policy import Params, Risk
from ..throttle import Throttle, open_ids
from .core import Core, ids, logger
from .offer import read_offer

MAX_CHALLENGE_ID: Final = 64
Rotate = Callable[[], object]


# -- start ------------------------------------------------------------------------


async def start_offer(core: Core, offer: object, context: Context, reason: str | None) -> Challenge:
    """Open a challenge for the call that an offer describes; see ``StepUp.start_offer``."""
    if not isinstance(context, Context):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
        raise InvalidInput("context", f"must be a Context, not {type(context).__name__}")
    found = read_offer(core, offer, context, core.now())
    if found is None:
        raise Denied(Decision(Outcome.DENIED, Code.BAD_REQUEST, "", 0, (Reason("offer_invalid"),)))
    return await start_challenge(core, found.action, context, found.resource, found.params, reason)


async def start_challenge(
    core: Core,
    action: object,
    context: Context,
    resource: Resource | None,
    params: Params | None,
    reason: str | None,
) -> Challenge:
    """Open a challenge; see ``StepUp.start``."""
    request = await core.request(action, context, resource, params)
    where, now = core.partition(context.actor), core.now()
    if denied := refused_outright(request):
        changes, decision = start.refuse_start(request, now, ids(), denied)
        await core.record(where, changes)
        raise Denied(decision)
    keys = start.start_keys(request)
    snapshot = await core.load(where, keys)
    every, own = await core.factors(context.actor, roster_of(snapshot), now)

    def decide(snapshot: Snapshot) -> tuple[Changes, Challenge | Decision]:
        throttle = snapshot.get(THROTTLE, Throttle) or Throttle()
        held = judge(request, every, core.methods, throttle, core.limits, now)
        decision = answer(request, held, now, enrol_url=core.enrol_url, login_url=core.login_url)
        if decision.outcome is Outcome.DENIED:
            return start.refuse_start(request, now, ids(), decision)
        opening = start.Opening(held, own, reason, core.limits)
        return start.open_challenge(request, opening, snapshot, now, ids())

    changes, outcome = decide(snapshot)
    if await core.apply(where, changes) is not None:
        outcome = await core.commit(where, keys, decide)
    if isinstance(outcome, Decision):
        raise Denied(outcome)
    return outcome


# -- what begin and verify share ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class Opened:
    """A challenge that was found: the call it is for, made concrete in today's context, and its factors."""

    challenge: Challenge
    request: Request
    snapshot: Snapshot
    refs: tuple[FactorRef, ...]


async def _open(core: Core, challenge_id: object, method: object, context: Context, now: datetime) -> Opened | Refusal:
    """Find the challenge in the person's own partition; nobody else's can be found."""
    if not isinstance(context, Context):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
        raise InvalidInput("context", f"must be a Context, not {type(context).__name__}")
    if not isinstance(challenge_id, str) or len(challenge_id) > MAX_CHALLENGE_ID or not challenge_id.isascii():
        return NOT_FOUND
    known = method if isinstance(method, str) and method in core.verifiers else ""
    where, session = core.partition(context.actor), _session(core, context)
    snapshot = await core.load(where, answer_keys(challenge_id, session, known))
    challenge = snapshot.get(challenge_key(challenge_id), Challenge)
    if challenge is None:
        return NOT_FOUND
    try:
        request = await _request_of(core, challenge, context)
    except UnknownAction:
        return NOT_FOUND
    if not known:
        return Opened(challenge, request, snapshot, ())
    roster = roster_of(snapshot)
    enrolled = await core.enrolled(context.actor, known, roster)
    current = roster.of(known) if enrolled is None else roster.apply_quarantine(enrolled)
    return Opened(challenge, request, snapshot, refs_now(challenge, known, current, now))


async def _request_of(core: Core, challenge: Challenge, context: Context) -> Request:
    bound = challenge.binding
    resource = None
    if bound.resource_type is not None and bound.resource_id is not None:
        resource = Resource(bound.resource_type, bound.resource_id, challenge.resource_label)
    params = start.params_of(challenge)
    return await core.request(bound.action, context, resource, params, Risk(challenge.level))


def _session(core: Core, context: Context) -> str | None:
    return core.ring.hash_id("session", context.session.id) if context.session else None


def _ceremony(core: Core, opened: Opened, context: Context, method: str, now: datetime) -> Ceremony:
    held = opened.snapshot.get(factor_key(method), FactorSet) or FactorSet()
    stored = {factor.id: factor for factor in held.factors if factor.pending is None}
    return Ceremony(context, opened.challenge, now, opened.refs, stored, core.vault)


async def _refuse(
    core: Core, context: Context, challenge_id: object, method: object, refusal: Refusal, now: datetime, kind: EventType
) -> None:
    """Record an answer to a challenge that was not found."""
    made = audit.event(
        ids().event,
        now,
        kind,
        "refused",
        context,
        reason=refusal.reason,
        method=clean_text(method, limit=64),
        challenge_id=clean_text(challenge_id, limit=MAX_CHALLENGE_ID),
    )
    await core.record(core.partition(context.actor), Changes(now, events=(made,)))


# -- begin ------------------------------------------------------------------------


async def begin(core: Core, challenge_id: object, method: object, context: Context) -> Prompt:
    """Prepare a method; see ``StepUp.begin``."""
    now = core.now()
    opened = await _open(core, challenge_id, method, context, now)
    if isinstance(opened, Refusal):
        await _refuse(core, context, challenge_id, method, opened, now, EventType.CODE_REFUSED)
        raise Denied(Decision(Outcome.DENIED, opened.code, "", 0, (Reason(opened.reason),)))
    name, request, where = str(method)[:64], opened.request, core.partition(context.actor)
    info = core.methods.get(name)
    refusal: Refusal | None = Refusal(Code.METHOD_NOT_ALLOWED, "method_unknown")
    if info is not None:
        one = preparing.Preparing(opened.challenge, name, opened.refs, info, core.limits)
        refusal = preparing.refuse_begin(one, request, opened.snapshot, now)
        if refusal is None:
            begun = await _prepare(core, opened, context, name, now)
            outcome = await _write_preparation(core, opened, one, begun, now)
            if isinstance(outcome, Prompt):
                return outcome
            refusal = outcome
    assert refusal is not None  # every other way has returned
    await core.record(where, preparing.refused_begin(opened.challenge.id, request, name, refusal, now, ids()))
    raise Denied(request.denied(refusal.code, refusal.reason, retry_at=refusal.retry_at))


async def _prepare(core: Core, opened: Opened, context: Context, method: str, now: datetime) -> Begun:
    ceremony = _ceremony(core, opened, context, method, now)
    try:
        begun: object = await core.verifiers[method].begin(opened.challenge, ceremony)
    except StepUpError:
        raise
    except Exception as error:
        raise ContractBroken(f"The verifier of {method!r} raised {type(error).__name__} in begin().") from None
    if not isinstance(begun, Begun):  # pyright: ignore[reportUnnecessaryIsInstance] -- a port's answer is never taken on trust
        raise ContractBroken(f"The verifier of {method!r} must answer Begun.")
    return begun


async def _write_preparation(
    core: Core, opened: Opened, one: preparing.Preparing, begun: Begun, now: datetime
) -> Prompt | Refusal:
    """Write first, send afterwards; what could not be sent is taken back."""
    where, session = core.partition(opened.request.context.actor), opened.request.binding.session
    keys = answer_keys(one.challenge.id, session, one.method)
    written = False

    def decide(snapshot: Snapshot) -> tuple[Changes | None, Prompt | Refusal]:
        nonlocal written
        current = snapshot.get(challenge_key(one.challenge.id), Challenge)
        if current is None:
            return None, NOT_FOUND
        changes, outcome = preparing.prepared(
            replace(one, challenge=current), opened.request, snapshot, begun, now, ids()
        )
        written = changes is not None
        return changes, outcome

    outcome = await core.commit(where, keys, decide)
    if written and begun.deliver is not None:
        try:
            await core.call(begun.deliver)
        except Exception as error:
            logger.warning("a message for %s was not taken: %s", one.method, type(error).__name__)
            await core.commit(
                where, keys, lambda s: (preparing.undelivered(one, opened.request, s, now, core.now(), ids()), None)
            )
            raise DeliveryFailed(
                "The code could not be sent.", remedy="Check the mail system; the person can ask again at once."
            ) from None
    return outcome


# -- verify -----------------------------------------------------------------------


async def verify(
    core: Core, challenge_id: object, method: object, response: object, context: Context, rotate: Rotate | None
) -> Verified | MoreNeeded | Rejected:
    """Judge one answer; see ``StepUp.verify``."""
    now = core.now()
    if rotate is not None and context.session is None:
        raise InvalidInput("rotate", "needs a session in the context", remedy="Pass Context(session=...).")
    opened = await _open(core, challenge_id, method, context, now)
    if isinstance(opened, Refusal):
        await _refuse(core, context, challenge_id, method, opened, now, EventType.ATTEMPT)
        return Rejected(opened.code, retry_at=opened.retry_at)
    name = clean_text(method, limit=64)
    reserved = await _reserve(core, opened, name, now)
    if isinstance(reserved, Refusal):
        changes, rejected = pure.refused_attempt(opened.request, opened.challenge.id, name, reserved, now, ids())
        await core.record(core.partition(context.actor), changes)
        if reserved.reason == "challenge_verified" and core.revoke_on_reuse and opened.challenge.grant_id:
            from .upkeep import revoke_grant

            await revoke_grant(core, context, opened.challenge.grant_id)
        return rejected
    findings = await _check(core, opened, reserved, name, response, context, now)
    if findings.reason is None and rotate is not None:
        findings = await _rotate(core, opened, reserved, findings, rotate, now)
    return await _conclude(core, opened, reserved, findings, context, now)


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
    ceremony = _ceremony(core, replace(opened, challenge=one.challenge), context, method, now)
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
    fingerprint = core.fingerprint(checked.material) if checked.material is not None else None
    return Findings(checked, pure.acceptable(one, checked, now), serial, versions, fingerprint)


async def _rotate(
    core: Core, opened: Opened, one: Answering, findings: Findings, rotate: Rotate, now: datetime
) -> Findings:
    """Let the application change the session id once the last proof is accepted, before anything is minted."""
    if not pure.completes(one, opened.request, findings.checked, now):
        return findings
    try:
        made = rotate()
        new = await made if inspect.isawaitable(made) else made
    except StepUpError:
        raise
    except Exception as error:  # noqa: BLE001 -- a session that could not be rotated opens nothing
        logger.warning("rotate raised %s", type(error).__name__)
        return replace(findings, reason="rotate_failed")
    if not isinstance(new, str) or not new or len(new) > 1024:
        return replace(findings, reason="rotate_failed")
    hashed = core.ring.hash_id("session", new)
    return replace(
        findings, reason="rotate_failed" if hashed == opened.request.binding.session else None, rotated=hashed
    )


async def _conclude(
    core: Core, opened: Opened, one: Answering, findings: Findings, context: Context, now: datetime
) -> Verified | MoreNeeded | Rejected:
    where, request = core.partition(context.actor), opened.request
    keys = answer_keys(one.challenge.id, request.binding.session, one.method, findings.rotated)
    fresh = ids()

    def decide(snapshot: Snapshot) -> tuple[Changes, Grant | MoreNeeded | Rejected]:
        return pure.conclude(one, request, snapshot, findings, now, fresh)

    def replayed(snapshot: Snapshot) -> tuple[Changes, Grant | MoreNeeded | Rejected]:
        return pure.conclude(one, request, snapshot, replace(findings, reason="replayed"), now, fresh)

    outcome = await core.commit(where, keys, decide, replayed)
    if isinstance(outcome, Rejected):
        return outcome
    if one.method == RECOVERY_CODE:
        await _tell(core, one.challenge, context, now)
    if isinstance(outcome, MoreNeeded):
        return outcome
    token = core.grants.sign(to_claims(outcome, core.namespace, core.audience))
    return Verified(outcome, token, one.challenge)


async def _tell(core: Core, challenge: Challenge, context: Context, now: datetime) -> None:
    """Tell the person that a recovery code was used. It can neither grant nor block."""
    if core.send is None or context.actor.email is None:
        return
    try:
        await core.call(core.send, recovery_code_used(context, challenge, now))
    except Exception as error:  # noqa: BLE001 -- the proof stands; that nobody was told is recorded
        logger.warning("a notice was not taken: %s", type(error).__name__)
        made = audit.event(
            ids().event,
            now,
            EventType.DELIVERY_FAILED,
            "refused",
            context,
            binding=challenge.binding,
            method=RECOVERY_CODE,
            challenge_id=challenge.id,
        )
        await core.record(core.partition(context.actor), Changes(now, events=(made,)))


# -- cancel, and looking at a challenge ----------------------------------------------


async def cancel(core: Core, challenge_id: object, context: Context) -> bool:
    """Close a challenge; see ``StepUp.cancel``."""
    now = core.now()
    opened = await _open(core, challenge_id, "", context, now)
    if isinstance(opened, Refusal):
        return False
    keys = answer_keys(opened.challenge.id, opened.request.binding.session, "")

    def decide(snapshot: Snapshot) -> tuple[Changes | None, bool]:
        current = snapshot.get(challenge_key(opened.challenge.id), Challenge)
        if current is None or check_standing(current, opened.request, snapshot, now) is not None:
            return None, False
        changes = revoke.cancel(current, context, snapshot, now, ids())
        return changes, changes is not None

    return await core.commit(core.partition(context.actor), keys, decide)


async def look(core: Core, challenge_id: object, context: Context) -> Challenge | None:
    """The challenge as it stands; see ``StepUp.challenge``."""
    now = core.now()
    opened = await _open(core, challenge_id, "", context, now)
    if isinstance(opened, Refusal):
        return None
    request = opened.request
    if opened.challenge.binding.mismatches(request.binding, request.action.binds | {"session"}):
        return None
    throttle = opened.snapshot.get(THROTTLE, Throttle) or Throttle()
    return observed(opened.challenge, open_ids(throttle), now)

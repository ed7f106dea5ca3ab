"""``begin``: prepare a method; write first, send afterwards, take back what could not be sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from stepup.ceremony import Begun, Prompt
from stepup.challenge import Challenge
from stepup.changes import Changes, Snapshot, challenge_key
from stepup.context import APPROVAL, Context, clean_text
from stepup.decide import prepare as preparing
from stepup.decide.standing import NOT_FOUND, Refusal, answer_keys, check_standing
from stepup.decision import Decision, Outcome, Reason
from stepup.errors import Code, ContractBroken, DeliveryFailed, Denied, StepUpError
from stepup.event import EventType

from .asking import ask
from .core import Core, ids, logger
from .opened import Opened, ceremony_of, open_challenge, record_refusal


async def begin(core: Core, challenge_id: object, method: object, context: Context) -> Prompt:
    """Prepare a method; see ``StepUp.begin``."""
    now = core.now()
    opened = await open_challenge(core, challenge_id, method, context, now)
    if isinstance(opened, Refusal):
        await record_refusal(core, context, challenge_id, method, opened, now, EventType.CODE_REFUSED)
        raise _not_found(opened)
    name, request, where = clean_text(method, limit=64), opened.request, core.partition(context.actor)
    if name == APPROVAL and core.approval is not None:
        return await ask(core, opened, context, now)
    info = core.methods.get(name)
    refusal = check_standing(opened.challenge, request, opened.snapshot, now)
    refusal = refusal or Refusal(Code.METHOD_NOT_ALLOWED, "method_unknown")
    if info is not None:
        one = preparing.Preparing(opened.challenge, name, opened.refs, info, core.limits)
        outcome: Prompt | Refusal | None = preparing.refuse_begin(one, request, opened.snapshot, now)
        if outcome is None:
            begun = await _prepare(core, opened, context, name, now)
            outcome = await _write_preparation(core, opened, one, begun, now)
        if isinstance(outcome, Prompt):
            return outcome
        refusal = outcome
    await core.record(where, preparing.refused_begin(opened.challenge.id, request, name, refusal, now, ids()))
    if refusal.code is Code.CHALLENGE_NOT_FOUND:
        raise _not_found(refusal)
    raise Denied(request.denied(refusal.code, refusal.reason, retry_at=refusal.retry_at))


def _not_found(refusal: Refusal) -> Denied:
    """The same answer for an id that never existed and for one of another session."""
    return Denied(Decision(Outcome.DENIED, refusal.code, "", 0, (Reason(refusal.reason),)))


async def _prepare(core: Core, opened: Opened, context: Context, method: str, now: datetime) -> Begun:
    ceremony = ceremony_of(core, opened, context, method, now)
    try:
        begun: object = await core.verifiers[method].begin(opened.challenge, ceremony)
    except StepUpError:
        raise
    except Exception as error:  # noqa: BLE001 -- named without its text, which may hold what was sent
        raise ContractBroken(f"The verifier of {method!r} raised {type(error).__name__} in begin().") from None
    if not isinstance(begun, Begun) or not isinstance(begun.prompt, Prompt):  # pyright: ignore[reportUnnecessaryIsInstance] -- a port's answer is never taken on trust
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
        except Exception as error:  # noqa: BLE001 -- whatever it was, the message was not taken
            logger.warning("a message for %s was not taken: %s", one.method, type(error).__name__)
            await core.commit(
                where, keys, lambda s: (preparing.undelivered(one, opened.request, s, now, core.now(), ids()), None)
            )
            raise DeliveryFailed(
                "The code could not be sent.", remedy="Check the mail system; the person can ask again at once."
            ) from None
    return outcome

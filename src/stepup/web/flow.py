"""The ceremony's calls: from a blocked call to the token that opens it.

A call is named by its parts, by its authorization details (``details``), or by the offer in the answer that blocked it;
given together, offer and details have to name the same call.
"""

from __future__ import annotations

from stepup._engine import authorize, begin, bundle, look, start, verify
from stepup._engine.core import logger
from stepup._engine.offer import Offered, read_offer
from stepup.challenge import Challenge
from stepup.decide.answering import MoreNeeded, Verified
from stepup.decide.resolving import rules_of
from stepup.decision import Outcome
from stepup.errors import Code

from . import devices
from . import documents as doc
from .approvals import standing
from .bodies import BadRequest
from .call import Call
from .details import MEMBER, described, same_call
from .http import WebResponse, response
from .problems import zulu
from .wire import Attempt, Naming, StartByOffer, Starting


async def preflight(call: Call) -> WebResponse:
    """Whether a call would pass; nothing is spent and nothing recorded.

    The offer, with which a challenge can be opened, is told only where the application lets clients open them by name:
    what a challenge is about is written to the person, so not everybody who holds a session may word it.
    """
    asked = call.body(Naming).call
    if asked.items:
        decision = await bundle.check_bundle(call.core, asked.items, call.context, None)
    else:
        decision = await authorize.check(call.core, asked.action, call.context, asked.resource, asked.params, None)
    blocked = decision.outcome is Outcome.STEP_UP_REQUIRED
    offer = decision.offer if blocked and await _may_start(call, asked) else None
    more = {"retryAt": zulu(decision.retry_at), "offer": offer, MEMBER: described(asked) if blocked else None}
    return call.ok(decision.public() | more)


async def start_challenge(call: Call) -> WebResponse:
    """Open a challenge, for a blocked call or, where the application lets it, for one that the client names."""
    sent = call.body(Starting)
    challenge = await (_by_offer(call, sent) if isinstance(sent, StartByOffer) else _by_name(call, sent))
    return call.ok(await _enveloped(call, challenge), 201, ("location", f"{call.to.prefix}/challenges/{challenge.id}"))


async def _by_offer(call: Call, sent: StartByOffer) -> Challenge:
    if sent.details is not None:
        offered = read_offer(call.core, sent.offer, call.context, call.core.now())
        # An offer that cannot be read is refused below, and recorded.
        if offered is not None and not same_call(offered, sent.details):
            raise BadRequest(f"{MEMBER} must name the call that the offer names.")
    return await start.start_offer(call.core, sent.offer, call.context, sent.reason)


async def _by_name(call: Call, sent: Starting) -> Challenge:
    asked = call.body(Naming).call
    if not await _may_start(call, asked):
        raise BadRequest("A challenge is opened with the offer of a blocked call.")
    return await start.open_for(call.core, await start.named_request(call.core, asked, call.context), sent.reason)


async def _may_start(call: Call, asked: Offered) -> bool:
    """Whether the application lets the client word this call; of a bundle, each of its calls."""
    if call.to.may_start is None:
        return False
    try:
        for action in dict.fromkeys([one.action for one in asked.items] or [asked.action]):
            if await call.core.call(call.to.may_start, action, call.context) is not True:
                return False
        return True
    except Exception as error:  # noqa: BLE001 -- a hook that fails has not said yes
        logger.warning("may_start raised %s", type(error).__name__)
        return False


async def challenge(call: Call) -> WebResponse:
    """The challenge as it stands."""
    found = await look.look(call.core, call.parts["challenge"], call.context)
    return call.problem(Code.CHALLENGE_NOT_FOUND) if found is None else call.ok(await _enveloped(call, found))


async def cancel(call: Call) -> WebResponse:
    """Call it off."""
    if not await look.cancel(call.core, call.parts["challenge"], call.context):
        return call.problem(Code.CHALLENGE_NOT_FOUND)
    return response(204, b"", "application/json")


async def prepare(call: Call) -> WebResponse:
    """Prepare a method: send the code, make the options."""
    prompt = await begin.begin(call.core, call.parts["challenge"], call.parts["method"], call.context)
    return call.ok({"prompt": doc.prompt_document(prompt), "now": zulu(call.core.now())})


async def attempt(call: Call) -> WebResponse:
    """Judge an answer; the session is renewed with the last right one, and so is what a remembered device holds."""
    sent = call.body(Attempt)
    rotate = call.request.rotate if call.context.session is not None else None
    remember = sent.remember_device and call.request.keep_device is not None
    outcome = await verify.verify(
        call.core, call.parts["challenge"], sent.method, sent.response, call.context, rotate, remember
    )
    if isinstance(outcome, Verified):
        devices.keep(call, outcome)
        return call.ok({"status": "verified", "grant": doc.minted_document(outcome.grant, outcome.token)})
    if isinstance(outcome, MoreNeeded):
        return call.ok({"status": "open", "remaining": list(outcome.remaining)})
    return call.problem(outcome.code, {"attemptsLeft": outcome.attempts_left, "retryAt": zulu(outcome.retry_at)})


async def _enveloped(call: Call, found: Challenge) -> dict[str, object]:
    rules = rules_of(call.core.registry, found)
    made = doc.envelope(found, rules, call.context, call.core.now())
    return made | {"approval": await standing(call, found)}

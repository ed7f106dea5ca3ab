"""``require`` and ``check``: orchestration of ``decide.authorize``.

Store calls: a session fresh enough 0, a token refused by its own claims 0, single use 1, many uses 1,
counted uses 2; a look at the shelf 1 more. Whether a device is remembered is seen in that look; where a token is
presented too and a remembered device would do instead of it, in a look of its own.
"""

from __future__ import annotations

from dataclasses import replace

from stepup.bearer import from_claims
from stepup.changes import ROSTER, THROTTLE, Changes, Snapshot, grant_key
from stepup.context import Context, Resource
from stepup.decide import authorize as pure
from stepup.decide import freshness, redeeming
from stepup.decide.device import LOOKED_UP, could_matter, trusting
from stepup.decide.holding import answer
from stepup.decide.request import Request, refused_outright
from stepup.decide.signal import is_disabled
from stepup.decide.start import observe as remember
from stepup.decision import Authorization, Decision, Outcome, Reason
from stepup.errors import Code
from stepup.grant import Grant
from stepup.policy import Params

from .asking import asked_before
from .core import Core
from .question import (
    Asking,
    Found,
    asked,
    held_now,
    invalid,
    joining,
    note,
    recorded,
    refusing,
    still_good,
    with_offer,
    write,
)
from .spending import redeem, writes
from .trust import end_reused


async def require(
    core: Core,
    action: object,
    context: Context,
    resource: Resource | None,
    params: Params | None,
    token: object,
    request_id: str | None,
    within: object = None,
    uses: int | None = None,
) -> Authorization:
    """Let the call pass or raise; see ``StepUp.require``."""
    request = await core.request(action, context, resource, params, uses=uses)
    asking = await joining(core, asked(core, request, token, request_id, spend=True), within)
    found = await _decide(core, asking)
    await note(core, asking, found)
    if found.decision.outcome is Outcome.ALLOWED:
        return pure.authorization(asking.request, found.decision, asking.now, found.grant, found.remaining)
    raise refusing(found.decision)


async def check(
    core: Core,
    action: object,
    context: Context,
    resource: Resource | None,
    params: Params | None,
    token: object,
    uses: int | None = None,
) -> Decision:
    """Decide without spending or recording anything; see ``StepUp.check``."""
    return await check_made(core, await core.request(action, context, resource, params, uses=uses), token)


async def check_made(core: Core, request: Request, token: object = None) -> Decision:
    """``check``, for a call made concrete already."""
    return (await _decide(core, asked(core, request, token, None, spend=False))).decision


async def _decide(core: Core, asking: Asking) -> Found:
    request = asking.request
    if (denied := refused_outright(request)) is not None:
        return Found(denied)
    if (found := freshness.by_session(request, core.methods, asking.now)) is not None:
        return Found(found)
    if (found := freshness.by_surface(request)) is not None:
        if asking.spend:  # the only trace of an action that nobody proved anything for
            await write(core, asking, recorded(asking, found))
        return Found(found, recorded=asking.spend)
    if asking.token is None:
        return await _by_shelf(core, asking)
    if could_matter(request, asking.now):
        where = core.partition(request.context.actor)
        asking = await _recognised(core, asking, await core.load(where, LOOKED_UP))
        if (found := freshness.by_session(asking.request, core.methods, asking.now)) is not None:
            return Found(found)
    return await _by_token(core, asking)


async def _recognised(core: Core, asking: Asking, snapshot: Snapshot) -> Asking:
    """*asking*, from a device that is remembered or not; one whose older token was used again is ended."""
    request = trusting(asking.request, snapshot, asking.now)
    if asking.spend and request.reused is not None:
        await _end_reused(core, asking, request)
    return replace(asking, request=request)


async def _end_reused(core: Core, asking: Asking, request: Request) -> None:
    """End the device at once, or when the caller's transaction has ended, which may hold the only writer."""
    if asking.through is None:
        await end_reused(core, request, asking.now)
    else:
        asking.through.afterwards(lambda _: end_reused(core, request, asking.now))


async def _by_token(core: Core, asking: Asking) -> Found:
    claims = core.grants.read(asking.token)
    grant = None if claims is None else from_claims(claims, core.namespace, core.audience)
    candidate = pure.by_token(asking.request, grant, asking.now)
    if candidate.grant is None:
        return Found(invalid(core, asking, candidate.reasons))
    if candidate.to_judge and not await still_good(core, asking, candidate.grant):
        return Found(invalid(core, asking, ("rules_changed",)))
    refusal, remaining = await redeem(core, asking, candidate.grant)
    if refusal is None:
        return _passed(asking, "token", candidate.grant, remaining)
    decision = invalid(core, asking, (refusal,))
    if asking.spend:
        await write(core, asking, recorded(asking, decision))
    return Found(decision, recorded=True)


async def _by_shelf(core: Core, asking: Asking) -> Found:
    where, now = core.partition(asking.request.context.actor), asking.now
    snapshot = await core.load(where, (*pure.authorize_keys(asking.request), THROTTLE, ROSTER))
    asking = await _recognised(core, asking, snapshot)
    request = asking.request
    if is_disabled(snapshot):
        return Found(request.denied(Code.ACTION_BLOCKED, "disabled"))
    if request.trusted is not None and (found := freshness.by_session(request, core.methods, now)) is not None:
        return Found(found)
    shelf = pure.shelf_of(request, snapshot)
    if proved := freshness.earlier_proofs(request, shelf, snapshot, now):
        grants = await core.load(where, tuple(dict.fromkeys(grant_key(one.grant_id) for one in proved)))
        if (passed := freshness.by_step_up(request, proved, grants, now)) is not None:
            return Found(passed)
    candidates, why = pure.by_shelf(request, shelf, snapshot, now)
    if len(candidates) > 1:
        candidates, why = await _unspent(core, asking, candidates)
    for candidate in candidates:
        passed_by, why = await _try_shelf(core, asking, candidate)
        if passed_by is not None:
            return passed_by
    return await _unproved(core, asking, snapshot, why)


async def _unproved(core: Core, asking: Asking, snapshot: Snapshot, why: tuple[str, ...]) -> Found:
    """No grant covers the call: what could be proved for it, or why nothing can."""
    request, now = asking.request, asking.now
    held, look = await held_now(core, asking, snapshot)
    reasons = (*freshness.stale(request, now), *(Reason(one) for one in why))
    code = Code.GRANT_REQUIRED if "token_required" in why else Code.VERIFICATION_REQUIRED
    if await asked_before(core, request, snapshot, None, now) is not None:
        code = Code.APPROVAL_PENDING
    decision = answer(
        request, held, now, code=code, reasons=reasons, enrol_url=core.enrol_url, login_url=core.login_url
    )
    if asking.spend and decision.outcome is Outcome.DENIED:
        # Nothing else will remember what was seen of the factors, and a quarantine not begun would never end.
        seen = remember(snapshot, look.own, look.methods, now)
        if seen is not None:
            await write(core, asking, Changes(now, (seen,)), once=True)
    return Found(with_offer(core, asking, decision))


async def _unspent(
    core: Core, asking: Asking, candidates: tuple[pure.Candidate, ...]
) -> tuple[tuple[pure.Candidate, ...], tuple[str, ...]]:
    """Those of several grants that still stand, by one look, so that spent ones cost no tries."""
    grants = [one.grant for one in candidates if one.grant is not None]
    keys = dict.fromkeys(key for grant in grants for key in redeeming.grant_keys(grant))
    snapshot = await core.load(core.partition(asking.request.context.actor), tuple(keys))
    live = tuple(one for one in candidates if one.grant is not None and redeeming.standing(one.grant, snapshot) is None)
    return live[: pure.SHELF_TRIES], ("spent",)


async def _try_shelf(core: Core, asking: Asking, candidate: pure.Candidate) -> tuple[Found | None, tuple[str, ...]]:
    """Use one grant of the shelf, or say why it cannot be used."""
    grant = candidate.grant
    assert grant is not None  # by_shelf() gives only those that cover the call
    if candidate.to_judge and not await still_good(core, asking, grant):
        return None, ("rules_changed",)
    refusal, remaining = await redeem(core, asking, grant)
    return (_passed(asking, "grant", grant, remaining), ()) if refusal is None else (None, (refusal,))


def _passed(asking: Asking, by: str, grant: Grant, remaining: int | None) -> Found:
    decision = pure.allowed(asking.request, by, grant_id=grant.id)
    return Found(decision, grant, remaining, recorded=writes(asking, grant))

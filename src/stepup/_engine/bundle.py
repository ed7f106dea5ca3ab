"""``require_bundle`` and ``check_bundle``: several calls, let pass together or not at all.

A single call of a bundle needs nothing from here: ``require`` takes the bundle's token, and spends that one call. Store
calls with a token: one, whatever the number of calls; refused by the token's own claims, none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stepup.bearer import from_claims
from stepup.bundle import Item
from stepup.changes import ROSTER, THROTTLE, claim_key
from stepup.context import Context
from stepup.decide import authorize as pure
from stepup.decide import freshness, redeeming
from stepup.decide.authorize import Candidate
from stepup.decide.holding import answer
from stepup.decide.request import Request, refused_outright
from stepup.decide.signal import is_disabled
from stepup.decision import Authorization, Decision, Outcome, Reason
from stepup.errors import Code, StoreBusy
from stepup.grant import Claim, Grant

from .core import TRIES, Core, event_id
from .question import Asking, Found, asked, held_now, invalid, joining, note, recorded, refusing, with_offer, write

Taken = tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Use:
    """One call of a bundle, and the grant as that call uses it."""

    request: Request
    grant: Grant


async def require_bundle(
    core: Core,
    items: Iterable[Item],
    context: Context,
    token: object,
    request_id: str | None,
    within: object = None,
) -> tuple[Authorization, ...]:
    """Let every call pass, spending each, or raise; see ``StepUp.require_bundle``."""
    request = await core.bundle(items, context)
    asking = await joining(core, asked(core, request, token, request_id, spend=True), within)
    found = await _decide(core, asking)
    await note(core, asking, found)
    decision = found.decision
    if decision.outcome is not Outcome.ALLOWED:
        raise refusing(decision)
    by, grant = decision.satisfied_by or "", found.grant
    each = [(one, pure.allowed(one, by, grant_id=decision.grant_id)) for one in request.items]
    return tuple(pure.authorization(one, made, asking.now, grant, found.remaining) for one, made in each)


async def check_bundle(core: Core, items: Iterable[Item], context: Context, token: object) -> Decision:
    """Decide without spending or recording anything; see ``StepUp.check_bundle``."""
    request = await core.bundle(items, context)
    return (await _decide(core, asked(core, request, token, None, spend=False))).decision


async def _decide(core: Core, asking: Asking) -> Found:
    request = asking.request
    if (denied := refused_outright(request)) is not None:
        return Found(denied)
    open_by = [_open(core, one, asking) for one in request.items]
    if all(one is not None for one in open_by):
        found = pure.allowed(request, "+".join(sorted({one.satisfied_by or "" for one in open_by if one is not None})))
        if asking.spend and found.satisfied_by != "session":
            await write(core, asking, recorded(asking, found))
        return Found(found, recorded=asking.spend and found.satisfied_by != "session")
    if asking.token is not None:
        return await _by_token(core, asking)
    return await _by_shelf(core, asking)


def _open(core: Core, one: Request, asking: Asking) -> Decision | None:
    """Whether one call would pass by itself."""
    found = freshness.by_session(one, core.methods, asking.now)
    return freshness.by_surface(one) if found is None else found


async def _by_token(core: Core, asking: Asking) -> Found:
    claims = core.grants.read(asking.token)
    grant = None if claims is None else from_claims(claims, core.namespace, core.audience)
    taken, why = pure.of_bundle(asking.request, grant, asking.now)
    if why:
        return Found(invalid(core, asking, why))
    uses = _uses(asking, taken)
    if not await _still_good(core, asking, taken, uses):
        return Found(invalid(core, asking, ("rules_changed",)))
    refusal = await _redeem(core, asking, uses)
    if refusal is None:
        return _passed(asking, "token", uses)
    decision = invalid(core, asking, (refusal,))
    if asking.spend:
        await write(core, asking, recorded(asking, decision))
    return Found(decision, recorded=True)


async def _by_shelf(core: Core, asking: Asking) -> Found:
    request, now = asking.request, asking.now
    snapshot = await core.load(core.partition(request.context.actor), (*pure.authorize_keys(request), THROTTLE, ROSTER))
    if is_disabled(snapshot):
        return Found(request.denied(Code.ACTION_BLOCKED, "disabled"))
    found, why = pure.bundles_on_shelf(request, pure.shelf_of(request, snapshot), snapshot, now)
    for taken in found:
        uses = _uses(asking, taken)
        if not await _still_good(core, asking, taken, uses):
            why = ("rules_changed",)
        elif (refusal := await _redeem(core, asking, uses)) is None:
            return _passed(asking, "grant", uses)
        else:
            why = (refusal,)
    held, _ = await held_now(core, asking, snapshot)
    code = Code.GRANT_REQUIRED if "token_required" in why else Code.VERIFICATION_REQUIRED
    reasons = tuple(Reason(one) for one in why)
    urls = {"enrol_url": core.enrol_url, "login_url": core.login_url}
    return Found(with_offer(core, asking, answer(request, held, now, code=code, reasons=reasons, **urls)))


def _uses(asking: Asking, taken: Taken) -> tuple[Use, ...]:
    pairs = zip(asking.request.items, taken, strict=True)
    return tuple(Use(one, candidate.grant) for one, candidate in pairs if candidate.grant is not None)


def _passed(asking: Asking, by: str, uses: tuple[Use, ...]) -> Found:
    grant = uses[0].grant
    return Found(pure.allowed(asking.request, by, grant_id=grant.id), grant, 0, recorded=asking.spend)


async def _still_good(core: Core, asking: Asking, taken: Taken, uses: tuple[Use, ...]) -> bool:
    """Judge the proofs anew for the calls whose rules have changed since the grant was minted."""
    changed = [use for use, candidate in zip(uses, taken, strict=True) if candidate.to_judge]
    if not changed:
        return True
    snapshot = await core.load(core.partition(asking.request.context.actor), (THROTTLE, ROSTER))
    held, _ = await held_now(core, asking, snapshot)
    return all(pure.still_good(use.request, use.grant, held.strongest, asking.now) for use in changed)


async def _redeem(core: Core, asking: Asking, uses: tuple[Use, ...]) -> str | None:
    """Spend every call, or see whether all of them stand; why not, if not."""
    where = core.partition(asking.request.context.actor)
    if not asking.spend:
        return (await _why_not(core, asking, uses))[0]
    for _ in range(TRIES):
        pairs = [(use.request, use.grant) for use in uses]
        changes = redeeming.redeem_all(pairs, asking.now, [event_id() for _ in uses], asking.request_hash)
        lost = await core.apply(where, changes, asking.through)
        if lost is None:
            return None
        if lost.key is None:
            continue
        why, own = await _why_not(core, asking, uses)
        return None if own else why or "revoked"
    raise StoreBusy(f"Redeeming met a conflict of unknown cause {TRIES} times.")


async def _why_not(core: Core, asking: Asking, uses: tuple[Use, ...]) -> tuple[str | None, bool]:
    """Why a call cannot be spent any more, None if all can; and whether this very request has spent them all."""
    keys = dict.fromkeys(key for use in uses for key in redeeming.grant_keys(use.grant))
    snapshot = await core.load(core.partition(asking.request.context.actor), tuple(keys), asking.through)
    why = next((why for use in uses if (why := redeeming.standing(use.grant, snapshot)) is not None), None)
    claims = [snapshot.get(claim_key(use.grant.claim), Claim) for use in uses]
    own = asking.through is None and all(redeeming.same_request(claim, asking.request_hash) for claim in claims)
    return why, why == "spent" and own

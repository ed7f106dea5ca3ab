"""Spending a grant for a call, or seeing that it stands: orchestration of ``decide.redeeming``."""

from __future__ import annotations

from stepup.changes import Changes, Snapshot, claim_key
from stepup.decide import redeeming
from stepup.errors import StoreBusy
from stepup.grant import Claim, Grant

from .core import TRIES, Core, event_id
from .question import Asking


def writes(asking: Asking, grant: Grant) -> bool:
    """Whether redeeming is a batch; in a transaction of the caller's it always is, so that it holds until the end."""
    return asking.spend and (asking.through is not None or redeeming.writes_on_redeem(asking.request, grant))


async def redeem(core: Core, asking: Asking, grant: Grant) -> tuple[str | None, int | None]:
    """Spend the grant, or see whether it stands: ``(refusal, remaining)``."""
    request = asking.request
    where = core.partition(request.context.actor)
    if not writes(asking, grant):
        snapshot = await core.load(where, redeeming.grant_keys(grant))
        return redeeming.standing(grant, snapshot), None
    if grant.uses is not None and grant.uses > 1:
        return await _redeem_counted(core, asking, grant)
    for _ in range(TRIES):
        changes = redeeming.redeem(request, grant, asking.now, event_id(), asking.request_hash)
        lost = await core.apply(where, changes, asking.through)
        if lost is None:
            return None, 0 if grant.uses else None
        if lost.key is None:
            continue
        refusal = redeeming.lost_because(grant, lost.key)
        return await _why_spent(core, asking, grant) if refusal == "spent" else (refusal, None)
    raise StoreBusy(f"Redeeming met a conflict of unknown cause {TRIES} times.")


async def _redeem_counted(core: Core, asking: Asking, grant: Grant) -> tuple[str | None, int | None]:
    def decide(snapshot: Snapshot) -> tuple[Changes | None, tuple[str | None, int | None]]:
        changes, refusal, left = redeeming.redeem_counted(
            asking.request, grant, snapshot, asking.now, event_id(), asking.request_hash
        )
        if changes is None and refusal is None and asking.through is not None:
            return None, ("spent", None)  # as in _why_spent()
        return changes, (refusal, left)

    where = core.partition(asking.request.context.actor)
    return await core.commit(where, redeeming.grant_keys(grant), decide, through=asking.through)


async def _why_spent(core: Core, asking: Asking, grant: Grant) -> tuple[str | None, int | None]:
    """Whether the claim was made by this very request, by a revocation, or by somebody else."""
    where = core.partition(asking.request.context.actor)
    snapshot = await core.load(where, redeeming.grant_keys(grant), asking.through)
    claim, refusal = snapshot.get(claim_key(grant.claim), Claim), redeeming.standing(grant, snapshot) or "spent"
    # In a transaction of the caller's the action was committed with the claim: letting it pass would do it twice.
    own = asking.through is None and redeeming.same_request(claim, asking.request_hash)
    return (None, 0) if refusal == "spent" and own else (refusal, None)

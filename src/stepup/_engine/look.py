"""``cancel`` and ``challenge``: closing a challenge, and looking at one, or further: at what still leads on."""

from __future__ import annotations

from stepup.approval import Standing
from stepup.challenge import Challenge, observed
from stepup.changes import THROTTLE, Changes, Snapshot, challenge_key
from stepup.context import Context
from stepup.decide import approval, revoke
from stepup.decide.standing import Refusal, answer_keys, check_open, remaining
from stepup.throttle import Throttle, open_ids

from .core import Core, ids
from .opened import open_challenge


async def cancel(core: Core, challenge_id: object, context: Context) -> bool:
    """Close a challenge; see ``StepUp.cancel``."""
    now = core.now()
    opened = await open_challenge(core, challenge_id, "", context, now)
    if isinstance(opened, Refusal):
        return False
    keys = answer_keys(opened.challenge.id, opened.request.binding.session, "")

    def decide(snapshot: Snapshot) -> tuple[Changes | None, bool]:
        current = snapshot.get(challenge_key(opened.challenge.id), Challenge)
        if current is None or check_open(current, opened.request, snapshot, now) is not None:
            return None, False
        if current.asked is not None:
            return approval.ended(current, Standing.WITHDRAWN, context, snapshot, now, ids()), True
        return revoke.cancel(current, context, snapshot, now, ids()), True

    return await core.commit(core.partition(context.actor), keys, decide)


async def look(core: Core, challenge_id: object, context: Context) -> Challenge | None:
    """The challenge as it stands; see ``StepUp.challenge``."""
    found = await look_further(core, challenge_id, context)
    return None if found is None else found[0]


async def look_further(core: Core, challenge_id: object, context: Context) -> tuple[Challenge, tuple[str, ...]] | None:
    """The challenge as it stands, and the methods that still lead on, strongest first."""
    now = core.now()
    opened = await open_challenge(core, challenge_id, "", context, now)
    if isinstance(opened, Refusal):
        return None
    request = opened.request
    if opened.challenge.binding.mismatches(request.binding, request.action.bound | {"session"}):
        return None
    throttle = opened.snapshot.get(THROTTLE, Throttle) or Throttle()
    return observed(opened.challenge, open_ids(throttle), now), remaining(opened.challenge, request, now)

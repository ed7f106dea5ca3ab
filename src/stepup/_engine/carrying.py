"""A session whose id changes takes its requests for approval along, as it takes its grants.

Every finished step-up renews a session, and others may take a day: a request must outlive that. It is a batch of its
own after the one that renewed; if it never comes, the request has ended with the old id, which is the safe side.
"""

from __future__ import annotations

from datetime import datetime

from stepup.challenge import Challenge
from stepup.changes import ACTOR_EPOCH, FENCE, THROTTLE, Changes, Snapshot, challenge_key, session_epoch
from stepup.decide import approval as pure
from stepup.errors import Unavailable
from stepup.throttle import Throttle

from .core import Core, logger


async def carry(core: Core, where: str, old: str | None, new: str | None, epoch: int | None, now: datetime) -> None:
    """Move the requests of the session *old* that still waited to *new*; what cannot be moved has ended.

    *epoch* is that of the new session as the renewal left it. Whoever signs out of it before the move ends them, too.
    """
    if epoch is None or core.approval is None or old is None or new is None:
        return
    try:
        throttle = (await core.load(where, (THROTTLE,))).get(THROTTLE, Throttle) or Throttle()
        for one in throttle.open:
            if one.asked and one.expires_at > now:
                await _carry(core, where, one.id, old, new, epoch, now)
    except Unavailable as error:  # what was minted a moment ago is not lost with it
        logger.warning("requests for approval were not moved to the new session: %s", type(error).__name__)


async def _carry(core: Core, where: str, name: str, old: str, new: str, epoch: int, now: datetime) -> None:
    keys = (challenge_key(name), THROTTLE, ACTOR_EPOCH, FENCE, session_epoch(old), session_epoch(new))

    def decide(snapshot: Snapshot) -> tuple[Changes | None, None]:
        challenge = snapshot.get(challenge_key(name), Challenge)
        return (None, None) if challenge is None else (pure.carried(challenge, old, new, epoch, snapshot, now), None)

    await core.commit(where, keys, decide)

"""A device token that was used again after it was replaced: the device it was for is ended, and the audit told."""

from __future__ import annotations

from datetime import datetime

from stepup.binding import Binding
from stepup.changes import Changes, Snapshot
from stepup.context import Context
from stepup.decide import device as pure
from stepup.decide.request import Request
from stepup.device import Presented

from .core import Core, event_id


async def end_reused(core: Core, request: Request, now: datetime) -> None:
    """End the device whose older token came with *request*, if that is what was found."""
    if request.reused is not None:
        await end_device(core, request.context, request.binding, request.presented, now)


async def end_device(
    core: Core, context: Context, binding: Binding, presented: Presented | None, now: datetime
) -> None:
    """End the device whose older token *presented* is, if it still is."""

    def decide(snapshot: Snapshot) -> tuple[Changes | None, None]:
        return pure.reused(context, binding, presented, snapshot, now, event_id()), None

    await core.commit(core.partition(context.actor), pure.LOOKED_UP, decide)

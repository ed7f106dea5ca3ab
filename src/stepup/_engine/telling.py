"""Telling a person out of band: after the fact, by mail and by the ``notify`` hook.

It can neither grant nor block: whatever mailer, hook, words or store do here, what happened stands and the call goes
on. What was not taken is recorded as ``delivery_failed``. Kinds with a limit count first and tell second, so that
many at once tell once; what nobody took is taken back.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from stepup.changes import FOREVER, TOLD, Changes, Snapshot
from stepup.context import Context
from stepup.event import Event, EventType, event
from stepup.told import Limit, Notice, Told, kinds_of, telling, untelling

if TYPE_CHECKING:
    from .core import Core

logger = logging.getLogger("stepup")


async def tell_of(core: Core, context: Context, events: Iterable[Event], about: str | None = None) -> None:
    """Tell the person in *context* what *events* of theirs raise; *about* is the action's label."""
    for one in events:
        for kind in kinds_of(one):
            notice = Notice.of(
                kind, context, one.at, method=one.method, about=about or None, challenge_id=one.challenge_id
            )
            await tell(core, context, notice)


async def tell(core: Core, context: Context, notice: Notice) -> None:
    """Tell the person in *context* of *notice*; see the module."""
    try:
        await _tell(core, context, notice)
    except Exception as error:  # noqa: BLE001 -- the store, counting or recording: it must not undo what happened
        logger.warning("a notice (%s) could not be counted or recorded: %s", notice.kind, type(error).__name__)


async def _tell(core: Core, context: Context, notice: Notice) -> None:
    mails = core.send is not None and notice.actor.email is not None
    if not core.notices.tells(notice.kind) or not (mails or core.notify is not None):
        return
    limit = core.notices.limit(notice.kind)
    if limit is not None and not await _counted(core, context, notice, limit):
        return
    taken = False
    if core.notify is not None:
        taken |= await _handed(core, context, notice, "hook", core.notify, lambda: notice)
    if core.send is not None and mails:
        taken |= await _handed(core, context, notice, "mail", core.send, lambda: core.notices.mail(notice))
    if limit is not None and not taken:
        await _taken_back(core, context, notice)


async def _handed(
    core: Core,
    context: Context,
    notice: Notice,
    by: str,
    function: Callable[..., object],
    what: Callable[[], object],
) -> bool:
    """Hand it over; that it was not taken is recorded."""
    try:
        await core.call(function, what())
    except Exception as error:  # noqa: BLE001 -- what happened stands; that nobody was told is recorded
        logger.warning("a notice (%s) was not taken by the %s: %s", notice.kind, by, type(error).__name__)
        now = core.now()
        made = event(
            secrets.token_hex(16),
            now,
            EventType.DELIVERY_FAILED,
            "refused",
            context,
            reason="notice",
            method=notice.method,
            challenge_id=notice.challenge_id,
            detail={"notice": notice.kind.value, "by": by},
        )
        await core.record(core.partition(context.actor), Changes(now, events=(made,)))
        return False
    return True


async def _counted(core: Core, context: Context, notice: Notice, limit: Limit) -> bool:
    """Count the notice; False where there were enough of its kind."""

    def decide(snapshot: Snapshot) -> tuple[Changes | None, bool]:
        made = telling(snapshot.get(TOLD, Told) or Told(), notice.kind, limit, notice.at)
        return (None, False) if made is None else (_put(snapshot, made, notice), True)

    return await core.commit(core.partition(context.actor), (TOLD,), decide)


async def _taken_back(core: Core, context: Context, notice: Notice) -> None:
    def decide(snapshot: Snapshot) -> tuple[Changes, None]:
        return _put(snapshot, untelling(snapshot.get(TOLD, Told) or Told(), notice.kind, notice.at), notice), None

    await core.commit(core.partition(context.actor), (TOLD,), decide)


def _put(snapshot: Snapshot, told: Told, notice: Notice) -> Changes:
    return Changes(notice.at, (snapshot.put(TOLD, told, expires_at=FOREVER),))

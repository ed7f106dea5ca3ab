"""Telling the application about decisions that leave no event: coalesced and rate limited.

A refused token or a fresh session costs no store call, so it must not cost one to hear of it either, and a
caller in a loop must not flood the listener. The first decision of a kind (actor, action, code) is told at
once; more of it within ten seconds are counted and told with the next.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from ._engine.core import Observe, logger
from .context import Context
from .decision import Decision
from .ports import Call, Clock

WINDOW: Final = timedelta(seconds=10)
KINDS: Final = 4096

Told = Callable[[Decision, Context, int], object]
Kind = tuple[str, str, str, str]


class Coalescer:
    """Decides which decisions to tell, and how many went untold. Thread-safe and bounded."""

    def __init__(self) -> None:
        self._seen: OrderedDict[Kind, tuple[datetime, int]] = OrderedDict()
        self._lock = threading.Lock()

    def due(self, kind: Kind, now: datetime) -> int | None:
        """How many decisions of *kind* to tell about now, this one included; None for not yet."""
        with self._lock:
            told_at, untold = self._seen.pop(kind, (None, 0))
            if told_at is not None and now - told_at < WINDOW:
                self._seen[kind] = (told_at, untold + 1)
                return None
            self._seen[kind] = (now, 0)
            while len(self._seen) > KINDS:
                self._seen.popitem(last=False)
            return untold + 1


def observer(on_decision: Told, call: Call, clock: Clock) -> Observe:
    """A hook for the engine that tells *on_decision* about decisions: ``(decision, context, count)``."""
    coalescer = Coalescer()

    async def observe(decision: Decision, context: Context) -> None:
        kind = (context.actor.tenant, context.actor.id, decision.action, decision.code.value)
        count = coalescer.due(kind, clock.now())
        if count is None:
            return
        try:
            await call(on_decision, decision, context, count)
        except Exception as error:  # noqa: BLE001 -- a listener cannot undo a decision
            logger.warning("on_decision raised %s", type(error).__name__)

    return observe

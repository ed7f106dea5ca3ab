"""Gates that are broken on purpose: what the judge of the points must find. Each is made like ``StepUp``.

============= ==============================================================================
gate          what is wrong with it
============= ==============================================================================
``trusting``  takes whatever a store answers for applied, unless it is ``Lost``
``hopeful``   takes a store that fails for one that has written
``bare``      lets a store's exceptions through as they are
``talkative`` puts the token's key into what it raises
============= ==============================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from faults_faces import SECRET

from stepup import StepUp
from stepup._engine.core import Core
from stepup._sync import Factors
from stepup.changes import Changes, Key, Lost, Snapshot
from stepup.errors import StoreUnavailable
from stepup.ports import Joined


class Trusting(Core):
    """Nothing it gets is looked at."""

    __slots__ = ()

    async def apply(self, where: str, changes: Changes, through: Joined | None = None) -> Lost | None:
        answer = await self.store.apply(where, changes)
        return answer if isinstance(answer, Lost) else None


class Hopeful(Core):
    """An error is as good as an answer."""

    __slots__ = ()

    async def apply(self, where: str, changes: Changes, through: Joined | None = None) -> Lost | None:
        try:
            answer = await self.store.apply(where, changes)
        except Exception:
            return None
        return answer if isinstance(answer, Lost) else None


class Bare(Core):
    """What the store raises is what the caller gets."""

    __slots__ = ()

    async def load(self, where: str, keys: Sequence[Key], *rest: Any, **more: Any) -> Snapshot:
        return Snapshot.of(keys, await self.store.load(where, keys))


class Talkative(Core):
    """Its errors say too much."""

    __slots__ = ()

    async def load(self, where: str, keys: Sequence[Key], *rest: Any, **more: Any) -> Snapshot:
        try:
            return Snapshot.of(keys, await self.store.load(where, keys))
        except Exception as error:
            raise StoreUnavailable(f"No answer to the one who signs with {SECRET!r}.") from error


def _gate(core: type[Core], given: dict[str, Any]) -> StepUp:
    made = StepUp(**given)
    made.core = core(**{one.name: getattr(made.core, one.name) for one in fields(Core)})
    made.factors = Factors(made.core)
    return made


def trusting(**given: Any) -> StepUp:
    """A gate that takes anything for applied."""
    return _gate(Trusting, given)


def hopeful(**given: Any) -> StepUp:
    """A gate that takes an error for applied."""
    return _gate(Hopeful, given)


def bare(**given: Any) -> StepUp:
    """A gate that lets a driver's errors through."""
    return _gate(Bare, given)


def talkative(**given: Any) -> StepUp:
    """A gate whose errors show its key."""
    return _gate(Talkative, given)

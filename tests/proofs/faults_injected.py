"""The store that goes wrong: it does the armed fault in one of its calls, and is as good as the one inside otherwise.

``SyncInjected`` is a sync store and ``AsyncInjected`` an async one, over whatever store they are given. Both number
their calls, and tell an observer of every batch that was really committed: a caller may have been told otherwise.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol, cast

from faults_kinds import APPLY, EVENTS, LOAD, PURGE, Fault, Shot

from stepup._bridge import run_sync
from stepup.changes import APPLIED, Applied, Changes, Key, Lost, Page, Partition, Record
from stepup.event import Event
from stepup.ports import AsyncStore, Store


class Observer(Protocol):
    """Is told what was really committed."""

    def committed(self, partition: Partition, changes: Changes) -> None:
        """A batch was written."""
        ...

    def purged(self, before: datetime) -> None:
        """Expired records may be gone."""
        ...


Real = Callable[[], Awaitable[Any]]


class Injected:
    """The numbering and the fault, written once; ``SyncInjected`` and ``AsyncInjected`` are its faces."""

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        self.fault: Fault | None = None
        self.at = -1
        self.hit = False
        self.calls: list[Shot] = []
        self.raised: BaseException | None = None
        self.before: dict[tuple[Partition, Key], Record | None] = {}
        self.last: dict[tuple[Partition, Key], Record | None] = {}
        self.now: dict[tuple[Partition, Key], Record | None] = {}

    def arm(self, fault: Fault | None, at: int) -> None:
        """Do *fault* at the call numbered *at* from here on."""
        self.fault, self.at, self.hit, self.calls = fault, at, False, []

    def heal(self) -> None:
        """Do nothing wrong any more."""
        self.fault = None

    async def call(self, shot: Shot, real: Real) -> tuple[bool, Any]:
        """One call: whether it raises, and what."""
        fault = self.fault if self.fault is not None and len(self.calls) == self.at else None
        self.calls.append(shot)
        if fault is None or shot.method not in fault.methods:
            return False, await self._really(shot, real)
        self.hit = True
        if fault.acts:
            shot = replace(shot, real=await self._really(shot, real), before=self.before, last=self.last)
        if fault.raising is not None:
            self.raised = fault.raising()
            return True, self.raised
        assert fault.answer is not None
        return False, fault.answer(shot)

    async def _really(self, shot: Shot, real: Real) -> Any:
        found = await real()
        self.calls[-1] = replace(self.calls[-1], real=found)
        if shot.method == APPLY and found is APPLIED:
            assert shot.changes is not None
            self.last = {
                (shot.partition, put.key): self.now.get((shot.partition, put.key)) for put in shot.changes.puts
            }
            for put in shot.changes.puts:
                place = (shot.partition, put.key)
                self.before[place] = self.now.get(place)
                self.now[place] = replace(put, version=put.version + 1)
            self.observer.committed(shot.partition, shot.changes)
        return found


def _given(outcome: tuple[bool, Any]) -> Any:
    raises, what = outcome
    if raises:
        raise what
    return what


class SyncInjected(Injected):
    """A sync store."""

    def __init__(self, inner: Store, observer: Observer) -> None:
        super().__init__(observer)
        self.inner = inner

    def _do(self, shot: Shot, real: Callable[[], Any]) -> Any:
        async def made() -> Any:
            return real()

        return _given(run_sync(self.call(shot, made)))

    def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
        found = self._do(Shot(LOAD, partition, keys), lambda: self.inner.load(partition, keys))
        return cast("Sequence[Record | None]", found)

    def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        shot = Shot(APPLY, partition, changes=changes)
        found = self._do(shot, lambda: self.inner.apply(partition, changes))
        return cast("Applied | Lost", found)

    def list(self, tag: str, *, after: str | None, limit: int) -> Page[Record]:
        return self.inner.list(tag, after=after, limit=limit)

    def events(self, partition: Partition, *, after: str | None, limit: int) -> Page[Event]:
        shot = Shot(EVENTS, partition)
        found = self._do(shot, lambda: self.inner.events(partition, after=after, limit=limit))
        return cast("Page[Event]", found)

    def purge(self, before: datetime, *, limit: int = 1000) -> int:
        self.observer.purged(before)
        found = self._do(Shot(PURGE), lambda: self.inner.purge(before, limit=limit))
        return cast(int, found)


class AsyncInjected(Injected):
    """An async store."""

    def __init__(self, inner: AsyncStore, observer: Observer) -> None:
        super().__init__(observer)
        self.inner = inner

    async def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
        shot = Shot(LOAD, partition, keys)
        found = _given(await self.call(shot, lambda: self.inner.load(partition, keys)))
        return cast("Sequence[Record | None]", found)

    async def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        shot = Shot(APPLY, partition, changes=changes)
        found = _given(await self.call(shot, lambda: self.inner.apply(partition, changes)))
        return cast("Applied | Lost", found)

    async def list(self, tag: str, *, after: str | None, limit: int) -> Page[Record]:
        return await self.inner.list(tag, after=after, limit=limit)

    async def events(self, partition: Partition, *, after: str | None, limit: int) -> Page[Event]:
        shot = Shot(EVENTS, partition)
        found = _given(await self.call(shot, lambda: self.inner.events(partition, after=after, limit=limit)))
        return cast("Page[Event]", found)

    async def purge(self, before: datetime, *, limit: int = 1000) -> int:
        self.observer.purged(before)
        found = _given(await self.call(Shot(PURGE), lambda: self.inner.purge(before, limit=limit)))
        return cast(int, found)

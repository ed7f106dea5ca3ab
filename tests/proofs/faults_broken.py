"""Stores that break their promise on purpose: what the kill proofs and the points must find.

======== ===========================================================================================
name     what it does
======== ===========================================================================================
torn     writes the puts of a batch and its events in two transactions
early    says APPLIED first and writes afterwards
deaf     says APPLIED and writes nothing, every third time
hearsay  judges puts by what it remembers itself, and overwrites whatever is there
======== ===========================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from stepup.changes import APPLIED, Applied, Changes, Key, Lost, Page, Partition, Record
from stepup.event import Event
from stepup.ports import Store


class Delegating:
    """A store that does what another does."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
        return self.inner.load(partition, keys)

    def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        return self.inner.apply(partition, changes)

    def list(self, tag: str, *, after: str | None, limit: int) -> Page[Record]:
        return self.inner.list(tag, after=after, limit=limit)

    def events(self, partition: Partition, *, after: str | None, limit: int) -> Page[Event]:
        return self.inner.events(partition, after=after, limit=limit)

    def purge(self, before: datetime, *, limit: int = 1000) -> int:
        return self.inner.purge(before, limit=limit)


class Torn(Delegating):
    """Two transactions for one batch."""

    def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        answer = self.inner.apply(partition, replace(changes, events=()))
        if answer is APPLIED and changes.events:
            self.inner.apply(partition, replace(changes, puts=(), checks=(), erase=False))
        return answer


class Early(Delegating):
    """Acknowledges a batch, and writes it when the next call comes."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self._waiting: list[tuple[Partition, Changes]] = []

    def _write(self) -> None:
        while self._waiting:
            self.inner.apply(*self._waiting.pop(0))

    def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
        self._write()
        return self.inner.load(partition, keys)

    def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        self._write()
        keys = list(dict.fromkeys((*(put.key for put in changes.puts), *(check.key for check in changes.checks))))
        held = {
            key: record.version if record else 0
            for key, record in zip(keys, self.inner.load(partition, keys), strict=True)
        }
        for key, version in (*((put.key, put.version) for put in changes.puts), *changes.checks):
            if held[key] != version:
                return Lost(key)
        self._waiting.append((partition, changes))
        return APPLIED

    def events(self, partition: Partition, *, after: str | None, limit: int) -> Page[Event]:
        self._write()
        return self.inner.events(partition, after=after, limit=limit)


class Deaf(Delegating):
    """Says APPLIED without writing, every third time."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self._calls = 0

    def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        self._calls += 1
        return APPLIED if self._calls % 3 == 0 else self.inner.apply(partition, changes)


class Hearsay(Delegating):
    """Last writer wins: a put that lost is written all the same."""

    def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        keys = [put.key for put in changes.puts]
        held = {
            key: record.version if record else 0
            for key, record in zip(keys, self.inner.load(partition, keys), strict=True)
        }
        puts = tuple(replace(put, version=held[put.key]) for put in changes.puts)
        return self.inner.apply(partition, replace(changes, puts=puts, checks=()))


BROKEN: Final = {"torn": Torn, "early": Early, "deaf": Deaf, "hearsay": Hearsay}


def broken_store(store: Any, how: str | None) -> Any:
    """*store*, broken in the way named; as it is without a name."""
    return store if how is None else BROKEN[how](store)

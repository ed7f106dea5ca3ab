"""The reference store: dictionaries behind one lock. For tests, demos and scripts.

- ``MemoryStore``: the contract of ``stepup.ports.Store``, step by step.
- ``AsyncMemoryStore``: the same body for the async face; several faces may share one body.

**What it forgets.** Everything is lost when the process ends, and nothing is shared between processes: with
several workers, a person would get the attempt limits once per worker. What a lost store had minted is refused,
because every store draws a fence of its own, and a copy of it made by ``fork`` refuses to answer at all.

**Bounds.** Records are bounded in all and per person. At a bound, expired records are reclaimed (judged by
``changes.at``, since the store reads no clock); if that is not enough, the batch is refused with ``StoreFull``.
A live record is never evicted: a forgotten counter would be free guesses, a forgotten claim a second use.
Events are bounded too, and there the oldest give way to the newest: this is no archive.

**Cost.** ``apply`` grows with its batch, not with the store; how is said in ``_tables``, where the data are kept.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from stepup.changes import APPLIED, FENCE, Applied, Changes, Fence, Key, Lost, Page, Partition, Record
from stepup.errors import ConfigurationError, StoreFull, StoreUnavailable
from stepup.event import Event

from . import _validate
from ._tables import EventTable, RecordTable

_MAX_FENCE: Final = 2**53 - 1  # it travels in tokens, and JSON numbers are exact up to here


class MemoryStore:
    """A store in this process's memory, and nowhere else: lost at restart, unknown to other processes.

    For tests, demos and scripts. Thread-safe: one lock is held while a call looks or writes, never longer.
    Values are immutable and are kept as they are. A put of the fence raises ``InvalidInput``.

    Args:
        max_records: records in all, live or not yet reclaimed.
        max_records_per_partition: records of one person.
        max_events: events in all; beyond it the oldest are dropped.
        max_events_per_partition: events of one person; beyond it the oldest are dropped.

    Raises:
        ConfigurationError: if a bound is not a positive whole number.
    """

    def __init__(
        self,
        *,
        max_records: int = 100_000,
        max_records_per_partition: int = 5_000,
        max_events: int = 100_000,
        max_events_per_partition: int = 1_000,
    ) -> None:
        self._records = RecordTable(
            _bound("max_records", max_records), _bound("max_records_per_partition", max_records_per_partition)
        )
        self._events = EventTable(
            _bound("max_events", max_events), _bound("max_events_per_partition", max_events_per_partition)
        )
        self._fence = Record(FENCE, Fence(), 1 + secrets.randbelow(_MAX_FENCE))
        self._process = os.getpid()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self._records)} records, {len(self._events)} events>"

    def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
        """As ``Store.load``. Expired records are returned until they are purged or reclaimed.

        Raises:
            InvalidInput: for anything but a partition and keys.
            StoreUnavailable: in a forked process.
        """
        _validate.require_partition(partition)
        _validate.require_keys(keys)
        if os.getpid() != self._process:
            raise _forked()
        with self._lock:
            records = self._records.of(partition)
            return [self._fence if key == FENCE else records.get(key) for key in keys]

    def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        """As ``Store.apply``. Checks are judged before puts, so a stale decision is never called a replay.

        Raises:
            InvalidInput: for a batch that is not one, puts a key twice, or puts the fence. Nothing is written.
            StoreFull: if there is no room, and no expired record to make some. Nothing is written.
            StoreUnavailable: in a forked process.
        """
        _validate.require_partition(partition)
        _validate.require_changes(changes)
        if os.getpid() != self._process:
            raise _forked()
        with self._lock:
            lost = self._losing_key(self._records.of(partition), changes)
            if lost is not None:
                return Lost(lost)
            if not self._records.fits(partition, changes):
                self._records.reclaim(changes.at)
                if not self._records.fits(partition, changes):
                    raise StoreFull("The memory store has no room for another live record.")
            if changes.erase:
                self._records.erase(partition, changes)
                self._events.erase(partition)
            for put in changes.puts:
                self._records.write(partition, put)
            self._events.append(partition, changes.events)
        return APPLIED

    def list(self, tag: str, *, after: str | None, limit: int) -> Page[Record]:
        """As ``Store.list``: in the order in which the records got the tag, and never lagging.

        Raises:
            InvalidInput: for anything but a tag, a cursor of an earlier page, and a positive limit.
            StoreUnavailable: in a forked process.
        """
        _validate.require_tag(tag)
        _validate.require_limit(limit)
        cursor = _validate.serial_cursor(after)
        if os.getpid() != self._process:
            raise _forked()
        with self._lock:
            return self._records.tagged(tag, cursor, limit)

    def events(self, partition: Partition, *, after: str | None, limit: int) -> Page[Event]:
        """As ``Store.events``: the newest ``max_events_per_partition``, in the reverse order of writing.

        Raises:
            InvalidInput: for anything but a partition, a cursor of an earlier page, and a positive limit.
            StoreUnavailable: in a forked process.
        """
        _validate.require_partition(partition)
        _validate.require_limit(limit)
        cursor = _validate.serial_cursor(after)
        if os.getpid() != self._process:
            raise _forked()
        with self._lock:
            return self._events.page(partition, cursor, limit)

    def purge(self, before: datetime, *, limit: int = 1000) -> int:
        """As ``Store.purge``. The lock is held meanwhile, about a microsecond per record.

        Raises:
            InvalidInput: for anything but a timezone-aware time and a positive limit.
            StoreUnavailable: in a forked process.
        """
        _validate.require_before(before)
        _validate.require_limit(limit)
        if os.getpid() != self._process:
            raise _forked()
        with self._lock:
            return self._records.reclaim(before, limit)

    def _losing_key(self, records: Mapping[Key, Record], changes: Changes) -> Key | None:
        for key, version in changes.checks:
            held = records.get(key)
            if held is None and key == FENCE:
                held = self._fence
            if (0 if held is None else held.version) != version:
                return key
        for put in changes.puts:
            held = records.get(put.key)
            if (0 if held is None else held.version) != put.version:
                return put.key
        return None


class AsyncMemoryStore:
    """``MemoryStore`` for the async face: same contract, same bounds, lost at restart, single process only.

    It never suspends; a call holds the event loop for microseconds. Safe to use from several event loops and
    threads at once. Faces made over one *inner*, of either colour, see the same records.

    Args:
        inner: the store to share; None makes a new one with default bounds.

    Raises:
        ConfigurationError: if *inner* is not a ``MemoryStore``.
    """

    def __init__(self, inner: MemoryStore | None = None) -> None:
        self._inner = _memory_store(MemoryStore() if inner is None else inner)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} over {self._inner!r}>"

    async def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
        """As ``MemoryStore.load``."""
        return self._inner.load(partition, keys)

    async def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        """As ``MemoryStore.apply``."""
        return self._inner.apply(partition, changes)

    async def list(self, tag: str, *, after: str | None, limit: int) -> Page[Record]:
        """As ``MemoryStore.list``."""
        return self._inner.list(tag, after=after, limit=limit)

    async def events(self, partition: Partition, *, after: str | None, limit: int) -> Page[Event]:
        """As ``MemoryStore.events``."""
        return self._inner.events(partition, after=after, limit=limit)

    async def purge(self, before: datetime, *, limit: int = 1000) -> int:
        """As ``MemoryStore.purge``."""
        return self._inner.purge(before, limit=limit)


def _bound(name: str, value: object) -> int:
    if type(value) is not int or value < 1:
        raise ConfigurationError(f"MemoryStore({name}=...) must be a positive whole number, not {value!r}.")
    return value


def _memory_store(inner: object) -> MemoryStore:
    if not isinstance(inner, MemoryStore):
        raise ConfigurationError(f"AsyncMemoryStore() shares a MemoryStore, not a {type(inner).__name__}.")
    return inner


def _forked() -> StoreUnavailable:
    return StoreUnavailable(
        "This MemoryStore was made before the process forked.",
        remedy="Make it in each process, or use a store that several processes can share.",
    )

"""What the memory store keeps: records, with their expiries and tags, and events.

Neither table locks nor judges: ``MemoryStore`` holds its lock around every call and has compared the versions
before it writes. Partitions appear with their first record or event and go with their last.

- Expiries wait in a heap. An entry may be out of date (its record was written again, or is gone), so each is
  held against the record when it surfaces; once such entries outnumber the others the heap is built anew.
- Events and tagged records carry serial numbers that only rise: they give listings their order and cursors.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import count
from operator import itemgetter
from types import MappingProxyType
from typing import Final

from stepup.changes import FOREVER, Changes, Key, Page, Partition, Record
from stepup.event import Event

_EMPTY: Final[Mapping[Key, Record]] = MappingProxyType({})
_HEAP_SLACK: Final = 1024
_serial: Final = itemgetter(0)


def _perishable(record: Record) -> bool:
    """Whether it may ever be deleted for its age; an epoch must outlive everything that refers to it."""
    return record.expires_at < FOREVER and record.key.kind != "epoch"


class RecordTable:
    """Records by partition and key."""

    def __init__(self, max_records: int, max_each: int) -> None:
        self._max_records = max_records
        self._max_each = max_each
        self._count = 0
        self._parts: dict[Partition, dict[Key, Record]] = {}
        self._serials = count(1)
        self._expiries: list[tuple[datetime, int, Partition, Key]] = []
        self._tagged: dict[str, list[tuple[int, Partition, Key]]] = {}
        self._tag_serials: dict[tuple[Partition, Key], int] = {}

    def __len__(self) -> int:
        return self._count

    def of(self, partition: Partition) -> Mapping[Key, Record]:
        """The records of one partition, to read from."""
        return self._parts.get(partition, _EMPTY)

    def fits(self, partition: Partition, changes: Changes) -> bool:
        """Whether both bounds hold once *changes* are written."""
        records = self._parts.get(partition, _EMPTY)
        before, most = len(records), len(changes.puts)
        if before + most <= self._max_each and self._count + most <= self._max_records:
            return True
        if changes.erase:
            after = len({key for key in records if key.kind == "epoch"} | {put.key for put in changes.puts})
        else:
            after = before + sum(put.key not in records for put in changes.puts)
        return after <= self._max_each and self._count + after - before <= self._max_records

    def write(self, partition: Partition, put: Record) -> None:
        """Store *put* at the next version."""
        records = self._parts.get(partition)
        if records is None:
            records = self._parts[partition] = {}
        held = records.get(put.key)
        stored = records[put.key] = Record(put.key, put.value, put.version + 1, put.expires_at, put.tag)
        if held is None:
            self._count += 1
        if put.tag is not None or (held is not None and held.tag is not None):
            self._retag(partition, put.key, None if held is None else held.tag, put.tag)
        if (held is None or held.expires_at != put.expires_at) and _perishable(stored):
            heapq.heappush(self._expiries, (put.expires_at, next(self._serials), partition, put.key))
            if len(self._expiries) > 2 * self._count + _HEAP_SLACK:
                self._expiries = list(self._live_expiries())
                heapq.heapify(self._expiries)

    def erase(self, partition: Partition, changes: Changes) -> None:
        """Drop all of the partition but its epochs and what *changes* puts."""
        kept = {put.key for put in changes.puts}
        for key in [key for key in self.of(partition) if key.kind != "epoch" and key not in kept]:
            self._remove(partition, key)

    def reclaim(self, before: datetime, limit: int | None = None) -> int:
        """Drop at most *limit* records that expired earlier than *before*, the oldest first; return how many."""
        gone = 0
        while self._expiries and self._expiries[0][0] < before and gone != limit:
            expires_at, _, partition, key = heapq.heappop(self._expiries)
            held = self.of(partition).get(key)
            if held is not None and held.expires_at == expires_at:
                self._remove(partition, key)
                gone += 1
        return gone

    def tagged(self, tag: str, after: int | None, limit: int) -> Page[Record]:
        """Records with *tag*, in the order in which they got it."""
        places = self._tagged.get(tag, [])
        start = 0 if after is None else bisect_right(places, after, key=_serial)
        page = places[start : start + limit]
        items = tuple(self._parts[partition][key] for _, partition, key in page)
        return Page(items, str(page[-1][0]) if start + limit < len(places) else None)

    def _live_expiries(self) -> Iterator[tuple[datetime, int, Partition, Key]]:
        for partition, records in self._parts.items():
            for key, record in records.items():
                if _perishable(record):
                    yield record.expires_at, next(self._serials), partition, key

    def _remove(self, partition: Partition, key: Key) -> None:
        records = self._parts[partition]
        held = records.pop(key)
        self._count -= 1
        self._retag(partition, key, held.tag, None)
        if not records:
            del self._parts[partition]

    def _retag(self, partition: Partition, key: Key, old: str | None, new: str | None) -> None:
        if old == new:
            return
        if old is not None:
            places = self._tagged[old]
            del places[bisect_left(places, self._tag_serials.pop((partition, key)), key=_serial)]
            if not places:
                del self._tagged[old]
        if new is not None:
            serial = self._tag_serials[partition, key] = next(self._serials)
            self._tagged.setdefault(new, []).append((serial, partition, key))


class EventTable:
    """Events by partition, oldest first. At a bound, the oldest are dropped: they are records of the past."""

    def __init__(self, max_events: int, max_each: int) -> None:
        self._max_events = max_events
        self._max_each = max_each
        self._serials = count(1)
        self._parts: dict[Partition, list[tuple[int, Event]]] = {}
        self._order: OrderedDict[int, Partition] = OrderedDict()

    def __len__(self) -> int:
        return len(self._order)

    def append(self, partition: Partition, events: tuple[Event, ...]) -> None:
        """Add *events*, and drop what no longer fits."""
        if not events:
            return
        kept = self._parts.get(partition)
        if kept is None:
            kept = self._parts[partition] = []
        for event in events:
            serial = next(self._serials)
            kept.append((serial, event))
            self._order[serial] = partition
        while len(kept) > self._max_each:
            self._drop_oldest(partition)
        while len(self._order) > self._max_events:
            self._drop_oldest(next(iter(self._order.values())))

    def erase(self, partition: Partition) -> None:
        """Drop all events of the partition."""
        for serial, _ in self._parts.pop(partition, ()):
            del self._order[serial]

    def page(self, partition: Partition, before: int | None, limit: int) -> Page[Event]:
        """The partition's events, newest first."""
        kept = self._parts.get(partition, [])
        end = len(kept) if before is None else bisect_left(kept, before, key=_serial)
        page = kept[max(0, end - limit) : end][::-1]
        return Page(tuple(event for _, event in page), str(page[-1][0]) if end > limit else None)

    def _drop_oldest(self, partition: Partition) -> None:
        kept = self._parts[partition]
        del self._order[kept.pop(0)[0]]
        if not kept:
            del self._parts[partition]

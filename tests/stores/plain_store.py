"""A second store, as plain as can be: the model that ``MemoryStore`` is held against, and what the broken ones break.

It shares no code with ``MemoryStore``. Every step is a method, so that a broken store replaces just one.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from stepup.changes import APPLIED, FENCE, Applied, Changes, Check, Fence, Key, Lost, Page, Record
from stepup.errors import InvalidInput
from stepup.event import Event

Place = tuple[str, Key]


class PlainStore:
    """Keeps the contract, slowly."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.records: dict[Place, Record] = {}
        self.log: list[tuple[str, Event]] = []

    # -- the contract -------------------------------------------------------------

    def load(self, partition: str, keys: Sequence[Key]) -> Sequence[Record | None]:
        with self.lock:
            return [self.held(partition, key) for key in keys]

    def apply(self, partition: str, changes: Changes) -> Applied | Lost:
        with self.lock:
            self.refuse_fence(changes)
            lost = self.losing(partition, changes)
            if lost is not None:
                return self.lose(partition, changes, lost)
            self.write(partition, changes)
            return APPLIED

    def list(self, tag: str, *, after: str | None, limit: int) -> Page[Record]:
        with self.lock:
            found = self.tagged(tag)
            start = int(after or 0)
            return Page(tuple(found[start : start + limit]), str(start + limit) if len(found) > start + limit else None)

    def events(self, partition: str, *, after: str | None, limit: int) -> Page[Event]:
        with self.lock:
            mine = [(place, event) for place, (owner, event) in enumerate(self.log) if owner == partition]
            mine = [pair for pair in reversed(mine) if after is None or pair[0] < int(after)]
            page = mine[:limit]
            return Page(tuple(event for _, event in page), str(page[-1][0]) if len(mine) > limit else None)

    def purge(self, before: datetime, *, limit: int = 1000) -> int:
        with self.lock:
            gone = [place for place, record in self.records.items() if self.purgeable(record, before)][:limit]
            for place in gone:
                del self.records[place]
            return len(gone)

    # -- its steps ----------------------------------------------------------------

    def place(self, partition: str, key: Key) -> Place:
        return partition, key

    def fence(self, partition: str) -> int:
        return 41

    def held(self, partition: str, key: Key) -> Record | None:
        return Record(FENCE, Fence(), self.fence(partition)) if key == FENCE else self.stored(partition, key)

    def stored(self, partition: str, key: Key) -> Record | None:
        return self.records.get(self.place(partition, key))

    def version(self, partition: str, key: Key, changes: Changes) -> int:
        held = self.held(partition, key)
        return 0 if held is None else held.version

    def refuse_fence(self, changes: Changes) -> None:
        if any(put.key == FENCE for put in changes.puts):
            raise InvalidInput("changes.puts", "must not hold the fence")

    def check_holds(self, partition: str, check: Check, changes: Changes) -> bool:
        return self.version(partition, check.key, changes) == check.version

    def put_holds(self, partition: str, put: Record, changes: Changes) -> bool:
        return self.version(partition, put.key, changes) == put.version

    def losing(self, partition: str, changes: Changes) -> Key | None:
        for check in changes.checks:
            if not self.check_holds(partition, check, changes):
                return check.key
        for put in changes.puts:
            if not self.put_holds(partition, put, changes):
                return put.key
        return None

    def lose(self, partition: str, changes: Changes, key: Key) -> Lost:
        return Lost(key)

    def write(self, partition: str, changes: Changes) -> None:
        if changes.erase:
            self.erase(partition, {put.key for put in changes.puts})
        for put in changes.puts:
            self.write_put(partition, put)
        self.log += [(partition, event) for event in self.events_to_write(changes)]

    def events_to_write(self, changes: Changes) -> tuple[Event, ...]:
        return changes.events

    def write_put(self, partition: str, put: Record) -> None:
        self.records[self.place(partition, put.key)] = self.next(put)

    def next(self, put: Record) -> Record:
        return replace(put, version=put.version + 1)

    def erase(self, partition: str, kept: set[Key]) -> None:
        for place in [place for place in self.records if self.erasable(place, partition, kept)]:
            del self.records[place]
        self.log = [(owner, event) for owner, event in self.log if owner != partition]

    def erasable(self, place: Place, partition: str, kept: set[Key]) -> bool:
        return place[0] == partition and place[1].kind != "epoch" and place[1] not in kept

    def purgeable(self, record: Record, before: datetime) -> bool:
        return record.expires_at < before and record.key.kind != "epoch"

    def tagged(self, tag: str) -> Sequence[Record]:
        return [record for _, record in sorted(self.records.items(), key=lambda item: item[0]) if record.tag == tag]

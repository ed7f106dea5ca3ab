"""SQL stores that are wrong in the way that races find: they show that the proof can fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stepup.changes import APPLIED, Applied, Changes, Key, Lost, Record
from stepup.stores.sql import SQLStore


class Gullible(SQLStore):
    """Says that a batch was written, whatever the database answered."""

    def apply(self, partition: str, changes: Changes) -> Applied | Lost:
        super().apply(partition, changes)
        return APPLIED


class LooksFirst(SQLStore):
    """Compares what it has read, then writes over whatever is there by then: right, but for the moment between."""

    def apply(self, partition: str, changes: Changes) -> Applied | Lost:
        keys = [put.key for put in changes.puts]
        for put, held in zip(changes.puts, self.load(partition, keys), strict=True):
            if _version(held) != put.version:
                return Lost(put.key)
        while True:
            answer = super().apply(partition, replace(changes, puts=self._over(partition, keys, changes.puts)))
            if not isinstance(answer, Lost) or answer.key not in keys:
                return answer

    def _over(self, partition: str, keys: Sequence[Key], puts: Sequence[Record]) -> tuple[Record, ...]:
        held = self.load(partition, keys)
        return tuple(replace(put, version=_version(one)) for put, one in zip(puts, held, strict=True))


def _version(record: Record | None) -> int:
    return 0 if record is None else record.version

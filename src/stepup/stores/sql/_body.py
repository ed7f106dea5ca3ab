"""The store itself, written once: the five methods, over a ``Link``.

Both faces run these functions: ``SQLStore`` calls them, ``AsyncSQLStore`` calls them in a greenlet in which
SQLAlchemy's async drivers can be used like sync ones. Arguments have been validated before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import datetime

from stepup.changes import FENCE, Applied, Changes, Key, Lost, Page, Partition, Record
from stepup.errors import SchemaMismatch, StoreBusy
from stepup.event import Event

from . import _batch
from ._connections import Connections
from ._failures import Conflict
from ._link import Link
from ._rows import cursor_after, event_of, microseconds, place_in, record_of, text
from ._sql import place
from .schema import SUPPORTED

_BUMPS = 20
_CHUNK = 200
"""How many records one statement of a purge deletes: few enough that nobody waits for their locks."""


def load(connections: Connections, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
    """As ``Store.load``."""
    wanted = list(dict.fromkeys(keys))
    if not wanted:
        return []
    found = connections.read(_load, partition, wanted)
    return [found.get(key) for key in keys]


def _load(link: Link, partition: Partition, keys: Sequence[Key]) -> dict[Key, Record]:
    link.alone()
    return records(link, partition, keys)


def records(link: Link, partition: Partition, keys: Sequence[Key]) -> dict[Key, Record]:
    """What stands under *keys*, as the connection sees it now."""
    places = [value for key in keys for value in place(partition, key)]
    found = {record.key: record for record in map(record_of, link.rows(link.sql.load(len(keys)), places))}
    if FENCE in keys and FENCE not in found:
        raise SchemaMismatch(None, tuple(sorted(SUPPORTED)))
    return found


def apply(connections: Connections, partition: Partition, changes: Changes) -> Applied | Lost:
    """As ``Store.apply``."""
    try:
        with connections.taking_turns() as end:
            return connections.run(_batch.apply, partition, changes, end=end)
    except Conflict:
        return Lost(None)


def listed(connections: Connections, tag: str, after: str | None, limit: int) -> Page[Record]:
    """As ``Store.list``."""
    start = None if after is None else place_in(after)
    return connections.read(_list, tag, start, limit)


def _list(link: Link, tag: str, start: tuple[str, str, str] | None, limit: int) -> Page[Record]:
    values: list[object] = [tag]
    if start is not None:
        partition, kind, key = start
        values += [partition, partition, kind, kind, key]
    rows = link.read(link.sql.list(start is not None), [*values, limit + 1])
    items = tuple(record_of(row[1:]) for row in rows[:limit])
    return Page(items, cursor_after(text(rows[limit - 1][0]), items[-1].key) if len(rows) > limit else None)


def events(connections: Connections, partition: Partition, before: int | None, limit: int) -> Page[Event]:
    """As ``Store.events``."""
    return connections.read(_events, partition, before, limit)


def _events(link: Link, partition: Partition, before: int | None, limit: int) -> Page[Event]:
    values = [partition] if before is None else [partition, before]
    rows = link.read(link.sql.events(before is not None), [*values, limit + 1])
    items = tuple(event_of(row) for row in rows[:limit])
    return Page(items, str(rows[limit - 1][0]) if len(rows) > limit else None)


def purge(connections: Connections, before: datetime, limit: int) -> int:
    """As ``Store.purge``: in small transactions, so that no lock is held for long."""
    gone = 0
    while gone < limit:
        chunk = min(_CHUNK, limit - gone)
        try:
            with connections.taking_turns() as end:
                deleted = connections.run(_purge, microseconds(before), chunk, end=end)
        except Conflict:
            break  # another purge is at it; what is left is there the next time
        gone += deleted
        if deleted < chunk:
            break
    return gone


def _purge(link: Link, before: int, limit: int) -> int:
    _batch.begin(link)
    deleted = link.changed(link.sql.purge, (before, limit))
    link.connection.commit()
    return deleted


def restored(connections: Connections) -> int:
    """Draw a new fence: whatever was minted before holds no longer. The new version."""
    for _ in range(_BUMPS):
        with contextlib.suppress(Conflict):
            return connections.run(_batch.bump_fence)
    raise StoreBusy(f"The fence could not be changed in {_BUMPS} tries.")

"""What every store refuses before it looks at its data.

A store stands at the end of a chain of typed code, and most callers type-check; what is caught here is the
one who does not. Each function returns quietly or raises ``InvalidInput`` naming the argument. They take
``object``, because what they are given is exactly what is not known yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, cast, get_args

from stepup.changes import FENCE, Changes, Check, Fence, Key, Record, Value
from stepup.errors import InvalidInput
from stepup.event import Event

MAX_KIND: Final = 64
MAX_KEY_ID: Final = 192
MAX_CURSOR: Final = 18

_STORABLE: Final = cast("tuple[type, ...]", tuple(one for one in get_args(Value) if one is not Fence))


def require_partition(partition: object) -> None:
    """Refuse what is not a non-empty string."""
    if not isinstance(partition, str) or not partition:
        raise InvalidInput("partition", "must be a non-empty string")


def require_keys(keys: object) -> None:
    """Refuse what is not a sequence of keys."""
    if not isinstance(keys, Sequence):
        raise InvalidInput("keys", f"must be a sequence of Key, not {type(keys).__name__}")
    for key in cast("Sequence[object]", keys):
        _require_key("keys", key)


def require_changes(changes: object) -> None:
    """Refuse a batch that holds anything but records, checks and events, names a key twice, or puts the fence."""
    if not isinstance(changes, Changes):
        raise InvalidInput("changes", f"must be Changes, not {type(changes).__name__}")
    _require_time("changes.at", changes.at)
    puts, checks, events = changes.puts, changes.checks, changes.events
    for part in (puts, checks, events):
        if not isinstance(part, tuple):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
            raise InvalidInput("changes", "must hold its puts, checks and events in tuples")
    for record in puts:
        _require_record(record)
    if len(puts) > 1 and len({record.key for record in puts}) != len(puts):
        raise InvalidInput("changes.puts", "must not hold one key twice")
    for check in checks:
        _require_check(check)
    for event in events:
        if not isinstance(event, Event):  # pyright: ignore[reportUnnecessaryIsInstance] -- as above
            raise InvalidInput("changes.events", f"must hold Event, not {type(event).__name__}")
    if changes.erase is not True and changes.erase is not False:
        raise InvalidInput("changes.erase", "must be True or False")


def require_limit(limit: object) -> None:
    """Refuse what is not a positive whole number."""
    if type(limit) is not int or limit < 1:
        raise InvalidInput("limit", "must be a positive whole number")


def require_tag(tag: object) -> None:
    """Refuse what is not a non-empty string."""
    if not isinstance(tag, str) or not tag:
        raise InvalidInput("tag", "must be a non-empty string")


def require_before(before: object) -> None:
    """Refuse what is not a timezone-aware time."""
    _require_time("before", before)


def serial_cursor(after: object) -> int | None:
    """The serial number in a cursor that was made with ``str``; None for the start.

    Raises:
        InvalidInput: for anything else; cursors come back from clients.
    """
    if after is None:
        return None
    if not isinstance(after, str) or not (after.isascii() and after.isdigit() and len(after) <= MAX_CURSOR):
        raise InvalidInput("after", "must be what an earlier page returned")
    return int(after)


def _require_key(name: str, key: object) -> None:
    if not isinstance(key, Key):
        raise InvalidInput(name, f"must hold Key, not {type(key).__name__}")
    kind: object = key.kind
    ident: object = key.id
    if not (
        isinstance(kind, str)  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
        and isinstance(ident, str)  # pyright: ignore[reportUnnecessaryIsInstance] -- as above
        and kind
        and len(kind) <= MAX_KIND
        and len(ident) <= MAX_KEY_ID
        and kind.isascii()
        and ident.isascii()
        and "\0" not in kind + ident
    ):
        raise InvalidInput(
            name, f"must hold keys of ASCII text without NUL, at most {MAX_KIND} and {MAX_KEY_ID} characters"
        )


def _require_record(record: object) -> None:
    if not isinstance(record, Record):
        raise InvalidInput("changes.puts", f"must hold Record, not {type(record).__name__}")
    _require_key("changes.puts", record.key)
    if record.key.kind == FENCE.kind:
        raise InvalidInput("changes.puts", "must not hold the fence, which belongs to the store")
    if not isinstance(record.value, _STORABLE):
        raise InvalidInput("changes.puts", f"cannot hold a {type(record.value).__name__} as a value")
    _require_version("Record.version", record.version)
    _require_time("Record.expires_at", record.expires_at)
    if record.tag is not None:
        require_tag(record.tag)


def _require_check(check: object) -> None:
    if not isinstance(check, Check):
        raise InvalidInput("changes.checks", f"must hold Check, not {type(check).__name__}")
    _require_key("changes.checks", check.key)
    _require_version("Check.version", check.version)


def _require_version(name: str, version: object) -> None:
    if type(version) is not int or version < 0:
        raise InvalidInput(name, "must be a whole number, 0 or more")


def _require_time(name: str, value: object) -> None:
    if not isinstance(value, datetime) or (value.tzinfo is not UTC and value.utcoffset() is None):
        raise InvalidInput(name, "must be a timezone-aware datetime")

"""What the store in a SQL database takes: an engine, a timeout, and arguments within the limits of every database.

A database that takes what another would refuse would make a gate behave as its database does, so all refuse alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, cast

import sqlalchemy as sa

from stepup.changes import Changes
from stepup.errors import ConfigurationError, InvalidInput
from stepup.event import Event
from stepup.stores import _validate

from .schema import MAX_PARTITION, metadata, tables_of

TIMEOUT: Final = 2.0
"""Seconds after which a call that the database does not answer is refused."""

MAX_KEYS: Final = 400
MAX_VERSION: Final = 2**63 - 1
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LIMITS: Final = tuple(
    (column.name, column.type.length)
    for column in tables_of(metadata).event.columns
    if isinstance(column.type, sa.String) and column.type.length and column.name not in {"partition", "type"}
)


def require_source(name: str, engine: object, kind: type) -> None:
    if not isinstance(engine, kind) and not callable(engine):
        raise ConfigurationError(
            f"{name}() needs an engine, or a function that returns one, not a {type(engine).__name__}."
        )


def require_timeout(timeout: object) -> float:
    if not isinstance(timeout, int | float) or isinstance(timeout, bool) or not 0 < timeout < 3600:
        raise ConfigurationError(f"timeout= must be seconds, more than 0 and less than an hour, not {timeout!r}.")
    return float(timeout)


def require_partition(partition: object) -> None:
    _validate.require_partition(partition)
    if len(cast(str, partition)) > MAX_PARTITION or not cast(str, partition).isascii():
        raise InvalidInput("partition", f"must be at most {MAX_PARTITION} ASCII characters")


def require_load(partition: object, keys: object) -> None:
    require_partition(partition)
    _validate.require_keys(keys)
    if len(cast("Sequence[object]", keys)) > MAX_KEYS:
        raise InvalidInput("keys", f"must be at most {MAX_KEYS}")


def require_apply(partition: object, changes: object) -> None:
    require_partition(partition)
    _validate.require_changes(changes)
    made = cast(Changes, changes)
    if len(made.puts) + len(made.checks) > MAX_KEYS:
        raise InvalidInput("changes", f"must have at most {MAX_KEYS} puts and checks")
    for version in (*(put.version for put in made.puts), *(check.version for check in made.checks)):
        if version > MAX_VERSION:
            raise InvalidInput("changes", "must hold versions below 2**63")
    for put in made.puts:
        _require_tag(put.tag)
        if put.expires_at <= _EARLIEST:
            raise InvalidInput("Record.expires_at", "must be after 1970")
    for event in made.events:
        _require_event(event)


def _require_event(event: Event) -> None:
    """A database that takes a text another would refuse would make a gate behave as its database does."""
    for name, limit in _LIMITS:
        value = getattr(event, name)
        if value is None:
            continue
        if not isinstance(value, str) or len(value) > limit or "\0" in value or not _encodable(value):
            raise InvalidInput(f"Event.{name}", f"must be a text of at most {limit} characters, without NUL")


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _require_tag(tag: object) -> None:
    if tag is not None and (len(cast(str, tag)) > _validate.MAX_KEY_ID or not cast(str, tag).isascii()):
        raise InvalidInput("tag", f"must be at most {_validate.MAX_KEY_ID} ASCII characters")


def require_list(tag: object, limit: object) -> None:
    _validate.require_tag(tag)
    _require_tag(tag)
    require_limit(limit)


def require_limit(limit: object) -> None:
    _validate.require_limit(limit)
    if cast(int, limit) >= 2**31:
        raise InvalidInput("limit", "must be below 2**31")

"""Records and events as rows, and back; and the cursors of listings.

Times: ``expires_at`` is whole microseconds since 1970. ``at`` of an event is what the database calls a time: aware
on PostgreSQL, UTC without a zone elsewhere, and text on SQLite.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from stepup.changes import Key, Record
from stepup.codec import decode, decode_detail, decode_snapshot, encode, encode_detail, encode_snapshot
from stepup.errors import ContractBroken, InvalidInput
from stepup.event import Event, EventType
from stepup.stores._validate import MAX_KEY_ID, MAX_KIND

Row = Sequence[Any]
EVENT_COLUMNS: Final = (
    "id", "at", "type", "result", "actor", "reason", "on_behalf_of", "action", "resource_type", "resource_id",
    "organization", "session", "device", "method", "risk_score", "risk_level", "ip", "user_agent", "challenge_id",
    "grant_id", "rules", "detail", "snapshot",
)  # fmt: skip
"""The columns of an event besides its number and partition, named as its fields are."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MAX_CURSOR: Final = 700
MAX_PARTITION: Final = 64


def microseconds(at: datetime) -> int:
    """Whole microseconds from 1970 to *at*."""
    return (at - _EPOCH) // _MICROSECOND


def moment(value: int) -> datetime:
    """The time that many microseconds after 1970, in UTC."""
    return _EPOCH + timedelta(microseconds=value)


def text(value: object) -> str:
    """A text column that some drivers answer in bytes."""
    return value.decode("ascii") if isinstance(value, bytes | bytearray) else str(value)


def written(record: Record) -> tuple[int, str | None, str]:
    """What a put writes besides its place and version: ``expires_at``, ``tag``, ``data``."""
    return microseconds(record.expires_at), record.tag, encode(record.value)


def record_of(row: Row) -> Record:
    """The record in a row of kind, key, version, expires_at, tag, data.

    Raises:
        ContractBroken: if it cannot be read.
    """
    kind, key, version, expires_at, tag, data = row
    return Record(
        Key(text(kind), text(key)),
        decode(data),
        int(version),
        moment(int(expires_at)),
        None if tag is None else text(tag),
    )


# -- events -------------------------------------------------------------------------


def _aware(at: datetime) -> object:
    return at.astimezone(UTC)


def _naive(at: datetime) -> object:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}.{at.microsecond:06d}"


AT: Final[dict[str, Callable[[datetime], object]]] = {
    "postgresql": _aware,
    "mysql": _naive,
    "mariadb": _naive,
    "sqlite": _naive,
}
"""How a time is given to each database."""


def event_values(partition: str, event: Event, at: object) -> tuple[object, ...]:
    """The parameters of an event's row, its time as *at*."""
    return (
        partition, event.id, at, event.type.value, event.result, event.actor, event.reason, event.on_behalf_of,
        event.action, event.resource_type, event.resource_id, event.organization, event.session, event.device,
        event.method, event.risk_score, event.risk_level, event.ip, event.user_agent, event.challenge_id,
        event.grant_id, event.rules, encode_detail(event.detail), encode_snapshot(event.snapshot),
    )  # fmt: skip


def event_of(row: Row) -> Event:
    """The event in a row of seq and the columns of an event.

    Raises:
        ContractBroken: if it cannot be read.
    """
    values = dict(zip(EVENT_COLUMNS, row[1:], strict=True))
    try:
        values["at"], values["type"] = _time(values["at"]), EventType(values["type"])
        values["detail"], values["snapshot"] = decode_detail(values["detail"]), decode_snapshot(values["snapshot"])
        return Event(**values)
    except (TypeError, ValueError):
        broken = ContractBroken("The store holds an event that cannot be read.")
    raise broken


def _time(value: object) -> datetime:
    at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


# -- cursors ------------------------------------------------------------------------


def cursor_after(partition: str, key: Key) -> str:
    """The cursor of a listing that continues after that record."""
    raw = f"{len(partition)}.{len(key.kind)}.{partition}{key.kind}{key.id}"
    return base64.urlsafe_b64encode(raw.encode()).decode()


def _could_be(partition: str, kind: str, key: str) -> bool:
    sizes = (0 < len(partition) <= MAX_PARTITION, 0 < len(kind) <= MAX_KIND, len(key) <= MAX_KEY_ID)
    return all(sizes) and "\0" not in partition + kind + key


def place_in(after: object) -> tuple[str, str, str]:
    """Partition, kind and key in a cursor; cursors come back from clients.

    Raises:
        InvalidInput: for anything that ``cursor_after`` did not make.
    """
    try:
        raw = base64.b64decode(cast(str, after)[:_MAX_CURSOR], altchars=b"-_", validate=True).decode("ascii")
        first, second, rest = raw.split(".", 2)
        partition, kind = rest[: int(first)], rest[int(first) : int(first) + int(second)]
        made = partition, kind, rest[int(first) + int(second) :]
        sound = cursor_after(partition, Key(kind, made[2])) == after and _could_be(*made)
    except (TypeError, ValueError, binascii.Error):
        sound, made = False, ("", "", "")
    if not sound:
        raise InvalidInput("after", "must be what an earlier page returned")
    return made

"""What the checks of a store work with: a bench of its own for each, and comparisons that say what differs.

A ``Bench`` holds the store as the engine sees it (async), two partitions that nothing else uses, and a way
to run jobs at the same moment. Its ``applied`` and ``lost`` write a batch and insist on the answer, by
identity or type, never by truth.

Time is fixed, and in the past of any machine the checks run on: a store that reads its own clock shows, and
``purge`` on a shared database meets nobody's live records. Promises are kept with ``raise``, not ``assert``,
so that they hold under ``python -O`` too.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol, TypeVar, cast

from stepup.changes import APPLIED, FENCE, Applied, Changes, Check, Key, Lost, Page, Record
from stepup.event import Event, EventType
from stepup.grant import Claim
from stepup.ports import AsyncStore

T = TypeVar("T")
Job = Callable[[], Coroutine[Any, Any, T]]
NOW: Final = datetime(2020, 2, 29, 12, 0, 0, 123456, tzinfo=UTC)
LATER: Final = datetime(2020, 3, 1, 12, tzinfo=UTC)
"""When the bench's records expire, unless a check says otherwise."""

_MAX_PAGES: Final = 100
_LAG: Final = 100
_SHOWN: Final = 200


class Together(Protocol):
    """Runs jobs at the same moment and returns their results in order."""

    async def __call__(self, jobs: Sequence[Job[T]]) -> Sequence[T]: ...


def promise(holds: bool, text: str) -> None:
    """Insist on a promise of the contract.

    Raises:
        AssertionError: with *text*, if it does not hold.
    """
    if holds is not True:
        raise AssertionError(text)


def same(found: object, wanted: object, text: str) -> None:
    """Insist that *found* is *wanted*, types and all.

    Raises:
        AssertionError: with *text* and the first difference.
    """
    differs = difference(found, wanted)
    if differs is not None:
        raise AssertionError(f"{text}: {differs}")


def difference(found: object, wanted: object, path: str = "it") -> str | None:
    """The first difference, as text; None if there is none.

    Stricter than ``==``, which takes True for 1 and "open" for State.OPEN; a mapping may be of any class.
    """
    if isinstance(wanted, datetime):
        equal = isinstance(found, datetime) and found.utcoffset() == timedelta() and found == wanted
        return None if equal else f"{path} is {_shown(found)}, not {_shown(wanted)}"
    if isinstance(wanted, Mapping):
        if not isinstance(found, Mapping):
            return f"{path} is a {type(found).__name__}, not a mapping"
        return _parts_differ(cast("Mapping[object, object]", found), cast("Mapping[object, object]", wanted), path)
    if type(found) is not type(wanted):
        return f"{path} is a {type(found).__name__}, not a {type(wanted).__name__}"
    if is_dataclass(wanted) and not isinstance(wanted, type):
        names = [one.name for one in fields(wanted)]
        return _first(difference(getattr(found, name), getattr(wanted, name), f"{path}.{name}") for name in names)
    if isinstance(wanted, tuple | list):
        return _parts_differ(
            dict(enumerate(cast("Sequence[object]", found))), dict(enumerate(cast("Sequence[object]", wanted))), path
        )
    return None if found == wanted else f"{path} is {_shown(found)}, not {_shown(wanted)}"


def _parts_differ(found: Mapping[object, object], wanted: Mapping[object, object], path: str) -> str | None:
    if found.keys() != wanted.keys():
        return f"{path} holds {_shown(list(found))}, not {_shown(list(wanted))}"
    return _first(difference(found[key], part, f"{path}[{key!r}]") for key, part in wanted.items())


def _first(differences: Iterable[str | None]) -> str | None:
    return next((one for one in differences if one is not None), None)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def a_claim(name: str, request: str | None = None, *, version: int = 0, expires_at: datetime = LATER) -> Record:
    """A small record, for checks to which its contents do not matter."""
    return Record(Key("claim", name), Claim(NOW, request), version, expires_at)


def an_event(reason: str, at: datetime = NOW) -> Event:
    """A small event, told from others by its reason."""
    return Event(secrets.token_hex(16), at, EventType.ATTEMPT, "refused", "usr_olivia", reason)


class Bench:
    """One store, two fresh partitions, and the questions that every check asks."""

    def __init__(self, store: AsyncStore, together: Together) -> None:
        self.store = store
        self.together = together
        self.partition = secrets.token_hex(32)
        self.other = secrets.token_hex(32)

    async def apply(
        self,
        *puts: Record,
        checks: tuple[Check, ...] = (),
        events: tuple[Event, ...] = (),
        at: datetime = NOW,
        erase: bool = False,
        partition: str | None = None,
    ) -> Applied | Lost:
        """Apply one batch; an answer that is neither of the two is a broken promise."""
        changes = Changes(at, puts, checks, events, erase)
        answer: object = await self.store.apply(partition or self.partition, changes)
        if answer is APPLIED or isinstance(answer, Lost):
            return answer
        raise AssertionError(f"apply() answers the object APPLIED or a Lost, not {_shown(answer)}")

    async def applied(
        self,
        *puts: Record,
        checks: tuple[Check, ...] = (),
        events: tuple[Event, ...] = (),
        at: datetime = NOW,
        erase: bool = False,
        partition: str | None = None,
    ) -> None:
        """Apply one batch that has to be applied."""
        answer = await self.apply(*puts, checks=checks, events=events, at=at, erase=erase, partition=partition)
        promise(answer is APPLIED, f"a batch whose versions all hold is applied, not {answer!r}")

    async def lost(
        self,
        *puts: Record,
        key: Key,
        checks: tuple[Check, ...] = (),
        events: tuple[Event, ...] = (),
        at: datetime = NOW,
        erase: bool = False,
        partition: str | None = None,
    ) -> None:
        """Apply one batch that has to lose, and lose on *key*."""
        answer = await self.apply(*puts, checks=checks, events=events, at=at, erase=erase, partition=partition)
        promise(isinstance(answer, Lost), f"a batch loses where the version of {key} does not hold, but was applied")
        promise(answer == Lost(key), f"with nobody else writing, the losing key is named: {key}, not {answer!r}")

    async def load(self, *keys: Key, partition: str | None = None) -> Sequence[Record | None]:
        """Load, and insist on one record or None per key, in order."""
        found: object = await self.store.load(partition or self.partition, keys)
        if not isinstance(found, list | tuple):
            raise AssertionError(f"load() answers a list or tuple, not a {type(found).__name__}")
        records = cast("Sequence[object]", found)
        promise(len(records) == len(keys), f"load() answers once per key: {len(keys)} times, not {len(records)}")
        for key, record in zip(keys, records, strict=True):
            promise(record is None or isinstance(record, Record), f"load() answers a Record or None, not {record!r}")
            if isinstance(record, Record):
                same(record.key, key, "load() answers in the order of the keys")
                promise(type(record.version) is int and record.version > 0, f"versions start at 1: {record.version!r}")
        return cast("Sequence[Record | None]", records)

    async def versions(self, *keys: Key, partition: str | None = None) -> tuple[int, ...]:
        """The version under each key; 0 where there is none."""
        found = await self.load(*keys, partition=partition)
        return tuple(0 if record is None else record.version for record in found)

    async def fence(self, partition: str | None = None) -> int:
        """The version of the fence."""
        (version,) = await self.versions(FENCE, partition=partition)
        return version

    async def reasons(self, partition: str | None = None) -> list[str | None]:
        """The reasons of all events, newest first, in one page."""
        page = await self.store.events(partition or self.partition, after=None, limit=1000)
        return [event.reason for event in events_of(page)]

    async def tagged(self, tag: str, limit: int = 1000) -> list[Record]:
        """All records with *tag*, page by page."""
        found: list[Record] = []
        after: str | None = None
        for _ in range(_MAX_PAGES):
            page = await self.store.list(tag, after=after, limit=limit)
            found += records_of(page, limit)
            after = page.after
            if after is None:
                return found
        raise AssertionError("list() comes to an end: Page.after is None")

    async def listed(self, tag: str, *names: str, limit: int = 1000, one: Record | None = None) -> None:
        """Insist that exactly the claims of these names carry *tag*, and that *one* is among them as it is.

        A listing may lag, so it is asked again for a while before the promise counts as broken.
        """
        found: list[Record] = []
        for _ in range(_LAG):
            found = await self.tagged(tag, limit)
            listed = sorted(record.key.id for record in found)
            if listed == sorted(names) and (one is None or any(difference(record, one) is None for record in found)):
                return
        raise AssertionError(f"list() finds the records with the tag, as stored, each once: {names}, not {found}")


def events_of(page: Page[Event], limit: int = 1000) -> list[Event]:
    """The items of a page, which have to be events."""
    promise(len(page.items) <= limit, f"a page holds at most {limit} items, not {len(page.items)}")
    found = [item for item in page.items if isinstance(item, Event)]  # pyright: ignore[reportUnnecessaryIsInstance] -- a broken store may answer anything
    promise(len(found) == len(page.items), "events() answers events")
    return found


def records_of(page: Page[Record], limit: int) -> list[Record]:
    """The items of a page, which have to be records."""
    promise(len(page.items) <= limit, f"a page holds at most {limit} items, not {len(page.items)}")
    found = [item for item in page.items if isinstance(item, Record)]  # pyright: ignore[reportUnnecessaryIsInstance] -- a broken store may answer anything
    promise(len(found) == len(page.items), "list() answers records")
    return found

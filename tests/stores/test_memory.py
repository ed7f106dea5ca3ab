"""The memory store: the contract on both faces, its bounds, and what it refuses."""

from __future__ import annotations

import asyncio
import heapq
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_store import PlainStore

from stepup.changes import (
    ACTOR_EPOCH,
    APPLIED,
    FENCE,
    THROTTLE,
    Changes,
    Check,
    Epoch,
    Fence,
    Key,
    Lost,
    Record,
    claim_key,
    session_epoch,
)
from stepup.errors import ConfigurationError, InvalidInput, StoreFull, StoreUnavailable
from stepup.event import Event, EventType
from stepup.grant import Claim
from stepup.stores.memory import AsyncMemoryStore, MemoryStore
from stepup.testing.store import AsyncStoreContract, StoreContract
from stepup.throttle import Throttle

NOW = datetime(2026, 6, 11, 18, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)
OLIVIA, THEO = "0a" * 32, "0b" * 32


@pytest.mark.requirement("S-01")
class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


@pytest.mark.requirement("S-01")
class TestAsyncMemoryStore(AsyncStoreContract):
    @pytest.fixture
    def store(self) -> AsyncMemoryStore:
        return AsyncMemoryStore()


class TestOpenedStore(AsyncStoreContract):
    """The fixture may also give a context manager, which is opened and closed in the loop of each check."""

    @pytest.fixture
    def store(self) -> AbstractAsyncContextManager[AsyncMemoryStore]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[AsyncMemoryStore]:
            loop = asyncio.get_running_loop()
            yield AsyncMemoryStore()
            assert asyncio.get_running_loop() is loop

        return opened()


def claim(name: str, *, version: int = 0, expires_at: datetime = NOW + HOUR, tag: str | None = None) -> Record:
    return Record(claim_key(name), Claim(NOW), version, expires_at, tag)


def event(reason: str) -> Event:
    return Event("0" * 32, NOW, EventType.ATTEMPT, "refused", "usr_olivia", reason)


def put(store: MemoryStore, *puts: Record, at: datetime = NOW, partition: str = OLIVIA) -> None:
    assert store.apply(partition, Changes(at, puts)) is APPLIED


def names(store: MemoryStore, *wanted: str, partition: str = OLIVIA) -> list[str]:
    found = store.load(partition, [claim_key(name) for name in wanted])
    return [record.key.id for record in found if record is not None]


def reasons(store: MemoryStore, partition: str = OLIVIA) -> list[str | None]:
    page = store.events(partition, after=None, limit=10_000)
    return [item.reason for item in page.items if isinstance(item, Event)]


# -- bounds -----------------------------------------------------------------------


@pytest.mark.requirement("Y-13")
def test_a_full_partition_refuses_and_forgets_nothing() -> None:
    """When a person's records reach the bound, new ones are refused; counters and claims are all still there."""
    store = MemoryStore(max_records_per_partition=3)
    put(store, Record(THROTTLE, Throttle()), claim("a"), claim("b"))
    with pytest.raises(StoreFull):
        store.apply(OLIVIA, Changes(NOW, (claim("c"),), (), (event("lost"),)))
    assert [record is not None for record in store.load(OLIVIA, [THROTTLE, claim_key("a"), claim_key("c")])] == [
        True,
        True,
        False,
    ]
    assert reasons(store) == []
    put(store, claim("c"), partition=THEO)


@pytest.mark.requirement("Y-13")
def test_a_full_store_refuses_everybody_and_forgets_nothing() -> None:
    """When records in all reach the bound, nobody's live record makes room for another's."""
    store = MemoryStore(max_records=2)
    put(store, Record(THROTTLE, Throttle()))
    put(store, claim("a"), partition=THEO)
    for partition in (OLIVIA, THEO, "0c" * 32):
        with pytest.raises(StoreFull, match="purge"):
            store.apply(partition, Changes(NOW, (claim("c"),)))
    assert store.load(OLIVIA, [THROTTLE])[0] is not None
    assert names(store, "a", partition=THEO) == ["a"]


@pytest.mark.requirement("Y-13")
def test_a_counter_survives_a_flood() -> None:
    """Whatever is thrown at a full store, for however long, a counter keeps its version and can be raised."""
    store = MemoryStore(max_records=50, max_records_per_partition=50)
    put(store, Record(THROTTLE, Throttle()), Record(ACTOR_EPOCH, Epoch(), 0, NOW))
    refused = 0
    for number in range(500):
        try:
            put(store, claim(str(number), expires_at=NOW + (number + 20) * HOUR), at=NOW + number * HOUR / 4)
        except StoreFull:
            refused += 1
    put(store, Record(THROTTLE, Throttle(), 1))
    assert [record and record.version for record in store.load(OLIVIA, [THROTTLE, ACTOR_EPOCH])] == [2, 1]
    assert 0 < refused < 500


def test_a_full_store_still_updates_and_erases() -> None:
    """At the bound, a count can be raised and a person forgotten: neither makes the store grow."""
    store = MemoryStore(max_records=3, max_records_per_partition=3)
    put(store, Record(ACTOR_EPOCH, Epoch()), claim("a"), claim("b"))
    put(store, claim("a", version=1), claim("b", version=1))
    answer = store.apply(OLIVIA, Changes(NOW, (Record(ACTOR_EPOCH, Epoch(), 1), claim("c")), erase=True))
    assert answer is APPLIED
    assert names(store, "a", "b", "c") == ["c"]
    put(store, claim("a"))
    with pytest.raises(StoreFull):
        put(store, claim("b"))


def test_an_erasure_that_would_not_fit_erases_nothing() -> None:
    """A batch refused for its size leaves what it would have erased."""
    store = MemoryStore(max_records_per_partition=2)
    put(store, Record(ACTOR_EPOCH, Epoch()), claim("a"))
    with pytest.raises(StoreFull):
        store.apply(OLIVIA, Changes(NOW, (claim("b"), claim("c")), erase=True))
    assert names(store, "a", "b", "c") == ["a"]


def test_expired_records_make_room() -> None:
    """At a bound, what has expired by the batch's time goes, and only that."""
    for bounds in ({"max_records": 3}, {"max_records_per_partition": 3}):
        store = MemoryStore(**bounds)
        put(store, claim("old", expires_at=NOW - HOUR, tag="t"), claim("now", expires_at=NOW), claim("new"))
        assert names(store, "old", "now", "new") == ["old", "now", "new"]
        put(store, claim("more"))
        assert names(store, "old", "now", "new", "more") == ["now", "new", "more"]
        assert store.list("t", after=None, limit=9).items == ()
        with pytest.raises(StoreFull):
            put(store, claim("too many"))


def test_time_is_the_batchs_time() -> None:
    """The store has no clock: the same batch is refused at one time and fits at a later one."""
    store = MemoryStore(max_records=1)
    put(store, claim("a"))
    with pytest.raises(StoreFull):
        put(store, claim("b"), at=NOW + HOUR)
    put(store, claim("b", expires_at=NOW + 3 * HOUR), at=NOW + HOUR + timedelta(microseconds=1))


def test_a_record_written_again_is_judged_by_its_newest_expiry() -> None:
    """A record that was given longer to live is not reclaimed at its old time; one given less is at its new."""
    store = MemoryStore(max_records=2)
    put(store, claim("longer", expires_at=NOW + HOUR), claim("shorter", expires_at=NOW + 9 * HOUR))
    put(store, claim("longer", version=1, expires_at=NOW + 9 * HOUR))
    with pytest.raises(StoreFull):
        put(store, claim("more"), at=NOW + 2 * HOUR)
    put(store, claim("shorter", version=1, expires_at=NOW + HOUR))
    put(store, claim("more", expires_at=NOW + 9 * HOUR), at=NOW + 2 * HOUR)
    assert names(store, "longer", "shorter", "more") == ["longer", "more"]


def test_a_batch_may_write_over_an_expired_record_at_the_bound() -> None:
    """A record reclaimed by the very batch that updates it counts once, and is written at its next version."""
    store = MemoryStore(max_records=2)
    put(store, claim("old", expires_at=NOW - HOUR), claim("new"))
    put(store, claim("old", version=1), claim("new", version=1))
    put(store, claim("new", version=2, expires_at=NOW - HOUR))
    put(store, claim("old", version=2), claim("more"))
    assert [record and record.version for record in store.load(OLIVIA, [claim_key("old"), claim_key("more")])] == [3, 1]
    with pytest.raises(StoreFull):
        put(store, claim("too many"))


def test_epochs_are_never_reclaimed() -> None:
    """An epoch stays even if somebody gives it an end: a token it revoked must not live again."""
    store = MemoryStore(max_records=2)
    put(store, Record(session_epoch("s"), Epoch(), 0, NOW - HOUR), Record(ACTOR_EPOCH, Epoch(), 0, NOW - HOUR))
    with pytest.raises(StoreFull):
        put(store, claim("a"))
    assert store.purge(NOW) == 0


def test_reclaiming_looks_at_what_expired_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room is found by looking at the oldest expiry: a refused put looks at no record, and each goes once."""
    popped: list[object] = []
    pop, store = heapq.heappop, MemoryStore(max_records=1000)

    def counted(heap: list[Any]) -> object:
        found: object = pop(heap)
        if heap is store._records._expiries:  # event loops of other threads have heaps too
            popped.append(found)
        return found

    monkeypatch.setattr("stepup.stores._tables.heapq.heappop", counted)
    put(store, *(claim(str(number), expires_at=NOW + number * HOUR) for number in range(1000)))
    for _ in range(100):
        with pytest.raises(StoreFull):
            put(store, claim("refused"))
    assert len(popped) == 0
    for number in range(1000):
        put(store, claim(f"more {number}", expires_at=NOW + 9999 * HOUR), at=NOW + (number + 2) * HOUR)
    assert len(popped) == 1000


def test_expiries_do_not_pile_up() -> None:
    """A record that is written over and over, with a new expiry each time, takes no more and more memory."""
    store = MemoryStore()
    put(store, claim("a"), Record(ACTOR_EPOCH, Epoch(), 0, NOW - HOUR))
    for version in range(1, 5001):
        put(store, claim("a", version=version, expires_at=NOW + version * HOUR - timedelta(seconds=1)))
    assert len(store._records._expiries) < 2000
    assert store.purge(NOW + 4999 * HOUR) == 0, "its older expiries mean nothing now"
    assert store.purge(NOW + 5000 * HOUR) == 1


def test_the_newest_events_are_kept() -> None:
    """Events of one person are bounded, and so are all; the oldest give way, records never do."""
    store = MemoryStore(max_events=5, max_events_per_partition=3)
    put(store, claim("a"))
    for number in range(5):
        store.apply(OLIVIA, Changes(NOW, events=(event(str(number)),)))
    assert reasons(store) == ["4", "3", "2"]
    store.apply(THEO, Changes(NOW, events=(event("x"), event("y"), event("z"))))
    assert reasons(store) == ["4", "3"]
    store.apply("0c" * 32, Changes(NOW, events=tuple(event(str(number)) for number in range(9))))
    assert (reasons(store), reasons(store, THEO), reasons(store, "0c" * 32)) == ([], ["z", "y"], ["8", "7", "6"])
    assert OLIVIA not in store._events._parts, "somebody without events takes no room"
    assert names(store, "a") == ["a"]


def test_a_cursor_survives_events_that_were_dropped() -> None:
    """Paging goes on where it was when the events after the cursor have given way meanwhile."""
    store = MemoryStore(max_events_per_partition=4)
    for number in range(4):
        store.apply(OLIVIA, Changes(NOW, events=(event(str(number)),)))
    page = store.events(OLIVIA, after=None, limit=2)
    store.apply(OLIVIA, Changes(NOW, events=(event("4"),)))
    rest = store.events(OLIVIA, after=page.after, limit=9)
    assert [item.reason for item in rest.items if isinstance(item, Event)] == ["1"]
    assert rest.after is None


def test_a_page_that_ends_the_listing_says_so() -> None:
    """The last page has no cursor, even if it is full; nobody has to ask for an empty one."""
    store = MemoryStore()
    store.apply(OLIVIA, Changes(NOW, (claim("a", tag="t"), claim("b", tag="t")), (), (event("1"), event("2"))))
    assert store.list("t", after=None, limit=2).after is None
    assert store.events(OLIVIA, after=None, limit=2).after is None
    assert store.list("t", after=store.list("t", after=None, limit=1).after, limit=1).after is None
    assert store.events(OLIVIA, after=store.events(OLIVIA, after=None, limit=1).after, limit=1).after is None


def test_a_listed_record_keeps_its_place() -> None:
    """A record that is written again while somebody pages through is not listed twice."""
    store = MemoryStore()
    put(store, *(claim(name, tag="t") for name in "abc"))
    page = store.list("t", after=None, limit=2)
    put(store, claim("a", version=1, tag="t"))
    rest = store.list("t", after=page.after, limit=9)
    assert [item.key.id for item in (*page.items, *rest.items) if isinstance(item, Record)] == ["a", "b", "c"]


@pytest.mark.parametrize("name", ["max_records", "max_records_per_partition", "max_events", "max_events_per_partition"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "10", None])
def test_a_bound_is_a_positive_whole_number(name: str, value: object) -> None:
    """A bound that cannot be right is refused when the store is made."""
    with pytest.raises(ConfigurationError, match=name):
        MemoryStore(**cast("dict[str, Any]", {name: value}))


# -- against the model ------------------------------------------------------------

NAMES = "abcd"
OPERATIONS = st.one_of(
    st.tuples(
        st.just("apply"),
        st.sampled_from([OLIVIA, THEO]),
        st.lists(
            st.tuples(st.sampled_from(NAMES), st.integers(0, 3), st.integers(-3, 9), st.sampled_from([None, "t", "u"])),
            max_size=3,
            unique_by=lambda one: one[0],
        ),
        st.booleans(),
        st.integers(0, 9),
    ),
    st.tuples(st.just("purge"), st.integers(-3, 9), st.integers(1, 3)),
)


@given(st.lists(OPERATIONS, max_size=30))
@settings(max_examples=150)
def test_it_answers_as_a_plain_store_does(operations: list[tuple[Any, ...]]) -> None:
    """Whatever is applied, erased and purged in whatever order, answers and contents are those of the plain model."""
    store, model = MemoryStore(), PlainStore()
    keys = [claim_key(name) for name in NAMES]
    for operation in operations:
        if operation[0] == "purge":
            before = NOW + operation[1] * HOUR
            expired = sum(model.purgeable(record, before) for record in model.records.values())
            assert store.purge(before, limit=operation[2]) == min(expired, operation[2])
            # Which go first is up to the store, so both are brought to the same state.
            store.purge(before)
            model.purge(before)
        else:
            _, partition, puts, erase, reading = operation
            records = tuple(claim(n, version=v, expires_at=NOW + h * HOUR, tag=t) for n, v, h, t in puts)
            checks = (Check(keys[0], reading),) if reading < 3 else ()
            changes = Changes(NOW, records, checks, (event(str(reading)),), erase is True and reading > 7)
            assert store.apply(partition, changes) == model.apply(partition, changes)
        for partition in (OLIVIA, THEO):
            assert store.load(partition, keys) == model.load(partition, keys)
            events = model.events(partition, after=None, limit=99).items
            assert store.events(partition, after=None, limit=99).items == events
        for tag in ("t", "u"):
            listed = store.list(tag, after=None, limit=99).items
            assert sorted(map(repr, listed)) == sorted(map(repr, model.tagged(tag)))
    assert repr(store) == f"<MemoryStore: {len(model.records)} records, {len(model.log)} events>"
    store.apply(OLIVIA, Changes(NOW, erase=True))
    store.apply(THEO, Changes(NOW, erase=True))
    assert repr(store) == "<MemoryStore: 0 records, 0 events>"
    assert not store._records._parts
    assert not store._records._tagged
    assert not store._records._tag_serials
    assert not store._events._parts


# -- threads and processes --------------------------------------------------------


@pytest.mark.requirement("S-01", "S-02")
def test_sixty_four_threads_spend_each_claim_once() -> None:
    """Sixty-four threads that try to spend the same twenty claims spend each once, and record each once."""
    store, barrier = MemoryStore(), threading.Barrier(64)

    def spend(thread: int) -> list[int]:
        barrier.wait(30)
        batches = [Changes(NOW, (claim(str(n)),), (Check(THROTTLE, 0),), (event(f"{n} {thread}"),)) for n in range(20)]
        return [n for n, changes in enumerate(batches) if store.apply(OLIVIA, changes) is APPLIED]

    with ThreadPoolExecutor(64) as pool:
        spent = [(n, thread) for thread, won in enumerate(pool.map(spend, range(64))) for n in won]
    assert sorted(n for n, _ in spent) == list(range(20))
    assert sorted(str(one) for one in reasons(store)) == sorted(f"{n} {thread}" for n, thread in spent)


@pytest.mark.requirement("S-02")
def test_threads_that_write_list_and_purge_at_once_do_not_disturb_each_other() -> None:
    """Writers in their own partitions, with readers and a purger among them, lose nothing and break nothing."""
    store, barrier = MemoryStore(), threading.Barrier(8)

    def write(thread: int) -> None:
        barrier.wait(30)
        for n in range(100):
            short = claim(f"short {n}", expires_at=NOW - HOUR, tag="short")
            put(store, claim(f"{n}", tag="long"), short, partition=f"{thread:064x}")

    def read_and_purge(_: int) -> None:
        barrier.wait(30)
        for _ in range(100):
            after: str | None = None
            page = store.list("long", after=after, limit=7)
            assert all(isinstance(item, Record) and item.tag == "long" for item in page.items)
            store.purge(NOW, limit=5)

    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(write if thread < 6 else read_and_purge, thread) for thread in range(8)]
        for job in jobs:
            job.result()
    store.purge(NOW, limit=10_000)
    assert repr(store) == "<MemoryStore: 600 records, 0 events>"
    assert len(store.list("long", after=None, limit=10_000).items) == 600
    assert store.list("short", after=None, limit=1).items == ()


@pytest.mark.requirement("S-01", "S-02")
def test_a_load_never_sees_half_a_batch() -> None:
    """While one thread writes three hundred records at a time, another always loads them all at one version."""
    store, keys = MemoryStore(), [claim_key(str(number)) for number in range(300)]
    put(store, *(claim(key.id) for key in keys))
    done = threading.Event()
    interval = sys.getswitchinterval()

    def write() -> None:
        for version in range(1, 60):
            put(store, *(claim(key.id, version=version) for key in keys))
        done.set()

    def read() -> set[int]:
        seen: set[int] = set()
        while not done.is_set():
            seen.add(len({record.version for record in store.load(OLIVIA, keys) if record is not None}))
        return seen

    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(2) as pool:
            writing, reading = pool.submit(write), pool.submit(read)
            writing.result()
            assert reading.result() <= {1}
    finally:
        done.set()
        sys.setswitchinterval(interval)


@pytest.mark.requirement("S-02")
def test_the_async_face_may_be_used_from_several_event_loops() -> None:
    """Event loops in several threads share one store, and one of them wins."""
    store, barrier = AsyncMemoryStore(), threading.Barrier(8)

    async def create() -> bool:
        return await store.apply(OLIVIA, Changes(NOW, (claim("a"),))) is APPLIED

    def run(_: int) -> bool:
        barrier.wait(30)
        return asyncio.run(create())

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(run, range(8))) == 1


def test_two_faces_can_share_one_store() -> None:
    """What the sync face wrote, the async face reads, under the same fence."""
    inner = MemoryStore()
    face, other = AsyncMemoryStore(inner), AsyncMemoryStore(inner)
    put(inner, claim("a"))
    assert asyncio.run(face.load(OLIVIA, [claim_key("a"), FENCE])) == inner.load(OLIVIA, [claim_key("a"), FENCE])
    assert isinstance(asyncio.run(other.apply(OLIVIA, Changes(NOW, (claim("a"),)))), Lost)
    with pytest.raises(ConfigurationError):
        AsyncMemoryStore(cast("MemoryStore", face))


def test_a_forked_copy_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a fork there would be two stores with one fence, and every claim could be spent twice: so neither is."""
    store = MemoryStore()
    put(store, claim("a"))
    monkeypatch.setattr("stepup.stores.memory.os.getpid", lambda: -1)
    calls: list[Callable[[], object]] = [
        lambda: store.load(OLIVIA, [FENCE]),
        lambda: store.apply(OLIVIA, Changes(NOW)),
        lambda: store.list("t", after=None, limit=1),
        lambda: store.events(OLIVIA, after=None, limit=1),
        lambda: store.purge(NOW),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable, match="fork"):
            call()


def test_every_store_has_a_fence_of_its_own() -> None:
    """A token minted before a restart is refused after it: the new store's fence is another, and fits in a token."""
    fences = {record.version for _ in range(50) for record in MemoryStore().load(OLIVIA, [FENCE]) if record is not None}
    assert len(fences) == 50
    assert all(0 < fence < 2**53 for fence in fences)


# -- refusals ---------------------------------------------------------------------


def test_the_repr_shows_no_contents() -> None:
    """A store printed by accident shows two counts and nothing about anybody."""
    store = MemoryStore()
    store.apply(OLIVIA, Changes(NOW, (claim("secret-name", tag="secret-tag"),), (), (event("secret-reason"),)))
    assert repr(store) == "<MemoryStore: 1 records, 1 events>"
    assert repr(AsyncMemoryStore(store)) == "<AsyncMemoryStore over <MemoryStore: 1 records, 1 events>>"


class NoOffset(tzinfo):
    """A zone that does not know its offset."""

    def utcoffset(self, dt: datetime | None) -> None: ...
    def dst(self, dt: datetime | None) -> None: ...
    def tzname(self, dt: datetime | None) -> None: ...


NAIVE = datetime(2026, 6, 11)  # noqa: DTZ001 -- naive on purpose
BATCHES: list[object] = [
    None,
    {"puts": ()},
    Changes(cast("datetime", "2026-06-11")),
    Changes(NAIVE),
    Changes(datetime(2026, 6, 11, tzinfo=NoOffset())),
    Changes(NOW, cast("Any", [claim("a")])),
    Changes(NOW, (), cast("Any", [Check(THROTTLE, 0)])),
    Changes(NOW, events=cast("Any", [event("a")])),
    Changes(NOW, cast("Any", (None,))),
    Changes(NOW, (claim("a"), claim("a"))),
    Changes(NOW, (claim("a"), Record(FENCE, Fence(), 0))),
    Changes(NOW, (claim("a"), Record(Key("fence", "x"), Epoch()))),
    Changes(NOW, (claim("a"), Record(THROTTLE, Fence()))),
    Changes(NOW, (claim("a"), Record(THROTTLE, cast("Any", "text")))),
    Changes(NOW, (claim("a"), Record(THROTTLE, cast("Any", None)))),
    Changes(NOW, (Record(cast("Any", ("claim", "a")), Claim(NOW)),)),
    Changes(NOW, (Record(cast("Any", "claim"), Claim(NOW)),)),
    Changes(NOW, (Record(Key("claim", cast("Any", 1)), Claim(NOW)),)),
    Changes(NOW, (Record(Key(cast("Any", None), "a"), Claim(NOW)),)),
    Changes(NOW, (Record(Key("", "a"), Claim(NOW)),)),
    Changes(NOW, (Record(Key("claim", "\u00e9"), Claim(NOW)),)),
    Changes(NOW, (Record(Key("cl\u00e4im", "a"), Claim(NOW)),)),
    Changes(NOW, (Record(Key("k" * 65, "a"), Claim(NOW)),)),
    Changes(NOW, (Record(Key("claim", "a" * 193), Claim(NOW)),)),
    Changes(NOW, (claim("a", version=-1),)),
    Changes(NOW, (claim("a", version=cast("Any", False)),)),
    Changes(NOW, (claim("a", version=cast("Any", 0.0)),)),
    Changes(NOW, (claim("a", version=cast("Any", None)),)),
    Changes(NOW, (claim("a", expires_at=NAIVE),)),
    Changes(NOW, (claim("a", expires_at=cast("Any", None)),)),
    Changes(NOW, (claim("a", tag=""),)),
    Changes(NOW, (claim("a", tag=cast("Any", 1)),)),
    Changes(NOW, (claim("a"),), cast("Any", ((THROTTLE, 0),))),
    Changes(NOW, (claim("a"),), (Check(cast("Any", "throttle"), 0),)),
    Changes(NOW, (claim("a"),), (Check(Key("claim", cast("Any", [])), 0),)),
    Changes(NOW, (claim("a"),), (Check(THROTTLE, -1),)),
    Changes(NOW, (claim("a"),), (Check(THROTTLE, cast("Any", False)),)),
    Changes(NOW, (claim("a"),), (Check(THROTTLE, cast("Any", None)),)),
    Changes(NOW, (claim("a"),), (), cast("Any", ("event",))),
    Changes(NOW, (claim("a"),), erase=cast("Any", 1)),
    Changes(NOW, (claim("a"),), erase=cast("Any", None)),
]


@pytest.mark.parametrize("batch", BATCHES, ids=range(len(BATCHES)))
def test_a_batch_that_is_none_is_refused_whole(batch: object) -> None:
    """Values of the wrong type, form or size are an error with a name, never a pass, and nothing is written."""
    store = MemoryStore()
    with pytest.raises(InvalidInput):
        store.apply(OLIVIA, cast("Changes", batch))
    assert repr(store) == "<MemoryStore: 0 records, 0 events>"


WRONG: dict[str, tuple[object, ...]] = {
    "partition": (None, "", 1, b"00"),
    "keys": (None, {claim_key("a")}, claim_key("a"), ["claim"], [("claim", "a")], [Key("claim", cast("Any", []))]),
    "tag": (None, "", 1),
    "limit": (None, 0, -1, 1.0, "1", True),
    "after": ("", "x", "-1", "1.0", "\u0663", "9" * 5000, 1),
    "before": (None, "2026-06-11", 0, NAIVE, NOW.date()),
}
CALLS: list[tuple[str, Callable[[MemoryStore, Any], object]]] = [
    ("partition", lambda store, wrong: store.load(wrong, [])),
    ("partition", lambda store, wrong: store.apply(wrong, Changes(NOW))),
    ("partition", lambda store, wrong: store.events(wrong, after=None, limit=1)),
    ("keys", lambda store, wrong: store.load(OLIVIA, wrong)),
    ("tag", lambda store, wrong: store.list(wrong, after=None, limit=1)),
    ("limit", lambda store, wrong: store.list("t", after=None, limit=wrong)),
    ("limit", lambda store, wrong: store.events(OLIVIA, after=None, limit=wrong)),
    ("limit", lambda store, wrong: store.purge(NOW, limit=wrong)),
    ("after", lambda store, wrong: store.list("t", after=wrong, limit=1)),
    ("after", lambda store, wrong: store.events(OLIVIA, after=wrong, limit=1)),
    ("before", lambda store, wrong: store.purge(wrong)),
]


@pytest.mark.parametrize(("name", "call"), CALLS, ids=range(len(CALLS)))
def test_an_argument_of_the_wrong_kind_is_named(name: str, call: Callable[[MemoryStore, Any], object]) -> None:
    """An argument that is no partition, key, tag, limit, cursor or time is an error that names it."""
    for wrong in WRONG[name]:
        with pytest.raises(InvalidInput) as refused:
            call(MemoryStore(), wrong)
        assert refused.value.name == name

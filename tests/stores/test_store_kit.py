"""The kit that proves stores is itself proved: a good store passes, and every check catches a broken one."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast, get_args

import pytest
from broken_stores import BROKEN, JudgesOutsideItsLock
from plain_store import PlainStore

from stepup.challenge import State
from stepup.changes import APPLIED, Applied, Changes, Fence, Key, Lost, Page, Record, Value
from stepup.errors import StepUpError, StoreUnavailable, WrongColour
from stepup.event import Event
from stepup.ports import AsyncStore
from stepup.testing import _store_samples as samples
from stepup.testing._store_bench import Bench, difference, promise
from stepup.testing.store import (
    CHECKS,
    AsyncStoreContract,
    Check,
    StoreContract,
    check_async_store,
    check_store,
    run_async_check,
    run_check,
)

BY_NAME: Mapping[str, Check] = {check.__name__: check for check in CHECKS}


class Awaited:
    """A sync store behind an async face that lets others in before every call."""

    def __init__(self, inner: PlainStore) -> None:
        self.inner = inner

    async def load(self, partition: str, keys: Sequence[Key]) -> Sequence[Record | None]:
        await asyncio.sleep(0)
        return self.inner.load(partition, keys)

    async def apply(self, partition: str, changes: Changes) -> Applied | Lost:
        await asyncio.sleep(0)
        return self.inner.apply(partition, changes)

    async def list(self, tag: str, *, after: str | None, limit: int) -> Page[Record]:
        return self.inner.list(tag, after=after, limit=limit)

    async def events(self, partition: str, *, after: str | None, limit: int) -> Page[Event]:
        return self.inner.events(partition, after=after, limit=limit)

    async def purge(self, before: datetime, *, limit: int = 1000) -> int:
        return self.inner.purge(before, limit=limit)


class AwaitsInTheGap(Awaited):
    """Judges, lets others in, and writes."""

    async def apply(self, partition: str, changes: Changes) -> Applied | Lost:
        self.inner.refuse_fence(changes)
        lost = self.inner.losing(partition, changes)
        if lost is not None:
            return Lost(lost)
        for _ in range(3):
            await asyncio.sleep(0)
        self.inner.write(partition, changes)
        return APPLIED


# -- broken stores are caught -----------------------------------------------------


@pytest.mark.parametrize(("store", "check"), BROKEN, ids=[f"{one.__name__}-{check}" for one, check in BROKEN])
def test_a_broken_store_is_caught(store: type[PlainStore], check: str) -> None:
    """Each way of getting a store wrong is caught by the check that was written for it."""
    with pytest.raises((AssertionError, StepUpError)):
        run_check(BY_NAME[check], store())


def test_every_check_catches_somebody() -> None:
    """No check is there for show: each is the one that catches some broken store."""
    assert {check for _, check in BROKEN} == set(BY_NAME)


def test_a_good_store_passes() -> None:
    """A store that keeps the contract passes every check, so that what fails on a broken one is the break."""
    check_store(PlainStore())
    asyncio.run(check_async_store(Awaited(PlainStore())))


def test_what_the_contract_leaves_open_passes() -> None:
    """A store may leave expiry to its backend, and its listings may lag for some calls."""

    class ExpiresElsewhere(PlainStore):
        def purge(self, before: datetime, *, limit: int = 1000) -> int:
            return 0

    class Lags(PlainStore):
        asked = 0

        def write_put(self, partition: str, put: Record) -> None:
            self.asked = 0
            super().write_put(partition, put)

        def tagged(self, tag: str) -> Sequence[Record]:
            self.asked += 1
            return super().tagged(tag) if self.asked > 5 else []

    check_store(ExpiresElsewhere())
    check_store(Lags())


@pytest.mark.parametrize(
    "check",
    [
        "of_many_creators_one_wins",
        "no_increment_is_lost",
        "a_revoked_version_lets_nothing_through",
        "crossed_checks_never_both_hold",
        "opposite_orders_do_not_deadlock",
    ],
)
def test_races_between_tasks_are_caught(check: str) -> None:
    """An async store that awaits between judging and writing is caught, in one thread."""
    with pytest.raises(AssertionError):
        asyncio.run(run_async_check(BY_NAME[check], AwaitsInTheGap(PlainStore())))


def test_the_first_broken_promise_ends_a_run_and_is_named() -> None:
    """Somebody without pytest is told which check failed, on either face."""
    with pytest.raises(AssertionError) as caught:
        check_store(JudgesOutsideItsLock())
    assert caught.value.__notes__ == ["while checking: of_many_creators_one_wins"]
    with pytest.raises(AssertionError) as caught:
        asyncio.run(check_async_store(AwaitsInTheGap(PlainStore())))
    assert "while checking: of_many_creators_one_wins" in caught.value.__notes__


def test_a_store_of_the_wrong_colour_is_refused() -> None:
    """An async store is never taken for a sync one, whose answers would be coroutines, nor the reverse."""
    with pytest.raises(WrongColour):
        check_store(cast("PlainStore", Awaited(PlainStore())))
    with pytest.raises(WrongColour):
        asyncio.run(check_async_store(cast("AsyncStore", PlainStore())))


def test_what_a_store_raises_is_passed_on() -> None:
    """A store that fails is not a store that passes, in a race either."""

    class Fails(PlainStore):
        def write(self, partition: str, changes: Changes) -> None:
            raise StoreUnavailable("gone")

    for check in ("a_record_is_created_at_version_one", "of_many_creators_one_wins"):
        with pytest.raises(StoreUnavailable):
            run_check(BY_NAME[check], Fails())
        with pytest.raises(StoreUnavailable):
            asyncio.run(run_async_check(BY_NAME[check], Awaited(Fails())))


# -- the pytest classes -----------------------------------------------------------


@pytest.mark.parametrize("contract", [StoreContract, AsyncStoreContract])
def test_the_classes_have_a_test_per_check(contract: type) -> None:
    """What pytest collects is every check, under its own name and with its promise as the docstring."""
    tests = {name: value for name, value in vars(contract).items() if name.startswith("test_")}
    assert set(tests) == {f"test_{name}" for name in BY_NAME}
    assert all(test.__doc__ == BY_NAME[name.removeprefix("test_")].__doc__ for name, test in tests.items())


def test_the_tests_of_the_classes_fail_on_a_broken_store() -> None:
    """The methods really run the checks, on either face."""
    for contract, store in (
        (StoreContract, JudgesOutsideItsLock()),
        (AsyncStoreContract, AwaitsInTheGap(PlainStore())),
    ):
        test = vars(contract)["test_of_many_creators_one_wins"]
        with pytest.raises(AssertionError):
            test(contract(), store)


def test_every_check_states_its_promise() -> None:
    """A failing check can be understood from its docstring, and none is empty."""
    assert len(CHECKS) == len(BY_NAME) >= 30
    assert all((check.__doc__ or "").strip().endswith(".") for check in CHECKS)


# -- the samples ------------------------------------------------------------------


def test_there_is_a_sample_of_every_value_a_store_keeps() -> None:
    """A kind of value added later is not forgotten by the kit."""
    assert {type(record.value) for record in samples.SAMPLES} == set(get_args(Value)) - {Fence}


def test_every_field_of_the_samples_differs_from_its_default() -> None:
    """A store that drops a field, or forgets to write it, cannot pass by luck."""
    plain: dict[str, bool] = defaultdict(lambda: True)
    for value in _values((*samples.SAMPLES[1:], samples.EVENT)):
        for one in fields(cast("Any", value)):
            default = one.default_factory() if one.default_factory is not MISSING else one.default
            plain[f"{type(value).__name__}.{one.name}"] &= getattr(value, one.name) == default
    not_stored = {"Factor.material", "Record.version"}
    assert {name for name, unset in plain.items() if unset} - not_stored == {"Record.tag"}


def _values(value: object) -> Iterator[object]:
    if is_dataclass(value) and not isinstance(value, type):
        yield value
        parts: list[object] = [getattr(value, one.name) for one in fields(value)]
    elif isinstance(value, Mapping):
        parts = list(cast("Mapping[object, object]", value).values())
    else:
        parts = list(cast("tuple[object, ...]", value)) if isinstance(value, tuple) else []
    for part in parts:
        yield from _values(part)


# -- the comparison ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (1, True),
        ("open", State.OPEN),
        ([1], (1,)),
        ((1,), (1, 2)),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": True}, {"a": 1}),
        (None, {"a": 1}),
        (None, datetime(2020, 1, 1, tzinfo=UTC)),
        (datetime(2020, 1, 1), datetime(2020, 1, 1, tzinfo=UTC)),  # noqa: DTZ001 -- naive on purpose
        (datetime(2020, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), datetime(2020, 1, 1, tzinfo=UTC)),
        (Key("a", "b"), Key("a", "c")),
        (("a", "b"), Key("a", "b")),
        (samples.SHELF, samples.LARGE),
        ("x" * 500, "y" * 500),
    ],
)
def test_a_difference_is_found(found: object, wanted: object) -> None:
    """What ``==`` lets through, or what merely looks alike, is a difference, told in a line."""
    told = difference(found, wanted)
    assert told is not None
    assert told.startswith("it")
    assert len(told) < 1000


def test_equal_values_do_not_differ() -> None:
    """The comparison accepts what is the same, whatever class a mapping has."""
    assert difference(samples.SAMPLES, samples.SAMPLES) is None
    assert difference(defaultdict(int, a=1), {"a": 1}) is None


def test_a_promise_is_kept_by_true_alone() -> None:
    """Something that is merely true-ish, such as a store's answer, keeps no promise."""
    promise(True, "fine")
    for value in (False, 1, "yes", None):
        with pytest.raises(AssertionError, match="broken"):
            promise(cast("bool", value), "broken")


def test_each_bench_has_partitions_of_its_own() -> None:
    """Checks never meet in a shared database."""

    async def together(jobs: object) -> Any:
        raise AssertionError("not used")

    benches = [Bench(cast("AsyncStore", None), together) for _ in range(3)]
    names = {name for bench in benches for name in (bench.partition, bench.other)}
    assert len(names) == 6
    assert all(len(bytes.fromhex(name)) == 32 for name in names)

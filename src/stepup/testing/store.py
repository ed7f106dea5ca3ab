"""The tests that prove a store: every promise of ``stepup.ports.Store``, written once, for both faces.

With pytest, one class per store; the fixture ``store`` gives it::

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self, tmp_path):
            return MyStore(tmp_path / "records")

    class TestMyAsyncStore(AsyncStoreContract):
        @pytest.fixture
        def store(self, tmp_path):
            return open_my_store(tmp_path / "records")     # a store, or an async context manager that opens one

Without pytest: ``check_store(MyStore(...))``, ``await check_async_store(...)``.

**They write to the store and leave what they wrote; use an empty one, never one with real people in it.** Each
check works in random partitions and in the year 2020 or before, so that a database can be shared by test runs.
They cannot see whether writes outlive a crash, nor whether the fence changes when they did not.

A check may be added in any minor version. There are no flags to turn one off: a promise a store does not keep
is a visible override, ``test_... = pytest.mark.xfail(reason="...")(StoreContract.test_...)``.

The checks: ``_store_batches`` (load and apply), ``_store_listings`` (events, list, purge, erase, fence) and
``_store_races``. ``_store_bench`` and ``_store_samples`` are what they work with.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from types import ModuleType
from typing import Any, Final, TypeVar

from stepup._bridge import run_sync
from stepup._wrapped import InlineStore, async_store
from stepup.ports import AsyncStore, Store

from . import _store_batches, _store_listings, _store_races
from ._store_bench import Bench, Job

T = TypeVar("T")
Check = Callable[[Bench], Coroutine[Any, Any, None]]
Opened = AsyncStore | AbstractAsyncContextManager[AsyncStore]

_PATIENCE: Final = 60
"""Seconds after which a job that never started ends the check rather than hanging it."""


def _checks_of(module: ModuleType) -> list[Check]:
    made = [value for name, value in vars(module).items() if not name.startswith("_")]
    return [one for one in made if inspect.iscoroutinefunction(one) and one.__module__ == module.__name__]


CHECKS: Final[tuple[Check, ...]] = tuple(
    check for module in (_store_batches, _store_listings, _store_races) for check in _checks_of(module)
)
"""Every check, in the order in which a new store is best brought to keep them."""


def run_check(check: Check, store: Store) -> None:
    """Run one check against a sync store; its races run in threads.

    Raises:
        AssertionError: if the store breaks the promise.
        StepUpError: or anything else that the store raises.
    """
    run_sync(check(Bench(InlineStore(store), _in_threads)))


async def run_async_check(check: Check, store: AsyncStore) -> None:
    """Run one check against an async store; its races run in tasks of the running asyncio loop.

    Raises:
        AssertionError: if the store breaks the promise.
        StepUpError: or anything else that the store raises.
    """
    await check(Bench(async_store(store), _in_tasks))


def check_store(store: Store) -> None:
    """Run every check against a sync store. Writes to the store; use an empty one.

    Raises:
        AssertionError: at the first promise that is broken; a note names the check.
    """
    for check in CHECKS:
        try:
            run_check(check, store)
        except Exception as error:
            error.add_note(f"while checking: {check.__name__}")
            raise


async def check_async_store(store: AsyncStore) -> None:
    """Run every check against an async store, under asyncio. Writes to the store; use an empty one.

    Raises:
        AssertionError: at the first promise that is broken; a note names the check.
    """
    for check in CHECKS:
        try:
            await run_async_check(check, store)
        except Exception as error:
            error.add_note(f"while checking: {check.__name__}")
            raise


class StoreContract:
    """The contract as a pytest class for a sync store: subclass it and define the fixture ``store``.

    It has one ``test_...`` method per check.
    """


class AsyncStoreContract:
    """The contract as a pytest class for an async store: subclass it and define the fixture ``store``.

    The fixture is an ordinary one. It returns the store, or, where opening and closing need the event loop,
    an async context manager that yields it. Each check runs in a loop of its own (``asyncio.run``), in which
    the manager is entered and left; no plugin is needed.
    """


def _sync_test(check: Check) -> Callable[..., None]:
    def test(self: StoreContract, store: Store) -> None:  # noqa: ARG001 -- pytest calls it as a method
        run_check(check, store)

    return test


def _async_test(check: Check) -> Callable[..., None]:
    def test(self: AsyncStoreContract, store: Opened) -> None:  # noqa: ARG001 -- as above
        import asyncio

        asyncio.run(_opened_and_checked(check, store))

    return test


async def _opened_and_checked(check: Check, store: Opened) -> None:
    if isinstance(store, AbstractAsyncContextManager):
        async with store as opened:
            await run_async_check(check, opened)
    else:
        await run_async_check(check, store)


def _attach(contract: type, make: Callable[[Check], Callable[..., None]]) -> None:
    for check in CHECKS:
        test = make(check)
        test.__name__ = f"test_{check.__name__}"
        test.__qualname__ = f"{contract.__name__}.{test.__name__}"
        test.__doc__ = check.__doc__
        setattr(contract, test.__name__, test)


_attach(StoreContract, _sync_test)
_attach(AsyncStoreContract, _async_test)


async def _in_threads(jobs: Sequence[Job[T]]) -> Sequence[T]:
    """Each job in a thread of its own. It blocks and never suspends, as ports on the sync face do."""
    barrier = threading.Barrier(len(jobs))

    def work(job: Job[T]) -> T:
        barrier.wait(_PATIENCE)
        return run_sync(job())

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # threads take turns often, so that a missing lock shows
    try:
        with ThreadPoolExecutor(len(jobs)) as pool:
            return list(pool.map(work, jobs))
    finally:
        sys.setswitchinterval(interval)


async def _in_tasks(jobs: Sequence[Job[T]]) -> Sequence[T]:
    """Each job in a task of its own; all have ended when one that failed is reported."""
    import asyncio

    results = await asyncio.gather(*(job() for job in jobs), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]

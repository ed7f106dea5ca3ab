"""Bundles and counted grants on every store, sync and async: each item once, as many uses as asked for, no more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from within_world import CONTEXT, SECRET

from sql_backends import ASYNC, SYNC, Backend, need, opened, opened_async
from stepup import Action, AsyncStepUp, Item, Policy, Resource, Risk, StepUp, StepUpError, StepUpRequired, Verified
from stepup.errors import InvalidInput, StoreBusy
from stepup.ports import Store
from stepup.stores.memory import AsyncMemoryStore, MemoryStore
from stepup.stores.sql import SQLStore
from stepup.testing import FrozenClock, ScriptedVerifier

ACTIONS = (
    Action("invoice.pay", "Pay invoice", risk=Risk.CRITICAL),
    Action("member.invite", "Invite", policy=Policy(uses=25)),
)
ITEMS = tuple(Item("invoice.pay", Resource("invoice", f"inv_{n}"), {"amount": f"{n} EUR"}) for n in range(6))
WORKERS = 4


def gate_over(store: Store) -> StepUp:
    methods = [ScriptedVerifier("password", answer="right")]
    return StepUp(actions=ACTIONS, verifiers=methods, store=store, secret=SECRET, clock=FrozenClock())


@pytest.fixture(params=[None, *SYNC], ids=lambda one: "memory" if one is None else str(one))
def gate(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StepUp]:
    backend = cast("Backend | None", request.param)
    if backend is None:
        yield gate_over(MemoryStore())
        return
    need(backend.server)
    with opened(backend, tmp_path) as made:
        yield gate_over(made)


def token_for(gate: StepUp, uses: int | None = None) -> str:
    bundled = uses is None
    challenge = gate.start_bundle(ITEMS, CONTEXT) if bundled else gate.start("member.invite", CONTEXT, uses=uses)
    done = gate.verify(challenge.id, "password", "right", CONTEXT)
    assert isinstance(done, Verified)
    return done.token


def passed(call: Callable[[], object]) -> bool:
    """Whether a call passes; what is only busy is tried again."""
    while True:
        try:
            call()
        except StoreBusy:
            continue
        except StepUpError:
            return False
        return True


def at_once(calls: list[Callable[[], object]]) -> list[bool]:
    """Every call in a thread of its own, all let go together."""
    gone, found = threading.Barrier(len(calls)), [False] * len(calls)

    def work(number: int) -> None:
        gone.wait()
        found[number] = passed(calls[number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def pays(gate: StepUp, item: Item, token: str) -> Callable[[], object]:
    return lambda: gate.require(item.action, CONTEXT, resource=item.resource, params=item.params, token=token)


def test_items_one_by_one_and_all_together(gate: StepUp) -> None:
    """In any order, none twice; together all or none."""
    token = token_for(gate)
    assert passed(pays(gate, ITEMS[3], token))
    assert not passed(pays(gate, ITEMS[3], token))
    with pytest.raises(StepUpRequired):
        gate.require_bundle(ITEMS, CONTEXT, token=token)
    rest = [item for item in ITEMS if item is not ITEMS[3]]
    assert len(gate.require_bundle(rest, CONTEXT, token=token)) == 5
    assert not any(passed(pays(gate, item, token)) for item in ITEMS)
    assert gate.grants(CONTEXT) == ()


@pytest.mark.requirement("X-01")
def test_the_same_item_at_once_is_opened_once(gate: StepUp) -> None:
    """Whoever comes first; the others are refused."""
    token = token_for(gate)
    assert sorted(at_once([pays(gate, ITEMS[0], token)] * WORKERS)) == [False, False, False, True]
    assert passed(pays(gate, ITEMS[1], token))


def test_different_items_at_once_are_all_opened(gate: StepUp) -> None:
    """They stand in nobody's way."""
    token = token_for(gate)
    assert all(at_once([pays(gate, item, token) for item in ITEMS[:WORKERS]]))


def test_bundles_that_overlap_never_share_an_item(gate: StepUp) -> None:
    """All of one and none of the other, whichever wins."""
    token = token_for(gate)
    lists = [ITEMS[:4], ITEMS[2:], ITEMS[1:5]]
    found = at_once([partial(gate.require_bundle, items, CONTEXT, token=token) for items in lists])
    assert found.count(True) == 1
    (won,) = [items for items, passed_ in zip(lists, found, strict=True) if passed_]
    assert [passed(pays(gate, item, token)) for item in ITEMS] == [item not in won for item in ITEMS]


def test_revoking_against_items_at_once(gate: StepUp) -> None:
    """Once it has returned, nothing more is opened."""
    token = token_for(gate)
    (grant,) = gate.grants(CONTEXT)
    at_once([lambda: gate.revoke(CONTEXT, grant=grant.id), *[pays(gate, item, token) for item in ITEMS[:3]]])
    assert not any(passed(pays(gate, item, token)) for item in ITEMS)


def test_as_many_uses_as_asked_for_and_no_more(gate: StepUp) -> None:
    """By workers at once."""
    token = token_for(gate, 5)
    calls: list[Callable[[], object]] = [lambda: gate.require("member.invite", CONTEXT, token=token)] * 8
    assert at_once(calls).count(True) == 5


@pytest.mark.parametrize("backend", [None, *ASYNC], ids=lambda one: "memory" if one is None else str(one))
def test_the_async_face_does_the_same(backend: Backend | None, tmp_path: Path) -> None:
    """Items at once, a bundle, and a count, over the async drivers."""

    async def tried(call: object) -> bool:
        try:
            await cast("asyncio.Future[object]", call)
        except StepUpError:
            return False
        return True

    async def run(gate: AsyncStepUp) -> None:
        challenge = await gate.start_bundle(ITEMS, CONTEXT)
        done = await gate.verify(challenge.id, "password", "right", CONTEXT)
        assert isinstance(done, Verified)

        def pay(item: Item) -> object:
            return tried(
                gate.require(item.action, CONTEXT, resource=item.resource, params=item.params, token=done.token)
            )

        same = await asyncio.gather(*[cast("asyncio.Future[bool]", pay(ITEMS[0])) for _ in range(WORKERS)])
        assert same.count(True) == 1
        assert all(await asyncio.gather(*[cast("asyncio.Future[bool]", pay(item)) for item in ITEMS[1:3]]))
        assert len(await gate.require_bundle(ITEMS[3:], CONTEXT, token=done.token)) == 3
        assert not await tried(gate.require_bundle(ITEMS[3:4], CONTEXT, token=done.token))
        counted = await gate.start("member.invite", CONTEXT, uses=3)
        more = await gate.verify(counted.id, "password", "right", CONTEXT)
        assert isinstance(more, Verified)
        calls = [tried(gate.require("member.invite", CONTEXT, token=more.token)) for _ in range(5)]
        assert (await asyncio.gather(*calls)).count(True) == 3

    def gate_of(store: object) -> AsyncStepUp:
        methods = [ScriptedVerifier("password", answer="right")]
        return AsyncStepUp(
            actions=ACTIONS,
            verifiers=methods,
            store=cast("AsyncMemoryStore", store),
            secret=SECRET,
            clock=FrozenClock(),
        )

    async def whole() -> None:
        if backend is None:
            await run(gate_of(AsyncMemoryStore()))
            return
        need(backend.server)
        async with opened_async(backend, tmp_path) as store:
            await run(gate_of(store))

    asyncio.run(whole())


def test_a_bundle_is_spent_with_the_callers_transaction(gate: StepUp) -> None:
    """Rolled back, every item is as before; committed, none is left."""
    store = gate.store
    if not isinstance(store, SQLStore):
        with pytest.raises(InvalidInput):
            gate.require_bundle(ITEMS, CONTEXT, token=token_for(gate), within=object())
        return
    token = token_for(gate)
    with store.engine.connect() as connection:
        with connection.begin() as transaction:
            assert len(gate.require_bundle(ITEMS, CONTEXT, token=token, within=connection)) == len(ITEMS)
            transaction.rollback()
        assert gate.check_bundle(ITEMS, CONTEXT, token=token).allowed
        with connection.begin():
            gate.require_bundle(ITEMS, CONTEXT, token=token, within=connection)
        with connection.begin(), pytest.raises(StepUpRequired):
            gate.require_bundle(ITEMS, CONTEXT, token=token, within=connection)
    assert not any(passed(pays(gate, item, token)) for item in ITEMS)


@pytest.mark.requirement("C-04")
@pytest.mark.parametrize("spent", range(len(ITEMS)))
def test_a_bundle_that_is_refused_leaves_the_callers_transaction_as_it_was(gate: StepUp, spent: int) -> None:
    """One item is gone already: whoever catches that and commits has spent none of the others."""
    store = gate.store
    if not isinstance(store, SQLStore):
        return
    token = token_for(gate)
    assert passed(pays(gate, ITEMS[spent], token))
    with store.engine.connect() as connection, connection.begin(), pytest.raises(StepUpRequired):
        gate.require_bundle(ITEMS, CONTEXT, token=token, within=connection)
    others = [item for item in ITEMS if item is not ITEMS[spent]]
    assert gate.check_bundle(others, CONTEXT, token=token).allowed
    with store.engine.connect() as connection, connection.begin():
        gate.require_bundle(others, CONTEXT, token=token, within=connection)
    assert not any(passed(pays(gate, item, token)) for item in ITEMS)


@pytest.mark.parametrize("backend", ASYNC, ids=str)
def test_a_refused_bundle_leaves_the_transaction_on_the_async_face(backend: Backend, tmp_path: Path) -> None:
    """The same over the async drivers; and rolled back, every item is as before."""
    need(backend.server)

    async def whole() -> None:
        async with opened_async(backend, tmp_path) as store:
            gate = AsyncStepUp(
                actions=ACTIONS,
                verifiers=[ScriptedVerifier("password", answer="right")],
                store=store,
                secret=SECRET,
                clock=FrozenClock(),
            )
            challenge = await gate.start_bundle(ITEMS, CONTEXT)
            done = await gate.verify(challenge.id, "password", "right", CONTEXT)
            assert isinstance(done, Verified)
            one, *others = ITEMS
            await gate.require(one.action, CONTEXT, resource=one.resource, params=one.params, token=done.token)
            async with store.engine.begin() as connection:
                with pytest.raises(StepUpRequired):
                    await gate.require_bundle(ITEMS, CONTEXT, token=done.token, within=connection)
            async with store.engine.connect() as connection, connection.begin() as transaction:
                await gate.require_bundle(others, CONTEXT, token=done.token, within=connection)
                await transaction.rollback()
            async with store.engine.begin() as connection:
                assert len(await gate.require_bundle(others, CONTEXT, token=done.token, within=connection)) == 5
            assert not (await gate.check_bundle(others, CONTEXT, token=done.token)).allowed

    asyncio.run(whole())


def test_a_bundle_is_spent_in_one_transaction_of_many(gate: StepUp) -> None:
    """Callers at once, each in a transaction of its own, each with a part of the list: no item twice."""
    store = gate.store
    if not isinstance(store, SQLStore):
        return
    token = token_for(gate)
    lists = [ITEMS[at : at + 3] for at in range(4)]

    def spend(items: tuple[Item, ...]) -> None:
        with store.engine.connect() as connection, connection.begin():
            gate.require_bundle(items, CONTEXT, token=token, within=connection)

    found = at_once([partial(spend, items) for items in lists])
    won = [items for items, one in zip(lists, found, strict=True) if one]
    taken = [item for items in won for item in items]
    assert len(taken) == len(set(map(repr, taken)))
    for item in ITEMS:
        assert passed(pays(gate, item, token)) is (item not in taken)

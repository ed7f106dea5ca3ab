"""``require(within=)`` on the async face, through every async driver."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session, async_sessionmaker
from within_world import ACCOUNT, ACTOR, CONTEXT, AsyncShop, async_shop

from sql_backends import ASYNC, Backend, need
from stepup import StepUpRequired
from stepup.errors import InvalidInput, StoreUnavailable
from stepup.testing import grant_async

Part = Callable[[AsyncShop], Awaitable[None]]


@pytest.fixture(params=ASYNC, ids=str)
def backend(request: pytest.FixtureRequest) -> Backend:
    made = cast(Backend, request.param)
    need(made.server)
    return made


def play(backend: Backend, folder: Path, part: Part) -> None:
    """Run *part* in a shop on *backend*, in a loop of its own."""

    async def main() -> None:
        async with async_shop(backend, folder) as here:
            await part(here)

    asyncio.run(main())


async def token(here: AsyncShop, action: str = "payout.create") -> str:
    return await grant_async(here.gate, action, CONTEXT, resource=ACCOUNT)


async def spend(here: AsyncShop, connection: object, presented: str, action: str = "payout.create") -> None:
    await here.gate.require(action, CONTEXT, resource=ACCOUNT, token=presented, within=connection)


async def pay(here: AsyncShop, connection: AsyncConnection) -> None:
    await connection.execute(here.paid.insert().values(note=""))


async def is_spent(here: AsyncShop, presented: str) -> bool:
    return not (await here.gate.check("payout.create", CONTEXT, resource=ACCOUNT, token=presented)).allowed


@pytest.mark.requirement("C-04", "Y-03")
def test_action_and_claim_commit_together(backend: Backend, tmp_path: Path) -> None:
    """After the commit the action is there and the proof is spent; before it, neither is seen outside."""

    async def part(here: AsyncShop) -> None:
        presented = await token(here)
        async with here.engine.begin() as connection:
            await spend(here, connection, presented)
            await pay(here, connection)
            assert not await is_spent(here, presented)
        assert await here.payments() == 1
        assert await is_spent(here, presented)

    play(backend, tmp_path, part)


@pytest.mark.requirement("C-04", "Y-03")
def test_action_and_claim_roll_back_together(backend: Backend, tmp_path: Path) -> None:
    """After a rollback neither is there."""

    async def part(here: AsyncShop) -> None:
        presented = await token(here)
        async with here.engine.connect() as connection:
            transaction = await connection.begin()
            await spend(here, connection, presented)
            await pay(here, connection)
            await transaction.rollback()
        assert await here.payments() == 0
        assert not await is_spent(here, presented)

    play(backend, tmp_path, part)


@pytest.mark.requirement("X-01", "C-05")
def test_of_64_tasks_one_commits(backend: Backend, tmp_path: Path) -> None:
    """64 tasks race for one proof, each in a transaction of its own: one action happens."""

    async def part(here: AsyncShop) -> None:
        presented = await token(here)

        async def race() -> bool:
            try:
                async with here.engine.begin() as connection:
                    await spend(here, connection, presented)
                    await pay(here, connection)
            except (StepUpRequired, StoreUnavailable):
                return False
            return True

        assert (await asyncio.gather(*(race() for _ in range(64)))).count(True) == 1
        assert await here.payments() == 1

    play(backend, tmp_path, part)


def test_sessions_will_do(backend: Backend, tmp_path: Path) -> None:
    """An AsyncSession, or a scoped one."""

    async def part(here: AsyncShop) -> None:
        make = async_sessionmaker(here.engine)
        scoped = async_scoped_session(make, scopefunc=asyncio.current_task)
        for session in (make(), scoped):
            presented = await token(here)
            await spend(here, session, presented)
            await session.execute(here.paid.insert().values(note="orm"))
            await session.commit()
            await session.close()
            assert await is_spent(here, presented)
        async with AsyncSession(here.engine) as session:
            presented = await token(here)
            await spend(here, session, presented)
            await session.rollback()
        assert not await is_spent(here, presented)
        assert await here.payments() == 2

    play(backend, tmp_path, part)


def test_autocommit_sync_connections_and_strangers_are_refused(backend: Backend, tmp_path: Path) -> None:
    """What could not roll back together, or is no async connection, is the developer's mistake."""

    async def part(here: AsyncShop) -> None:
        presented = await token(here)
        options = {"isolation_level": "AUTOCOMMIT"}
        async with here.engine.connect() as connection:
            connection = await connection.execution_options(**options)
            begun = await connection.begin()
            assert begun.is_active
            with pytest.raises(InvalidInput, match="autocommit"):
                await spend(here, connection, presented)
        async with here.engine.connect() as connection:
            with pytest.raises(InvalidInput, match="no transaction"):
                await spend(here, connection, presented)
        sync = sa.create_engine("sqlite://")
        with sync.begin() as wrong, pytest.raises(InvalidInput, match="AsyncConnection"):
            await spend(here, wrong, presented)
        sync.dispose()
        assert not await is_spent(here, presented)

    play(backend, tmp_path, part)


def test_a_swallowed_error_does_not_commit(backend: Backend, tmp_path: Path) -> None:
    """A savepoint that takes the proof back takes the commit with it."""

    if backend.server is None:
        pytest.skip("refused: the driver of SQLite commits when a savepoint is released")

    async def part(here: AsyncShop) -> None:
        presented = await token(here)
        async with here.engine.connect() as connection:
            begun = await connection.begin()
            assert begun.is_active
            savepoint = await connection.begin_nested()
            await spend(here, connection, presented)
            await savepoint.rollback()
            await pay(here, connection)
            with pytest.raises(StoreUnavailable, match="come back"):
                await connection.commit()
            await connection.rollback()
        assert await here.payments() == 0
        assert not await is_spent(here, presented)

    play(backend, tmp_path, part)


def test_a_call_that_is_cancelled_leaves_nothing_behind(backend: Backend, tmp_path: Path) -> None:
    """Cancelled at any moment, the proof is spent with the action or not at all, and the pool goes on working."""

    async def part(here: AsyncShop) -> None:
        for turn in range(12):
            presented = await token(here)

            async def work(presented: str = presented) -> None:
                async with here.engine.begin() as connection:
                    await spend(here, connection, presented)
                    await pay(here, connection)

            before = await here.payments()
            task = asyncio.create_task(work())
            await asyncio.wait({task}, timeout=0.001 * turn)
            task.cancel()
            await asyncio.wait({task}, timeout=30)
            assert task.done()
            paid = await here.payments() - before
            assert await is_spent(here, presented) is (paid == 1)
        async with here.engine.begin() as connection:
            await spend(here, connection, await token(here))

    play(backend, tmp_path, part)


def test_a_refusal_is_recorded_after_the_transaction_has_ended(backend: Backend, tmp_path: Path) -> None:
    """The audit has the refusal although the caller rolled back."""

    async def part(here: AsyncShop) -> None:
        presented = await token(here)
        await here.gate.require("payout.create", CONTEXT, resource=ACCOUNT, token=presented)
        async with here.engine.connect() as connection:
            transaction = await connection.begin()
            await pay(here, connection)
            with pytest.raises(StepUpRequired):
                await spend(here, connection, presented)
            await transaction.rollback()
        newest = (await here.gate.events(ACTOR, limit=1)).items[0]
        for _ in range(200):
            if newest.result == "refused":
                break
            await asyncio.sleep(0.01)
            newest = (await here.gate.events(ACTOR, limit=1)).items[0]
        assert (newest.result, newest.reason) == ("refused", "spent")
        assert await here.payments() == 0

    play(backend, tmp_path, part)


@pytest.mark.requirement("G-02", "X-05")
def test_a_revoke_waits_for_an_open_one_and_then_holds(backend: Backend, tmp_path: Path) -> None:
    """A revoke is acknowledged only after the open transaction has ended, and then nothing opens."""

    async def part(here: AsyncShop) -> None:
        presented, other = await token(here), await token(here)
        async with here.engine.begin() as connection:
            await spend(here, connection, presented)
            revoking = asyncio.create_task(here.gate.revoke(CONTEXT, everything=True))
            done, _ = await asyncio.wait({revoking}, timeout=0.5)
            await pay(here, connection)
        await revoking
        assert not done
        assert await here.payments() == 1
        async with here.engine.connect() as connection:
            begun = await connection.begin()
            assert begun.is_active
            with pytest.raises(StepUpRequired):
                await spend(here, connection, other)

    play(backend, tmp_path, part)

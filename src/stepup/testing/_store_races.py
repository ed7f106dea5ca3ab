"""Checks of what holds when several writers meet, in threads for a sync store and in tasks for an async one.

Nothing here sleeps: jobs are let go together, often enough that a race which is there shows. Every public
coroutine is one check; its docstring is the promise, in the words of ``stepup.ports.Store``.
"""

from __future__ import annotations

from functools import partial

from stepup.changes import APPLIED, Applied, Check, Epoch, Key, Lost, Record, claim_key, grant_key, session_epoch
from stepup.grant import Claim, Spend

from ._store_bench import LATER, NOW, Bench, Job, a_claim, an_event, promise

ROUNDS = 10
WORKERS = 5
TRIES = 2000


async def of_many_creators_one_wins(bench: Bench) -> None:
    """Of any number of batches that put the same version, exactly one is applied, with its event and no other."""
    for turn in range(ROUNDS):
        partition, key = f"{turn:04x}{bench.partition[4:]}", claim_key("once")

        async def create(name: str, partition: str = partition) -> Applied | Lost:
            return await bench.apply(a_claim("once", name), events=(an_event(name),), partition=partition)

        names = [str(number) for number in range(8)]
        answers = await bench.together([partial(create, name) for name in names])
        winners = [name for name, answer in zip(names, answers, strict=True) if answer is APPLIED]
        promise(len(winners) == 1, f"of 8 batches that create one record exactly one is applied, not {len(winners)}")
        losers = {answer for answer in answers if isinstance(answer, Lost)}
        promise(losers <= {Lost(key), Lost(None)}, f"the others lose on its key: {losers}")
        (record,) = await bench.load(key, partition=partition)
        promise(record is not None and record.value == Claim(NOW, winners[0]), "what is stored is the winner's")
        promise(await bench.reasons(partition) == winners, "the only event is the winner's")


async def no_increment_is_lost(bench: Bench) -> None:
    """Five workers that each count ten up, trying again when they lose, make fifty."""
    key = grant_key("counter")
    await bench.applied(Record(key, Spend(0), expires_at=LATER))

    async def count() -> None:
        done = 0
        for _ in range(TRIES):
            (record,) = await bench.load(key)
            if record is None or not isinstance(record.value, Spend):
                raise AssertionError("a record that is only ever updated is always found")
            value = Spend((record.value.remaining or 0) + 1)
            done += await bench.apply(Record(key, value, record.version, LATER)) is APPLIED
            if done == 10:
                return
        raise AssertionError("a writer that tries again gets its turn")

    await bench.together([count] * WORKERS)
    (record,) = await bench.load(key)
    promise(record is not None and record.value == Spend(50), f"50 increments make 50: {record!r}")
    promise(record is not None and record.version == 51, "50 updates raise the version by 50")


async def a_revoked_version_lets_nothing_through(bench: Bench) -> None:
    """What is checked cannot change until the batch has committed.

    Once a revoke is acknowledged, no batch that checked the version before it is still to appear.
    """
    for turn in range(ROUNDS):
        epoch, names = session_epoch(str(turn)), [f"{turn} {number}" for number in range(WORKERS)]
        await bench.applied(Record(epoch, Epoch()))

        async def redeem(number: int, epoch: Key = epoch, names: list[str] = names) -> set[str]:
            for _ in range(number):  # so that some start after the revoke did
                await bench.load(epoch)
            answer = await bench.apply(a_claim(names[number]), checks=(Check(epoch, 1),))
            return {names[number]} if answer is APPLIED else set()

        async def revoke(epoch: Key = epoch, names: list[str] = names) -> set[str]:
            for _ in range(TRIES):
                answer = await bench.apply(Record(epoch, Epoch(), 1))
                if answer is APPLIED:
                    seen = await bench.versions(*(claim_key(name) for name in names))
                    return {name for name, version in zip(names, seen, strict=True) if version}
                promise(answer == Lost(None), "a check by another batch does not raise the version")
            raise AssertionError("a writer that tries again gets its turn")

        jobs: list[Job[set[str]]] = [revoke, *(partial(redeem, number) for number in range(WORKERS))]
        seen, *redeemed = await bench.together(jobs)
        late = {name for one in redeemed for name in one} - seen
        promise(not late, f"{len(late)} batches with a stale check committed after the revoke was acknowledged")
        promise(await bench.versions(epoch) == (2,), "the revoke is written once")


async def crossed_checks_never_both_hold(bench: Bench) -> None:
    """Of two batches that each put what the other checks, at most one is applied (no write skew)."""
    for turn in range(ROUNDS):
        left, right = f"left {turn}", f"right {turn}"
        await bench.applied(a_claim(left), a_claim(right))

        async def change(mine: str, other: str) -> Applied | Lost:
            return await bench.apply(a_claim(mine, version=1), checks=(Check(claim_key(other), 1),))

        answers = await bench.together([partial(change, left, right), partial(change, right, left)])
        promise(answers.count(APPLIED) <= 1, "of two batches that each put what the other checks, both were applied")
        written = sum(await bench.versions(claim_key(left), claim_key(right))) - 2
        promise(written == answers.count(APPLIED), "what is stored is what was acknowledged")


async def opposite_orders_do_not_deadlock(bench: Bench) -> None:
    """Puts are applied in the order of their keys: of batches that name the same two, either way round, one wins."""
    for turn in range(ROUNDS):
        names = (f"x {turn}", f"y {turn}")
        await bench.applied(*(a_claim(name) for name in names))

        async def change(*order: str) -> Applied | Lost:
            return await bench.apply(*(a_claim(name, version=1) for name in order))

        answers = await bench.together([partial(change, *names), partial(change, *reversed(names))] * 2)
        promise(answers.count(APPLIED) == 1, f"exactly one of them is applied: {answers}")
        found = await bench.versions(*(claim_key(name) for name in names))
        promise(found == (2, 2), "all of the winner is written")


async def a_load_sees_one_moment(bench: Bench) -> None:
    """Records that are only ever written together are loaded at the same version."""
    names = tuple("abcdef")
    keys = tuple(claim_key(name) for name in names)
    await bench.applied(*(a_claim(name) for name in names))

    async def write() -> None:
        for version in range(1, 41):
            await bench.applied(*(a_claim(name, version=version) for name in names))

    async def read() -> None:
        for _ in range(40):
            found = await bench.versions(*keys)
            promise(len(set(found)) == 1, f"load() answers from one consistent moment, not {found}")

    await bench.together([write, read, read])

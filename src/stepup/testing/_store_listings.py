"""Checks of what is not a plain batch: events, listings, purging, erasing and the fence.

Every public coroutine here is one check; its docstring is the promise, in the words of ``stepup.ports.Store``.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from stepup.changes import ACTOR_EPOCH, FENCE, Applied, Check, Epoch, Fence, Lost, Record, claim_key, session_epoch
from stepup.errors import StepUpError
from stepup.event import EventType

from ._store_bench import NOW, Bench, a_claim, an_event, events_of, promise, same

A, B, C = claim_key("a"), claim_key("b"), claim_key("c")
DAY = timedelta(days=1)


# -- events -----------------------------------------------------------------------


async def events_come_newest_first(bench: Bench) -> None:
    """The newest event comes first, within a batch and between batches."""
    await bench.applied(events=(an_event("1", NOW), an_event("2", NOW + DAY)))
    await bench.applied(events=(an_event("3", NOW + 2 * DAY),))
    promise(await bench.reasons() == ["3", "2", "1"], "events are listed newest first")


async def an_event_may_be_about_nobody(bench: Bench) -> None:
    """That somebody was erased is recorded without saying who."""
    erased = replace(an_event("erased"), type=EventType.FORGOTTEN, result="ok", actor="")
    await bench.applied(events=(erased,), erase=True)
    found = events_of(await bench.store.events(bench.partition, after=None, limit=10))
    same(tuple(found), (erased,), "an event without an actor reads back as it was")


async def events_are_paged(bench: Bench) -> None:
    """``Page.after`` continues a listing: nothing twice, nothing left out, whatever is written meanwhile."""
    for number in range(7):
        await bench.applied(events=(an_event(str(number), NOW + number * DAY),))
    await bench.applied(events=(an_event("theirs"),), partition=bench.other)
    found: list[str | None] = []
    after: str | None = None
    for turn in range(10):
        page = await bench.store.events(bench.partition, after=after, limit=3)
        found += [event.reason for event in events_of(page, 3)]
        after = page.after
        if after is None:
            break
        await bench.applied(events=(an_event(f"new {turn}", NOW + (10 + turn) * DAY),))
    promise(after is None, "the last page has no cursor")
    promise(found == ["6", "5", "4", "3", "2", "1", "0"], f"pages follow each other without a gap: {found}")


async def events_of_one_moment_are_all_paged(bench: Bench) -> None:
    """Events with the same time are told apart by the cursor."""
    await bench.applied(events=tuple(an_event(str(number)) for number in range(5)))
    found: list[str | None] = []
    after: str | None = None
    for _ in range(10):
        page = await bench.store.events(bench.partition, after=after, limit=2)
        found += [event.reason for event in events_of(page, 2)]
        after = page.after
        if after is None:
            break
    promise(sorted(str(one) for one in found) == ["0", "1", "2", "3", "4"], f"each event is listed once: {found}")


# -- listing ----------------------------------------------------------------------


async def tagged_records_are_listed(bench: Bench) -> None:
    """Records that carry a tag are listed, of all partitions, as they are stored now."""
    tag = f"tag:{bench.other[:16]}"
    await bench.applied(replace(a_claim("a", "old"), tag=tag), a_claim("b"), replace(a_claim("c"), tag=tag + "x"))
    await bench.applied(replace(a_claim("d"), tag=tag), partition=bench.other)
    await bench.applied(replace(a_claim("a", "new", version=1), tag=tag))
    newest = replace(a_claim("a", "new", version=2), tag=tag)
    await bench.listed(tag, "a", "d", one=newest)
    same((await bench.load(A))[0], newest, "a tag is read back")


async def a_listing_is_paged_in_a_stable_order(bench: Bench) -> None:
    """``Page.after`` continues a listing, and the order is the same each time."""
    tag = f"tag:{bench.other[:16]}"
    names = [f"{number:02d}" for number in range(7)]
    for name in names:
        partition = bench.other if name > "03" else None
        await bench.applied(replace(a_claim(name), tag=tag), partition=partition)
    await bench.listed(tag, *names, limit=3)
    once = [record.key for record in await bench.tagged(tag, limit=2)]
    again = [record.key for record in await bench.tagged(tag, limit=5)]
    promise(once == again, "a listing has the same order whatever the size of its pages")


async def a_tag_can_be_taken_away(bench: Bench) -> None:
    """A put without the tag, or with another, ends the listing under the old one."""
    tag = f"tag:{bench.other[:16]}"
    await bench.applied(*(replace(a_claim(name), tag=tag) for name in "abc"))
    await bench.applied(a_claim("a", version=1), replace(a_claim("b", version=1), tag=tag + "x"))
    await bench.listed(tag, "c")
    await bench.listed(tag + "x", "b")


# -- purging ----------------------------------------------------------------------


async def only_expired_records_are_purged(bench: Bench) -> None:
    """``purge`` deletes what expired earlier than the time given: nothing else, no epoch, no event.

    A store whose backend deletes expired records itself may delete none here. One that deletes any, deletes
    all when called until it answers 0.
    """
    before = datetime(2010, 1, 1, tzinfo=UTC)
    epoch = session_epoch("purged")
    await bench.applied(
        *(a_claim(f"gone {number}", expires_at=before - number * DAY) for number in range(1, 4)),
        a_claim("at the time", expires_at=before),
        a_claim("after it", expires_at=before + DAY),
        Record(A, a_claim("a").value),
        Record(epoch, Epoch(), expires_at=before - DAY),
        events=(an_event("kept", before - 9 * DAY),),
        at=before - 10 * DAY,
    )
    total = await _purge_all(bench, before, 1000)
    kept = (claim_key("at the time"), claim_key("after it"), A, epoch)
    promise(await bench.versions(*kept) == (1, 1, 1, 1), "what has not expired stays, and so does every epoch")
    promise(await bench.reasons() == ["kept"], "events are never purged")
    promise(await bench.fence() > 0, "the fence is never purged")
    gone = sum(await bench.versions(*(claim_key(f"gone {number}") for number in range(1, 4))))
    promise(gone == (3 if total == 0 else 0), f"purge() answers how many it deleted: {total}, with {gone} of 3 left")


async def a_purge_honours_its_limit(bench: Bench) -> None:
    """``purge`` deletes at most *limit* records a call, and gets through them all."""
    before = datetime(2005, 1, 1, tzinfo=UTC)
    keys = tuple(claim_key(str(number)) for number in range(5))
    await bench.applied(*(a_claim(key.id, expires_at=before - DAY) for key in keys), at=before - 2 * DAY)
    first = await bench.store.purge(before, limit=2)
    left = sum(await bench.versions(*keys))
    promise(type(first) is int and 0 <= first <= 2, f"purge(limit=2) answers 0 to 2, not {first!r}")
    promise(left >= 5 - first, f"purge(limit=2) deletes what it says: {first}, with {left} of 5 left")
    rest = await _purge_all(bench, before, 2)
    left = sum(await bench.versions(*keys))
    promise(left == (5 if first + rest == 0 else 0), "called until it answers 0, purge() deletes all that has expired")


async def a_purged_record_can_be_created_again(bench: Bench) -> None:
    """Once a record is gone it does not exist: version 0 holds, its tag lists nothing."""
    before, tag = datetime(2000, 1, 1, tzinfo=UTC), f"tag:{bench.other[:16]}"
    await bench.applied(replace(a_claim("a", expires_at=before - DAY), tag=tag), at=before - 2 * DAY)
    if await _purge_all(bench, before, 1000) > 0:
        await bench.lost(a_claim("a", version=1), key=A)
        await bench.listed(tag)
        await bench.applied(a_claim("a"), checks=(Check(B, 0),))


async def _purge_all(bench: Bench, before: datetime, limit: int) -> int:
    total = 0
    for _ in range(1000):
        gone = await bench.store.purge(before, limit=limit)
        if gone == 0:
            return total
        total += gone
    raise AssertionError("purge() comes to an end: it answers 0 when nothing has expired")


# -- erasing ----------------------------------------------------------------------


async def erasing_leaves_epochs_and_what_the_batch_puts(bench: Bench) -> None:
    """With ``erase`` every other record of the partition goes, and every earlier event; other people's stay."""
    tag, epoch = f"tag:{bench.other[:16]}", session_epoch("erased")
    before = (Record(ACTOR_EPOCH, Epoch()), Record(epoch, Epoch()), a_claim("a"), a_claim("b"))
    for partition in (bench.partition, bench.other):
        tagged = replace(a_claim("c"), tag=f"{tag}{partition == bench.other}")
        await bench.applied(*before, tagged, events=(an_event("before"),), partition=partition)
    fence = await bench.fence()
    puts = (Record(ACTOR_EPOCH, Epoch(), 1), a_claim("b", "kept", version=1), a_claim("new"))
    await bench.applied(*puts, checks=(Check(FENCE, fence),), events=(an_event("erased"),), erase=True)
    found = await bench.versions(ACTOR_EPOCH, epoch, A, B, C, claim_key("new"), FENCE)
    promise(found == (2, 1, 0, 2, 0, 1, fence), "erasing leaves the epochs, the fence and what the batch puts")
    promise(await bench.reasons() == ["erased"], "erasing takes the earlier events and leaves its own")
    await bench.listed(tag + "False")
    await bench.listed(tag + "True", "c")
    found = await bench.versions(ACTOR_EPOCH, epoch, A, B, C, partition=bench.other)
    promise(found == (1, 1, 1, 1, 1), "erasing touches no other partition")
    promise(await bench.reasons(bench.other) == ["before"], "erasing touches no event of another partition")
    await bench.applied(a_claim("a", "anew"))


async def erasing_that_loses_erases_nothing(bench: Bench) -> None:
    """``erase`` is part of the batch: where a version does not hold, everything stays."""
    await bench.applied(a_claim("a"), a_claim("b"), events=(an_event("before"),))
    await bench.lost(a_claim("b"), key=B, events=(an_event("lost"),), erase=True)
    await bench.lost(key=A, checks=(Check(A, 2),), erase=True)
    promise(await bench.versions(A, B) == (1, 1), "an erasure that lost leaves the records")
    promise(await bench.reasons() == ["before"], "an erasure that lost leaves the events")


# -- the fence --------------------------------------------------------------------


async def the_fence_exists_and_is_one(bench: Bench) -> None:
    """``Key("fence")`` always exists, has the same version in every partition, and no write changes it."""
    (record,) = await bench.load(FENCE)
    if record is None:
        raise AssertionError("the fence always exists, in a partition never written to as well")
    same(record.value, Fence(), "the fence reads as a Fence")
    promise(await bench.fence(bench.other) == record.version, "the fence has one version in all partitions")
    await bench.applied(a_claim("a"), events=(an_event("written"),), checks=(Check(FENCE, record.version),))
    await bench.lost(a_claim("a"), key=A)
    for partition in (bench.partition, bench.other):
        promise(await bench.fence(partition) == record.version, "writes do not change the fence")


async def the_fence_is_checked(bench: Bench) -> None:
    """A batch that checks another version of the fence loses: what it rests on may be lost."""
    fence = await bench.fence()
    for version in (0, fence + 1, fence - 1):
        await bench.lost(a_claim("a"), key=FENCE, checks=(Check(FENCE, version),))
    await bench.applied(a_claim("a"), checks=(Check(FENCE, fence),))


async def the_fence_cannot_be_put(bench: Bench) -> None:
    """A put of the fence is refused with an error of stepup's, and nothing of its batch is written."""
    fence = await bench.fence()
    for version in (0, fence):
        answer: Applied | Lost | None = None
        with suppress(StepUpError):
            answer = await bench.apply(a_claim("a"), Record(FENCE, Fence(), version), events=(an_event("no"),))
        promise(answer is None, f"a put of the fence raises, and does not answer {answer!r}")
    promise(await bench.versions(A, FENCE) == (0, fence), "a batch that puts the fence writes nothing")
    promise(await bench.reasons() == [], "a batch that puts the fence writes no event")

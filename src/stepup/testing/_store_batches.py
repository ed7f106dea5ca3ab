"""Checks of ``load`` and ``apply``: versions, checks, atomicity, keys, values and partitions.

Every public coroutine here is one check; its docstring is the promise, in the words of ``stepup.ports.Store``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from stepup.changes import FENCE, Check, Key, Lost, Record, claim_key
from stepup.grant import Claim

from ._store_bench import LATER, NOW, Bench, a_claim, an_event, events_of, promise, same
from ._store_samples import BLANKS, EVENT, LARGE, SAMPLES

A, B, C = claim_key("a"), claim_key("b"), claim_key("c")


# -- puts -------------------------------------------------------------------------


async def a_record_is_created_at_version_one(bench: Bench) -> None:
    """Version 0 means "must not exist"; what is written gets version 1 and is read back."""
    await bench.applied(a_claim("a", "mine"))
    (record,) = await bench.load(A)
    same(record, a_claim("a", "mine", version=1), "a record that was created is read back")


async def a_second_create_loses(bench: Bench) -> None:
    """A put at version 0 loses where a record exists, and leaves it as it is."""
    await bench.applied(a_claim("a", "first"))
    await bench.lost(a_claim("a", "second"), key=A)
    (record,) = await bench.load(A)
    same(record, a_claim("a", "first", version=1), "a create that lost changes nothing")


async def an_update_raises_the_version_by_one(bench: Bench) -> None:
    """A put at the stored version is written at the next one, any number of times."""
    for version in range(5):
        await bench.applied(a_claim("a", str(version), version=version))
        (record,) = await bench.load(A)
        same(record, a_claim("a", str(version), version=version + 1), "an update is read back, one version higher")


async def a_stale_update_loses(bench: Bench) -> None:
    """A put at an older version, or at one not reached yet, loses and changes nothing."""
    await bench.applied(a_claim("a", "one"))
    await bench.applied(a_claim("a", "two", version=1))
    for version in (0, 1, 3, 2**31):
        await bench.lost(a_claim("a", "stale", version=version), key=A)
    (record,) = await bench.load(A)
    same(record, a_claim("a", "two", version=2), "an update that lost changes nothing")


async def an_update_of_a_missing_record_loses(bench: Bench) -> None:
    """A put at any version but 0 loses where no record exists, and creates none."""
    await bench.lost(a_claim("a", version=1), key=A)
    promise(await bench.versions(A) == (0,), "an update of a missing record creates none")


async def an_expired_record_still_exists(bench: Bench) -> None:
    """Version 0 means "must not exist", whether or not what exists has expired by the batch's time."""
    expires_at = NOW.replace(microsecond=0) + timedelta(minutes=1)
    await bench.applied(a_claim("a", "first", expires_at=expires_at))
    await bench.lost(a_claim("a", "second"), key=A, at=NOW + timedelta(minutes=2))
    await bench.lost(a_claim("b"), key=A, checks=(Check(A, 0),), at=NOW + timedelta(minutes=2))


async def the_losing_key_is_named(bench: Bench) -> None:
    """``Lost`` names the key whose version did not hold, wherever in the batch it stands."""
    await bench.applied(a_claim("b"))
    for puts in (
        (a_claim("a"), a_claim("b"), a_claim("c")),
        (a_claim("b"), a_claim("a")),
        (a_claim("a"), a_claim("b")),
    ):
        await bench.lost(*puts, key=B)
    await bench.lost(a_claim("a"), key=C, checks=(Check(B, 1), Check(C, 1)))
    await bench.applied(a_claim("c"))
    answer = await bench.apply(a_claim("a"), a_claim("b"), checks=(Check(C, 2),))
    promise(answer in (Lost(B), Lost(C)), f"of several losing keys one is named, not {answer!r}")


async def a_batch_that_loses_writes_nothing(bench: Bench) -> None:
    """All puts and all events of a batch are written, or nothing."""
    await bench.applied(a_claim("b", "before"), events=(an_event("before"),))
    for puts in (
        (a_claim("a"), a_claim("b")),
        (a_claim("b"), a_claim("c")),
        (a_claim("c"), a_claim("b"), a_claim("a")),
    ):
        await bench.lost(*puts, key=B, events=(an_event("lost"),))
    promise(await bench.versions(A, B, C) == (0, 1, 0), "no put of a batch that lost is written")
    promise(await bench.reasons() == ["before"], "no event of a batch that lost is written")


async def a_batch_that_wins_writes_everything(bench: Bench) -> None:
    """All puts of a batch, and all its events."""
    await bench.applied(a_claim("b"))
    puts = (a_claim("c"), a_claim("a"), a_claim("b", "again", version=1))
    await bench.applied(*puts, events=(an_event("one"), an_event("two")))
    promise(await bench.versions(A, B, C) == (1, 2, 1), "every put of a batch is written")
    promise(sorted(str(one) for one in await bench.reasons()) == ["one", "two"], "every event of a batch is written")


async def batches_without_puts_are_judged_too(bench: Bench) -> None:
    """An empty batch, events alone and checks alone are batches like any other."""
    await bench.applied()
    await bench.applied(events=(an_event("alone"),))
    await bench.applied(checks=(Check(A, 0),))
    await bench.lost(key=A, checks=(Check(A, 1),))
    promise(await bench.reasons() == ["alone"], "a batch of events alone writes them")


# -- checks -----------------------------------------------------------------------


async def a_check_that_holds_lets_the_batch_through(bench: Bench) -> None:
    """A check succeeds if the stored version equals its version; 0 means "must not exist"."""
    await bench.applied(a_claim("b"))
    await bench.applied(a_claim("b", version=1))
    await bench.applied(a_claim("a"), checks=(Check(B, 2), Check(C, 0)))
    promise(await bench.versions(A) == (1,), "a batch whose checks hold is written")


async def a_check_that_fails_stops_the_batch(bench: Bench) -> None:
    """A batch loses on a check whose version is not the stored one, and writes neither puts nor events."""
    await bench.applied(a_claim("b"))
    await bench.applied(a_claim("b", version=1))
    for version in (0, 1, 3):
        await bench.lost(a_claim("a"), key=B, checks=(Check(B, version),), events=(an_event("lost"),))
    await bench.lost(a_claim("a"), key=C, checks=(Check(B, 2), Check(C, 1)), events=(an_event("lost"),))
    await bench.lost(key=B, checks=(Check(B, 1),), events=(an_event("lost"),))
    promise(await bench.versions(A) == (0,), "no put of a batch that lost on a check is written")
    promise(await bench.reasons() == [], "no event of a batch that lost on a check is written")


async def a_key_checked_at_two_versions_loses(bench: Bench) -> None:
    """One of the two cannot hold: the batch loses and writes nothing, in whatever way the store compares them."""
    await bench.applied(a_claim("b"))
    for checks in ((Check(B, 1), Check(B, 2)), (Check(B, 2), Check(B, 1)), (Check(B, 1), Check(B, 0))):
        await bench.lost(a_claim("a"), key=B, checks=checks, events=(an_event("lost"),))
    promise(await bench.versions(A) == (0,), "no put of a batch whose checks contradict each other is written")
    promise(await bench.reasons() == [], "no event of a batch whose checks contradict each other is written")


async def what_is_checked_is_not_written(bench: Bench) -> None:
    """A check leaves the version and the value as they are, and creates nothing."""
    await bench.applied(a_claim("b", "mine"))
    await bench.applied(a_claim("a"), checks=(Check(B, 1), Check(C, 0)))
    await bench.applied(checks=(Check(B, 1), Check(C, 0)))
    found = await bench.load(B, C)
    same(found[0], a_claim("b", "mine", version=1), "a check leaves the record as it is")
    promise(found[1] is None, "a check of version 0 creates nothing")


# -- keys and partitions ----------------------------------------------------------


async def records_are_loaded_in_the_order_asked_for(bench: Bench) -> None:
    """One record or None per key, in the order asked for, duplicates and the fence included."""
    await bench.applied(a_claim("a"), a_claim("c"))
    await bench.applied(a_claim("c", version=1))
    fence = await bench.fence()
    keys = (C, B, A, FENCE, C, A, B)
    promise(await bench.versions(*keys) == (2, 0, 1, fence, 2, 1, 0), "each key is answered in its place")
    promise(await bench.versions() == (), "no keys, no records")


async def partitions_are_isolated(bench: Bench) -> None:
    """A record or event of another partition is never returned, compared with, or changed."""
    await bench.applied(a_claim("a", "mine"), events=(an_event("mine"),))
    promise(await bench.versions(A, partition=bench.other) == (0,), "a record is not found in another partition")
    promise(await bench.reasons(bench.other) == [], "an event is not found in another partition")
    await bench.applied(a_claim("a", "theirs"), events=(an_event("theirs"),), partition=bench.other)
    await bench.applied(a_claim("a", "theirs", version=1), checks=(Check(B, 0),), partition=bench.other)
    (record,) = await bench.load(A)
    same(record, a_claim("a", "mine", version=1), "a write in another partition changes nothing here")
    promise(await bench.reasons() == ["mine"], "events of another partition are not listed here")


async def keys_are_compared_exactly(bench: Bench) -> None:
    """Keys of up to 64 and 192 ASCII characters: case, spaces, every last character and both parts count."""
    long = "k" * 191
    ids = [
        "a",
        "A",
        "a ",
        " a",
        "",
        "a%",
        "a_",
        "a:b",
        "a/b",
        "a\\b",
        "a'b",
        'a"b',
        "a;--b",
        "{a}",
        "a*",
        long + "x",
        long + "y",
    ]
    keys = [claim_key(one) for one in ids]
    keys += [Key("grant", "a"), Key("k" * 63 + "x", "a"), Key("k" * 63 + "y", "a"), Key("k" * 64, long + "x")]
    for number, key in enumerate(keys):
        await bench.applied(Record(key, Claim(NOW, str(number)), expires_at=LATER))
    for number, (key, record) in enumerate(zip(keys, await bench.load(*keys), strict=True)):
        same(record, Record(key, Claim(NOW, str(number)), 1, LATER), f"the record under {key!r} is its own")


# -- values -----------------------------------------------------------------------


async def every_value_reads_back_as_it_was(bench: Bench) -> None:
    """Every kind of value reads back equal, field by field and type by type, filled in or blank, and its tag."""
    await bench.applied(*SAMPLES)
    await bench.applied(*BLANKS)
    wanted = [replace(record, version=1) for record in (*SAMPLES, *BLANKS)]
    found = await bench.load(*(record.key for record in wanted))
    for record, one in zip(found, wanted, strict=True):
        same(record, one, f"what was put under {one.key.kind!r} reads back as it was")


async def large_values_read_back_whole(bench: Bench) -> None:
    """A value as large as the library makes them reads back equal."""
    await bench.applied(Record(A, LARGE, expires_at=LATER))
    (record,) = await bench.load(A)
    same(record, Record(A, LARGE, 1, LATER), "a large value reads back whole")


async def an_event_reads_back_as_it_was(bench: Bench) -> None:
    """Every field of an event reads back equal, set or not."""
    blank = an_event("blank", at=NOW + timedelta(seconds=1))
    await bench.applied(events=(replace(EVENT, id=bench.other[:32]),))
    await bench.applied(events=(blank,))
    found = events_of(await bench.store.events(bench.partition, after=None, limit=10))
    same(tuple(found), (blank, replace(EVENT, id=bench.other[:32])), "an event reads back as it was")

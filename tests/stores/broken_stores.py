"""Stores that are each wrong in one way that people get stores wrong, and the check that has to catch each.

``BROKEN`` pairs a class with the name of a check. Each is one step of ``PlainStore`` gone wrong; those that lack
a lock pause in the gap, so that a race they lose is lost every time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar, cast

from plain_store import Place, PlainStore

from stepup.challenge import Challenge, State
from stepup.changes import APPLIED, FENCE, Applied, Changes, Check, Key, Lost, Page, Record
from stepup.errors import StoreUnavailable
from stepup.event import Event
from stepup.factor import FactorSet, StoredFactor
from stepup.grant import Shelf

S = TypeVar("S", bound=PlainStore)
BROKEN: list[tuple[type[PlainStore], str]] = []


def caught_by(*checks: str) -> Callable[[type[S]], type[S]]:
    """Register a broken store with the checks that have to catch it."""

    def register(store: type[S]) -> type[S]:
        BROKEN.extend((store, check) for check in checks)
        return store

    return register


def pause() -> None:
    """Let somebody else in."""
    time.sleep(0.0005)


# -- answers ----------------------------------------------------------------------


@caught_by("a_record_is_created_at_version_one", "batches_without_puts_are_judged_too")
class AnswersTrue(PlainStore):
    def apply(self, partition: str, changes: Changes) -> Applied | Lost:
        return cast("Applied", isinstance(super().apply(partition, changes), Applied))


@caught_by("a_record_is_created_at_version_one")
class AnswersItsOwnApplied(PlainStore):
    def apply(self, partition: str, changes: Changes) -> Applied | Lost:
        answer = super().apply(partition, changes)
        return Applied() if answer is APPLIED else answer


@caught_by("a_record_is_created_at_version_one")
class ForgetsWrites(PlainStore):
    def write(self, partition: str, changes: Changes) -> None:
        pass


@caught_by("the_losing_key_is_named")
class NamesTheFirstPut(PlainStore):
    def lose(self, partition: str, changes: Changes, key: Key) -> Lost:
        return Lost(changes.puts[0].key if changes.puts else key)


@caught_by("a_second_create_loses", "the_losing_key_is_named")
class NamesNoKey(PlainStore):
    def lose(self, partition: str, changes: Changes, key: Key) -> Lost:
        return Lost(None)


@caught_by("records_are_loaded_in_the_order_asked_for")
class AnswersOnlyWhatItFinds(PlainStore):
    def load(self, partition: str, keys: Sequence[Key]) -> Sequence[Record | None]:
        return [record for record in super().load(partition, keys) if record is not None]


@caught_by("records_are_loaded_in_the_order_asked_for")
class AnswersAMapping(PlainStore):
    def load(self, partition: str, keys: Sequence[Key]) -> Sequence[Record | None]:
        return cast("Sequence[Record | None]", dict(zip(keys, super().load(partition, keys), strict=True)))


@caught_by("records_are_loaded_in_the_order_asked_for")
class LoadsInItsOwnOrder(PlainStore):
    def load(self, partition: str, keys: Sequence[Key]) -> Sequence[Record | None]:
        return super().load(partition, sorted(keys))


@caught_by("records_are_loaded_in_the_order_asked_for")
class DropsDuplicates(PlainStore):
    def load(self, partition: str, keys: Sequence[Key]) -> Sequence[Record | None]:
        return super().load(partition, list(dict.fromkeys(keys)))


# -- versions ---------------------------------------------------------------------


@caught_by("a_second_create_loses", "the_losing_key_is_named")
class CreatesOverWhatExists(PlainStore):
    def put_holds(self, partition: str, put: Record, changes: Changes) -> bool:
        return put.version == 0 or super().put_holds(partition, put, changes)


@caught_by("an_update_of_a_missing_record_loses")
class UpdatesWhatIsMissing(PlainStore):
    def put_holds(self, partition: str, put: Record, changes: Changes) -> bool:
        return self.version(partition, put.key, changes) in (0, put.version)


@caught_by("a_stale_update_loses")
class LastWriteWins(PlainStore):
    def put_holds(self, partition: str, put: Record, changes: Changes) -> bool:
        return (put.version == 0) is (self.version(partition, put.key, changes) == 0)


@caught_by("a_stale_update_loses")
class TakesVersionsFromTheFuture(PlainStore):
    def put_holds(self, partition: str, put: Record, changes: Changes) -> bool:
        held = self.version(partition, put.key, changes)
        return put.version >= held and (put.version == 0) is (held == 0)


@caught_by("an_update_raises_the_version_by_one", "no_increment_is_lost")
class KeepsTheVersion(PlainStore):
    def next(self, put: Record) -> Record:
        return replace(put, version=put.version or 1)


@caught_by("an_expired_record_still_exists")
class TakesExpiredForGone(PlainStore):
    def version(self, partition: str, key: Key, changes: Changes) -> int:
        held = self.held(partition, key)
        return 0 if held is None or held.expires_at < changes.at else held.version


@caught_by("a_record_is_created_at_version_one", "an_expired_record_still_exists")
class ReadsItsOwnClock(PlainStore):
    def stored(self, partition: str, key: Key) -> Record | None:
        held = super().stored(partition, key)
        return None if held is None or held.expires_at.timestamp() < time.time() else held


# -- all or nothing ---------------------------------------------------------------


@caught_by("a_batch_that_loses_writes_nothing")
class WritesUntilItLoses(PlainStore):
    def lose(self, partition: str, changes: Changes, key: Key) -> Lost:
        for put in changes.puts:
            if put.key == key:
                break
            self.write_put(partition, put)
        return Lost(key)


@caught_by("a_batch_that_loses_writes_nothing", "of_many_creators_one_wins")
class RecordsEventsOfLosers(PlainStore):
    def lose(self, partition: str, changes: Changes, key: Key) -> Lost:
        self.log += [(partition, event) for event in changes.events]
        return Lost(key)


@caught_by("a_batch_that_wins_writes_everything")
class WritesTheFirstPutOnly(PlainStore):
    def write(self, partition: str, changes: Changes) -> None:
        super().write(partition, replace(changes, puts=changes.puts[:1]))


@caught_by("a_batch_that_wins_writes_everything", "events_come_newest_first")
class WritesTheFirstEventOnly(PlainStore):
    def events_to_write(self, changes: Changes) -> tuple[Event, ...]:
        return changes.events[:1]


@caught_by("batches_without_puts_are_judged_too", "an_event_reads_back_as_it_was")
class IgnoresBatchesWithoutPuts(PlainStore):
    def write(self, partition: str, changes: Changes) -> None:
        if changes.puts:
            super().write(partition, changes)


# -- checks -----------------------------------------------------------------------


@caught_by("a_check_that_fails_stops_the_batch", "erasing_that_loses_erases_nothing", "the_fence_is_checked")
class IgnoresChecks(PlainStore):
    def check_holds(self, partition: str, check: Check, changes: Changes) -> bool:
        return True


@caught_by("a_check_that_fails_stops_the_batch")
class IgnoresChecksOfVersionZero(PlainStore):
    def check_holds(self, partition: str, check: Check, changes: Changes) -> bool:
        return check.version == 0 or super().check_holds(partition, check, changes)


@caught_by("a_check_that_holds_lets_the_batch_through")
class CannotCheckForAbsence(PlainStore):
    def check_holds(self, partition: str, check: Check, changes: Changes) -> bool:
        return check.version > 0 and super().check_holds(partition, check, changes)


@caught_by("a_check_that_fails_stops_the_batch")
class JudgesTheFirstCheckOnly(PlainStore):
    def losing(self, partition: str, changes: Changes) -> Key | None:
        return super().losing(partition, replace(changes, checks=changes.checks[:1]))


@caught_by("what_is_checked_is_not_written")
class WritesWhatItChecks(PlainStore):
    def write(self, partition: str, changes: Changes) -> None:
        super().write(partition, changes)
        for key, _ in changes.checks:
            held = self.stored(partition, key)
            if held is not None:
                self.write_put(partition, held)


# -- keys and partitions ----------------------------------------------------------


@caught_by("partitions_are_isolated", "erasing_leaves_epochs_and_what_the_batch_puts")
class KnowsNoPartitions(PlainStore):
    def place(self, partition: str, key: Key) -> Place:
        return "everybody", key


@caught_by("partitions_are_isolated", "events_are_paged")
class ListsEverybodysEvents(PlainStore):
    def events(self, partition: str, *, after: str | None, limit: int) -> Page[Event]:
        owners, self.log = self.log, [(partition, event) for _, event in self.log]
        try:
            return super().events(partition, after=after, limit=limit)
        finally:
            self.log = owners


@caught_by("keys_are_compared_exactly")
class IgnoresCase(PlainStore):
    def place(self, partition: str, key: Key) -> Place:
        return partition, Key(key.kind, key.id.lower())


@caught_by("keys_are_compared_exactly")
class IgnoresTrailingSpaces(PlainStore):
    def place(self, partition: str, key: Key) -> Place:
        return partition, Key(key.kind, key.id.rstrip())


@caught_by("keys_are_compared_exactly")
class CutsLongIds(PlainStore):
    def place(self, partition: str, key: Key) -> Place:
        return partition, Key(key.kind, key.id[:191])


@caught_by("keys_are_compared_exactly")
class CutsLongKinds(PlainStore):
    def place(self, partition: str, key: Key) -> Place:
        return partition, Key(key.kind[:63], key.id)


@caught_by("keys_are_compared_exactly")
class IgnoresTheKind(PlainStore):
    def place(self, partition: str, key: Key) -> Place:
        return partition, Key("any", key.id)


# -- values -----------------------------------------------------------------------


class Bends(PlainStore):
    """Changes values on their way in, as a careless codec does."""

    def bend(self, record: Record) -> Record:
        raise NotImplementedError

    def next(self, put: Record) -> Record:
        return self.bend(super().next(put))


@caught_by("every_value_reads_back_as_it_was")
class TurnsTuplesIntoLists(Bends):
    def bend(self, record: Record) -> Record:
        if not isinstance(record.value, FactorSet):
            return record
        lists = {"codes": cast("tuple[str, ...]", ["listed"])}
        factors = [
            StoredFactor(
                one.id, one.method, {**one.data, **{key: lists[key] for key in one.data if key in lists}}, one.pending
            )
            for one in record.value.factors
        ]
        return replace(record, value=FactorSet(tuple(factors)))


@caught_by("every_value_reads_back_as_it_was")
class TurnsEnumsIntoText(Bends):
    def bend(self, record: Record) -> Record:
        if not isinstance(record.value, Challenge):
            return record
        return replace(record, value=replace(record.value, state=cast("State", record.value.state.value)))


@caught_by("every_value_reads_back_as_it_was")
class CutsMicroseconds(Bends):
    def bend(self, record: Record) -> Record:
        if not isinstance(record.value, Challenge):
            return record
        return replace(record, value=replace(record.value, created_at=record.value.created_at.replace(microsecond=0)))


@caught_by("every_value_reads_back_as_it_was")
class ForgetsTimezones(Bends):
    def bend(self, record: Record) -> Record:
        return replace(record, expires_at=record.expires_at.replace(tzinfo=None))


@caught_by("every_value_reads_back_as_it_was")
class FillsInBlanks(Bends):
    def bend(self, record: Record) -> Record:
        blank = isinstance(record.value, Shelf) and not record.value.grants
        return replace(record, value=Shelf((0, 0), 0)) if blank else record


@caught_by("tagged_records_are_listed")
class DropsTags(Bends):
    def bend(self, record: Record) -> Record:
        return replace(record, tag=None)


@caught_by("large_values_read_back_whole")
class CutsLargeValues(Bends):
    def bend(self, record: Record) -> Record:
        value = record.value
        return replace(record, value=replace(value, grants=value.grants[:16])) if isinstance(value, Shelf) else record


@caught_by("an_event_reads_back_as_it_was")
class DropsSnapshots(PlainStore):
    def events_to_write(self, changes: Changes) -> tuple[Event, ...]:
        return tuple(replace(event, snapshot=None) for event in changes.events)


@caught_by("an_event_reads_back_as_it_was")
class TurnsDetailIntoText(PlainStore):
    def events_to_write(self, changes: Changes) -> tuple[Event, ...]:
        return tuple(
            replace(one, detail={key: str(value) for key, value in one.detail.items()}) for one in changes.events
        )


# -- events and listings ----------------------------------------------------------


@caught_by("events_come_newest_first")
class ListsOldestFirst(PlainStore):
    def events(self, partition: str, *, after: str | None, limit: int) -> Page[Event]:
        return Page(super().events(partition, after=after, limit=limit).items[::-1])


class PagesEventsItself(PlainStore):
    """Its cursor is computed by ``cursor``, and understood by ``rest``."""

    def rest(self, mine: Sequence[Event], after: str) -> Sequence[Event]:
        raise NotImplementedError

    def cursor(self, page: Sequence[Event], after: str | None) -> str:
        raise NotImplementedError

    def events(self, partition: str, *, after: str | None, limit: int) -> Page[Event]:
        mine: Sequence[Event] = [event for owner, event in reversed(self.log) if owner == partition]
        rest = mine if after is None else self.rest(mine, after)
        page = tuple(rest[:limit])
        return Page(page, self.cursor(page, after) if len(rest) > limit else None)


@caught_by("events_are_paged")
class CountsFromTheNewest(PagesEventsItself):
    def rest(self, mine: Sequence[Event], after: str) -> Sequence[Event]:
        return mine[int(after) :]

    def cursor(self, page: Sequence[Event], after: str | None) -> str:
        return str(int(after or 0) + len(page))


@caught_by("events_of_one_moment_are_all_paged")
class ContinuesByTime(PagesEventsItself):
    def rest(self, mine: Sequence[Event], after: str) -> Sequence[Event]:
        return [event for event in mine if event.at < datetime.fromisoformat(after)]

    def cursor(self, page: Sequence[Event], after: str | None) -> str:
        return page[-1].at.isoformat()


@caught_by("events_are_paged")
class StopsAfterOnePage(PlainStore):
    def events(self, partition: str, *, after: str | None, limit: int) -> Page[Event]:
        return Page(super().events(partition, after=after, limit=limit).items)


@caught_by("events_are_paged", "events_of_one_moment_are_all_paged")
class IgnoresTheLimitOfAPage(PlainStore):
    def events(self, partition: str, *, after: str | None, limit: int) -> Page[Event]:
        return super().events(partition, after=after, limit=1000)


@caught_by("tagged_records_are_listed")
class ListsWhatItFirstSaw(PlainStore):
    def tagged(self, tag: str) -> Sequence[Record]:
        return [replace(record, version=1) for record in super().tagged(tag)]


@caught_by("tagged_records_are_listed", "a_tag_can_be_taken_away")
class ListsByPrefix(PlainStore):
    def tagged(self, tag: str) -> Sequence[Record]:
        return [record for record in self.records.values() if record.tag is not None and record.tag.startswith(tag)]


@caught_by("a_listing_is_paged_in_a_stable_order")
class ListsInAnyOrder(PlainStore):
    turn = False

    def list(self, tag: str, *, after: str | None, limit: int) -> Page[Record]:
        self.turn = self.turn is not True if after is None else self.turn
        return super().list(tag, after=after, limit=limit)

    def tagged(self, tag: str) -> Sequence[Record]:
        found = super().tagged(tag)
        return found[::-1] if self.turn else found


@caught_by("a_listing_is_paged_in_a_stable_order")
class ListsTheFirstPageForEver(PlainStore):
    def list(self, tag: str, *, after: str | None, limit: int) -> Page[Record]:
        return super().list(tag, after=None, limit=limit)


@caught_by("a_tag_can_be_taken_away")
class KeepsOldTags(PlainStore):
    def write_put(self, partition: str, put: Record) -> None:
        held = self.stored(partition, put.key)
        tag = held.tag if put.tag is None and held is not None else put.tag
        super().write_put(partition, replace(put, tag=tag))


# -- purging and erasing ----------------------------------------------------------


@caught_by("only_expired_records_are_purged")
class PurgesEverything(PlainStore):
    def purgeable(self, record: Record, before: datetime) -> bool:
        return True


@caught_by("only_expired_records_are_purged")
class PurgesAtTheTime(PlainStore):
    def purgeable(self, record: Record, before: datetime) -> bool:
        return record.expires_at <= before and record.key.kind != "epoch"


@caught_by("only_expired_records_are_purged")
class PurgesEpochs(PlainStore):
    def purgeable(self, record: Record, before: datetime) -> bool:
        return record.expires_at < before


@caught_by("only_expired_records_are_purged")
class PurgesEvents(PlainStore):
    def purge(self, before: datetime, *, limit: int = 1000) -> int:
        self.log = [(owner, event) for owner, event in self.log if event.at >= before]
        return super().purge(before, limit=limit)


@caught_by("only_expired_records_are_purged", "a_purge_honours_its_limit")
class PurgesInSilence(PlainStore):
    def purge(self, before: datetime, *, limit: int = 1000) -> int:
        super().purge(before, limit=limit)
        return 0


@caught_by("a_purge_honours_its_limit")
class PurgesBeyondItsLimit(PlainStore):
    def purge(self, before: datetime, *, limit: int = 1000) -> int:
        return super().purge(before)


@caught_by("only_expired_records_are_purged")
class NeverStopsPurging(PlainStore):
    def purge(self, before: datetime, *, limit: int = 1000) -> int:
        return super().purge(before, limit=limit) or 1


@caught_by("a_purged_record_can_be_created_again")
class LeavesTombstones(PlainStore):
    def purge(self, before: datetime, *, limit: int = 1000) -> int:
        gone = [place for place, record in self.records.items() if self.purgeable(record, before)]
        self.tombs = {**getattr(self, "tombs", {}), **{place: self.records[place].version for place in gone}}
        return super().purge(before, limit=limit)

    def version(self, partition: str, key: Key, changes: Changes) -> int:
        tombs: dict[Place, int] = getattr(self, "tombs", {})
        return super().version(partition, key, changes) or tombs.get((partition, key), 0)


ERASING = "erasing_leaves_epochs_and_what_the_batch_puts"


@caught_by(ERASING)
class ErasesNothing(PlainStore):
    def erase(self, partition: str, kept: set[Key]) -> None:
        pass


@caught_by(ERASING)
class ErasesEpochs(PlainStore):
    def erasable(self, place: Place, partition: str, kept: set[Key]) -> bool:
        return place[0] == partition and place[1] not in kept


@caught_by(ERASING)
class ErasesEverybody(PlainStore):
    def erasable(self, place: Place, partition: str, kept: set[Key]) -> bool:
        return place[1].kind != "epoch" and place[1] not in kept


@caught_by(ERASING)
class ErasesNoEvents(PlainStore):
    def erase(self, partition: str, kept: set[Key]) -> None:
        log = self.log
        super().erase(partition, kept)
        self.log = log


@caught_by(ERASING)
class ErasesLast(PlainStore):
    def write(self, partition: str, changes: Changes) -> None:
        super().write(partition, replace(changes, erase=False))
        if changes.erase:
            self.erase(partition, set())


@caught_by("erasing_that_loses_erases_nothing")
class ErasesFirst(PlainStore):
    def losing(self, partition: str, changes: Changes) -> Key | None:
        lost = super().losing(partition, changes)
        if changes.erase:
            self.erase(partition, {put.key for put in changes.puts})
        return lost


# -- the fence --------------------------------------------------------------------


@caught_by("the_fence_exists_and_is_one", "the_fence_is_checked")
class HasNoFence(PlainStore):
    def held(self, partition: str, key: Key) -> Record | None:
        return self.stored(partition, key)


@caught_by("the_fence_exists_and_is_one")
class HasAFencePerPartition(PlainStore):
    def fence(self, partition: str) -> int:
        return 1 + int(partition, 16) % 2**53


@caught_by("the_fence_exists_and_is_one")
class RaisesItsFence(PlainStore):
    def fence(self, partition: str) -> int:
        return 41 + len(self.log)


@caught_by("the_fence_is_checked")
class ChecksNoFence(PlainStore):
    def check_holds(self, partition: str, check: Check, changes: Changes) -> bool:
        return check.key == FENCE or super().check_holds(partition, check, changes)


@caught_by("a_key_checked_at_two_versions_loses")
class KeepsTheLastOfTwoChecks(PlainStore):
    def losing(self, partition: str, changes: Changes) -> Key | None:
        once = tuple({check.key: check for check in changes.checks}.values())
        return super().losing(partition, replace(changes, checks=once))


@caught_by("an_event_may_be_about_nobody")
class WantsAnActorInEveryEvent(PlainStore):
    def events_to_write(self, changes: Changes) -> tuple[Event, ...]:
        return tuple(event for event in changes.events if event.actor)


@caught_by("the_fence_cannot_be_put")
class TakesAPutOfTheFence(PlainStore):
    def refuse_fence(self, changes: Changes) -> None:
        pass


@caught_by("the_fence_cannot_be_put")
class RefusesTheFenceTooLate(PlainStore):
    def apply(self, partition: str, changes: Changes) -> Applied | Lost:
        super().apply(partition, replace(changes, puts=tuple(put for put in changes.puts if put.key != FENCE)))
        self.refuse_fence(changes)
        return APPLIED


# -- races ------------------------------------------------------------------------


@caught_by("of_many_creators_one_wins", "no_increment_is_lost", "opposite_orders_do_not_deadlock")
class JudgesOutsideItsLock(PlainStore):
    def apply(self, partition: str, changes: Changes) -> Applied | Lost:
        self.refuse_fence(changes)
        lost = self.losing(partition, changes)
        if lost is not None:
            return Lost(lost)
        pause()
        with self.lock:
            self.write(partition, changes)
        return APPLIED


@caught_by("a_revoked_version_lets_nothing_through", "crossed_checks_never_both_hold")
class ChecksOutsideItsLock(PlainStore):
    def apply(self, partition: str, changes: Changes) -> Applied | Lost:
        lost = self.losing(partition, replace(changes, puts=()))
        if lost is not None:
            return Lost(lost)
        pause()
        return super().apply(partition, replace(changes, checks=()))


@caught_by("no_increment_is_lost", "a_revoked_version_lets_nothing_through")
class LosesEveryUpdate(PlainStore):
    def lose(self, partition: str, changes: Changes, key: Key) -> Lost:
        return Lost(None)

    def put_holds(self, partition: str, put: Record, changes: Changes) -> bool:
        return put.version == 0 and super().put_holds(partition, put, changes)


@caught_by("a_load_sees_one_moment")
class LoadsOneByOne(PlainStore):
    def load(self, partition: str, keys: Sequence[Key]) -> Sequence[Record | None]:
        found: list[Record | None] = []
        for key in keys:
            found += super().load(partition, [key])
            pause()
        return found


@caught_by("a_load_sees_one_moment")
class WritesOneByOne(PlainStore):
    def apply(self, partition: str, changes: Changes) -> Applied | Lost:
        for put in changes.puts:
            answer = super().apply(partition, replace(changes, puts=(put,)))
            if answer is not APPLIED:
                return answer
            pause()
        return APPLIED


@caught_by("opposite_orders_do_not_deadlock")
class DeadlocksAndRaises(PlainStore):
    """Locks every record of a batch by itself, in the order given, and gives up after a while."""

    def __init__(self) -> None:
        super().__init__()
        self.locks: dict[Key, threading.Lock] = {}

    def apply(self, partition: str, changes: Changes) -> Applied | Lost:
        taken: list[threading.Lock] = []
        try:
            for put in changes.puts:
                lock = self.locks.setdefault(put.key, threading.Lock())
                if not lock.acquire(timeout=0.05):
                    raise StoreUnavailable("deadlock")
                taken.append(lock)
                pause()
            return super().apply(partition, changes)
        finally:
            for lock in taken:
                lock.release()

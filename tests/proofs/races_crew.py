"""Workers that want the same thing at the same moment: threads in several processes, released together.

A ``Crew`` has ``processes`` times ``threads`` workers. They stand in ``groups``; each group walks its share of the
items in one order and meets at a barrier before every single one, so that all of it try at once. A group has members
in every process. For a burst, all workers are one group.

Everything is bounded: barriers and pipes have a patience, a worker that fails breaks the barriers so that none waits
for it, workers end when their pipe closes, and the parent ends only those it has started.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import random
import sys
import threading
import time
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Final

from races_arena import Arena, Place
from races_items import Item, Race
from races_verifiers import PATIENCE, Barrier

from stepup.ports import Store

_SLIVER: Final = 5e-5
_SWITCH: Final = 5e-6


@dataclass(frozen=True)
class Job:
    """Items to race for, and which of them each group takes, in order; where there is one group, it is everybody."""

    race: Race
    items: Sequence[Item]
    lanes: Sequence[Sequence[int]]
    seed: int


@dataclass
class Tries:
    """One worker's tries, each at the item with that number: what came of it, from when to when."""

    items: array[int] = field(default_factory=lambda: array("l"))
    outcomes: array[int] = field(default_factory=lambda: array("b"))
    begun: array[float] = field(default_factory=lambda: array("d"))
    ended: array[float] = field(default_factory=lambda: array("d"))
    errors: Counter[str] = field(default_factory=Counter)


@dataclass
class Report:
    """What the workers of one process did, and how often its verifier ran for each challenge."""

    tries: list[Tries]
    calls: Counter[str]


@dataclass(frozen=True)
class Ranks:
    """How workers are numbered: *threads* in each of *processes*, standing in *groups*."""

    processes: int
    threads: int
    groups: int

    @property
    def workers(self) -> int:
        return self.processes * self.threads

    @property
    def racers(self) -> int:
        """How many are in a group."""
        return self.workers // self.groups


class Squad:
    """The workers of one process."""

    def __init__(self, store: Store, ranks: Ranks, process: int, groups: Sequence[Barrier], everybody: Barrier) -> None:
        self.arena = Arena(store)
        self._ranks = ranks
        self._first = process * ranks.threads
        self._groups = groups
        self._everybody = everybody

    def run(self, job: Job) -> Report:
        """Do the whole *job*, in all threads.

        Raises:
            RuntimeError: if a worker broke off.
        """
        tries = [Tries() for _ in range(self._ranks.threads)]
        broken: list[BaseException] = []

        def run(number: int) -> None:
            try:
                self._race(job, self._first + number, tries[number])
            except BaseException as error:  # whatever it is, nobody is to wait for this worker
                broken.append(error)
                for barrier in (*self._groups, self._everybody):
                    barrier.abort()

        threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(len(tries))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if broken:
            raise RuntimeError(f"a worker broke off: {broken[0]!r}")
        return Report(tries, self.arena.tally.take())

    def _race(self, job: Job, worker: int, tries: Tries) -> None:
        racer, group = divmod(worker, len(job.lanes))
        barrier = self._everybody if len(job.lanes) == 1 else self._groups[group]
        rng = random.Random(f"{job.seed} {worker}")
        for number in job.lanes[group]:
            late = rng.random() * _SLIVER
            barrier.wait(PATIENCE)
            begun = time.monotonic()
            while time.monotonic() - begun < late:  # the first in line is another one each time
                pass
            begun = time.monotonic()
            outcome, error = self.arena.outcome(job.race, job.items[number], racer, barrier)
            tries.ended.append(time.monotonic())
            tries.begun.append(begun)
            tries.items.append(number)
            tries.outcomes.append(outcome)
            if error and len(tries.errors) < 10:
                tries.errors[error] += 1


# -- in one process -----------------------------------------------------------------


class Threads:
    """A crew in this process, for a store that cannot be anywhere else."""

    def __init__(self, store: Store, ranks: Ranks) -> None:
        groups = [threading.Barrier(ranks.racers) for _ in range(ranks.groups)]
        self._squad = Squad(store, ranks, 0, groups, threading.Barrier(ranks.workers))

    def run(self, job: Job) -> list[Report]:
        """What came of the job, process by process."""
        before = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH)
        try:
            return [self._squad.run(job)]
        finally:
            sys.setswitchinterval(before)


# -- in several ---------------------------------------------------------------------


def _work(
    place: Place, ranks: Ranks, process: int, groups: Sequence[Barrier], everybody: Barrier, pipe: Connection
) -> None:
    """A worker process: jobs come through the pipe until it closes."""
    store = place.open()
    try:
        squad = Squad(store, ranks, process, groups, everybody)
        pipe.send(None)
        while True:
            job: Job = pipe.recv()
            try:
                pipe.send(squad.run(job))
            except RuntimeError as error:
                pipe.send(str(error))
                return
    except (EOFError, OSError):
        return  # the parent has gone, or wants no more
    finally:
        place.close(store, drop=False)


class Crew:
    """Worker processes that share the store at *place*."""

    def __init__(self, place: Place, ranks: Ranks) -> None:
        context = multiprocessing.get_context("spawn")
        groups = [context.Barrier(ranks.racers) for _ in range(ranks.groups)]
        everybody = context.Barrier(ranks.workers)
        self._pipes: list[Connection] = []
        self._processes: list[multiprocessing.process.BaseProcess] = []
        for number in range(ranks.processes):
            mine, theirs = context.Pipe()
            process = context.Process(target=_work, args=(place, ranks, number, groups, everybody, theirs), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(mine)
            self._processes.append(process)
        try:
            for pipe in self._pipes:
                _answer(pipe)
        except BaseException:
            self.close()
            raise

    def run(self, job: Job) -> list[Report]:
        """What came of the job, process by process.

        Raises:
            RuntimeError: if a worker failed, or was not heard of for too long.
        """
        for pipe in self._pipes:
            pipe.send(job)
        found = [_answer(pipe) for pipe in self._pipes]
        reports = [one for one in found if isinstance(one, Report)]
        if len(reports) < len(found):
            raise RuntimeError(next(str(one) for one in found if not isinstance(one, Report)))
        return reports

    def close(self) -> None:
        """End the workers: close their pipes, and after five seconds end those that are still at it."""
        for pipe in self._pipes:
            pipe.close()
        end = time.monotonic() + 5
        for process in self._processes:
            process.join(max(0.0, end - time.monotonic()))
        for process in self._processes:
            if process.is_alive():
                process.terminate()
        for process in self._processes:
            process.join()
            process.close()


def _answer(pipe: Connection) -> object:
    if not pipe.poll(PATIENCE * 5):
        raise RuntimeError("a worker process was not heard of for too long")
    try:
        return pipe.recv()
    except EOFError:
        raise RuntimeError("a worker process has ended") from None


@contextlib.contextmanager
def crew(place: Place, ranks: Ranks) -> Iterator[Crew]:
    """A crew that is gone afterwards, whatever happens."""
    made = Crew(place, ranks)
    try:
        yield made
    finally:
        made.close()

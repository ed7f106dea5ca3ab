"""Many at once want what only one may have: does anybody ever get it twice?

::

    python tests/proofs/races.py                         # every store that answers, about a minute each
    python tests/proofs/races.py --store sqlite --full   # 100,000 grants; takes a while

Eleven races, each through the public gate. 64 workers (4 processes of 16 threads; the memory store has 64 threads) try
at the same moment, released by a barrier for every single item, in groups of 4 with one in every process; a burst of
guesses is all 64 at once. Those who answer with one code meet again between the look at it and the writing. Of a
request for approval each in a group makes something else, and what came of it must be what one after the other leaves.

One line tells how often it went wrong (``above``), in how many items, and what that says: with 0 in N, the true rate
is below 3/N with 95 % confidence. ``contested``: in so many items at least two workers were inside the call at the
same time; without that, nothing would have been shown. ``nobody``: so many items went to no one, because the store
could not answer somebody in time, which is the safe side. ``busy`` counts those answers (``StoreUnavailable``). Exits
1 if anything is above 0, if all were refused by a store that did answer, or for an exception that has no place here.

Reading order: ``races_items`` (words), ``races_verifiers``, ``races_arena`` (gates, people, items, one try),
``races_approvals`` (the same for requests for approval), ``races_crew`` (workers), and here (sizes, counting).
``races_broken`` has stores that are found out.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import random
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))  # for sql_backends

from races_arena import ATTEMPTS, Arena, Place, in_memory
from races_crew import Job, Ranks, Report, Threads, crew
from races_items import SOMEBODY, Item, Outcome, Race

from sql_backends import BY_NAME, SYNC, a_prefix, problem

STORES: Final = ("memory", "sqlite", "postgresql", "mariadb")
IN_PROCESSES: Final = Ranks(processes=4, threads=16, groups=16)
IN_THREADS: Final = Ranks(processes=1, threads=64, groups=16)
Run = Callable[[Job], list[Report]]


class Sizes(NamedTuple):
    """How many items of each race, and how many of them at a time."""

    grants: int = 2_000
    items: int = 500
    counted: int = 100
    guesses: int = 50
    totp: int = 100
    recovery: int = 100
    approvals: int = 200
    at_a_time: int = 2_000

    def of(self, race: Race) -> int:
        counts = {
            Race.GRANT: self.grants,
            Race.ITEM: self.items,
            Race.COUNTED: self.counted,
            Race.GUESS: self.guesses,
            Race.TOTP: self.totp,
            Race.RECOVERY: self.recovery,
        }
        return counts.get(race, self.approvals)


FULL: Final = Sizes(100_000, 100_000, 10_000, 10_000, 10_000, 10_000, 10_000)


@dataclass
class Row:
    """What came of one race."""

    race: Race
    items: int = 0
    above: int = 0
    refused_to_all: int = 0
    nobody: int = 0
    contested: int = 0
    busy: int = 0
    most_calls: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether something happened that must not."""
        return bool(self.above or self.refused_to_all or self.errors)

    @property
    def bound(self) -> str:
        """What the count says about the true rate."""
        return "above 0" if self.above else f"< {3 / self.items:.1e}"


class Tried(NamedTuple):
    """One try at one item."""

    outcome: int
    begun: float
    ended: float


def count(row: Row, items: Sequence[Item], reports: Sequence[Report], settled: Callable[[Race, Item], bool]) -> None:
    """Add to *row* what came of *items*; *settled* looks at what is left of each."""
    by_item: dict[int, list[Tried]] = defaultdict(list)
    calls: Counter[str] = Counter()
    for report in reports:
        calls.update(report.calls)
        for tries in report.tries:
            row.errors.update(tries.errors)
            for number, *tried in zip(tries.items, tries.outcomes, tries.begun, tries.ended, strict=True):
                by_item[number].append(Tried._make(tried))
    row.items += len(items)
    for number, item in enumerate(items):
        own = by_item[number]
        won = sum(one.outcome == Outcome.WON for one in own)
        busy = sum(one.outcome == Outcome.UNAVAILABLE for one in own)
        row.busy += busy
        row.contested += overlap(own)
        if row.race is Race.GUESS:
            asked = sum(calls[challenge] for challenge in item.challenges)
            row.most_calls = max(row.most_calls, asked)
            row.above += asked > ATTEMPTS or won > 0
            row.nobody += asked == 0
            continue
        row.above += won > item.uses or not settled(row.race, item)
        row.nobody += won == 0 and busy > 0
        row.refused_to_all += won == 0 and busy == 0 and row.race in SOMEBODY


def overlap(tried: Sequence[Tried]) -> bool:
    """Whether two of them were inside the call at the same time."""
    ordered = sorted(tried, key=lambda one: one.begun)
    return any(later.begun < earlier.ended for earlier, later in itertools.pairwise(ordered))


def lanes(race: Race, items: Sequence[Item], groups: int) -> Sequence[Sequence[int]]:
    """Which group takes which items: bursts are everybody's, and a person's recovery codes are tried one by one.

    Two codes of one set at once is another race: it can refuse them both, because a set that has changed is not
    written over.
    """
    if race is Race.GUESS:
        return [range(len(items))]
    if race is not Race.RECOVERY:
        return [range(group, len(items), groups) for group in range(groups)]
    found: list[list[int]] = [[] for _ in range(groups)]
    taken: dict[str, list[int]] = {}
    for number, item in enumerate(items):
        taken.setdefault(item.person, min(found, key=len)).append(number)
    return found


def measure(arena: Arena, run: Run, groups: int, sizes: Sizes, seed: int, tell: Callable[[str], None]) -> Iterator[Row]:
    """Run every race there are items for, and count."""
    rng = random.Random(seed)
    for race in Race:
        row, start, total = Row(race), time.monotonic(), sizes.of(race)
        while row.items < total:
            some = min(sizes.at_a_time, total - row.items)
            items = arena.prepare(race, some, rng)
            job = Job(race, items, lanes(race, items, groups), rng.randrange(2**32))
            count(row, items, run(job), arena.settled)
            tell(f"{race.value}: {row.above} of {row.items:,}")
        if row.items:
            row.seconds = time.monotonic() - start
            yield row


# -- the stores -----------------------------------------------------------------------


@contextlib.contextmanager
def place_of(name: str, folder: Path) -> Iterator[Place]:
    """A place for one run on *name*, gone afterwards."""
    if name == "sqlite":
        place = Place(name, str(folder / "races.db"), "stepup_")
    else:
        backend = next(one for one in SYNC if one.server == name)
        place = Place(name, BY_NAME[backend.name].url(folder), a_prefix())
    store = place.open()
    try:
        yield place
    finally:
        place.close(store, drop=name != "sqlite")


def on(place: Place, ranks: Ranks, sizes: Sizes, seed: int, tell: Callable[[str], None]) -> Generator[Row, None, None]:
    """The races on one store, by processes."""
    store = place.open()
    try:
        with crew(place, ranks) as workers:
            yield from measure(Arena(store), workers.run, ranks.groups, sizes, seed, tell)
    finally:
        place.close(store, drop=False)


def in_threads(ranks: Ranks, sizes: Sizes, seed: int, tell: Callable[[str], None]) -> Generator[Row, None, None]:
    """The races on a store in memory, by threads."""
    store = in_memory()
    yield from measure(Arena(store), Threads(store, ranks).run, ranks.groups, sizes, seed, tell)


# -- the table ------------------------------------------------------------------------


HEAD: Final = f"{'':<49}{'above':>6}{'of':>10}{'95 % bound':>12}{'contested':>11}{'nobody':>7}{'busy':>8}{'seconds':>9}"


def lines(row: Row) -> Iterator[str]:
    """A row as text; below it, what cannot be seen in the columns."""
    contested = 100 * row.contested / row.items
    yield (
        f"  {row.race.value:<47}{row.above:>6}{row.items:>10,}{row.bound:>12}"
        f"{contested:>9.1f} %{row.nobody:>7,}{row.busy:>8,}{row.seconds:>9.1f}"
    )
    if row.most_calls:
        yield f"    the verifier ran at most {row.most_calls} times in one of them"
    if row.refused_to_all:
        yield f"    refused to everybody, though the store answered: {row.refused_to_all}"
    for error, times in row.errors.items():
        yield f"    unexpected: {error} ({times} times)"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the races asked for; 1 if anything happened that must not."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--store", action="append", choices=STORES, help="default: every one that answers")
    parser.add_argument("--full", action="store_true", help="100,000 grants and 10,000 of everything else")
    parser.add_argument("--seed", type=int, default=1, help="of the order of items, and of who is a sliver late")
    for name, default in Sizes()._asdict().items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, help=f"default: {default:,}")
    options = parser.parse_args(argv)
    asked: Mapping[str, int | None] = {name: getattr(options, name) for name in Sizes._fields}
    sizes = (FULL if options.full else Sizes())._replace(**{name: n for name, n in asked.items() if n is not None})
    failed = False
    for name in options.store or STORES:
        why = problem(name) if name in {"postgresql", "mariadb"} else None
        if why is not None:
            print(f"{name}: not reachable: {why}")
            failed = failed or options.store is not None
            continue
        failed = _run(name, sizes, options.seed) or failed
    return int(failed)


def _run(name: str, sizes: Sizes, seed: int) -> bool:
    """Run on one store and print its table, line by line; whether anything happened that must not."""

    def tell(text: str) -> None:
        if sys.stderr.isatty():
            print(f"\r{text:<100}\r", end="", file=sys.stderr, flush=True)

    failed, start = False, time.monotonic()
    ranks = IN_THREADS if name == "memory" else IN_PROCESSES
    print(f"\n{name}: {ranks.processes} processes of {ranks.threads} threads, seed {seed}\n{HEAD}", flush=True)
    with tempfile.TemporaryDirectory(prefix="stepup-races-") as folder, contextlib.ExitStack() as stack:
        if name == "memory":
            rows = in_threads(ranks, sizes, seed, tell)
        else:
            rows = on(stack.enter_context(place_of(name, Path(folder))), ranks, sizes, seed, tell)
        for row in stack.enter_context(contextlib.closing(rows)):
            tell("")
            failed = failed or row.failed
            print("\n".join(lines(row)), flush=True)
    print(f"  {time.monotonic() - start:.0f} seconds in all", flush=True)
    return failed


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was made is taken away again
    sys.exit(main())

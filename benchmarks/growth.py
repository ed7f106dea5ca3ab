"""How the store's speed depends on how much it holds.

::

    python benchmarks/growth.py                                    # SQLite and PostgreSQL, 10 and 100 thousand records
    python benchmarks/growth.py --store sqlite --sizes 10000 1000000 10000000

**How the figures are meant.** A database is filled to each size in turn and measured at it, in one run on one machine.
What says something is how a column changes from the first size to the last (``x``, of the medians); the milliseconds
themselves are those of this machine, its disk and whatever else it was doing, and compare with nothing elsewhere.
Each figure is a whole call through the gate, for people drawn at random from those there are: opening a challenge,
answering it, spending the grant with its token, and purging 50 of the expired records. PostgreSQL runs as it is set
up (fsync counts), SQLite with ``synchronous=FULL``. The aim is at most 1.3 times from 10 thousand to 10 million.

At each size every statement of the store is explained too. Exits 1 if one of them would read a whole table.

What it makes is under a prefix, or in a folder, of its own, and is gone afterwards. A million records take about a
minute and 1 GB; ten million, ten times that.
"""

from __future__ import annotations

import argparse
import random
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "stores"))  # for sql_plans
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # for sql_backends

from growth_people import ORG, context, fill, gate, template
from sql_plans import BY_PERSON, EXPIRY, PK, TAG, explained, postgresql, sqlite

from sql_backends import SERVERS, problem
from stepup import StepUp, Verified
from stepup.stores.sql import SQLStore
from stepup.stores.sql._sql import statements_for
from stepup.testing.clock import START

T = TypeVar("T")
STORES: Final = ("sqlite", "postgresql")
SIZES: Final = (10_000, 100_000)
WHAT: Final = ("require", "start", "verify", "purge")
PURGED: Final = 50
PURGES: Final = 20
BIG: Final = 50_000
"""From here on the store's own chunk of 200 is few enough for a purge to be worth an index."""

Figures = dict[str, tuple[float, float]]


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextmanager
def opened(name: str) -> Iterator[SQLStore]:
    """A store of one's own, gone afterwards."""
    if name == "sqlite":
        with tempfile.TemporaryDirectory(prefix="stepup-growth-") as folder:
            store = SQLStore.sqlite(Path(folder) / "growth.db", timeout=30)
            try:
                yield store
            finally:
                store.engine.dispose()
        return
    engine = sa.create_engine(f"postgresql+psycopg://{SERVERS[name]}", pool_size=1, max_overflow=0)
    store = SQLStore(engine, table_prefix=f"growth{secrets.token_hex(5)}_", timeout=60)
    store.create_schema()
    try:
        yield store
    finally:
        store.tables.record.metadata.drop_all(engine)
        engine.dispose()


class Stopwatch:
    """How long calls of each kind took, in milliseconds."""

    def __init__(self) -> None:
        self.taken: dict[str, list[float]] = {what: [] for what in WHAT}

    def time(self, what: str, call: Callable[[], T]) -> T:
        """What *call* answers."""
        start = time.perf_counter()
        found = call()
        self.taken[what].append((time.perf_counter() - start) * 1000)
        return found

    def figures(self) -> Figures:
        """The median and the 99th percentile of each kind."""
        return {what: (_at(taken, 0.5), _at(taken, 0.99)) for what, taken in self.taken.items()}


def _at(taken: Sequence[float], share: float) -> float:
    ordered = sorted(taken)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def measure(store: SQLStore, people: int, rounds: int, rng: random.Random) -> Figures:
    """The figures at the size the store has; as many rounds to warm up as a tenth of those that count."""
    here = gate(store)
    for watch in (Stopwatch(), watch_that_counts := Stopwatch()):
        for _ in range(rounds if watch is watch_that_counts else max(1, rounds // 10)):
            _ceremony(here, rng.randrange(people), watch)
        for _ in range(PURGES if watch is watch_that_counts else 1):
            gone = watch.time("purge", lambda: store.purge(START, limit=PURGED))
            if gone != PURGED:
                raise ValueError(f"a purge found {gone} records instead of {PURGED}")
    return watch_that_counts.figures()


def _ceremony(here: StepUp, number: int, watch: Stopwatch) -> None:
    """Start, verify and spend, for one person."""
    who = context(number)
    challenge = watch.time("start", lambda: here.start("org.delete", who, resource=ORG))
    proved = watch.time("verify", lambda: here.verify(challenge.id, "passkey", "touch", who))
    if not isinstance(proved, Verified):
        raise TypeError(f"the ceremony ended in {proved!r}")
    watch.time("require", lambda: here.require("org.delete", who, resource=ORG, token=proved.token))


def without_index(store: SQLStore, size: int) -> list[str]:
    """The statements that would read a whole table, and what of it."""
    explain = postgresql if store.engine.dialect.name == "postgresql" else sqlite
    sql = statements_for(store.engine.dialect, store.tables)
    found = explained(store, sql, explain, 200 if size >= BIG else 10)
    indexes = {PK, EXPIRY, TAG, BY_PERSON}
    return [
        f"{name}: {', '.join(sorted(met - indexes)) or 'nothing'}"
        for name, met in found.items()
        if not met or met - indexes
    ]


def grow(name: str, sizes: Sequence[int], rounds: int, seed: int) -> bool:
    """Fill and measure at each size; whether every statement met an index."""
    made, sound, people = template(), True, 0
    rng = random.Random(seed)  # noqa: S311 -- whose turn it is
    say(f"\n{name}: milliseconds, median and 99th percentile of {rounds} calls (purge: {PURGES})")
    say(f"{'records':>12}" + "".join(f"{what:>26}" for what in WHAT) + f"{'filled in':>12}")
    first: Figures = {}
    with opened(name) as store:
        for size in sizes:
            start, before = time.perf_counter(), people
            people = max(people, -(-size // made.records))
            fill(store, made, range(before, people))
            filled = time.perf_counter() - start
            figures = measure(store, people, rounds, rng)
            first = first or figures
            cells = "".join(
                f"{p50:>11.2f}{p99:>8.2f} x{p50 / first[what][0]:<5.2f}" for what, (p50, p99) in figures.items()
            )
            say(f"{people * made.records:>12,}{cells}{filled:>10.1f} s")
            for line in without_index(store, size):
                sound = False
                say(f"    no index: {line}")
    return sound


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; 1 if a statement met no index."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--store", action="append", choices=STORES, help="default: every one that answers")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="records to hold, in rising order")
    parser.add_argument("--rounds", type=int, default=300, help="calls of each kind, at each size")
    parser.add_argument("--seed", type=int, default=1, help="of whose turn it is")
    options = parser.parse_args(argv)
    sound = True
    for name in options.store or STORES:
        why = problem(name) if name in SERVERS else None
        if why is None:
            sound = grow(name, sorted(options.sizes), options.rounds, options.seed) and sound
        else:
            say(f"{name}: not reachable: {why}")
            sound = sound and options.store is None
    return int(not sound)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was made is taken away again
    sys.exit(main())

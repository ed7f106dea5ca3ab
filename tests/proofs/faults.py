"""The fault proofs, as a command::

    python tests/proofs/faults.py points                     every fault in every store call of every flow
    python tests/proofs/faults.py points --store sqlite --faults outcomes --face sync
    python tests/proofs/faults.py kills --store sqlite       kill -9 in the middle, over and over

``points`` is exhaustive and says the same every time; what is judged, and how, stands in ``faults_ledger``. ``kills``
is at random, from a seed that it prints. Both print what they did in numbers and end with 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

from faults_broken import BROKEN
from faults_faces import LOOP, Bench
from faults_flows import BY_NAME, FLOWS
from faults_kills import AT_ONCE, Killing, bound
from faults_kinds import SETS
from faults_points import Count, survey
from faults_stores import DURABLE, STORES, NotThereYet, drop_store

FACES = ("sync", "async")
WIDTH = 34


@dataclass(frozen=True)
class Part:
    """One flow on one face of one store: what a process works through."""

    store: str
    face: str
    flow: str
    faults: str
    where: str


_BENCHES: dict[tuple[str, str], Bench] = {}


def worked(part: Part) -> Count:
    """The survey of one part; a process opens each store once."""
    logging.disable(logging.CRITICAL)  # thousands of warnings, each of them meant
    place = (part.store, part.face)
    if place not in _BENCHES:
        where = f"{part.where}_{part.face}_{os.getpid()}"
        _BENCHES[place] = Bench.of(part.store, part.face, where)
        Finalize(None, drop_store, (part.store, where), exitpriority=1)  # of a process of the pool, too
    return replace(survey(_BENCHES[place], BY_NAME[part.flow], SETS[part.faults]), flow=part.flow)


def points(arguments: argparse.Namespace) -> int:
    """Work through every point, print the table, and say whether anything was wrong."""
    faces = FACES if arguments.face == "both" else (arguments.face,)
    names = [flow.name for flow in FLOWS if arguments.flow in flow.name]
    begun, blamed, calls, total = time.monotonic(), list[str](), 0, 0
    print(f"{'flow':<{WIDTH}} {'calls':>6} {'points':>8} {'fail-open':>10}")
    with tempfile.TemporaryDirectory() as folder:
        where = str(Path(folder) / "points")
        parts = [Part(arguments.store, face, name, arguments.faults, where) for name in names for face in faces]
        counts = _all(parts, arguments.jobs)
        for name in names:
            mine = [next(counts) for _ in faces]
            wrong = [line for count in mine for line in count.blamed]
            made = sum(count.points for count in mine)
            print(f"{name:<{WIDTH}} {mine[0].calls:>6} {made:>8} {len(wrong):>10}", flush=True)
            blamed, calls, total = blamed + wrong, calls + mine[0].calls, total + made
    print(f"{'total':<{WIDTH}} {calls:>6} {total:>8} {len(blamed):>10}")
    print(f"store {arguments.store}, faces {' and '.join(faces)}, {time.monotonic() - begun:.0f} s")
    for line in blamed[: arguments.show]:
        print(line)
    return 1 if blamed or not total else 0


def _all(parts: Sequence[Part], jobs: int) -> Iterator[Count]:
    if jobs == 1:
        yield from map(worked, parts)
        LOOP.close()
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(worked, parts)


def kills(arguments: argparse.Namespace) -> int:
    """Kill, restart, look; print what came of it, and say whether anything was wrong."""
    seed = arguments.seed if arguments.seed is not None else secrets.randbelow(2**32)
    print(f"store {arguments.store}, {arguments.kills} kills, seed {seed}", flush=True)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        killing = Killing(
            arguments.store,
            Path(folder),
            seed,
            children=arguments.children,
            longest=arguments.longest,
            broken=arguments.broken,
        )
        with killing:
            while killing.toll.kills < arguments.kills and time.monotonic() - begun < arguments.seconds:
                killing.kill()
        killing.close()
    toll = killing.toll
    for what in ("started", "checked", "accepted", "minted", "ran", "refused", "revoked", "cancelled"):
        print(f"{what:<{WIDTH}} {toll.lines[what]:>8}")
    print(f"{'kills':<{WIDTH}} {toll.kills:>8}   of them while redeeming or revoking {toll.interrupted}")
    print(f"{'illegal states':<{WIDTH}} {len(toll.illegal):>8}   {time.monotonic() - begun:.0f} s")
    for line in toll.illegal[: arguments.show]:
        print(line)
    if toll.kills < arguments.kills:
        print(f"only {toll.kills} of {arguments.kills} kills in {arguments.seconds} s")
        return 1
    if not toll.illegal:
        print(f"none in {toll.kills}: with 95 % confidence, fewer than {bound(toll.kills):.2%} of kills leave one")
    return 1 if toll.illegal else 0


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    made = argparse.ArgumentParser(prog="faults.py", description="Faults in every store call, and kills at random.")
    commands = made.add_subparsers(dest="command", required=True)
    one = commands.add_parser("points", help="every fault in every store call of every flow")
    one.add_argument("--store", choices=STORES, default="memory")
    one.add_argument("--face", choices=(*FACES, "both"), default="both")
    one.add_argument("--flow", default="", help="only flows with this in their name")
    one.add_argument("--faults", choices=sorted(SETS), default="all")
    one.add_argument("--jobs", type=int, default=1, help="processes, each with a store of its own")
    one.add_argument("--show", type=int, default=40, help="how many of what was wrong to print")
    one.set_defaults(work=points)
    other = commands.add_parser("kills", help="kill -9 in the middle, restart, look")
    other.add_argument("--store", choices=DURABLE, default="sqlite")
    other.add_argument("--kills", type=int, default=1000)
    other.add_argument("--seed", type=int, help="to do again what a run did, as far as chance allows")
    other.add_argument("--children", type=int, default=3, help="processes at work at once")
    other.add_argument("--longest", type=float, default=AT_ONCE, help="seconds that they live at most once at work")
    other.add_argument("--seconds", type=float, default=3600, help="give up after that many, which is a failure")
    other.add_argument("--broken", choices=sorted(BROKEN), help="break the store in this way: it must be found")
    other.add_argument("--show", type=int, default=40, help="how many of what was wrong to print")
    other.set_defaults(work=kills)
    return made


def main(given: Sequence[str] | None = None) -> int:
    """Run what is asked for; 0 if nothing was wrong, 1 if something was, 2 if it could not be run."""
    arguments: Any = parser().parse_args(given)
    logging.disable(logging.CRITICAL)
    try:
        return int(arguments.work(arguments))
    except NotThereYet as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        logging.disable(logging.NOTSET)  # tests run this in their own process


if __name__ == "__main__":
    sys.exit(main())

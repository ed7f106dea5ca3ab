"""``kill -9`` at random, over and over, and a look at what is left: ``Killing`` does it, ``illegal`` judges.

A warm server (``faults_worker``) forks people at work on a durable store; they are killed some milliseconds after they
have begun, and the store is opened anew, as after a restart. What must hold then, from the journal and the store:

- whatever was acknowledged is there: challenges, grants, claims, revocations, cancellations;
- no grant let more calls run than it has uses, and nothing ran after a revocation that was acknowledged;
- answers counted are never fewer than answers that a verifier looked at; nothing that counts once counted twice;
- a change and its event are both there or both not; every record reads; no version has gone back.

Then everything is tried again from outside (``probe``), and judged again.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, cast

from faults_client import Client, Desk, Journal, read_journal
from faults_people import Person, person_in
from faults_states import Evidence, evidence, held, illegal
from faults_stores import close_store, drop_store, open_store, sound
from faults_worker import READY

from stepup import StepUpError
from stepup.changes import Key

ROUNDS: Final = 6
PEOPLE: Final = 2
AT_ONCE: Final = 0.05
SLOWEST: Final = 30.0
PROBED: Final = 8


class Unusable(Exception):
    """The run says nothing: a worker ended by itself, or never began."""


# -- trying again ------------------------------------------------------------------------------


def probe(client: Client, known: Evidence, chance: random.Random) -> None:
    """What somebody would try after the restart: the tokens, the codes, the closed challenges."""
    tokens = list(known.minted.values())
    for _, session, _, action, token in chance.sample(tokens, min(PROBED, len(tokens))):
        for _ in range(2):
            client.redeem(action, session, token)
        if action == "often":
            client.redeem(action, session, None)
    once = [(method, answer) for method, answer in known.accepted if method in {"totp", "recovery_code"}]
    for method, answer in chance.sample(once, min(2, len(once))):
        begun = client.start("once")
        if begun is not None:
            session, who, made = begun
            client.answer(session, who, made.id, method, answer, "once")


# -- the killing ---------------------------------------------------------------------------------


@dataclass
class Toll:
    """What a run came to."""

    kills: int = 0
    interrupted: int = 0
    lines: Counter[str] = field(default_factory=Counter)
    illegal: list[str] = field(default_factory=list)


class Killing:
    """One run: a store, a warm server, and people who are killed at work."""

    def __init__(
        self,
        store: str,
        folder: Path,
        seed: int,
        *,
        children: int = 2,
        longest: float = AT_ONCE,
        broken: str | None = None,
    ) -> None:
        self.store, self.folder, self.children, self.broken = store, folder, children, broken
        self.longest = longest
        self.where = str(folder / "killed")
        self.chance = random.Random(seed)
        self.toll = Toll()
        self._server: subprocess.Popen[str] | None = None
        self._people: list[Person] = []
        self._versions: dict[str, Mapping[Key, int]] = {}
        self._journal = folder / "journal"
        self._round = 0
        self._told: set[tuple[str, str]] = set()

    def __enter__(self) -> Killing:
        worker = Path(__file__).with_name("faults_worker.py")
        self._server = subprocess.Popen(
            [sys.executable, str(worker), self.store],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=worker.parent,
        )
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            _pipe(self._server.stdin).close()
            self._server.wait(timeout=SLOWEST)
            _pipe(self._server.stdout).close()

    def kill(self) -> None:
        """One round: work, death, restart, judgement."""
        if self._round % ROUNDS == 0:
            self._newcomers()
        self._round += 1
        before = len(read_journal(self._journal))
        pids = self._order()
        self._wait_until_ready(before, pids)
        time.sleep(self.chance.uniform(0, self.longest))
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        ended = self._answer()["ended"]
        if any(code != -signal.SIGKILL for code in ended):
            raise Unusable(f"a worker was not killed, but ended with {ended}")
        self.toll.kills += len(pids)
        self._judge(before)

    def close(self) -> None:
        """Ask the database itself, at the end."""
        store = open_store(self.store, self.where)
        self.toll.illegal += [f"the database says: {line}" for line in sound(store)]
        close_store(store)
        drop_store(self.store, self.where)

    # -- steps ----------------------------------------------------------------------------

    def _order(self) -> list[int]:
        order = {
            "store": self.store, "where": self.where, "journal": str(self._journal), "people": self._people,
            "seed": self.chance.getrandbits(60), "children": self.children, "broken": self.broken,
        }  # fmt: skip
        assert self._server is not None
        stdin = _pipe(self._server.stdin)
        stdin.write(json.dumps(order) + "\n")
        stdin.flush()
        return [int(pid) for pid in self._answer()["pids"]]

    def _answer(self) -> dict[str, Any]:
        assert self._server is not None
        line = _pipe(self._server.stdout).readline()
        if not line:
            raise Unusable("the server of workers has ended")
        return cast("dict[str, Any]", json.loads(line))

    def _wait_until_ready(self, before: int, pids: Sequence[int]) -> None:
        if self.chance.random() < 0.05:
            return  # killed while it opens the store
        until = time.monotonic() + SLOWEST
        while time.monotonic() < until:
            lines = read_journal(self._journal)[before:]
            if {line[1] for line in lines if line[0] == READY} >= set(pids):
                return
            time.sleep(0.001)
        raise Unusable("a worker never began")

    def _newcomers(self) -> None:
        """Other people, whose journal is empty."""
        generation = self._round // ROUNDS
        self._journal = self.folder / f"journal_{generation}"
        store = open_store(self.store, self.where)
        self._people = [person_in(store, f"usr_{generation}_{number}") for number in range(PEOPLE)]
        close_store(store)
        self._versions = {}

    def _judge(self, before: int) -> None:
        store = open_store(self.store, self.where)
        journal = Journal(self._journal)
        desk = Desk.over(store, journal)
        self.toll.interrupted += _left_open(read_journal(self._journal)[before:])
        try:
            for person in self._people:
                self._look(desk, person)
                probe(
                    Client(desk, person, self.chance), evidence(read_journal(self._journal), person["id"]), self.chance
                )
                self._look(desk, person)
        finally:
            self.toll.lines.update(line[0] for line in read_journal(self._journal)[before:])
            journal.close()
            close_store(store)

    def _look(self, desk: Desk, person: Person) -> None:
        who = person["id"]
        try:
            here = held(desk, person)
        except StepUpError as error:
            self.toll.illegal.append(f"after {self.toll.kills} kills, {who}: cannot be read: {error}")
            return
        found = illegal(evidence(read_journal(self._journal), who), here, self._versions.get(who, {}))
        for what in found:
            if (who, what) not in self._told:
                self._told.add((who, what))
                self.toll.illegal.append(f"after {self.toll.kills} kills, {who}: {what}")
        self._versions[who] = {key: record.version for key, record in here.records.items()}


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


def _left_open(lines: Sequence[Sequence[Any]]) -> int:
    """How many calls that redeem or revoke were begun and never ended: where the kill really struck."""
    last: dict[str, str] = {}
    for line in lines:
        match line:
            case ["redeem" | "revoke" as what, number, *_]:
                last[number] = what
            case ["ran" | "revoked" | "refused", number, *_]:
                last.pop(number, None)
            case _:
                pass
    return len(last)


def bound(kills: int) -> float:
    """What none in *kills* says: the rate is below this, with 95 % confidence (the rule of three)."""
    return 3 / kills

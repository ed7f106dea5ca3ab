"""The one who is killed: people at work on a durable store, writing down what they are about to do and what was done.

Run as a program it is a warm server: it has imported everything, and forks children on demand. A child opens the store,
makes a gate and works at random until it is killed; the server never opens the store. One line in, one line out::

    {"store": ..., "where": ..., "journal": ..., "people": [...], "seed": 1, "children": 2, "broken": null}
    {"pids": [4711, 4712]}            and, once they have been reaped,       {"ended": [-9, -9]}
"""

from __future__ import annotations

import json
import logging
import os
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from faults_broken import broken_store
from faults_client import Client, Desk, Journal
from faults_people import person_in
from faults_stores import close_store, drop_store, open_store

READY: Final = "ready"
LONGEST: Final = 20.0
"""Seconds after which a child that nobody has killed ends by itself."""


def child(order: dict[str, Any], number: int) -> None:
    """Work until killed."""
    store = broken_store(open_store(order["store"], order["where"]), order.get("broken"))
    journal = Journal(Path(order["journal"]))
    desk = Desk.over(store, journal)
    chance = random.Random(f"{order['seed']}.{number}")
    clients = [Client(desk, person, chance) for person in order["people"]]
    clients[0].look()
    journal.write(READY, os.getpid())
    until = time.monotonic() + LONGEST
    while time.monotonic() < until:
        chance.choice(clients).work()
    close_store(store)


def _forked(order: dict[str, Any], number: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        child(order, number)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _orders() -> Iterator[dict[str, Any]]:
    for line in sys.stdin:
        yield json.loads(line)


def _warm_up(store: str) -> None:
    """Work a little, somewhere else: whatever is imported and made when first used, is then there for every child."""
    with tempfile.TemporaryDirectory() as folder:
        where = str(Path(folder) / "warm")
        opened = open_store(store, where)
        journal = Journal(Path(folder) / "journal")
        client = Client(Desk.over(opened, journal), person_in(opened, f"warm_{os.getpid()}"), random.Random(0))
        for _ in range(60):
            client.work()
        journal.close()
        close_store(opened)
        drop_store(store, where)


def main(given: Sequence[str] = ()) -> int:
    """Fork on demand, and reap."""
    logging.disable(logging.CRITICAL)
    _warm_up(given[0])
    for order in _orders():
        pids = [_forked(order, number) for number in range(order["children"])]
        print(json.dumps({"pids": pids}), flush=True)
        ended = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        print(json.dumps({"ended": ended}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

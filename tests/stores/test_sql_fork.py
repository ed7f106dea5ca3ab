"""A process that forks: a child uses its parent's ``SQLStore.sqlite`` as it is.

Of an engine of its own the application has to say ``dispose(close=False)`` in the child, as SQLAlchemy asks it to, and
nothing else.
"""

from __future__ import annotations

import gc
import os
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from servers import PostgreSQL, ended_well, forks, in_child
from sql_faces import OLIVIA, opened_on, refused_in_time

from sql_backends import BY_NAME
from stepup.changes import APPLIED, Changes
from stepup.stores.sql import SQLStore
from stepup.testing._store_bench import NOW, a_claim


@forks
@pytest.mark.requirement("S-02")
def test_a_child_uses_its_parents_sqlite_store(tmp_path: Path) -> None:
    """A server that forks its workers makes its store before: all of them write one file, and none damages it."""
    store = SQLStore.sqlite(tmp_path / "stepup.db", timeout=20)
    assert store.apply(OLIVIA, Changes(NOW, (a_claim("parent"),))) is APPLIED

    def write(who: str) -> None:
        gc.collect()  # closes what nobody refers to any more
        (found,) = store.load(OLIVIA, [a_claim("parent").key])
        assert found is not None
        for number in range(10):
            assert store.apply(OLIVIA, Changes(NOW, (a_claim(f"{who}-{number}"),))) is APPLIED

    def child(number: int) -> None:
        assert isinstance(store.engine.pool, sa.QueuePool)
        assert store.engine.pool.checkedin() == 0  # SQLite forbids to use, or to close, a parent's connection
        write(f"child-{number}")

    children = [in_child(partial(child, number)) for number in range(4)]
    write("parent")

    assert ended_well(children)
    names = [f"{who}-{n}" for who in ("parent", *(f"child-{c}" for c in range(4))) for n in range(10)]
    found = store.load(OLIVIA, [a_claim(name).key for name in names])
    assert [name for name, record in zip(names, found, strict=True) if record is None] == []
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    store.engine.dispose()


@forks
@pytest.mark.requirement("S-03")
def test_deadlines_hold_in_a_child(own_postgresql: PostgreSQL) -> None:
    """The thread that ends hanging calls is the parent's; a child starts its own."""
    ready, frozen = os.pipe(), os.pipe()
    with opened_on(BY_NAME["psycopg"], own_postgresql, timeout=1) as face:
        face.works_soon("parent")

        def child() -> None:
            face.engine.dispose(close=False)
            face.works_soon("child")
            os.write(ready[1], b"1")
            os.read(frozen[0], 1)
            refused_in_time(lambda: face.has("parent-0"), 1)
            refused_in_time(lambda: face.has("parent-0"), 1)

        pid = in_child(child)
        os.read(ready[0], 1)
        own_postgresql.freeze()
        os.write(frozen[1], b"1")

        assert ended_well([pid])
        own_postgresql.thaw()
        face.works_soon("parent-again")
    for end in (*ready, *frozen):
        os.close(end)


@forks
def test_a_child_does_not_inherit_a_turn_that_nobody_ends(tmp_path: Path) -> None:
    """A thread of the parent had its turn when the child was made; the child has no such thread to wait for."""
    with opened_on(BY_NAME["sqlite"], tmp_path, timeout=20) as face:
        face.works("parent")

        def child() -> None:
            face.engine.dispose(close=False)
            assert face.claim("child") is APPLIED

        with face.store._connections.taking_turns():
            pid = in_child(child)

            assert ended_well([pid])
        assert face.has("child")

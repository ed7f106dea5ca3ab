"""The races in small, and that they would be seen: a store that lets two have the same thing is found out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import races
from races import Row, Sizes
from races_arena import Place
from races_broken import Gullible, LooksFirst
from races_crew import Ranks
from races_items import Race

from stepup.decide import approving, ballot, standing
from stepup.stores.sql import SQLStore

SMALL = Sizes(grants=12, items=8, counted=4, guesses=2, totp=4, recovery=6, approvals=6, at_a_time=8)
FEW = Ranks(processes=2, threads=8, groups=2)
THREADS = Ranks(processes=1, threads=64, groups=16)


def quiet(text: str) -> None:
    """Progress that nobody looks at."""


def on_sqlite(folder: Path, sizes: Sizes, kind: type[SQLStore] = SQLStore) -> dict[Race, Row]:
    """The races on a SQLite file, with a store of that *kind*."""
    place = Place("sqlite", str(folder / "races.db"), "stepup_", kind=kind)
    return {row.race: row for row in races.on(place, FEW, sizes, 1, quiet)}


def shape(rows: Sequence[Row]) -> list[tuple[Race, int, int, int]]:
    return [(row.race, row.items, row.above, row.refused_to_all) for row in rows]


RIGHT = [
    (Race.GRANT, 12, 0, 0),
    (Race.ITEM, 8, 0, 0),
    (Race.COUNTED, 4, 0, 0),
    (Race.GUESS, 2, 0, 0),
    (Race.TOTP, 4, 0, 0),
    (Race.RECOVERY, 6, 0, 0),
    (Race.COLLECT, 6, 0, 0),
    (Race.END, 6, 0, 0),
    (Race.QUORUM, 6, 0, 0),
    (Race.REVOKE, 6, 0, 0),
    (Race.LATE, 6, 0, 0),
]


@pytest.mark.requirement("X-01", "X-02", "X-04", "S-01")
def test_nothing_is_had_twice_on_sqlite(tmp_path: Path) -> None:
    """Processes that share a file: one has it, and all the others are refused."""
    rows = on_sqlite(tmp_path, SMALL)

    assert shape(list(rows.values())) == RIGHT
    assert not any(row.failed for row in rows.values())
    assert rows[Race.GUESS].most_calls == 5
    assert all(row.contested for row in rows.values())


@pytest.mark.requirement("X-01", "X-02", "X-04", "S-01")
def test_nothing_is_had_twice_in_memory() -> None:
    """Sixty-four threads over the memory store."""
    rows = list(races.in_threads(THREADS, SMALL, 1, quiet))

    assert shape(rows) == RIGHT
    assert not any(row.failed for row in rows)


def test_a_store_that_always_says_yes_is_found_out(tmp_path: Path) -> None:
    """A store that reports a lost batch as written fails every race."""
    rows = on_sqlite(
        tmp_path, Sizes(grants=4, items=4, counted=4, guesses=1, totp=20, recovery=20, approvals=20), Gullible
    )

    assert (rows[Race.GRANT].above, rows[Race.ITEM].above, rows[Race.GUESS].above) == (4, 4, 1)
    assert rows[Race.COUNTED].above > 0
    assert rows[Race.TOTP].above > 0
    assert rows[Race.RECOVERY].above > 0
    assert rows[Race.COLLECT].above > 0
    assert rows[Race.END].above > 0
    # A vote that is lost is one less: nothing that others say is had by that.
    assert all(row.failed for race, row in rows.items() if race not in {Race.QUORUM, Race.REVOKE, Race.LATE})


def test_a_decision_that_miscounts_votes_or_sees_no_end_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """One person for two; what has expired, or was replaced, taken for open. One item in eight shows it: 200 do."""
    none = Sizes(grants=0, items=0, counted=0, guesses=0, totp=0, recovery=0, approvals=200)
    monkeypatch.setattr(ballot.Ballot, "enough", property(lambda votes: bool(votes.counted)))
    rows = {row.race: row for row in races.in_threads(THREADS, none, 1, quiet)}
    assert rows[Race.QUORUM].above > 0
    monkeypatch.undo()

    for module in (standing, approving):
        monkeypatch.setattr(module, "observed", lambda challenge, *_: challenge)
    rows = {row.race: row for row in races.in_threads(THREADS, none, 1, quiet)}
    assert rows[Race.LATE].above > 0


def test_a_store_that_looks_before_it_writes_is_found_out(tmp_path: Path) -> None:
    """A store that is wrong only between its look and its write is caught there: the workers do meet."""
    rows = on_sqlite(
        tmp_path, Sizes(grants=60, items=0, counted=0, guesses=0, totp=0, recovery=0, approvals=0), LooksFirst
    )

    assert rows[Race.GRANT].above > 0


def test_the_table_says_what_was_found() -> None:
    """Counts, the bound of the rule of three where nothing was found, and what went wrong where something was."""
    right = Row(Race.GRANT, items=2000, contested=1999, nobody=1, busy=3, seconds=12.5)
    wrong = Row(Race.TOTP, items=100, above=2, refused_to_all=1)
    wrong.errors["ValueError: no"] += 1

    said = [*races.lines(right), *races.lines(wrong)]
    assert [" ".join(line.split()) for line in said] == [
        "single-use grants spent twice 0 2,000 < 1.5e-03 100.0 % 1 3 12.5",
        "authenticator codes accepted twice 2 100 above 0 0.0 % 0 0 0.0",
        "refused to everybody, though the store answered: 1",
        "unexpected: ValueError: no (1 times)",
    ]
    assert not right.failed
    assert wrong.failed


def test_the_command_fails_if_anything_is_above_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 0 for a right store; exit 1 where a race counted something."""
    sizes = [word for name in races.Sizes._fields[:-1] for word in (f"--{name}", "4" if name == "grants" else "1")]
    assert races.main(["--store", "memory", *sizes]) == 0

    monkeypatch.setattr(races, "ATTEMPTS", 4)

    assert races.main(["--store", "memory", "--seed", "2", *sizes]) == 1
    assert "the verifier ran at most 5 times in one of them" in capsys.readouterr().out

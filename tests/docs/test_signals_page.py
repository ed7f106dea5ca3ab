"""The page about signals says what the tables in the code say: of each signal, and of each extension's."""

from __future__ import annotations

from test_code_blocks import DOCS, rows

from stepup.decide.signal import TABLE, Row
from stepup.flask._neighbours import CHANGES

PAGE = DOCS / "how-to" / "lifecycle-signals.md"
FATES = [name for name in Row._fields if name != "barred"]


def test_the_table_is_the_one_in_the_code() -> None:
    """Every signal, in order, with what becomes of each thing."""
    (heading,) = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| signal |")]
    assert [cell.strip().replace(" ", "_") for cell in heading.strip("| ").split("|")] == ["signal", *FATES]
    assert rows(PAGE, "signal") == [
        [f"`{signal.value}`", *(getattr(row, name).value for name in FATES)] for signal, row in TABLE.items()
    ]


def test_the_signals_of_extensions_are_those_listened_to() -> None:
    """Each, and what it is told as."""
    listed = {row[1].strip("`"): row[2].strip("`") for row in rows(PAGE, "extension")}
    assert listed == {"user_logged_out": "logged_out", **{name: signal.value for name, signal in CHANGES.items()}}

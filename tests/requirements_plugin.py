"""Which requirement is shown by which test: the ``requirement`` marker, and a report made without running anything.

``tests/requirements.toml`` is the catalogue. A marker with an id that is not in it ends the run, whatever was asked
for. ``pytest --requirements`` prints the report; ``--requirements-of core`` does too, and fails while a row of that
part has no test.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

CATALOGUE = Path(__file__).with_name("requirements.toml")
PARTS = ("core", "stores", "web", "browser", "assurance", "attack", "audit")


@dataclass(frozen=True)
class Row:
    """One requirement: its id, section, source, title, and the part of the project that brings it."""

    id: str
    section: str
    source: str
    title: str
    part: str


def catalogue(path: Path = CATALOGUE) -> dict[str, Row]:
    """Every row by id, in the order written."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    sections = data["sections"]
    return {
        key: Row(key, row["section"], row["source"], row["title"], row.get("part", sections[row["section"]]["part"]))
        for key, row in data["rows"].items()
    }


def unknown_ids(marked: Mapping[str, Iterable[str]], rows: Mapping[str, Row]) -> list[str]:
    """One line for every marked id that the catalogue lacks."""
    return [f"{key} (marked by {', '.join(tests)})" for key, tests in sorted(marked.items()) if key not in rows]


def report(marked: Mapping[str, Iterable[str]], rows: Mapping[str, Row]) -> list[str]:
    """The lines of the report: every row with its tests, then what is missing, by part."""
    lines: list[str] = []
    for row in rows.values():
        tests = sorted(marked.get(row.id, ()))
        lines.append(f"{'shown' if tests else '  -  '}  {row.id:<6} {row.title}  [{row.source}]")
        lines.extend(f"                 {test}" for test in tests)
    lines.append("")
    for part in PARTS:
        ids = [row.id for row in rows.values() if row.part == part]
        missing = [key for key in ids if key not in marked]
        lines.append(f"{part:<10} {len(ids) - len(missing):>3} of {len(ids):>3} shown")
        if missing:
            lines.append(f"           not yet: {', '.join(missing)}")
    return lines


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("requirements")
    group.addoption("--requirements", action="store_true", help="report which requirement is shown by which test")
    group.addoption(
        "--requirements-of", metavar="PART", choices=PARTS, help="the report, failing while a row of PART has no test"
    )


class Collected:
    """What the collected tests are marked with. ``names`` by requirement id."""

    def __init__(self, config: pytest.Config) -> None:
        self.rows = catalogue()
        self.names: dict[str, set[str]] = defaultdict(set)
        self.part: str | None = config.getoption("requirements_of")
        self.reporting = bool(config.getoption("requirements")) or self.part is not None

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            for marker in item.iter_markers("requirement"):
                if not marker.args:
                    raise pytest.UsageError(f"{item.nodeid}: a requirement marker without an id")
                for key in marker.args:
                    self.names[str(key)].add(item.nodeid.partition("[")[0])
        if problems := unknown_ids(self.names, self.rows):
            raise pytest.UsageError("requirements that tests/requirements.toml lacks: " + "; ".join(problems))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if not self.reporting:
            return None
        if session.testsfailed:
            raise session.Interrupted(f"{session.testsfailed} errors during collection")
        missing = [row.id for row in self.rows.values() if row.part == self.part and row.id not in self.names]
        if missing:
            session.testsfailed = len(missing)
        return True

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.reporting:
            terminalreporter.section("requirements")
            for line in report(self.names, self.rows):
                terminalreporter.write_line(line)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Collected(config), "stepup-requirements")

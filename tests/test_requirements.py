"""The catalogue of requirements is whole, and markers can only name what is in it."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from requirements_plugin import CATALOGUE, PARTS, Row, catalogue, report, unknown_ids

ROWS = catalogue()


def test_the_catalogue_is_whole() -> None:
    """It has the 114 rows of sections 1 to 13, and the races, faults and side channels after them."""
    sections = Counter(row.section for row in ROWS.values())
    numbered = {str(number) for number in range(1, 14)}

    assert sum(count for section, count in sections.items() if section in numbered) == 114
    assert {key: n for key, n in sections.items() if key not in numbered} == {"14.1": 12, "14.2": 15, "15": 13}


def test_every_row_is_complete() -> None:
    """Each has a section that exists, a source, a title, and a part that brings it; nothing else."""
    data = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))

    for key, raw in data["rows"].items():
        assert {"section", "source", "title"} <= raw.keys() <= {"section", "source", "title", "part"}, key
        assert ROWS[key].part in PARTS, key
        assert all(raw.values()), key


def test_no_title_is_used_twice() -> None:
    """Two rows with one title would be one row."""
    titles = Counter(row.title for row in ROWS.values())

    assert [title for title, count in titles.items() if count > 1] == []


def test_every_id_in_a_marker_exists(request: pytest.FixtureRequest) -> None:
    """The tests collected in this run name only rows of the catalogue."""
    named = {
        str(key) for item in request.session.items for mark in item.iter_markers("requirement") for key in mark.args
    }

    assert set() == named - ROWS.keys()


def test_an_unknown_id_is_named_with_its_test() -> None:
    """A slip of the pen in a marker is reported with where it stands."""
    assert unknown_ids({"Q-99": ["tests/test_x.py::test_y"]}, ROWS) == ["Q-99 (marked by tests/test_x.py::test_y)"]
    assert unknown_ids({"T-02": ["tests/test_x.py::test_y"]}, ROWS) == []


def test_the_report_tells_shown_from_missing() -> None:
    """A row with a test is shown with it; a row without one is listed as not yet."""
    rows = {key: Row(key, "4", "a source", f"title of {key}", "core") for key in ("T-01", "T-02")}

    lines = report({"T-02": ["tests/test_x.py::test_y"]}, rows)

    assert lines[:2] == ["  -    T-01   title of T-01  [a source]", "shown  T-02   title of T-02  [a source]"]
    assert lines[2].strip() == "tests/test_x.py::test_y"
    assert "core         1 of   2 shown" in lines
    assert "           not yet: T-01" in lines


PROBE = """
import pytest

@pytest.mark.requirement({marker})
def test_probe():
    raise AssertionError("the probe was run")
"""


def _probe(pytester: pytest.Pytester, marker: str, *options: str) -> pytest.RunResult:
    pytester.makeini("[pytest]\nmarkers = requirement(*ids): rows\n")
    pytester.makepyfile(test_probe=PROBE.format(marker=marker))
    pytester.syspathinsert(Path(__file__).parent)
    return pytester.runpytest_inprocess("-p", "requirements_plugin", "-p", "no:stepup", *options)


@pytest.mark.parametrize("options", [[], ["--requirements"]])
def test_a_run_with_an_unknown_id_ends(pytester: pytest.Pytester, options: list[str]) -> None:
    """Neither the tests nor the report run while a marker names a row that does not exist."""
    result = _probe(pytester, '"T-99"', *options)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*lacks: T-99 (marked by test_probe.py::test_probe)*"])


def test_a_marker_without_an_id_ends_the_run(pytester: pytest.Pytester) -> None:
    """An empty marker claims nothing, so it is a mistake."""
    assert _probe(pytester, "").ret == pytest.ExitCode.USAGE_ERROR


def test_the_report_runs_no_test(pytester: pytest.Pytester) -> None:
    """The report is made from the collection: a test that would fail does not even start."""
    result = _probe(pytester, '"T-02"', "--requirements")

    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["shown  T-02 *", "*test_probe.py::test_probe", "core * 1 of *"])
    assert "the probe was run" not in result.stdout.str()


def test_a_part_can_be_demanded_whole(pytester: pytest.Pytester) -> None:
    """Asked for one part, the report fails while rows of it have no test."""
    result = _probe(pytester, '"V-01", "V-02"', "--requirements-of", "assurance")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["assurance * 2 of *"])


def test_a_broken_test_file_fails_the_report(pytester: pytest.Pytester) -> None:
    """What could not be collected cannot be reported as missing or shown."""
    pytester.makepyfile(test_broken="raise RuntimeError('cannot be imported')")

    result = _probe(pytester, '"T-02"', "--requirements")

    assert result.ret != pytest.ExitCode.OK

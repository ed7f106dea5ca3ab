"""The benchmark of the guard's overhead runs, and reports every framework; no time is held against anything."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "guard.py"
FRAMEWORKS = ["Flask", "Starlette", "FastAPI", "FastAPI, sync gate"]


def test_it_prints_a_row_for_each_framework() -> None:
    """Each row has the unguarded median, and median and 95th percentile of the three kinds of guard, in order."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(SCRIPT), "--calls", "20"],
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=120,
    )

    assert (done.returncode, done.stderr) == (0, "")
    about, kinds, *rows = done.stdout.splitlines()
    assert "20 turns" in about
    assert kinds.split("  ")[-1].strip() == "single-use token"
    assert [re.split(r"\s{2,}", row)[0] for row in rows] == FRAMEWORKS
    for row in rows:
        figures = [int(figure) for figure in re.findall(r"\s(-?\d+)(?=\s|$)", row)]
        assert len(figures) == 7
        assert figures[0] > 0
        assert [p50 <= p95 for p50, p95 in zip(figures[1::2], figures[2::2], strict=True)] == [True, True, True]


def test_it_says_what_it_cannot_do() -> None:
    """No calls are no measurement."""
    done = subprocess.run([sys.executable, str(SCRIPT), "--calls", "0"], capture_output=True, check=False, timeout=120)

    assert done.returncode == 2
    assert b"--calls has to be 1 or more" in done.stderr

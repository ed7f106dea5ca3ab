"""The demonstration, run as a person runs it: a script in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "quickstart.py"


@pytest.fixture(scope="module")
def shown() -> str:
    """What it prints; it must end with 0 and without a word on standard error."""
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(SCRIPT)],
        capture_output=True,
        check=False,
        encoding="utf-8",
        env=environment,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_call_is_blocked_first(shown: str) -> None:
    assert "organization.delete is blocked" in shown
    assert shown.index("is blocked") < shown.index("org_1      deleted")


@pytest.mark.parametrize("number", range(1, 5))
def test_each_method_opens_it(shown: str, number: int) -> None:
    assert re.search(rf"^ +org_{number} +deleted$", shown, re.M)


def test_at_least_ten_kinds_of_misuse_are_refused_each_with_its_answer_and_its_reason(shown: str) -> None:
    refusals = re.findall(r"^ +(\d+)  (.+)\n +answer (\w+) +audit ([\w, ]+)$", shown, re.M)
    assert len(refusals) >= 10
    assert [int(number) for number, *_ in refusals] == list(range(1, len(refusals) + 1))
    assert len({what for _, what, _, _ in refusals}) == len(refusals)
    assert f"{len(refusals)} of {len(refusals)} refused" in shown


def test_the_mail_is_a_real_one_and_its_subject_has_no_code(shown: str) -> None:
    code = re.search(r"^ +\| @northstar\.example #(\d{6})$", shown, re.M)
    assert code
    assert code.group(1) not in "".join(re.findall(r"^ +subject .*$", shown, re.M))


def test_the_audit_trail_ends_it(shown: str) -> None:
    trail = shown.partition("The audit trail")[2]
    for what in ("challenge_started", "code_sent", "session_revoked", "replayed", "spent", "revoked"):
        assert what in trail
    assert shown.rstrip().splitlines()[-1].startswith("Everything went as promised")


def test_something_that_is_not_refused_ends_it_with_another_code() -> None:
    """The demonstration is no theatre: with a replay let through it fails."""
    sabotage = (
        "import runpy, sys, stepup\n"
        "plain = stepup.StepUp.require\n"
        "def soft(self, action, context, **call):\n"
        "    try:\n"
        "        return plain(self, action, context, **call)\n"
        "    except stepup.StepUpRequired as error:\n"
        "        if 'spent' in str(error.decision.reasons): return None\n"
        "        raise\n"
        "stepup.StepUp.require = soft\n"
        "runpy.run_path(sys.argv[1], run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", sabotage, str(SCRIPT)], capture_output=True, check=False, encoding="utf-8", timeout=120
    )
    assert done.returncode == 1
    assert "NOT AS PROMISED: not refused: The token a second time" in done.stderr

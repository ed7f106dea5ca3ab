"""What every test shares: the requirement marker, and how hypothesis behaves here."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

import sql_backends

pytest_plugins = ["requirements_plugin", "pytester"]

settings.register_profile(
    "stepup",
    derandomize=True,  # the same examples everywhere: a run says the same about a change whoever makes it
    deadline=None,  # a busy machine is not a defect
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("explore", settings.get_profile("stepup"), derandomize=False, max_examples=1000)
settings.load_profile("explore" if os.environ.get("STEPUP_HYPOTHESIS_PROFILE") else "stepup")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say plainly which databases were not exercised, by name."""
    for why in sorted(sql_backends.not_exercised):
        terminalreporter.write_line(f"NOT EXERCISED: {why}", yellow=True)

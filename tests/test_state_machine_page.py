"""The drawing of the challenge's state machine is made from the table, and up to date."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from stepup.challenge import TRANSITIONS, Input, State

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_state_machine", DOCS / "make_state_machine.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(maker: ModuleType) -> None:
    """Whoever changes the table runs ``python docs/make_state_machine.py``."""
    assert (DOCS / "explanation" / "state-machine.md").read_text(encoding="utf-8") == maker.page()


def test_the_drawing_has_every_transition(maker: ModuleType) -> None:
    """Read back from the drawing, the arrows are the table, no more and no less."""
    drawn = {
        (State(one), Input(given)): State(two)
        for one, two, inputs in re.findall(r"^    (\w+) --> (\w+): (.+)$", maker.diagram(), re.MULTILINE)
        for given in inputs.split(", ")
    }

    assert drawn == TRANSITIONS


def test_every_state_and_input_is_explained(maker: ModuleType) -> None:
    """A new state or input cannot be drawn without a sentence about it."""
    assert set(maker.STATES) == set(State)
    assert set(maker.INPUTS) == set(Input)

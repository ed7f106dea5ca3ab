"""The pictures in the documentation: one of each state of the dialog, light and dark, and none that is left over."""

from __future__ import annotations

import re
from pathlib import Path

from browser_states import STATES
from screenshots import SCHEMES, WHERE, name

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "dialog.md"


def test_every_state_is_shown_light_and_dark() -> None:
    """On the page, in the order of the states, and as a file that is a picture."""
    shown = re.findall(r"\]\(\.\./images/(dialog-[^)]+)\)", PAGE.read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(name(state, scheme) for state in STATES for scheme in SCHEMES)
    assert sorted(one.name for one in WHERE.glob("dialog-*")) == sorted(shown)
    for one in shown:
        assert (WHERE / one).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")

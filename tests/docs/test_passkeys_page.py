"""What the pages say of passkeys is what the code does: the table of signals lists exactly the steps that can fail."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
STEP = re.compile(r'StepFailed\("(\w+)"')
ROW = re.compile(r"^\| (`\w+`(?:, `\w+`)*) \| [^|]+ \|$", re.M)


def test_events_lists_exactly_the_signals_of_passkeys() -> None:
    """A step that is not explained would leave whoever reads the audit alone."""
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src/stepup/verifiers").glob("*.py"))
    steps = {*STEP.findall(source), "top_origin", "cross_origin"}
    page = (ROOT / "docs/reference/events.md").read_text(encoding="utf-8")
    section = page.partition("## Signals")[2].partition("\n## ")[0]
    listed = [name.strip("`") for row in ROW.findall(section) for name in row.split(", ")]
    assert sorted(listed) == sorted(steps)

"""The client's logic that needs no browser is tested by ``node --test``; this runs it, and shows what it says."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FILES = sorted(str(path) for path in HERE.glob("*.test.mjs"))


def test_node() -> None:
    """Every test in JavaScript passes, and there are some."""
    node = shutil.which("node")
    if node is None:
        why = "node is missing: apt-get install -y --no-install-recommends nodejs"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    words = [node, "--test", "--test-reporter=tap", *FILES]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False, cwd=HERE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert FILES
    assert "# fail 0" in done.stdout

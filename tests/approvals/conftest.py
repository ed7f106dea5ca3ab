"""The world that a test of approvals is given: by default over the memory store, on the sync face."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from approval_world import MEMORY, ROLES, World, opened_world


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A gate over the store that the test is run with."""
    before = dict(ROLES)
    with opened_world(getattr(request, "param", MEMORY[0]), tmp_path) as made:
        yield made
    ROLES.clear()
    ROLES.update(before)

"""Fixtures of the engine tests; what they are made of stands in ``engine_bench``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from engine_bench import LOOP, Counting, World, world

from stepup.mailers import Outbox
from stepup.testing.clock import FrozenClock


@pytest.fixture(scope="session", autouse=True)
def _one_loop() -> Iterator[None]:
    yield
    while LOOP:
        LOOP.pop().close()


@pytest.fixture
def clock() -> FrozenClock:
    """A clock that stands still."""
    return FrozenClock()


@pytest.fixture
def outbox() -> Outbox:
    """Mail that is kept."""
    return Outbox()


@pytest.fixture
def store() -> Counting:
    """A memory store that counts its calls."""
    return Counting()


@pytest.fixture
def one() -> World:
    """A gate on the sync face with a scripted password and passkey."""
    return world()

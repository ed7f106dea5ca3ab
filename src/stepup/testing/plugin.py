"""The pytest plugin, found by itself once ``stepup-auth`` is installed.

===================== ===========================================================================
``stepup_clock``      a ``FrozenClock``: pass it as ``clock=`` and move it with ``advance``
``stepup_outbox``     an ``Outbox``: pass it as ``mailer=`` and read codes with ``code()``
``stepup_grant``      ``stepup_grant(gate, action, context, ...)``: a real token with nothing proved
``stepup_bundle``     ``stepup_bundle(gate, items, context)``: one for several calls
===================== ===========================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stepup import Context, Item, Resource, StepUp
    from stepup.mailers import Outbox
    from stepup.policy import Params
    from stepup.testing.clock import FrozenClock

pytest.register_assert_rewrite("stepup.testing.store", "stepup.testing.verifier")


class Granting(Protocol):
    """What ``stepup_grant`` is: ``stepup.testing.grant``."""

    def __call__(
        self,
        gate: StepUp,
        action: str,
        context: Context,
        *,
        resource: Resource | None = None,
        params: Params | None = None,
        uses: int | None = None,
    ) -> str:
        """Mint a real grant and return its token."""
        ...


class GrantingBundles(Protocol):
    """What ``stepup_bundle`` is: ``stepup.testing.grant_bundle``."""

    def __call__(self, gate: StepUp, items: Iterable[Item], context: Context) -> str:
        """Mint a real grant for several calls and return its token."""
        ...


@pytest.fixture
def stepup_clock() -> FrozenClock:
    """A clock that moves when it is told to."""
    from stepup.testing.clock import FrozenClock

    return FrozenClock()


@pytest.fixture
def stepup_outbox() -> Outbox:
    """A mailer that keeps what it is given."""
    from stepup.mailers import Outbox

    return Outbox()


@pytest.fixture
def stepup_grant() -> Granting:
    """Mint real grants in tests of an application."""
    from stepup.testing.grants import grant

    return grant


@pytest.fixture
def stepup_bundle() -> GrantingBundles:
    """Mint real grants for several calls in tests of an application."""
    from stepup.testing.grants import grant_bundle

    return grant_bundle

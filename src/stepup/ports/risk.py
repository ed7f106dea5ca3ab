"""What judges the session's risk: by the request alone, or by what is remembered of the person."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol, runtime_checkable

from stepup.context import Context, RiskAssessment
from stepup.history import History


class RiskAssessor(Protocol):
    """Judges the session's risk. Any function of this shape will do."""

    def __call__(self, context: Context, action: str, /) -> RiskAssessment:
        """The risk of *action* in *context*. Raising, or answering anything else, counts as unknown."""
        ...


class AsyncRiskAssessor(Protocol):
    """``RiskAssessor`` with ``async def``."""

    async def __call__(self, context: Context, action: str, /) -> RiskAssessment:
        """As ``RiskAssessor``."""
        ...


@runtime_checkable
class HistoryAssessor(Protocol):
    """Judges the session's risk by what stepup remembers of the person; ``stepup.risk.Signals`` is one.

    A gate that is given one loads the history for every decision, and keeps it with every finished challenge.
    """

    @property
    def country_of(self) -> Callable[[str], str | Awaitable[str | None] | None] | None:
        """Looks the country of an address up; None where nobody does."""
        ...

    @property
    def codes(self) -> frozenset[str]:
        """The reasons that a client may see. Others stay in the audit."""
        ...

    def assess(self, history: History | None, context: Context, now: datetime, /) -> RiskAssessment:
        """The risk of a request; *history* is None where it could not be read. It only computes, on either face.

        Raising, or answering anything else, counts as unknown.
        """
        ...

"""What hands messages to the mail system."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """A mail to one person. The body may hold a code, so its repr shows the subject alone."""

    to: str = field(repr=False)
    subject: str
    text: str = field(repr=False)
    html: str | None = field(default=None, repr=False)


class Mailer(Protocol):
    """Hands messages to the mail system."""

    def send(self, message: Message) -> None:
        """Return once the mail system has taken *message*.

        Raises:
            Exception: of any kind, if it was not taken. What is known to be undelivered may be sent again.
        """
        ...


class AsyncMailer(Protocol):
    """``Mailer`` with ``async def``."""

    async def send(self, message: Message) -> None:
        """As ``Mailer.send``."""
        ...

"""The risk of a session in the demo: what stepup sees by itself, and one signal that only the application can give.

``Signals`` compares with where the person has proved themselves before. A stolen cookie brings its device along, so the
demo adds what it knows: with which browsers the person has signed in. That alone is high.

At high, the three changes at the top of the account page are blocked (``actions.STRICT``), and what is left takes the
two methods that nobody else could have been told (``narrow=``; somebody else's approval is no method of the thief's).
Medium changes nothing: everybody is new once, and only a proof makes a place known.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from stepup import Context, RiskLevel
from stepup.history import History
from stepup.risk import Signal, Signals

LEFT_AT_HIGH: Final = ("passkey", "totp", "approval")


class Browsers:
    """With which browsers each person has signed in."""

    def __init__(self) -> None:
        self._known: dict[str, set[str]] = {}

    def signed_in(self, person: str, browser: str) -> None:
        """*person* has signed in with *browser*."""
        self._known.setdefault(person, set()).add(browser)

    def forget(self, person: str) -> None:
        """*person* has signed in with none: somebody else may have, too."""
        self._known.pop(person, None)

    def unfamiliar(self, history: History, context: Context, now: datetime) -> bool:  # noqa: ARG002 -- a signal's arguments
        """Whether the person has signed in with another browser only, as after a stolen cookie."""
        return (context.user_agent or "") not in self._known.get(context.actor.id, set())


def rules(browsers: Browsers) -> Signals:
    """What the gate judges by."""
    return Signals(also=(Signal("unfamiliar_browser", 60, browsers.unfamiliar),), narrow={RiskLevel.HIGH: LEFT_AT_HIGH})

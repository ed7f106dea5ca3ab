"""The newest challenge of each person, as the gate's events tell of it (``on_event=``).

The page shows the challenge while the dialog is open. What the challenge holds is the protocol's to say, to the session
that it belongs to; here is only which one it is, how far it has come, and by which method. No secret passes through.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock

from stepup.event import Event, EventType


@dataclass(frozen=True)
class Seen:
    """What the events have told of a challenge."""

    id: str
    action: str
    status: str = "open"
    method: str | None = None

    def as_dict(self) -> dict[str, object]:
        """For the page."""
        return {"id": self.id, "action": self.action, "status": self.status, "method": self.method}


class Watch:
    """Remembers one challenge for each person. Thread-safe."""

    def __init__(self) -> None:
        self._newest: dict[str, Seen] = {}
        self._lock = Lock()

    def newest(self, person: str) -> Seen | None:
        """The newest challenge of *person*."""
        return self._newest.get(person)

    def __call__(self, event: Event) -> None:
        """Take note of *event*."""
        if event.challenge_id is None:
            return
        with self._lock:
            if event.type is EventType.CHALLENGE_STARTED and event.result == "ok":
                self._newest[event.actor] = Seen(event.challenge_id, event.action or "")
                return
            known = self._newest.get(event.actor)
            if known is not None and known.id == event.challenge_id:
                self._newest[event.actor] = _further(known, event)


def _further(known: Seen, event: Event) -> Seen:
    if event.type is EventType.CHALLENGE_CANCELLED:
        return replace(known, status="cancelled")
    if event.type in {EventType.PREPARED, EventType.CODE_SENT, EventType.ATTEMPT}:
        verified = event.type is EventType.ATTEMPT and event.result == "ok"
        return replace(known, method=event.method, status="verified" if verified else known.status)
    return known

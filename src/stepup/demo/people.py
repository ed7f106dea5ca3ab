"""Who can sign in to the demo, what they know, and where their mails go."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from stepup import Actor
from stepup.ports import Message

KEPT = 100


class Mails:
    """Where the demo's mails go: to *show*, and into a list."""

    def __init__(self, show: Callable[[str], object]) -> None:
        self.taken: deque[Message] = deque(maxlen=KEPT)
        self._show = show

    def send(self, message: Message) -> None:
        """Show and keep *message*."""
        self.taken.append(message)
        self._show(f"--- mail to {message.to}: {message.subject}\n{message.text}---")


@dataclass(frozen=True)
class Person:
    """Who can sign in, and all that they know."""

    actor: Actor
    name: str
    role: str
    password: str = field(repr=False)
    totp_secret: str = field(default="", repr=False)
    recovery_codes: tuple[str, ...] = field(default=(), repr=False)

    @property
    def email(self) -> str:
        """What they sign in with."""
        return self.actor.email or ""

    def as_dict(self) -> dict[str, object]:
        """What ``--seed-file`` holds."""
        return {
            "id": self.actor.id,
            "name": self.name,
            "role": self.role,
            "email": self.email,
            "password": self.password,
            "totpSecret": self.totp_secret,
            "recoveryCodes": list(self.recovery_codes),
        }


class People:
    """Everybody, the one who owns the workspace first."""

    def __init__(self, everybody: Iterable[Person]) -> None:
        self._known = {one.actor.id: one for one in everybody}

    @property
    def everybody(self) -> tuple[Person, ...]:
        """All of them."""
        return tuple(self._known.values())

    @property
    def owner(self) -> Person:
        """The one whom the demo is about."""
        return self.everybody[0]

    def signing_in(self, email: str, password: str) -> Person | None:
        """Whose these are."""
        found = next((one for one in self._known.values() if one.email == email), None)
        return found if found is not None and self.check(found.actor, password) else None

    def check(self, actor: Actor, password: str) -> bool:
        """Whether that is the password of *actor*. A real application keeps hashes: ``Password(hash_of=)``."""
        known = self._known.get(actor.id)
        return known is not None and secrets.compare_digest(password.encode(), known.password.encode())

    def version_of(self, actor: Actor) -> str | None:
        """What changes with the password; None for whom there is none."""
        return "1" if actor.id in self._known else None

    def as_dict(self) -> Mapping[str, object]:
        """The owner, and everybody else beside."""
        return {**self.owner.as_dict(), "people": [one.as_dict() for one in self.everybody]}

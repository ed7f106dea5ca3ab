"""What each action asks for, written down a second time, and what a guarded call is: the judge's own knowledge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from stepup import Context, Resource

ADD, REMOVE, UNLOCK = "stepup.factor.add", "stepup.factor.remove", "stepup.support.unlock"
MOST_ANSWERS: Final = 5


@dataclass(frozen=True)
class Rule:
    """What one action asks for, written down a second time: ways to prove it, uses, life, what else it counts for."""

    ways: tuple[frozenset[str], ...]
    uses: int | None = None
    life: int = 300
    level: int = 3
    fresh: int = 0
    group: str | None = None
    token: bool = False


def _by(*ways: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(way.split("+")) for way in ways)


_STRONGEST = _by("totp", "recovery_code")
RULES: Final[Mapping[str, Rule]] = {
    "org.delete": Rule(_by("totp"), uses=1, life=120, level=4, token=True),
    "payout.create": Rule(_by("totp"), uses=1, life=120, level=4, token=True),
    "by.password": Rule(_by("password"), uses=1, life=120, level=4, token=True),
    "by.mail": Rule(_by("email_code"), uses=1, life=120, level=4, token=True),
    "by.paper": Rule(_by("totp", "recovery_code"), uses=1, life=120, level=4, token=True),
    "member.role": Rule(_STRONGEST),
    "member.remove": Rule(_by("password", "totp", "email_code", "recovery_code"), life=600, level=2, fresh=300),
    "note.edit": Rule(_by("password", "totp", "email_code", "recovery_code"), life=600, level=1, fresh=1800),
    "batch.run": Rule(_STRONGEST, uses=3),
    "once.shelf": Rule(_STRONGEST, uses=1),
    "by.both": Rule(_by("password+totp", "password+recovery_code")),
    "sudo.one": Rule(_STRONGEST, group="sudo"),
    "sudo.two": Rule(_STRONGEST, group="sudo"),
    ADD: Rule(_STRONGEST),
    REMOVE: Rule(_STRONGEST),
    UNLOCK: Rule(_STRONGEST),
}

Who = tuple[str, str]
Thing = tuple[str, str] | None
Params = Mapping[str, object] | None


@dataclass(frozen=True)
class Call:
    """One guarded call: what it does, to what, with which params, in whose session."""

    action: str
    who: Context
    resource: Resource | None = None
    params: Params = None

    @property
    def place(self) -> Who:
        """Person and session."""
        return self.who.actor.id, self.who.session.id if self.who.session else ""

    @property
    def thing(self) -> Thing:
        """The resource, without its label."""
        return (self.resource.type, self.resource.id) if self.resource else None

"""The people of the kill proofs: who they are, what they hold, and the time they live in, which is the real one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from stepup import Actor, Context, Session
from stepup.binding import partition
from stepup.changes import ACTOR_EPOCH, APPLIED, ROSTER, Changes, Epoch, Record, factor_key
from stepup.factor import Factor, FactorSet, Roster
from stepup.keys import KeyRing, Vault
from stepup.verifiers.recovery_code import new_codes
from stepup.verifiers.totp import new_totp

SECRET: Final = "a secret of the kill proofs, never a real one: 8w3t"
NAMESPACE: Final = "kills"
CODES: Final = 12
Person = dict[str, Any]
"""``id``, ``sessions``, ``secret`` of the authenticator, recovery ``codes``: JSON, since it is handed to processes."""


class WallClock:
    """The real time."""

    def now(self) -> datetime:
        """Now."""
        return datetime.now(UTC)


def actor_of(name: str) -> Actor:
    """The person with that id."""
    return Actor(name, email=f"{name}@northstar.example")


def context_of(name: str, session: str) -> Context:
    """A request of theirs."""
    return Context(actor_of(name), session=Session(session))


def person_in(store: Any, name: str) -> Person:
    """Somebody with an authenticator, recovery codes and two sessions, written into *store*."""
    actor, now, vault = actor_of(name), WallClock().now(), Vault(KeyRing(SECRET))
    authenticator, secret, _ = new_totp(f"totp_{name}", vault, actor=actor)
    paper, codes = new_codes(f"paper_{name}", vault, CODES, actor=actor)
    since = now - timedelta(days=30)
    roster = Roster(
        (
            Factor(authenticator.id, "totp", strength=30, enrolled_at=since),
            Factor(paper.id, "recovery_code", strength=30, enrolled_at=since, stands_for="totp"),
        )
    )
    puts = (
        Record(factor_key("totp"), FactorSet((authenticator,))),
        Record(factor_key("recovery_code"), FactorSet((paper,))),
        Record(ROSTER, roster),
        Record(ACTOR_EPOCH, Epoch()),
    )
    if store.apply(partition(NAMESPACE, actor), Changes(now, puts)) is not APPLIED:
        raise RuntimeError("a person could not be written")
    return {"id": name, "sessions": [f"sess_1_of_{name}", f"sess_2_of_{name}"], "secret": secret, "codes": list(codes)}

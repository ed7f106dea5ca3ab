"""The session binding: what a browser carries so that a proof given in it opens nothing elsewhere.

It is a signed cookie of stepup's own, beside the application's session and independent of it: a random id (the
session that proofs are bound to), who it was made for, and when and by which methods that person signed in. The
application says when somebody has signed in (``signed_in``); a session that nobody spoke of is never fresh. At every
step-up it gets a new id (ASVS 7.2.4), and what the application's own cookie does is the application's business.

A cookie of another person, of another release's shape, edited, or older than its life is no cookie: a new one is made,
without a sign-in. The client supplies none of what is in it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from stepup.context import Actor, Proof, Session
from stepup.errors import InvalidInput
from stepup.keys import KeyRing
from stepup.token import TokenWriter

SESSION_TYPE: Final = "stepup-session+jwt"
LIFE: Final = timedelta(days=30)
"""How long a cookie is believed. What was opened in it ends long before; after that, signing in again is asked for."""

_MAX_PROOFS: Final = 8


@dataclass(frozen=True, slots=True)
class Bound:
    """The session of one browser, and what it says of the sign-in.

    ``id`` is a secret: it leaves the server in the signed cookie only, and is stored as a keyed hash.
    """

    id: str = field(repr=False)
    made_at: datetime
    signed_in_at: datetime | None = None
    methods: tuple[str, ...] = ()

    @property
    def session(self) -> Session:
        """The session as a context has it."""
        at = self.signed_in_at
        proofs = () if at is None else tuple(Proof(method, at) for method in self.methods)
        return Session(self.id, at, proofs)


class Sessions:
    """Writes and reads the cookies of one gate. Immutable and thread-safe."""

    def __init__(self, ring: KeyRing, issuer: str) -> None:
        self._tokens = TokenWriter(ring, SESSION_TYPE)
        self._issuer = issuer

    def read(self, cookie: object, actor: Actor, now: datetime) -> Bound | None:
        """The session in *cookie*; None unless it was made here, for this very person, and is not too old."""
        claims = self._tokens.read(cookie)
        if claims is None:
            return None
        try:
            return self._bound(claims, actor, now)
        except (KeyError, TypeError, ValueError, OverflowError, InvalidInput):
            return None  # signed by us, in the shape of another release

    def whose(self, cookie: object, now: datetime) -> tuple[Actor, Bound] | None:
        """Who *cookie* was made for, and their session: to end it, where the application no longer says so."""
        claims = self._tokens.read(cookie)
        if claims is None:
            return None
        try:
            actor = Actor(cast("str", claims["sub"]), tenant=cast("Mapping[str, Any]", claims["stepup"])["ten"])
            bound = self._bound(claims, actor, now)
        except (KeyError, TypeError, ValueError, OverflowError, InvalidInput):
            return None
        return None if bound is None else (actor, bound)

    def fresh(self, now: datetime) -> Bound:
        """A new session of which no sign-in is known."""
        return Bound(secrets.token_hex(32), now)

    def signed_in(self, methods: Sequence[str], now: datetime) -> Bound:
        """A new session for somebody who has just signed in by *methods*; the old one's id is used no more.

        Raises:
            InvalidInput: for more than eight methods, or one that is no name.
        """
        if len(methods) > _MAX_PROOFS:
            raise InvalidInput("methods", f"must be at most {_MAX_PROOFS}")
        made = Bound(secrets.token_hex(32), now, now, tuple(methods))
        _ = made.session  # its proofs say what a method may be called
        return made

    def renewed(self, bound: Bound, now: datetime) -> Bound:
        """The same sign-in under a new id: refreshing makes nothing fresher."""
        return Bound(secrets.token_hex(32), now, bound.signed_in_at, bound.methods)

    def written(self, bound: Bound, actor: Actor) -> str:
        """The cookie's value."""
        return self._tokens.sign(
            {
                "iss": self._issuer,
                "sub": actor.id,
                "iat": int(bound.made_at.timestamp()),
                "stepup": {
                    "ten": actor.tenant,
                    "sid": bound.id,
                    "at": None if bound.signed_in_at is None else int(bound.signed_in_at.timestamp()),
                    "by": list(bound.methods),
                },
            }
        )

    def _bound(self, claims: Mapping[str, object], actor: Actor, now: datetime) -> Bound | None:
        data = cast("Mapping[str, Any]", claims)
        own, made = data["stepup"], _time(data["iat"])
        if (data["iss"], data["sub"], own["ten"]) != (self._issuer, actor.id, actor.tenant):
            return None
        if not timedelta(seconds=-30) <= now - made < LIFE:
            return None
        bound = Bound(own["sid"], made, None if own["at"] is None else _time(own["at"]), tuple(own["by"]))
        _ = bound.session
        return bound


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)

"""The values that pass between the engine and a verifier.

``begin`` answers ``Begun`` (with the ``Prompt`` for the person), ``check`` answers ``Checked`` (with a
``Verdict``); both are told about the ``Ceremony``. A verifier whose factors are made in a ceremony of their own
answers ``Registering``, then ``Registered``. The protocols themselves stand in ``ports``.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from .challenge import Challenge, FactorRef
from .context import Actor, Context, Proof
from .factor import StoredFactor
from .keys import Vault


class Verdict(enum.Enum):
    """What a verifier found. Compared by identity; a verdict has no truth value."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    REPLAYED = "replayed"

    def __bool__(self) -> bool:
        raise TypeError("Compare a verdict with `is Verdict.ACCEPTED`.")


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the person is asked for. ``sent_to`` is masked; ``options`` is what a client needs (WebAuthn)."""

    method: str
    sent_to: str | None = None
    resend_at: datetime | None = None
    expires_at: datetime | None = None
    options: Mapping[str, object] = field(default_factory=dict[str, object])


State = Mapping[str, str | int | bool]


@dataclass(frozen=True, slots=True)
class Begun:
    """What ``begin`` made.

    ``state`` is stored with the challenge and handed back to ``check``: JSON-safe, digests instead of
    codes. ``deliver`` is called after the challenge has been written, takes nothing, and raises if the
    message was not taken; sync or async like the mailer it calls.
    """

    prompt: Prompt
    state: State = field(default_factory=dict[str, str | int | bool], repr=False)
    deliver: Callable[[], object] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Checked:
    """What ``check`` found.

    Attributes:
        verdict: compared by identity.
        proof: on acceptance; its method must be the verifier's and its time ``context.now``.
        claims: names that must never have been claimed before (a nonce, a mailed code).
        advance: the stored factor moved forward (a TOTP step, a recovery code used up); written only if
            nobody else moved it meanwhile.
        material: new material of an application-owned factor that the check itself changed (a rehash).
        evidence: what lets somebody else check the acceptance later (a signed assertion), by name; kept with the
            event, at most ``MAX_EVIDENCE`` characters in all. Never a secret.
        signals: what the audit should know of this answer, right or wrong (``counter``), in words of the
            verifier's own; never anything that was sent.
    """

    verdict: Verdict
    proof: Proof | None = None
    claims: tuple[str, ...] = ()
    advance: StoredFactor | None = field(default=None, repr=False)
    material: bytes | None = field(default=None, repr=False)
    evidence: Mapping[str, str] | None = field(default=None, repr=False)
    signals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Registering:
    """A factor that waits for the answer of its own ceremony, and what the client needs for it."""

    factor: StoredFactor
    options: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Registered:
    """A factor whose ceremony was answered rightly: the record to keep, and the best it can reach.

    ``public`` is what the audit keeps of it: what was enrolled, never a secret.
    """

    factor: StoredFactor
    strength: int
    public: Mapping[str, str] = field(default_factory=dict[str, str])


MAX_EVIDENCE: Final = 16_384
MAX_SIGNALS: Final = 8

REJECTED: Final = Checked(Verdict.REJECTED)


@dataclass(frozen=True, slots=True)
class Ceremony:
    """What a verifier is told: who answers, for which challenge, when, and with which factors.

    ``factors`` are those of the verifier's method that count now; ``stored`` the records behind those
    that the store keeps. ``vault`` seals and digests.
    """

    context: Context
    challenge: Challenge
    now: datetime
    factors: tuple[FactorRef, ...]
    stored: Mapping[str, StoredFactor] = field(repr=False)
    vault: Vault = field(repr=False)

    @property
    def actor(self) -> Actor:
        """The person who answers."""
        return self.context.actor

"""``RecoveryCode``: codes kept on paper, each good once, standing in for the factor they were issued with.

A code has 120 random bits: 24 characters of a 32-letter alphabet, shown in groups of four. NIST SP
800-63B-4 section 3.1.2.2 lets look-up secrets of at least 112 bits be stored under a plain approved hash;
here it is a keyed one (HMAC-SHA-256) over tenant, actor, factor and code, so a digest copied to another
person's record matches nothing.

``StoredFactor.data``: ``{"codes": (digest, ...)}``, unused ones only. The record's version is what makes a
code count once: the loser of two equal answers finds the record moved.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from stepup.challenge import Challenge, FactorRef
from stepup.context import RECOVERY_CODE, Actor, Proof
from stepup.errors import ConfigurationError
from stepup.factor import StoredFactor
from stepup.keys import Vault
from stepup.ports import REJECTED, STORED, Begun, Ceremony, Checked, Prompt, State, Stored, Verdict
from stepup.requirement import Strength

from ._codes import canonical
from ._hooked import Hooked, belongs

ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"
"""32 letters, lower case, without l, o, 0 and 1: five random bits each."""

LENGTH: Final = 24
MAX_COUNT: Final = 50
_PURPOSE: Final = "recovery_code"


class RecoveryCode(Hooked):
    """Proof by an unused recovery code. It is worth what the factor it stands for is worth.

    Args:
        count: how many codes a new set has, 1 to 50.

    Raises:
        ConfigurationError: for any other count.
    """

    method = RECOVERY_CODE
    strength = int(Strength.NONE)
    amr = ("otp",)
    phishing_resistant = False
    points = 0
    prepares = False

    def __init__(self, count: int = 10) -> None:
        super().__init__({})
        self.count = _count(count)

    async def enrolled(self, actor: Actor, /) -> Stored:  # noqa: ARG002 -- the port's signature
        """The store keeps them."""
        return STORED

    async def begin(self, challenge: Challenge, context: Ceremony, /) -> Begun:  # noqa: ARG002 -- the port's signature
        """Nothing to prepare."""
        return Begun(Prompt(self.method))

    async def check(self, state: State | None, response: object, context: Ceremony, /) -> Checked:  # noqa: ARG002 -- the port's signature
        """Find the code among the unused ones; ``advance`` is the set without it."""
        code = canonical(response, LENGTH, ALPHABET)
        if code is None:
            return REJECTED
        found = [hit for ref in context.factors if (hit := _find(ref, code, context)) is not None]
        if not found:
            return REJECTED
        ref, advance = found[0]
        proof = Proof(
            self.method, context.now, self.amr, factor_id=ref.id, strength=ref.strength, stands_for=ref.stands_for
        )
        return Checked(Verdict.ACCEPTED, proof, advance=advance)

    def new(self, factor_id: str, vault: Vault, actor: Actor) -> NewCodes:
        """``new_codes`` with this verifier's count."""
        return new_codes(factor_id, vault, self.count, actor=actor)


NewCodes = tuple[StoredFactor, tuple[str, ...]]


def new_codes(factor_id: str, vault: Vault, count: int = 10, *, actor: Actor) -> NewCodes:
    """A fresh set for *actor*: the record to store, and the codes to show once, in groups of four.

    Raises:
        ConfigurationError: for a *count* outside 1 to 50.
    """
    codes = tuple("".join(secrets.choice(ALPHABET) for _ in range(LENGTH)) for _ in range(_count(count)))
    digests = tuple(vault.digest(_PURPOSE, _digested(actor, factor_id, code)) for code in codes)
    return StoredFactor(factor_id, RECOVERY_CODE, {"codes": digests}), tuple(_shown(code) for code in codes)


def codes_left(stored: StoredFactor) -> int:
    """How many codes of the set are unused."""
    return len(_digests(stored))


def _find(ref: FactorRef, code: str, context: Ceremony) -> tuple[FactorRef, StoredFactor] | None:
    stored = context.stored.get(ref.id)
    if stored is None or stored.method != RECOVERY_CODE:
        return None
    digests, value = _digests(stored), _digested(context.actor, ref.id, code)
    # Every digest is compared, wherever the right one stands: time must not tell which code was used.
    hits = [context.vault.matches(digest, _PURPOSE, value) for digest in digests]
    if True not in hits:
        return None
    unused = tuple(digest for digest, hit in zip(digests, hits, strict=True) if not hit)
    return ref, replace(stored, data={**stored.data, "codes": unused})


def _digests(stored: StoredFactor) -> Sequence[str]:
    codes = stored.data.get("codes")
    return tuple(codes) if isinstance(codes, tuple) else ()


def _digested(actor: Actor, factor_id: str, code: str) -> bytes:
    return belongs(actor, factor_id, code).encode()


def _shown(code: str) -> str:
    return "-".join(code[start : start + 4] for start in range(0, LENGTH, 4))


def _count(count: object) -> int:
    if type(count) is not int or not 1 <= count <= MAX_COUNT:
        raise ConfigurationError(f"RecoveryCode(count=) must be 1 to {MAX_COUNT}.")
    return count

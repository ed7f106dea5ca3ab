"""``TOTP``: the code of an authenticator app (RFC 6238), accepted once and never backwards.

At step *n* the codes of *n - 1* and *n* are looked at (*n + 1* by option), and only a step later than the
last one accepted counts (RFC 6238 section 5.2, NIST SP 800-63B-4 section 3.1.4.2): marking single codes as
used would let *n - 1* pass after *n* (CVE-2021-43177). The last step lives in the factor's versioned record.

``StoredFactor.data`` of a stored factor, made by ``new_totp``::

    {"secret": sealed, "last_step": -1, "digits": 6, "period": 30, "algorithm": "SHA1"}

Each factor keeps the parameters its app was given, so changing the defaults breaks nobody. With a
``secret_of`` hook the record under the id ``totp`` holds ``last_step`` alone, and may be absent.
``_secret.py`` has the secrets, the code itself and the provisioning URI.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from stepup.challenge import Challenge, FactorRef
from stepup.context import Actor, Proof
from stepup.factor import Factor, StoredFactor
from stepup.keys import Vault
from stepup.ports import REJECTED, STORED, Begun, Ceremony, Checked, Prompt, State, Stored, Verdict
from stepup.requirement import Strength

from ._codes import canonical
from ._hooked import Hooked, belongs, factor_in
from ._secret import (
    NEW_SECRET,
    Parameters,
    checked_issuer,
    checked_secret,
    code_at,
    decoded,
    encoded,
    new_secret,
    totp_uri,
    usable,
)

__all__ = ["NEW_SECRET", "TOTP", "new_totp", "totp_uri"]

METHOD: Final = "totp"
HOOK_FACTOR_ID: Final = "totp"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

SecretOf = Callable[[Actor], str | bytes | Awaitable[str | bytes | None] | None]
Candidate = tuple[FactorRef, bytes, Parameters, StoredFactor | None, int]


class TOTP(Hooked):
    """Proof by authenticator code.

    Args:
        secret_of: ``secret_of(actor)``: the secret the application keeps, as base32 text (case, spaces,
            hyphens and padding do not matter) or as raw bytes; ``None`` where there is none. Sync or async.
            Without the hook, secrets are kept in the store, sealed.
        issuer: the product's name as authenticator apps show it.
        digits: 6 to 8, for new factors and for *secret_of*.
        period: seconds a code stands for, 15 to 60.
        algorithm: ``"SHA1"``, ``"SHA256"`` or ``"SHA512"``; many apps know only the first, for which no
            weakness in HMAC is known (RFC 6238 section 1.2).
        legacy_secrets: accept secrets of 80 to 127 bits, which RFC 4226 section 4 forbids.
        drift_ahead: also look at the next step, for devices whose clock is ahead.

    Raises:
        ConfigurationError: for parameters outside these.
    """

    method = METHOD
    strength = int(Strength.TOTP)
    amr = ("otp",)
    phishing_resistant = False
    points = 2
    prepares = False

    def __init__(
        self,
        secret_of: SecretOf | None = None,
        *,
        issuer: str = "",
        digits: int = 6,
        period: int = 30,
        algorithm: str = "SHA1",
        legacy_secrets: bool = False,
        drift_ahead: bool = False,
    ) -> None:
        super().__init__({"secret_of": secret_of})
        self.parameters = Parameters(digits, period, algorithm)
        self.issuer = checked_issuer(issuer)
        self.legacy_secrets = legacy_secrets is True
        self._ahead = 1 if drift_ahead is True else 0
        self.points = 2 + self._ahead  # one for each code that is right at a time
        self._secret_of = secret_of

    async def enrolled(self, actor: Actor, /) -> Sequence[Factor] | Stored:
        """``STORED``, or what the hook knows. A secret that cannot be used still counts as enrolled."""
        if self._secret_of is None:
            return STORED
        given = await self._call(self._secret_of, actor)
        if given is None:
            return ()
        key = decoded(given)
        return (Factor(HOOK_FACTOR_ID, METHOD, material=key, usable=usable(key, legacy=self.legacy_secrets)),)

    async def begin(self, challenge: Challenge, context: Ceremony, /) -> Begun:  # noqa: ARG002 -- the port's signature
        """Nothing to prepare."""
        return Begun(Prompt(self.method))

    async def check(self, state: State | None, response: object, context: Ceremony, /) -> Checked:  # noqa: ARG002 -- the port's signature
        """Compare with every live factor. A code that any of them has seen already is ``REPLAYED``."""
        if all(canonical(response, digits) is None for digits in (6, 7, 8)):
            return REJECTED
        candidates = await self._candidates(context)
        matched = [(one, step) for one in candidates for step in self._steps(one, response, context)]
        if not matched:
            return REJECTED
        if any(step <= last for (_, _, _, _, last), step in matched):
            return Checked(Verdict.REPLAYED)
        # Two steps with the same code: the later one, so that the code cannot come back.
        (ref, _, _, stored, _), step = max(matched, key=lambda match: match[1])
        moved = stored or StoredFactor(ref.id, METHOD, {})
        proof = Proof(METHOD, context.now, self.amr, factor_id=ref.id, strength=self.strength)
        return Checked(Verdict.ACCEPTED, proof, advance=replace(moved, data={**moved.data, "last_step": step}))

    def new(self, factor_id: str, vault: Vault, actor: Actor, *, secret: str | bytes | None = None) -> NewTOTP:
        """``new_totp`` with this verifier's parameters."""
        return new_totp(
            factor_id,
            vault,
            actor=actor,
            issuer=self.issuer,
            parameters=self.parameters,
            secret=secret,
            legacy_secrets=self.legacy_secrets,
        )

    async def _candidates(self, context: Ceremony) -> list[Candidate]:
        """The factors whose secret can be read. The others cannot accept; that is not an error."""
        if self._secret_of is None:
            return [found for ref in context.factors if (found := self._stored(ref, context)) is not None]
        ref = factor_in(context, HOOK_FACTOR_ID)
        if ref is None:
            return []
        given = await self._call(self._secret_of, context.actor)
        key, stored = decoded(given), context.stored.get(HOOK_FACTOR_ID)
        last = -1 if stored is None else _last_step(stored)
        if key is None or not usable(key, legacy=self.legacy_secrets) or last is None:
            return []
        return [(ref, key, self.parameters, stored, last)]

    def _stored(self, ref: FactorRef, context: Ceremony) -> Candidate | None:
        stored = context.stored.get(ref.id)
        if stored is None or stored.method != METHOD:
            return None
        sealed, last, parameters = stored.data.get("secret"), _last_step(stored), Parameters.of(stored.data)
        if not isinstance(sealed, str) or last is None or parameters is None:
            return None
        key = context.vault.unseal(sealed, where=belongs(context.actor, ref.id))
        if key is None or not usable(key, legacy=self.legacy_secrets):
            return None
        return ref, key, parameters, stored, last

    def _steps(self, candidate: Candidate, response: object, context: Ceremony) -> Iterator[int]:
        """The steps now looked at whose code this is. All are compared, so time does not tell which."""
        _, key, parameters, _, _ = candidate
        code = canonical(response, parameters.digits)
        if code is None:
            return
        now = (context.now - _EPOCH) // timedelta(seconds=parameters.period)
        steps = range(max(0, now - 1), now + 1 + self._ahead)
        hits = [hmac.compare_digest(code_at(key, step, parameters), code) for step in steps]
        yield from (step for step, hit in zip(steps, hits, strict=True) if hit)


NewTOTP = tuple[StoredFactor, str, str]


def new_totp(
    factor_id: str,
    vault: Vault,
    *,
    actor: Actor,
    issuer: str = "",
    account: str | None = None,
    parameters: Parameters | None = None,
    secret: str | bytes | None = None,
    legacy_secrets: bool = False,
) -> NewTOTP:
    """A new factor: the record to store, the secret in base32 and its ``otpauth:`` URI, both shown once.

    Args:
        factor_id: its id; the sealed secret opens only under it, and only for *actor*.
        vault: seals the secret.
        actor: whose it is.
        issuer: the product's name in the app.
        account: the name in the app; the actor's address, or id, without one.
        parameters: digits, period and algorithm; 6, 30 and SHA1 without.
        secret: an existing secret to import, base32 or raw; without it 160 random bits are drawn.
        legacy_secrets: allow an imported secret of 80 to 127 bits.

    Raises:
        ConfigurationError: for an imported secret that is malformed or too short, or an issuer with a colon.
    """
    parameters = parameters or Parameters()
    key = new_secret() if secret is None else checked_secret(secret, legacy=legacy_secrets)
    text = encoded(key)
    uri = totp_uri(text, account or actor.email or actor.id, issuer=issuer, parameters=parameters)
    sealed = vault.seal(key, where=belongs(actor, factor_id))
    return StoredFactor(factor_id, METHOD, {"secret": sealed, "last_step": -1, **parameters.as_data()}), text, uri


def _last_step(stored: StoredFactor) -> int | None:
    step = stored.data.get("last_step")
    return step if type(step) is int and step >= -1 else None

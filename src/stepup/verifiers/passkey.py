"""``Passkey``: proof by a WebAuthn credential, over a challenge that commits to what is being approved.

``begin`` draws a nonce; the challenge that the authenticator signs is SHA-256 over a domain, that nonce and the digest
of the binding (``_webauthn.challenge_for``), so the signed assertion is evidence of this action, resource and
parameters, and of no other. ``check`` finds the credential among the person's own that were asked for, then follows
section 7.2 of WebAuthn Level 3 step by step (``_webauthn.py``).

``StoredFactor.data``, made by ``registered``; the key is public, and sealed so that nobody can replace it::

    {"version": 1, "credential": id, "key": sealed COSE, "user": handle, "algorithm": -7, "count": 0,
     "eligible": 1, "backed_up": 1, "verified": 1, "transports": ("internal",)}

While it waits for its answer: ``{"version": 1, "nonce": ..., "user": handle, "asked": "required"}``.
``_passkey_record.py`` reads and writes it, ``_relying_party.py`` checks the settings.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final, Literal

from stepup.challenge import Challenge, FactorRef
from stepup.context import Actor, Proof
from stepup.errors import ConfigurationError
from stepup.factor import StoredFactor
from stepup.keys import Vault
from stepup.ports import (
    STORED,
    Begun,
    Ceremony,
    Checked,
    Prompt,
    Registered,
    Registering,
    State,
    Stored,
    Verdict,
)
from stepup.requirement import Strength

from . import _webauthn as rp
from ._cose import ALGORITHMS, OFFERED
from ._hooked import Hooked
from ._passkey_record import METHOD, VERSION, Held, descriptor, handle, held_by, moved, public_key, readable, write
from ._relying_party import library, numbers_of, one_of, party, text
from ._webauthn_create import check_registration
from ._webauthn_read import Assertion, StepFailed, b64, read_assertion, read_registration, unb64

REQUIRED: Final = "required"
PREFERRED: Final = "preferred"
NONCE: Final = 32
MAX_TIMEOUT: Final = 600
Algorithm = Literal["ES256", "EdDSA", "RS256", "ES384", "ES512", "Ed448"]


class Passkey(Hooked):
    """Proof by passkey.

    Args:
        rp_id: the domain the passkeys belong to, such as ``"example.org"``. It cannot be changed later.
        rp_name: the product's name as the browser may show it.
        origins: every origin that your pages have, exactly as browsers write it.
        user_verification: ``"required"``, or ``"preferred"``: then a key that cannot verify the person (no PIN, no
            fingerprint) can be enrolled, and counts for less than one that does. One that verified the person when it
            was enrolled is asked to do so again, unless the person has others that cannot.
        allowed_top_origins: origins whose pages may embed yours while a passkey is used; none.
        counter: what a signature counter that did not go up means: ``"flag"`` records it, ``"refuse"`` refuses.
        resident_key: ``"preferred"``, ``"required"`` or ``"discouraged"``, for new passkeys.
        algorithms: what the keys of new passkeys may be, most wanted first: of ``"ES256"``, ``"EdDSA"``, ``"RS256"``
            (these three unless you say otherwise), ``"ES384"``, ``"ES512"`` and ``"Ed448"``. What is enrolled goes on
            counting when you take its algorithm out. Without ES256 or RS256 most devices have nothing to offer.
        timeout: seconds the browser waits for the person, at most 600 and never longer than the challenge lives.

    Raises:
        ConfigurationError: for settings outside these, and without the package ``webauthn``.
    """

    method = METHOD
    strength = int(Strength.PASSKEY_VERIFIED)
    amr = ("hwk", "swk", "user")
    phishing_resistant = True
    points = 0
    prepares = True

    def __init__(
        self,
        *,
        rp_id: str,
        rp_name: str,
        origins: Sequence[str],
        user_verification: Literal["required", "preferred"] = "required",
        allowed_top_origins: Sequence[str] = (),
        counter: Literal["flag", "refuse"] = "flag",
        resident_key: Literal["preferred", "required", "discouraged"] = "preferred",
        algorithms: Sequence[Algorithm] = OFFERED,
        timeout: int = 300,
    ) -> None:
        super().__init__({})
        self.party = party(rp_id, origins, allowed_top_origins)
        self.rp_name = text("rp_name", rp_name)
        self.user_verification = one_of("user_verification", user_verification, (REQUIRED, PREFERRED))
        self.counter = one_of("counter", counter, ("flag", "refuse"))
        self.resident_key = one_of("resident_key", resident_key, ("preferred", "required", "discouraged"))
        self.algorithms = numbers_of(algorithms)
        if type(timeout) is not int or not 0 < timeout <= MAX_TIMEOUT:
            raise ConfigurationError(f"Passkey(timeout=) must be 1 to {MAX_TIMEOUT} seconds.")
        self.timeout = timeout
        library()

    async def enrolled(self, actor: Actor, /) -> Stored:  # noqa: ARG002 -- the port's signature
        """The store keeps them."""
        return STORED

    # -- proving ----------------------------------------------------------------------

    async def begin(self, challenge: Challenge, context: Ceremony, /) -> Begun:
        """A fresh nonce, and the options for ``navigator.credentials.get()`` with the person's own passkeys."""
        nonce = secrets.token_bytes(NONCE)
        held = [one for ref in context.factors if (one := held_by(ref, context)) is not None]
        asked = self._asked(context.factors)
        left = max(1, int((challenge.expires_at - context.now) / timedelta(seconds=1)))
        options: dict[str, object] = {
            "challenge": b64(rp.challenge_for(nonce, challenge.binding)),
            "timeout": min(self.timeout, left) * 1000,
            "rpId": self.party.rp_id,
            "allowCredentials": [descriptor(one) for one in held],
            "userVerification": asked,
        }
        state = {
            "nonce": b64(nonce),
            "challenge": challenge.id,
            "allow": " ".join(one.stored.id for one in held),
            "asked": asked,
        }
        return Begun(Prompt(self.method, options=options), state)

    async def check(self, state: State | None, response: object, context: Ceremony, /) -> Checked:
        """Follow section 7.2; the first step that does not hold refuses, and is named to the audit alone."""
        try:
            return self._checked(state or {}, response, context)
        except StepFailed as failed:
            return Checked(Verdict.REJECTED, signals=(failed.step,))

    def _checked(self, state: State, response: object, context: Ceremony) -> Checked:
        nonce, allowed, verified = _prepared(state, context.challenge)
        given = read_assertion(response)
        ref, held = _asked_for(given.credential, allowed, context)
        if given.user_handle is not None and not hmac.compare_digest(given.user_handle, held.user):
            raise StepFailed("user_handle")
        challenge = rp.challenge_for(nonce, context.challenge.binding)
        expected = rp.Expected(challenge, held.key, verified, held.eligible)
        said = rp.check_assertion(given, expected, self.party)
        regressed = said.count <= held.count and (said.count, held.count) != (0, 0)
        if regressed and self.counter == "refuse":
            raise StepFailed("counter")
        reached = int(Strength.PASSKEY_VERIFIED if said.verified else Strength.PASSKEY)
        proof = Proof(
            METHOD,
            context.now,
            ("swk" if said.eligible else "hwk", "user"),
            user_verified=said.verified,
            factor_id=ref.id,
            strength=min(reached, ref.strength),
        )
        return Checked(
            Verdict.ACCEPTED,
            proof,
            claims=(b64(nonce),),
            advance=moved(held, said),
            evidence=_evidence(self.party.rp_id, nonce, given, held.key),
            signals=("counter",) if regressed else (),
        )

    def _asked(self, factors: Iterable[FactorRef]) -> str:
        """Whether the person is to be verified: always, or where every passkey that counts can do it."""
        able = all(ref.strength >= Strength.PASSKEY_VERIFIED for ref in factors)
        return REQUIRED if self.user_verification == REQUIRED or able else PREFERRED

    # -- enrolling ----------------------------------------------------------------------

    def register(self, factor_id: str, actor: Actor, vault: Vault, held: Sequence[StoredFactor], /) -> Registering:
        """A fresh nonce, and the options for ``navigator.credentials.create()``; what is *held* is excluded."""
        nonce, user = secrets.token_bytes(NONCE), handle(actor, vault, held)
        data: dict[str, str | int | tuple[str, ...]]
        data = {"version": VERSION, "nonce": b64(nonce), "user": user, "asked": self.user_verification}
        name = actor.email or actor.id
        options: dict[str, object] = {
            "rp": {"id": self.party.rp_id, "name": self.rp_name},
            "user": {"id": user, "name": name, "displayName": name},
            "challenge": b64(nonce),
            "pubKeyCredParams": [{"type": "public-key", "alg": number} for number in self.algorithms],
            "timeout": self.timeout * 1000,
            "excludeCredentials": [descriptor(one) for one in readable(held, vault, actor)],
            "authenticatorSelection": {
                "residentKey": self.resident_key,
                "requireResidentKey": self.resident_key == REQUIRED,
                "userVerification": self.user_verification,
            },
            "attestation": "none",
        }
        return Registering(StoredFactor(factor_id, METHOD, data), options)

    def registered(
        self, pending: StoredFactor, response: object, actor: Actor, vault: Vault, held: Sequence[StoredFactor], /
    ) -> Registered | Checked:
        """The passkey that *response* makes of *pending*, if every step of section 7.1 holds."""
        try:
            return self._registered(pending, response, actor, vault, held)
        except StepFailed as failed:
            return Checked(Verdict.REJECTED, signals=(failed.step,))

    def _registered(
        self, pending: StoredFactor, response: object, actor: Actor, vault: Vault, held: Sequence[StoredFactor]
    ) -> Registered:
        data, asked, user = pending.data, pending.data.get("asked"), pending.data.get("user")
        if data.get("version") != VERSION or asked not in {REQUIRED, PREFERRED} or not isinstance(user, str):
            raise StepFailed("state")
        given = read_registration(response)
        challenge = unb64(data.get("nonce"), NONCE)
        made = check_registration(given, challenge, self.party, self.algorithms, verified=asked == REQUIRED)
        if any(one.data.get("credential") == given.credential for one in held):
            raise StepFailed("credential")
        strength = int(Strength.PASSKEY_VERIFIED if made.said.verified else Strength.PASSKEY)
        public = {"public_key": public_key(given.credential, made.key), "algorithm": ALGORITHMS[made.algorithm]}
        return Registered(write(pending, user, given, made, vault, actor), strength, public)

    def __repr__(self) -> str:
        return f"Passkey(rp_id={self.party.rp_id!r})"


# -- what is stored -----------------------------------------------------------------------


def _prepared(state: State, challenge: Challenge) -> tuple[bytes, frozenset[str], bool]:
    """The nonce, the factors asked for, and whether the person must be verified: from the stored state alone."""
    allow, asked = state.get("allow"), state.get("asked")
    if state.get("challenge") != challenge.id or not isinstance(allow, str) or asked not in {REQUIRED, PREFERRED}:
        raise StepFailed("state")
    nonce = unb64(state.get("nonce"), NONCE)
    if len(nonce) != NONCE:
        raise StepFailed("state")
    return nonce, frozenset(allow.split()), asked == REQUIRED


def _asked_for(credential: str, allowed: frozenset[str], context: Ceremony) -> tuple[FactorRef, Held]:
    """The person's own factor with that credential, if it counts now and was asked for."""
    for ref in context.factors:
        held = held_by(ref, context) if ref.id in allowed else None
        if held is not None and hmac.compare_digest(held.credential, credential):
            return ref, held
    raise StepFailed("credential")


def _evidence(rp_id: str, nonce: bytes, given: Assertion, key: bytes) -> Mapping[str, str]:
    return {
        "rp_id": rp_id,
        "nonce": b64(nonce),
        "client_data": b64(given.client_data),
        "authenticator_data": b64(given.authenticator_data),
        "signature": b64(given.signature),
        "public_key": public_key(given.credential, key),
    }

"""The relying party's steps of WebAuthn Level 3, section 7.2, on bytes; no store, no clock, no state.

========================= ==================================================================================
``check_client_data``     type, challenge, origin, crossOrigin and topOrigin; of either ceremony
``authenticator_said``    rpIdHash and flags; of either ceremony
``check_assertion``       both, and the signature; answers what the authenticator said
``challenge_for``         the challenge that commits to a binding
========================= ==================================================================================

The library ``webauthn`` parses CBOR and checks signatures, and repeats most steps; those that it leaves out
(cross-origin, top origin, user handle, the id that was attested, backup flags that flip) are here. Whatever does not
hold raises ``StepFailed`` with the name of the step; what the library raises, be it anything, becomes the same.
``_webauthn_read.py`` makes bytes of what the client sent, ``_cose.py`` knows the keys, ``_webauthn_create.py`` has
section 7.1.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from stepup.binding import Binding
from stepup.canonical import parse_json
from stepup.errors import InvalidInput

from ._cose import HERE, algorithm_of, check_signature
from ._webauthn_read import Assertion, StepFailed, b64

CHALLENGE_DOMAIN: Final = b"stepup.webauthn.v1\0"
GET: Final = "webauthn.get"
_UP, _UV, _BE, _BS, _AT, _ED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80
_FIXED: Final = 37


@dataclass(frozen=True, slots=True)
class Party:
    """The relying party: its id, the origins its pages have, and those that may embed them."""

    rp_id: str
    origins: frozenset[str]
    top_origins: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of the credential that answers, and what the stored challenge asks for."""

    challenge: bytes = field(repr=False)
    key: bytes = field(repr=False)
    verified: bool
    eligible: bool | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What the authenticator said, once all of it is believed."""

    verified: bool
    eligible: bool
    backed_up: bool
    count: int


@dataclass(frozen=True, slots=True)
class Registered:
    """A credential that may be kept: its key as COSE, and what the authenticator said."""

    key: bytes = field(repr=False)
    algorithm: int
    said: Said


def challenge_for(nonce: bytes, binding: Binding) -> bytes:
    """SHA-256 over the domain, the 32 random bytes of *nonce*, and the digest of *binding*."""
    return hashlib.sha256(CHALLENGE_DOMAIN + nonce + binding.digest).digest()


# -- client data --------------------------------------------------------------------


def check_client_data(raw: bytes, kind: str, challenge: bytes, party: Party) -> str:
    """Steps 7.1.6 to 12 and 7.2.9 to 14; answers the origin."""
    data = _client_data(raw)
    if data.get("type") != kind:
        raise StepFailed("type")
    given = data.get("challenge")
    if type(given) is not str or not hmac.compare_digest(given.encode(), b64(challenge).encode()):
        raise StepFailed("challenge")
    origin = data.get("origin")
    if type(origin) is not str or origin not in party.origins:
        raise StepFailed("origin")
    _check_embedding(data, party)
    return origin


def said_by(client_data: bytes, rp_id: str) -> tuple[Party, str, str | None]:
    """The relying party as the client data itself has it, for evidence: its pages, its origin, who embedded it."""
    data = _client_data(client_data)
    origin, top = data.get("origin"), data.get("topOrigin")
    if type(origin) is not str:
        raise StepFailed("origin")
    around = top if type(top) is str else None
    return Party(rp_id, frozenset({origin}), frozenset({around} if around else ())), origin, around


def _client_data(raw: bytes) -> Mapping[str, object]:
    try:
        data = parse_json(raw.decode("utf-8"), name="clientDataJSON")
    except (UnicodeDecodeError, InvalidInput):
        raise StepFailed("client_data") from None
    if not isinstance(data, dict):
        raise StepFailed("client_data")
    return cast("Mapping[str, object]", data)


def _check_embedding(data: Mapping[str, object], party: Party) -> None:
    """An embedded page is refused unless the page around it is expected; one that is not named never is."""
    crossed, top = data.get("crossOrigin", False), data.get("topOrigin")
    if crossed is False and "topOrigin" not in data:
        return
    if crossed is not True:
        raise StepFailed("cross_origin")
    if type(top) is not str or top not in party.top_origins:
        raise StepFailed("top_origin" if party.top_origins else "cross_origin")


# -- the ceremonies -----------------------------------------------------------------


def check_assertion(given: Assertion, expected: Expected, party: Party) -> Said:
    """Section 7.2 from step 9 on, for a credential that was found and is this person's."""
    origin = check_client_data(given.client_data, GET, expected.challenge, party)
    said = authenticator_said(given.authenticator_data, party, verified=expected.verified)
    if expected.eligible is not None and said.eligible is not expected.eligible:
        raise StepFailed("backup_flags")
    _verify_assertion(given, expected, origin, party)
    return said


def authenticator_said(data: bytes, party: Party, *, verified: bool, attested: bool = False) -> Said:
    """The fixed part of authenticator data: whose, and the flags."""
    if not hmac.compare_digest(data[:32], hashlib.sha256(party.rp_id.encode()).digest()) or len(data) < _FIXED:
        raise StepFailed("rp_id")
    flags, count = data[32], int.from_bytes(data[33:37], "big")
    if not flags & _UP:
        raise StepFailed("user_presence")
    if verified and not flags & _UV:
        raise StepFailed("user_verification")
    if flags & _BS and not flags & _BE:
        raise StepFailed("backup_flags")
    if bool(flags & _AT) is not attested or (not flags & (_AT | _ED) and len(data) != _FIXED):
        raise StepFailed("authenticator_data")
    return Said(bool(flags & _UV), bool(flags & _BE), bool(flags & _BS), count)


def _verify_assertion(given: Assertion, expected: Expected, origin: str, party: Party) -> None:
    number = algorithm_of(expected.key)
    if number in HERE:
        _extensions_end(given.authenticator_data)
        signed = given.authenticator_data + hashlib.sha256(given.client_data).digest()
        check_signature(expected.key, given.signature, signed)
        return
    from webauthn import verify_authentication_response

    inner = {
        "clientDataJSON": b64(given.client_data),
        "authenticatorData": b64(given.authenticator_data),
        "signature": b64(given.signature),
    }
    try:
        verify_authentication_response(
            credential={"id": given.credential, "rawId": given.credential, "type": "public-key", "response": inner},
            expected_challenge=expected.challenge,
            expected_rp_id=party.rp_id,
            expected_origin=origin,
            credential_public_key=expected.key,
            credential_current_sign_count=0,  # a counter that went back is the caller's to judge
            require_user_verification=expected.verified,
        )
    except Exception:  # noqa: BLE001 -- the library raises much besides its own errors; none of it is an acceptance
        raise StepFailed("signature") from None


def _extensions_end(data: bytes) -> None:
    """Whether nothing follows the extensions, for what the library does not check."""
    from webauthn.helpers import parse_authenticator_data

    try:
        parse_authenticator_data(data)
    except Exception:  # noqa: BLE001 -- as in _verify_assertion()
        raise StepFailed("authenticator_data") from None

"""The relying party's steps of WebAuthn Level 3, section 7.1, on bytes: a new passkey, without attestation.

Attestation is not asked for. A client may all the same pass on what an authenticator says of itself: a statement by the
credential's own key is checked, for section 5.1.3 lets it through; one by a maker is not looked at, whatever its
format, and the passkey counts as one without. No certificate is parsed, and the library sees no statement.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final, cast

from ._cose import ALGORITHMS, algorithm_of, check_signature
from ._webauthn import Party, Registered, authenticator_said, check_client_data
from ._webauthn_read import Registration, StepFailed, b64

if TYPE_CHECKING:
    from webauthn.helpers.cose import COSEAlgorithmIdentifier

CREATE: Final = "webauthn.create"
MAKERS: Final = frozenset({"x5c", "ecdaaKeyId"})
"""What a statement in the format ``packed`` has, if it is not by the credential's own key."""


def check_registration(
    given: Registration, challenge: bytes, party: Party, offered: Collection[int], *, verified: bool
) -> Registered:
    """Section 7.1 from step 6 on, without a maker's attestation, for a key of an algorithm that was offered."""
    origin = check_client_data(given.client_data, CREATE, challenge, party)
    data, key, statement = _attested(given)
    said = authenticator_said(data, party, verified=verified, attested=True)
    number = algorithm_of(key)
    if number not in offered:
        raise StepFailed("key")
    if statement is not None:
        _check_own(statement, number, key, data + hashlib.sha256(given.client_data).digest())
    _verify_registration(given, data, challenge, origin, party, verified=verified)
    return Registered(key, number, said)


def _attested(given: Registration) -> tuple[bytes, bytes, Mapping[object, object] | None]:
    """The authenticator data for the very credential that was named, its key, and its own statement if it makes one."""
    from webauthn.helpers import parse_authenticator_data, parse_cbor

    try:
        found = parse_cbor(given.attestation)
        form, statement, data = found["fmt"], found["attStmt"], found["authData"]
        attested = parse_authenticator_data(data).attested_credential_data
    except Exception:  # noqa: BLE001 -- as where assertions are verified
        raise StepFailed("attestation") from None
    if not (isinstance(form, str) and isinstance(statement, Mapping) and isinstance(data, bytes)):
        raise StepFailed("attestation")
    if form == "none" and statement:
        raise StepFailed("attestation")
    if attested is None or b64(attested.credential_id) != given.credential:
        raise StepFailed("credential")
    said = cast("Mapping[object, object]", statement)
    own = form == "packed" and not MAKERS & said.keys()
    return data, attested.credential_public_key, said if own else None


def _check_own(statement: Mapping[object, object], number: int, key: bytes, signed: bytes) -> None:
    """Section 8.2, self attestation: by the algorithm and the key of the credential."""
    signature = statement.get("sig")
    if statement.get("alg") != number or not isinstance(signature, bytes):
        raise StepFailed("attestation")
    try:
        check_signature(key, signature, signed)
    except StepFailed:
        raise StepFailed("attestation") from None


def _verify_registration(
    given: Registration, data: bytes, challenge: bytes, origin: str, party: Party, *, verified: bool
) -> None:
    """The library's turn, with every statement left out."""
    from webauthn import verify_registration_response
    from webauthn.helpers import encode_cbor

    plain = encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})
    inner = {"clientDataJSON": b64(given.client_data), "attestationObject": b64(plain)}
    try:
        verify_registration_response(
            credential={"id": given.credential, "rawId": given.credential, "type": "public-key", "response": inner},
            expected_challenge=challenge,
            expected_rp_id=party.rp_id,
            expected_origin=origin,
            require_user_verification=verified,
            supported_pub_key_algs=cast("list[COSEAlgorithmIdentifier]", list(ALGORITHMS)),
        )
    except Exception:  # noqa: BLE001 -- as where assertions are verified
        raise StepFailed("attestation") from None

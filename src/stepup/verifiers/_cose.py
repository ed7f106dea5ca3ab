"""The keys of passkeys: which algorithms are known, whether a key is what its algorithm says, and what it signed.

=========== ====== ============================ =====================================================
``ES256``   -7     P-256 with SHA-256           offered
``EdDSA``   -8     Ed25519                      offered
``RS256``   -257   RSA of 2048 bits or more     offered
``ES384``   -35    P-384 with SHA-384           where ``Passkey(algorithms=)`` names it; checked here
``ES512``   -36    P-521 with SHA-512           where ``Passkey(algorithms=)`` names it
``Ed448``   -53    Ed448                        where ``Passkey(algorithms=)`` names it; checked here
=========== ====== ============================ =====================================================

The curves are those of WebAuthn Level 3, section 5.8.5; all are approved by FIPS 186-5. What was enrolled goes on
counting when it is no longer offered. ``webauthn`` reads every key and checks signatures; two algorithms it does not
know, so ``cryptography`` is asked for those. ``StepFailed`` says what does not hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from ._webauthn_read import StepFailed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

ES384: Final = -35
ED448: Final = -53
ALGORITHMS: Final[Mapping[int, str]] = {
    -7: "ES256",
    -8: "EdDSA",
    -257: "RS256",
    ES384: "ES384",
    -36: "ES512",
    ED448: "Ed448",
}
"""COSE algorithms whose signatures are checked, by number."""

OFFERED: Final = ("ES256", "EdDSA", "RS256")
"""Those that new passkeys may have unless the settings say otherwise, in the order they are asked for."""

HERE: Final = frozenset({ES384, ED448})
"""Those that the library does not check."""

MIN_RSA: Final = 256

_SHAPES: Final = {-7: (2, 1), -8: (1, 6), ES384: (2, 2), -36: (2, 3), ED448: (1, 7), -257: (3, None)}
"""The kind of key (RFC 9053) and the curve that an algorithm goes with."""


def algorithm_of(key: bytes) -> int:
    """The algorithm of a COSE key that is what its algorithm says: on its curve, or of 2048 bits or more."""
    return _opened(key)[0]


def check_signature(key: bytes, signature: bytes, signed: bytes) -> None:
    """Whether *signature* is that of *signed* by the COSE key *key*, by the algorithm that the key names."""
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA384
    from webauthn.helpers import verify_signature
    from webauthn.helpers.cose import COSEAlgorithmIdentifier

    number, public = _opened(key)
    try:
        if number == ES384:
            cast("EllipticCurvePublicKey", public).verify(signature, signed, ECDSA(SHA384()))
        elif number == ED448:
            cast("Ed448PublicKey", public).verify(signature, signed)
        else:
            named = COSEAlgorithmIdentifier(number)
            verify_signature(public_key=public, signature_alg=named, signature=signature, data=signed)
    except Exception:  # noqa: BLE001 -- both raise much besides "not right"; none of it is an acceptance
        raise StepFailed("signature") from None


def _opened(key: bytes) -> tuple[int, PublicKeyTypes]:
    """The algorithm and the key; one that is on no curve, or not on that of its algorithm, raises here."""
    from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
    from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography

    public: PublicKeyTypes
    try:
        found = decode_credential_public_key(key)
        number = int(found.alg)
        modulus: bytes = getattr(found, "n", b"")
        sound = (found.kty, getattr(found, "crv", None)) == _SHAPES[number]
        sound = sound and (number != -257 or len(modulus.lstrip(b"\0")) >= MIN_RSA)
        if number == ED448:
            public = Ed448PublicKey.from_public_bytes(cast("bytes", getattr(found, "x")))  # noqa: B009 -- of one kind
        else:
            public = decoded_public_key_to_cryptography(found)
    except Exception:  # noqa: BLE001 -- as above
        raise StepFailed("key") from None
    if not sound:
        raise StepFailed("key")
    return number, public

"""``SoftPasskey``: an authenticator without a device, for tests of applications that use passkeys.

It answers the options of ``enrol_passkey`` and of ``begin`` as a browser with a passkey would, in the JSON of
``PublicKeyCredential.toJSON()``::

    passkey = SoftPasskey("https://northstar.example")
    enrolment = gate.factors.enrol_passkey(context)
    gate.factors.confirm_passkey(context, enrolment.factor_id, passkey.create(enrolment.options))
    ...
    prompt = gate.begin(challenge.id, "passkey", context)
    gate.verify(challenge.id, "passkey", passkey.get(prompt.options), context)

It keeps a private key in memory and asks nobody: never use it outside tests. What it signs, and how, are methods, so
that a test can override one and see it refused.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

__all__ = ["SoftPasskey"]

USER_PRESENT: Final = 0x01
USER_VERIFIED: Final = 0x04
BACKUP_ELIGIBLE: Final = 0x08
BACKED_UP: Final = 0x10
ATTESTED: Final = 0x40

_COSE: Final = {"ES256": -7, "EdDSA": -8, "RS256": -257, "ES384": -35, "ES512": -36, "Ed448": -53}
_EC: Final = {"ES256": (1, 32), "ES384": (2, 48), "ES512": (3, 66)}


class SoftPasskey:
    """One passkey, on one device, used in pages of one origin.

    Args:
        origin: the origin of the page, ``"https://northstar.example"``.
        algorithm: ``"ES256"``, ``"EdDSA"``, ``"RS256"``, ``"ES384"``, ``"ES512"`` or ``"Ed448"``.
        verified: whether the device verifies the person (PIN, fingerprint).
        synced: whether the passkey is one of those that several devices share; such ones do not count signatures.
        count: where the signature counter stands; None for a device that does not count.
    """

    def __init__(
        self,
        origin: str,
        *,
        algorithm: str = "ES256",
        verified: bool = True,
        synced: bool = True,
        count: int | None = None,
    ) -> None:
        self.origin = origin
        self.algorithm = algorithm
        self.verified = verified
        self.synced = synced
        self.count = count
        self.id = secrets.token_bytes(16)
        self.user_handle: str | None = None
        self.key = _new_key(algorithm)

    def create(self, options: Mapping[str, object]) -> dict[str, object]:
        """The answer of ``navigator.credentials.create()`` to *options*."""
        user, party = cast("Mapping[str, str]", options["user"]), cast("Mapping[str, str]", options["rp"])
        self.user_handle = user["id"]
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + self.public_key()
        data = self.authenticator_data(party["id"], self.flags() | ATTESTED) + attested
        attestation = cbor({"fmt": "none", "attStmt": {}, "authData": data})
        response = {
            "clientDataJSON": b64(self.client_data("webauthn.create", options)),
            "attestationObject": b64(attestation),
            "transports": ["internal", "hybrid"] if self.synced else ["usb"],
        }
        return self.answer(response)

    def get(self, options: Mapping[str, object]) -> dict[str, object]:
        """The answer of ``navigator.credentials.get()`` to *options*."""
        if self.count is not None:
            self.count += 1
        client_data = self.client_data("webauthn.get", options)
        data = self.authenticator_data(cast("str", options["rpId"]), self.flags())
        response: dict[str, object] = {
            "clientDataJSON": b64(client_data),
            "authenticatorData": b64(data),
            "signature": b64(self.sign(data + hashlib.sha256(client_data).digest())),
        }
        if self.user_handle is not None:
            response["userHandle"] = self.user_handle
        return self.answer(response)

    # -- what goes into an answer -----------------------------------------------------

    def flags(self) -> int:
        """What the device says of the person and of itself."""
        found = USER_PRESENT | (USER_VERIFIED if self.verified else 0)
        return found | (BACKUP_ELIGIBLE | BACKED_UP if self.synced else 0)

    def client_data(self, kind: str, options: Mapping[str, object]) -> bytes:
        """What the browser says of the page."""
        said = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps(said, separators=(",", ":")).encode()

    def authenticator_data(self, rp_id: str, flags: int) -> bytes:
        """Whose it is, the flags and the counter."""
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + (self.count or 0).to_bytes(4, "big")

    def answer(self, response: Mapping[str, object]) -> dict[str, object]:
        """The outer object."""
        return {
            "id": b64(self.id),
            "rawId": b64(self.id),
            "type": "public-key",
            "authenticatorAttachment": "platform" if self.synced else "cross-platform",
            "clientExtensionResults": {},
            "response": dict(response),
        }

    def public_key(self) -> bytes:
        """The public key as COSE."""
        from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

        number = _COSE[self.algorithm]
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            curve, size = _EC[self.algorithm]
            point = self.key.public_key().public_numbers()
            x, y = point.x.to_bytes(size, "big"), point.y.to_bytes(size, "big")
            return cbor({1: 2, 3: number, -1: curve, -2: x, -3: y})
        if isinstance(self.key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
            curve = 6 if isinstance(self.key, ed25519.Ed25519PrivateKey) else 7
            return cbor({1: 1, 3: number, -1: curve, -2: self.key.public_key().public_bytes_raw()})
        assert isinstance(self.key, rsa.RSAPrivateKey)
        numbers = self.key.public_key().public_numbers()
        modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
        return cbor({1: 3, 3: number, -1: modulus, -2: numbers.e.to_bytes(3, "big")})

    def sign(self, data: bytes) -> bytes:
        """The signature over *data*."""
        from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
        from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            hashes = {"ES384": SHA384(), "ES512": SHA512()}
            return self.key.sign(data, ec.ECDSA(hashes.get(self.algorithm, SHA256())))
        if isinstance(self.key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
            return self.key.sign(data)
        assert isinstance(self.key, rsa.RSAPrivateKey)
        return self.key.sign(data, padding.PKCS1v15(), SHA256())

    def __repr__(self) -> str:
        return f"SoftPasskey({self.origin!r}, algorithm={self.algorithm!r})"


def _new_key(algorithm: str) -> PrivateKeyTypes:
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

    if algorithm in _EC:
        curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
        return ec.generate_private_key(curves[algorithm])
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm == "Ed448":
        return ed448.Ed448PrivateKey.generate()
    if algorithm == "RS256":
        return rsa.generate_private_key(65537, 2048)
    raise ValueError(f"SoftPasskey knows {', '.join(_COSE)}, not {algorithm!r}.")


def b64(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def cbor(value: object) -> bytes:
    """The little CBOR (RFC 8949) that attestation needs: whole numbers, bytes, text, lists and maps."""
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        items = cast("list[object]", value)
        return _head(4, len(items)) + b"".join(map(cbor, items))
    members = cast("Mapping[object, object]", value)
    return _head(5, len(members)) + b"".join(cbor(key) + cbor(one) for key, one in members.items())


def _head(major: int, number: int) -> bytes:
    for code, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 24 and code == 24:
            return bytes([major << 5 | number])
        if number < 1 << (8 * size):
            return bytes([major << 5 | code]) + number.to_bytes(size, "big")
    raise ValueError("too large")

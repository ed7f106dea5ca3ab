"""The values of ``webauthn_l3.json`` are right: every signature in it, by ``cryptography`` alone.

Nothing of stepup and nothing of ``webauthn`` is used, so that what ``test_webauthn_vectors.py`` shows rests on values
that hold by themselves. The keys are read from their COSE form (RFC 9053) with ``cbor2``; the attestation statements
are checked as sections 8.2 to 8.8 say, under the root certificate of section 16.1.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa

DOCUMENT = json.loads((Path(__file__).parents[1] / "vectors" / "webauthn_l3.json").read_text())
ROOT = x509.load_der_x509_certificate(bytes.fromhex(DOCUMENT["attestation_root"]))
ANDROID = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.1.17")
APPLE = x509.ObjectIdentifier("1.2.840.113635.100.8.2")

every_credential = pytest.mark.parametrize("one", DOCUMENT["credentials"], ids=lambda one: one["section"])
Check = Callable[[bytes, bytes], None]


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def by(cose: bytes, algorithm: str) -> Check:
    """What checks a signature by that key, which must be one of that algorithm."""
    key = cbor2.loads(cose)
    kind = (key[1], key[3], None if key[1] == 3 else key[-1])
    if algorithm in {"ES256", "ES384", "ES512"}:
        curve: ec.EllipticCurve
        hashed: hashes.HashAlgorithm
        curve, hashed, number = {
            "ES256": (ec.SECP256R1(), hashes.SHA256(), 1),
            "ES384": (ec.SECP384R1(), hashes.SHA384(), 2),
            "ES512": (ec.SECP521R1(), hashes.SHA512(), 3),
        }[algorithm]
        assert kind == (2, {1: -7, 2: -35, 3: -36}[number], number)
        point = ec.EllipticCurvePublicNumbers(int.from_bytes(key[-2], "big"), int.from_bytes(key[-3], "big"), curve)
        made = point.public_key()
        return lambda signature, data: made.verify(signature, data, ec.ECDSA(hashed))
    if algorithm == "RS256":
        assert kind == (3, -257, None)
        numbers = rsa.RSAPublicNumbers(int.from_bytes(key[-2], "big"), int.from_bytes(key[-1], "big"))
        return lambda signature, data: numbers.public_key().verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
    if algorithm == "EdDSA":
        assert kind == (1, -8, 6)
        return ed25519.Ed25519PublicKey.from_public_bytes(key[-2]).verify
    assert (algorithm, kind) == ("Ed448", (1, -53, 7))
    return ed448.Ed448PublicKey.from_public_bytes(key[-2]).verify


def client_data(one: dict[str, Any], kind: str, typed: str) -> bytes:
    """The client data, which says what the section is about."""
    raw = bytes.fromhex(one[kind]["clientDataJSON"])
    said = json.loads(raw)
    challenge = base64.urlsafe_b64encode(bytes.fromhex(one[kind]["challenge"])).rstrip(b"=").decode()
    assert (said["type"], said["challenge"], said["origin"]) == (typed, challenge, DOCUMENT["origin"])
    assert said["crossOrigin"] is (one["section"] in {"16.4", "16.5"})
    assert said.get("topOrigin") == (DOCUMENT["top_origin"] if one["section"] == "16.5" else None)
    return raw


@every_credential
def test_the_signature_of_every_assertion_is_right(one: dict[str, Any]) -> None:
    """By the public key that is printed, over the authenticator data and the client data; not over anything else."""
    data, raw = bytes.fromhex(one["assertion"]["authenticatorData"]), client_data(one, "assertion", "webauthn.get")
    assert data[:32] == sha256(DOCUMENT["rp_id"].encode())
    assert (len(data), data[32] & 1, bool(data[32] & 8)) == (37, 1, one["eligible"])
    check, signature = by(bytes.fromhex(one["public_key"]), one["algorithm"]), one["assertion"]["signature"]
    check(bytes.fromhex(signature), data + sha256(raw))
    with pytest.raises(InvalidSignature):
        check(bytes.fromhex(signature), data + sha256(raw + b" "))


@every_credential
def test_every_attestation_is_right(one: dict[str, Any]) -> None:
    """For that credential and that key; and what vouches for it chains to the root and signed just this."""
    raw = client_data(one, "registration", "webauthn.create")
    found = cbor2.loads(bytes.fromhex(one["registration"]["attestationObject"]))
    assert set(found) == {"fmt", "attStmt", "authData"}
    data, statement = found["authData"], found["attStmt"]
    size = int.from_bytes(data[53:55], "big")
    assert data[:32] == sha256(DOCUMENT["rp_id"].encode())
    assert (data[32] & 0x41, bool(data[32] & 8)) == (0x41, one["eligible"])
    assert data[55 : 55 + size].hex() == one["credential_id"]
    assert data[55 + size :].hex() == one["public_key"]
    signed = data + sha256(raw)
    own = by(bytes.fromhex(one["public_key"]), one["algorithm"])
    if found["fmt"] == "none":
        assert statement == {}
        return
    if "x5c" not in statement:
        assert (found["fmt"], statement["alg"]) == ("packed", -7)
        own(statement["sig"], signed)
        return
    (leaf,) = map(x509.load_der_x509_certificate, statement["x5c"])
    leaf.verify_directly_issued_by(ROOT)
    vouching = leaf.public_key()
    assert isinstance(vouching, ec.EllipticCurvePublicKey)
    numbers = cbor2.loads(bytes.fromhex(one["public_key"]))
    if found["fmt"] == "apple":
        assert leaf.extensions.get_extension_for_oid(APPLE).value.public_bytes()[-32:] == sha256(signed)
        assert vouching.public_numbers().x == int.from_bytes(numbers[-2], "big")
        return
    if found["fmt"] == "android-key":
        assert sha256(raw) in leaf.extensions.get_extension_for_oid(ANDROID).value.public_bytes()
        assert vouching.public_numbers().x == int.from_bytes(numbers[-2], "big")
    if found["fmt"] == "tpm":
        info, area = statement["certInfo"], statement["pubArea"]
        assert sha256(signed) in info
        assert sha256(area) in info
        assert area.endswith(b"\0\x20" + numbers[-2] + b"\0\x20" + numbers[-3])
        signed = info
    if found["fmt"] == "fido-u2f":
        point = b"\4" + numbers[-2] + numbers[-3]
        signed = b"\0" + data[:32] + sha256(raw) + bytes.fromhex(one["credential_id"]) + point
    vouching.verify(statement["sig"], signed, ec.ECDSA(hashes.SHA256()))


def test_the_root_signed_itself() -> None:
    """Section 16.1."""
    ROOT.verify_directly_issued_by(ROOT)

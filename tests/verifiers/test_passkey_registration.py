"""Registering a passkey: section 7.1 of WebAuthn Level 3, each step broken alone, and what is kept of one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from passkey_values import MARCUS, ORIGIN, RP_ID, enrolled, passkeys, put, without
from webauthn import verify_registration_response

from stepup.factor import StoredFactor
from stepup.ports import Checked, Registered, Registering, Verdict
from stepup.requirement import Strength
from stepup.testing import SoftPasskey
from stepup.testing.bench import ACTOR, VAULT
from stepup.testing.passkey import b64, cbor
from stepup.verifiers import Passkey
from stepup.verifiers._webauthn_read import unb64

UP, UV, BE, BS, AT, ED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80
ALL = UP | UV | BE | BS


class Forge(SoftPasskey):
    """A passkey whose registration can be changed in each of its parts, before anything is signed."""

    said: Callable[[dict[str, Any]], object] | None = None
    told: int | None = None
    rp_id: str | None = None
    cose: bytes | None = None
    tail: bytes = b""
    attested_id: bytes | None = None

    def client_data(self, kind: str, options: Mapping[str, object]) -> bytes:
        raw = super().client_data(kind, options)
        made = raw if self.said is None else self.said(json.loads(raw))
        return made if isinstance(made, bytes) else json.dumps(made).encode()

    def flags(self) -> int:
        return super().flags() if self.told is None else self.told

    def authenticator_data(self, rp_id: str, flags: int) -> bytes:
        return super().authenticator_data(self.rp_id or rp_id, flags)

    def public_key(self) -> bytes:
        return super().public_key() if self.cose is None else self.cose


def forge(**parts: object) -> Forge:
    made = Forge(ORIGIN)
    for name, value in parts.items():
        setattr(made, name, value)
    return made


def registering(verifier: Passkey | None = None) -> tuple[Passkey, Registering]:
    verifier = verifier or passkeys()
    return verifier, verifier.register("passkey_1", ACTOR, VAULT, [])


def judged(
    verifier: Passkey, pending: StoredFactor, answer: object, held: Sequence[StoredFactor] = ()
) -> Registered | None:
    """What an answer makes; of a refusal, that it moved nothing and named a step."""
    made = verifier.registered(pending, answer, ACTOR, VAULT, held)
    if isinstance(made, Registered):
        return made
    assert (made.verdict, made.proof, made.advance, len(made.signals)) == (Verdict.REJECTED, None, None, 1)
    return None


def register(device: SoftPasskey, **settings: Any) -> Registered | None:
    verifier, begun = registering(passkeys(**settings))
    return judged(verifier, begun.factor, device.create(begun.options))


def attestation(device: SoftPasskey, data: bytes, fmt: object = "none", statement: object = None) -> bytes:
    return cbor({"fmt": fmt, "attStmt": {} if statement is None else statement, "authData": data})


def data_of(device: SoftPasskey, flags: int = ALL | AT) -> bytes:
    attested = bytes(16) + len(device.id).to_bytes(2, "big") + device.id + device.public_key()
    return device.authenticator_data(RP_ID, flags) + attested


# -- what is asked for, and kept -------------------------------------------------------


def test_the_options_ask_for_what_is_taken() -> None:
    """No attestation, the three algorithms, verification, and no passkey twice on one device."""
    verifier = passkeys()
    held = enrolled(verifier, SoftPasskey(ORIGIN), "passkey_0").factor
    begun = verifier.register("passkey_1", ACTOR, VAULT, [held])
    options = cast("dict[str, Any]", begun.options)
    assert json.loads(json.dumps(options)) == options
    assert options["rp"] == {"id": RP_ID, "name": "Northstar"}
    assert options["user"]["name"] == options["user"]["displayName"] == "olivia@northstar.example"
    assert [one["alg"] for one in options["pubKeyCredParams"]] == [-7, -8, -257]
    assert [one["id"] for one in options["excludeCredentials"]] == [held.data["credential"]]
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert (options["attestation"], options["timeout"]) == ("none", 300_000)
    assert options["challenge"] == begun.factor.data["nonce"]


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
@pytest.mark.parametrize("synced", [True, False])
def test_what_is_kept(algorithm: str, synced: bool) -> None:
    """Its id, its key, its flags and counter; the public part is what evidence is checked against."""
    device = SoftPasskey(ORIGIN, algorithm=algorithm, synced=synced, count=None if synced else 9)
    made = register(device)
    assert made is not None
    data = made.factor.data
    assert (made.factor.id, made.factor.method, made.factor.pending) == ("passkey_1", "passkey", None)
    assert (data["version"], data["credential"], data["count"]) == (1, b64(device.id), 0 if synced else 9)
    assert (data["eligible"], data["backed_up"], data["verified"]) == (int(synced), int(synced), 1)
    assert data["transports"] == (("hybrid", "internal") if synced else ("usb",))
    assert made.public == {"public_key": f"{b64(device.id)}.{b64(device.public_key())}", "algorithm": algorithm}
    assert made.strength == Strength.PASSKEY_VERIFIED
    assert b64(device.public_key()) not in repr(made.factor)


def test_a_key_that_cannot_verify_is_taken_where_it_may_be_and_counts_for_less() -> None:
    """``preferred`` takes it at the strength it has; ``required`` refuses it."""
    device = SoftPasskey(ORIGIN, verified=False, synced=False)
    assert register(device) is None
    made = register(device, user_verification="preferred")
    assert made is not None
    assert (made.strength, made.factor.data["verified"]) == (Strength.PASSKEY, 0)


def test_self_attestation_is_taken_and_checked() -> None:
    """Clients may pass it through where none is asked for: it proves nothing, and must be right all the same."""
    verifier, begun = registering()
    device = SoftPasskey(ORIGIN)
    data, client = data_of(device), device.client_data("webauthn.create", begun.options)
    right = device.sign(data + hashlib.sha256(client).digest())

    def packed(statement: object) -> Registered | None:
        response = {
            "clientDataJSON": b64(client),
            "attestationObject": b64(attestation(device, data, "packed", statement)),
        }
        return judged(verifier, begun.factor, device.answer(response))

    assert packed({"alg": -7, "sig": right}) is not None
    for statement in (
        {"alg": -8, "sig": right},
        {"alg": -7, "sig": right[:-1] + b"\0"},
        {"alg": -7, "sig": device.sign(data)},
        {"alg": -7},
        {},
        {"alg": -7, "sig": right, "x5c": [b"\x30\x00"]},
    ):
        assert packed(statement) is None, statement


def vouched(device: SoftPasskey, data: bytes, client: bytes) -> dict[str, object]:
    """A statement by a maker's key, with a certificate as section 8.2.1 wants it."""
    maker = ec.generate_private_key(ec.SECP256R1())
    names = [("COUNTRY_NAME", "AA"), ("ORGANIZATION_NAME", "Maker"), ("COMMON_NAME", "Maker")]
    unit = x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Authenticator Attestation")
    name = x509.Name([*(x509.NameAttribute(getattr(NameOID, one), value) for one, value in names), unit])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(maker.public_key())
    dated = builder.not_valid_before(datetime(2024, 1, 1, tzinfo=UTC)).not_valid_after(datetime(3024, 1, 1, tzinfo=UTC))
    constrained = dated.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    certificate = constrained.serial_number(7).sign(maker, hashes.SHA256())
    signature = maker.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
    return {"alg": -7, "sig": signature, "x5c": [certificate.public_bytes(serialization.Encoding.DER)]}


def test_a_makers_statement_is_refused_though_it_is_right() -> None:
    """The library takes it; here it has no reason to come, and nobody looks at who vouches."""
    verifier, begun = registering()
    device = SoftPasskey(ORIGIN)
    data, client = data_of(device), device.client_data("webauthn.create", begun.options)
    made = attestation(device, data, "packed", vouched(device, data, client))
    answer = device.answer({"clientDataJSON": b64(client), "attestationObject": b64(made)})
    found = verify_registration_response(
        credential=answer,
        expected_challenge=unb64(begun.factor.data["nonce"], 32),
        expected_rp_id=RP_ID,
        expected_origin=ORIGIN,
    )
    assert found.credential_id == device.id
    refused = verifier.registered(begun.factor, answer, ACTOR, VAULT, [])
    assert isinstance(refused, Checked)
    assert refused.signals == ("attestation",)


# -- what is refused ----------------------------------------------------------------------


def member(name: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda said: {**said, name: value}


def not_p256() -> bytes:
    point = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()
    return cbor({1: 2, 3: -7, -1: 2, -2: point.x.to_bytes(48, "big"), -3: point.y.to_bytes(48, "big")})


def short_rsa() -> bytes:
    numbers = rsa.generate_private_key(65537, 1024).public_key().public_numbers()
    return cbor({1: 3, 3: -257, -1: numbers.n.to_bytes(128, "big"), -2: b"\1\0\1"})


CLIENT: dict[str, Callable[[dict[str, Any]], object]] = {
    "type get": member("type", "webauthn.get"),
    "type payment": member("type", "payment.create"),
    "type missing": lambda said: {key: value for key, value in said.items() if key != "type"},
    "challenge of another": member("challenge", b64(bytes(32))),
    "challenge empty": member("challenge", ""),
    "challenge padded": lambda said: {**said, "challenge": said["challenge"] + "="},
    "challenge missing": lambda said: {key: value for key, value in said.items() if key != "challenge"},
    "origin http": member("origin", f"http://{RP_ID}"),
    "origin port": member("origin", f"{ORIGIN}:8443"),
    "origin suffix": member("origin", f"{ORIGIN}.evil"),
    "origin sub-domain": member("origin", f"https://app.{RP_ID}"),
    "origin null": member("origin", "null"),
    "origin missing": lambda said: {key: value for key, value in said.items() if key != "origin"},
    "cross-origin": member("crossOrigin", True),
    "cross-origin text": member("crossOrigin", "false"),
    "top origin": member("topOrigin", ORIGIN),
    "no object": lambda said: [said],
    "member twice": lambda said: f'{json.dumps(said)[:-1]},"origin":"{ORIGIN}"}}'.encode(),
    "no JSON": lambda said: b"{",
    "UTF-16": lambda said: json.dumps(said).encode("utf-16"),
}
FLAGS: dict[str, int] = {
    "nobody there": UV | BE | BS,
    "not verified": UP | BE | BS,
    "nothing": 0,
    "backup of what cannot be": UP | UV | BS,
    "extensions that are not there": ALL | ED,
}
KEYS: dict[str, Callable[[], bytes]] = {
    "P-384 as ES256": not_p256,
    "RSA of 1024 bits": short_rsa,
    "ES384": lambda: cbor({1: 2, 3: -35, -1: 2, -2: bytes(48), -3: bytes(48)}),
    "RS1": lambda: cbor({1: 3, 3: -65535, -1: b"\xff" * 256, -2: b"\1\0\1"}),
    "PS256": lambda: cbor({1: 3, 3: -37, -1: b"\xff" * 256, -2: b"\1\0\1"}),
    "off the curve": lambda: cbor({1: 2, 3: -7, -1: 1, -2: b"\1" * 32, -3: b"\1" * 32}),
    "no point": lambda: cbor({1: 2, 3: -7, -1: 1}),
    "Ed448 as EdDSA": lambda: cbor({1: 1, 3: -8, -1: 7, -2: bytes(57)}),
    "short Ed25519": lambda: cbor({1: 1, 3: -8, -1: 6, -2: bytes(31)}),
    "X25519": lambda: cbor({1: 1, 3: -8, -1: 4, -2: bytes(32)}),
    "symmetric": lambda: cbor({1: 4, 3: 5, -1: bytes(32)}),
    "another kind of key": lambda: cbor({1: 2, 3: -8, -1: 6, -2: bytes(32), -3: bytes(32)}),
    "no map": lambda: cbor([1, 2, 3]),
    "empty": lambda: b"",
    "trailing bytes": lambda: SoftPasskey(ORIGIN).public_key() + b"\0",
    "uncompressed point": lambda: b"\x04" + bytes(64),
}


@pytest.mark.requirement("A-W3", "A-W4", "A-W5", "A-W6")
@pytest.mark.parametrize("name", CLIENT)
def test_client_data_that_is_not_right_is_refused(name: str) -> None:
    """Type, challenge, origin, embedding, form."""
    assert register(forge()) is not None
    assert register(forge(said=CLIENT[name])) is None


@pytest.mark.requirement("A-W8", "A-W9", "A-W10")
@pytest.mark.parametrize("name", FLAGS)
def test_flags_that_are_not_right_are_refused(name: str) -> None:
    """Presence, verification, backup, extensions."""
    assert register(forge(told=FLAGS[name])) is None


@pytest.mark.requirement("A-W7")
@pytest.mark.parametrize("rp_id", ["example", f"www.{RP_ID}", "evil.example"])
def test_a_passkey_for_another_site_is_refused(rp_id: str) -> None:
    """Its authenticator data is for that site."""
    assert register(forge(rp_id=rp_id)) is None


@pytest.mark.parametrize("name", KEYS)
def test_keys_that_are_not_taken_are_refused(name: str) -> None:
    """Algorithms that were not offered, and keys that are not what their algorithm says."""
    assert register(forge(cose=KEYS[name]())) is None


FORMS: list[object] = [
    *("fido-u2f", "tpm", "android-key", "android-safetynet", "apple", "None", "NONE", "", "packed "),
    *(None, 0, ["none"], b"none"),
]


@pytest.mark.parametrize("fmt", [one for one in FORMS if one is not None], ids=repr)
def test_other_formats_of_attestation_are_refused(fmt: object) -> None:
    """Attestation is not asked for, so nothing else has a reason to come."""
    verifier, begun = registering()
    device = SoftPasskey(ORIGIN)
    made = attestation(device, data_of(device), fmt)
    response = {
        "clientDataJSON": b64(device.client_data("webauthn.create", begun.options)),
        "attestationObject": b64(made),
    }
    assert judged(verifier, begun.factor, device.answer(response)) is None


def _objects(device: SoftPasskey) -> dict[str, bytes]:
    data = data_of(device)
    return {
        "statement that is not empty": attestation(device, data, "none", {"sig": b"x"}),
        "no data": cbor({"fmt": "none", "attStmt": {}}),
        "no format": cbor({"attStmt": {}, "authData": data}),
        "data as text": cbor({"fmt": "none", "attStmt": {}, "authData": "x"}),
        "not attested": attestation(device, device.authenticator_data(RP_ID, ALL)),
        "flag without data": attestation(device, device.authenticator_data(RP_ID, ALL | AT)),
        "cut": attestation(device, data[:-1]),
        "trailing": attestation(device, data + b"\0"),
        "list": cbor(["none", {}, data]),
        "garbage": b"\xff\xff",
        "cut map": attestation(device, data)[:-3],
        "id of another": attestation(device, data.replace(device.id, bytes(16))),
        "no id": attestation(device, device.authenticator_data(RP_ID, ALL | AT) + bytes(18) + device.public_key()),
        "huge": attestation(device, data + bytes(9000)),
    }


@pytest.mark.parametrize("name", _objects(SoftPasskey(ORIGIN)))
def test_attestation_objects_that_are_not_right_are_refused(name: str) -> None:
    """Cut, empty, for another id, of another form: nothing raises."""
    verifier, begun = registering()
    device = SoftPasskey(ORIGIN)
    made = _objects(device)[name]
    response = {
        "clientDataJSON": b64(device.client_data("webauthn.create", begun.options)),
        "attestationObject": b64(made),
    }
    assert judged(verifier, begun.factor, device.answer(response)) is None


WRONG: list[object] = [None, 0, True, b"AAAA", [], {}, "", "AAAA=", "+/+/", "A", "A" * 100_000, "\ud800"]


@pytest.mark.parametrize("value", WRONG, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize(
    "path", ["id", "rawId", "type", "response", "response.clientDataJSON", "response.attestationObject"]
)
def test_members_of_another_form_are_refused(path: str, value: object) -> None:
    """Wrong types and encodings, and members that are missing."""
    verifier, begun = registering()
    answer = SoftPasskey(ORIGIN).create(begun.options)
    for changed in (put(answer, path, value), without(answer, path), value):
        assert judged(verifier, begun.factor, changed) is None


@pytest.mark.parametrize("value", [None, "usb", 1, [1, None, "usb", "carrier-pigeon"], {}, ["usb"] * 1000])
def test_transports_are_a_hint_and_nothing_more(value: object) -> None:
    """What is not known is left out; nothing about them refuses."""
    verifier, begun = registering()
    answer = put(SoftPasskey(ORIGIN).create(begun.options), "response.transports", value)
    made = judged(verifier, begun.factor, answer)
    assert made is not None
    assert made.factor.data["transports"] in {(), ("usb",)}


def test_a_passkey_is_enrolled_once() -> None:
    """The same credential again is refused, whatever the client made of the exclude-list."""
    verifier, begun = registering()
    device = SoftPasskey(ORIGIN)
    held = enrolled(verifier, device, "passkey_0").factor
    assert judged(verifier, begun.factor, device.create(begun.options), [held]) is None
    assert judged(verifier, begun.factor, device.create(begun.options)) is not None


@pytest.mark.parametrize("name", ["version", "nonce", "user", "asked"])
def test_a_pending_record_that_is_not_whole_refuses(name: str) -> None:
    """The challenge and the requirement are read from what was stored, or nothing is enrolled."""
    verifier, begun = registering()
    answer = SoftPasskey(ORIGIN).create(begun.options)
    less = {key: value for key, value in begun.factor.data.items() if key != name}
    for data in (less, {**less, name: 7}, {**less, name: ""}, {**less, name: ("required",)}):
        damaged = StoredFactor(begun.factor.id, "passkey", data)
        if not (name == "user" and data.get("user") == ""):
            assert judged(verifier, damaged, answer) is None


def test_a_record_belongs_to_one_person_and_one_factor() -> None:
    """Copied to somebody else, or under another id, the key does not open."""
    device = SoftPasskey(ORIGIN)
    made = enrolled(passkeys(), device).factor
    sealed = str(made.data["key"])
    tenant = replace(ACTOR, tenant="acme")
    names = [(ACTOR, "passkey_1"), (MARCUS, "passkey_1"), (ACTOR, "passkey_2"), (tenant, "passkey_1")]
    opened = [VAULT.unseal(sealed, where="\0".join((who.tenant, who.id, one, b64(device.id)))) for who, one in names]
    assert opened == [device.public_key(), None, None, None]

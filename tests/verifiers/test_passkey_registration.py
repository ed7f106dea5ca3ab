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
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.x509.oid import NameOID
from passkey_values import EVERY, MARCUS, ORIGIN, RP_ID, enrolled, passkeys, put, without
from webauthn import verify_registration_response
from webauthn.helpers import parse_cbor

from stepup._wrapped import sync_verifier
from stepup.challenge import FactorRef
from stepup.errors import ConfigurationError
from stepup.factor import StoredFactor
from stepup.ports import Checked, Registered, Registering, Verdict
from stepup.requirement import Strength
from stepup.testing import SoftPasskey
from stepup.testing.bench import ACTOR, VAULT, Bench, ceremony
from stepup.testing.passkey import b64, cbor
from stepup.verifiers import Passkey
from stepup.verifiers._cose import OFFERED
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


@pytest.mark.parametrize("algorithm", EVERY)
@pytest.mark.parametrize("synced", [True, False])
def test_what_is_kept(algorithm: str, synced: bool) -> None:
    """Its id, its key, its flags and counter; the public part is what evidence is checked against."""
    device = SoftPasskey(ORIGIN, algorithm=algorithm, synced=synced, count=None if synced else 9)
    made = register(device, algorithms=[algorithm])
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


def parts(device: SoftPasskey, begun: Registering) -> tuple[bytes, bytes]:
    """The authenticator data and the client data of an answer."""
    return data_of(device), device.client_data("webauthn.create", begun.options)


def stated(device: SoftPasskey, begun: Registering, fmt: object, statement: object) -> dict[str, object]:
    """An answer that comes with that statement."""
    data, client = parts(device, begun)
    made = cbor({"fmt": fmt, "attStmt": statement, "authData": data})
    return device.answer({"clientDataJSON": b64(client), "attestationObject": b64(made)})


@pytest.mark.parametrize("algorithm", EVERY)
def test_self_attestation_is_taken_and_checked(algorithm: str) -> None:
    """Clients may pass it through where none is asked for: it proves nothing, and must be right all the same."""
    verifier, begun = registering(passkeys(algorithms=EVERY))
    device = SoftPasskey(ORIGIN, algorithm=algorithm)
    number = parse_cbor(device.public_key())[3]

    signed = (joined := parts(device, begun))[0] + hashlib.sha256(joined[1]).digest()
    right = device.sign(signed)

    def packed(**changed: object) -> Registered | None:
        made = {"alg": number, "sig": right, **changed}
        statement = {name: value for name, value in made.items() if value is not None}
        return judged(verifier, begun.factor, stated(device, begun, "packed", statement))

    assert packed() is not None
    for changed in (
        {"alg": -9},
        {"alg": None},
        {"alg": str(number)},
        {"sig": right[:-1] + bytes([right[-1] ^ 1])},
        {"sig": device.sign(joined[0])},
        {"sig": SoftPasskey(ORIGIN, algorithm=algorithm).sign(signed)},
        {"sig": b""},
        {"sig": "text"},
        {"sig": None},
        {"sig": None, "alg": None},
    ):
        assert packed(**changed) is None, changed


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


def test_a_makers_statement_is_not_looked_at() -> None:
    """Right or wrong, the passkey is the same one: what nobody checks against roots can prove nothing."""
    device = SoftPasskey(ORIGIN)

    changes: list[dict[str, object]] = [{}, {"sig": b"x"}, {"x5c": [b"\x30\x00"]}, {"x5c": []}, {"ecdaaKeyId": b"x"}]
    kept: list[object] = []
    for changed in changes:
        verifier, begun = registering()
        statement = {**vouched(device, *parts(device, begun)), **changed}
        made = judged(verifier, begun.factor, stated(device, begun, "packed", statement))
        assert made is not None
        key = VAULT.unseal(str(made.factor.data["key"]), where="\0".join(("", ACTOR.id, "passkey_1", b64(device.id))))
        assert key == device.public_key()
        kept.append((made.strength, made.public, {**made.factor.data, "key": None, "transports": None}))
    plain = register(device)
    assert plain is not None
    assert kept == [(plain.strength, plain.public, {**plain.factor.data, "key": None, "transports": None})] * 5


def test_no_certificate_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a maker sends, nothing reads it: neither its certificates nor the library's checks of formats."""
    seen: list[dict[str, Any]] = []

    def spy(**given: Any) -> Any:
        seen.append(parse_cbor(unb64(given["credential"]["response"]["attestationObject"], 8192)))
        return verify_registration_response(**given)

    monkeypatch.setattr("webauthn.verify_registration_response", spy)
    verifier, begun = registering()
    device = SoftPasskey(ORIGIN)
    assert judged(verifier, begun.factor, stated(device, begun, "tpm", {"x5c": [b"\xff"]})) is not None
    assert [(one["fmt"], one["attStmt"]) for one in seen] == [("none", {})]


# -- what is refused ----------------------------------------------------------------------


def member(name: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda said: {**said, name: value}


def not_p256() -> bytes:
    point = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()
    return cbor({1: 2, 3: -7, -1: 2, -2: point.x.to_bytes(48, "big"), -3: point.y.to_bytes(48, "big")})


def ed448_point() -> bytes:
    return ed448.Ed448PrivateKey.generate().public_key().public_bytes_raw()


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
    "no ES384": lambda: cbor({1: 2, 3: -35, -1: 2, -2: bytes(48), -3: bytes(48)}),
    "RS1": lambda: cbor({1: 3, 3: -65535, -1: b"\xff" * 256, -2: b"\1\0\1"}),
    "PS256": lambda: cbor({1: 3, 3: -37, -1: b"\xff" * 256, -2: b"\1\0\1"}),
    "off the curve": lambda: cbor({1: 2, 3: -7, -1: 1, -2: b"\1" * 32, -3: b"\1" * 32}),
    "no point": lambda: cbor({1: 2, 3: -7, -1: 1}),
    "Ed448 as EdDSA": lambda: cbor({1: 1, 3: -8, -1: 7, -2: bytes(57)}),
    "short Ed25519": lambda: cbor({1: 1, 3: -8, -1: 6, -2: bytes(31)}),
    "X25519": lambda: cbor({1: 1, 3: -8, -1: 4, -2: bytes(32)}),
    "symmetric": lambda: cbor({1: 4, 3: 5, -1: bytes(32)}),
    "another kind of key": lambda: cbor({1: 2, 3: -8, -1: 6, -2: bytes(32), -3: bytes(32)}),
    "ES256 on P-521": lambda: SoftPasskey(ORIGIN, algorithm="ES512").public_key().replace(b"\x38\x23", b"\x26", 1),
    "P-256 as ES384": lambda: SoftPasskey(ORIGIN).public_key().replace(b"\x26", b"\x38\x22", 1),
    "P-384 as ES512": lambda: SoftPasskey(ORIGIN, algorithm="ES384").public_key().replace(b"\x38\x22", b"\x38\x23", 1),
    "Ed25519 as Ed448": lambda: cbor({1: 1, 3: -53, -1: 6, -2: bytes(32)}),
    "Ed448 of another kind": lambda: cbor({1: 2, 3: -53, -1: 7, -2: ed448_point(), -3: bytes(57)}),
    "short Ed448": lambda: cbor({1: 1, 3: -53, -1: 7, -2: bytes(56)}),
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
    """Keys that are not what their algorithm says, though each algorithm there is was offered."""
    assert register(forge(), algorithms=EVERY) is not None
    assert register(forge(cose=KEYS[name]()), algorithms=EVERY) is None


@pytest.mark.parametrize("algorithm", EVERY)
def test_only_what_was_offered_is_taken(algorithm: str) -> None:
    """Step 20 of section 7.1, by the settings; what comes with them is three."""
    device = SoftPasskey(ORIGIN, algorithm=algorithm)
    others = [one for one in EVERY if one != algorithm]
    for offered, taken in ((others, False), ([algorithm], True), (EVERY, True), (OFFERED, algorithm in OFFERED)):
        verifier, begun = registering(passkeys(algorithms=offered))
        made = verifier.registered(begun.factor, device.create(begun.options), ACTOR, VAULT, [])
        assert isinstance(made, Registered) is taken
        assert taken or (isinstance(made, Checked) and made.signals == ("key",))


def test_the_settings_say_what_is_offered_and_in_which_order() -> None:
    """Most wanted first."""
    _, begun = registering(passkeys(algorithms=["ES384", "ES256"]))
    options = cast("dict[str, Any]", begun.options)
    assert [one["alg"] for one in options["pubKeyCredParams"]] == [-35, -7]


def test_what_is_no_longer_offered_goes_on_counting() -> None:
    """Narrowing the list shuts out no passkey that is there."""
    device = SoftPasskey(ORIGIN, algorithm="RS256")
    stored = enrolled(passkeys(), device).factor
    narrow = passkeys(algorithms=["ES256"])
    refs = [FactorRef("passkey_1", "passkey", int(Strength.PASSKEY_VERIFIED))]
    bench = Bench("sync", sync_verifier(narrow), ceremony(refs, [stored]))
    begun = bench.begin()
    assert bench.check(begun.state, device.get(dict(begun.prompt.options)), bench.ceremony).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    "value", [[], (), "ES256", ["ES256", "ES256"], ["es256"], [-7], [None], ["ES256", "PS256"], 7, None]
)
def test_algorithms_that_are_none_are_refused(value: Any) -> None:
    """When the verifier is made, with the names there are."""
    with pytest.raises(ConfigurationError, match=r"algorithms=\) must list some of ES256, EdDSA, RS256, ES384"):
        passkeys(algorithms=value)


FORMATS = ["fido-u2f", "tpm", "android-key", "android-safetynet", "apple", "compound", "one-day", "None", "packed ", ""]


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("statement", [{}, {"x5c": [b"\x30"], "sig": b"x", "ver": "2.0"}, {"response": b"{}"}])
def test_other_formats_of_attestation_are_not_looked_at(fmt: str, statement: dict[str, object]) -> None:
    """Clients that pass on what an authenticator says of itself shut nobody out; not even in formats yet to come."""
    verifier, begun = registering()
    device = SoftPasskey(ORIGIN)
    assert judged(verifier, begun.factor, stated(device, begun, fmt, statement)) is not None


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_statement_makes_up_for_nothing(fmt: str) -> None:
    """Every other step holds as it does without one."""
    changes: dict[str, Callable[[Forge], None]] = {
        "rp_id": lambda device: setattr(device, "rp_id", "evil.example"),
        "user_verification": lambda device: setattr(device, "told", UP | BE | BS),
        "origin": lambda device: setattr(device, "said", member("origin", "https://evil.example")),
        "key": lambda device: setattr(device, "cose", KEYS["RS1"]()),
        "credential": lambda device: setattr(device, "attested_id", bytes(16)),
    }
    for step, change in changes.items():
        verifier, begun = registering()
        device = forge()
        change(device)
        client, held = device.client_data("webauthn.create", begun.options), device.attested_id or device.id
        data = device.authenticator_data(RP_ID, device.flags() | AT) + bytes(16) + b"\0\x10" + held
        made = attestation(device, data + device.public_key(), fmt, {"x5c": [b"\x30"]})
        answer = device.answer({"clientDataJSON": b64(client), "attestationObject": b64(made)})
        refused = verifier.registered(begun.factor, answer, ACTOR, VAULT, [])
        assert isinstance(refused, Checked)
        assert refused.signals == (step,)


@pytest.mark.parametrize("fmt", [0, True, 1, b"none", ["none"], {"none": 1}], ids=repr)
def test_a_format_that_is_no_text_is_refused(fmt: object) -> None:
    """As is a statement that is no map."""
    verifier, begun = registering()
    device = SoftPasskey(ORIGIN)
    assert judged(verifier, begun.factor, stated(device, begun, fmt, {})) is None
    for statement in ([], b"", "", 0, ["x5c"]):
        for text in ("none", "packed", "tpm"):
            answer = stated(device, begun, text, statement)
            assert judged(verifier, begun.factor, answer) is None


def _objects(device: SoftPasskey) -> dict[str, bytes]:
    data = data_of(device)
    return {
        "statement that is not empty": attestation(device, data, "none", {"sig": b"x"}),
        "no data": cbor({"fmt": "none", "attStmt": {}}),
        "no statement": cbor({"fmt": "none", "authData": data}),
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

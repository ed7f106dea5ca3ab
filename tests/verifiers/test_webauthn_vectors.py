"""The 15 credentials of WebAuthn Level 3, section 16: what registering and using each of them comes to.

``REGISTERED`` and ``USED`` say it for all of them: taken, or refused by which step. ``test_webauthn_vector_file.py``
shows that the values are right, without any code of ours.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from passkey_values import passkeys
from webauthn.helpers import parse_cbor

from stepup import evidence
from stepup._wrapped import sync_verifier
from stepup.binding import Binding
from stepup.challenge import FactorRef
from stepup.errors import InvalidInput
from stepup.factor import StoredFactor
from stepup.ports import Checked, Registered, Verdict
from stepup.requirement import Strength
from stepup.testing.bench import ACTOR, VAULT, Bench, ceremony
from stepup.verifiers import Passkey, passkey
from stepup.verifiers import _passkey_record as records
from stepup.verifiers import _webauthn as rp
from stepup.verifiers._cose import ALGORITHMS, OFFERED
from stepup.verifiers._webauthn_read import StepFailed, b64, read_assertion, read_registration

DOCUMENT = json.loads((Path(__file__).parents[1] / "vectors" / "webauthn_l3.json").read_text())
CREDENTIALS = DOCUMENT["credentials"]
EVERY: Final = tuple(ALGORITHMS.values())
TAKEN: Final = "taken"
USED: Final = {f"16.{number}": TAKEN for number in range(2, 17)} | {
    "16.4": "top_origin",  # crossOrigin without a topOrigin: who embeds the page is not known
}
"""What an assertion comes to where the site that embeds the page is expected."""

REGISTERED: Final = USED | {
    "16.8": "key",  # ES384, ES512 and Ed448 are no algorithms that were asked for
    "16.9": "key",
    "16.12": "key",
}
"""What a registration comes to with the settings as they come."""

FORMATS: Final = {
    **dict.fromkeys(("16.2", "16.4", "16.5", "16.6"), "none"),
    **dict.fromkeys(("16.3", "16.7", "16.8", "16.9", "16.10", "16.11", "16.12"), "packed"),
    "16.13": "tpm",
    "16.14": "android-key",
    "16.15": "apple",
    "16.16": "fido-u2f",
}

every_credential = pytest.mark.parametrize("one", CREDENTIALS, ids=lambda one: one["section"])


def verifier(*, embedded: bool = True, **settings: Any) -> Passkey:
    return passkeys(
        rp_id=DOCUMENT["rp_id"],
        origins=[DOCUMENT["origin"]],
        allowed_top_origins=[DOCUMENT["top_origin"]] if embedded else [],
        **{"user_verification": "preferred", **settings},
    )


def answer(one: dict[str, Any], kind: str) -> dict[str, object]:
    """The vector as ``toJSON()`` writes it."""
    text = b64(bytes.fromhex(one["credential_id"]))
    inner = {name: b64(bytes.fromhex(value)) for name, value in one[kind].items() if name != "challenge"}
    return {"id": text, "rawId": text, "type": "public-key", "clientExtensionResults": {}, "response": inner}


def flags(one: dict[str, Any]) -> tuple[bool, bool, bool]:
    """Whether the assertion says: verified, may be backed up, is backed up."""
    found = bytes.fromhex(one["assertion"]["authenticatorData"])[32]
    return bool(found & 4), bool(found & 8), bool(found & 16)


def outcome(made: Registered | Checked) -> str:
    if isinstance(made, Registered) or made.verdict is Verdict.ACCEPTED:
        return TAKEN
    assert (made.verdict, made.proof, made.advance, len(made.signals)) == (Verdict.REJECTED, None, None, 1)
    return made.signals[0]


# -- registering -----------------------------------------------------------------------


def register(one: dict[str, Any], made: Passkey, monkeypatch: pytest.MonkeyPatch) -> Registered | Checked:
    """The vector as the answer to a registration that waits for its challenge."""
    challenge = bytes.fromhex(one["registration"]["challenge"])
    monkeypatch.setattr(passkey, "NONCE", len(challenge))  # ours have 32 bytes; that of 16.9 has 128
    asked = made.user_verification
    data: dict[str, Any] = {"version": 1, "nonce": b64(challenge), "user": b64(b"olivia"), "asked": asked}
    pending = StoredFactor("passkey_1", "passkey", data)
    return made.registered(pending, answer(one, "registration"), ACTOR, VAULT, [])


@every_credential
def test_registrations_of_the_specification(one: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Eleven are taken, whatever the maker says; one is embedded by nobody knows whom, three were not offered."""
    made = register(one, verifier(), monkeypatch)
    assert outcome(made) == REGISTERED[one["section"]]
    if isinstance(made, Registered):
        assert (made.public["algorithm"], made.public["public_key"]) == (
            one["algorithm"],
            records.public_key(b64(bytes.fromhex(one["credential_id"])), bytes.fromhex(one["public_key"])),
        )
        assert (made.factor.data["eligible"], made.factor.data["count"]) == (int(one["eligible"]), 0)


@every_credential
def test_registrations_where_every_algorithm_is_offered(one: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the three that were not offered are taken too, and nothing else changes."""
    assert outcome(register(one, verifier(algorithms=EVERY), monkeypatch)) == USED[one["section"]]


@every_credential
def test_registrations_where_verification_is_required(one: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Those in which nobody was verified are refused."""
    data = parse_cbor(bytes.fromhex(one["registration"]["attestationObject"]))["authData"]
    expected = USED[one["section"]] if data[32] & 4 or one["section"] == "16.4" else "user_verification"
    made = register(one, verifier(algorithms=EVERY, user_verification="required"), monkeypatch)
    assert outcome(made) == expected


@every_credential
def test_every_format_of_attestation_is_there(one: dict[str, Any]) -> None:
    """So that what is taken was really attested by others."""
    assert parse_cbor(bytes.fromhex(one["registration"]["attestationObject"]))["fmt"] == FORMATS[one["section"]]


# -- using -----------------------------------------------------------------------------


def bench(one: dict[str, Any], made: Passkey, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A store in which the credential stands, and a challenge that is the vector's."""
    data: dict[str, Any] = {
        "version": 1,
        "credential": (credential := b64(bytes.fromhex(one["credential_id"]))),
        "key": VAULT.seal(bytes.fromhex(one["public_key"]), where="\0".join(("", ACTOR.id, "passkey_1", credential))),
        "user": b64(b"olivia"),
        "count": 0,
        "eligible": int(one["eligible"]),
        "transports": (),
    }
    challenge = bytes.fromhex(one["assertion"]["challenge"])

    def given(nonce: bytes, binding: Binding) -> bytes:
        return challenge

    monkeypatch.setattr(rp, "challenge_for", given)
    ref = FactorRef("passkey_1", "passkey", int(Strength.PASSKEY))
    stored = StoredFactor("passkey_1", "passkey", data)
    return Bench("sync", sync_verifier(made), ceremony([ref], [stored]))


@every_credential
def test_assertions_of_the_specification(one: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """All are accepted with their own flags, offered or not, but for the one that does not say who embeds the page."""
    here = bench(one, verifier(), monkeypatch)
    checked = here.check(here.begin().state, answer(one, "assertion"), here.ceremony)
    assert outcome(checked) == USED[one["section"]]
    if checked.verdict is Verdict.ACCEPTED:
        verified, eligible, backed_up = flags(one)
        assert checked.proof is not None
        assert checked.proof.user_verified is verified
        assert checked.proof.amr == ("swk" if eligible else "hwk", "user")
        assert checked.advance is not None
        assert checked.advance.data["backed_up"] == int(backed_up)


@every_credential
def test_their_evidence_holds(one: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Offline, by the public key; and not with the signature of another."""
    here = bench(one, verifier(), monkeypatch)
    checked = here.check(here.begin().state, answer(one, "assertion"), here.ceremony)
    if USED[one["section"]] != TAKEN:
        assert checked.evidence is None
        return
    assert checked.evidence is not None
    binding = here.ceremony.challenge.binding.as_data()
    record = {"format": 1, "kind": "stepup.passkey", "binding": binding, **checked.evidence}
    found = evidence.verify(record, checked.evidence["public_key"])
    assert (found.rp_id, found.origin, found.user_verified) == ("example.org", DOCUMENT["origin"], flags(one)[0])
    other = CREDENTIALS[0] if one is not CREDENTIALS[0] else CREDENTIALS[1]
    wrong = b64(bytes.fromhex(other["assertion"]["signature"]))
    with pytest.raises(InvalidInput, match="signature"):
        evidence.verify({**record, "signature": wrong}, checked.evidence["public_key"])


@pytest.mark.requirement("A-W6")
@pytest.mark.parametrize("kind", ["registration", "assertion"])
@pytest.mark.parametrize("section", ["16.4", "16.5"])
def test_embedded_ones_are_refused_where_no_site_is_expected(
    section: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the settings come, no page is embedded."""
    one = next(one for one in CREDENTIALS if one["section"] == section)
    made = verifier(embedded=False)
    if kind == "registration":
        assert outcome(register(one, made, monkeypatch)) == "cross_origin"
    else:
        here = bench(one, made, monkeypatch)
        checked = here.check(here.begin().state, answer(one, "assertion"), here.ceremony)
        assert outcome(checked) == "cross_origin"


@pytest.mark.requirement("A-W11")
@every_credential
def test_a_vector_is_refused_with_the_key_of_another(one: dict[str, Any]) -> None:
    """The signature of one credential is none of any other's, whatever the algorithm."""
    party = rp.Party(DOCUMENT["rp_id"], frozenset({DOCUMENT["origin"]}), frozenset({DOCUMENT["top_origin"]}))
    given, challenge = read_assertion(answer(one, "assertion")), bytes.fromhex(one["assertion"]["challenge"])
    for other in CREDENTIALS:
        if other is not one:
            key = bytes.fromhex(other["public_key"])
            with pytest.raises(StepFailed, match="top_origin" if one["section"] == "16.4" else "signature"):
                rp.check_assertion(given, rp.Expected(challenge, key, verified=False), party)


@pytest.mark.requirement("A-W11")
@every_credential
def test_a_bit_anywhere_in_a_vector_is_noticed(one: dict[str, Any]) -> None:
    """In the signature, by every algorithm."""
    party = rp.Party(DOCUMENT["rp_id"], frozenset({DOCUMENT["origin"]}), frozenset({DOCUMENT["top_origin"]}))
    key, challenge = bytes.fromhex(one["public_key"]), bytes.fromhex(one["assertion"]["challenge"])
    right = bytes.fromhex(one["assertion"]["signature"])
    for place in range(0, len(right), 7):
        changed = bytearray(right)
        changed[place] ^= 1 << (place % 8)
        wrong = {**one, "assertion": {**one["assertion"], "signature": changed.hex()}}
        with pytest.raises(StepFailed, match="top_origin" if one["section"] == "16.4" else "signature"):
            rp.check_assertion(read_assertion(answer(wrong, "assertion")), rp.Expected(challenge, key, False), party)


# -- the file ----------------------------------------------------------------------------


def test_all_fifteen_are_there_with_both_halves() -> None:
    """None is left out, none says nothing, and every algorithm that is offered or can be has one."""
    sections = [f"16.{number}" for number in range(2, 17)]
    assert [one["section"] for one in CREDENTIALS] == sections == list(USED) == list(REGISTERED)
    assert set(FORMATS) == set(sections)
    assert {one["algorithm"] for one in CREDENTIALS} == set(EVERY) > set(OFFERED)
    for one in CREDENTIALS:
        assert read_registration(answer(one, "registration")).credential
        assert read_assertion(answer(one, "assertion")).signature
    told = list(REGISTERED.values())
    assert (told.count(TAKEN), told.count("key"), told.count("top_origin")) == (11, 3, 1)
    assert list(USED.values()).count(TAKEN) == 14

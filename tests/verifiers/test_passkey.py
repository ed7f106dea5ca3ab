"""``Passkey``: what it asks for, what it accepts, what that is worth, and what it refuses to be configured with."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from passkey_values import EVERY, MARCUS, ORIGIN, RP_ID, World, enrolled, passkeys, world
from verifier_values import both_faces

from stepup.binding import Binding
from stepup.ceremony import MAX_EVIDENCE
from stepup.errors import ConfigurationError
from stepup.ports import Portable, Registers, Verdict
from stepup.requirement import Strength
from stepup.testing import SoftPasskey
from stepup.testing.bench import ACTOR, VAULT
from stepup.verifiers import Passkey
from stepup.verifiers._webauthn import challenge_for

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "binding.json").read_text())["vectors"]
UP, UV, BE, BS = 0x01, 0x04, 0x08, 0x10


# -- what is asked for --------------------------------------------------------------


@both_faces
def test_options_name_the_persons_own_passkeys(face: str) -> None:
    """The allow-list, its transports, the id, and no more time than the challenge has."""
    other = enrolled(passkeys(), SoftPasskey(ORIGIN, synced=False, count=1), "passkey_2").factor
    here = world(face=face, others=[other])
    options = here.options
    assert [one["id"] for one in options["allowCredentials"]] == [
        here.bench.ceremony.stored[name].data["credential"] for name in ("passkey_1", "passkey_2")
    ]
    assert [one["transports"] for one in options["allowCredentials"]] == [["hybrid", "internal"], ["usb"]]
    assert (options["rpId"], options["timeout"], options["userVerification"]) == (RP_ID, 300_000, "required")
    assert json.loads(json.dumps(options)) == options
    short = replace(here.bench.ceremony, now=here.bench.ceremony.now + timedelta(seconds=240))
    begun = here.bench.run(here.bench.verifier.begin(short.challenge, short))
    assert begun.prompt.options["timeout"] == 60_000


@pytest.mark.parametrize("one", VECTORS, ids=lambda one: one["name"])
def test_the_challenge_commits_to_the_binding(one: dict[str, Any]) -> None:
    """By published vectors: the digest of a binding, and the challenge made of it and a nonce."""
    binding = Binding(**one["binding"])
    assert json.loads(one["canonical"]) == binding.as_data() == {**binding.as_data(), **one["binding"]}
    assert binding.digest == hashlib.sha256(b"stepup.binding.v1\0" + one["canonical"].encode()).digest()
    assert binding.digest.hex() == one["digest"]
    nonce = bytes.fromhex(one["nonce"])
    assert challenge_for(nonce, binding).hex() == one["challenge"]
    assert hashlib.sha256(b"stepup.webauthn.v1\0" + nonce + binding.digest).hexdigest() == one["challenge"]


def test_vectors_differ_in_every_field() -> None:
    """No two bindings have one digest, whichever field tells them apart."""
    assert len({one["digest"] for one in VECTORS}) == len(VECTORS) == 12


def test_every_challenge_is_fresh() -> None:
    """The nonce is drawn anew, and is what the engine will claim."""
    here = world()
    again = here.bench.begin()
    assert here.begun.state["nonce"] != again.state["nonce"]
    assert here.options["challenge"] != again.prompt.options["challenge"]
    assert here.check(here.forged()).claims == (here.begun.state["nonce"],)


# -- what it is worth -----------------------------------------------------------------


@both_faces
@pytest.mark.parametrize("algorithm", EVERY)
@pytest.mark.parametrize("synced", [True, False])
def test_a_right_answer_is_accepted(face: str, algorithm: str, synced: bool) -> None:
    """With the proof of a verified person, and what the key is: shared by devices, or of one."""
    here = world(SoftPasskey(ORIGIN, algorithm=algorithm, synced=synced, count=None if synced else 4), face=face)
    checked = here.check(here.device.get(here.options))
    assert checked.verdict is Verdict.ACCEPTED
    assert checked.proof is not None
    assert (checked.proof.strength, checked.proof.user_verified) == (Strength.PASSKEY_VERIFIED, True)
    assert checked.proof.amr == ("swk" if synced else "hwk", "user")
    assert checked.signals == ()


def test_what_it_says_of_itself() -> None:
    """Stronger than anything else that is shipped, resistant to phishing, not to be guessed."""
    made = passkeys()
    assert isinstance(made, Portable)
    assert isinstance(made, Registers)
    assert (made.method, made.strength, made.phishing_resistant) == ("passkey", Strength.PASSKEY_VERIFIED, True)
    assert (made.points, made.prepares, made.amr) == (0, True, ("hwk", "swk", "user"))
    assert repr(made) == "Passkey(rp_id='northstar.example')"
    assert Strength.TOTP < Strength.PASSKEY < Strength.PASSKEY_VERIFIED


@pytest.mark.requirement("A-W9")
@pytest.mark.parametrize(
    ("strength", "asked", "accepted"),
    [(Strength.PASSKEY, "preferred", True), (Strength.PASSKEY_VERIFIED, "required", False)],
)
def test_preferred_verification_is_worth_less(strength: Strength, asked: str, accepted: bool) -> None:
    """A key that cannot verify proves presence; one that could is held to it."""
    here = world(strength=strength, user_verification="preferred")
    assert here.options["userVerification"] == here.begun.state["asked"] == asked
    checked = here.check(here.forged(flags=UP | BE | BS))
    assert (checked.verdict is Verdict.ACCEPTED) is accepted
    if checked.proof is not None:
        assert (checked.proof.strength, checked.proof.user_verified) == (Strength.PASSKEY, False)
    verified = here.check(here.forged())
    assert verified.proof is not None
    assert (verified.proof.strength, verified.proof.user_verified) == (strength, True)


def test_of_several_keys_each_is_worth_what_it_showed() -> None:
    """With one key that cannot verify among them, it is preferred, and an answer without it counts for less."""
    weak = SoftPasskey(ORIGIN, verified=False, synced=False, count=1)
    verifier = passkeys(user_verification="preferred")
    record = enrolled(verifier, weak, "passkey_2")
    assert record.strength == Strength.PASSKEY
    here = world(user_verification="preferred", others=[record.factor])
    refs = (here.bench.ceremony.factors[0], replace(here.bench.ceremony.factors[1], strength=record.strength))
    mixed = replace(here.bench.ceremony, factors=refs)
    begun = here.bench.run(here.bench.verifier.begin(mixed.challenge, mixed))
    assert begun.state["asked"] == "preferred"
    there = World(here.device, replace(here.bench, ceremony=mixed), begun)
    for answer, worth in (
        (there.forged(), 50),
        (there.forged(flags=UP | BE | BS), 40),
        (there.forged(device=weak), 40),
    ):
        proof = there.check(answer).proof
        assert proof is not None
        assert proof.strength == worth


# -- what moves -------------------------------------------------------------------------


@pytest.mark.requirement("A-W12")
@pytest.mark.parametrize(
    ("kept", "given", "flagged"), [(7, 8, False), (7, 7, True), (7, 6, True), (7, 0, True), (0, 5, False)]
)
def test_a_counter_that_went_back_is_flagged(kept: int, given: int, flagged: bool) -> None:
    """By default it is a signal to the audit; the stored counter only ever goes up."""
    here = world(SoftPasskey(ORIGIN, synced=False, count=kept))
    here.device.count = given
    checked = here.check(here.forged())
    assert checked.verdict is Verdict.ACCEPTED
    assert checked.signals == (("counter",) if flagged else ())
    if flagged:
        assert checked.advance is None
    else:
        assert checked.advance is not None
        assert checked.advance.data["count"] == given


@pytest.mark.requirement("A-W12")
def test_devices_that_do_not_count_are_no_signal() -> None:
    """Zero and zero again is what synced passkeys say for ever, in either setting; nothing is written."""
    for counter in ("flag", "refuse"):
        here = world(counter=counter)
        checked = here.check(here.forged())
        assert checked.verdict is Verdict.ACCEPTED
        assert (checked.signals, checked.advance) == ((), None)


def test_the_state_of_the_backup_moves() -> None:
    """A passkey whose backup is gone is remembered as that; its eligibility stays."""
    here = world()
    checked = here.check(here.forged(flags=UP | UV | BE))
    assert checked.advance is not None
    assert (checked.advance.data["backed_up"], checked.advance.data["eligible"]) == (0, 1)


# -- evidence and secrets -----------------------------------------------------------------


def test_evidence_is_small_and_is_what_was_sent() -> None:
    """The largest answer that is taken fits into what the engine keeps."""
    here = world(SoftPasskey(ORIGIN, algorithm="RS256"))
    response = here.forged(lambda said: {**said, "extra": "x" * 3800})
    checked = here.check(response)
    assert checked.evidence is not None
    assert checked.evidence["client_data"] == response["response"]["clientDataJSON"]
    assert sum(map(len, checked.evidence.values())) < MAX_EVIDENCE
    assert set(checked.evidence) == {
        "rp_id", "nonce", "client_data", "authenticator_data", "signature", "public_key",
    }  # fmt: skip


@pytest.mark.requirement("Z-08")
def test_nothing_shows_what_was_sent() -> None:
    """Neither the finding nor the record shows signature, key or handle in its repr."""
    here = world()
    response = here.forged()
    checked = here.check(response)
    shown = repr(checked) + repr(here.bench.ceremony) + repr(here.begun)
    for name in ("signature", "clientDataJSON", "authenticatorData", "userHandle"):
        assert response["response"][name] not in shown
    assert str(here.bench.ceremony.stored["passkey_1"].data["key"]) not in shown


# -- the handle -----------------------------------------------------------------------------


def test_the_user_handle_says_nothing_and_stays() -> None:
    """It is the same for every passkey of a person, another for everybody else, and holds neither id nor address."""
    verifier = passkeys()
    first = verifier.register("a", ACTOR, VAULT, [])
    again = verifier.register("b", ACTOR, VAULT, [])
    other = verifier.register("c", MARCUS, VAULT, [])
    handles = [one.factor.data["user"] for one in (first, again, other)]
    assert handles[0] == handles[1] != handles[2]
    assert len(str(handles[0])) == 43
    kept = enrolled(verifier, SoftPasskey(ORIGIN)).factor
    moved = replace(kept, data={**kept.data, "user": "an-older-handle"})
    assert verifier.register("d", ACTOR, VAULT, [moved]).factor.data["user"] == "an-older-handle"


# -- settings ---------------------------------------------------------------------------------

BAD: dict[str, dict[str, object]] = {
    "rp_id is an origin": {"rp_id": ORIGIN},
    "rp_id with a port": {"rp_id": f"{RP_ID}:443"},
    "rp_id in upper case": {"rp_id": "Northstar.example"},
    "rp_id is an address": {"rp_id": "127.0.0.1", "origins": ["http://127.0.0.1:8000"]},
    "rp_id is empty": {"rp_id": ""},
    "rp_id is no text": {"rp_id": None},
    "rp_id ends in a dot": {"rp_id": f"{RP_ID}."},
    "rp_name is empty": {"rp_name": ""},
    "rp_name is no text": {"rp_name": 1},
    "no origins": {"origins": []},
    "origins is a text": {"origins": ORIGIN},
    "origins is no list": {"origins": None},
    "an origin is no text": {"origins": [1]},
    "an origin with a slash": {"origins": [f"{ORIGIN}/"]},
    "an origin with a path": {"origins": [f"{ORIGIN}/login"]},
    "an origin with the default port": {"origins": [f"{ORIGIN}:443"]},
    "an origin in upper case": {"origins": ["https://Northstar.example"]},
    "an origin without a scheme": {"origins": [RP_ID]},
    "an origin that is not secure": {"origins": [f"http://{RP_ID}"]},
    "an origin of another site": {"origins": [ORIGIN, "https://evil.example"]},
    "an origin that only ends alike": {"origins": [f"https://evil{RP_ID}"]},
    "a parent's origin": {"origins": [ORIGIN], "rp_id": f"app.{RP_ID}"},
    "a wildcard": {"origins": [f"https://*.{RP_ID}"]},
    "a top origin with a slash": {"allowed_top_origins": ["https://portal.example/"]},
    "top origins as a text": {"allowed_top_origins": "https://portal.example"},
    "verification discouraged": {"user_verification": "discouraged"},
    "verification by truth value": {"user_verification": True},
    "counter ignored": {"counter": "ignore"},
    "resident key": {"resident_key": "yes"},
    "no timeout": {"timeout": 0},
    "a long timeout": {"timeout": 601},
    "timeout true": {"timeout": True},
}


@pytest.mark.parametrize("name", BAD)
def test_settings_that_cannot_be_right_are_refused(name: str) -> None:
    """When the gate is made, with what to write instead."""
    argument = next(iter(BAD[name]))
    with pytest.raises(ConfigurationError, match=rf"Passkey\({argument}=\)"):
        passkeys(**BAD[name])


@pytest.mark.parametrize("argument", ["origins", "allowed_top_origins"])
def test_one_text_is_no_list_of_origins(argument: str) -> None:
    """The commonest slip, told as what it is and not letter by letter."""
    with pytest.raises(ConfigurationError, match="must be a list of origins"):
        passkeys(**{argument: ORIGIN})


@pytest.mark.parametrize(
    "settings",
    [
        {"origins": [ORIGIN, f"https://app.{RP_ID}", f"https://{RP_ID}:8443"]},
        {"rp_id": "localhost", "origins": ["http://localhost:8000", "http://localhost"]},
        {"rp_id": "app.localhost", "origins": ["http://app.localhost:8000"]},
        {"origins": [ORIGIN, "android:apk-key-hash:Nd8Y6Zp1l2bq0oVJ5iA1kT0fGm3sX9uYcWvE4rHqLwM"]},
        {"allowed_top_origins": ["https://portal.example"]},
        {"user_verification": "preferred", "counter": "refuse", "resident_key": "required", "timeout": 60},
    ],
)
def test_settings_that_are_right_are_taken(settings: dict[str, object]) -> None:
    """Several pages of one site, development on localhost, an app, a portal around it."""
    assert passkeys(**settings).party.rp_id == settings.get("rp_id", RP_ID)


def test_without_the_library_the_gate_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The remedy names the extra."""
    monkeypatch.setitem(sys.modules, "webauthn", None)
    with pytest.raises(ConfigurationError, match=r"stepup-auth\[passkeys\]") as refused:
        Passkey(rp_id=RP_ID, rp_name="Northstar", origins=[ORIGIN])
    assert refused.value.__cause__ is None

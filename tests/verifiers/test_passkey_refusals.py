"""Every step of section 7.2 of WebAuthn Level 3, broken alone: each is refused, by that step, and nothing raises.

Unless a test says otherwise the signature is right over what was changed, so no later step could have refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from passkey_values import EVERY, MARCUS, ORIGIN, RP_ID, World, enrolled, passkeys, put, without, world

from stepup.binding import Binding
from stepup.challenge import FactorRef
from stepup.context import Context
from stepup.factor import StoredFactor
from stepup.ports import Verdict
from stepup.testing import SoftPasskey
from stepup.testing.bench import VAULT
from stepup.testing.passkey import b64, cbor

UP, UV, BE, BS, RFU, AT, ED = 0x01, 0x04, 0x08, 0x10, 0x02, 0x40, 0x80
ALL = UP | UV | BE | BS


@pytest.fixture(scope="module")
def here() -> World:
    """A world that no refusal changes; ``test_the_right_answer_still_passes`` says so."""
    return world()


def test_the_right_answer_still_passes(here: World) -> None:
    """What the other tests change is what makes the difference."""
    assert here.check(here.forged()).verdict is Verdict.ACCEPTED
    assert here.check(here.device.get(here.options)).verdict is Verdict.ACCEPTED


# -- whose passkey ------------------------------------------------------------------


@pytest.mark.requirement("A-W1")
def test_a_passkey_that_was_not_asked_for_is_refused() -> None:
    """Of the same person, enrolled, signing rightly: but not in the list of this challenge."""
    other = SoftPasskey(ORIGIN)
    stored = enrolled(passkeys(), other, "passkey_2").factor
    here = world(others=[stored])
    assert here.check(here.forged(device=other)).verdict is Verdict.ACCEPTED

    listed = {**here.begun.state, "allow": "passkey_1"}
    assert here.refused(here.forged(device=other), state=listed) == "credential"
    factors = tuple(ref for ref in here.bench.ceremony.factors if ref.id == "passkey_1")
    assert here.refused(here.forged(device=other), factors=factors) == "credential"
    assert here.refused(here.forged(device=other), stored={}) == "credential"


@pytest.mark.requirement("A-W1")
@pytest.mark.parametrize("allow", ["", " ", "passkey_2", "passkey_1x", "PASSKEY_1", "*", "passkey_1,passkey_2"])
def test_an_empty_list_allows_nobody(here: World, allow: str) -> None:
    """A list without this passkey is not "any passkey"."""
    assert here.refused(here.forged(), state={**here.begun.state, "allow": allow}) == "credential"


@pytest.mark.requirement("A-W1")
@pytest.mark.parametrize("allow", [None, 0, 1, True, False], ids=repr)
def test_a_list_that_was_lost_allows_nobody(here: World, allow: str | bool | int | None) -> None:
    """Neither a missing list nor one of another type is "any passkey"."""
    state = {name: value for name, value in here.begun.state.items() if name != "allow"}
    assert here.refused(here.forged(), state=state if allow is None else {**state, "allow": allow}) == "state"


@pytest.mark.requirement("A-W1", "A-W14")
def test_an_unknown_credential_is_refused_like_a_wrong_signature(here: World) -> None:
    """A passkey nobody has enrolled; the finding has the same form, only the audit names the step."""
    stranger, forger = SoftPasskey(ORIGIN), SoftPasskey(ORIGIN)
    forger.id = here.device.id
    unknown, forged = here.check(here.forged(device=stranger)), here.check(here.forged(device=forger))
    assert (unknown.signals, forged.signals) == (("credential",), ("signature",))
    assert replace(unknown, signals=()) == replace(forged, signals=())


@pytest.mark.requirement("A-W2")
def test_another_persons_passkey_is_refused() -> None:
    """Marcus signs Olivia's challenge rightly: with his own record, with hers, and with his record put among hers."""
    his = SoftPasskey(ORIGIN)
    record = enrolled(passkeys(), his, actor=MARCUS).factor
    here = world()
    assert here.refused(here.forged(device=his)) == "credential"
    copied = {"passkey_1": record}
    assert here.refused(here.forged(device=his), stored=copied) == "credential"
    as_marcus = replace(here.bench.ceremony.context, actor=MARCUS)
    assert here.refused(here.forged(), context=as_marcus) == "credential"


@pytest.mark.requirement("A-W2")
@pytest.mark.parametrize("handle", [b64(b"usr_4096"), b64(b"\0"), b64(bytes(32)), b64(bytes(64))])
def test_another_persons_handle_is_refused(here: World, handle: str) -> None:
    """The user handle is no part of what is signed, so it is compared by itself."""
    assert here.refused(put(here.forged(), "response.userHandle", handle)) == "user_handle"


@pytest.mark.requirement("A-W2")
def test_a_handle_may_be_left_out(here: World) -> None:
    """Authenticators that keep no handle send none."""
    assert here.check(put(here.forged(), "response.userHandle", None)).verdict is Verdict.ACCEPTED
    assert here.check(without(here.forged(), "response.userHandle")).verdict is Verdict.ACCEPTED


# -- client data --------------------------------------------------------------------


def member(name: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda said: {**said, name: value}


def missing(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda said: {key: value for key, value in said.items() if key != name}


TYPES: list[object] = [
    *("webauthn.create", "payment.get", "webauthn.Get", "WEBAUTHN.GET", "webauthn.get ", " webauthn.get", "webauthn"),
    *("", "get", "navigator.id.getAssertion", "webauthn.get\0", None, 1, True, ["webauthn.get"], {"a": 1}),
]


@pytest.mark.requirement("A-W3")
@pytest.mark.parametrize("kind", TYPES, ids=repr)
def test_client_data_of_another_kind_is_refused(here: World, kind: object) -> None:
    """Only an assertion is one."""
    assert here.refused(here.forged(member("type", kind))) == "type"


@pytest.mark.requirement("A-W3", "A-W4", "A-W5")
@pytest.mark.parametrize("name", ["type", "challenge", "origin"])
def test_client_data_without_a_member_is_refused(here: World, name: str) -> None:
    """What is missing has no default."""
    assert here.refused(here.forged(missing(name))) == name


CHALLENGES: dict[str, Callable[[str], object]] = {
    "padded": lambda right: f"{right}=",
    "padded twice": lambda right: f"{right}==",
    "standard base64": lambda right: right.replace("-", "+").replace("_", "/") + "=",
    "empty": lambda right: "",
    "hex": lambda right: hashlib.sha256(right.encode()).hexdigest(),
    "cut": lambda right: right[:-1],
    "longer": lambda right: f"{right}A",
    "twice": lambda right: right + right,
    "newline": lambda right: f"{right}\n",
    "space": lambda right: f" {right}",
    "lower case": lambda right: right.lower(),
    "upper case": lambda right: right.upper(),
    "another": lambda right: b64(bytes(32)),
    "last bits": lambda right: right[:-1] + ("B" if right[-1] != "B" else "C"),
    "null": lambda right: None,
    "number": lambda right: 0,
    "true": lambda right: True,
    "list": lambda right: [right],
    "object": lambda right: {"challenge": right},
    "not ASCII": lambda right: f"{right[:-1]}\u00e9",
    "full width": lambda right: f"\uff21{right[1:]}",
}


@pytest.mark.requirement("A-W4")
@pytest.mark.parametrize("spelling", CHALLENGES)
def test_another_challenge_is_refused(here: World, spelling: str) -> None:
    """The stored challenge, in its one spelling, and nothing that decodes to the same bytes."""
    assert here.refused(here.forged(lambda said: {**said, "challenge": CHALLENGES[spelling](said["challenge"])})) == (
        "challenge"
    )


BINDINGS: dict[str, str | None] = {
    "actor": "usr_4096",
    "action": "organization.rename",
    "tenant": "acme",
    "on_behalf_of": "usr_1",
    "session": "another session",
    "device": "another device",
    "organization": "org_8",
    "resource_type": "team",
    "resource_id": "org_8",
    "params": "0" * 64,
}


@pytest.mark.requirement("A-W4")
@pytest.mark.parametrize("name", BINDINGS)
def test_an_assertion_for_another_binding_is_refused(here: World, name: str) -> None:
    """The challenge commits to every field of the binding: an assertion for one call is none for another."""
    challenge = here.bench.ceremony.challenge
    other = replace(challenge, binding=Binding(**{**challenge.binding.as_data(), name: BINDINGS[name]}))  # type: ignore[arg-type]
    assert here.refused(here.forged(), challenge=other) == "challenge"


@pytest.mark.requirement("A-W4")
def test_an_assertion_for_another_preparation_is_refused(here: World) -> None:
    """The newest nonce only; and the state of another challenge is none of this one's."""
    again = here.bench.begin()
    assert here.refused(here.forged(), state=again.state) == "challenge"
    other = replace(here.bench.ceremony.challenge, id="stepup_other")
    assert here.refused(here.forged(), challenge=other) == "state"
    assert here.refused(here.forged(), state=None) == "state"
    assert here.refused(here.forged(), state={**here.begun.state, "nonce": b64(bytes(31))}) == "state"
    assert here.refused(here.forged(), state={}) == "state"


ORIGINS: list[object] = [
    f"http://{RP_ID}",
    f"{ORIGIN}:8443",
    f"{ORIGIN}:443",
    f"{ORIGIN}.evil",
    f"{ORIGIN}.evil.example",
    f"https://www.{RP_ID}",
    f"https://evil{RP_ID}",
    f"https://evil.{RP_ID}",
    f"{ORIGIN}.",
    f"{ORIGIN}/",
    f"{ORIGIN}/path",
    f"{ORIGIN}?",
    f"{ORIGIN}#",
    ORIGIN.upper(),
    f"HTTPS://{RP_ID}",
    "https://Northstar.example",
    f"{ORIGIN}@evil.example",
    f"https://evil.example@{RP_ID}",
    f"https://user:pass@{RP_ID}",
    RP_ID,
    f"//{RP_ID}",
    "null",
    "",
    "https://",
    "https://example",
    f" {ORIGIN}",
    f"{ORIGIN} ",
    f"{ORIGIN}\n",
    f"{ORIGIN}\0",
    f"{ORIGIN}\\@evil.example",
    "https://n\u043erthstar.example",
    f"{ORIGIN},https://evil.example",
    "android:apk-key-hash:Nd8Y6Zp1l2bq0oVJ5iA1kT0fGm3sX9uYcWvE4rHqLwM",
    "file://",
    f"wss://{RP_ID}",
    None,
    1,
    True,
    [ORIGIN],
    {"origin": ORIGIN},
]


@pytest.mark.requirement("A-W5")
@pytest.mark.parametrize("origin", ORIGINS, ids=repr)
def test_another_origin_is_refused(here: World, origin: object) -> None:
    """Exactly an expected origin, as text."""
    assert here.refused(here.forged(member("origin", origin))) == "origin"


EMBEDDED: list[dict[str, object]] = [
    {"crossOrigin": True},
    {"crossOrigin": "true"},
    {"crossOrigin": "false"},
    {"crossOrigin": 1},
    {"crossOrigin": 0},
    {"crossOrigin": None},
    {"crossOrigin": []},
    {"crossOrigin": ""},
    {"topOrigin": ORIGIN},
    {"topOrigin": None},
    {"topOrigin": "https://evil.example"},
    {"crossOrigin": True, "topOrigin": "https://evil.example"},
    {"crossOrigin": True, "topOrigin": ORIGIN},
    {"crossOrigin": False, "topOrigin": ORIGIN},
]


@pytest.mark.requirement("A-W6")
@pytest.mark.parametrize("said", EMBEDDED, ids=repr)
def test_an_embedded_page_is_refused(here: World, said: dict[str, object]) -> None:
    """By default no other site may embed the page that asks; nor may anything unclear be said about it."""
    assert here.refused(here.forged(lambda given: {**given, **said})) == "cross_origin"


TOPS: list[dict[str, object]] = [
    {"crossOrigin": True},
    {"crossOrigin": True, "topOrigin": None},
    {"crossOrigin": True, "topOrigin": 1},
    {"crossOrigin": True, "topOrigin": ["https://portal.example"]},
    {"crossOrigin": True, "topOrigin": ""},
    {"crossOrigin": True, "topOrigin": "https://portal.example.evil"},
    {"crossOrigin": True, "topOrigin": "https://portal.example:8443"},
    {"crossOrigin": True, "topOrigin": "http://portal.example"},
    {"crossOrigin": True, "topOrigin": "https://PORTAL.example"},
    {"crossOrigin": True, "topOrigin": ORIGIN},
]


@pytest.mark.requirement("A-W6")
@pytest.mark.parametrize("said", TOPS, ids=repr)
def test_an_embedding_page_that_is_not_expected_is_refused(said: dict[str, object]) -> None:
    """Where one site may embed the page, no other may, nor one that is not named."""
    here = world(allowed_top_origins=["https://portal.example"])
    right = {"crossOrigin": True, "topOrigin": "https://portal.example"}
    assert here.check(here.forged(lambda given: {**given, **right})).verdict is Verdict.ACCEPTED
    assert here.check(here.forged()).verdict is Verdict.ACCEPTED
    assert here.refused(here.forged(lambda given: {**given, **said})) == "top_origin"
    for told in ("true", 1, False):
        unclear = {**right, "crossOrigin": told}
        assert here.refused(here.forged(lambda given, more=unclear: {**given, **more})) == "cross_origin"  # type: ignore[misc]


def text(said: dict[str, Any]) -> str:
    return json.dumps(said)


DAMAGED: dict[str, Callable[[dict[str, Any]], object]] = {
    "list": lambda said: [said],
    "text": lambda said: "webauthn.get",
    "null": lambda said: None,
    "number": lambda said: 1,
    "no JSON": lambda said: text(said)[:-1].encode(),
    "trailing": lambda said: f"{text(said)}x".encode(),
    "two": lambda said: f"{text(said)}{text(said)}".encode(),
    "member twice": lambda said: f'{text(said)[:-1]},"origin":"{ORIGIN}"}}'.encode(),
    "NaN": lambda said: f'{text(said)[:-1]},"x":NaN}}'.encode(),
    "byte order mark": lambda said: b"\xef\xbb\xbf" + text(said).encode(),
    "UTF-16": lambda said: text(said).encode("utf-16"),
    "UTF-32": lambda said: text(said).encode("utf-32-be"),
    "Latin-1": lambda said: text({**said, "x": "Z"}).replace("Z", "\u00e9").encode("latin-1"),
    "nested": lambda said: b"[" * 2000 + b"]" * 2000,
    "single quotes": lambda said: text(said).replace('"', "'").encode(),
    "comment": lambda said: f"/**/{text(said)}".encode(),
}


@pytest.mark.requirement("A-W3")
@pytest.mark.parametrize("damage", DAMAGED)
def test_client_data_that_is_no_object_is_refused(here: World, damage: str) -> None:
    """Strict JSON in UTF-8, one object, each member once."""
    assert here.refused(here.forged(DAMAGED[damage])) == "client_data"


@pytest.mark.requirement("A-W13")
def test_client_data_may_say_more(here: World) -> None:
    """Members that are not known do no harm (WebAuthn Level 3 section 5.8.1.2)."""
    more = {"extra": {"a": [1, None]}, "other_keys_can_be_added_here": "x"}
    assert here.check(here.forged(lambda said: {**said, **more})).verdict is Verdict.ACCEPTED


# -- authenticator data -----------------------------------------------------------------

IDS = ["example", "evil.example", f"www.{RP_ID}", RP_ID.upper(), f"{RP_ID}.", "", ORIGIN, "localhost", f" {RP_ID}"]


@pytest.mark.requirement("A-W7")
@pytest.mark.parametrize("rp_id", IDS, ids=repr)
def test_an_assertion_for_another_relying_party_is_refused(here: World, rp_id: str) -> None:
    """A parent, a sub-domain, another spelling: each has a hash of its own."""
    assert here.refused(here.forged(data=lambda made: hashlib.sha256(rp_id.encode()).digest() + made[32:])) == "rp_id"


@pytest.mark.requirement("A-W7")
@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 36])
def test_short_authenticator_data_is_refused(here: World, size: int) -> None:
    """Cut anywhere, signed over what is left."""
    step = here.refused(here.forged(data=lambda made: made[:size]))
    assert step == ("encoding" if size == 0 else "rp_id")


@pytest.mark.requirement("A-W8")
@pytest.mark.parametrize("flags", [0, UV, UV | BE | BS, BE, BE | BS, RFU | UV], ids=hex)
def test_without_presence_nothing_is_proved(here: World, flags: int) -> None:
    """Not even where the person was verified."""
    assert here.refused(here.forged(flags=flags)) == "user_presence"


@pytest.mark.requirement("A-W9")
@pytest.mark.parametrize("flags", [UP, UP | BE | BS, UP | BE, UP | RFU | BE | BS], ids=hex)
def test_without_verification_nothing_is_proved_where_it_is_required(here: World, flags: int) -> None:
    """Present is not verified."""
    assert here.refused(here.forged(flags=flags)) == "user_verification"


@pytest.mark.requirement("A-W9")
@pytest.mark.parametrize("asked", [None, "", "discouraged", "Required", "optional", True, False, 0, 1], ids=repr)
def test_a_requirement_that_was_lost_is_no_permission(here: World, asked: str | bool | int | None) -> None:
    """The stored state says whether verification is required; where it does not, nothing is accepted."""
    state = {name: value for name, value in here.begun.state.items() if name != "asked"}
    assert here.refused(here.forged(), state=state) == "state"
    if asked is not None:
        assert here.refused(here.forged(), state={**state, "asked": asked}) == "state"


@pytest.mark.requirement("A-W9")
def test_what_the_client_says_of_verification_changes_nothing(here: World) -> None:
    """The requirement is read from the state, never from the answer."""
    response = here.forged(flags=UP | BE | BS)
    for extra in ({"userVerification": "preferred"}, {"asked": "preferred"}):
        assert here.refused({**response, **extra}) == "user_verification"
    told = here.forged(lambda said: {**said, "userVerification": "preferred"}, flags=UP | BE | BS)
    assert here.refused(told) == "user_verification"


@pytest.mark.requirement("A-W10")
@pytest.mark.parametrize("flags", [UP | UV | BS, UP | UV | BS | RFU, UP | UV | BS | 0x20], ids=hex)
def test_a_backup_of_what_cannot_be_backed_up_is_refused(flags: int) -> None:
    """BS without BE makes no sense, for a synced passkey and for one that is not."""
    for synced in (True, False):
        here = world(SoftPasskey(ORIGIN, synced=synced))
        assert here.refused(here.forged(flags=flags)) == "backup_flags"


@pytest.mark.requirement("A-W10")
def test_backup_eligibility_does_not_change() -> None:
    """What was one device's stays one device's, and the other way round; the state of the backup may change."""
    bound, synced = world(SoftPasskey(ORIGIN, synced=False)), world(SoftPasskey(ORIGIN))
    assert bound.refused(bound.forged(flags=UP | UV | BE)) == "backup_flags"
    assert bound.refused(bound.forged(flags=ALL)) == "backup_flags"
    assert synced.refused(synced.forged(flags=UP | UV)) == "backup_flags"
    assert synced.check(synced.forged(flags=UP | UV | BE)).verdict is Verdict.ACCEPTED


EXTENSIONS: dict[str, tuple[int, bytes]] = {
    "no map": (ED, b""),
    "cut map": (ED, cbor({"uvm": [1, 2]})[:-1]),
    "garbage": (ED, b"\xff\xfe\xfd"),
    "trailing": (ED, cbor({"a": 1}) + b"\0"),
    "endless": (ED, b"\xbf" * 40),
    "huge length": (ED, b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff"),
    "deep": (ED, b"\x81" * 1500),
    "bytes without a flag": (0, cbor({"a": 1})),
    "one byte without a flag": (0, b"\0"),
    "attested": (AT, bytes(16) + b"\0\x10" + bytes(16) + cbor({1: 2, 3: -7})),
    "attested, nothing there": (AT, b""),
    "attested and extended": (AT | ED, cbor({"a": 1})),
}


@pytest.mark.requirement("A-W13")
@pytest.mark.parametrize("name", EXTENSIONS)
def test_malformed_extensions_are_refused_and_never_raise(here: World, name: str) -> None:
    """Nothing of the CBOR behind the flags reaches the caller."""
    flag, more = EXTENSIONS[name]
    step = here.refused(here.forged(data=lambda made: made + more, flags=ALL | flag))
    assert step == ("signature" if flag == ED else "authenticator_data")  # behind ED, the library reads


@pytest.mark.requirement("A-W13")
def test_unknown_extensions_are_taken(here: World) -> None:
    """Outputs that nobody asked for are no reason to refuse."""
    for more in (cbor({}), cbor({"credProtect": 2}), cbor({"x": {"y": [1, -2, b"z", "w"]}})):
        forged = here.forged(data=lambda made, more=more: made + more, flags=ALL | ED)  # type: ignore[misc]
        assert here.check(forged).verdict is Verdict.ACCEPTED
    outer = {**here.forged(), "clientExtensionResults": {"appid": True, "prf": {"results": {"first": "x"}}}}
    assert here.check(outer).verdict is Verdict.ACCEPTED


@pytest.mark.requirement("A-W13")
@pytest.mark.parametrize("algorithm", EVERY)
def test_nothing_follows_the_extensions(algorithm: str) -> None:
    """By every algorithm, those that the library does not check as well: signed rightly, and refused all the same."""
    here = world(SoftPasskey(ORIGIN, algorithm=algorithm))
    assert here.check(here.forged(data=lambda made: made + cbor({"x": 1}), flags=ALL | ED)).verdict is Verdict.ACCEPTED
    for more in (cbor({"x": 1}) + b"\0", b"", b"\xff", b"\xa1"):
        forged = here.forged(data=lambda made, more=more: made + more, flags=ALL | ED)  # type: ignore[misc]
        assert here.refused(forged) in {"authenticator_data", "signature"}


# -- signature --------------------------------------------------------------------------


@pytest.mark.requirement("A-W11")
@pytest.mark.parametrize("algorithm", EVERY)
@pytest.mark.parametrize("part", ["signature", "authenticatorData", "clientDataJSON"])
def test_a_bit_anywhere_is_noticed(algorithm: str, part: str) -> None:
    """Each byte of what was signed, and of the signature, with one bit turned."""
    here = world(SoftPasskey(ORIGIN, algorithm=algorithm))
    response = here.forged()
    right = _unb64(response["response"][part])
    for place in range(len(right)):
        changed = bytearray(right)
        changed[place] ^= 1 << (place % 8)
        assert here.refused(put(response, f"response.{part}", b64(bytes(changed))))


@pytest.mark.requirement("A-W11")
@pytest.mark.parametrize("algorithm", EVERY)
@pytest.mark.parametrize("size", [0, 1, 8, 32])
def test_a_cut_or_longer_signature_is_refused(algorithm: str, size: int) -> None:
    """Shorter, and with bytes behind it."""
    here = world(SoftPasskey(ORIGIN, algorithm=algorithm))
    response = here.forged()
    right = _unb64(response["response"]["signature"])
    changes = [right[: len(right) - size], right + bytes(size), bytes(len(right)), right[size:]]
    for changed in changes if size else [b"\0", bytes(len(right)), b"\xff" * len(right)]:
        assert here.refused(put(response, "response.signature", b64(changed))) == "signature"


SIGNATURES: dict[str, str] = {
    "r = s = 0": "3006020100020100",
    "r = s = 1": "3006020101020101",
    "r = 0": "3006020100020101",
    "negative": "30060201ff0201ff",
    "r = s = n": "3046022100ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
    "022100ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
    "empty sequence": "3000",
    "one number": "3003020101",
    "no DER": "00" * 64,
    "indefinite": "30800201010201010000",
    "huge": "ff" * 1024,
}


@pytest.mark.requirement("A-W11")
@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures_that_are_none_are_refused(here: World, name: str) -> None:
    """The classics: zero (CVE-2022-21449), one, the order of the curve, and what is no DER."""
    forged = put(here.forged(), "response.signature", b64(bytes.fromhex(SIGNATURES[name])))
    assert here.refused(forged) == "signature"


@pytest.mark.requirement("A-W11")
def test_a_signature_over_something_else_is_refused(here: World) -> None:
    """Over the client data alone, its hash, the parts the other way round, or by another key."""
    response, device = here.forged(), here.device
    client_data = _unb64(response["response"]["clientDataJSON"])
    data, hashed = _unb64(response["response"]["authenticatorData"]), hashlib.sha256(client_data).digest()
    for signed in (
        client_data,
        hashed,
        data,
        data + client_data,
        hashed + data,
        hashlib.sha256(data + hashed).digest(),
    ):
        assert here.refused(put(response, "response.signature", b64(device.sign(signed)))) == "signature"
    stranger = SoftPasskey(ORIGIN)
    assert here.refused(put(response, "response.signature", b64(stranger.sign(data + hashed)))) == "signature"


@pytest.mark.requirement("A-W11")
def test_a_key_that_was_replaced_in_the_store_is_not_read(here: World) -> None:
    """Whoever can write to the store cannot put their own key in: it is sealed with whose it is."""
    thief = SoftPasskey(ORIGIN)
    thief.id = here.device.id
    stored = here.bench.ceremony.stored["passkey_1"]
    sealed = VAULT.seal(thief.public_key(), where="somewhere else")
    for key in (sealed, b64(thief.public_key()), "", "a.b.c", 1):
        changed = replace(stored, data={**stored.data, "key": key})
        assert here.refused(here.forged(device=thief), stored={"passkey_1": changed}) == "credential"


@pytest.mark.requirement("A-W11")
@pytest.mark.parametrize("key", [b"", b"\0", b"\xa0", b"\x04" + bytes(64), cbor({1: 2, 3: -7}), cbor({1: 4, 3: -7})])
def test_a_stored_key_that_is_none_refuses(here: World, key: bytes) -> None:
    """A damaged record is a refusal, never an error."""
    stored = here.bench.ceremony.stored["passkey_1"]
    where = "\0".join(("", "usr_2048", "passkey_1", b64(here.device.id)))
    assert VAULT.unseal(str(stored.data["key"]), where=where) == here.device.public_key()
    changed = replace(stored, data={**stored.data, "key": VAULT.seal(key, where=where)})
    assert here.refused(here.forged(), stored={"passkey_1": changed}) == "key"


RECORDS: dict[str, object] = {
    "version": 2,
    "credential": 1,
    "user": 1,
    "count": -1,
    "eligible": 2,
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_that_is_not_whole_refuses(here: World, name: str) -> None:
    """Of another version, with a member of another type, or without it."""
    stored = here.bench.ceremony.stored["passkey_1"]
    less = {key: value for key, value in stored.data.items() if key != name}
    for data in (less, {**less, name: RECORDS[name]}, {**less, name: "x"}):
        changed = StoredFactor(stored.id, "passkey", data)  # type: ignore[arg-type]
        expected = {"credential", "user_handle"} if name == "user" else {"credential"}
        assert here.refused(here.forged(), stored={"passkey_1": changed}) in expected
    other = replace(stored, method="totp")
    assert here.refused(here.forged(), stored={"passkey_1": other}) == "credential"


# -- counter ------------------------------------------------------------------------------


@pytest.mark.requirement("A-W12")
@pytest.mark.parametrize(("kept", "given"), [(7, 7), (7, 6), (7, 0), (7, 1), (1, 0), (4_000_000_000, 1)])
def test_a_counter_that_went_back_is_refused_where_asked(kept: int, given: int) -> None:
    """Equal, lower, and back to zero."""
    here = world(SoftPasskey(ORIGIN, synced=False, count=kept), counter="refuse")
    here.device.count = given
    assert here.refused(here.forged()) == "counter"


# -- form ---------------------------------------------------------------------------------

WRONG: list[object] = [
    *(None, 0, 1, -1, 1.5, True, False, b"AAAA", [], ["AAAA"], {}, {"a": "AAAA"}, (), set[str]()),
    *("", "=", "A", "AAAA=", "AA==", "AB", "+/+/", "A A", "AAAA\n", "\u00e9\u00e9\u00e9\u00e9", "\0", "\ud800"),
    "A" * 100_000,
]
PATHS = ["id", "rawId", "response.clientDataJSON", "response.authenticatorData", "response.signature"]


@pytest.mark.parametrize("value", WRONG, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("path", PATHS)
def test_a_member_of_another_form_is_refused(here: World, path: str, value: object) -> None:
    """Wrong types, other alphabets, padding, loose bits, and what is too long to be looked at."""
    step = here.refused(put(here.forged(), path, value))
    assert step in {"form", "encoding", "credential", "rp_id", "client_data"}


@pytest.mark.parametrize("value", [one for one in WRONG if one is not None], ids=lambda value: repr(value)[:20])
def test_a_handle_of_another_form_is_refused(here: World, value: object) -> None:
    """It may be left out; it may not be anything else."""
    assert here.refused(put(here.forged(), "response.userHandle", value)) in {"encoding", "user_handle"}


@pytest.mark.parametrize("path", [*PATHS, "type", "response"])
def test_a_member_that_is_missing_is_refused(here: World, path: str) -> None:
    """Nothing of what is needed has a default."""
    assert here.refused(without(here.forged(), path)) in {"form", "encoding"}


@pytest.mark.parametrize("kind", ["", "password", "Public-Key", "public_key", None, 1, ["public-key"]], ids=repr)
def test_another_type_of_credential_is_refused(here: World, kind: object) -> None:
    """WebAuthn has one type."""
    assert here.refused(put(here.forged(), "type", kind)) == "form"


@pytest.mark.parametrize("value", [*WRONG, [[]], [{}]], ids=lambda value: repr(value)[:20])
def test_a_response_of_another_form_is_refused(here: World, value: object) -> None:
    """Whatever the client sends in its place, whole and inside."""
    assert here.refused(value) in {"form", "encoding"}
    assert here.refused(put(here.forged(), "response", value)) in {"form", "encoding"}


def test_ids_that_differ_are_refused(here: World) -> None:
    """``id`` and ``rawId`` are one value."""
    other = b64(SoftPasskey(ORIGIN).id)
    assert here.refused(put(here.forged(), "rawId", other)) == "form"
    assert here.refused(put(here.forged(), "id", other)) == "form"


def test_a_text_is_not_parsed(here: World) -> None:
    """The JSON of an answer is no answer: the wire has parsed it already, once."""
    assert here.refused(json.dumps(here.forged())) == "form"


def test_sizes_are_capped_before_anything_is_parsed(here: World) -> None:
    """Client data that is right and padded beyond the cap is not read."""
    padded = here.forged(lambda said: {**said, "extra": "x" * 5000})
    assert here.refused(padded) == "encoding"
    assert here.check(here.forged(lambda said: {**said, "extra": "x" * 3000})).verdict is Verdict.ACCEPTED


@pytest.mark.requirement("A-W12")
def test_a_refusal_moves_nothing() -> None:
    """A wrong signature with a higher counter leaves the counter where it was."""
    here = world(SoftPasskey(ORIGIN, synced=False, count=3))
    thief = SoftPasskey(ORIGIN, synced=False, count=900)
    thief.id = here.device.id
    assert here.refused(here.forged(device=thief)) == "signature"


@pytest.mark.requirement("A-W4")
def test_somebody_without_a_passkey_is_refused(here: World) -> None:
    """No factor counts: the right answer proves nothing."""
    assert here.refused(here.forged(), factors=()) == "credential"
    other = FactorRef("passkey_9", "passkey", 50)
    assert here.refused(here.forged(), factors=(other,)) == "credential"
    assert isinstance(here.bench.ceremony.context, Context)


def _unb64(text: str) -> bytes:
    import base64

    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

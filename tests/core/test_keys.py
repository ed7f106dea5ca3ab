"""Key rings and the vault: rotation, separation by purpose, and secrets that stay unreadable."""

from __future__ import annotations

import copy
import hashlib
import hmac
import pickle
import string
from typing import Any

import pytest
from core_values import OTHER_SECRET, RING, SECRET
from hypothesis import given
from hypothesis import strategies as st

from stepup.errors import ConfigurationError
from stepup.keys import KeyRing, Vault

NEW, OLD, GONE = (bytes(range(start, start + 40)) for start in (1, 61, 121))
VAULT = Vault(RING)


def hkdf(secret: bytes, purpose: str) -> bytes:
    """RFC 5869 for 32 bytes, by hand: extract, then one round of expand."""
    key = hmac.digest(b"stepup.v1", secret, "sha256")
    return hmac.digest(key, purpose.encode() + b"\x01", "sha256")


# -- rings -----------------------------------------------------------------------------


def test_a_subkey_is_what_the_standard_says() -> None:
    """Somebody with the secret can derive our subkeys with any HKDF, and so read our tokens."""
    assert RING.subkey("stepup-grant+jwt", RING.kids[0]) == hkdf(SECRET, "stepup-grant+jwt")


def test_each_purpose_and_each_secret_has_a_key_of_its_own() -> None:
    """Nothing made for one purpose, or under one secret, can stand in for another."""
    ring = KeyRing(NEW, OLD)
    keys = {ring.subkey(purpose, kid) for purpose in ("grant", "offer", "seal", "binding", "") for kid in ring.kids}

    assert len(keys) == 10
    assert {len(key) for key in keys if key} == {32}


def test_a_ring_has_no_key_for_a_foreign_id() -> None:
    """An id that is not in the ring is None, whatever it looks like."""
    ring = KeyRing(NEW)

    for kid in ("", KeyRing(OLD).kids[0], ring.kids[0].upper(), ring.kids[0][:-1], "../../etc/passwd"):
        assert ring.subkey("grant", kid) is None


def test_ids_are_in_the_order_given_and_tell_nothing() -> None:
    """Newest first; each is a digest of its secret, of fixed length, the same in every process."""
    assert KeyRing(NEW, OLD).kids == (*KeyRing(NEW).kids, *KeyRing(OLD).kids)
    assert KeyRing(NEW).kids == (hashlib.sha256(b"stepup.kid.v1\0" + NEW).hexdigest()[:16],)


def test_text_and_bytes_are_the_same_secret() -> None:
    """A secret from an environment variable and the same one from a file make the same ring."""
    assert KeyRing(SECRET.decode()).kids == KeyRing(SECRET).kids == KeyRing.from_secrets(SECRET).kids


@pytest.mark.parametrize(
    ("secrets", "problem"),
    [
        ((), "needs at least one secret"),
        ((b"short",), "at least 32 random bytes"),
        ((NEW[:31],), "at least 32 random bytes"),
        ((b"a" * 64,), "at least 32 random bytes"),
        ((b"abcabc" * 12,), "at least 32 random bytes"),
        (("",), "at least 32 random bytes"),
        ((NEW, b"short"), "at least 32 random bytes"),
        ((NEW, NEW), "the same secret twice"),
        ((NEW, OLD, NEW), "the same secret twice"),
        ((None,), "must be bytes or str, not NoneType"),
        ((12345678901234567890123456789012,), "must be bytes or str, not int"),
        ((bytearray(NEW),), "must be bytes or str, not bytearray"),
    ],
)
def test_a_weak_secret_is_refused(secrets: tuple[Any, ...], problem: str) -> None:
    """A short, repeating, missing or doubled secret fails at construction and says what to do."""
    with pytest.raises(ConfigurationError, match=problem):
        KeyRing(*secrets)


def test_a_short_secret_comes_with_the_command_that_makes_a_good_one() -> None:
    """The error holds a remedy that can be pasted."""
    with pytest.raises(ConfigurationError) as caught:
        KeyRing("too short")

    assert "secrets.token_urlsafe" in caught.value.remedy
    assert "too short" not in str(caught.value)


def test_exactly_the_least_is_enough() -> None:
    """32 bytes with 8 different ones are taken."""
    assert KeyRing(bytes(range(8)) * 4).kids


def test_what_the_gate_accepts_becomes_a_ring() -> None:
    """A secret, a list of secrets, or a ring."""
    ring = KeyRing(NEW, OLD)

    assert KeyRing.coerce(ring) is ring
    assert KeyRing.coerce([NEW, OLD]).kids == KeyRing.coerce((NEW, OLD)).kids == ring.kids
    assert KeyRing.coerce(SECRET).kids == KeyRing.coerce(SECRET.decode()).kids == RING.kids


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "secret must be bytes or str, a list of them, or a KeyRing"),
        (7, "secret must be bytes or str"),
        ({"current": NEW}, "secret must be bytes or str"),
        ([NEW, None], "secret holds a NoneType"),
        ([NEW, [OLD]], "secret holds a list"),
        ([], "needs at least one secret"),
    ],
)
def test_anything_else_is_refused_by_name(value: object, problem: str) -> None:
    """The error names the parameter and what was wrong with it."""
    with pytest.raises(ConfigurationError, match=problem):
        KeyRing.coerce(value)
    if "secret must" in problem:
        with pytest.raises(ConfigurationError, match="factor_secret must"):
            KeyRing.coerce(value, name="factor_secret")


@pytest.mark.requirement("Z-08", "S-06")
def test_a_ring_shows_no_secret() -> None:
    """Neither printed nor formatted nor pickled nor copied through pickle does it give a secret away."""
    ring = KeyRing(NEW, OTHER_SECRET)

    for text in (repr(ring), str(ring), f"{ring}", repr(Vault(ring)), repr({"ring": ring})):
        assert OTHER_SECRET.decode() not in text
        assert repr(NEW)[2:-1] not in text
        assert NEW.hex() not in text
    for copying in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not to be pickled"):
            copying(ring)


# -- hashes of ids -----------------------------------------------------------------------


@pytest.mark.requirement("D-03")
def test_a_hashed_id_is_keyed_and_of_its_kind() -> None:
    """A session's hash tells nothing without the key, and is never equal to a device's."""
    one = RING.hash_id("session", "sess_1")

    assert one == RING.hash_id("session", "sess_1")
    assert len(one) == 32
    others = {
        RING.hash_id("device", "sess_1"),
        RING.hash_id("session", "sess_2"),
        KeyRing(NEW).hash_id("session", "sess_1"),
        hashlib.sha256(b"sess_1").hexdigest()[:32],
    }
    assert one not in others
    assert len(others) == 4


def test_adding_a_key_changes_no_hash_and_dropping_the_oldest_changes_all() -> None:
    """What was opened before a rotation stays comparable, until the key it was made with is dropped."""
    before = KeyRing(OLD).hash_id("session", "sess_1")

    assert KeyRing(NEW, OLD).hash_id("session", "sess_1") == before
    assert KeyRing(NEW).hash_id("session", "sess_1") != before


@given(st.text(max_size=20), st.text(max_size=20))
def test_hashes_of_any_text(one: str, two: str) -> None:
    """Any text that can be encoded has a hash; two differ where the texts do."""
    if any("\ud800" <= c <= "\udfff" for c in one + two):
        return
    assert (RING.hash_id("session", one) == RING.hash_id("session", two)) is (one == two)


# -- the vault -----------------------------------------------------------------------------


@pytest.mark.requirement("S-06")
@given(st.binary(max_size=64), st.text(max_size=20).filter(lambda text: text.isascii()))
def test_what_is_sealed_opens_again_in_its_place_only(secret: bytes, where: str) -> None:
    """The same vault opens it for the same place, and for no other."""
    sealed = VAULT.seal(secret, where=where)

    assert VAULT.unseal(sealed, where=where) == secret
    assert VAULT.unseal(sealed, where=where + "x") is None


def test_two_seals_of_one_secret_differ() -> None:
    """Nobody sees from the store that two people have the same secret."""
    seals = {VAULT.seal(b"the same secret", where="here") for _ in range(200)}

    assert len(seals) == 200
    assert all(b"the same secret".hex() not in seal and "the same secret" not in seal for seal in seals)


def test_rotation_keeps_what_was_sealed_and_dropping_a_key_closes_it() -> None:
    """A new key in front opens old seals; without the old key they are None, not an error."""
    sealed, digest = Vault(KeyRing(OLD)).seal(b"seed", where="w"), Vault(KeyRing(OLD)).digest("code", b"123456")
    both, newest = Vault(KeyRing(NEW, OLD)), Vault(KeyRing(NEW))

    assert both.unseal(sealed, where="w") == b"seed"
    assert newest.unseal(sealed, where="w") is None
    assert both.matches(digest, "code", b"123456")
    assert not newest.matches(digest, "code", b"123456")
    assert both.seal(b"seed", where="w").startswith(KeyRing(NEW).kids[0])
    assert both.digest("code", b"1").startswith(KeyRing(NEW).kids[0])


SEALED = VAULT.seal(b"a seed of twenty byte", where="usr_2048/totp:1")


@pytest.mark.parametrize("position", range(len(SEALED)))
def test_an_edited_seal_opens_to_nothing_else(position: int) -> None:
    """Whatever one character is changed into, it opens to nothing, or (spare bits of base64) to the very same."""
    opened = {
        VAULT.unseal(SEALED[:position] + other + SEALED[position + 1 :], where="usr_2048/totp:1")
        for other in string.ascii_letters + string.digits + "-_.=/+ "
    }

    assert opened == {None, b"a seed of twenty byte"}


@pytest.mark.requirement("G-12")
@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "...", "a.b", "a.b.c.d", f"{RING.kids[0]}..", f"{RING.kids[0]}.AAAA.AAAA", f"{RING.kids[0]}.!.!",
     f"{RING.kids[0]}.é.é", SEALED[:-1], SEALED + "A", "\x00"],
)  # fmt: skip
def test_nonsense_does_not_open(text: str) -> None:
    """What is no seal at all is None, never an error of the cipher's."""
    assert VAULT.unseal(text, where="usr_2048/totp:1") is None


def test_a_digest_is_of_its_purpose_and_value() -> None:
    """The digest of a code matches that code for that purpose alone."""
    stored = VAULT.digest("recovery", b"abcd")

    assert stored == f"{RING.kids[0]}.{hmac.digest(hkdf(SECRET, 'recovery'), b'abcd', 'sha256').hex()}"
    assert VAULT.matches(stored, "recovery", b"abcd") is True
    for wrong in (
        VAULT.matches(stored, "recovery", b"abce"),
        VAULT.matches(stored, "recovery", b""),
        VAULT.matches(stored, "mail", b"abcd"),
        VAULT.matches(stored[:-1], "recovery", b"abcd"),
        VAULT.matches(stored + "0", "recovery", b"abcd"),
        VAULT.matches(stored.upper(), "recovery", b"abcd"),
        VAULT.matches("", "recovery", b"abcd"),
        VAULT.matches("é.é", "recovery", b"abcd"),
        VAULT.matches(RING.kids[0], "recovery", b"abcd"),
    ):
        assert wrong is False

"""Signed texts: what is written is read, within limits, and nothing else is."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import pytest
from core_values import RING, SECRET
from hypothesis import given
from hypothesis import strategies as st

from stepup.errors import ConfigurationError
from stepup.keys import KeyRing
from stepup.token import GRANT_TYPE, MAX_TOKEN, OFFER_TYPE, TokenWriter

NEW, OLD = (bytes(range(start, start + 40)) for start in (1, 61))
WRITER = TokenWriter(RING, GRANT_TYPE)
CLAIMS: dict[str, object] = {"sub": "usr_2048", "n": 1, "deep": {"list": [1, None, True, "é"]}}

claims = st.dictionaries(
    st.text(st.characters(codec="utf-8"), max_size=8),
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8"), max_size=20),
    max_size=6,
)


@given(claims)
def test_what_is_signed_is_read(given_claims: dict[str, object]) -> None:
    """Any claims come back as they went in, in a text fit for a header."""
    token = WRITER.sign(given_claims)

    assert WRITER.read(token) == given_claims
    assert token.isascii()
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


def test_it_is_a_standard_compact_jws() -> None:
    """Three segments; the header names algorithm, key and type; the MAC is HMAC-SHA256 over the first two."""
    head, body, mac = WRITER.sign(CLAIMS).split(".")
    key = RING.subkey(GRANT_TYPE, RING.kids[0])
    assert key

    assert json.loads(base64.urlsafe_b64decode(head + "==")) == {"alg": "HS256", "kid": RING.kids[0], "typ": GRANT_TYPE}
    assert json.loads(base64.urlsafe_b64decode(body + "==")) == CLAIMS
    expected = hmac.digest(key, f"{head}.{body}".encode(), "sha256")
    assert base64.urlsafe_b64decode(mac + "=") == expected


def test_the_same_claims_sign_the_same() -> None:
    """There is no hidden state: the same call gives the same text."""
    assert WRITER.sign(CLAIMS) == TokenWriter(KeyRing(SECRET), GRANT_TYPE).sign(CLAIMS)


@pytest.mark.requirement("G-05")
def test_a_type_is_a_world_of_its_own() -> None:
    """An offer is not a grant, nor the reverse, though one ring signs both."""
    offers = TokenWriter(RING, OFFER_TYPE)

    assert WRITER.read(offers.sign(CLAIMS)) is None
    assert offers.read(WRITER.sign(CLAIMS)) is None
    assert offers.read(offers.sign(CLAIMS)) == CLAIMS


@pytest.mark.requirement("G-04")
def test_rotation() -> None:
    """The newest key signs, every key of the ring reads, and a dropped key reads nothing any more."""
    old = TokenWriter(KeyRing(OLD), GRANT_TYPE)
    both = TokenWriter(KeyRing(NEW, OLD), GRANT_TYPE)
    new = TokenWriter(KeyRing(NEW), GRANT_TYPE)

    assert both.read(old.sign(CLAIMS)) == CLAIMS
    assert new.read(both.sign(CLAIMS)) == CLAIMS
    assert both.sign(CLAIMS) == new.sign(CLAIMS)
    assert new.read(old.sign(CLAIMS)) is None


def test_the_limit_is_exact_and_both_ways() -> None:
    """A text of exactly the limit is written and read; one character more is not written, nor read from others."""
    fixed = len(WRITER.sign({"a": ""}).replace(WRITER.sign({"a": ""}).split(".")[1], ""))
    filler = "x" * ((MAX_TOKEN - fixed) * 3 // 4 - len('{"a":""}'))
    largest = WRITER.sign({"a": filler})

    assert len(largest) == MAX_TOKEN == 16384
    assert WRITER.read(largest) == {"a": filler}
    with pytest.raises(ConfigurationError, match=rf"stepup-grant\+jwt would have \d+ characters, at most {MAX_TOKEN} "):
        WRITER.sign({"a": filler + "x"})


def test_a_right_mac_over_too_long_a_text_is_not_read() -> None:
    """The limit holds for reading, even of what our own key signed."""
    head = WRITER.sign({}).split(".", maxsplit=1)[0]
    body = base64.urlsafe_b64encode(json.dumps({"a": "x" * MAX_TOKEN}).encode()).rstrip(b"=").decode()

    assert WRITER.read(signed(f"{head}.{body}")) is None


def signed(text: str) -> str:
    """*text* with the right MAC for it."""
    key = RING.subkey(GRANT_TYPE, RING.kids[0])
    assert key
    return f"{text}.{base64.urlsafe_b64encode(hmac.digest(key, text.encode(), 'sha256')).rstrip(b'=').decode()}"


@pytest.mark.requirement("G-12")
@pytest.mark.parametrize("payload", [b"[]", b"1", b"null", b'"text"', b"true", b"1.5"])
def test_a_payload_that_is_no_object_is_no_claims(payload: bytes) -> None:
    """Even signed with our key, claims are an object or nothing."""
    head = WRITER.sign({}).split(".", maxsplit=1)[0]
    body = base64.urlsafe_b64encode(payload).rstrip(b"=").decode()

    assert WRITER.read(signed(f"{head}.{body}")) is None


class Sly(str):
    """A string that says it is short and plain."""

    __slots__ = ()

    def __len__(self) -> int:
        return 3


@pytest.mark.requirement("G-12")
@pytest.mark.parametrize("value", [None, b"a.b.c", 1, 1.5, True, [], ["a", "b", "c"], {}, object(), Sly("é" * 9000)])
def test_what_is_no_text_is_none(value: Any) -> None:
    """Anything but a string is None, without an error."""
    assert WRITER.read(value) is None


@given(st.text(max_size=200))
def test_any_text_is_none(text: str) -> None:
    """No text that we did not sign is ever read."""
    assert WRITER.read(text) is None


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_behind_our_own_header_is_none(body: str, mac: str) -> None:
    """Our header alone opens nothing."""
    head = WRITER.sign({}).split(".", maxsplit=1)[0]

    assert WRITER.read(f"{head}.{body}.{mac}") is None


@pytest.mark.requirement("Z-08")
def test_a_writer_shows_no_key() -> None:
    """Its repr names the type and nothing else."""
    assert repr(WRITER) == f"TokenWriter({GRANT_TYPE!r})"

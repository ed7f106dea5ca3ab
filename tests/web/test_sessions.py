"""The session binding: whose cookie it is, what it says of the sign-in, and that it cannot be made up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from web_world import MARCUS, OLIVIA, SECRET

from stepup import Actor
from stepup.errors import InvalidInput
from stepup.keys import KeyRing
from stepup.testing.clock import START
from stepup.token import GRANT_TYPE, TokenWriter
from stepup.web.sessions import LIFE, SESSION_TYPE, Sessions

RING = KeyRing.coerce(SECRET)
SESSIONS = Sessions(RING, "stepup")


def test_a_sign_in_is_carried_and_read_back() -> None:
    """When and by what somebody signed in stands in the cookie, to the second."""
    bound = SESSIONS.signed_in(["password", "totp"], START)

    found = SESSIONS.read(SESSIONS.written(bound, OLIVIA), OLIVIA, START + timedelta(hours=1))

    assert found == bound
    assert found is not None
    assert found.session.authenticated_at == START
    assert [(proof.method, proof.at) for proof in found.session.proofs] == [("password", START), ("totp", START)]


def test_a_session_that_nobody_spoke_of_is_never_fresh() -> None:
    """Without a recorded sign-in there is no time of one, however young the cookie is."""
    found = SESSIONS.read(SESSIONS.written(SESSIONS.fresh(START), OLIVIA), OLIVIA, START)

    assert found is not None
    assert found.session.authenticated_at is None
    assert found.session.proofs == ()


@pytest.mark.requirement("G-01")
def test_a_renewed_session_has_another_id_and_the_same_age() -> None:
    """Rotation at a step-up changes what proofs are bound to, and makes nothing fresher."""
    bound = SESSIONS.signed_in(["password"], START)

    later = SESSIONS.renewed(bound, START + timedelta(hours=1))

    assert later.id != bound.id
    assert (later.signed_in_at, later.methods) == (bound.signed_in_at, bound.methods)


@pytest.mark.parametrize("actor", [MARCUS, Actor(OLIVIA.id, tenant="other")])
def test_somebody_elses_cookie_is_none(actor: Actor) -> None:
    """A cookie says for whom it was made; after somebody else has signed in, it is worth nothing."""
    cookie = SESSIONS.written(SESSIONS.signed_in(["password"], START), OLIVIA)

    assert SESSIONS.read(cookie, actor, START) is None
    assert SESSIONS.read(cookie, Actor(OLIVIA.id, email="new@northstar.example"), START) is not None


def test_a_cookie_has_a_life() -> None:
    """At its end, and when it comes from the future, it is none."""
    cookie = SESSIONS.written(SESSIONS.fresh(START), OLIVIA)

    assert SESSIONS.read(cookie, OLIVIA, START + LIFE - timedelta(seconds=1)) is not None
    assert SESSIONS.read(cookie, OLIVIA, START + LIFE) is None
    assert SESSIONS.read(cookie, OLIVIA, START - timedelta(seconds=31)) is None


def test_what_we_did_not_write_as_a_session_is_none() -> None:
    """Edited, cut, made with another key, by another gate, a token of another type, another shape: no cookie."""
    bound = SESSIONS.signed_in(["password"], START)
    cookie = SESSIONS.written(bound, OLIVIA)
    head, body, mac = cookie.split(".")
    other = Sessions(KeyRing.coerce("another secret of the web tests, never real: 9876543210"), "stepup")
    claims = {"iss": "stepup", "sub": OLIVIA.id, "iat": int(START.timestamp()), "stepup": {"ten": "", "sid": "x"}}
    for junk in (
        None, "", "x", 7, cookie[:-1], cookie + "A", f"{head}.{body}x.{mac}", f"{head}..{mac}",
        other.written(bound, OLIVIA), Sessions(RING, "elsewhere").written(bound, OLIVIA),
        TokenWriter(RING, GRANT_TYPE).sign(claims), TokenWriter(RING, SESSION_TYPE).sign(claims),
        TokenWriter(RING, SESSION_TYPE).sign({**claims, "iat": "now"}),
        TokenWriter(RING, SESSION_TYPE).sign({"stepup": None}),
    ):  # fmt: skip
        assert SESSIONS.read(junk, OLIVIA, START) is None


def test_the_id_is_shown_nowhere() -> None:
    """A secret has no readable repr."""
    bound = SESSIONS.fresh(START)

    assert bound.id not in repr(bound)
    assert bound.id not in repr(bound.session)


def test_methods_are_names_and_few() -> None:
    """What an application reports of a sign-in is checked when it reports it."""
    for methods in (["password"] * 9, [""], [" x"]):
        with pytest.raises(InvalidInput):
            SESSIONS.signed_in(methods, START)

"""Grants: what a finished challenge mints, what a call must match, and the claims a token carries."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest
from core_values import ACTOR, BINDING, CONTEXT, DEVICE, NOW, RESOURCE, RING, SESSION, proof, seconds
from hypothesis import given
from hypothesis import strategies as st

from stepup.bearer import from_claims, to_claims
from stepup.binding import Binding
from stepup.context import Actor, Context, Device, Proof, Resource, Session
from stepup.grant import MAX_SKEW, SHELF_LIMIT, Grant, Proved, Shelf, mint, moved, refusals, shelved
from stepup.policy import BINDS, Action, Policy, Risk
from stepup.registry import Registry
from stepup.requirement import ANY, Requirement, all_of, any_of, method
from stepup.rules import Rules

ISSUER, AUDIENCE = "https://northstar.example", "northstar"
METHODS = {"totp": 30, "password": 20, "recovery_code": 30}


def rules(
    level: Risk = Risk.HIGH, *, group: str | None = None, action_id: str = "organization.delete", **fields: Any
) -> Rules:
    policy = Policy(**{"methods": ANY, "grant_ttl": 300, **fields})
    action = Action(action_id, "Delete organization", risk=level, group=group, policy=policy)
    return Registry([action], methods=METHODS, assessed=False).rules(action_id, level)


def minted(
    made_under: Rules | None = None, *proofs: Proof, binding: Binding = BINDING, grant_id: str = "grant_1"
) -> Grant:
    return mint(grant_id, binding, made_under or rules(), proofs or (proof(),), (1, 2), 3, NOW)


# -- minting --------------------------------------------------------------------------------


def test_a_grant_holds_what_it_was_minted_from() -> None:
    """Binding, level, rules, uses, proofs, epochs and fence are those of the challenge and its rules."""
    made = rules(uses=3, group="sudo")

    grant = minted(made, proof("totp"), proof("password"))

    assert (grant.id, grant.binding, grant.level, grant.rules) == ("grant_1", BINDING, 3, made.hash)
    assert (grant.uses, grant.epochs, grant.fence, grant.group) == (3, (1, 2), 3, "sudo")
    assert grant.proofs == (proof("totp"), proof("password"))
    assert (grant.issued_at, grant.expires_at) == (NOW, NOW + seconds(300))


@pytest.mark.requirement("P-12", "C-06")
@pytest.mark.parametrize(
    ("ttl", "max_age", "ages", "lasts"),
    [
        (300, None, (0,), 300),
        (300, 600, (0,), 300),
        (300, 60, (0,), 60),
        (300, 60, (50,), 10),
        (300, 60, (0, 50), 10),
        (300, 60, (60,), 0),
        (300, 60, (90,), -30),
        (43200, 43200, (43199,), 1),
    ],
)
def test_a_grant_ends_with_its_oldest_proof(ttl: int, max_age: int | None, ages: tuple[int, ...], lasts: int) -> None:
    """Whichever ends first: the grant's own time, or the age a proof may have."""
    proofs = [proof(f"method_{age}", age=age) for age in ages]

    grant = minted(rules(grant_ttl=ttl, max_age=max_age), *proofs)

    assert grant.expires_at - NOW == seconds(lasts)


FRESH_TOTP = method("totp", max_age=60)


@pytest.mark.requirement("P-12", "C-06")
@pytest.mark.parametrize(
    ("methods", "proofs", "lasts"),
    [
        (FRESH_TOTP, (proof("totp"),), 60),
        (FRESH_TOTP, (proof("totp", age=50),), 10),
        (FRESH_TOTP, (proof("recovery_code", stands_for="totp"),), 60),
        (FRESH_TOTP, (proof("recovery_code", stands_for="passkey"),), 300),
        (any_of(FRESH_TOTP, "totp"), (proof("totp"),), 60),
        (any_of("totp", FRESH_TOTP), (proof("totp"),), 60),
        (any_of(method("totp", max_age=90), FRESH_TOTP, method("totp", max_age=120)), (proof("totp"),), 60),
        (all_of(method("password", max_age=100), FRESH_TOTP), (proof("password"), proof("totp")), 60),
        (all_of(method("password", max_age=100), FRESH_TOTP), (proof("password", age=90), proof("totp")), 10),
        (any_of("password", FRESH_TOTP), (proof("password"),), 300),
        (all_of(ANY, FRESH_TOTP), (proof("totp"),), 60),
        (any_of(FRESH_TOTP, method("recovery_code", max_age=30)), (proof("recovery_code", stands_for="totp"),), 30),
    ],
)
def test_a_grant_ends_with_the_least_age_of_any_place_its_proofs_fill(
    methods: Requirement, proofs: tuple[Proof, ...], lasts: int
) -> None:
    """Where a method is named twice, or stood in for, the grant lasts as long as the strictest place allows."""
    grant = minted(rules(methods=methods), *proofs)

    assert grant.expires_at - NOW == seconds(lasts)


def test_times_are_whole_seconds_and_never_longer_for_it() -> None:
    """A token counts seconds, so a grant does too, rounded down."""
    late = NOW + seconds(0.9)

    grant = mint("g", BINDING, rules(max_age=10), (replace(proof(), at=late),), (1, 1), 1, late)

    assert (grant.issued_at, grant.expires_at) == (NOW, NOW + seconds(10))


@pytest.mark.requirement("G-11")
@pytest.mark.parametrize(
    ("proofs", "amr"),
    [
        ((proof("totp"),), ("otp",)),
        ((proof("password"),), ("pwd",)),
        ((proof("passkey"),), ("hwk", "user")),
        ((proof("totp"), proof("totp", age=5)), ("otp",)),
        ((proof("password"), proof("totp")), ("pwd", "otp", "mfa")),
        ((proof("totp"), proof("password")), ("otp", "pwd", "mfa")),
        ((proof("passkey"), proof("password")), ("hwk", "user", "pwd", "mfa")),
        ((proof("unnamed"),), ()),
    ],
)
def test_amr_names_what_was_proved(proofs: tuple[Proof, ...], amr: tuple[str, ...]) -> None:
    """Each value once, in order; mfa only where two distinct methods were proved for this very challenge."""
    assert minted(None, *proofs).amr == amr


@pytest.mark.requirement("G-07")
def test_auth_time_is_that_of_the_oldest_proof() -> None:
    """It does not move when the grant is minted later."""
    grant = minted(None, proof("totp", age=10), proof("password", age=100))

    assert grant.auth_time == NOW - seconds(100)


# -- using ------------------------------------------------------------------------------------


@pytest.mark.requirement("C-06")
@pytest.mark.parametrize(
    ("at", "found"),
    [(0, ()), (299, ()), (299.999, ()), (300, ("expired",)), (301, ("expired",)), (10**7, ("expired",))],
)
def test_expiry_to_the_second(at: float, found: tuple[str, ...]) -> None:
    """Good until just before its end; refused at its end and after."""
    assert refusals(minted(), BINDING, rules(), NOW + seconds(at)) == found


@pytest.mark.requirement("Y-09")
@pytest.mark.parametrize(
    ("ahead", "found"), [(0, ()), (30, ()), (31, ("issued_in_future",)), (90, ("issued_in_future",))]
)
def test_another_machines_clock_may_differ_a_little(ahead: int, found: tuple[str, ...]) -> None:
    """A grant from up to 30 seconds in the future is used; beyond that it is refused."""
    assert seconds(30) == MAX_SKEW
    assert refusals(minted(), BINDING, rules(), NOW - seconds(ahead)) == found


DELETE = "organization.delete"
OTHERS: dict[str, tuple[Context, Resource | None, str | None, str]] = {
    "actor": (replace(CONTEXT, actor=Actor("usr_1")), RESOURCE, "ab" * 32, DELETE),
    "tenant": (replace(CONTEXT, actor=replace(ACTOR, tenant="other")), RESOURCE, "ab" * 32, DELETE),
    "on_behalf_of": (replace(CONTEXT, actor=replace(ACTOR, on_behalf_of="usr_1")), RESOURCE, "ab" * 32, DELETE),
    "session": (replace(CONTEXT, session=Session("sess_2")), RESOURCE, "ab" * 32, DELETE),
    "no session": (replace(CONTEXT, session=None), RESOURCE, "ab" * 32, DELETE),
    "device": (replace(CONTEXT, device=Device("other")), RESOURCE, "ab" * 32, DELETE),
    "no device": (replace(CONTEXT, device=None), RESOURCE, "ab" * 32, DELETE),
    "organization": (replace(CONTEXT, organization="org_8"), RESOURCE, "ab" * 32, DELETE),
    "no organization": (replace(CONTEXT, organization=None), RESOURCE, "ab" * 32, DELETE),
    "action": (CONTEXT, RESOURCE, "ab" * 32, "organization.rename"),
    "resource": (CONTEXT, Resource("organization", "org_8"), "ab" * 32, DELETE),
    "resource type": (CONTEXT, Resource("team", "org_7"), "ab" * 32, DELETE),
    "no resource": (CONTEXT, None, "ab" * 32, DELETE),
    "params": (CONTEXT, RESOURCE, "cd" * 32, DELETE),
    "no params": (CONTEXT, RESOURCE, None, DELETE),
}


@pytest.mark.requirement("G-13", "G-14", "C-03", "G-05")
@pytest.mark.parametrize("name", OTHERS)
def test_another_call_is_refused(name: str) -> None:
    """A grant for one call does not open the call that differs in one thing, and says in which."""
    context, resource, digest, action = OTHERS[name]
    request = Binding.of(action, context, resource, digest, RING)

    found = refusals(minted(), request, rules(), NOW)

    assert found == (name.removeprefix("no ").removesuffix(" type"),)


def test_labels_are_not_bound() -> None:
    """What is only shown may change: the label of a device or resource, an address, the browser."""
    context = replace(
        CONTEXT, actor=replace(ACTOR, email="new@northstar.example"), device=replace(DEVICE, label="x", trusted=True),
        ip="192.0.2.1", user_agent="Other", session=replace(SESSION, label="x", authenticated_at=NOW),
    )  # fmt: skip

    request = Binding.of(DELETE, context, replace(RESOURCE, label="x"), "ab" * 32, RING)

    assert refusals(minted(), request, rules(), NOW) == ()


@pytest.mark.requirement("G-13")
@pytest.mark.parametrize("name", sorted(BINDS))
def test_what_an_action_leaves_out_is_not_compared(name: str) -> None:
    """An action may leave one thing out, by name; everything else is still compared."""
    action = Action("organization.delete", "Delete", binds=BINDS - {name})
    loose = Registry([action], methods={"totp": 30}, assessed=False).rules("organization.delete", Risk.HIGH)

    for other, (context, resource, digest, action_id) in OTHERS.items():
        request = Binding.of(action_id, context, resource, digest, RING)
        plain = other.removeprefix("no ").removesuffix(" type")
        assert refusals(minted(), request, loose, NOW) == (() if plain == name else (plain,))


def test_every_difference_is_named() -> None:
    """All reasons come back at once, for the audit."""
    found = refusals(
        minted(), Binding("usr_1", "x", "t", "b", "s", "d", "o", "r", "i", "p"), rules(), NOW + seconds(300)
    )

    assert found == (
        "actor", "tenant", "on_behalf_of", "action", "session", "device", "organization", "params", "resource",
        "expired",
    )  # fmt: skip


# -- groups -------------------------------------------------------------------------------------


def rename(**fields: Any) -> Binding:
    """A call of another action of the group, on another resource."""
    return replace(BINDING, action="team.rename", resource_id="other", params=None, **fields)


@pytest.mark.parametrize(
    ("grant_level", "action_level", "grant_group", "action_group", "opens"),
    [
        (grant_level, action_level, grant_group, action_group,
         grant_group == action_group == "sudo" and grant_level <= 3 and action_level <= 3)
        for grant_level, action_level, grant_group, action_group in itertools.product(
            (1, 2, 3, 4), (1, 2, 3, 4), ("sudo", "other", None), ("sudo", None)
        )
    ],
)  # fmt: skip
def test_one_proof_covers_a_group_below_critical(
    grant_level: int, action_level: int, grant_group: str | None, action_group: str | None, opens: bool
) -> None:
    """Other calls of the same group are open; at level 4, or without a group, nothing else is."""
    grant = replace(minted(), level=grant_level, group=grant_group)
    base = rules(Risk(3), group=action_group, action_id="team.rename")

    found = refusals(grant, rename(), replace(base, level=Risk(action_level)), NOW)

    assert (found == ()) is opens
    if not opens:
        assert found == ("action", "params", "resource")


@pytest.mark.requirement("G-13", "G-14")
@pytest.mark.parametrize(
    ("name", "fields"),
    [("actor", {"actor": "x"}), ("tenant", {"tenant": "x"}), ("on_behalf_of", {"on_behalf_of": "x"}),
     ("session", {"session": "x"}), ("device", {"device": "x"}), ("organization", {"organization": "x"})],
)  # fmt: skip
def test_a_group_is_no_bridge_between_people(name: str, fields: dict[str, str]) -> None:
    """Person, session, device and organization are still compared."""
    grant = replace(minted(), group="sudo")

    assert refusals(grant, rename(**fields), rules(group="sudo", action_id="team.rename"), NOW) == (name,)


# -- claims ---------------------------------------------------------------------------------------

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
maybe = st.none() | texts
bindings = st.builds(Binding, texts, texts, st.just("") | texts, maybe, maybe, maybe, maybe, maybe, maybe, maybe)
proof_values = st.builds(
    lambda name, amr, age, verified, factor, strength, stands: Proof(
        name, NOW - seconds(age), tuple(amr), verified, factor, strength, stands
    ),
    st.sampled_from(["totp", "password", "passkey"]), st.lists(texts, max_size=2), st.integers(0, 10**6), st.booleans(),
    maybe, st.integers(0, 50), maybe,
)  # fmt: skip
grants = st.builds(
    Grant, texts, bindings, st.integers(1, 4), texts, st.none() | st.integers(1, 9),
    st.integers(0, 10**9).map(lambda n: NOW - seconds(n)), st.integers(0, 10**6).map(lambda n: NOW + seconds(n)),
    st.lists(proof_values, min_size=1, max_size=3).map(tuple), st.tuples(st.integers(0, 9), st.integers(0, 9)),
    st.integers(0, 10**12), maybe,
)  # fmt: skip


@given(grants)
def test_a_grant_survives_its_token(grant: Grant) -> None:
    """What goes into the claims comes out of the JSON the same."""
    claims = json.loads(json.dumps(to_claims(grant, ISSUER, AUDIENCE)))

    assert from_claims(claims, ISSUER, AUDIENCE) == grant


def test_registered_claims_say_what_they_can() -> None:
    """Anybody who reads JWTs finds issuer, audience, subject, times, level and methods where they expect them."""
    claims = to_claims(minted(None, proof("totp", age=5), proof("password")), ISSUER, AUDIENCE)

    moment = int(NOW.timestamp())
    own = claims.pop("stepup")
    assert claims == {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "usr_2048", "iat": moment, "exp": moment + 300, "jti": "grant_1",
        "acr": "urn:stepup:level:3", "amr": ["otp", "pwd", "mfa"], "auth_time": moment - 5,
    }  # fmt: skip
    assert isinstance(own, dict)
    assert own["act"] == "organization.delete"


def test_who_acts_for_whom() -> None:
    """When somebody is impersonated, the subject is that person and the actor claim the one who acts."""
    claims = to_claims(minted(binding=replace(BINDING, on_behalf_of="usr_1")), ISSUER, AUDIENCE)

    assert (claims["sub"], claims["act"]) == ("usr_1", {"sub": "usr_2048"})
    again = from_claims(claims, ISSUER, AUDIENCE)
    assert again is not None
    assert (again.binding.actor, again.binding.on_behalf_of) == ("usr_2048", "usr_1")


@pytest.mark.requirement("D-03", "Z-08")
def test_claims_hold_no_secret() -> None:
    """Neither session id nor fingerprint nor params are in a token, only their hashes."""
    text = json.dumps(to_claims(minted(), ISSUER, AUDIENCE))

    assert SESSION.id not in text
    assert DEVICE.fingerprint not in text
    assert str(ACTOR.email) not in text


@pytest.mark.requirement("G-05")
@pytest.mark.parametrize(
    ("issuer", "audience"),
    [(ISSUER, "other"), ("https://other.example", AUDIENCE), ("", AUDIENCE), (ISSUER, ""), (AUDIENCE, ISSUER),
     (ISSUER + "/", AUDIENCE), (ISSUER, [AUDIENCE]), (ISSUER, None), (None, AUDIENCE)],
)  # fmt: skip
def test_another_applications_token_is_nothing(issuer: Any, audience: Any) -> None:
    """Issuer and audience are compared exactly, on the token and on the reader's side."""
    claims = to_claims(minted(), ISSUER, AUDIENCE)

    assert from_claims({**claims, "iss": issuer, "aud": audience}, ISSUER, AUDIENCE) is None
    assert from_claims(claims, issuer, audience) is None
    assert from_claims({k: v for k, v in claims.items() if k != "aud"}, ISSUER, AUDIENCE) is None


# -- shelves ----------------------------------------------------------------------------------------


def on_shelf(grant_id: str, *, ttl: int = 300, epochs: tuple[int, int] = (1, 2), fence: int = 3) -> Grant:
    return replace(minted(), id=grant_id, expires_at=NOW + seconds(ttl), epochs=epochs, fence=fence)


def test_a_shelf_begins_with_the_first_grant() -> None:
    """It takes the grant's epochs and fence, and remembers what was proved."""
    grant = on_shelf("g1")

    assert shelved(None, grant, NOW) == Shelf((1, 2), 3, (grant,), (Proved(proof(), "g1", BINDING),))


def test_a_shelf_keeps_what_lives() -> None:
    """Expired grants go when another one comes; a proof is replaced by a newer one of its method, with its call."""
    shelf = shelved(None, replace(on_shelf("g1", ttl=10), proofs=(proof("passkey"),)), NOW)
    shelf = shelved(shelf, on_shelf("g2", ttl=300), NOW)
    later = replace(on_shelf("g3"), proofs=(proof("password"), proof("totp", age=-5)), binding=rename())

    shelf = shelved(shelf, later, NOW + seconds(10))

    assert [one.id for one in shelf.grants] == ["g2", "g3"]
    assert shelf.proved == (
        Proved(proof("passkey"), "g1", BINDING),
        Proved(proof("password"), "g3", rename()),
        Proved(proof("totp", age=-5), "g3", rename()),
    )


def test_a_shelf_is_bounded() -> None:
    """Of more than 32 grants the oldest go."""
    shelf: Shelf | None = None
    for number in range(SHELF_LIMIT + 5):
        shelf = shelved(shelf, on_shelf(f"g{number}"), NOW)

    assert shelf is not None
    assert [one.id for one in shelf.grants] == [f"g{number}" for number in range(5, SHELF_LIMIT + 5)]


@pytest.mark.requirement("G-02", "Y-11")
@pytest.mark.parametrize(("epochs", "fence"), [((2, 2), 3), ((1, 3), 3), ((1, 2), 4)])
def test_what_was_revoked_is_not_carried_on(epochs: tuple[int, int], fence: int) -> None:
    """A grant under new epochs or a new fence starts over: earlier grants of the session and proofs are gone."""
    old = replace(on_shelf("old"), proofs=(proof("password"),))
    shelf = shelved(None, old, NOW)

    after = shelved(shelf, on_shelf("new", epochs=epochs, fence=fence), NOW)

    assert [one.id for one in after.grants] == ["new"]
    assert (after.epochs, after.fence) == (epochs, fence)
    assert after.proved == (Proved(proof("totp"), "new", BINDING),)


@pytest.mark.requirement("G-02")
def test_on_a_shelf_of_many_sessions_only_ones_own_start_over() -> None:
    """Where grants are not bound to a session, revoking one session leaves what the others have unlocked."""
    elsewhere = replace(on_shelf("elsewhere", epochs=(1, 9)), binding=replace(BINDING, session="other session"))
    shelf = Shelf((1, 2), 3, (elsewhere, on_shelf("old")), (Proved(proof("password"), "old", BINDING),))

    after = shelved(shelf, on_shelf("new", epochs=(1, 3)), NOW)

    assert [one.id for one in after.grants] == ["elsewhere", "new"]
    assert after.proved == (Proved(proof("totp"), "new", BINDING),)


@pytest.mark.requirement("G-01")
def test_a_rotated_session_takes_its_grants_along() -> None:
    """The grants name the new session and its epochs; their ids, and so what was spent of them, stay."""
    shelf = shelved(None, on_shelf("g1"), NOW)

    after = moved(shelf, "new session", (1, 9))

    assert [one.id for one in after.grants] == ["g1"]
    assert after.grants[0].binding == replace(BINDING, session="new session")
    assert (after.epochs, after.grants[0].epochs) == ((1, 9), (1, 9))
    assert [one.binding.session for one in after.proved] == ["new session"]
    assert [one.proof for one in after.proved] == [one.proof for one in shelf.proved]
    assert refusals(shelf.grants[0], after.grants[0].binding, rules(), NOW) == ("session",)


@pytest.mark.requirement("G-01", "G-02")
@pytest.mark.parametrize("epochs", [(1, 1), (2, 2), (0, 2)])
def test_what_was_revoked_does_not_move_to_a_new_session(epochs: tuple[int, int]) -> None:
    """A grant of other epochs than the shelf's is dead, and rotating the session does not revive it."""
    dead = on_shelf("dead", epochs=epochs)
    shelf = Shelf((1, 2), 3, (dead, on_shelf("alive")))

    after = moved(shelf, "new session", (1, 9))

    assert [(one.id, one.epochs) for one in after.grants] == [("alive", (1, 9))]

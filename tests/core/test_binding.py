"""What a proof is for: built from the request, compared piece by piece, and kept apart by tenant."""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace

import pytest
from core_values import BINDING, CONTEXT, DEVICE, RESOURCE, RING, SESSION
from hypothesis import given
from hypothesis import strategies as st

from stepup.binding import Binding, partition, session_hash
from stepup.context import Actor, Context
from stepup.policy import BINDS

texts = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8)


@pytest.mark.requirement("C-03", "D-03")
def test_a_binding_is_made_from_the_request() -> None:
    """It holds ids as they are, and of session and device only keyed hashes."""
    assert (
        Binding(
            actor="usr_2048",
            action="organization.delete",
            session=RING.hash_id("session", "sess_1"),
            device=RING.hash_id("device", "fingerprint"),
            organization="org_7",
            resource_type="organization",
            resource_id="org_7",
            params="ab" * 32,
        )
        == BINDING
    )
    assert SESSION.id not in repr(BINDING)
    assert DEVICE.fingerprint not in repr(BINDING)


def test_what_is_missing_is_none() -> None:
    """A call without session, device, organization, resource and params binds the person and the action."""
    made = Binding.of("a", Context(Actor("usr_1", tenant="t", on_behalf_of="usr_2")), None, None, RING)

    assert made == Binding("usr_1", "a", tenant="t", on_behalf_of="usr_2")
    assert session_hash(RING, Context(Actor("usr_1"))) is None


@pytest.mark.requirement("G-13")
def test_every_field_is_compared() -> None:
    """A difference in any single field of a binding is found, with everything bound."""
    for field in fields(Binding):
        other = replace(BINDING, **{field.name: "something else"})
        assert len(BINDING.mismatches(other, BINDS)) == 1, field.name
        assert len(other.mismatches(BINDING, BINDS)) == 1, field.name
    assert BINDING.mismatches(replace(BINDING), BINDS) == ()


@pytest.mark.requirement("G-14")
def test_person_and_action_are_always_compared() -> None:
    """They cannot be left out."""
    for name in ("actor", "tenant", "on_behalf_of", "action"):
        assert BINDING.mismatches(replace(BINDING, **{name: "x"}), frozenset()) == (name,)
    for name in ("session", "device", "organization", "params", "resource_id"):
        assert BINDING.mismatches(replace(BINDING, **{name: "x"}), frozenset()) == ()


def test_a_binding_moves_to_another_session() -> None:
    """Only the session changes."""
    assert BINDING.in_session("new") == replace(BINDING, session="new")
    assert BINDING.in_session(None).session is None


# -- slots ---------------------------------------------------------------------------------


def test_a_slot_is_a_bindings_own() -> None:
    """The same call has the same slot; a difference in anything but the person gives another one."""
    slots = {BINDING.slot}
    for field in fields(Binding):
        if field.name in {"actor", "tenant"}:  # slots stand in the person's own partition
            continue
        slots.add(replace(BINDING, **{field.name: "something else"}).slot)

    assert replace(BINDING).slot == BINDING.slot
    assert len(slots) == 1 + len(fields(Binding)) - 2
    assert {len(slot) for slot in slots} == {32}


@given(texts, texts)
def test_slots_do_not_run_into_each_other(one: str, two: str) -> None:
    """Text moved from one field to the next is another slot."""
    assert Binding("a", one, resource_type=two).slot != Binding("a", one + two).slot
    assert Binding("a", "x", session=one, device=two).slot != Binding("a", "x", session=one + two).slot
    assert Binding("a", "x", session="null").slot != Binding("a", "x").slot


# -- partitions -----------------------------------------------------------------------------


def test_a_partition_can_be_computed_by_hand() -> None:
    """Hex SHA-256 over the domain and the length-prefixed parts."""
    parts = b"\x00\x00\x00\x02ns" + b"\x00\x00\x00\x01t" + b"\x00\x00\x00\x05usr_1"

    expected = hashlib.sha256(b"stepup.partition.v1\0" + parts).hexdigest()
    assert partition("ns", Actor("usr_1", tenant="t")) == expected


@pytest.mark.requirement("G-14")
@given(st.lists(st.tuples(texts, texts | st.just(""), texts), min_size=2, max_size=6, unique=True))
def test_no_two_people_share_a_partition(people: list[tuple[str, str, str]]) -> None:
    """Another namespace, tenant or id, however the texts are cut, is another partition."""
    found = {partition(namespace, Actor(actor, tenant=tenant)) for namespace, tenant, actor in people}

    assert len(found) == len(people)


@pytest.mark.requirement("G-14")
def test_a_partition_is_the_persons_in_every_organization() -> None:
    """Address and impersonation do not move anybody's counters; the tenant does."""
    home = partition("ns", Actor("usr_1"))

    assert partition("ns", Actor("usr_1", email="a@northstar.example", on_behalf_of="usr_2")) == home
    assert partition("ns", Actor("usr_1", tenant="other")) != home
    assert replace(CONTEXT, organization="org_8").actor == CONTEXT.actor
    assert RESOURCE.id == CONTEXT.organization

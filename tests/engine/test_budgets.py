"""What every step costs in store calls, counted: the budgets of the design, on both faces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from engine_bench import ACTOR, CONTEXT, ORG, OTHER, OTHER_SECRET, Counting, World, both_faces, context, world

from stepup import Actor, Context, Resource
from stepup.ports import Checked
from stepup.testing.scripted import ScriptedVerifier

pytestmark = both_faces


def _calls(here: World, action: str, token: str | None, who: Context = CONTEXT, **call: Any) -> Sequence[str]:
    return here.store.during(lambda: here.allows(action, who, token, **call))


def test_a_single_use_grant_costs_one_write(face: str) -> None:
    """The claim, the checks and the event are one batch."""
    here = world(face=face)
    token = here.prove("org.delete").token

    assert _calls(here, "org.delete", token) == ["apply"]
    batch = here.store.batches[-1]
    assert [put.key.kind for put in batch.puts] == ["claim"]
    assert sorted(check.key.kind for check in batch.checks) == ["epoch", "epoch", "fence"]
    assert len(batch.events) == 1


def test_a_multi_use_token_at_level_3_costs_one_write_that_puts_nothing(face: str) -> None:
    """At levels 3 and 4 a use is recorded, and what it rests on is checked in the same moment."""
    here = world(face=face)
    token = here.prove("member.role").token

    for _ in range(2):
        assert _calls(here, "member.role", token) == ["apply"]
    batch = here.store.batches[-1]
    assert batch.puts == ()
    assert sorted(check.key.kind for check in batch.checks) == ["epoch", "epoch", "fence", "grant"]
    assert [event.reason for event in batch.events] == ["grant_redeemed"]


@pytest.mark.parametrize("action", ["note.edit", "member.remove"])
def test_a_multi_use_token_at_levels_1_and_2_costs_one_read(face: str, action: str) -> None:
    """Where nothing is spent and no event is owed, looking is enough."""
    here = world(face=face)
    who = context(age=86400)
    token = here.prove(action, who).token

    assert _calls(here, action, token, who) == ["load"]


def test_a_counted_grant_costs_a_read_and_a_write(face: str) -> None:
    """Three uses, two calls each; the fourth is refused."""
    here = world(face=face)
    token = here.prove("batch.run").token

    assert [_calls(here, "batch.run", token) for _ in range(3)] == [["load", "apply"]] * 3
    assert not here.allows("batch.run", token=token)


def _refused_tokens(here: World) -> dict[str, tuple[str, Context, Resource | None, dict[str, object] | None]]:
    """Tokens that must be refused before the store is asked, with the call they are presented for."""
    token = here.prove("member.role", params={"role": "owner"}).token
    foreign = world(secret=OTHER_SECRET).prove("member.role", params={"role": "owner"}).token
    needed = here.gate.check("member.role", CONTEXT, resource=ORG)
    right: dict[str, object] = {"role": "owner"}
    head, body, mac = token.split(".")
    return {
        "forged": (foreign, CONTEXT, ORG, right),
        "edited": (f"{head}.{body[:-2]}AA.{mac}", CONTEXT, ORG, right),
        "cut": (token[:-1], CONTEXT, ORG, right),
        "empty": ("", CONTEXT, ORG, right),
        "an offer": (needed.offer or "", CONTEXT, ORG, right),
        "other actor": (token, context(actor=OTHER), ORG, right),
        "other tenant": (token, context(actor=Actor(ACTOR.id, tenant="acme")), ORG, right),
        "other session": (token, context("sess_2"), ORG, right),
        "no session": (token, context(None), ORG, right),
        "other device": (token, context(device="fp_2"), ORG, right),
        "other organization": (token, context(organization="org_8"), ORG, right),
        "other resource": (token, CONTEXT, Resource("organization", "org_8"), right),
        "no resource": (token, CONTEXT, None, right),
        "other params": (token, CONTEXT, ORG, {"role": "admin"}),
        "no params": (token, CONTEXT, ORG, None),
    }


@pytest.mark.requirement("G-05", "G-10", "G-13", "G-14")
def test_a_refused_token_costs_nothing(face: str) -> None:
    """Forged, edited, of another type, or for anything else than this very call: no store call at all."""
    here = world(face=face)

    for name, (token, who, resource, params) in _refused_tokens(here).items():
        assert _calls(here, "member.role", token, who, resource=resource, params=params) == [], name
        assert not here.allows("member.role", who, token, resource=resource, params=params), name


def test_a_token_for_another_action_or_out_of_time_costs_nothing(face: str) -> None:
    """The action is compared like everything else, and so is the end."""
    here = world(face=face)
    token = here.prove("member.role").token

    assert _calls(here, "key.rotate", token) == []
    here.clock.advance(300)
    assert _calls(here, "member.role", token) == []
    assert not here.allows("member.role", token=token)


def test_a_fresh_session_costs_nothing(face: str) -> None:
    """Somebody who signed in a minute ago edits a note without one store call."""
    here = world(face=face)

    assert _calls(here, "note.edit", None, context(age=60)) == []
    assert here.allows("note.edit", context(age=60))


def test_looking_for_a_session_grant_costs_one_read_more(face: str) -> None:
    """Without a token, the shelf is read first; what was found is then redeemed as always."""
    here = world(face=face)
    here.start("batch.run")  # the person's factors have been seen
    assert _calls(here, "member.role", None) == ["load"]
    here.prove("member.role")

    assert _calls(here, "member.role", None) == ["load", "apply"]


def test_starting_costs_two(face: str) -> None:
    """One read, one write."""
    here = world(face=face)

    assert here.store.during(lambda: here.start("org.delete")) == ["load", "apply"]
    assert here.store.during(lambda: here.start("org.delete")) == ["load", "apply"]


class _Watching(ScriptedVerifier):
    """Notes how many store calls had been made when it was asked."""

    def __init__(self, store: Counting) -> None:
        super().__init__("passkey", strength=40, answer="touch")
        self.store = store
        self.seen: list[list[str]] = []

    def check(self, state: Any, response: object, context: Any, /) -> Checked:
        self.seen.append(list(self.store.calls))
        return super().check(state, response, context)


@pytest.mark.parametrize("answer", ["touch", "wrong"])
def test_an_answer_costs_four_with_the_verifier_in_the_middle(face: str, answer: str, store: Counting) -> None:
    """Read and count; then the verifier; then read and conclude. Right and wrong cost the same."""
    verifier = _Watching(store)
    here = world(face=face, verifiers=[verifier], store=store, actions=(world_action(),))
    challenge = here.start("org.delete")
    before = len(store.calls)

    here.gate.verify(challenge.id, "passkey", answer, CONTEXT)

    assert store.calls[before:] == ["load", "apply", "load", "apply"]
    assert verifier.seen == [store.calls[: before + 2]]


def world_action() -> Any:
    """The one action of the test above."""
    from stepup import Action, Risk

    return Action("org.delete", "Delete organization", risk=Risk.CRITICAL)


def test_recording_everything_adds_one_write(face: str) -> None:
    """``record="all"``: what leaves no event by itself costs one events-only batch."""
    here = world(face=face, record="all")
    here.start("batch.run")  # the person's factors have been seen
    who = context(age=60)

    assert _calls(here, "note.edit", None, who) == ["apply"]
    assert _calls(here, "member.role", "nonsense") == ["apply"]
    assert _calls(here, "member.role", None) == ["load", "apply"]
    assert (here.store.batches[-1].puts, here.store.batches[-1].checks) == ((), ())
    token = here.prove("org.delete").token
    assert _calls(here, "org.delete", token) == ["apply"]


def test_checking_writes_nothing(face: str) -> None:
    """``check`` is advice: it reads at most, and a grant looked at a hundred times is still whole."""
    here = world(face=face, record="all")
    token = here.prove("org.delete").token

    for _ in range(100):
        assert here.store.during(lambda: here.gate.check("org.delete", CONTEXT, resource=ORG, token=token)) == ["load"]
    assert here.allows("org.delete", token=token)
    assert not here.gate.check("org.delete", CONTEXT, resource=ORG, token=token).allowed

"""Every state of a challenge with everything that can happen to it, through the public gate.

``test_challenge`` holds the pure functions to the table; here real challenges are brought into each state and given
each input by the calls an application makes. What the table does not have must be refused and change nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from stepup import (
    Action,
    Actor,
    Challenge,
    Context,
    Denied,
    MoreNeeded,
    Rejected,
    Resource,
    Risk,
    Session,
    StepUp,
    Verified,
    all_of,
    any_of,
)
from stepup.approval import Approvers
from stepup.challenge import TRANSITIONS, Input, State
from stepup.stores.memory import MemoryStore
from stepup.testing import FrozenClock, ScriptedVerifier
from stepup.verifiers import Approval

SECRET = b"exhaustive tests only: never a production key"
CONTEXT = Context(Actor("usr_2048", email="olivia@northstar.example"), Session("the session"))
APPROVER = Context(Actor("usr_4096"), Session("another session"))
RESOURCE = Resource("organization", "org_7")
PARTS = ("password", "totp")


class World:
    """A gate whose one action asks for two parts, and one challenge of it."""

    def __init__(self) -> None:
        self.clock = FrozenClock()
        self.verifiers = [
            ScriptedVerifier("password", strength=20, prepares=True),
            ScriptedVerifier("totp", strength=30),
        ]
        self.gate = StepUp(
            actions=[Action("data.export", "Export", risk=Risk.HIGH, methods=any_of(all_of(*PARTS), "approval"))],
            verifiers=[*self.verifiers, Approval(Approvers(people=["usr_4096"], step_up=False), ttl=300)],
            store=MemoryStore(),
            secret=SECRET,
            clock=self.clock,
        )
        self.id = self.start()

    def start(self) -> str:
        return self.gate.start("data.export", CONTEXT, resource=RESOURCE).id

    def challenge(self) -> Challenge:
        found = self.gate.challenge(self.id, CONTEXT)
        assert found is not None
        return found

    def answer(self, method: str, response: str) -> Verified | MoreNeeded | Rejected:
        return self.gate.verify(self.id, method, response, CONTEXT)

    def guess(self, times: int) -> None:
        """Wrong answers, as slowly as is asked for."""
        for _ in range(times):
            self.answer("totp", "wrong")
            self.clock.advance(0 if self.challenge().attempts < 5 else 5)

    def say(self, choice: str) -> bool:
        """Whether an answer of somebody else's is taken; while it is open, they are asked first."""
        if self.challenge().state is State.OPEN:
            self.gate.begin(self.id, "approval", CONTEXT)
        request = f"{self.id}.{self.gate.core.partition(CONTEXT.actor)}"
        say = {"approve": self.gate.approvals.approve, "deny": self.gate.approvals.deny}[choice]
        try:
            say(request, APPROVER)
        except Denied:
            return False
        return True

    def prove(self) -> None:
        self.gate.begin(self.id, "password", CONTEXT)
        assert isinstance(self.answer("password", "right"), MoreNeeded)
        assert isinstance(self.answer("totp", "right"), Verified)

    @property
    def calls(self) -> int:
        return sum(verifier.calls for verifier in self.verifiers)


BRING: dict[State, Callable[[World], object]] = {
    State.OPEN: lambda world: None,
    State.VERIFIED: World.prove,
    State.FAILED: lambda world: world.guess(5),
    State.CANCELLED: lambda world: world.gate.cancel(world.id, CONTEXT),
    State.DENIED: lambda world: world.say("deny"),
    State.EXPIRED: lambda world: world.clock.advance(300),
    State.SUPERSEDED: lambda world: world.start(),
}


def begin(world: World) -> bool:
    try:
        world.gate.begin(world.id, "totp", CONTEXT)
    except Denied:
        return False
    return True


def attempt(world: World) -> bool:
    """An answer is looked at: the verifier ran."""
    before = world.calls
    world.answer("totp", "neither right nor wrong yet")
    return world.calls == before + 1


def reject(world: World) -> bool:
    before = world.calls
    result = world.answer("totp", "wrong")
    assert isinstance(result, Rejected)
    return world.calls == before + 1 and result.attempts_left == 4


def exhaust(world: World) -> bool:
    """The answer that is one too many: four more were wrong before it, where they were taken at all."""
    world.guess(4)
    before = world.calls
    result = world.answer("totp", "wrong")
    assert isinstance(result, Rejected)
    return world.calls == before + 1 and result.attempts_left == 0


def prove_part(world: World) -> bool:
    return isinstance(world.answer("totp", "right"), MoreNeeded)


def prove(world: World) -> bool:
    """The right answer to the last part; the other part was proved before, where it was taken at all."""
    begin_password = world.challenge().state is State.OPEN
    if begin_password:
        world.gate.begin(world.id, "password", CONTEXT)
    world.answer("password", "right")
    return isinstance(world.answer("totp", "right"), Verified)


def cancel(world: World) -> bool:
    return world.gate.cancel(world.id, CONTEXT)


def expire(world: World) -> bool:
    was = world.challenge().state
    world.clock.advance(300)
    return world.challenge().state is not was


def supersede(world: World) -> bool:
    was = world.challenge().state
    world.start()
    return world.challenge().state is not was


GIVE: dict[Input, Callable[[World], bool]] = {
    Input.BEGIN: begin,
    Input.ATTEMPT: attempt,
    Input.REJECT: reject,
    Input.EXHAUST: exhaust,
    Input.PROVE_PART: prove_part,
    Input.PROVE: prove,
    Input.APPROVE: lambda world: world.say("approve"),
    Input.DENY: lambda world: world.say("deny"),
    Input.CANCEL: cancel,
    Input.EXPIRE: expire,
    Input.SUPERSEDE: supersede,
}

PAIRS = list(itertools.product(State, Input))


def kept(challenge: Challenge) -> tuple[Any, ...]:
    """What a refused input must leave as it was."""
    return challenge.state, challenge.attempts, challenge.proofs, challenge.grant_id, challenge.serial


@pytest.mark.requirement("C-01")
@pytest.mark.parametrize(("state", "given"), PAIRS)
def test_the_gate_does_what_the_table_says(state: State, given: Input) -> None:
    """Each state, each input: the table's new state where it has one, else a refusal that changes nothing."""
    world = World()
    BRING[state](world)
    before, calls = world.challenge(), world.calls
    assert before.state is state

    taken = GIVE[given](world)

    after = world.challenge()
    expected = TRANSITIONS.get((state, given))
    assert taken is (expected is not None)
    if expected is None:
        assert kept(after) == kept(before)
        assert world.calls == calls, "no verifier looks at what is refused"
    else:
        assert after.state is expected


@pytest.mark.requirement("C-01", "D-01")
@pytest.mark.parametrize("state", [state for state in State if state is not State.OPEN])
def test_what_is_refused_is_recorded(state: State) -> None:
    """An answer to a challenge that takes none leaves one event, which names the state and changes nothing else."""
    world = World()
    BRING[state](world)
    before = len(world.gate.events(CONTEXT.actor, limit=1000).items)
    assert isinstance(world.answer("totp", "right"), Rejected)
    events = world.gate.events(CONTEXT.actor, limit=1000).items
    assert len(events) == before + 1
    assert getattr(events[0], "reason", None) == f"challenge_{state.value}"


@pytest.mark.requirement("C-07")
def test_a_finished_challenge_opens_nothing_but_what_it_opened() -> None:
    """After the end of each kind, the call is open only where the challenge was verified."""
    for state in State:
        world = World()
        BRING[state](world)
        allowed = world.gate.check("data.export", CONTEXT, resource=RESOURCE).satisfied_by == "grant"
        assert allowed is (state is State.VERIFIED)


def test_every_state_and_every_input_is_walked() -> None:
    """A state or an input added later must be walked too."""
    assert set(BRING) == set(State)
    assert set(GIVE) == set(Input)
    assert len(PAIRS) == len(State) * len(Input)

"""Approval by somebody else at a terminal: asked, waited for, collected, and left to be found again."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

import pytest

from stepup import Action, Actor, Context, Denied, Device, Resource, Session, StepUp, all_of, terminal
from stepup.approval import Approvers
from stepup.event import EventType
from stepup.requirement import Requirement
from stepup.stores.memory import MemoryStore
from stepup.terminal._ceremony import POLL, Ceremony
from stepup.testing import FrozenClock, ScriptedVerifier
from stepup.verifiers import Approval
from test_terminal_flow import Scripted

ACTOR = Actor("ops-1")
BOSS = Context(Actor("ops-2"), Session("of the boss"), Device("of the boss"))
PROD = Resource("database", "prod", label="the real one")


def gate_with(methods: Requirement | str, quorum: int = 1) -> StepUp:
    rule = Approvers(people=["ops-2", "ops-3"], quorum=quorum, step_up=False, called="another operator")
    return StepUp(
        actions=[Action("db.wipe", "Wipe", risk=4, methods=methods)],
        verifiers=[ScriptedVerifier("password", answer="pw"), Approval(rule)],
        store=MemoryStore(),
        secret=secrets.token_bytes(32),
        clock=FrozenClock(),
    )


def ceremony(gate: StepUp, screen: Scripted, pause: Callable[[float], object], patience: float = 3600) -> Ceremony:
    context = Context(ACTOR, device=terminal.this_machine())
    challenge = gate.start("db.wipe", context, resource=PROD, params={"rows": 7})
    return Ceremony(gate, challenge, context, screen, patience, pause)


def decide(gate: StepUp, choice: str = "approve", boss: Context = BOSS) -> None:
    (request,) = gate.approvals.inbox(boss).items
    assert request.shown == (("rows", "7"),)
    {"approve": gate.approvals.approve, "deny": gate.approvals.deny}[choice](request.id, boss)


def test_the_script_waits_until_somebody_has_approved() -> None:
    """It asks nobody at the terminal, says whom it waits for, and goes on after the second look."""
    gate, screen, pauses = gate_with("approval"), Scripted(), list[float]()

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            decide(gate)

    found = ceremony(gate, screen, pause).run()

    assert pauses == [POLL, POLL]
    assert screen.asked == []
    assert "One approval is needed, of: another operator." in screen.text
    assert screen.said[-1] == "Confirmed."
    here = Context(ACTOR, device=terminal.this_machine())
    passed = gate.require("db.wipe", here, resource=PROD, params={"rows": 7}, token=found.token)
    assert passed.decision.satisfied_by == "token"


@pytest.mark.parametrize("answers", [["2", "pw"], ["1", "pw"]])
def test_it_stands_beside_a_proof_of_ones_own(answers: Sequence[str]) -> None:
    """In either order: what is given too early is asked for when it is collected."""
    gate, screen = gate_with(all_of("password", "approval")), Scripted(*answers)

    ceremony(gate, screen, lambda _: decide(gate)).run()

    assert screen.answers == []
    assert screen.said[-1] == "Confirmed."


def test_nobody_decides_in_time_and_the_next_run_goes_on() -> None:
    """The request stays; the same call finds it, approved by then, and passes."""
    gate, screen = gate_with("approval"), Scripted()
    with pytest.raises(Denied) as caught:
        terminal.confirm(gate, "db.wipe", actor=ACTOR, resource=PROD, params={"rows": 7}, terminal=screen, wait=0)
    assert caught.value.code == "approval_pending"
    assert "run the same command again" in screen.text

    decide(gate)
    again = Scripted()
    passed = terminal.confirm(gate, "db.wipe", actor=ACTOR, resource=PROD, params={"rows": 7}, terminal=again, wait=0)
    assert passed.proofs[0].method == "approval"
    assert [event.type for event in gate.events(ACTOR).items].count(EventType.APPROVAL_REQUESTED) == 1


def test_leaving_leaves_the_request() -> None:
    """Ctrl-C stops waiting and withdraws nothing."""
    gate, screen = gate_with("approval"), Scripted()

    def pause(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(terminal.Cancelled):
        ceremony(gate, screen, pause).run()

    assert "The request stays open" in screen.text
    assert len(gate.approvals.inbox(BOSS).items) == 1
    with pytest.raises(terminal.Cancelled):
        ceremony(gate, screen, pause).run()  # nor does it the second time
    assert len(gate.approvals.inbox(BOSS).items) == 1


def test_a_refusal_ends_it() -> None:
    """At once, and the person is told."""
    gate, screen = gate_with("approval"), Scripted()
    with pytest.raises(Denied) as caught:
        ceremony(gate, screen, lambda _: decide(gate, "deny")).run()
    assert caught.value.code == "approval_denied"
    assert gate.approvals.inbox(BOSS).items == ()


def test_too_many_requests_leave_the_other_ways() -> None:
    """Asking is limited; where nothing else leads on, the person is told when it can be asked again."""
    gate = gate_with("approval")
    codes: list[str] = []
    for _ in range(2):
        with pytest.raises(Denied) as caught:
            ceremony(gate, Scripted(), lambda _: None, 0).run()
        codes.append(caught.value.code)
        for request in gate.approvals.own(Context(ACTOR)):
            gate.approvals.withdraw(request.id, Context(ACTOR))
    assert codes == ["approval_pending", "rate_limited"]


def test_a_quorum_is_waited_for() -> None:
    """Two approvals are needed, of people on two machines."""
    gate, screen = gate_with("approval", quorum=2), Scripted()
    others = [BOSS, Context(Actor("ops-3"), Session("of the third"), Device("of the third"))]

    ceremony(gate, screen, lambda _: decide(gate, boss=others.pop(0))).run()

    assert others == []
    assert "2 approvals are needed" in screen.text

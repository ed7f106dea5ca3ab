"""What has to hold over all ways to prove at once: none is undocumented, none retries for ever, none is enough alone
where two are asked for."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from engine_bench import CONTEXT, PASSWORD, REAL_ACTIONS, Counting, enrolled_totp, real_world, recovery_codes, world

import stepup.verifiers
from stepup import (
    Action,
    MoreNeeded,
    Policy,
    Proof,
    Rejected,
    Session,
    StoreUnavailable,
    Strength,
    Verified,
    all_of,
)
from stepup._engine.core import TRIES
from stepup.ceremony import Ceremony, Checked, State
from stepup.changes import Applied, Changes, Lost, Partition
from stepup.errors import InvalidInput, StoreBusy
from stepup.mailers import Outbox
from stepup.testing import FrozenClock, ScriptedVerifier
from stepup.testing.clock import START
from stepup.verifiers import TOTP, EmailCode, Password

DOCS = Path(__file__).parents[2] / "docs"
TABLE = re.compile(r"^\| ([^|]+) \| (`\w+`|\(to come\)) \| ([^|]+) \| (\d) \|$", re.MULTILINE)
WORTH = {"recovery_code": "as what it stands for", "approval": "nothing of its own"}


@pytest.mark.requirement("P-05")
def test_every_way_to_prove_is_documented_with_its_strength() -> None:
    """A shipped method that the table does not list, or lists with other numbers, would be an undocumented pathway."""
    shipped = [getattr(stepup.verifiers, name) for name in stepup.verifiers.__all__]
    methods = {one for one in shipped if hasattr(one, "check")}
    page = (DOCS / "reference" / "policy.md").read_text(encoding="utf-8")
    said = {row[1].strip("`"): (row[2], int(row[3])) for row in TABLE.findall(page)}

    assert {
        one.method: (str(int(one.strength)) if one.strength else WORTH[one.method], one.points) for one in methods
    } == {name: numbers for name, numbers in said.items() if name != "(to come)"}


@pytest.mark.requirement("P-05")
def test_every_method_of_a_gate_is_counted_and_recorded_alike() -> None:
    """A wrong answer by any method costs an attempt and leaves an event that names the method."""
    box, clock = Outbox(), FrozenClock()
    actions = [Action("a", "A", methods=("password", "totp", "email_code"))]
    verifiers = [
        Password(check=lambda _, given: given == "x"),
        TOTP(lambda _: "JBSWY3DPEHPK3PXP" * 2),
        EmailCode(mailer=box),
    ]
    gate = world(actions=actions, verifiers=verifiers, clock=clock).gate
    challenge = gate.start("a", CONTEXT)
    left = []
    for method in challenge.allowed:
        if method == "email_code":
            gate.begin(challenge.id, method, CONTEXT)
        found = gate.verify(challenge.id, method, "000000", CONTEXT)
        assert isinstance(found, Rejected)
        left.append(found.attempts_left)
    tried = [event.method or "" for event in gate.events(CONTEXT.actor).items if event.type == "attempt"]

    assert left == [4, 3, 2]
    assert sorted(tried) == sorted(challenge.allowed)


class AlwaysLost(Counting):
    """A store in which another writer always wins."""

    def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        self._note("apply")
        return Lost(changes.puts[0].key if changes.puts else None)


@pytest.mark.requirement("S-04")
def test_retries_end_and_the_end_is_a_refusal() -> None:
    """A conditional write that keeps losing is tried eight times and then refused, as the contract page says."""
    store = AlwaysLost()
    gate = world(store=store).gate

    with pytest.raises(StoreBusy) as refused:
        gate.start("org.delete", CONTEXT)

    assert isinstance(refused.value, StoreUnavailable)
    assert store.calls.count("apply") == TRIES == 8
    assert "eight" in (DOCS / "reference" / "store-contract.md").read_text(encoding="utf-8")


@pytest.mark.requirement("L-07")
def test_a_recovery_code_and_another_factor_can_be_asked_for_together() -> None:
    """At AAL2 one recovery code is not enough: with a policy that says so, it opens nothing without the password."""
    rule = Action("recover", "Recover", policy=Policy(methods=all_of("recovery_code", "password")))
    here = real_world(actions=(*REAL_ACTIONS, rule))
    codes = recovery_codes(here, CONTEXT, enrolled_totp(here, CONTEXT))
    challenge = here.gate.start("recover", CONTEXT)

    first = here.gate.verify(challenge.id, "recovery_code", codes[0], CONTEXT)
    again = here.gate.verify(challenge.id, "recovery_code", codes[1], CONTEXT)
    done = here.gate.verify(challenge.id, "password", PASSWORD, CONTEXT)

    assert isinstance(first, MoreNeeded)
    assert first.remaining == ("password",)
    assert not again
    assert isinstance(done, Verified)


@pytest.mark.requirement("P-07")
@pytest.mark.parametrize(
    "session",
    [
        Session("s"),
        Session("s", None, (Proof("passkey", START - timedelta(seconds=1)),)),
        Session("s", START + timedelta(seconds=1)),
        Session("s", START - timedelta(seconds=1), (Proof("federated", START - timedelta(seconds=1), ("mfa",)),)),
        Session("s", START - timedelta(seconds=1), (Proof("password", START - timedelta(seconds=1), ("hwk",)),)),
        Session("s", START - timedelta(seconds=1), (Proof("passkey", START + timedelta(seconds=1)),)),
        Session("s", START - timedelta(seconds=1), (Proof("passkey", START - timedelta(days=1)),)),
    ],
    ids=["nothing said", "no time", "in the future", "no method known", "another method", "proof to come", "old proof"],
)
def test_what_a_login_elsewhere_does_not_say_is_taken_for_the_least(session: Session) -> None:
    """A login reported without its method, or without a time that can be, never stands in for a passkey."""
    rule = Policy(methods="passkey", session_window=300)
    gate = world(actions=[Action("a", "A", policy=rule)]).gate

    assert not gate.check("a", replace(CONTEXT, session=session)).allowed


@pytest.mark.requirement("P-07")
@pytest.mark.parametrize("when", ["2026-06-11T18:00:00Z", -1, 1781200000, True, datetime(2026, 6, 11)])  # noqa: DTZ001 -- that is the point
def test_a_time_of_login_that_is_none_is_refused(when: Any) -> None:
    """Text, numbers and times without a zone are not guessed at."""
    with pytest.raises(InvalidInput, match=r"Session\.authenticated_at"):
        Session("s", when)


class Elsewhere(ScriptedVerifier):
    """An identity provider's word for it: the proof carries the time at which it says it asked."""

    asked_at = START

    def check(self, state: State | None, response: object, context: Ceremony, /) -> Checked:
        found = super().check(state, response, context)
        assert found.proof is not None
        return replace(found, proof=replace(found.proof, at=self.asked_at))


@pytest.mark.requirement("P-13")
def test_an_answer_given_before_the_challenge_was_opened_is_none() -> None:
    """Freshly issued, but asked for earlier: a proof counts only with the moment in which it was checked."""
    provider = Elsewhere("federated", strength=Strength.TOTP, answer="id token")
    here = world(actions=[Action("a", "A")], verifiers=[provider])
    here.clock.advance(60)
    challenge = here.gate.start("a", CONTEXT)

    refused = here.gate.verify(challenge.id, "federated", "id token", CONTEXT)
    provider.asked_at = here.now

    assert isinstance(refused, Rejected)
    assert here.reasons()[-1] == "verifier_error"
    assert isinstance(here.gate.verify(challenge.id, "federated", "id token", CONTEXT), Verified)

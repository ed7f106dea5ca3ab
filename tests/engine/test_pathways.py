"""What has to hold over all ways to prove at once: none is undocumented, none retries for ever, none is enough alone
where two are asked for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from engine_bench import CONTEXT, PASSWORD, REAL_ACTIONS, Counting, enrolled_totp, real_world, recovery_codes, world

import stepup.verifiers
from stepup import Action, MoreNeeded, Policy, Rejected, StoreUnavailable, Verified, all_of
from stepup._engine.core import TRIES
from stepup.changes import Applied, Changes, Lost, Partition
from stepup.errors import StoreBusy
from stepup.mailers import Outbox
from stepup.testing import FrozenClock
from stepup.verifiers import TOTP, EmailCode, Password

DOCS = Path(__file__).parents[2] / "docs"
TABLE = re.compile(r"^\| ([^|]+) \| (`\w+`|\(to come\)) \| ([^|]+) \| (\d) \|$", re.MULTILINE)
WORTH = "as what it stands for"


@pytest.mark.requirement("P-05")
def test_every_way_to_prove_is_documented_with_its_strength() -> None:
    """A shipped method that the table does not list, or lists with other numbers, would be an undocumented pathway."""
    shipped = [getattr(stepup.verifiers, name) for name in stepup.verifiers.__all__]
    methods = {one for one in shipped if hasattr(one, "check")}
    page = (DOCS / "reference" / "policy.md").read_text(encoding="utf-8")
    said = {row[1].strip("`"): (row[2], int(row[3])) for row in TABLE.findall(page)}

    assert {one.method: (str(int(one.strength)) if one.strength else WORTH, one.points) for one in methods} == {
        name: numbers for name, numbers in said.items() if name != "(to come)"
    }


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

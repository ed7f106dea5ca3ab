"""The fault proofs, in short; and that they find what they are there to find.

The whole of them is a command (``faults.py``). Here a few flows run with every fault, and a few people are killed. The
larger half breaks stores and gates on purpose: a proof that cannot fail proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import faults
import pytest
from faults_broken import Deaf, Hearsay
from faults_faces import LOOP, Bench
from faults_flows import BY_NAME, FLOWS, Flow
from faults_kills import Killing, Toll
from faults_kinds import APPLY, FAULTS, OUTCOMES, Fault
from faults_points import Unhealthy, judged, points_of, probe, survey, trace
from faults_spoilt import bare, hopeful, talkative, trusting
from faults_world import World

from stepup import StepUp
from stepup._engine import upkeep, verify
from stepup.binding import Binding
from stepup.changes import APPLIED, Changes
from stepup.decide import attempt, redeeming
from stepup.decide.answering import Answering
from stepup.stores.memory import MemoryStore

STRAIGHT = tuple(fault for fault in OUTCOMES if fault.name.startswith(("store unavailable", "a conflict", "as it was")))
"""The few that everything depends on: down, a reply lost, a conflict, a stale answer."""

ONCE = BY_NAME["single use by authenticator"]
SHELF = BY_NAME["session grant"]


@pytest.fixture(scope="module", autouse=True)
def _one_loop() -> Iterator[None]:
    yield
    LOOP.close()


@pytest.fixture
def bench() -> Bench:
    """The sync face on memory."""
    return Bench.of("memory", "sync")


def blamed(bench: Bench, flow: Flow, gate_of: Any = None) -> list[str]:
    """What the judge says of a flow and of what an attacker tries afterwards, with no fault at all."""
    world = World(bench, gate_of=gate_of, **flow.settings)
    flow.before(world)
    flow.run(world)
    probe(world)
    return world.ledger.blamed


# -- the proofs, in short --------------------------------------------------------------------


@pytest.mark.parametrize("face", ["sync", "async"])
def test_every_flow_does_what_it_says_where_nothing_goes_wrong(face: str) -> None:
    """Each flow runs as often, and leaves the audit, that is written down for it; otherwise its points say nothing."""
    here = Bench.of("memory", face)

    for flow in FLOWS:
        trace(here, flow)


@pytest.mark.requirement("Y-01", "Y-02", "Y-12")
@pytest.mark.parametrize(
    ("name", "face", "kinds", "least"),
    [
        ("revoke everything", "sync", FAULTS, 280),
        ("single use by authenticator", "sync", OUTCOMES, 210),
        ("two grants of one use", "async", STRAIGHT, 25),
        ("enrol the first factor", "sync", STRAIGHT, 50),
        ("same request, single use", "async", STRAIGHT, 50),
        ("code sent twice", "sync", STRAIGHT, 60),
    ],
)
def test_no_fault_in_any_store_call_opens_anything(name: str, face: str, kinds: tuple[Fault, ...], least: int) -> None:
    """Down, slow, a reply lost, a wrong answer, a stale one, in every single call: refused, or truly allowed."""
    found = survey(Bench.of("memory", face), BY_NAME[name], kinds)

    assert found.blamed == []
    assert found.points >= least


@pytest.mark.requirement("Y-03", "Y-07")
def test_nobody_who_is_killed_leaves_an_illegal_state(tmp_path: Path) -> None:
    """``kill -9`` in the middle: what was acknowledged is there, what was spent is spent, nothing is half done."""
    toll = killed(tmp_path, 12)

    assert toll.illegal == []
    assert toll.kills == 24
    assert toll.lines["started"] > 0


def killed(folder: Path, rounds: int, broken: str | None = None) -> Toll:
    """So many rounds of two, or fewer if something was found before."""
    killing = Killing("sqlite", folder, seed=7, broken=broken, longest=0.05 if broken is None else 0.3)
    with killing:
        for _ in range(rounds):
            if not killing.toll.illegal:
                killing.kill()
    killing.close()
    return killing.toll


def test_the_command_counts_its_points_and_ends_with_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    """A table, a total, and 0."""
    ended = faults.main(["points", "--flow", "events", "--face", "sync"])

    assert ended == 0
    assert "total" in capsys.readouterr().out


def test_a_run_without_a_point_is_no_success() -> None:
    """Asking for a flow that there is not ends with 1, not with a green table."""
    assert faults.main(["points", "--flow", "no such flow"]) == 1


# -- that the judge of the points can find something -------------------------------------------


def _claimless(*given: Any) -> Changes:
    return replace(REDEEM(*given), puts=())


REDEEM = redeeming.redeem
USED = attempt._used


async def _uncounted(core: Any, opened: Any, method: str, now: Any) -> Answering:
    return Answering(opened.challenge, method, opened.refs, core.methods[method], core.limits)


async def _acknowledging(*given: object, **more: object) -> bool:
    return True


BREAKS: dict[str, tuple[object, str, Any, str, str]] = {
    "the claim is left out": (redeeming, "redeem", _claimless, ONCE.name, "2 times on a grant of 1"),
    "an answer is not counted": (verify, "_reserve", _uncounted, ONCE.name, "on 0 counted answers"),
    "what was used is not remembered": (attempt, "_used", lambda *_: ((), ()), ONCE.name, "answer counted twice"),
    "revoking does nothing": (upkeep, "revoke_some", _acknowledging, SHELF.name, "a proof that had ended"),
    "the session is not compared": (Binding, "mismatches", lambda *_: (), SHELF.name, "a proof for something else"),
    "a grant is never checked": (redeeming, "_checks", lambda _: (), SHELF.name, "a proof that had ended"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_an_engine_that_is_broken_is_found(bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """With one rule taken out of the engine, the judge says what it saw happen."""
    where, what, instead, flow, seen = BREAKS[name]
    assert blamed(bench, BY_NAME[flow]) == []

    monkeypatch.setattr(where, what, instead)

    assert any(seen in line for line in blamed(bench, BY_NAME[flow]))


@pytest.mark.parametrize(
    ("gate_of", "seen"),
    [
        (trusting, "not in the store"),
        (hopeful, "2 times on a grant of 1"),
        (bare, "no StepUpError"),
        (talkative, "shows a secret"),
    ],
)
def test_a_gate_that_fails_open_is_found(bench: Bench, gate_of: Callable[..., StepUp], seen: str) -> None:
    """It behaves on a healthy store; under faults the judge sees what it lets through."""
    assert blamed(bench, ONCE, gate_of) == []

    some = [fault for fault in FAULTS if fault.name.startswith(("True", "driver error"))]
    found = survey(bench, ONCE, some, gate_of).blamed

    assert any(seen in line for line in found)


def test_an_answer_that_is_false_is_found_wherever_it_matters(bench: Bench) -> None:
    """APPLIED and nothing written: seen at the count, at the proof, and at both redemptions of a single use."""
    lying = Fault("APPLIED, nothing written", frozenset({APPLY}), acts=False, answer=lambda _: APPLIED)
    calls = trace(bench, ONCE)

    found = [at for at, fault in points_of(calls, [lying]) if judged(bench, ONCE, at, fault)]

    assert [shot.method for shot in calls[:7]] == ["load", "apply", "load", "apply", "load", "apply", "apply"]
    assert found == [3, 5, 6, 7]


@pytest.mark.parametrize("store", [Deaf, Hearsay])
def test_a_store_that_breaks_its_promise_is_found(store: Callable[[Any], Any]) -> None:
    """Writing nothing, or whatever comes last, does not get past the judge, even with no fault at all."""
    assert blamed(Bench("sync", lambda: store(MemoryStore())), ONCE) != []


def test_a_point_that_is_never_reached_is_an_error(bench: Bench) -> None:
    """A fault that did not happen proves nothing."""
    with pytest.raises(Unhealthy, match="never made the call 99"):
        judged(bench, ONCE, 99, FAULTS[0])


def test_a_flow_that_stops_doing_anything_is_an_error(bench: Bench) -> None:
    """What a flow comes to is written down; less than that is noticed."""
    with pytest.raises(Unhealthy, match="0 runs"):
        trace(bench, replace(ONCE, run=lambda _: None))


# -- that the judge of the kills can find something ---------------------------------------------


@pytest.mark.parametrize("broken", ["torn", "early", "deaf", "hearsay"])
def test_a_store_that_does_not_survive_a_kill_is_found(tmp_path: Path, broken: str) -> None:
    """Two transactions for a batch, an answer before the commit, none at all, last writer wins: all are seen."""
    assert killed(tmp_path, 60, broken).illegal != []

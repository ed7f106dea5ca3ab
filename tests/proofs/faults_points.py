"""A fault at every store call of every flow, and an attacker afterwards: ``judged`` is one point, ``survey`` all.

For each flow the calls of a healthy run are recorded first. A point is one flow, one of its calls and one fault: the
flow runs in a world of its own with that fault in that call, the store heals, and ``probe`` tries everything that was
seen again. What the ledger blames anybody for is *fail-open*.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from faults_faces import HERE, OTHER_ORG, SUPPORT, THERE, Bench
from faults_flows import Flow
from faults_kinds import Fault, Shot
from faults_rules import Call
from faults_steps import call
from faults_world import World, closed_coroutines

from stepup import Challenge

WRONG: Final = ("000000", "111111", "222222", "333333", "444444", "555555", "666666")
Gate = Callable[..., Any]
StoreOf = Callable[[Any], Any]


class Unhealthy(Exception):
    """A flow does not do what it should on a healthy store, so nothing it shows under faults means anything."""


@dataclass
class Count:
    """What came of one flow."""

    flow: str
    calls: int
    points: int = 0
    blamed: list[str] = field(default_factory=list)


def _world(bench: Bench, flow: Flow, gate_of: Gate | None) -> World:
    return World(bench, gate_of=gate_of, **flow.settings)


def trace(bench: Bench, flow: Flow, gate_of: Gate | None = None) -> Sequence[Shot]:
    """The store calls of a healthy run.

    Raises:
        Unhealthy: if it is not what the flow says, or anything is to be blamed.
    """
    world = _world(bench, flow, gate_of)
    flow.before(world)
    world.store.arm(None, -1)
    ran, written = len(world.ledger.runs), len(world.ledger.audit)
    flow.run(world)
    calls, runs, does = list(world.store.calls), len(world.ledger.runs) - ran, _short(world.ledger.audit[written:])
    probe(world)
    if world.ledger.blamed:
        raise Unhealthy(f"{flow}: {world.ledger.blamed}; {world.errors[:3]!r}")
    if (runs, does) != (flow.runs, flow.does):
        raise Unhealthy(f"{flow}: {runs} runs and {does!r}, not {flow.runs} and {flow.does!r}")
    return calls


def _short(audit: Sequence[str]) -> str:
    """What the audit says, each kind with how often: ``attempt 1, authorization 2``."""
    return ", ".join(f"{kind} {times}" for kind, times in sorted(Counter(audit).items()))


def points_of(calls: Sequence[Shot], faults: Sequence[Fault]) -> Iterator[tuple[int, Fault]]:
    """Every call with every fault that can be told from a healthy answer there."""
    for at, shot in enumerate(calls):
        for fault in faults:
            if shot.method in fault.methods and fault.fits(shot):
                yield at, fault


def judged(bench: Bench, flow: Flow, at: int, fault: Fault, gate_of: Gate | None = None) -> list[str]:
    """One point: what was to be blamed, if anything.

    Raises:
        Unhealthy: if the fault was never reached.
    """
    with closed_coroutines():
        world = _world(bench, flow, gate_of)
        flow.before(world)
        world.store.arm(fault, at)
        flow.run(world)
        if not world.store.hit:
            raise Unhealthy(f"{flow} never made the call {at} that was to be {fault}")
        world.store.heal()
        probe(world)
    return [
        f"{flow} [{bench.face}], call {at} ({world.store.calls[at].method}), {fault}: {what}"
        for what in world.ledger.blamed
    ]


def survey(bench: Bench, flow: Flow, faults: Sequence[Fault], gate_of: Gate | None = None) -> Count:
    """Every point of a flow."""
    with closed_coroutines():
        calls = trace(bench, flow, gate_of)
    found = Count(flow.name, len(calls))
    for at, fault in points_of(calls, faults):
        if fault.false and flow.rests_on_reads:
            continue
        found.points += 1
        found.blamed += judged(bench, flow, at, fault, gate_of)
    return found


# -- the attacker --------------------------------------------------------------------------


def probe(world: World) -> None:
    """Everything that was seen, once more, on a store that works: tokens, codes, other sessions, after a revocation."""
    tokens, answers, opened = list(world.tokens), list(world.answers), list(world.challenges.items())
    _again(world, tokens)
    _answers_again(world, answers)
    _guessing(world, opened)
    _after_revoking(world, tokens)
    world.compare()


def _again(world: World, tokens: Sequence[tuple[str, Call]]) -> None:
    """Each token twice, and where it does not belong; each call without one, and from the other session."""
    for token, one in tokens:
        for _ in range(2):
            world.act(one, token)
        for wrong in _misdirected(one):
            world.act(wrong, token)
    for one in _calls(world):
        world.act(one)
        world.act(one)
        world.advise(one)
        for wrong in _misdirected(one)[:2]:
            world.act(wrong)


def _misdirected(one: Call) -> tuple[Call, ...]:
    return (
        Call(one.action, THERE if one.who is not THERE else HERE, one.resource, one.params),
        Call(one.action, SUPPORT if one.who is not SUPPORT else HERE, one.resource, one.params),
        Call(one.action, one.who, OTHER_ORG, one.params),
        Call(one.action, one.who, one.resource, {"amount": "9999.00 EUR"}),
        call("member.role", one.who, one.resource),
    )


def _calls(world: World) -> list[Call]:
    """The calls that somebody has begun to prove, each once."""
    found: list[Call] = []
    for one in (*world.challenges.values(), *(one for _, one in world.tokens)):
        if not any(one == other for other in found):
            found.append(one)
    return found


def _answers_again(world: World, answers: Sequence[tuple[str, str, str, Call]]) -> None:
    """Each answer once more: to its challenge, and to a new one for the same call."""
    for challenge, method, answer, one in answers:
        world.answer(challenge, method, answer, one)
        if method != "password":
            world.answer(world.start(one), method, answer, one)
    if "pending" in world.kept:
        who, factor, _ = world.kept["pending"]
        for code in (*sorted(world.codes), *WRONG):
            world.call(world.gate.factors.confirm_totp, who, factor, code)


def _guessing(world: World, opened: Sequence[tuple[str, Call]]) -> None:
    """Wrong answers to whatever is open, more than it takes."""
    for challenge, one in opened:
        found = world.call(world.gate.challenge, challenge, one.who)
        if isinstance(found, Challenge) and found.state.value == "open":
            for guess in WRONG:
                world.answer(challenge, found.allowed[0], guess, one)


def _after_revoking(world: World, tokens: Sequence[tuple[str, Call]]) -> None:
    """With everything of everybody ended: an open challenge answered rightly, tokens, session grants."""
    calls = _calls(world)
    opened = [(world.start(one), one) for one in calls[:1]]
    for who in {one.who.actor.id: one.who for one in calls}.values():
        world.revoke(who, everything=True)
    world.clock.advance(31)  # an authenticator's next code, well within everything's life
    for challenge, one in opened:
        method = "password" if one.action == "by.password" else "totp"
        if method == "password" or one.who.actor.id in world.secret_of:
            world.answer(challenge, method, world.right(method, one.who.actor), one)
    for token, one in tokens:
        world.act(one, token)
    for one in calls:
        world.act(one)

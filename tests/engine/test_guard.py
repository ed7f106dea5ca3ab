"""``@gate.guard``: enforcement sits on the function, whoever calls it and however."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from engine_bench import ACTIONS, CONTEXT, ORG, World, context, outcome, scripted, world

from stepup import AsyncStepUp, Context, Resource, StepUpRequired
from stepup.errors import ConfigurationError, InvalidInput, UnknownAction, WrongColour
from stepup.stores.memory import AsyncMemoryStore
from stepup.testing.clock import FrozenClock

DELETE: dict[str, Any] = {"resource": lambda org_id: Resource("organization", org_id), "context": lambda who: who}


def _async_gate(**settings: Any) -> AsyncStepUp:
    return AsyncStepUp(
        actions=ACTIONS,
        verifiers=list(scripted().values()),
        store=AsyncMemoryStore(),
        secret="an engine test secret, never a real one: 0123456789",
        clock=FrozenClock(),
        **settings,
    )


@pytest.mark.requirement("P-02", "C-05")
def test_a_guarded_function_runs_only_with_proof(one: World) -> None:
    """Called directly it is refused and nothing happens; with the token it runs, once."""
    ran: list[str] = []

    @one.gate.guard("org.delete", **DELETE, params=lambda reason: {"reason": reason}, token=lambda token: token)
    def delete(who: Context, org_id: str, reason: str, token: str | None = None) -> str:
        """Delete an organization."""
        ran.append(org_id)
        return f"deleted {org_id}"

    assert delete.__name__ == "delete"
    assert delete.__doc__ == "Delete an organization."
    needed = outcome(lambda: delete(CONTEXT, "org_7", "closing"))
    assert isinstance(needed, StepUpRequired)
    challenge = one.gate.start_offer(needed.offer, CONTEXT)
    done = one.gate.verify(challenge.id, "passkey", "touch", CONTEXT)
    assert done
    token = getattr(done, "token", "")
    assert ran == []
    for args in ((CONTEXT, "org_8", "closing"), (CONTEXT, "org_7", "other"), (context("sess_2"), "org_7", "closing")):
        assert isinstance(outcome(lambda args=args: delete(*args, token)), StepUpRequired)  # type: ignore[call-arg]
    assert delete(CONTEXT, "org_7", reason="closing", token=token) == "deleted org_7"
    assert isinstance(outcome(lambda: delete(CONTEXT, "org_7", "closing", token)), StepUpRequired)
    assert ran == ["org_7"]


@pytest.mark.requirement("P-02")
def test_every_way_to_the_function_is_guarded(one: World) -> None:
    """As a method, a partial, an alias, a keyword call, by ``map`` (B-01, B-02): the same refusal."""
    ran: list[object] = []

    class Members:
        @one.gate.guard("member.role", **DELETE)
        def change(self, who: Context, org_id: str) -> None:
            ran.append(self)

        @staticmethod
        @one.gate.guard("member.role", **DELETE)
        def static(who: Context, org_id: str) -> None:
            ran.append("static")

        @classmethod
        @one.gate.guard("member.role", **DELETE)
        def by_class(cls, who: Context, org_id: str) -> None:
            ran.append(cls)

    class More(Members):
        pass

    members = Members()
    alias = members.change
    ways: list[Any] = [
        lambda: members.change(CONTEXT, "org_7"),
        lambda: Members.change(members, CONTEXT, "org_7"),
        lambda: alias(CONTEXT, org_id="org_7"),
        lambda: functools.partial(members.change, CONTEXT)("org_7"),
        lambda: list(map(members.change, [CONTEXT], ["org_7"])),
        lambda: Members.static(CONTEXT, "org_7"),
        lambda: Members.by_class(CONTEXT, "org_7"),
        lambda: More().change(CONTEXT, "org_7"),
        lambda: getattr(members, "change")(who=CONTEXT, org_id="org_7"),  # noqa: B009
    ]
    for way in ways:
        assert isinstance(outcome(way), StepUpRequired)
    assert ran == []
    one.prove("member.role")
    for way in ways:
        way()
    assert len(ran) == len(ways)


@pytest.mark.requirement("P-02")
def test_the_async_guard_is_the_same() -> None:
    """Refused before a line of it runs; allowed with a proof; a generator of results is not a way round it."""
    gate = _async_gate()
    ran: list[str] = []

    @gate.guard("member.role", **DELETE)
    async def change(who: Context, org_id: str) -> str:
        ran.append(org_id)
        return org_id

    async def scene() -> None:
        with pytest.raises(StepUpRequired) as needed:
            await change(CONTEXT, "org_7")
        assert ran == []
        challenge = await gate.start_offer(needed.value.offer, CONTEXT)
        assert await gate.verify(challenge.id, "passkey", "touch", CONTEXT)
        assert await change(CONTEXT, "org_7") == "org_7"
        with pytest.raises(StepUpRequired):
            await change(CONTEXT, "org_8")

    asyncio.run(scene())
    assert ran == ["org_7"]
    assert asyncio.iscoroutinefunction(change)


def test_a_guarded_generator_is_refused_when_called(one: World) -> None:
    """Not at its first item: a caller that never iterates learns of the refusal as well."""
    ran: list[int] = []

    @one.gate.guard("member.role", **DELETE)
    def export(who: Context, org_id: str) -> Iterator[int]:
        ran.append(1)
        yield 1

    assert isinstance(outcome(lambda: export(CONTEXT, "org_7")), StepUpRequired)
    one.prove("member.role")
    assert list(export(CONTEXT, "org_7")) == [1]
    assert ran == [1]


def test_the_wrong_colour_is_refused_when_decorating(one: World) -> None:
    """An async function on the sync guard, a sync one on the async guard, and async generators on both."""
    gate = _async_gate()

    async def coroutine(who: Context, org_id: str) -> None: ...
    def plain(who: Context, org_id: str) -> None: ...
    async def items(who: Context, org_id: str) -> AsyncIterator[int]:
        yield 1

    class Called:
        async def __call__(self, who: Context, org_id: str) -> None: ...

    asyncs: tuple[Any, ...] = (coroutine, functools.partial(coroutine, CONTEXT), items, Called())
    for function in asyncs:
        with pytest.raises(WrongColour):
            one.gate.guard("member.role", context=CONTEXT)(function)
    others: tuple[Any, ...] = (plain, functools.partial(plain, CONTEXT), items)
    for function in others:
        with pytest.raises(WrongColour):
            gate.guard("member.role", context=CONTEXT)(function)


def test_mistakes_are_found_when_decorating(one: World) -> None:
    """An unknown action, no context, an argument that is not there, an async part."""

    def function(who: Context, org_id: str) -> None: ...

    async def later(who: Context) -> Context:
        return who

    with pytest.raises(UnknownAction, match=r"member\.rolle"):
        one.gate.guard("member.rolle", context=CONTEXT)(function)
    with pytest.raises(ConfigurationError, match="context"):
        one.gate.guard("member.role")(function)
    with pytest.raises(ConfigurationError, match="organisation"):
        one.gate.guard("member.role", context=CONTEXT, resource=lambda organisation: ORG)(function)
    with pytest.raises(ConfigurationError, match="async"):
        one.gate.guard("member.role", context=later)(function)  # type: ignore[arg-type]  # the mistake


def test_a_part_that_turns_out_wrong_is_refused_before_the_function_runs(one: World) -> None:
    """The wrong type from a hook is an error of the application, never a pass."""
    ran: list[int] = []
    good: dict[str, Any] = {"context": CONTEXT}
    for wrong in (
        {"context": lambda: None},
        {"context": "usr_2048"},
        {"resource": lambda: "org_7"},
        {"params": lambda: [1]},
        {"token": lambda: b"token"},
        {"token": 7},
    ):

        @one.gate.guard("note.edit", **{**good, **wrong})
        def function() -> None:
            ran.append(1)

        assert isinstance(outcome(function), InvalidInput), wrong
    assert ran == []


def test_values_and_the_gates_own_context_are_taken() -> None:
    """Parts can be values; without ``context`` the gate's ``context_of`` is asked at each call."""
    current = {"who": context(age=86400)}
    here = world(context_of=lambda: current["who"])

    @here.gate.guard("note.edit", resource=ORG, params={"a": 1})
    def edit(text: str = "x") -> str:
        return text

    assert isinstance(outcome(edit), StepUpRequired)
    current["who"] = context(age=5)
    assert edit() == "x"
    assert edit("y") == "y"


def test_arguments_that_do_not_fit_are_the_callers_mistake(one: World) -> None:
    """As without the guard: a TypeError that names the argument, and nothing runs or is spent."""
    token = one.prove("org.delete").token

    @one.gate.guard("org.delete", context=CONTEXT, resource=ORG, token=token)
    def delete(name: str) -> str:
        return name

    with pytest.raises(TypeError, match="name"):
        delete()  # type: ignore[call-arg]
    assert delete("it") == "it"


@pytest.mark.requirement("Y-03", "Y-04")
def test_the_function_that_raises_has_spent_its_proof(one: World) -> None:
    """Consume first, act second: an action that fails afterwards needs a new proof (Y-03)."""
    token = one.prove("org.delete").token

    @one.gate.guard("org.delete", context=CONTEXT, resource=ORG, token=token)
    def delete() -> None:
        raise LookupError("no such organization")

    with pytest.raises(LookupError):
        delete()
    assert isinstance(outcome(delete), StepUpRequired)


def test_a_guard_of_one_action_does_not_open_another(one: World) -> None:
    """Two guards on one function ask for both proofs."""
    ran: list[int] = []

    @one.gate.guard("member.role", context=CONTEXT, resource=ORG)
    @one.gate.guard("batch.run", context=CONTEXT, resource=ORG)
    def both() -> None:
        ran.append(1)

    one.prove("member.role")
    assert isinstance(outcome(both), StepUpRequired)
    one.prove("batch.run")
    both()
    assert ran == [1]


def test_a_guard_asks_for_a_number_of_uses(one: World) -> None:
    """A value, or a function of the arguments; the policy bounds it, and the proof is good as often as was asked."""
    ran: list[str] = []
    mine: dict[str, Any] = {"context": CONTEXT, "resource": ORG, "token": lambda token: token}

    @one.gate.guard("batch.run", **mine, uses=lambda names: len(names))
    def run_all(names: list[str], token: str | None = None) -> None:
        ran.append("".join(names))

    @one.gate.guard("batch.run", **mine, uses=1)
    def run_one(token: str | None = None) -> None:
        ran.append("one")

    for call, asked in ((lambda t=None: run_all(["a", "b"], t), 2), (run_one, 1)):
        needed = outcome(call)
        assert isinstance(needed, StepUpRequired)
        challenge = one.gate.start_offer(needed.offer, CONTEXT)
        done = one.gate.verify(challenge.id, "passkey", "touch", CONTEXT)
        token = getattr(done, "token", "")
        ran.clear()
        for _ in range(asked):
            call(token)
        assert isinstance(outcome(lambda call=call, token=token: call(token)), StepUpRequired)
        assert len(ran) == asked


@pytest.mark.parametrize("uses", [0, -1, True, "3", 2.0, 10**6])
def test_uses_that_are_no_number_are_found_when_decorating(one: World, uses: Any) -> None:
    """And what a function makes of the arguments is refused before anything runs: None would mean all there are."""
    with pytest.raises(InvalidInput, match="uses"):
        one.gate.guard("batch.run", context=CONTEXT, uses=uses)(lambda: None)
    with pytest.raises(InvalidInput, match="uses"):
        _async_gate().guard("batch.run", context=CONTEXT, uses=uses)(_nothing)
    ran: list[object] = []

    @one.gate.guard("batch.run", context=CONTEXT, uses=lambda many: many)
    def run_all(many: Any) -> None:
        ran.append(many)

    for wrong in (uses, None):
        assert isinstance(outcome(lambda: run_all(wrong)), InvalidInput)  # noqa: B023
    assert ran == []


async def _nothing() -> None:
    """A function to be guarded."""


def test_the_async_guard_asks_for_a_number_of_uses_too() -> None:
    """Told with the blocked call, so that the challenge is for as many."""
    gate = _async_gate()

    @gate.guard("batch.run", context=CONTEXT, resource=ORG, uses=lambda many: many, token=lambda token: token)
    async def run_all(many: int, token: str | None = None) -> int:
        return many

    async def scene() -> None:
        with pytest.raises(StepUpRequired) as needed:
            await run_all(2)
        challenge = await gate.start_offer(needed.value.offer or "", CONTEXT)
        assert challenge.uses == 2
        done = await gate.verify(challenge.id, "passkey", "touch", CONTEXT)
        assert [await run_all(2, getattr(done, "token", "")) for _ in range(2)] == [2, 2]
        with pytest.raises(StepUpRequired):
            await run_all(2, getattr(done, "token", ""))

    asyncio.run(scene())

"""Two faces of one engine: the same names, parameters and words, and each refuses what belongs to the other."""

from __future__ import annotations

import asyncio
import functools
import inspect
import re
import threading
from collections.abc import Callable
from typing import Any, cast

import pytest
from engine_bench import ACTIONS, CONTEXT, ORG, PASSWORD, SECRET, Asynced, Counting, context, outcome, scripted, world

from stepup import Action, AsyncStepUp, Policy, Rejected, RiskAssessment, RiskLevel, StepUp, StepUpError, Verified
from stepup._async import AsyncApprovals, AsyncFactors
from stepup._sync import Approvals, Factors
from stepup.errors import ConfigurationError, WrongColour
from stepup.mailers import AsyncOutbox, Outbox
from stepup.ports import Message
from stepup.stores.memory import AsyncMemoryStore, MemoryStore
from stepup.testing.clock import FrozenClock
from stepup.testing.scripted import ScriptedVerifier
from stepup.verifiers import TOTP, EmailCode, Password

PAIRS = [(StepUp, AsyncStepUp), (Factors, AsyncFactors), (Approvals, AsyncApprovals)]
ONLY_ASYNC = {"offload"}
"""Constructor parameters of the async face alone: where blocking work runs."""

NOT_AWAITED = {"guard", "lint"}
"""Methods that are plain on both faces."""


def _public(kind: type) -> dict[str, Callable[..., object]]:
    members = [member for base in kind.__mro__ for member in vars(base).items()]
    return {name: found for name, found in members if not name.startswith("_") and callable(found)}


@pytest.mark.parametrize(("sync", "twin"), PAIRS)
def test_the_faces_have_the_same_names_and_parameters(sync: type, twin: type) -> None:
    """Same methods; same parameters in name, order, kind and default; async exactly where it should be."""
    mine, other = _public(sync), _public(twin)
    assert list(mine) == list(other)
    for name, function in mine.items():
        one, two = inspect.signature(function), inspect.signature(other[name])
        assert [(p.name, p.kind, p.default) for p in one.parameters.values()] == [
            (p.name, p.kind, p.default) for p in two.parameters.values()
        ], name
        assert not inspect.iscoroutinefunction(function), name
        assert inspect.iscoroutinefunction(other[name]) is (name not in NOT_AWAITED), name
        if name not in NOT_AWAITED:
            assert one.return_annotation == two.return_annotation, name


@pytest.mark.parametrize(("sync", "twin"), PAIRS)
def test_the_faces_have_the_same_words(sync: type, twin: type) -> None:
    """The docstrings are the reference, so they are the same, and there is one for everything public."""
    for name, function in _public(sync).items():
        assert function.__doc__, name
        assert function.__doc__ == _public(twin)[name].__doc__, name


def test_the_constructors_differ_in_the_ports_alone() -> None:
    """The same settings with the same defaults; the async one also says where blocking work runs."""
    one, two = (inspect.signature(kind.__init__).parameters for kind in (StepUp, AsyncStepUp))
    assert set(two) - set(one) == ONLY_ASYNC
    assert [(p.name, p.kind, p.default) for p in one.values()] == [
        (p.name, p.kind, p.default) for p in two.values() if p.name not in ONLY_ASYNC
    ]
    described = [re.findall(r"^ +([a-z_, ]+): ", kind.__init__.__doc__ or "", re.M) for kind in (StepUp, AsyncStepUp)]
    assert [name for name in described[1] if name not in ONLY_ASYNC] == described[0]


# -- the wrong colour at construction ---------------------------------------------------


async def _later(*args: Any) -> Any:
    return True


class _Callable:
    async def __call__(self, *args: Any) -> Any:
        return True


class _AsyncClock:
    async def now(self) -> Any:
        return None


class _AsyncVerifier(ScriptedVerifier):
    async def check(self, state: Any, response: object, context: Any, /) -> Any:  # type: ignore[override]
        return super().check(state, response, context)


ASYNC_HOOKS = [_later, functools.partial(_later, 1), functools.partial(functools.partial(_later), 1), _Callable()]


@pytest.mark.parametrize("hook", ASYNC_HOOKS)
@pytest.mark.parametrize("name", ["risk", "on_event", "on_decision", "may_start"])
def test_an_async_hook_is_refused_by_the_sync_face(name: str, hook: Any) -> None:
    """When the gate is made; through partials and callable objects too."""
    with pytest.raises(WrongColour, match=name):
        world(**{name: hook})


@pytest.mark.parametrize("hook", ASYNC_HOOKS)
def test_an_async_hook_of_a_verifier_is_refused_by_the_sync_face(hook: Any) -> None:
    """Every hook of every shipped verifier, by its name."""
    made = {
        "check": lambda: Password(check=hook),
        "has_password": lambda: Password(check=lambda a, p: True, has_password=hook),
        "hash_of": lambda: Password(hash_of=hook),
        "rehash": lambda: Password(hash_of=lambda a: None, rehash=hook),
        "secret_of": lambda: TOTP(secret_of=hook),
        "address_of": lambda: EmailCode(Outbox(), address_of=hook),
        "render": lambda: EmailCode(Outbox(), render=hook),
        "mailer": lambda: EmailCode(AsyncOutbox()),
    }
    for name, verifier in made.items():
        with pytest.raises(WrongColour, match=name):
            world(verifiers=[cast(Any, verifier)()], actions=())


def test_async_ports_are_refused_by_the_sync_face() -> None:
    """Store, clock, mailer, verifier."""
    for wrong in (
        {"store": AsyncMemoryStore()},
        {"clock": _AsyncClock()},
        {"mailer": AsyncOutbox()},
        {"verifiers": [_AsyncVerifier("passkey")], "actions": ()},
    ):
        with pytest.raises(WrongColour):
            world(**wrong)


def test_sync_and_mixed_ports_are_refused_by_the_async_face() -> None:
    """A sync store would block the loop; a verifier of both colours is a mistake."""

    class Half(Asynced):
        def apply(self, partition: Any, changes: Any) -> Any:
            return None

    given: dict[str, Any] = {"actions": (), "secret": SECRET}
    stores: tuple[Any, ...] = (MemoryStore(), Counting(), Half(MemoryStore()))
    for store in stores:
        with pytest.raises(WrongColour, match="store"):
            AsyncStepUp(verifiers=list(scripted().values()), store=store, **given)
    with pytest.raises(WrongColour):
        AsyncStepUp(verifiers=[cast(Any, _AsyncVerifier("passkey"))], store=AsyncMemoryStore(), **given)
    for lacking in (object(), None, "memory"):
        with pytest.raises(ConfigurationError):
            AsyncStepUp(verifiers=[], store=lacking, **given)  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError):
            StepUp(verifiers=[], store=lacking, **given)  # type: ignore[arg-type]


# -- and at run time, where nobody could see it before -------------------------------------


def _hidden(answer: Any) -> Callable[..., Any]:
    """A plain function that returns an awaitable, which is truthy."""

    async def later() -> Any:
        return answer

    return lambda *args: later()


@pytest.mark.requirement("S-03", "G-12")
def test_an_awaitable_is_never_an_answer_on_the_sync_face() -> None:
    """A verifier, a password check, a store, an assessor: the coroutine they return accepts nothing."""
    verifier = ScriptedVerifier("passkey", strength=40)
    verifier.check = _hidden(True)  # type: ignore[method-assign]
    here = world(verifiers=[verifier], actions=(Action("x", "X"),))
    challenge = here.start("x")
    assert isinstance(here.gate.verify(challenge.id, "passkey", "touch", CONTEXT), Rejected)

    here = world(verifiers=[Password(check=_hidden(True))], actions=(Action("x", "X"),))
    challenge = here.start("x")
    assert isinstance(here.gate.verify(challenge.id, "password", "x", CONTEXT), Rejected)
    assert not here.allows("x")

    blocking = Policy(block_session_risk=frozenset({RiskLevel.UNKNOWN}))
    here = world(actions=(Action("x", "X", policy=blocking),), risk=_hidden(RiskAssessment()))
    assert isinstance(outcome(lambda: here.start("x")), StepUpError)
    assert not here.allows("x")


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize("method", ["load", "apply"])
def test_a_store_that_answers_awaitables_is_refused(method: str) -> None:
    """What it answers is neither records nor APPLIED."""
    store = Counting()
    here = world(store=store)
    token = here.prove("member.role").token
    setattr(store, method, _hidden([]))

    assert not here.allows("member.role")
    if method == "apply":
        assert not here.allows("member.role", token=token)
    assert isinstance(outcome(lambda: here.start("member.role")), StepUpError)


def test_an_async_rotate_is_refused_on_the_sync_face() -> None:
    """Like every other hook."""
    here = world()
    challenge = here.start("member.role")
    found = outcome(lambda: here.gate.verify(challenge.id, "passkey", "touch", CONTEXT, rotate=_hidden("sess_2")))

    assert not isinstance(found, Verified)


# -- where blocking work runs -------------------------------------------------------------------


def _thread_of(seen: dict[str, int], name: str, answer: Any) -> Callable[..., Any]:
    def hook(*args: Any) -> Any:
        seen[name] = threading.get_ident()
        return answer

    return hook


def test_blocking_work_stays_off_the_event_loop() -> None:
    """Sync hooks, custom sync verifiers, Argon2 and mail run in a worker thread; async hooks on the loop."""
    from argon2 import PasswordHasher

    seen: dict[str, int] = {}

    class Hasher(PasswordHasher):
        def verify(self, hash: Any, password: Any) -> Any:  # noqa: A002
            seen["argon2"] = threading.get_ident()
            return super().verify(hash, password)

    class Mail:
        def send(self, message: Message) -> None:
            seen["mailer"] = threading.get_ident()

    class Custom(ScriptedVerifier):
        def check(self, state: Any, response: object, context: Any, /) -> Any:
            seen["custom"] = threading.get_ident()
            return super().check(state, response, context)

    async def address_of(actor: Any) -> str:
        seen["async hook"] = threading.get_ident()
        return "olivia@northstar.example"

    hasher = Hasher(time_cost=1, memory_cost=8, parallelism=1)
    kept = hasher.hash(PASSWORD)
    gate = AsyncStepUp(
        actions=(Action("x", "X", policy=Policy(methods=("password", "custom", "email_code"))),),
        verifiers=[
            Password(hash_of=_thread_of(seen, "hash_of", kept), hasher=hasher),
            Custom("custom", answer="yes"),
            EmailCode(Mail(), address_of=address_of),
        ],
        store=AsyncMemoryStore(),
        secret=SECRET,
        clock=FrozenClock(),
        risk=_thread_of(seen, "risk", RiskAssessment()),
        on_event=_thread_of(seen, "on_event", None),
        on_decision=_thread_of(seen, "on_decision", None),
    )

    async def scene() -> int:
        for name, answer in (("password", PASSWORD), ("custom", "yes"), ("email_code", "000000")):
            challenge = await gate.start("x", CONTEXT, resource=ORG)
            await gate.begin(challenge.id, name, CONTEXT)
            await gate.verify(challenge.id, name, answer, CONTEXT)
        await gate.check("x", context("sess_2"))
        with pytest.raises(StepUpError):
            await gate.require("x", context("sess_2"))
        return threading.get_ident()

    loop = asyncio.run(scene())
    assert set(seen) == {
        "argon2",
        "mailer",
        "custom",
        "async hook",
        "hash_of",
        "risk",
        "on_event",
        "on_decision",
    }
    assert {name for name, thread in seen.items() if thread == loop} == {"async hook"}


def test_where_blocking_work_runs_can_be_chosen() -> None:
    """``offload=`` is what every sync hook goes through."""
    ran: list[str] = []

    async def offload(function: Callable[..., Any], *args: Any) -> Any:
        ran.append("offloaded")
        return function(*args)

    gate = AsyncStepUp(
        actions=ACTIONS,
        verifiers=list(scripted().values()),
        store=AsyncMemoryStore(),
        secret=SECRET,
        clock=FrozenClock(),
        offload=offload,
    )

    async def scene() -> bool:
        challenge = await gate.start("member.role", CONTEXT, resource=ORG)
        return bool(await gate.verify(challenge.id, "passkey", "touch", CONTEXT))

    assert asyncio.run(scene())
    assert ran


def test_a_hook_that_raises_stop_iteration_does_not_hang() -> None:
    """A future cannot carry it; on the async face it is an error of the hook, which is a refusal."""

    def check(actor: Any, password: str) -> bool:
        return next(word == password for word in list[str]())

    gate = AsyncStepUp(
        actions=(Action("x", "X"),),
        verifiers=[Password(check=check)],
        store=AsyncMemoryStore(),
        secret=SECRET,
        clock=FrozenClock(),
    )

    async def scene() -> object:
        challenge = await gate.start("x", CONTEXT)
        return await asyncio.wait_for(gate.verify(challenge.id, "password", "x", CONTEXT), 20)

    assert isinstance(asyncio.run(scene()), Rejected)

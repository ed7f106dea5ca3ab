"""What the tests of approvals share: people, gates over every store and on both faces, and two calls at once.

``opened_world`` gives a ``World`` whose ``gate`` is called in place on either face. ``World.race`` runs several calls
at the same moment, as threads on the sync face and as tasks on the async one; ``meeting`` makes each of them wait,
before its first write, until all of them have read, so that they have decided on the same records.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, cast

import pytest

from sql_backends import ASYNC, SYNC, Backend, need, opened, opened_async
from stepup import (
    Action,
    Actor,
    AsyncStepUp,
    Challenge,
    Context,
    Device,
    Event,
    Policy,
    Resource,
    Session,
    StepUp,
    StepUpError,
    Strength,
    Verified,
    all_of,
    any_of,
)
from stepup.approval import ApprovalRequest, Approvers
from stepup.changes import Applied, Changes, Key, Lost, Partition, Record
from stepup.stores.memory import AsyncMemoryStore, MemoryStore
from stepup.testing import FrozenClock, Outbox, ScriptedVerifier
from stepup.verifiers import Approval

SECRET: Final = b"approval tests only: never a production key"
OLIVIA: Final = Actor("usr_olivia", email="olivia@northstar.example")
ACCOUNT: Final = Resource("account", "acct_9", label="Northstar payroll")
PARAMS: Final = {"amount": "9000.00 EUR", "payee": "Helder Ltd"}
ROLES: Final = {"usr_ines": ("finance",), "usr_marcus": ("finance", "staff"), "usr_tom": ("staff",)}

ACTIONS: Final = (
    Action("payout.create", "Send a payout", risk=4, methods=all_of("passkey", "approval"),
           approvers=Approvers("finance")),
    Action("payout.plain", "Send a small payout", methods="approval", approvers=Approvers("finance", step_up=False)),
    Action("payout.two", "Send a large payout", methods="approval",
           approvers=Approvers("finance", quorum=2, step_up=False)),
    Action("key.rotate", "Rotate the key", methods=any_of("passkey", "approval"),
           approvers=Approvers(people=["usr_tom"])),
    Action("strict", "From another network", methods="approval",
           approvers=Approvers("finance", step_up=False, apart=["network"])),
    Action("job.run", "Run the job", policy=Policy(methods="approval"), binds={"organization", "resource", "params"}),
)  # fmt: skip
"""Actions that others approve; ``job.run`` has the approvers of the gate."""


def who(name: str, number: int = 1, *, organization: str | None = "org_7", **given: Any) -> Context:
    """A request of somebody's, from a session, a device and a network of their own."""
    actor = OLIVIA if name == "olivia" else Actor(f"usr_{name}", email=f"{name}@northstar.example")
    place = sum(map(ord, name)) % 200
    context: dict[str, Any] = {
        "session": Session(f"session {number} of {name}"),
        "device": Device(f"device of {name}", f"{name.capitalize()}'s laptop"),
        "organization": organization,
        "ip": f"192.0.{place}.{number}",
        "user_agent": "Safari",
        **given,
    }
    return Context(context.pop("actor", actor), **context)


ME: Final = who("olivia")
INES: Final = who("ines")
MARCUS: Final = who("marcus")
TOM: Final = who("tom")


def roles_of(context: Context) -> Sequence[str]:
    """Who has which role: a table that tests may change."""
    return ROLES.get(context.actor.id, ())


@dataclass
class World:
    """A gate and what is around it. ``gate`` is typed as the sync face; on the async one calls are run out."""

    gate: StepUp
    raw: Any
    store: Any
    clock: FrozenClock
    outbox: Outbox
    runner: asyncio.Runner | None
    made: Callable[..., Any]
    told: list[ApprovalRequest] = field(default_factory=list)

    def ask(self, action: str = "payout.plain", context: Context = ME, **call: Any) -> tuple[Challenge, str]:
        """A challenge that others are asked to approve, and the id that they answer it by."""
        made = self.gate.start(action, context, **{"resource": ACCOUNT, "params": PARAMS, **call})
        self.gate.begin(made.id, "approval", context)
        return made, f"{made.id}.{self.partition(context.actor)}"

    def collect(self, challenge: Challenge, context: Context = ME) -> Any:
        return self.gate.verify(challenge.id, "approval", None, context)

    def partition(self, actor: Actor) -> str:
        return cast(str, self.raw.core.partition(actor))

    def opens(self, found: Verified, action: str, context: Context = ME, **call: Any) -> bool:
        """Whether what was minted lets the call pass; it spends."""
        try:
            self.gate.require(action, context, token=found.token, **{"resource": ACCOUNT, "params": PARAMS, **call})
        except StepUpError:
            return False
        return True

    def inbox(self, context: Context) -> list[ApprovalRequest]:
        """All pages of somebody's inbox."""
        found: list[ApprovalRequest] = []
        after: str | None = None
        while True:
            page = self.gate.approvals.inbox(context, after=after)
            found += page.items
            if (after := page.after) is None:
                return found

    def events(self, actor: Actor = OLIVIA) -> list[Event]:
        """Somebody's events, oldest first."""
        return [*reversed(self.gate.events(actor, limit=1000).items)]

    def types(self, actor: Actor = OLIVIA) -> list[str]:
        return [event.type.value for event in self.events(actor)]

    def again(self, **settings: Any) -> Any:
        """Another gate over the same store, with other *settings*; called in place."""
        made = self.made(**settings)
        return Blocking(made, self.runner) if self.runner else made

    def race(self, *works: Callable[[Any], Any]) -> list[Any]:
        """What came of *works*, each given the gate, all at once; errors raised on purpose among it."""
        with meeting(self.store, len(works)):
            if self.runner is not None:
                return self.runner.run(_gathered(self.raw, works))
            found: list[Any] = [None] * len(works)

            def run(n: int) -> None:
                found[n] = outcome(lambda: works[n](self.raw))

            threads = [threading.Thread(target=run, args=(n,)) for n in range(len(works))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return found


async def _gathered(gate: Any, works: Sequence[Callable[[Any], Any]]) -> list[Any]:
    async def one(work: Callable[[Any], Any]) -> Any:
        try:
            return await work(gate)
        except StepUpError as error:
            return error

    return list(await asyncio.gather(*(one(work) for work in works)))


def outcome(call: Callable[[], Any]) -> Any:
    """What *call* returns, or what it raised on purpose."""
    try:
        return call()
    except StepUpError as error:
        return error


class Blocking:
    """The async face, each call run to its end."""

    def __init__(self, gate: Any, runner: asyncio.Runner) -> None:
        self._gate = gate
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._gate, name)
        if name in {"factors", "approvals"}:
            return Blocking(found, self._runner)
        if inspect.iscoroutinefunction(found):
            return lambda *args, **kwargs: self._runner.run(found(*args, **kwargs))
        return found


# -- stores, at which those who race can meet ----------------------------------------


class Meeting:
    """A store at which all who race wait for each other, once each, before their first write."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.barrier: threading.Barrier | None = None
        self.met = threading.local()
        self.times = 0
        self.calls: list[str] = []

    def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
        self.calls.append("load")
        return cast("Sequence[Record | None]", self.inner.load(partition, keys))

    def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        barrier = self.barrier
        if barrier is not None and not getattr(self.met, "yes", False):
            self.met.yes = True
            with contextlib.suppress(threading.BrokenBarrierError):
                barrier.wait(10)
                self.times += 1
        self.calls.append("apply")
        return cast("Applied | Lost", self.inner.apply(partition, changes))

    def list(self, tag: str, *, after: str | None, limit: int) -> Any:
        self.calls.append("list")
        return self.inner.list(tag, after=after, limit=limit)

    def events(self, partition: Partition, *, after: str | None, limit: int) -> Any:
        return self.inner.events(partition, after=after, limit=limit)

    def purge(self, before: datetime, *, limit: int = 1000) -> int:
        return cast(int, self.inner.purge(before, limit=limit))

    def arm(self, parties: int) -> None:
        self.barrier, self.times, self.met = threading.Barrier(parties), 0, threading.local()


class AsyncMeeting:
    """``Meeting`` for tasks."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.barrier: asyncio.Barrier | None = None
        self.met: set[Any] = set()
        self.times = 0
        self.calls: list[str] = []

    async def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
        self.calls.append("load")
        return cast("Sequence[Record | None]", await self.inner.load(partition, keys))

    async def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        task = asyncio.current_task()
        if self.barrier is not None and task not in self.met:
            self.met.add(task)
            with contextlib.suppress(asyncio.BrokenBarrierError, TimeoutError):
                await asyncio.wait_for(self.barrier.wait(), 10)
                self.times += 1
        self.calls.append("apply")
        return cast("Applied | Lost", await self.inner.apply(partition, changes))

    async def list(self, tag: str, *, after: str | None, limit: int) -> Any:
        self.calls.append("list")
        return await self.inner.list(tag, after=after, limit=limit)

    async def events(self, partition: Partition, *, after: str | None, limit: int) -> Any:
        return await self.inner.events(partition, after=after, limit=limit)

    async def purge(self, before: datetime, *, limit: int = 1000) -> int:
        return cast(int, await self.inner.purge(before, limit=limit))

    def arm(self, parties: int) -> None:
        self.barrier, self.times, self.met = asyncio.Barrier(parties), 0, set()


@contextmanager
def meeting(store: Any, parties: int) -> Iterator[None]:
    """Let *parties* meet at *store*; they did, or the race showed nothing."""
    store.arm(parties)
    yield
    store.barrier = None
    assert store.times == parties, "they did not meet before they wrote"


# -- worlds -------------------------------------------------------------------------

MEMORY: Final = (Backend("memory", None, ""), Backend("memory-async", None, ""))
EVERY: Final = (*MEMORY, *SYNC, *ASYNC)
FACES: Final = MEMORY
every_store = pytest.mark.parametrize("world", EVERY, ids=str, indirect=True)
both_faces = pytest.mark.parametrize("world", FACES, ids=str, indirect=True)


@contextmanager
def opened_world(backend: Backend, folder: Path, **settings: Any) -> Iterator[World]:
    """A world over *backend*, on the face that its driver has."""
    need(backend.server)
    if backend in ASYNC or backend.name == "memory-async":
        with asyncio.Runner() as runner, contextlib.ExitStack() as stack:
            if backend.name == "memory-async":
                inner: Any = AsyncMemoryStore()
            else:
                opening = opened_async(backend, folder)
                inner = runner.run(opening.__aenter__())
                stack.callback(lambda: runner.run(opening.__aexit__(None, None, None)))
            yield _world(AsyncStepUp, AsyncMeeting(inner), runner, settings)
    elif backend.name == "memory":
        yield _world(StepUp, Meeting(MemoryStore()), None, settings)
    else:
        with opened(backend, folder) as store:
            yield _world(StepUp, Meeting(store), None, settings)


def _world(kind: Any, store: Any, runner: asyncio.Runner | None, settings: dict[str, Any]) -> World:
    clock, outbox = FrozenClock(), Outbox()
    told: list[ApprovalRequest] = []

    def gate(**given: Any) -> Any:
        passkey = ScriptedVerifier("passkey", strength=Strength.PASSKEY, answer="touch", amr=("hwk",))
        approval = Approval(
            Approvers("finance", step_up=False),
            roles_of=given.pop("roles_of", roles_of),
            addresses=given.pop("addresses", None),
            notify=given.pop("notify", told.append),
            ttl=given.pop("ttl", 24 * 3600),
        )
        chosen = {"actions": ACTIONS, "verifiers": [passkey, approval], "mailer": outbox, "clock": clock, **given}
        return kind(store=store, secret=SECRET, **chosen)

    made = gate(**settings)
    wrapped = made if runner is None else Blocking(made, runner)
    return World(cast(StepUp, wrapped), made, store, clock, outbox, runner, gate, told)

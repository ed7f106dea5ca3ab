"""What the engine tests share: one world (clock, counted store, scripted methods, gate), on either face."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from stepup import (
    Action,
    Actor,
    AsyncStepUp,
    Challenge,
    Context,
    Device,
    Event,
    Limits,
    Policy,
    Proof,
    Resource,
    RiskAssessment,
    Session,
    StepUp,
    StepUpError,
    Strength,
    Verified,
    all_of,
)
from stepup.changes import Applied, Changes, Key, Lost, Page, Partition, Record
from stepup.mailers import Outbox
from stepup.stores.memory import MemoryStore
from stepup.testing.clock import START, FrozenClock
from stepup.testing.scripted import ScriptedVerifier

SECRET = "an engine test secret, never a real one: 0123456789"
OTHER_SECRET = "another engine test secret, never real: 9876543210"
ACTOR = Actor("usr_2048", email="olivia@northstar.example")
OTHER = Actor("usr_4096", email="marcus@northstar.example")
ORG = Resource("organization", "org_7", label="Northstar")
PARAMS: Mapping[str, object] = {"amount": "120.00 EUR"}

both_faces = pytest.mark.parametrize("face", ["sync", "async"])

ACTIONS = (
    Action("org.delete", "Delete organization", risk=4),
    Action("member.role", "Change role", risk=3),
    Action("member.remove", "Remove member", risk=2),
    Action("note.edit", "Edit note", risk=1),
    Action("batch.run", "Run batch", policy=Policy(uses=3)),
    Action("once.shelf", "Once, without a token", policy=Policy(uses=1)),
    Action("key.rotate", "Rotate key", policy=Policy(methods=all_of("password", "passkey"))),
    Action("by.password", "By password", policy=Policy(methods="password")),
)


def context(
    session: str | None = "sess_1",
    *,
    actor: Actor = ACTOR,
    at: datetime = START,
    age: float | None = 3600,
    proofs: Sequence[Proof] = (),
    device: str | None = "fp_1",
    trusted: bool = False,
    organization: str | None = "org_7",
    risk: RiskAssessment | None = None,
    ip: str = "192.0.2.7",
    device_token: str | None = None,
) -> Context:
    """A request of Olivia's, from a session that was opened *age* seconds before *at*."""
    signed_in = None if age is None else at - timedelta(seconds=age)
    return Context(
        actor,
        session=None if session is None else Session(session, signed_in, tuple(proofs)),
        device=None if device is None else Device(device, "MacBook Pro / Safari", trusted),
        organization=organization,
        ip=ip,
        user_agent="Safari",
        risk=risk,
        device_token=device_token,
    )


CONTEXT = context()


class Counting:
    """A store that notes every call; thread-safe."""

    def __init__(self, inner: MemoryStore | None = None) -> None:
        self.inner = inner or MemoryStore()
        self.calls: list[str] = []
        self.batches: list[Changes] = []
        self._lock = threading.Lock()

    def _note(self, name: str) -> None:
        with self._lock:
            self.calls.append(name)

    def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
        self._note("load")
        return self.inner.load(partition, keys)

    def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        self._note("apply")
        with self._lock:
            self.batches.append(changes)
        return self.inner.apply(partition, changes)

    def list(self, tag: str, *, after: str | None, limit: int) -> Page[Record]:
        self._note("list")
        return self.inner.list(tag, after=after, limit=limit)

    def events(self, partition: Partition, *, after: str | None, limit: int) -> Page[Event]:
        self._note("events")
        return self.inner.events(partition, after=after, limit=limit)

    def purge(self, before: datetime, *, limit: int = 1000) -> int:
        self._note("purge")
        return self.inner.purge(before, limit=limit)

    def during(self, call: Callable[[], object]) -> Sequence[str]:
        """The calls made while *call* ran; what it raised on purpose is swallowed."""
        start = len(self.calls)
        with contextlib.suppress(StepUpError):
            call()
        return self.calls[start:]


class Asynced:
    """Any sync store with ``async def``."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
        return cast("Sequence[Record | None]", self.inner.load(partition, keys))

    async def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        return cast("Applied | Lost", self.inner.apply(partition, changes))

    async def list(self, tag: str, *, after: str | None, limit: int) -> Page[Record]:
        return cast("Page[Record]", self.inner.list(tag, after=after, limit=limit))

    async def events(self, partition: Partition, *, after: str | None, limit: int) -> Page[Event]:
        return cast("Page[Event]", self.inner.events(partition, after=after, limit=limit))

    async def purge(self, before: datetime, *, limit: int = 1000) -> int:
        return cast(int, self.inner.purge(before, limit=limit))


LOOP: list[asyncio.Runner] = []


def run(coroutine: Any) -> Any:
    """Run it in the one event loop of these tests; ``conftest`` closes it."""
    if not LOOP:
        LOOP.append(asyncio.Runner())
    return LOOP[0].run(coroutine)


class Blocking:
    """The async face, each call run to its end, so that a test is written once."""

    def __init__(self, gate: Any) -> None:
        self._gate = gate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._gate, name)
        if name in {"factors", "devices", "approvals"}:
            return Blocking(found)
        if inspect.iscoroutinefunction(found):
            return lambda *args, **kwargs: run(found(*args, **kwargs))
        return found


def scripted() -> dict[str, ScriptedVerifier]:
    """A password ("pw") and a passkey ("touch"), which is the strongest."""
    return {
        "password": ScriptedVerifier("password", strength=Strength.PASSWORD, answer="pw", amr=("pwd",)),
        "passkey": ScriptedVerifier(
            "passkey", strength=Strength.PASSKEY, answer="touch", amr=("hwk", "user"), phishing_resistant=True
        ),
    }


@dataclass
class World:
    """A gate and everything around it. ``gate`` is typed as the sync face; on the async one calls are run out."""

    gate: StepUp
    store: Counting
    clock: FrozenClock
    outbox: Outbox
    methods: dict[str, ScriptedVerifier] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def start(self, action: str, who: Context = CONTEXT, **call: Any) -> Challenge:
        return self.gate.start(action, who, resource=call.get("resource", ORG), params=call.get("params"))

    def prove(
        self, action: str, who: Context = CONTEXT, method: str = "passkey", answer: object = "touch", **call: Any
    ) -> Verified:
        """The whole ceremony; it must end in a grant."""
        rotate, remember = call.pop("rotate", None), call.pop("remember", False)
        challenge = self.start(action, who, **call)
        found = self.gate.verify(challenge.id, method, answer, who, rotate=rotate, remember=remember)
        assert isinstance(found, Verified), found
        return found

    def allows(self, action: str, who: Context = CONTEXT, token: str | None = None, **call: Any) -> bool:
        """Whether ``require`` lets the call pass now; it spends."""
        request_id = call.pop("request_id", None)
        try:
            passed = self.gate.require(
                action,
                who,
                resource=call.get("resource", ORG),
                params=call.get("params"),
                token=token,
                request_id=request_id,
            )
        except StepUpError:
            return False
        assert passed.decision.allowed
        return True

    def events(self, who: Actor = ACTOR) -> list[Event]:
        """The person's events, oldest first."""
        found = self.gate.events(who, limit=1000).items
        return [one for one in reversed(found) if isinstance(one, Event)]

    def reasons(self, who: Actor = ACTOR) -> list[str | None]:
        return [one.reason for one in self.events(who)]


def world(
    *,
    face: str = "sync",
    actions: Sequence[Action] = ACTIONS,
    verifiers: Sequence[Any] | None = None,
    store: Any = None,
    clock: FrozenClock | None = None,
    outbox: Outbox | None = None,
    secret: Any = SECRET,
    limits: Limits | None = None,
    **settings: Any,
) -> World:
    """A world; without *verifiers*, the scripted ones."""
    clock = clock or FrozenClock()
    methods = scripted()
    counted = store if store is not None else Counting()
    given = list(methods.values()) if verifiers is None else list(verifiers)
    kind: Any = StepUp if face == "sync" else AsyncStepUp
    gate: Any = kind(
        actions=actions,
        verifiers=given,
        store=counted if face == "sync" else Asynced(counted),
        secret=secret,
        clock=clock,
        limits=limits,
        **settings,
    )
    named = {one.method: one for one in given if isinstance(one, ScriptedVerifier)}
    wrapped = gate if face == "sync" else Blocking(gate)
    return World(cast(StepUp, wrapped), counted, clock, outbox or Outbox(), named)


def outcome(call: Callable[..., Any]) -> Any:
    """What *call* returns, or what it raised on purpose; anything else it raises is the test's failure."""
    try:
        return call()
    except StepUpError as error:
        return error


# -- real methods ---------------------------------------------------------------

TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
PASSWORD = "correct horse battery staple"


def code(secret: str, at: datetime) -> str:
    """What an authenticator app shows at *at*."""
    import pyotp

    return pyotp.TOTP(secret).at(at)


def right_password(actor: Actor, password: str) -> bool:
    """The application's own check."""
    return password == PASSWORD


def enrolled_totp(here: World, who: Context) -> str:
    """Enrol an authenticator under a password step-up and wait until it counts; the secret."""
    from stepup.decide.enrol import ADD

    here.prove(ADD, who, "password", PASSWORD, resource=Resource("factors", who.actor.id), params={"method": "totp"})
    made = here.gate.factors.enrol_totp(who)
    assert here.gate.factors.confirm_totp(who, made.factor_id, code(made.secret, here.now))
    here.clock.advance(timedelta(hours=25))
    return made.secret


def recovery_codes(here: World, who: Context, secret: str) -> tuple[str, ...]:
    """A set of recovery codes for the authenticator behind *secret*."""
    from stepup.decide.enrol import ADD

    here.clock.advance(60)
    here.prove(
        ADD,
        who,
        "totp",
        code(secret, here.now),
        resource=Resource("factors", who.actor.id),
        params={"method": "recovery_code"},
    )
    return here.gate.factors.new_recovery_codes(who)


def real_world(face: str = "sync", **settings: Any) -> World:
    """A gate with a real password, authenticator, mailed code and recovery codes."""
    from stepup.verifiers import TOTP, EmailCode, Password, RecoveryCode

    outbox = Outbox(sender="no-reply@northstar.example")
    verifiers = [Password(check=right_password), TOTP(), EmailCode(mailer=outbox), RecoveryCode()]
    return world(face=face, verifiers=verifiers, outbox=outbox, **{"actions": REAL_ACTIONS, **settings})


REAL_ACTIONS = (
    Action("org.delete", "Delete organization", risk=4),
    Action("member.role", "Change role", risk=3),
    Action("member.remove", "Remove member", risk=2),
    Action("by.any", "By anything", policy=Policy(methods="any")),
    Action("by.mail", "By mail", methods="email_code"),
    Action("by.both", "By both", policy=Policy(methods=all_of("password", "totp"))),
    Action("crit.recovery", "Critical, recovery named", risk=4, methods=("totp", "recovery_code")),
)

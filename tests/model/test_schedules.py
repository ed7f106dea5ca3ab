"""Two operations at once, in every order in which their store calls can fall.

No event loop and no threads: each operation is a coroutine driven by hand, and stops before every store call. The
scheduler decides who makes the next call, so every interleaving of two operations is run, and a failure names its
schedule: ``"ABBA"`` means that A made the first call, then B twice, then A. What comes of an interleaving must be what
comes of running one operation after the other, or, where a test says so, a refusal more.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest

from stepup import (
    Action,
    Actor,
    AsyncStepUp,
    Context,
    Limits,
    MoreNeeded,
    Policy,
    Rejected,
    Resource,
    Risk,
    Session,
    StepUpError,
    Verified,
    all_of,
    any_of,
)
from stepup.challenge import State
from stepup.changes import THROTTLE, Applied, Changes, Key, Lost, Page, Partition, Record
from stepup.errors import Refused
from stepup.event import Event, EventType
from stepup.requirement import ANY
from stepup.stores.memory import AsyncMemoryStore
from stepup.testing import FrozenClock, Outbox, ScriptedVerifier
from stepup.testing.clock import START
from stepup.throttle import Throttle
from stepup.verifiers import TOTP, EmailCode, Password

T = TypeVar("T")
SECRET = b"schedule tests only: never a production key"
ACTOR = Actor("usr_2048", email="olivia@northstar.example")
HERE = Context(ACTOR, Session("laptop", START))
THERE = Context(ACTOR, Session("phone", START))
WHERE: dict[str, Any] = {"resource": Resource("organization", "org_7")}
TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


class Turn:
    """Awaiting it gives the turn away."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class TurnStore(AsyncMemoryStore):
    """A store before whose every call the scheduler is asked."""

    async def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
        await Turn()
        return await super().load(partition, keys)

    async def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        await Turn()
        return await super().apply(partition, changes)

    async def list(self, tag: str, *, after: str | None, limit: int) -> Page[Record]:
        await Turn()
        return await super().list(tag, after=after, limit=limit)

    async def events(self, partition: Partition, *, after: str | None, limit: int) -> Page[Event]:
        await Turn()
        return await super().events(partition, after=after, limit=limit)

    async def purge(self, before: datetime, *, limit: int = 1000) -> int:
        await Turn()
        return await super().purge(before, limit=limit)


async def in_place(function: Callable[..., Any], *args: object) -> Any:
    return function(*args)


def drain(operation: Awaitable[T]) -> T:
    """Run one operation alone, from beginning to end."""
    steps = operation.__await__()
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result


class World:
    """A gate, what stands around it, and what the tests ask of it; made anew for every schedule."""

    def __init__(self, *, limits: Limits | None = None, stored: bool = False) -> None:
        self.clock, self.outbox = FrozenClock(), Outbox()
        self.password = ScriptedVerifier("password", strength=20)
        self.totp = ScriptedVerifier("totp", strength=30, points=2)
        self.events: list[Event] = []
        self.token = self.started = self.id = ""
        self.store = TurnStore()
        own = Password(check=lambda actor, typed: typed == "right")
        codes = TOTP() if stored else TOTP(secret_of=lambda actor: TOTP_SECRET)
        self.gate: Any = AsyncStepUp(
            actions=[
                Action("note.read", "Read", risk=Risk.MEDIUM, policy=Policy(methods=ANY, grant_ttl=600)),
                Action("key.rotate", "Rotate", risk=Risk.HIGH),
                Action("organization.delete", "Delete", risk=Risk.CRITICAL),
                Action("mail.change", "Change", risk=Risk.HIGH, methods=any_of("email_code", "password")),
                Action("voucher.print", "Print", risk=Risk.HIGH, policy=Policy(methods=any_of("password"), uses=3)),
                Action("data.export", "Export", risk=Risk.HIGH, methods=all_of("password", "totp")),
            ],
            verifiers=[own, codes, EmailCode(self.outbox)]
            if stored
            else [self.password, self.totp, EmailCode(self.outbox)],
            store=self.store,
            secret=SECRET,
            limits=limits or Limits(),
            clock=self.clock,
            on_event=self.events.append,
            offload=in_place,
        )

    # -- run alone, before or after the race

    def start(self, action: str = "key.rotate", context: Context = HERE, org: str = "org_7") -> str:
        return str(drain(self.gate.start(action, context, resource=Resource("organization", org))).id)

    def verify(self, challenge: str, method: str = "totp", response: str = "right", context: Context = HERE) -> Any:
        return drain(self.gate.verify(challenge, method, response, context))

    def minted(self, action: str, method: str = "totp", context: Context = HERE) -> Verified:
        result = self.verify(self.start(action, context), method, context=context)
        assert isinstance(result, Verified)
        return result

    def code(self, challenge: str) -> str:
        drain(self.gate.begin(challenge, "email_code", HERE))
        return self.outbox.code()

    def allowed(self, action: str, token: str | None = None, context: Context = HERE) -> bool:
        """Whether the call really passes now; where uses are counted, this spends one."""
        try:
            drain(self.gate.require(action, context, token=token, **WHERE))
        except Refused:
            return False
        return True

    def challenge(self, challenge: str, context: Context = HERE) -> Any:
        return drain(self.gate.challenge(challenge, context))

    def attempts(self) -> int:
        return sum(event.type is EventType.ATTEMPT for event in self.events)

    @property
    def throttle(self) -> Throttle:
        (record,) = drain(self.store.load(self.gate.core.partition(ACTOR), [THROTTLE]))
        assert record is not None
        assert isinstance(record.value, Throttle)
        return record.value

    # -- run against each other

    async def verifying(self, challenge: str, method: str = "totp", response: str = "right", **named: Any) -> str:
        result = await self.gate.verify(challenge, method, response, HERE, **named)
        if isinstance(result, Verified):
            self.token = result.token
            return "verified"
        return "more" if isinstance(result, MoreNeeded) else result.code.value

    async def requiring(self, action: str, token: str | None = None, **named: Any) -> str:
        await self.gate.require(action, HERE, token=token, **WHERE, **named)
        return "allowed"

    async def starting(self, action: str = "key.rotate", org: str = "org_7") -> str:
        challenge = await self.gate.start(action, HERE, resource=Resource("organization", org))
        self.started = challenge.id
        return "started"

    async def beginning(self, challenge: str) -> str:
        await self.gate.begin(challenge, "email_code", HERE)
        return "begun"


Operation = Coroutine[Any, Any, Any]
Scene = Callable[[], tuple[World, Sequence[Operation]]]


def result_of(operation: Operation, outcomes: list[Any], index: int) -> bool:
    """Let one operation make its next store call; whether it has more to do."""
    try:
        operation.send(None)
    except StopIteration as stop:
        outcomes[index] = stop.value
        return False
    except StepUpError as error:
        outcomes[index] = str(error.code)
        return False
    return True


def run(scene: Scene, choose: Callable[[Sequence[int]], int]) -> tuple[World, tuple[Any, ...], str]:
    """One schedule: the world it ended in, what each operation answered, and who made each call."""
    world, operations = scene()
    outcomes: list[Any] = [None] * len(operations)
    waiting = [index for index, one in enumerate(operations) if result_of(one, outcomes, index)]
    made = ""
    while waiting:
        index = choose(waiting)
        made += chr(ord("A") + index)
        if not result_of(operations[index], outcomes, index):
            waiting.remove(index)
    return world, tuple(outcomes), made


def interleavings(scene: Scene) -> Iterator[tuple[World, tuple[Any, ...], str]]:
    """Every schedule there is, depth first."""
    prefixes: list[list[int]] = [[]]
    while prefixes:
        prefix = prefixes.pop()
        taken: list[int] = []

        def choose(waiting: Sequence[int], prefix: list[int] = prefix, taken: list[int] = taken) -> int:
            position = len(taken)
            if position < len(prefix):
                taken.append(prefix[position])
            else:
                prefixes.extend([*taken, other] for other in waiting[1:])
                taken.append(waiting[0])
            return taken[-1]

        yield run(scene, choose)


def one_after_the_other(scene: Scene) -> set[tuple[Any, ...]]:
    """What comes of running them in turn, in both orders."""
    return {run(scene, lambda waiting: waiting[0])[1], run(scene, lambda waiting: waiting[-1])[1]}


def race(
    scene: Scene,
    holds: Callable[[World, tuple[Any, ...]], None],
    *,
    safe: Sequence[tuple[Any, ...]] = (),
    at_least: int = 10,
) -> None:
    """Run every interleaving; each must answer as some serial order would (or as in *safe*), and *holds* after it."""
    serial, seen = one_after_the_other(scene), 0
    for world, outcomes, schedule in interleavings(scene):
        seen += 1
        assert outcomes in serial or outcomes in safe, f"schedule {schedule}: {outcomes} is none of {sorted(serial)}"
        try:
            holds(world, outcomes)
        except AssertionError as error:
            raise AssertionError(f"schedule {schedule}, outcomes {outcomes}: {error}") from error
    assert seen >= at_least, "the operations hardly met: is the store still asked in turns?"


# -- answering


@pytest.mark.requirement("X-02", "X-05")
def test_two_right_answers_open_once() -> None:
    """One challenge, one grant, however the two fall."""

    def scene() -> tuple[World, list[Operation]]:
        world = World()
        challenge = world.start()
        return world, [world.verifying(challenge), world.verifying(challenge)]

    def holds(world: World, outcomes: tuple[Any, ...]) -> None:
        assert outcomes.count("verified") == 1
        assert len(drain(world.gate.grants(HERE))) == 1
        assert world.attempts() == 2
        assert world.throttle.open == ()

    race(scene, holds, at_least=50)


@pytest.mark.requirement("X-02", "D-01")
@pytest.mark.parametrize("left", [1, 2, 3])
def test_the_verifier_runs_at_most_as_often_as_attempts_are_left(left: int) -> None:
    """Two wrong answers with few attempts left: each that is looked at was counted first."""

    def scene() -> tuple[World, list[Operation]]:
        world = World(limits=Limits(delay_after=9))
        challenge = world.start()
        for _ in range(5 - left):
            world.verify(challenge, response="wrong")
        world.id = challenge
        return world, [world.verifying(challenge, response="wrong"), world.verifying(challenge, response="wrong")]

    def holds(world: World, outcomes: tuple[Any, ...]) -> None:
        assert world.totp.calls == min(5, 5 - left + 2)
        assert world.attempts() == 5 - left + 2, "one event each"
        assert world.challenge(world.id).attempts == world.totp.calls
        assert world.challenge(world.id).state is (State.OPEN if left == 3 else State.FAILED)
        assert world.throttle.counts["totp"].total == world.totp.calls
        assert sum(guess.points for guess in world.throttle.guesses) == 2 * world.totp.calls

    # Where both were counted before either was concluded, the other one's failure has closed the challenge already.
    safe = [("challenge_closed", "verification_failed"), ("verification_failed", "challenge_closed")]
    race(scene, holds, safe=safe if left == 2 else ())


@pytest.mark.requirement("X-03")
@pytest.mark.parametrize("left", [1, 2, 3])
def test_a_right_and_a_wrong_answer(left: int) -> None:
    """The right one wins only inside the limit, and is counted and forgiven as if it had come alone."""

    def scene() -> tuple[World, list[Operation]]:
        world = World(limits=Limits(delay_after=9))
        challenge = world.start()
        for _ in range(5 - left):
            world.verify(challenge, response="wrong")
        return world, [world.verifying(challenge), world.verifying(challenge, response="wrong")]

    def holds(world: World, outcomes: tuple[Any, ...]) -> None:
        assert world.totp.calls <= 5
        assert world.attempts() == 5 - left + 2
        assert len(drain(world.gate.grants(HERE))) == outcomes.count("verified")

    # With two left, both counted, and the wrong one concluded first, the challenge is dead: a refusal more.
    race(scene, holds, safe=[("challenge_closed", "verification_failed")] if left == 2 else ())


@pytest.mark.requirement("X-02")
def test_the_last_guess_of_the_budget_is_one_guess() -> None:
    """Two challenges share what is left of the year's guesses."""

    def scene() -> tuple[World, list[Operation]]:
        world = World(limits=Limits(guess_budget=3))
        one, two = world.start(), world.start("organization.delete")
        return world, [world.verifying(one, response="wrong"), world.verifying(two, response="wrong")]

    def holds(world: World, outcomes: tuple[Any, ...]) -> None:
        assert world.totp.calls == 1
        assert sorted(outcomes) == ["locked_out", "verification_failed"]

    race(scene, holds, at_least=50)


@pytest.mark.requirement("X-02")
def test_the_last_try_before_a_lock_is_one_try() -> None:
    """Two challenges share the count of a factor's failures."""

    def scene() -> tuple[World, list[Operation]]:
        world = World(limits=Limits(delay_after=2, lock_after=3))
        one, two = world.start(), world.start("organization.delete")
        world.verify(one, response="wrong")
        return world, [world.verifying(one, response="wrong"), world.verifying(two, response="wrong")]

    def holds(world: World, outcomes: tuple[Any, ...]) -> None:
        assert world.totp.calls == 2
        assert world.throttle.counts["totp"].failures == 2

    race(scene, holds, at_least=50)


def test_both_parts_at_once() -> None:
    """The two parts of an all-of, answered at the same time: one of them finishes it, no part is lost."""

    def scene() -> tuple[World, list[Operation]]:
        world = World()
        challenge = world.start("data.export")
        return world, [world.verifying(challenge, "password"), world.verifying(challenge, "totp")]

    def holds(world: World, outcomes: tuple[Any, ...]) -> None:
        assert sorted(outcomes) == ["more", "verified"]
        (grant,) = drain(world.gate.grants(HERE))
        assert {proof.method for proof in grant.proofs} == {"password", "totp"}

    race(scene, holds, at_least=50)


@pytest.mark.requirement("X-04", "T-01")
def test_one_authenticator_code_on_two_challenges() -> None:
    """The same code, right for both: it counts once."""

    def scene() -> tuple[World, list[Operation]]:
        world = World(stored=True)
        code = enrolled(world)
        one, two = world.start(), world.start("organization.delete")
        return world, [world.verifying(one, "totp", code), world.verifying(two, "totp", code)]

    def holds(world: World, outcomes: tuple[Any, ...]) -> None:
        assert sorted(outcomes) == ["verification_failed", "verified"]

    race(scene, holds, at_least=50)


def enrolled(world: World) -> str:
    """Give the person an authenticator that counts now; its code of this moment."""
    import pyotp

    adding = {"resource": Resource("factors", ACTOR.id), "params": {"method": "totp"}}
    challenge = drain(world.gate.start("stepup.factor.add", HERE, **adding))
    token = drain(world.gate.verify(challenge.id, "password", "right", HERE)).token
    made = drain(world.gate.factors.enrol_totp(HERE, token=token))
    app = pyotp.TOTP(made.secret)
    drain(world.gate.factors.confirm_totp(HERE, made.factor_id, app.at(world.clock.now())))
    world.clock.advance(timedelta(days=2))  # quarantine ends
    return app.at(world.clock.now())


# -- answering against ending


@pytest.mark.requirement("X-05")
def test_answering_against_cancelling() -> None:
    """Either it was cancelled and nothing opens, or it was verified and there is nothing to cancel."""

    def scene() -> tuple[World, list[Operation]]:
        world = World()
        challenge = world.start()
        return world, [world.verifying(challenge), world.gate.cancel(challenge, HERE)]

    def holds(world: World, outcomes: tuple[Any, ...]) -> None:
        assert world.allowed("key.rotate") is (outcomes == ("verified", False))

    race(scene, holds, at_least=10)


@pytest.mark.requirement("X-05", "G-02")
@pytest.mark.parametrize("what", ["session", "everything"])
def test_answering_against_revoking(what: str) -> None:
    """Once both are over nothing is open, whatever was minted meanwhile."""

    def scene() -> tuple[World, list[Operation]]:
        world = World()
        world.minted("note.read")
        challenge = world.start()
        return world, [world.verifying(challenge), world.gate.revoke(HERE, **{what: True})]

    def holds(world: World, outcomes: tuple[Any, ...]) -> None:
        assert outcomes[1] is True
        assert not world.allowed("key.rotate")
        assert not world.allowed("note.read")
        if outcomes[0] == "verified":
            assert not world.allowed("key.rotate", world.token)

    race(scene, holds)


@pytest.mark.requirement("X-05", "G-02")
@pytest.mark.parametrize("what", ["session", "everything"])
def test_rotating_while_answering_against_revoking(what: str) -> None:
    """The grants that come along to the new session are those that stood when they came."""
    new = Context(ACTOR, Session("rotated", START))

    def scene() -> tuple[World, list[Operation]]:
        world = World()
        world.minted("organization.delete")
        world.minted("note.read")
        challenge = world.start()
        return world, [
            world.verifying(challenge, rotate=lambda: "rotated"),
            world.gate.revoke(HERE, **{what: True}),
        ]

    def holds(world: World, outcomes: tuple[Any, ...]) -> None:
        assert not world.allowed("key.rotate")
        open_there = [world.allowed(name, context=new) for name in ("key.rotate", "note.read")]
        if what == "everything" or outcomes[0] != "verified":
            assert open_there == [False, False]

    race(scene, holds)


@pytest.mark.requirement("X-05")
def test_answering_against_starting_the_same_call_again() -> None:
    """The older challenge is answered in time or superseded; afterwards exactly the newer one is open."""

    def scene() -> tuple[World, list[Operation]]:
        world = World()
        return world, [world.verifying(world.start()), world.starting()]

    def holds(world: World, outcomes: tuple[Any, ...]) -> None:
        assert [one.id for one in world.throttle.open if one.expires_at > world.clock.now()] == [world.started]
        assert world.challenge(world.started).state is State.OPEN

    race(scene, holds)


# -- starting and sending


def test_two_starts_for_one_call_leave_one_open() -> None:
    """One place for one call: whichever came later stands in it."""

    def scene() -> tuple[World, list[Operation]]:
        world = World()
        return world, [world.starting(), world.starting()]

    def holds(world: World, outcomes: tuple[Any, ...]) -> None:
        assert outcomes == ("started", "started")
        assert len(world.throttle.open) == 1

    race(scene, holds, at_least=4)


def test_the_last_free_place_is_taken_once() -> None:
    """Nine are open; of two more, one is refused."""

    def scene() -> tuple[World, list[Operation]]:
        world = World()
        for number in range(9):
            world.start(org=f"org_{number}")
        return world, [world.starting(org="org_a"), world.starting(org="org_b")]

    def holds(world: World, outcomes: tuple[Any, ...]) -> None:
        assert sorted(outcomes) == ["rate_limited", "started"]
        assert len(world.throttle.open) == 10

    race(scene, holds, at_least=4)


@pytest.mark.requirement("E-07")
def test_two_begins_send_one_mail() -> None:
    """Asked twice at once for a code, the person gets one."""

    def scene() -> tuple[World, list[Operation]]:
        world = World()
        challenge = world.start("mail.change")
        return world, [world.beginning(challenge), world.beginning(challenge)]

    def holds(world: World, outcomes: tuple[Any, ...]) -> None:
        assert len(world.outbox.messages) == 1
        assert len(world.throttle.sends) == 1

    race(scene, holds, at_least=10)


@pytest.mark.requirement("X-06", "C-08")
def test_a_new_code_against_an_answer_with_the_old_one() -> None:
    """Once the new code is on its way, the old one opens nothing; and the count of attempts goes on."""

    def scene() -> tuple[World, list[Operation]]:
        world = World()
        challenge = world.start("mail.change")
        code = world.code(challenge)
        world.verify(challenge, "email_code", "no code")
        world.clock.advance(60)
        world.id = challenge
        return world, [world.beginning(challenge), world.verifying(challenge, "email_code", code)]

    def holds(world: World, outcomes: tuple[Any, ...]) -> None:
        assert world.allowed("mail.change") is (outcomes[1] == "verified")
        assert world.challenge(world.id).attempts == 2
        if outcomes[1] != "verified":
            assert world.verify(world.id, "email_code", world.outbox.code()).__class__ is Verified

    race(scene, holds)


# -- using


@pytest.mark.requirement("X-01", "C-05")
@pytest.mark.parametrize(
    ("action", "method", "shown"), [("organization.delete", "totp", True), ("voucher.print", "password", False)]
)
def test_the_last_use_is_one_use(action: str, method: str, shown: bool) -> None:
    """Two calls, one use: one passes. By token and by what the session has unlocked."""

    def scene() -> tuple[World, list[Operation]]:
        world = World()
        token = world.minted(action, method).token if shown else None
        if not shown:
            world.minted(action, method)
            for _ in range(2):
                drain(world.requiring(action))
        return world, [world.requiring(action, token), world.requiring(action, token)]

    def holds(world: World, outcomes: tuple[Any, ...]) -> None:
        assert outcomes.count("allowed") == 1

    race(scene, holds, at_least=2)


def test_the_very_same_request_learns_its_own_success() -> None:
    """Sent twice with its own id, both copies hear that it passed; a third request does not."""

    def scene() -> tuple[World, list[Operation]]:
        world = World()
        token = world.minted("organization.delete").token
        world.token = token
        return world, [world.requiring("organization.delete", token, request_id="r1") for _ in range(2)]

    def holds(world: World, outcomes: tuple[Any, ...]) -> None:
        assert outcomes == ("allowed", "allowed")
        assert not world.allowed("organization.delete", world.token)

    race(scene, holds, at_least=2)


@pytest.mark.requirement("X-05", "G-02")
@pytest.mark.parametrize("what", ["grant", "elsewhere", "session", "everything"])
@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("action", ["organization.delete", "voucher.print", "key.rotate", "note.read"])
def test_using_against_revoking(action: str, shown: bool, what: str) -> None:
    """A call passes only where it could have come before the revocation; afterwards nothing does."""

    def scene() -> tuple[World, list[Operation]]:
        world = World()
        verified = world.minted(action, "password" if action == "voucher.print" else "totp")
        world.token = verified.token
        whole: dict[str, Any] = {"session": True} if what == "session" else {"everything": True}
        revoking = (
            world.gate.revoke(HERE if what == "grant" else THERE, grant=verified.grant.id)
            if what in {"grant", "elsewhere"}
            else world.gate.revoke(HERE, **whole)
        )
        return world, [world.requiring(action, verified.token if shown else None), revoking]

    def holds(world: World, outcomes: tuple[Any, ...]) -> None:
        assert not world.allowed(action, world.token)
        assert action == "note.read" or not world.allowed(action)

    race(scene, holds, at_least=2)


@pytest.mark.requirement("G-01")
def test_using_against_rotating() -> None:
    """What the session has unlocked is used before or after its id changes, never lost, never doubled."""

    def scene() -> tuple[World, list[Operation]]:
        world = World()
        world.minted("voucher.print", "password")
        return world, [world.requiring("voucher.print"), world.gate.rotated(HERE, "rotated")]

    def holds(world: World, outcomes: tuple[Any, ...]) -> None:
        used = outcomes.count("allowed")
        new = Context(ACTOR, Session("rotated", START))
        for _ in range(3 - used):
            drain(world.gate.require("voucher.print", new, **WHERE))
        assert not world.allowed("voucher.print", context=new)
        assert not world.allowed("voucher.print")

    race(scene, holds)


# -- enrolling


@pytest.mark.requirement("X-07", "G-02")
def test_answering_against_confirming_a_new_factor() -> None:
    """A factor that is added ends what was open before it: the challenge, or the grant it had just minted."""
    import pyotp

    def scene() -> tuple[World, list[Operation]]:
        world = World(stored=True)
        adding = {"resource": Resource("factors", ACTOR.id), "params": {"method": "totp"}}
        challenge = drain(world.gate.start("stepup.factor.add", HERE, **adding))
        token = drain(world.gate.verify(challenge.id, "password", "right", HERE)).token
        made = drain(world.gate.factors.enrol_totp(HERE, token=token))
        code = pyotp.TOTP(made.secret).at(world.clock.now())
        open_before = world.start()

        async def confirming() -> bool:
            return not isinstance(await world.gate.factors.confirm_totp(HERE, made.factor_id, code), Rejected)

        return world, [world.verifying(open_before, "password"), confirming()]

    def holds(world: World, outcomes: tuple[Any, ...]) -> None:
        assert outcomes[1] is True
        assert not world.allowed("key.rotate")
        if outcomes[0] == "verified":
            assert not world.allowed("key.rotate", world.token)
        assert {factor.method for factor in drain(world.gate.factors.list(HERE))} >= {"password", "totp"}

    race(scene, holds)


@pytest.mark.requirement("X-07")
def test_starting_against_the_removal_of_the_strongest_factor() -> None:
    """What a challenge asks for is what the person held at one moment: with the factor, or without it."""

    def scene() -> tuple[World, list[Operation]]:
        world = World(stored=True)
        code = enrolled(world)
        (factor,) = [one for one in drain(world.gate.factors.list(HERE)) if one.method == "totp"]
        what = Resource("factor", factor.id)
        challenge = drain(world.gate.start("stepup.factor.remove", HERE, resource=what))
        token = drain(world.gate.verify(challenge.id, "totp", code, HERE)).token
        return world, [world.starting(), world.gate.factors.remove(HERE, factor.id, token=token)]

    def holds(world: World, outcomes: tuple[Any, ...]) -> None:
        assert outcomes == ("started", True)
        found = world.challenge(world.started)
        assert found.allowed in {("totp",), ("password",)}
        if found.allowed == ("password",):
            assert drain(world.verifying(world.started, "password")) == "verified"
        else:
            assert drain(world.verifying(world.started, "totp", "000000")) != "verification_failed"

    race(scene, holds)


# -- three at once


@pytest.mark.requirement("X-02", "X-03", "X-05")
@pytest.mark.parametrize("seed", range(60))
def test_three_at_once(seed: int) -> None:
    """A right answer, a wrong one and something that ends it, in an order drawn from the seed."""
    drawn = random.Random(seed)
    world = World(limits=Limits(delay_after=9))
    challenge = world.start()
    for _ in range(drawn.randrange(5)):
        world.verify(challenge, response="wrong")
    before = world.attempts()
    ending = drawn.choice(["cancel", "session", "everything", "start"])
    others: dict[str, Callable[[], Operation]] = {
        "cancel": lambda: world.gate.cancel(challenge, HERE),
        "session": lambda: world.gate.revoke(HERE, session=True),
        "everything": lambda: world.gate.revoke(HERE, everything=True),
        "start": world.starting,
    }
    operations = [world.verifying(challenge), world.verifying(challenge, response="wrong"), others[ending]()]
    _, outcomes, schedule = run(lambda: (world, operations), drawn.choice)
    why = f"seed {seed}, schedule {schedule}, {ending}, outcomes {outcomes}"
    assert world.totp.calls <= 5, why
    assert world.attempts() == before + 2, why
    assert world.throttle.counts.get("totp") is None or "verified" not in outcomes or outcomes[1] != "verified", why
    if ending in {"session", "everything"} or outcomes[0] != "verified":
        assert not world.allowed("key.rotate"), why
    if ending == "cancel":
        assert (outcomes[0] == "verified") is world.allowed("key.rotate"), why
        assert not (outcomes[0] == "verified" and outcomes[2] is True), why

"""Remembered devices and life-cycle signals on every store, by both faces, and at once: one serial outcome each time.

A scenario is written once, as a coroutine. The sync face runs in threads, the async one in tasks; the memory store is
there beside the databases.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sql_backends import ASYNC, SYNC, Backend, opened, opened_async
from stepup import Action, Actor, AsyncStepUp, Context, Device, Session, StepUp, StepUpError, Verified
from stepup._bridge import run_sync
from stepup.event import Event, EventType
from stepup.stores.memory import AsyncMemoryStore, MemoryStore
from stepup.testing import FrozenClock, ScriptedVerifier

SECRET = "a secret of the store tests, never a real one: 0123456789"
ACTOR = Actor("usr_2048", email="olivia@northstar.example")
ACTIONS = (Action("note.edit", "Edit note", risk=1), Action("key.rotate", "Rotate", risk=3), Action("org", "O", risk=4))
MANY = 4  # five answers that wait for their verdict are a lock already
PLACES = ("memory", *SYNC, "memory-async", *ASYNC)
on_every_store = pytest.mark.parametrize("place", PLACES, ids=str)
pytestmark = [on_every_store, pytest.mark.requirement("S-01", "S-02")]
Scenario = Callable[["World"], Awaitable[None]]


class Awaited:
    """The sync face, each method a coroutine that never suspends."""

    def __init__(self, gate: Any) -> None:
        self._gate = gate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._gate, name)
        if name == "devices":
            return Awaited(found)
        if not inspect.ismethod(found):
            return found

        async def called(*args: Any, **more: Any) -> Any:
            return found(*args, **more)

        return called


@dataclass
class World:
    """A gate over a store, whose methods are awaited whatever its colour."""

    gate: Any
    clock: FrozenClock

    def who(self, session: str, token: str | None = None, *, age: float = 3600, device: str = "laptop") -> Context:
        signed_in = self.clock.now() - timedelta(seconds=age)
        return Context(ACTOR, Session(session, signed_in), Device(device, "Mac / Safari"), device_token=token)

    async def prove(self, who: Context, action: str = "key.rotate", *, remember: bool = False) -> Verified:
        challenge = await self.gate.start(action, who)
        done = await self.gate.verify(challenge.id, "password", "right", who, remember=remember)
        assert isinstance(done, Verified)
        return done

    async def remembered(self, device: str = "laptop") -> str:
        done = await self.prove(self.who("first", device=device), remember=True)
        assert done.device_token is not None
        return done.device_token

    async def known(self, token: str | None, device: str = "laptop") -> bool:
        return await self.gate.devices.recognise(self.who("looking", token, device=device)) is not None

    async def at_once(self, *works: Coroutine[Any, Any, Any]) -> list[Any]:
        """What came of each, done at once; what is raised on purpose among it."""

        async def caught(work: Coroutine[Any, Any, Any]) -> Any:
            try:
                return await work
            except StepUpError as error:
                return error

        if isinstance(self.gate, AsyncStepUp):
            return list(await asyncio.gather(*map(caught, works)))
        return list(await asyncio.gather(*(asyncio.to_thread(run_sync, caught(work)) for work in works)))

    async def events(self) -> list[Event]:
        """Oldest first."""
        return list(reversed((await self.gate.events(ACTOR, limit=500)).items))


@asynccontextmanager
async def world(place: Backend | str, folder: Path) -> AsyncIterator[World]:
    clock = FrozenClock()
    given: dict[str, Any] = {"actions": ACTIONS, "verifiers": [ScriptedVerifier("password")], "secret": SECRET,
                             "clock": clock}  # fmt: skip
    if place == "memory":
        yield World(Awaited(StepUp(store=MemoryStore(), **given)), clock)
    elif place == "memory-async":
        yield World(AsyncStepUp(store=AsyncMemoryStore(), **given), clock)
    elif isinstance(place, Backend) and place in SYNC:
        with opened(place, folder) as store:
            yield World(Awaited(StepUp(store=store, **given)), clock)
    else:
        assert isinstance(place, Backend)
        async with opened_async(place, folder) as store_:
            yield World(AsyncStepUp(store=store_, **given), clock)


def played(scenario: Scenario, place: Backend | str, folder: Path) -> None:
    async def play() -> None:
        async with world(place, folder) as here:
            await scenario(here)

    asyncio.run(play())


@pytest.mark.requirement("V-02", "V-03", "V-04")
def test_a_device_is_kept_reviewed_and_ended(place: Backend | str, tmp_path: Path) -> None:
    """The whole of its life, in records of this store."""

    async def scenario(here: World) -> None:
        laptop, phone = await here.remembered(), await here.remembered("phone")
        assert (await here.gate.check("note.edit", here.who("s2", laptop))).allowed
        assert not (await here.gate.check("note.edit", here.who("s2", phone))).allowed
        newer = (await here.prove(here.who("s3", laptop))).device_token
        fresh = here.who("s4", newer, age=5)
        listed = await here.gate.devices.list(fresh)
        assert sorted((one.label, one.current) for one in listed) == [("Mac / Safari", False), ("Mac / Safari", True)]
        other = next(one for one in listed if not one.current)
        assert await here.gate.devices.rename(fresh, other.id, "Zoë's 📱")
        assert await here.gate.devices.revoke(fresh, other.id)
        assert not await here.known(phone, "phone")
        assert await here.known(newer)
        here.clock.advance(61)
        assert not await here.known(laptop)
        assert not await here.known(newer)
        assert [one.reason for one in await here.events() if one.type is EventType.DEVICE_REVOKED] == [
            "revoked",
            "token_reused",
        ]

    played(scenario, place, tmp_path)


@pytest.mark.requirement("V-02")
def test_two_tabs_that_prove_at_once_both_go_on(place: Backend | str, tmp_path: Path) -> None:
    """One token turns once, whoever wins; a minute later the old one ends the device once, however often it comes."""

    async def scenario(here: World) -> None:
        token = await here.remembered()
        tabs = [here.who(f"tab_{n}", token) for n in range(MANY)]
        challenges = [await here.gate.start("key.rotate", who) for who in tabs]
        found = await here.at_once(
            *(here.gate.verify(one.id, "password", "right", who) for one, who in zip(challenges, tabs, strict=True))
        )
        done = [one for one in found if isinstance(one, Verified)]
        assert len(done) >= 1
        assert all(isinstance(one, Verified | StepUpError) for one in found), found
        turned = [one.device_token for one in done if one.device_token is not None]
        assert len(turned) == 1
        assert await here.known(token)
        assert await here.known(turned[0])

        here.clock.advance(61)
        looked = await here.at_once(*(here.gate.devices.recognise(who) for who in tabs))
        assert all(one is None for one in looked), looked
        assert not await here.known(turned[0])
        reasons = [one.reason for one in await here.events()]
        assert reasons.count("token_reused") == 1

    played(scenario, place, tmp_path)


@pytest.mark.requirement("P-15", "G-02")
def test_a_risk_event_against_redeems_has_one_outcome(place: Backend | str, tmp_path: Path) -> None:
    """A redeem comes before the signal or not at all; afterwards nothing opens and no device is known."""

    async def scenario(here: World) -> None:
        token = await here.remembered()
        who = here.who("s1")
        grants = [(await here.prove(who, "org")).token for _ in range(MANY - 2)]
        half = await here.gate.start("key.rotate", who)
        found = await here.at_once(
            here.gate.signal(ACTOR, "risk_raised"),
            *(here.gate.require("org", who, token=one) for one in grants),
            here.gate.verify(half.id, "password", "right", who, remember=True),
        )
        passed = [one for one in found[1:-1] if not isinstance(one, StepUpError)]
        told = [(one.type, one.result) for one in await here.events()]
        assert found[0] is True
        assert told.count((EventType.EVERYTHING_REVOKED, "ok")) == 1
        assert told.count((EventType.AUTHORIZATION, "ok")) == len(passed)
        for one in grants:
            assert not (await here.gate.check("org", who, token=one)).allowed
        assert not (await here.gate.check("key.rotate", who)).allowed
        assert not await here.known(token)
        minted = found[-1].device_token if isinstance(found[-1], Verified) else None
        assert not await here.known(minted)

    played(scenario, place, tmp_path)


def test_disabling_against_starting_has_one_outcome(place: Backend | str, tmp_path: Path) -> None:
    """What was started before is dead, and nothing is started after it, in no process; until the explicit call."""

    async def scenario(here: World) -> None:
        await here.prove(here.who("s0"))
        people = [here.who(f"s{n}") for n in range(MANY - 1)]
        found = await here.at_once(
            here.gate.signal(ACTOR, "disabled"), *(here.gate.start("key.rotate", who) for who in people)
        )
        for who, started in zip(people, found[1:], strict=True):
            if not isinstance(started, StepUpError):
                assert not await here.gate.verify(started.id, "password", "right", who)
        (refused,) = await here.at_once(here.gate.start("key.rotate", people[0]))
        assert isinstance(refused, StepUpError)
        assert refused.code == "action_blocked"
        assert await here.gate.enable(ACTOR)
        await here.prove(people[0])

    played(scenario, place, tmp_path)

"""Gates, people and a client for the tests of the ASGI shims."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx

from stepup import Action, Actor, AsyncStepUp, StepUp
from stepup.mailers import Outbox
from stepup.stores.memory import AsyncMemoryStore, MemoryStore
from stepup.testing import FrozenClock, ScriptedVerifier
from stepup.verifiers import EmailCode

T = TypeVar("T")
ORIGIN = "https://app.northstar.example"
OLIVIA = Actor("usr_2048", email="olivia@northstar.example")
SECRET = "a secret of the tests of the shims, never a real one: 0123456789"
ACTIONS = (
    Action("org.delete", "Delete organization", risk=4),
    Action("member.role", "Change role", risk=3),
    Action("note.edit", "Edit note", risk=1),
)


def options(**more: Any) -> dict[str, Any]:
    verifiers = [ScriptedVerifier("password"), EmailCode(mailer=Outbox())]
    given = {
        "actions": ACTIONS,
        "verifiers": verifiers,
        "secret": SECRET,
        "clock": FrozenClock(),
        "login_url": "/login",
    }
    return {**given, **more}


def async_gate(**more: Any) -> AsyncStepUp:
    return AsyncStepUp(store=AsyncMemoryStore(), **options(**more))


def sync_gate(**more: Any) -> StepUp:
    return StepUp(store=MemoryStore(), **options(**more))


class Browser:
    """Calls an application as a page of its own site does; signed in as whoever ``user`` names."""

    def __init__(self, app: Any, user: str | None = "usr_2048") -> None:
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, client=("198.51.100.7", 4711)), base_url=ORIGIN
        )
        self.user = user

    async def call(self, method: str, path: str, json: object = None, **headers: str) -> httpx.Response:
        own = {"origin": ORIGIN, "sec-fetch-site": "same-origin", **({"x-user": self.user} if self.user else {})}
        own |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.request(method, path, json=json, headers=own)

    async def proved(self, blocked: httpx.Response) -> str:
        """The token that a right password gives for a blocked call."""
        assert blocked.status_code in {401, 403}, blocked.text
        started = await self.call("POST", "/stepup/challenges", {"offer": blocked.json()["offer"]})
        address = f"/stepup/challenges/{started.json()['challenge']['id']}/attempts"
        right = await self.call("POST", address, {"method": "password", "response": "right"})
        return str(right.json()["grant"]["token"])


def played(scene: Callable[[], Awaitable[T]]) -> T:
    """Run one scene on a loop of its own."""

    async def run() -> T:
        return await scene()

    return asyncio.run(run())


def user_of(connection: Any) -> Actor | None:
    """Who the header ``x-user`` names."""
    found = connection.headers.get("x-user")
    return None if found is None else Actor(found, email=f"{found}@northstar.example")

"""A gate with a person signed in, and calls to its protocol on either face."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from stepup import Action, Actor, AsyncStepUp, Context, Policy, Resource, Session, StepUp, all_of
from stepup._bridge import run_sync
from stepup._engine import authorize
from stepup._engine.core import Core
from stepup.mailers import Outbox
from stepup.stores.memory import AsyncMemoryStore, MemoryStore
from stepup.testing import FrozenClock, ScriptedVerifier
from stepup.testing.clock import START
from stepup.verifiers import EmailCode
from stepup.web import Protocol, WebRequest, WebResponse, respond

ORIGIN = "https://app.northstar.example"
OLIVIA = Actor("usr_2048", email="olivia@northstar.example")
MARCUS = Actor("usr_4096", email="marcus@northstar.example")
SECRET = "a secret of the web tests, never a real one: 0123456789"
ORG = {"type": "organization", "id": "org_7"}
ACTIONS = (
    Action("org.delete", "Delete organization", risk=4, description="For ever.", confirmation="Proof is needed."),
    Action("member.role", "Change role", risk=3),
    Action("note.edit", "Edit note", risk=1),
    Action("key.rotate", "Rotate key", policy=Policy(methods=all_of("password", "email_code"))),
)


def context(actor: Actor = OLIVIA, session: str = "sess_1", *, age: float = 3600) -> Context:
    signed_in = START - timedelta(seconds=age)
    return Context(actor, session=Session(session, signed_in), ip="192.0.2.7", user_agent="Safari")


@dataclass
class Site:
    """One gate, and who is signed in."""

    face: str = "sync"
    clock: FrozenClock = field(default_factory=FrozenClock)
    outbox: Outbox = field(default_factory=Outbox)
    options: Mapping[str, Any] = field(default_factory=dict)
    who: Context | None = field(default_factory=context)
    more: tuple[Any, ...] = ()
    actions: tuple[Action, ...] = ACTIONS
    token: str | None = None
    gate: Mapping[str, Any] = field(default_factory=dict)
    kept: tuple[str, int] | None = None

    def __post_init__(self) -> None:
        verifiers: list[Any] = [ScriptedVerifier("password"), EmailCode(mailer=self.outbox), *self.more]
        given: dict[str, Any] = {
            "actions": self.actions, "verifiers": verifiers, "secret": SECRET, "clock": self.clock,
            "enrol_url": "/account/enrol", "login_url": "/login", **self.gate,
        }  # fmt: skip
        if self.face == "sync":
            self.core: Core = StepUp(store=MemoryStore(), **given).core
        else:
            self.core = AsyncStepUp(store=AsyncMemoryStore(), **given).core
        self.protocol = Protocol(self.core, **self.options)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        /,
        *,
        raw: bytes | None = None,
        query: str = "",
        **headers: str,
    ) -> Answer:
        """Make one call, as a page of the site would; a header given as None is left out."""
        sent = {"content-type": "application/json", "origin": ORIGIN, "sec-fetch-site": "same-origin"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        request = WebRequest(
            method,
            path,
            {name: value for name, value in sent.items() if value != "-"},
            dict(pair.split("=", 1) for pair in query.split("&") if pair),
            raw if raw is not None else b"" if body is None else json.dumps(body).encode(),
            self.who,
            ORIGIN,
            token=self.token,
            keep_device=lambda token, seconds: setattr(self, "kept", (token, seconds)),
        )
        made = respond(self.protocol, request)
        return Answer(run_sync(made) if self.face == "sync" else asyncio.run(made))

    def blocked(self, action: str = "org.delete") -> str:
        """The offer of a blocked call."""
        return self.offer(action)

    def offer(self, action: str, params: Any = None, label: str | None = None) -> str:
        """What the application's own answer to a blocked call holds."""
        assert self.who is not None
        asked = authorize.check(self.core, action, self.who, Resource(**ORG, label=label), params, None)
        return str((run_sync(asked) if self.face == "sync" else asyncio.run(asked)).offer)

    def started(self, action: str = "org.delete") -> str:
        """The id of a challenge that was opened."""
        return str(self.call("POST", "/challenges", {"offer": self.blocked(action)}).json["challenge"]["id"])


@dataclass(frozen=True)
class Answer:
    """A response, and what is in it."""

    raw: WebResponse

    @property
    def status(self) -> int:
        return self.raw.status

    @property
    def json(self) -> Any:
        return json.loads(self.raw.body)

    @property
    def code(self) -> str | None:
        return str(self.json["code"]) if "problem" in (self.raw.header("content-type") or "") else None

    def header(self, name: str) -> str | None:
        return self.raw.header(name)

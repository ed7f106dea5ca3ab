"""A site for a real browser: pages under the strictest policy there is, deeds to do, and a clock that can be moved.

It is served on loopback by a thread of the test run. ``localhost`` is the site; ``127.0.0.1`` is the same server under
another origin, which lets everybody in and keeps what it was sent. Each test has a person of its own, with a password,
an address and a passkey, all of them judged by what the library ships; ``approval`` and ``hologram`` are stand-ins.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pyotp
import uvicorn
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from stepup import Action, Actor, Context, Item, Policy, Resource, Session, StepUp, StepUpRequired, all_of, any_of
from stepup.approval import Approvers
from stepup.challenge import Challenge
from stepup.event import Event
from stepup.factor import Factor
from stepup.mailers import Outbox
from stepup.ports import REJECTED, Begun, Ceremony, Checked, Prompt, State
from stepup.requirement import Strength
from stepup.starlette import StepUpStarlette
from stepup.stores.memory import MemoryStore
from stepup.testing import SoftPasskey
from stepup.verifiers import TOTP, Approval, EmailCode, Passkey, Password, RecoveryCode

T = TypeVar("T")
PASSWORD = "quiet heron 42"
A_DAY_AND_MORE = timedelta(hours=25)
STRICT = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
OPEN = "default-src 'none'; script-src 'self'; connect-src *"
ANY = any_of("password", "email_code", "passkey")
ACTIONS = (
    Action("org.delete", "Delete organization", risk=4, methods=ANY, description="For ever."),
    Action("member.role", "Change a role", risk=3, methods=ANY),
    Action("key.rotate", "Rotate the key", policy=Policy(methods=all_of("password", "email_code"))),
    Action("note.edit", "Edit a note", policy=Policy(methods="password", remember=False)),
    Action("safe.open", "Open the safe", policy=Policy(methods=any_of("totp", "recovery_code"))),
    Action("by.approval", "Pay a lot", policy=Policy(methods="approval", challenge_ttl=600)),
    Action("by.two", "Pay more", policy=Policy(methods=all_of("password", "approval"), challenge_ttl=600)),
    Action("by.nothing", "Do what nobody can", policy=Policy(methods="hologram")),
    Action("bad.risk", "Do what is blocked", policy=Policy(methods=ANY, attempts=2)),
)
PAGE = """<!doctype html>
<html lang="{lang}" dir="{dir}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>A page</title></head>
<body><main><h1>A page</h1><button id="go">Delete the organization</button> <a href="/?second">Elsewhere</a>
<form id="form" method="post" action="/forms/org.delete" data-stepup><input name="a" value="1" aria-label="A">
<button>Send the form</button></form></main>
<script type="module" src="/stepup/static/stepup.js"></script></body></html>
"""


class MovedClock:
    """The time, and as much more as the test says."""

    def __init__(self, ahead: timedelta = timedelta()) -> None:
        self.ahead = ahead

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def advance(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


class StandIn:
    """A method that accepts nothing; everybody has it, but for the hologram."""

    strength: int = Strength.PASSWORD
    amr: tuple[str, ...] = ("user",)
    points = 0
    prepares = True
    phishing_resistant = True

    def __init__(self, method: str) -> None:
        self.method = method

    def enrolled(self, actor: Actor, /) -> list[Factor]:
        return [] if self.method == "hologram" else [Factor(self.method, self.method)]

    def begin(self, challenge: Challenge, context: Ceremony, /) -> Begun:
        return Begun(Prompt(self.method), {})

    def check(self, state: State | None, response: object, context: Ceremony, /) -> Checked:
        return REJECTED


def batch_of(step_up: StepUpStarlette) -> Callable[[Request], Awaitable[Response]]:
    """A route for several calls at once: a bundle, or a counted one."""

    async def batch(request: Request) -> Response:
        if "uses" in request.query_params:
            left = (await step_up.require(request, "member.role", uses=int(request.query_params["uses"]))).remaining
            return JSONResponse({"left": left})
        items = [
            Item("org.delete", Resource("organization", "org_7", label="Northstar"), {"keep": "<b>nothing</b>"}),
            Item("member.role", Resource("member", "m_1")),
        ]
        passed = await (await step_up.gate(request)).require_bundle(items)
        return JSONResponse({"did": [one.action for one in passed]})

    return batch


@dataclass
class World:
    """The site, and what has been done on it."""

    clock: MovedClock = field(default_factory=MovedClock)
    outbox: Outbox = field(default_factory=Outbox)
    done: list[dict[str, Any]] = field(default_factory=list)
    foreign: list[dict[str, str]] = field(default_factory=list)
    port: int = 0
    held: threading.Event = field(default_factory=threading.Event)

    @property
    def site(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def elsewhere(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def events(self, who: str) -> list[Event]:
        """What the audit has of somebody, newest first."""
        return list(self.gate.events(Actor(who)).items)

    def done_by(self, who: str) -> list[dict[str, Any]]:
        return [one for one in self.done if one["who"] == who]

    def enrolled(self, who: str) -> SoftPasskey:
        """A passkey of *who*, registered by the library the day before, by their password; so it counts by now."""
        passkey, context = SoftPasskey(self.site), yesterdays(who)
        begun = self._permitted(context, lambda: self.yesterday.factors.enrol_passkey(context, label="Laptop"))
        made = self.yesterday.factors.confirm_passkey(context, begun.factor_id, passkey.create(begun.options))
        assert isinstance(made, Factor), made
        return passkey

    def app_of(self, who: str) -> tuple[pyotp.TOTP, list[str]]:
        """An authenticator app of *who*, and recovery codes, enrolled the day before by their password."""
        context, factors = yesterdays(who), self.yesterday.factors
        begun = self._permitted(context, lambda: factors.enrol_totp(context))
        app = pyotp.TOTP(begun.secret)
        assert isinstance(factors.confirm_totp(context, begun.factor_id, app.at(self.yesterday.core.now())), Factor)
        return app, list(self._permitted(context, lambda: factors.new_recovery_codes(context)))

    def _permitted(self, context: Context, deed: Callable[[], T]) -> T:
        try:
            return deed()
        except StepUpRequired as needed:
            challenge = self.yesterday.start_offer(needed.offer, context)
            assert self.yesterday.verify(challenge.id, "password", PASSWORD, context)
            return deed()

    def lock_password(self, who: str) -> None:
        """Seven wrong passwords from elsewhere: no other is looked at for half a minute."""
        elsewhere = Context(yesterdays(who).actor, session=Session("elsewhere"))
        for waits in ((0, 0, 0, 0, 6), (16, 0)):
            challenge = self.gate.start("member.role", elsewhere)
            for seconds in waits:
                self.gate.verify(challenge.id, "password", "not it", elsewhere)
                self.clock.advance(seconds)

    def app(self) -> Starlette:
        common: dict[str, Any] = {"store": MemoryStore(), "secret": secrets.token_bytes(32)}
        own: list[Any] = [
            Password(check=right_password, version_of=lambda actor: "1"),
            Passkey(rp_id="localhost", rp_name="Northstar", origins=[self.site]),
            TOTP(),
            RecoveryCode(),
        ]
        others: list[Any] = [EmailCode(mailer=self.outbox), StandIn("hologram")]
        approval = Approval(Approvers(may=lambda context, _: context.actor.id.startswith("boss"), step_up=False))
        gate = StepUp(
            actions=ACTIONS,
            verifiers=[approval, *own, *others],
            clock=self.clock,
            enrol_url="/enrol",
            may_start=lambda action, context: action == "note.edit",
            login_url="/login",
            record="all",
            **common,
        )
        past: dict[str, Any] = {"clock": MovedClock(-A_DAY_AND_MORE), "mailer": Outbox()}
        self.yesterday = StepUp(actions=(), verifiers=own, **past, **common)
        self.gate = gate
        step_up = StepUpStarlette(None, gate, user_of=user_of, secure=False)

        async def deed(request: Request) -> Response:
            name, body = request.path_params["deed"], await request.body()
            about = Resource(
                "organization", request.query_params.get("org", "org_7"), request.query_params.get("label")
            )
            params = {"role": request.query_params["role"]} if "role" in request.query_params else None
            try:
                await step_up.require(request, name, resource=about, params=params)
            finally:
                if "held" in request.query_params:  # decided, and the answer is long on its way
                    await asyncio.to_thread(self.held.wait, 20)
            self.done.append(
                {
                    "who": request.cookies["who"], "deed": name, "body": body.decode("utf-8", "replace"),
                    "headers": dict(request.headers),
                }
            )  # fmt: skip
            if request.url.path.startswith("/forms/"):
                return RedirectResponse("/?done", 303)
            return JSONResponse({"did": name, "body": body.decode("utf-8", "replace")})

        async def page(request: Request) -> Response:
            if "bare" not in request.query_params:
                await step_up.context(request)  # as signing in would: the page has a session before it makes calls
            return home(request)

        async def away(request: Request) -> Response:
            return RedirectResponse(f"{self.elsewhere}/foreign", 307)

        async def once_then_away(request: Request) -> Response:
            if "stepup-token" not in request.headers:
                await step_up.require(request, "org.delete")
            return RedirectResponse(f"{self.elsewhere}/foreign", 307)

        app = Starlette(
            routes=[
                Route("/", page),
                Route("/do/{deed}", deed, methods=["POST", "PUT"]),
                Route("/forms/{deed}", deed, methods=["POST"]),
                Route("/batch", batch_of(step_up), methods=["POST"]),
                Route("/away", away, methods=["POST"]),
                Route("/once", once_then_away, methods=["POST"]),
                Route("/foreign", self._foreign, methods=["GET", "POST", "OPTIONS"]),
                Route("/frame", framing),
            ]
        )
        step_up.init_app(app)
        return app

    async def _foreign(self, request: Request) -> Response:
        """Another site, which lets everybody send everything, and answers as if it were ours."""
        self.foreign.append(dict(request.headers))
        allowed = {
            "access-control-allow-origin": "*", "access-control-allow-methods": "*",
            "access-control-allow-headers": "stepup-token, idempotency-key, content-type", "content-type":
            "application/problem+json",
        }  # fmt: skip
        return JSONResponse(
            {"code": "verification_required", "offer": "x", "action": "org.delete"}, 403, headers=allowed
        )

    def serve(self, port: int = 0) -> tuple[uvicorn.Server, threading.Thread]:
        listening = socket.create_server(("127.0.0.1", port))  # first, since passkeys are for an origin with its port
        self.port = listening.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(self.app(), log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        while not server.started:
            thread.join(0.01)
            assert thread.is_alive(), "the site did not start"
        return server, thread


def yesterdays(who: str) -> Context:
    return Context(Actor(who, email=f"{who}@northstar.example"), session=Session(f"yesterday's session of {who}"))


def right_password(actor: Actor, password: str) -> bool:
    return password == PASSWORD


def user_of(connection: HTTPConnection) -> Actor | None:
    who = connection.cookies.get("who")
    behalf = connection.cookies.get("behalf")  # of the support, who act as somebody
    return None if who is None else Actor(who, email=f"{who}@northstar.example", on_behalf_of=behalf)


def home(request: Request) -> Response:
    asked = request.query_params
    html = PAGE.format(lang=asked.get("lang", "en"), dir=asked.get("dir", "ltr"))
    return HTMLResponse(html, headers={"content-security-policy": OPEN if "open" in asked else STRICT})


async def framing(request: Request) -> Response:
    return HTMLResponse('<!doctype html><title>A frame</title><iframe id="f" src="/"></iframe>')

"""A site with an account page: the three elements under the strictest policy there is, and factors of every kind.

The page needs no script of its own. Each test has a person of its own; ``world.gate`` can be asked what has come of it.
"""

from __future__ import annotations

import secrets
import socket
import threading
from dataclasses import dataclass, field
from typing import Any

import pyotp
import pytest
import uvicorn
from browser_world import PASSWORD, STRICT, MovedClock, user_of
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from stepup import Action, Actor, Context, Resource, Session, StepUp, StepUpRequired, any_of
from stepup.factor import Factor
from stepup.mailers import Outbox
from stepup.starlette import StepUpStarlette
from stepup.stores.memory import MemoryStore
from stepup.verifiers import TOTP, EmailCode, Passkey, Password, RecoveryCode

ELEMENTS = "<stepup-factors></stepup-factors><stepup-devices></stepup-devices><stepup-events limit=5></stepup-events>"
PAGE = """<!doctype html>
<html lang="{lang}" dir="{dir}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Account security</title></head>
<body><main><h1>Account security</h1>
{elements}</main><script type="module" src="/stepup/static/account.js"></script></body></html>
"""


@dataclass
class AccountWorld:
    """The site."""

    clock: MovedClock = field(default_factory=MovedClock)
    outbox: Outbox = field(default_factory=Outbox)
    done: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    port: int = 0

    @property
    def site(self) -> str:
        return f"http://localhost:{self.port}"

    def context(self, who: str) -> Context:
        """The person, in a session of their own."""
        session = Session(f"elsewhere of {who}", authenticated_at=self.clock.now())
        return Context(Actor(who, email=f"{who}@northstar.example"), session)

    def factors(self, who: str) -> list[tuple[str, str]]:
        """What a person has enrolled in the store: methods and labels."""
        listed = self.gate.factors.list(self.context(who))
        return sorted((one.method, one.label) for one in listed if one.method not in {"password", "email_code"})

    def enrolled(self, who: str, label: str) -> str:
        """Add an authenticator app for a person, elsewhere than in the page: its id."""
        context = self.context(who)
        with pytest.raises(StepUpRequired) as needed:
            self.gate.factors.enrol_totp(context)
        challenge = self.gate.start_offer(needed.value.offer or "", context)
        assert self.gate.verify(challenge.id, "password", PASSWORD, context)
        made = self.gate.factors.enrol_totp(context, label=label)
        code = pyotp.TOTP(made.secret).at(self.clock.now())
        assert isinstance(self.gate.factors.confirm_totp(context, made.factor_id, code), Factor)
        return made.factor_id

    def app(self) -> Starlette:
        def check(actor: Actor, password: str) -> bool:
            return password == PASSWORD

        def version(actor: Actor) -> str:
            return "1"

        passkey = Passkey(rp_id="localhost", rp_name="Northstar", origins=[self.site])
        self.gate = StepUp(
            actions=[Action("org.delete", "Delete organization", risk=3, methods=any_of("password", "email_code"))],
            verifiers=[
                Password(check=check, version_of=version), EmailCode(mailer=self.outbox), TOTP(issuer="Northstar"),
                RecoveryCode(), passkey,
            ],
            store=MemoryStore(),
            secret=secrets.token_bytes(32),
            factor_secret=secrets.token_bytes(32),
            clock=self.clock,
            login_url="/login",
        )  # fmt: skip
        step_up = StepUpStarlette(None, self.gate, user_of=user_of, secure=False)

        async def page(request: Request) -> Response:
            await step_up.context(request)
            asked = request.query_params
            html = PAGE.format(lang=asked.get("lang", "en"), dir=asked.get("dir", "ltr"), elements=ELEMENTS)
            return HTMLResponse(html, headers={"content-security-policy": STRICT})

        async def deed(request: Request) -> Response:
            await step_up.require(request, "org.delete", resource=Resource("organization", "org_7"))
            self.done.append({"who": request.cookies["who"]})
            return JSONResponse({})

        app = Starlette(routes=[Route("/", page), Route("/do", deed, methods=["POST"])])
        step_up.init_app(app)
        return app

    def serve(self) -> uvicorn.Server:
        """Start it on a free port, whose number the passkeys' origin needs before there is an application."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(self.app(), log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started:
            thread.join(0.01)
            assert thread.is_alive(), "the site did not start"
        return server

"""What the demo's pages share: who is signed in, how a page is rendered, how a form is answered.

What is particular to stepup is ``user_of``, ``signed_in`` and ``signed_out``. The rest is what any application has:
sessions of its own in a cookie, templates, and a table of what is said after something was done.
"""

from __future__ import annotations

import functools
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import parse_qsl

from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from stepup import Actor, StepUp
from stepup.starlette import StepUpStarlette

from .people import Person
from .seed import Parts
from .words import MESSAGES, TABLES, environment

COOKIE = "demo_session"
HEADERS: Mapping[str, str] = {
    "content-security-policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "img-src 'self' data:",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    ),
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "permissions-policy": "publickey-credentials-get=(self), publickey-credentials-create=(self)",
}
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Link:
    """A line of the navigation."""

    to: str
    name: str
    icon: str


NAVIGATION: Mapping[str, tuple[Link, ...]] = {
    "Your account": (
        Link("/", "Security", "shield"),
        Link("/factors", "Verification methods", "key"),
        Link("/devices", "Devices", "laptop"),
        Link("/activity", "Activity", "pulse"),
    ),
    "Workspace": (
        Link("/billing", "Billing", "bank"),
        Link("/approvals", "Approvals", "stamp"),
        Link("/members", "Members", "people"),
        Link("/keys", "API keys", "code"),
        Link("/workspace", "Settings", "sliders"),
    ),
}


class Site:
    """The application's own part, which every page is given."""

    def __init__(self, gate: StepUp, parts: Parts) -> None:
        self.gate = gate
        self.step_up = StepUpStarlette(None, gate, user_of=self.user_of, secure=False)
        self.people = parts.people
        self.workspace = parts.workspace
        self.mails = parts.mails
        self.clock = parts.clock
        self.browsers = parts.browsers
        self._sessions: dict[str, Person] = {}
        self._templates = environment()

    # -- who ----------------------------------------------------------------------------

    def user_of(self, connection: HTTPConnection) -> Actor | None:
        """Who is signed in, for stepup."""
        known = self.person(connection)
        return None if known is None else known.actor

    def person(self, connection: HTTPConnection) -> Person | None:
        """Who is signed in."""
        return self._sessions.get(connection.cookies.get(COOKIE, ""))

    async def sign_in(self, request: Request, person: Person, answer: Response) -> Response:
        """A new session, of which *answer* tells the browser; and stepup is told by what it was opened."""
        self.browsers.signed_in(person.actor.id, request.headers.get("user-agent", ""))
        await self.step_up.signed_in(request, person.actor, "password")
        self._sessions[made := secrets.token_urlsafe(32)] = person
        answer.set_cookie(COOKIE, made, httponly=True, samesite="lax")
        return answer

    async def sign_out(self, request: Request, answer: Response) -> Response:
        """End the session; what was opened in it is locked again."""
        await self.step_up.signed_out(request)
        self._sessions.pop(request.cookies.get(COOKIE, ""), None)
        answer.delete_cookie(COOKIE)
        return answer

    def end_sessions(self, person: str) -> int:
        """End every session of *person*, whichever browser has it; how many there were."""
        theirs = [made for made, known in self._sessions.items() if known.actor.id == person]
        for made in theirs:
            del self._sessions[made]
        self.browsers.forget(person)
        return len(theirs)

    def signed_in(self, endpoint: Endpoint) -> Endpoint:
        """*endpoint*, for whoever is signed in; anybody else is led to sign in."""

        @functools.wraps(endpoint)
        async def wrapper(request: Request) -> Response:
            return await endpoint(request) if self.person(request) else self.answer(request, "sign_in", status=401)

        return wrapper

    def managing(self, endpoint: Endpoint) -> Endpoint:
        """*endpoint*, for owners and admins. Permission comes first; a guard, below this, asks for proof."""

        @functools.wraps(endpoint)
        async def wrapper(request: Request) -> Response:
            known = self.person(request)
            if known is not None and not self.workspace.manages(known.actor.id):
                return self.answer(request, "not_allowed", "/", 403)
            return await endpoint(request)

        return self.signed_in(wrapper)

    # -- answers ------------------------------------------------------------------------

    def page(self, request: Request, template: str, *, status: int = 200, **data: object) -> Response:
        """*template*, with what every page shows."""
        known = self.person(request)
        message = MESSAGES.get(request.query_params.get("did", ""))
        html = self._templates.get_template(template).render(
            **TABLES,
            **data,
            path=request.url.path,
            person=known,
            role=self.workspace.role_of(known.actor.id) if known else "",
            navigation=NAVIGATION,
            message=message,
            workspace=self.workspace,
        )
        return HTMLResponse(html, status, HEADERS)

    def answer(self, request: Request, did: str, to: str = "/", status: int = 200, **more: object) -> Response:
        """Back to the page *to* for a browser; a document for a program."""
        if wants_page(request):
            return RedirectResponse(f"{to}?did={did}", 303)
        return JSONResponse({"did": did, "message": MESSAGES[did].text, **more}, status, {"cache-control": "no-store"})


def wants_page(request: Request) -> bool:
    """Whether whoever asks reads pages."""
    return "text/html" in request.headers.get("accept", "")


async def fields(request: Request) -> Mapping[str, str]:
    """The fields of a form, or of a JSON object; empty for anything else."""
    body = await request.body()
    try:
        if request.headers.get("content-type", "").startswith("application/json"):
            found: object = json.loads(body)
            named = cast("Mapping[str, object]", found if isinstance(found, dict) else {})
            return {name: value for name, value in named.items() if isinstance(value, str)}
        return dict(parse_qsl(body.decode()))
    except ValueError:
        return {}


async def chosen(request: Request, name: str) -> tuple[str, ...]:
    """What was chosen of several, each once: a field that is repeated, or a list in a JSON object."""
    body = await request.body()
    try:
        if request.headers.get("content-type", "").startswith("application/json"):
            found: object = json.loads(body)
            named = cast("Mapping[str, object]", found if isinstance(found, dict) else {})
            given = named.get(name)
            several = cast("list[object]", given if isinstance(given, list) else [])
        else:
            several = [value for field, value in parse_qsl(body.decode()) if field == name]
    except ValueError:
        return ()
    return tuple(dict.fromkeys(one for one in several if isinstance(one, str)))

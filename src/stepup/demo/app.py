"""The demo's application: signing in, four things to do, each guarded, and the outbox.

What is particular to stepup is ``user_of``, ``signed_in``, ``signed_out``, the four guards and, for the dialog, one
script and the attribute ``data-stepup``. Everything works in a browser without JavaScript, and as JSON for programs.
"""

from __future__ import annotations

import ipaddress
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import cast
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from stepup import Actor, Resource, StepUp
from stepup.starlette import StepUpStarlette
from stepup.web.html import HEADERS, Markup, group, page, tag

from .seed import DELETE, EXPORT, NOTE, ROLE, Mails, Person

COOKIE = "demo_session"
SCRIPT = "/stepup/static/stepup.js"
POLICY = f"{dict(HEADERS)['content-security-policy']}; script-src 'self'; connect-src 'self'"
TRUSTED_TYPES = "require-trusted-types-for 'script'; trusted-types 'none'"
DONE: Mapping[str, str] = {
    NOTE: "The note was edited.",
    EXPORT: "The customers were exported.",
    ROLE: "The role was changed.",
    DELETE: "The organization was deleted.",
    "signed_in": "Signed in.",
    "signed_out": "Signed out.",
    "wrong": "That e-mail and password do not belong together.",
}


def make_app(gate: StepUp, person: Person, mails: Mails) -> Starlette:
    """The application."""
    made = Northstar(gate, person, mails)
    guard = made.step_up.guard
    of_path = guard(DELETE, resource=organization)
    app = Starlette(
        routes=[
            Route("/", made.home),
            Route("/login", made.login, methods=["POST"]),
            Route("/logout", made.logout, methods=["POST"]),
            Route("/notes", guard(NOTE)(does(NOTE)), methods=["POST"]),
            Route("/customers/export", guard(EXPORT)(does(EXPORT)), methods=["POST"]),
            Route("/members/role", made.change_role, methods=["POST"]),
            Route("/organizations/{org}/delete", of_path(does(DELETE)), methods=["POST"]),
            Route("/demo/outbox", made.outbox),
        ]
    )
    made.step_up.init_app(app)
    # Loopback alone does not keep a page out whose name was made to lead here (DNS rebinding).
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1"])
    return app


def organization(org: str) -> Resource:
    """What is deleted: the organization that the path names."""
    return Resource("organization", org)


def does(deed: str) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that would do *deed*, and says that it did."""

    async def endpoint(request: Request) -> Response:
        return _answer(request, deed)

    return endpoint


class Northstar:
    """The application's own part: its sessions, and what needs more than a guard."""

    def __init__(self, gate: StepUp, person: Person, mails: Mails) -> None:
        self.step_up = StepUpStarlette(None, gate, user_of=self.user_of, secure=False)
        self._person = person
        self._mails = mails
        self._sessions: dict[str, Person] = {}

    def user_of(self, connection: HTTPConnection) -> Actor | None:
        """Who is signed in."""
        known = self._sessions.get(connection.cookies.get(COOKIE, ""))
        return None if known is None else known.actor

    async def home(self, request: Request) -> Response:
        """The page with everything there is to do."""
        known = self._sessions.get(request.cookies.get(COOKIE, ""))
        return _page(_login() if known is None else _deeds(known), request.query_params.get("did"))

    async def login(self, request: Request) -> Response:
        """Sign in, and tell stepup by what."""
        given, known = await _fields(request), self._person
        right = secrets.compare_digest(given.get("password", "").encode(), known.password.encode())
        if given.get("email") != known.actor.email or not right:
            return _answer(request, "wrong", 403)
        own = secrets.token_urlsafe(32)
        self._sessions[own] = known
        await self.step_up.signed_in(request, known.actor, "password")
        answer = _answer(request, "signed_in")
        answer.set_cookie(COOKIE, own, httponly=True, samesite="lax")
        return answer

    async def logout(self, request: Request) -> Response:
        """Sign out; what was opened is locked again."""
        await self.step_up.signed_out(request)
        self._sessions.pop(request.cookies.get(COOKIE, ""), None)
        answer = _answer(request, "signed_out")
        answer.delete_cookie(COOKIE)
        return answer

    async def change_role(self, request: Request) -> Response:
        """Validate first, then ask for proof of just this change."""
        role = (await _fields(request)).get("role", "")
        if role not in {"member", "admin", "owner"}:
            return JSONResponse({"error": "role must be member, admin or owner"}, 422)
        about = Resource("member", "usr_4096", "Marcus")
        await self.step_up.require(request, ROLE, resource=about, params={"role": role})
        return _answer(request, ROLE)

    async def outbox(self, request: Request) -> Response:
        """What was mailed; for this machine only."""
        if request.client is None or not ipaddress.ip_address(request.client.host).is_loopback:
            return JSONResponse({"error": "loopback only"}, 403)
        return JSONResponse([{"to": one.to, "subject": one.subject, "text": one.text} for one in self._mails.taken])


async def _fields(request: Request) -> Mapping[str, str]:
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


def _answer(request: Request, did: str, status: int = 200) -> Response:
    """Back to the page for a browser; a document for a program."""
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(f"/?did={did}", 303)
    return JSONResponse({"did": did, "message": DONE[did]}, status)


# -- the page ---------------------------------------------------------------------------------


def _page(content: Markup, did: str | None) -> Response:
    words = DONE.get(did or "")
    said = None if words is None else tag("p", words, role="status")
    client = tag("script", type="module", src=SCRIPT)
    body = page("Northstar", tag("h1", "Northstar"), said, content, client)
    return Response(body, headers={**dict(HEADERS), "content-security-policy": f"{POLICY}; {TRUSTED_TYPES}"})


def _login() -> Markup:
    return tag(
        "form",
        tag("label", "E-mail", for_="email"),
        tag("input", id="email", name="email", type="email", autocomplete="username", required=True),
        tag("label", "Password", for_="password"),
        tag("input", id="password", name="password", type="password", autocomplete="current-password", required=True),
        tag("button", "Sign in"),
        method="post",
        action="/login",
    )


def _deeds(person: Person) -> Markup:
    role = tag("select", *(tag("option", one) for one in ("admin", "owner", "member")), id="role", name="role")
    return group(
        tag("p", f"Signed in as {person.name}. What a person can do here is guarded by its risk."),
        _deed("/notes", "Edit the note", "Low risk: passes while signing in is recent."),
        _deed("/customers/export", "Export all customers", "Fresh proof, not older than a minute."),
        _deed(
            "/members/role",
            "Change the role of Marcus",
            "High risk: the proof is for this role, for five minutes.",
            tag("label", "Role", for_="role"),
            role,
        ),
        _deed("/organizations/org_7/delete", "Delete the organization", "Critical: the proof is good once."),
        _deed("/logout", "Sign out", "Whatever was opened is locked again."),
    )


def _deed(action: str, words: str, about: str, *more: Markup) -> Markup:
    form = tag("form", *more, tag("button", words), method="post", action=action, data_stepup=True)
    return tag("section", tag("p", about, class_="soft"), form)

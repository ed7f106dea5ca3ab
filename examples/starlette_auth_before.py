"""A small Starlette application: a login form, a session cookie, a page for members, and a button that deletes.

``starlette_auth_after.py`` is the same application with a gate before the deletion; a test counts the lines that
differ.

    uvicorn --app-dir examples starlette_auth_before:app
"""

from __future__ import annotations

import secrets
from html import escape

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, BaseUser, requires
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

hasher = PasswordHasher()


class User(BaseUser):
    """Somebody who can sign in, and the organizations that are theirs."""

    is_authenticated = True

    def __init__(self, number: str, email: str, password: str, organizations: set[str]) -> None:
        self.id = number
        self.email = email
        self.hash = hasher.hash(password)
        self.organizations = organizations


USERS = {"usr_2048": User("usr_2048", "olivia@northstar.example", "seven quiet herons", {"org_7"})}
NOBODY = hasher.hash(secrets.token_hex())  # so that an unknown address takes as long as a wrong password
ORGANIZATIONS = {"org_7": "Northstar", "org_8": "Lodestar"}
LOGIN = '<form method="post"><input name="email" type="email"><input name="password" type="password"><button>'


class FromSession(AuthenticationBackend):
    """Who is signed in, by the application's own session cookie."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        user = USERS.get(conn.session.get("user", ""))
        return None if user is None else (AuthCredentials(["member"]), user)


async def login(request: Request) -> Response:
    if request.method == "GET":
        return HTMLResponse(LOGIN)
    form = await request.form()
    user = next((one for one in USERS.values() if one.email == form.get("email")), None)
    try:
        await run_in_threadpool(hasher.verify, user.hash if user else NOBODY, str(form.get("password")))
    except VerificationError:
        raise HTTPException(401) from None
    assert user is not None  # nobody knows NOBODY's password
    request.session["user"] = user.id
    return RedirectResponse("/", 303)


async def logout(request: Request) -> Response:
    request.session.clear()
    return RedirectResponse("/login", 303)


@requires("member", redirect="login")
async def members(request: Request) -> Response:
    mine = {org_id: ORGANIZATIONS[org_id] for org_id in request.user.organizations if org_id in ORGANIZATIONS}
    forms = [
        f'<form method="post" action="/orgs/{escape(org_id)}/delete">{escape(name)} <button>Delete</button></form>'
        for org_id, name in mine.items()
    ]
    return HTMLResponse("".join(forms) or "Nothing is left.")


def members_only(request: Request) -> str:
    """The permission check: it comes first."""
    org_id: str = request.path_params["org_id"]
    if org_id not in request.user.organizations or org_id not in ORGANIZATIONS:
        raise HTTPException(404)
    return org_id


@requires("member")
async def delete_organization(request: Request) -> Response:
    org_id = members_only(request)
    del ORGANIZATIONS[org_id]
    return RedirectResponse("/", 303)


app = Starlette(
    routes=[
        Route("/login", login, methods=["GET", "POST"]),
        Route("/logout", logout, methods=["POST"]),
        Route("/", members),
        Route("/orgs/{org_id}/delete", delete_organization, methods=["POST"]),
    ],
    middleware=[
        Middleware(SessionMiddleware, secret_key=secrets.token_hex(32), https_only=True),  # yours outlives a restart
        Middleware(AuthenticationMiddleware, backend=FromSession()),
    ],
)

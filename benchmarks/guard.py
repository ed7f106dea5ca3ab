"""What a guard costs a request, in each framework.

::

    python benchmarks/guard.py                  # 3,000 calls of each kind
    python benchmarks/guard.py --calls 20000

**How the figures are meant.** Each application has one route four times: without a guard, and with one that is passed
by a session that has just signed in (the store is not asked), by a grant of level 3 that the session holds, and by a
single-use token. All four are called in turn, in another order each time, and a figure is the difference between a
guarded call and the unguarded one of the same turn, in microseconds: what ``guard`` adds, from reading the cookies to
the decision, with the framework's own ways to get there (FastAPI's dependencies, the worker thread of a sync gate).
The applications are called in this process, without a server or sockets, and the store is in memory: a database adds
its own time, which ``growth.py`` measures. The figures are those of this machine; what compares is a row with a row.

Tokens are minted between the turns and not timed, in a session of their own: one holds few grants at a time. Every call
has to be answered 200, or this ends with an error.

Reading order: ``SERVED`` (the applications), ``measure``, ``main``.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import random
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from fastapi import Depends, FastAPI
from flask import Flask, Response
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from stepup import Action, Actor, AsyncStepUp, Context, Policy, Resource, StepUp
from stepup.fastapi import StepUpFastAPI
from stepup.flask import StepUpFlask
from stepup.limits import Limits
from stepup.starlette import StepUpStarlette
from stepup.stores.memory import AsyncMemoryStore, MemoryStore
from stepup.testing import ScriptedVerifier, grant, grant_async

T = TypeVar("T")
HOST: Final = "app.northstar.example"
OLIVIA: Final = Actor("usr_2048", email="olivia@northstar.example")
ORG: Final = Resource("organization", "org_7")
HOUR: Final = 3600
ACTIONS: Final = {
    "fresh": Action("note.edit", "Edit note", risk=1),
    "grant": Action("member.role", "Change role", risk=3, policy=Policy(grant_ttl=HOUR)),
    "token": Action("org.delete", "Delete organization", risk=4, policy=Policy(grant_ttl=HOUR, uses=1)),
}
SATISFIED: Final = {"fresh": "session", "grant": "grant"}
"""By what each kind has to pass, or something else would be measured; a single-use token passes only as itself."""

PLAIN: Final = "plain"
KINDS: Final = (PLAIN, *ACTIONS)
TITLES: Final = {"fresh": "fresh session", "grant": "session grant", "token": "single-use token"}
BATCH: Final = 50
"""So many tokens are minted at a time."""

_SECRET: Final = "for benchmarks only, never a real secret: 903275"  # noqa: S105 -- as it says


class Reply(NamedTuple):
    """How a call was answered, and how long it took."""

    status: int
    cookies: Mapping[str, str]
    nanoseconds: int


Call = Callable[[str, Mapping[str, str]], Awaitable[Reply]]


class Served(NamedTuple):
    """An application, its gate, and who called it, as the gate saw them."""

    gate: StepUp | AsyncStepUp
    call: Call
    seen: list[Context | None]


# -- the applications ---------------------------------------------------------------------


def options() -> dict[str, Any]:
    """What all gates are made of."""
    return {
        "actions": list(ACTIONS.values()),
        "verifiers": [ScriptedVerifier("passkey", strength=40, answer="touch", amr=("hwk", "user"))],
        "secret": _SECRET,
        "limits": Limits(starts=10**9, open_challenges=10**6),
    }


def store() -> MemoryStore:
    """A store with room for all that one person does here."""
    return MemoryStore(max_records=10**8, max_records_per_partition=10**8)


def sync_gate() -> StepUp:
    """A gate over a store in memory."""
    return StepUp(store=store(), **options())


def async_gate() -> AsyncStepUp:
    """The same for an event loop."""
    return AsyncStepUp(store=AsyncMemoryStore(store()), **options())


def organization(org_id: str) -> Resource:
    """What the routes are about."""
    return Resource("organization", org_id)


def in_flask() -> Served:
    """Flask, as a WSGI application."""
    app, gate, seen = Flask("guard"), sync_gate(), list[Context | None]()
    shim = StepUpFlask(app, gate, user_of=lambda: OLIVIA)

    def done(org_id: str) -> Response:
        return Response(f"done {org_id}", mimetype="text/plain")

    def sign_in(org_id: str) -> Response:
        shim.signed_in(OLIVIA, "password")
        return done(org_id)

    def look(org_id: str) -> Response:
        seen.append(shim.context)
        return done(org_id)

    def guarded(action: str) -> Callable[[str], Response]:
        @shim.guard(action, resource=organization)
        def view(org_id: str) -> Response:
            return done(org_id)

        return view

    def plain(org_id: str) -> Response:
        return done(org_id)

    views: dict[str, Callable[[str], Response]] = {PLAIN: plain, "in": sign_in, "look": look}
    views |= {kind: guarded(action.id) for kind, action in ACTIONS.items()}
    for name, one in views.items():
        app.add_url_rule(f"/{name}/<org_id>", name, one, methods=["POST"])
    return Served(gate, wsgi(app.wsgi_app), seen)


def in_starlette() -> Served:
    """Starlette, with an async gate."""
    gate, seen = async_gate(), list[Context | None]()
    shim = StepUpStarlette(None, gate, user_of=lambda connection: OLIVIA)  # noqa: ARG005 -- everybody is her

    async def endpoint(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"done {request.path_params['org_id']}")

    async def sign_in(request: Request) -> PlainTextResponse:
        await shim.signed_in(request, OLIVIA, "password")
        return await endpoint(request)

    async def look(request: Request) -> PlainTextResponse:
        seen.append(await shim.context(request))
        return await endpoint(request)

    endpoints: dict[str, Any] = {PLAIN: endpoint, "in": sign_in, "look": look}
    for kind, action in ACTIONS.items():
        endpoints[kind] = shim.guard(action.id, resource=organization)(endpoint)
    app = Starlette(routes=[Route(f"/{name}/{{org_id}}", one, methods=["POST"]) for name, one in endpoints.items()])
    shim.init_app(app)
    return Served(gate, asgi(app), seen)


def in_fastapi(gate: StepUp | AsyncStepUp) -> Served:
    """FastAPI, with a gate of either colour; all else is ``async def``, so that nothing but a gate needs threads."""
    app, seen = FastAPI(), list[Context | None]()

    async def current_user() -> Actor:
        return OLIVIA

    fast = StepUpFastAPI(app, gate, user_of=current_user)

    async def route(org_id: str) -> PlainTextResponse:
        return PlainTextResponse(f"done {org_id}")

    async def sign_in(connection: HTTPConnection) -> None:
        step = await fast.gate(connection=connection, who=OLIVIA)
        await step.signed_in(OLIVIA, "password")

    async def look(connection: HTTPConnection) -> None:
        seen.append((await fast.gate(connection=connection, who=OLIVIA)).context)

    before = {PLAIN: [], "in": [Depends(sign_in)], "look": [Depends(look)]} | {
        kind: [fast.guard(action.id, resource=organization)] for kind, action in ACTIONS.items()
    }
    for name, dependencies in before.items():
        app.post(f"/{name}/{{org_id}}", dependencies=dependencies)(route)
    return Served(gate, asgi(app), seen)


SERVED: Final[Mapping[str, Callable[[], Served]]] = {
    "Flask": in_flask,
    "Starlette": in_starlette,
    "FastAPI": lambda: in_fastapi(async_gate()),
    "FastAPI, sync gate": lambda: in_fastapi(sync_gate()),
}


# -- calling them -------------------------------------------------------------------------


def wsgi(app: Any) -> Call:
    """Calls of a WSGI application, as a server makes them."""

    async def call(path: str, headers: Mapping[str, str]) -> Reply:
        said: list[tuple[str, list[tuple[str, str]]]] = []
        environ = {
            "REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": "", "CONTENT_LENGTH": "0",
            "SERVER_NAME": HOST, "SERVER_PORT": "443", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "198.51.100.7",
            "wsgi.version": (1, 0), "wsgi.url_scheme": "https", "wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr,
            "wsgi.multithread": False, "wsgi.multiprocess": False, "wsgi.run_once": False, "HTTP_HOST": HOST,
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
        }  # fmt: skip
        start = time.perf_counter_ns()
        b"".join(app(environ, lambda status, headers, *_: said.append((status, headers))))
        taken = time.perf_counter_ns() - start
        ((status, answered),) = said
        return Reply(int(status.partition(" ")[0]), cookies(answered), taken)

    return call


def asgi(app: Any) -> Call:
    """Calls of an ASGI application, as a server makes them."""

    async def call(path: str, headers: Mapping[str, str]) -> Reply:
        said: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            said.append(message)

        sent = {"host": HOST, **headers}
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "https",
            "path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"", "state": {},
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
            "client": ("198.51.100.7", 4711), "server": (HOST, 443),
        }  # fmt: skip
        start = time.perf_counter_ns()
        await app(scope, receive, send)
        taken = time.perf_counter_ns() - start
        answered = [(name.decode(), value.decode()) for name, value in said[0]["headers"]]
        return Reply(said[0]["status"], cookies(answered), taken)

    return call


def cookies(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The cookies that a response sets."""
    made = (value.partition(";")[0].partition("=") for name, value in headers if name.lower() == "set-cookie")
    return {name: value for name, _, value in made}


# -- measuring ----------------------------------------------------------------------------


class Person(NamedTuple):
    """Olivia's browser at one application, signed in and with a grant for ``grant``."""

    served: Served
    context: Context
    cookie: str

    async def call(self, kind: str, token: str | None = None) -> int:
        """How long a call took; it has to be answered 200."""
        sent = {"cookie": self.cookie} | ({} if token is None else {"stepup-token": token})
        reply = await self.served.call(f"/{kind}/{ORG.id}", sent)
        if reply.status != 200:
            raise RuntimeError(f"a call of {kind} was answered {reply.status}")
        return reply.nanoseconds

    async def minted(self, kind: str) -> str:
        """A token for a call of *kind*."""
        gate, action = self.served.gate, ACTIONS[kind].id
        if isinstance(gate, AsyncStepUp):
            return await grant_async(gate, action, self.context, resource=ORG)
        return grant(gate, action, self.context, resource=ORG)

    async def satisfied_by(self, kind: str) -> str | None:
        """By what a call of *kind* would pass."""
        gate, action = self.served.gate, ACTIONS[kind].id
        if isinstance(gate, AsyncStepUp):
            return (await gate.check(action, self.context, resource=ORG)).satisfied_by
        return gate.check(action, self.context, resource=ORG).satisfied_by


async def signed_in(served: Served) -> Person:
    """Olivia, as the gate knows her, and holding what the routes ask for."""
    kept = (await served.call(f"/in/{ORG.id}", {})).cookies
    cookie = "; ".join(f"{name}={value}" for name, value in kept.items())
    await served.call(f"/look/{ORG.id}", {"cookie": cookie})
    context = served.seen[-1]
    if context is None:
        raise RuntimeError("nobody is signed in")
    person = Person(served, context, cookie)
    await person.minted("grant")
    for kind, expected in SATISFIED.items():
        found = await person.satisfied_by(kind)
        if found != expected:
            raise RuntimeError(f"a call of {kind} would pass by {found}")
    return person


async def measure(served: Served, calls: int, rng: random.Random) -> dict[str, list[float]]:
    """The unguarded route's microseconds, and how much more the guarded ones took in the same turn."""
    holder, spender = await signed_in(served), await signed_in(served)
    figures: dict[str, list[float]] = {kind: [] for kind in KINDS}
    order, tokens, took = list(KINDS), list[str](), dict[str, int]()
    warming = min(calls, 200)
    for turn in range(warming + calls):
        if not tokens:
            tokens = [await spender.minted("token") for _ in range(BATCH)]
        rng.shuffle(order)
        for kind in order:
            took[kind] = await (spender.call(kind, tokens.pop()) if kind == "token" else holder.call(kind))
        for kind in KINDS if turn >= warming else ():
            figures[kind].append((took[kind] - (took[PLAIN] if kind != PLAIN else 0)) / 1000)
    return figures


def at(values: Sequence[float], share: float) -> float:
    """The value that *share* of them are below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=3000, help="of each kind, in each framework; 2,000 or more")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the calls")
    given = parser.parse_args(argv)
    if given.calls < 1:
        parser.error("--calls has to be 1 or more")
    rng = random.Random(given.seed)  # noqa: S311 -- whose turn it is
    say(f"microseconds that a guard adds to a call, of {given.calls} turns: median and 95th percentile")
    say(f"{'':<20}{'unguarded':>12}" + "".join(f"{TITLES[kind]:>22}" for kind in ACTIONS))
    for name, made in SERVED.items():
        figures = asyncio.run(measure(made(), given.calls, rng))
        cells = "".join(f"{at(figures[kind], 0.5):>12.0f}{at(figures[kind], 0.95):>10.0f}" for kind in ACTIONS)
        say(f"{name:<20}{at(figures[PLAIN], 0.5):>12.0f}{cells}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

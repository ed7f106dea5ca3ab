"""Between ASGI and values: what a connection says as a ``WebRequest``, a ``WebResponse`` as Starlette's, and cookies.

Nothing here knows of gates. ``VisitMiddleware`` is pure ASGI: it adds the cookies of a visit to whatever response the
application sends, and costs a request that makes no visit one dictionary.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stepup.web import WebRequest, WebResponse
from stepup.web.bodies import Intake
from stepup.web.visits import Visit

STATE: Final = "stepup.visits"
ROOTS: Final = "stepup.roots"
"""Where the applications that have a shim are mounted, by shim."""

ACCEPTED: Final = "stepup.accepted"
"""Where a connection keeps whether its handshake is over: a list that is empty before that."""

WEBSOCKET: Final = "WEBSOCKET"
_STARTS: Final = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})


class VisitMiddleware:
    """Adds the ``Set-Cookie`` headers of the visit that the request made, if it made one."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self.app = app
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        visits: dict[str, Visit] = scope.setdefault(STATE, {})
        roots: dict[str, str] = scope.setdefault(ROOTS, {})
        roots[self._key] = str(scope.get("root_path", ""))
        accepted: list[bool] = scope.setdefault(ACCEPTED, [])

        async def with_cookies(message: Message) -> None:
            visit = visits.get(self._key)
            if visit is not None and message["type"] in _STARTS:
                headers = MutableHeaders(scope=message)
                headers.add_vary_header("Cookie")
                for cookie in visit.set_cookies():
                    headers.append("set-cookie", cookie)
            if message["type"] == "websocket.accept":
                accepted.append(True)
            await send(message)

        await self.app(scope, receive, with_cookies)


def as_request(connection: HTTPConnection, root: str) -> WebRequest:
    """The request as it came, without a body. A WebSocket's handshake counts as a request that changes state.

    *root* is where the application of the shim is mounted; what it mounts itself has another.
    """
    headers: dict[str, str] = {}
    for name, value in connection.headers.items():
        between = "; " if name == "cookie" else ", "
        headers[name] = f"{headers[name]}{between}{value}" if name in headers else value
    scope = connection.scope
    query = scope.get("query_string", b"").decode("latin-1")
    path = str(scope["path"])
    return WebRequest(
        method=str(scope.get("method", WEBSOCKET)).upper(),
        path=f"{path}?{query}" if query else path,
        headers=headers,
        query=dict(parse_qsl(query, keep_blank_values=True)),
        origin=f"{_web_scheme(str(scope.get('scheme', 'http')))}://{headers.get('host', '')}",
        peer=connection.client.host if connection.client else None,
        root=root,
    )


def _web_scheme(scheme: str) -> str:
    return {"ws": "http", "wss": "https"}.get(scheme, scheme)


def path_below(scope: Scope, prefix: str) -> str:
    """The path below *prefix* as it was sent; no spelling is mended, so another spelling is another path."""
    raw = scope.get("raw_path")
    whole = scope["path"] if raw is None else raw.partition(b"?")[0].decode("latin-1")
    root = str(scope.get("root_path", ""))
    for base in (root + prefix, prefix):
        if whole.startswith(base):
            return str(whole[len(base) :])
    return "//"


async def body_of(request: Request) -> bytes:
    """The body, or as much of it as shows that it is too large; the rest of a large one is thrown away as it comes."""
    intake = Intake()
    async for chunk in request.stream():
        intake.take(chunk)
        if not intake.wants:
            break
    return intake.body


def as_response(made: WebResponse) -> Response:
    """The response, with the cookies it has; those of the visit that it has not are added by the middleware."""
    answer = Response(made.body, made.status)
    for name, value in made.headers:
        answer.headers.append(name, value)
    return answer

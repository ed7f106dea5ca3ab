"""A guarded WebSocket: refused in its handshake, or closed once it is open.

First over real sockets, at the route ``/console`` of the Starlette server; then by hand-made connections, for servers
that cannot send a body with a refusal, and for guards that are called after the handshake.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import pytest
from blackbox_client import HOST, ORIGIN, Answer, Client
from blackbox_world import actor, given, who
from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.endpoints import WebSocketEndpoint
from starlette.requests import HTTPConnection
from starlette.routing import Mount, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from stepup import Actor, AsyncStepUp
from stepup.fastapi import Gate, StepUpFastAPI
from stepup.starlette import StepUpStarlette
from stepup.stores.memory import AsyncMemoryStore

BROWSER = "Mozilla/5.0 (Macintosh) Safari/605"
PASSWORD = "seven quiet herons"


# -- over sockets ------------------------------------------------------------------------------


@pytest.fixture
def browser(servers: dict[str, tuple[int, Path]]) -> Client:
    return Client(*servers["starlette"])


def signed_in(browser: Client) -> Client:
    assert browser.call("POST", "/login/olivia").status == 200
    return browser


@contextmanager
def opened(browser: Client, **headers: str) -> Iterator[ClientConnection]:
    """The console, opened by a page of the site with the browser's cookies; a header given as "-" is left out."""
    sent = {"origin": ORIGIN}
    if browser.cookies:
        sent["cookie"] = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {name: value for name, value in sent.items() if value != "-"}
    with (
        socket.create_connection(("127.0.0.1", browser.port), timeout=60) as sock,
        connect(f"ws://{HOST}/console", sock=sock, additional_headers=sent, user_agent_header=BROWSER) as console,
    ):
        yield console


def refused(browser: Client, **headers: str) -> Answer:
    """How the handshake is refused; the cookies are kept."""
    with pytest.raises(InvalidStatus) as caught, opened(browser, **headers):
        pass
    response = caught.value.response
    headers_of = [(name.lower(), value) for name, value in response.headers.raw_items()]
    answer = Answer(response.status_code, headers_of, bytes(response.body))
    for cookie in answer.all("set-cookie"):
        name, _, value = cookie.partition(";")[0].partition("=")
        browser.cookies[name] = value
    return answer


@pytest.mark.requirement("G-08")
def test_nobody_is_refused_in_the_handshake(browser: Client) -> None:
    """Without a sign-in the answer is a 401 with the problem as its body, and says nothing of how to prove oneself."""
    answer = refused(browser)

    assert (answer.status, answer.code) == (401, "login_required")
    assert answer.json["loginUrl"] == "/login"
    assert "acr" not in answer.text.lower()
    assert answer.header("www-authenticate") is None
    assert not browser.cookies


def test_a_fresh_session_opens_it(browser: Client) -> None:
    """Somebody who has just signed in gets through."""
    with opened(signed_in(browser)) as console:
        assert console.recv(timeout=60) == "open"


def test_what_the_refusal_says_leads_to_an_open_socket(browser: Client) -> None:
    """A session that is not known to be fresh is refused with an offer; the proof opens the same session's socket."""
    browser.cookies["app"] = "olivia"

    blocked = refused(browser)
    assert (blocked.status, blocked.code) == (403, "verification_required")
    assert blocked.header("cache-control") == "no-store"
    started = browser.call("POST", "/stepup/challenges", {"offer": blocked.json["offer"]})
    address = f"/stepup/challenges/{started.json['challenge']['id']}/attempts"
    assert browser.call("POST", address, {"method": "password", "response": PASSWORD}).json["status"] == "verified"
    with opened(browser) as console:
        assert console.recv(timeout=60) == "open"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": f"{ORIGIN}.evil.example"},
        {"origin": ORIGIN.replace("http:", "https:")},
        {"origin": f"ws://{HOST}"},
        {"origin": "-", "sec_fetch_site": "cross-site"},
    ],
    ids=str,
)
def test_pages_of_other_sites_open_nothing_with_her_cookies(browser: Client, headers: dict[str, str]) -> None:
    """Cookies go with a handshake from anywhere: however fresh the session, a foreign origin is refused."""
    fresh = signed_in(browser)

    answer = refused(fresh, **headers)
    assert (answer.status, answer.code) == (403, "bad_request")
    assert answer.all("set-cookie") == []
    with opened(fresh) as console:
        assert console.recv(timeout=60) == "open"


@pytest.mark.requirement("G-07")
def test_a_bearer_client_reads_rfc_9470_in_the_handshake(browser: Client) -> None:
    """With a token it is a 401 with the challenge; the proof opens the socket for that token."""
    own = {"authorization": "Bearer olivia-ws", "origin": "-"}

    blocked = refused(browser, **own)
    assert (blocked.status, blocked.code) == (401, "verification_required")
    assert (blocked.header("www-authenticate") or "").startswith('Bearer error="insufficient_user_authentication"')
    headers: dict[str, Any] = {**own, "sec_fetch_site": "-"}
    started = browser.call("POST", "/stepup/challenges", {"offer": blocked.json["offer"]}, **headers)
    address = f"/stepup/challenges/{started.json['challenge']['id']}/attempts"
    browser.call("POST", address, {"method": "password", "response": PASSWORD}, **headers)
    with opened(browser, **own) as console:
        assert console.recv(timeout=60) == "open"
    assert not browser.cookies


# -- by hand -----------------------------------------------------------------------------------


def current_user(connection: HTTPConnection) -> Actor | None:
    return who(connection.headers.get("authorization"), connection.cookies.get("app"))


def gate() -> AsyncStepUp:
    return AsyncStepUp(store=AsyncMemoryStore(), **given())


def in_starlette() -> Starlette:
    """A guard before the handshake, and guards after it: in a function, and in a method that gets messages."""
    shim = StepUpStarlette(None, gate(), user_of=current_user)

    @shim.guard("note.edit")
    async def before(websocket: WebSocket) -> None:
        await websocket.accept()

    async def after(websocket: WebSocket) -> None:
        await websocket.accept()
        await shim.require(websocket, "note.edit")
        await websocket.send_text("open")

    async def signing_in(websocket: WebSocket) -> None:
        await shim.signed_in(websocket, actor("olivia"), "password")
        await websocket.accept()
        await shim.require(websocket, "note.edit")
        await websocket.send_text("open")
        await websocket.close()

    class Messages(WebSocketEndpoint):
        encoding = "text"

        @shim.guard("note.edit")
        async def on_receive(self, websocket: WebSocket, data: str) -> None:
            await websocket.send_text(data)

    routes = [
        WebSocketRoute("/before", before),
        WebSocketRoute("/after", after),
        WebSocketRoute("/signing-in", signing_in),
        WebSocketRoute("/messages", Messages),
        Mount("/below", routes=[WebSocketRoute("/messages", Messages)]),
    ]
    app = Starlette(routes=routes)
    shim.init_app(app)
    return app


def in_fastapi() -> FastAPI:
    """The same as far as FastAPI has it."""
    app = FastAPI()
    fast = StepUpFastAPI(app, gate(), user_of=current_user)

    @app.websocket("/before", dependencies=[fast.guard("note.edit")])
    async def before(websocket: WebSocket) -> None:
        await websocket.accept()

    async def after(websocket: WebSocket, step: Any) -> None:
        await websocket.accept()
        await step.require("note.edit")
        await websocket.send_text("open")

    after.__annotations__.update(websocket=WebSocket, step=Annotated[Gate, Depends(fast.gate)])
    before.__annotations__.update(websocket=WebSocket)
    app.websocket("/after")(after)
    return app


APPS = {"starlette": in_starlette(), "fastapi": in_fastapi()}


def talk(app: str, path: str, *, denial: bool, user: str | None = "olivia") -> list[dict[str, Any]]:
    """What an application sends to a browser that connects, says hello and goes."""
    said: list[dict[str, Any]] = []
    hears: list[dict[str, Any]] = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hello"}]

    async def receive() -> MutableMapping[str, Any]:
        return hears.pop(0) if hears else {"type": "websocket.disconnect", "code": 1001}

    async def send(message: Any) -> None:
        said.append(dict(message))

    scope = {
        "type": "websocket", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "ws", "root_path": "",
        "path": path, "raw_path": path.encode(), "query_string": b"", "client": ("198.51.100.7", 4711),
        "server": ("127.0.0.1", 80), "subprotocols": [], "state": {},
        "headers": [
            (b"host", HOST.encode()), (b"origin", ORIGIN.encode()),
            *([(b"cookie", f"app={user}".encode())] if user else []),
        ],
        **({"extensions": {"websocket.http.response": {}}} if denial else {}),
    }  # fmt: skip
    asyncio.run(APPS[app](scope, receive, send))
    return said


@pytest.mark.parametrize("app", APPS)
@pytest.mark.parametrize(("user", "code"), [("olivia", "verification_required"), (None, "login_required")])
def test_a_server_that_cannot_send_a_body_refuses_with_a_code(app: str, user: str | None, code: str) -> None:
    """Without the extension for denial responses the handshake is closed with 1008, and nothing was accepted."""
    assert talk(app, "/before", denial=False, user=user) == [{"type": "websocket.close", "code": 1008, "reason": code}]


@pytest.mark.parametrize("app", APPS)
def test_a_server_that_can_send_a_body_is_given_one(app: str) -> None:
    """With the extension the refusal is a whole response, with the session's cookies."""
    start, body = talk(app, "/before", denial=True)

    headers = [(name.decode(), value.decode()) for name, value in start["headers"]]
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 403)
    assert ("content-type", "application/problem+json") in headers
    assert [value.partition("=")[0] for name, value in headers if name == "set-cookie"] == [
        "__Host-stepup", "__Host-stepup-device",
    ]  # fmt: skip
    assert (body["type"], json.loads(body["body"])["code"]) == ("websocket.http.response.body", "verification_required")


@pytest.mark.parametrize("denial", [True, False])
@pytest.mark.parametrize(
    ("app", "path"),
    [("starlette", "/after"), ("starlette", "/messages"), ("starlette", "/below/messages"), ("fastapi", "/after")],
)
def test_a_guard_after_the_handshake_closes_the_socket(app: str, path: str, denial: bool) -> None:
    """What is open already is closed with 1008 and the code; a response would be nonsense by then."""
    accepted, closed = talk(app, path, denial=denial)

    assert accepted["type"] == "websocket.accept"
    assert closed == {"type": "websocket.close", "code": 1008, "reason": "verification_required"}


def test_a_sign_in_by_a_handshake_sets_its_cookies_when_it_is_accepted() -> None:
    """The acceptance carries the cookies of the session that it made."""
    accepted, said, closed = talk("starlette", "/signing-in", denial=True, user=None)

    cookies = [value for name, value in accepted["headers"] if name == b"set-cookie"]
    assert [cookie.partition(b"=")[0] for cookie in cookies] == [b"__Host-stepup", b"__Host-stepup-device"]
    assert (said["text"], closed["code"]) == ("open", 1000)

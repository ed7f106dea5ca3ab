"""The shim that the documentation shows: it is short, and it answers a real server's clients as the shipped ones do."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from test_code_blocks import DOCS, blocks

from stepup import Resource

sys.path.append(str(Path(__file__).parents[1] / "web" / "blackbox"))
import blackbox_world as world
from blackbox_client import Client
from test_alike import CASES

PAGE = DOCS / "how-to" / "write-a-shim.md"
CANNOT = {
    "bodies_that_cannot_be_read": "wsgiref reads no chunked body",
    "methods_and_spellings_that_lead_nowhere": "wsgiref decodes addresses and does not keep what was sent",
}
"""Cases of the suite that a plain WSGI server cannot show, and why; the page says so."""


def shim_of_the_page() -> str:
    """The block that is the shim."""
    (found,) = [block.code for block in blocks(PAGE) if "\nclass StepUpWSGI:" in block.code]
    return found


def shim_class() -> Any:
    namespace: dict[str, Any] = {"__name__": "__docs__"}
    exec(compile(shim_of_the_page(), PAGE.name, "exec", dont_inherit=True), namespace)
    return namespace["StepUpWSGI"]


def user_of(environ: Any) -> Any:
    own = SimpleCookie(environ.get("HTTP_COOKIE", "")).get("app")
    return world.who(environ.get("HTTP_AUTHORIZATION"), own.value if own else None)


def text(start: Any, body: str, *more: tuple[str, str]) -> list[bytes]:
    start("200 OK", [("Content-Type", "text/plain; charset=utf-8"), *more])
    return [body.encode()]


def organization(environ: Any) -> Resource:
    return world.organization(environ["PATH_INFO"].split("/")[2])


class Northstar:
    """The application of the suite, in plain WSGI behind the page's shim."""

    def __init__(self, kind: Any) -> None:
        self.shim = kind(self.app, world.sync_gate(), user_of=user_of, **world.OPTIONS)
        self.guarded = self.shim.guard("org.delete", resource=organization)(self.delete)

    def app(self, environ: Any, start: Any) -> Any:
        first, *more = environ["PATH_INFO"].split("/")[1:]
        if environ["REQUEST_METHOD"] == "GET":
            return text(start, first)
        return getattr(self, f"post_{first}")(environ, start, *more)

    def post_login(self, environ: Any, start: Any, name: str) -> list[bytes]:
        self.shim.signed_in(environ, world.actor(name), "password")
        return text(start, "in", ("Set-Cookie", f"app={name}"))

    def post_logout(self, environ: Any, start: Any) -> list[bytes]:
        self.shim.signed_out(environ)
        return text(start, "out", ("Set-Cookie", "app=; Max-Age=0"))

    def post_password(self, environ: Any, start: Any) -> list[bytes]:
        self.shim.gate.signal(self.shim.visit(environ).known, "password_changed")
        return text(start, "changed")

    def post_orgs(self, environ: Any, start: Any, *more: str) -> Any:
        return self.guarded(environ, start)

    def delete(self, environ: Any, start_response: Any) -> list[bytes]:
        return text(start_response, f"deleted {organization(environ).id}")

    def post_members(self, environ: Any, start: Any, member: str, role: str) -> list[bytes]:
        body = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        self.shim.require(environ, "member.role", params=body)
        return text(start, f"changed {member}")

    def post_notes(self, environ: Any, start: Any, note: str) -> list[bytes]:
        self.shim.require(environ, "note.edit")
        return text(start, f"edited {note}")

    def post_keys(self, environ: Any, start: Any, rotate: str) -> list[bytes]:
        self.shim.require(environ, "key.rotate")
        return text(start, "rotated")


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Client]]:
    """Browsers at a server of the standard library that serves the page's shim."""
    directory = tmp_path_factory.mktemp("shim")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world, "DIRECTORY", directory)
        shim = Northstar(shim_class()).shim
        with make_server("127.0.0.1", 0, shim, handler_class=Quiet) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.05,))
            thread.start()
            try:
                yield lambda: Client(server.server_port, directory)
            finally:
                server.shutdown()
                thread.join()
                shim.gate.store.close()


def test_the_shim_that_is_shown_has_less_than_a_hundred_lines() -> None:
    """All of it: imports, blank lines and docstrings."""
    assert len(shim_of_the_page().splitlines()) < 100


@pytest.mark.parametrize("name", [name for name in CASES if name not in CANNOT])
def test_the_shim_that_is_shown_answers_as_the_others_do(name: str, client: Callable[[], Client]) -> None:
    """Every case of the suite for the shipped shims that the server at hand can show."""
    CASES[name](client())


def test_what_the_server_cannot_show_is_still_in_the_suite() -> None:
    """So that nothing stays excused after it was renamed."""
    assert set(CANNOT) <= set(CASES)

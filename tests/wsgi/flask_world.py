"""A Flask application with a gate, a login of a few lines, and a browser that talks to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from flask import Flask, session
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from stepup import Action, Actor, Policy, Resource, Risk, StepUp
from stepup.flask import StepUpFlask
from stepup.stores.memory import MemoryStore
from stepup.testing import FrozenClock, ScriptedVerifier

ORIGIN = "https://app.northstar.example"
SECRET = "a secret of the Flask tests, never a real one: 0123456789"
PEOPLE = {
    "usr_2048": Actor("usr_2048", email="olivia@northstar.example"),
    "usr_4096": Actor("usr_4096", email="marcus@northstar.example"),
}
ACTIONS = (
    Action("org.delete", "Delete organization", risk=Risk.CRITICAL),
    Action("role.change", "Change role", risk=Risk.HIGH),
    Action("note.edit", "Edit note", risk=Risk.LOW),
    Action("mail.change", "Change address", risk=Risk.LOW, policy=Policy(session_window=1800, methods="password")),
    Action("export", "Export", risk=Risk.LOW, policy=Policy(session_window=1800, methods="fresh_session")),
)


def organization(org_id: str) -> Resource:
    return Resource("organization", org_id)


def make_gate(**options: Any) -> StepUp:
    given: dict[str, Any] = {
        "actions": ACTIONS,
        "verifiers": [ScriptedVerifier("password")],
        "store": MemoryStore(),
        "secret": SECRET,
        "clock": FrozenClock(),
        "login_url": "/login",
    }
    return StepUp(**{**given, **options})


def signed_in_user() -> Actor | None:
    return PEOPLE.get(session.get("who", ""))


def plain_app(name: str = "northstar") -> Flask:
    """An application with a login of its own, which says nothing to stepup."""
    app = Flask(name)
    app.config.update(SECRET_KEY="a key of the Flask tests", TESTING=True)

    @app.post("/login/<who>")
    def login(who: str) -> str:
        session["who"] = who
        return who

    @app.get("/plain")
    def plain() -> str:
        return "nothing to guard"

    return app


@dataclass
class World:
    """One application, its gate and its shim; what was done stands in ``done``."""

    options: dict[str, Any] = field(default_factory=dict)
    clock: FrozenClock = field(default_factory=FrozenClock)
    gate: StepUp | None = None
    app: Flask = field(default_factory=plain_app)
    done: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        given = self.options
        if "context_of" not in given:
            given = {"user_of": signed_in_user, **given}
        self.shim = StepUpFlask(self.app, self.gate or make_gate(clock=self.clock), **given)
        self.routes()

    def routes(self) -> None:
        @self.app.post("/orgs/<org_id>/delete")
        @self.shim.guard("org.delete", resource=organization)
        def delete_org(org_id: str) -> str:
            self.done.append(org_id)
            return f"{org_id} deleted"

        @self.app.post("/orgs/<org_id>/role")
        @self.shim.guard("role.change", resource=organization)
        def change_role(org_id: str) -> str:
            self.done.append(org_id)
            return f"{org_id} changed"

        @self.app.post("/notes")
        @self.shim.guard("note.edit")
        def edit_note() -> str:
            self.done.append("note")
            return "edited"

        @self.app.post("/stepup-login/<who>/<method>")
        def stepup_login(who: str, method: str) -> str:
            session["who"] = who
            self.shim.signed_in(PEOPLE[who], method)
            return who

        @self.app.post("/logout")
        def logout() -> str:
            self.shim.signed_out()
            session.clear()
            return "bye"

    def browser(self, who: str | None = "usr_2048") -> Browser:
        browser = Browser(self.app.test_client())
        if who is not None:
            assert browser.post(f"/login/{who}").status_code == 200
        return browser


@dataclass
class Browser:
    """A person's browser: the site's cookies, and pages that call as scripts of the site do."""

    client: FlaskClient
    prefix: str = "/stepup"
    origin: str = ORIGIN

    def call(self, method: str, path: str, body: object = None, **headers: str) -> TestResponse:
        sent = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        given: dict[str, Any] = {"method": method, "base_url": self.origin, "headers": sent}
        if isinstance(body, bytes):
            given["data"] = body
        elif body is not None:
            given |= {"data": json.dumps(body), "content_type": "application/json"}
        return self.client.open(path, **given)

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: object = None, **headers: str) -> TestResponse:
        return self.call("POST", path, body, **headers)

    def proved(self, blocked: TestResponse, answer: object = "right", method: str = "password") -> TestResponse:
        """The answer to the last call of the ceremony that *blocked* asks for."""
        assert blocked.status_code in {401, 403}, blocked.text
        assert blocked.content_type == "application/problem+json"
        started = self.post(f"{self.prefix}/challenges", {"offer": blocked.get_json(force=True)["offer"]})
        assert started.status_code == 201, started.text
        address = f"{started.headers['Location']}/attempts"
        return self.post(address, {"method": method, "response": answer})

    def token(self, blocked: TestResponse, **how: Any) -> str:
        done = self.proved(blocked, **how)
        assert done.status_code == 200, done.text
        return str(done.get_json()["grant"]["token"])

    def form(self, path: str, fields: Mapping[str, str] | None = None) -> TestResponse:
        """A form that a person sends without JavaScript."""
        headers = {
            "Origin": self.origin, "Referer": f"{self.origin}/settings", "Sec-Fetch-Site": "same-origin",
            "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html,*/*;q=0.8",
        }  # fmt: skip
        return self.client.post(path, base_url=self.origin, headers=headers, data=dict(fields or {}))

    def retried(self, path: str, body: object = None) -> TestResponse:
        """Blocked, proved, and made again with the token."""
        return self.post(path, body, StepUp_Token=self.token(self.post(path, body)))


class Forms(HTMLParser):
    """The forms of a page: where each goes, and what it carries unseen."""

    def __init__(self, page: TestResponse) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        assert page.content_type.startswith("text/html"), page.text
        self.feed(page.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append((given["action"], {}))
        elif tag == "input" and given.get("type") == "hidden":
            self.found[-1][1][given["name"]] = given["value"]


def problem(response: TestResponse) -> tuple[int, str]:
    """Status and code of a problem document."""
    assert response.content_type == "application/problem+json", response.text
    return response.status_code, str(json.loads(response.data)["code"])


def cookies(response: TestResponse) -> dict[str, str]:
    """What stepup sets with a response, by name; a name set twice is an error."""
    found: dict[str, str] = {}
    for header in response.headers.getlist("Set-Cookie"):
        name = header.partition("=")[0]
        assert name not in found, f"{name} is set twice"
        found[name] = header
    return {name: header for name, header in found.items() if name != "session"}

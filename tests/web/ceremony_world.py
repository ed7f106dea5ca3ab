"""A browser without JavaScript, and a site with one guarded form for it: forms, redirects, cookies, nothing else."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from web_world import ACTIONS, OLIVIA, ORIGIN, SECRET

from stepup import Action, Actor, AsyncStepUp, Context, Policy, Resource, StepUp, any_of
from stepup._bridge import run_sync
from stepup._engine import authorize, upkeep
from stepup.errors import StepUpError
from stepup.mailers import Outbox
from stepup.requirement import Strength
from stepup.stores.memory import AsyncMemoryStore, MemoryStore
from stepup.testing import FrozenClock, ScriptedVerifier
from stepup.verifiers import EmailCode
from stepup.web import WebRequest, WebResponse
from stepup.web.site import Site
from stepup.web.visits import Visit

both_faces = pytest.mark.parametrize("face", ["sync", "async"])
T = TypeVar("T")
GRANT = "__Host-stepup-grant"
ORG = Resource("organization", "org_7", label="Northstar")
FORM_PAGE = "/orgs/7?tab=danger"


class Page(HTMLParser):
    """A page as a browser reads it: its forms, fields, labels, links and text."""

    def __init__(self, answer: WebResponse) -> None:
        super().__init__()
        self.status, self.raw, self.answer = answer.status, answer.body.decode(), answer
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.forms: list[dict[str, Any]] = []
        self.text, self.alert, self._open = "", "", [""]
        self.feed(self.raw)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert len(given) == len(attrs), "an attribute stands twice"
        self.tags.append((tag, given))
        if tag not in {"meta", "input"}:
            self._open.append("alert" if given.get("role") == "alert" else "style" if tag == "style" else tag)
        if tag == "form":
            self.forms.append({"action": given["action"], "method": given["method"], "hidden": {}, "typed": [],
                               "boxes": []})  # fmt: skip
        elif tag == "input" and given.get("name"):
            if given["type"] == "hidden":
                self.forms[-1]["hidden"][given["name"]] = given["value"]
            else:
                self.forms[-1]["boxes" if given["type"] == "checkbox" else "typed"].append(given["name"])

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += data
        if "alert" in self._open:
            self.alert += data

    def each(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def links(self) -> list[str]:
        return [str(one["href"]) for one in self.each("a")]

    def form(self, **hidden: str) -> dict[str, Any]:
        """The one form with these hidden fields, and no ``send`` unless it is asked for."""
        (found,) = [
            one
            for one in self.forms
            if hidden.items() <= one["hidden"].items() and ("send" in hidden) == ("send" in one["hidden"])
        ]
        return found


@dataclass
class World:
    """A site with one guarded form, and a gate behind it."""

    face: str = "sync"
    clock: FrozenClock = field(default_factory=FrozenClock)
    outbox: Any = field(default_factory=Outbox)
    actions: tuple[Action, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    more: tuple[Any, ...] = ()
    store: Any = None

    def __post_init__(self) -> None:
        given: dict[str, Any] = {
            "actions": (
                *ACTIONS,
                Action("mail.change", "Change address", policy=Policy(methods="email_code")),
                Action("choice", "Choose", policy=Policy(methods=any_of("passkey", "password", "email_code"))),
                Action("plain", "Plain", policy=Policy(methods="password")),
                Action("touch", "Touch", policy=Policy(methods="passkey")),
                *self.actions,
            ),
            "verifiers": [
                ScriptedVerifier("passkey", strength=Strength.PASSWORD),
                ScriptedVerifier("password", answer="pass<word> 1"),
                EmailCode(mailer=self.outbox),
                *self.more,
            ],
            "secret": SECRET, "clock": self.clock, "enrol_url": "/account/enrol", "login_url": "/login",
        }  # fmt: skip
        self.gate: StepUp | AsyncStepUp
        if self.face == "sync":
            self.gate = StepUp(store=self.store or MemoryStore(), **given, **self.options)
        else:
            self.gate = AsyncStepUp(store=self.store or AsyncMemoryStore(), **given, **self.options)
        self.core = self.gate.core
        self.site = Site(self.gate, origin=ORIGIN)

    def run(self, made: Coroutine[Any, Any, T]) -> T:
        return run_sync(made) if self.face == "sync" else asyncio.run(made)

    def events(self, actor: Actor = OLIVIA) -> list[tuple[str, str]]:
        found = self.run(upkeep.events(self.core, actor, None, 100)).items
        return [(event.type.value, event.result) for event in found]

    @property
    def code(self) -> str:
        """The code in the newest mail."""
        found = re.search(r"\b\d{6}\b", self.outbox.messages[-1].text)
        assert found is not None
        return found[0]


class Browser:
    """A person's browser: it keeps cookies, follows redirects, and knows what an address bar would show."""

    def __init__(self, world: World, who: Actor | None = OLIVIA, *, context: Context | None = None) -> None:
        self.world, self.who, self.context = world, who, context
        self.cookies: dict[str, str] = {}
        self.set: list[str] = []
        self.addresses: list[str] = []
        self.pages: list[str] = []

    # -- the application ---------------------------------------------------------------

    def press(
        self,
        action: str = "org.delete",
        *,
        method: str = "POST",
        resource: Resource | None = ORG,
        params: Mapping[str, object] | None = None,
        **headers: str,
    ) -> WebResponse:
        """Submit the application's guarded form."""
        visit = self._visit(self._request(method, "/orgs/7/delete", b"", FORM_PAGE, headers))
        core = self.world.core
        try:
            known, token = visit.known, visit.token(action)
            self.world.run(authorize.require(core, action, known, resource, params, token, None))
        except StepUpError as error:
            return self._took(self.world.site.refusal(visit, error))
        return self._took(self.world.site.with_cookies(visit, WebResponse(200, (), b"deleted")))

    def blocked(self, action: str = "org.delete", **more: Any) -> Page:
        """The page that the guarded form is answered with."""
        found = Page(self.press(action, **more))
        assert found.status == 403
        return found

    # -- the ceremony ------------------------------------------------------------------

    def submit(
        self, form: Mapping[str, Any], typed: str | None = None, *, tick: str | None = None, **headers: str
    ) -> Page:
        """Submit a form of a page, typing *typed* into its field, and follow where it leads; *tick* ticks a box."""
        assert tick is None or tick in form["boxes"]
        assert form["method"] == "post"
        assert form["typed"] == ([] if typed is None else ["response"])
        fields = form["hidden"] | ({} if typed is None else {"response": typed}) | ({tick: "1"} if tick else {})
        return Page(self.follow(self.post(form["action"], fields, **headers)))

    def post(self, address: str, fields: Mapping[str, str] | bytes, **headers: str) -> WebResponse:
        body = fields if isinstance(fields, bytes) else urlencode(fields).encode()
        return self.go("POST", address, body, content_type="application/x-www-form-urlencoded", **headers)

    def get(self, address: str, method: str = "GET") -> Page:
        return Page(self.go(method, address))

    def follow(self, answer: WebResponse) -> WebResponse:
        if answer.status != 303:
            return answer
        assert answer.body == b""
        return self.go("GET", str(answer.header("location")))

    def go(self, method: str, address: str, body: bytes = b"", **headers: str) -> WebResponse:
        self.addresses.append(address)
        assert address.startswith("/stepup/")
        request = self._request(method, address, body, "/stepup/ceremony", headers)
        visit = self._visit(request)
        path = urlsplit(address).path.removeprefix("/stepup")
        return self._took(self.world.run(self.world.site.answer(visit, path, body)))

    def _visit(self, request: WebRequest) -> Visit:
        site = self.world.site
        return site.visit(request, self.who) if self.context is None else site.visit_in(request, self.context)

    def _request(self, method: str, address: str, body: bytes, page: str, headers: Mapping[str, str]) -> WebRequest:
        parts = urlsplit(address)
        sent = {"sec-fetch-mode": "navigate", "sec-fetch-site": "same-origin", "referer": f"{ORIGIN}{page}"}
        sent |= {"origin": ORIGIN} if method == "POST" else {}
        sent |= {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        kept = {name: value for name, value in sent.items() if value != "-"}
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return WebRequest(method, parts.path, kept, query, body, origin=ORIGIN, peer="192.0.2.7")

    def _took(self, answer: WebResponse) -> WebResponse:
        self.pages.append(answer.body.decode())
        for name, value in answer.headers:
            if name == "set-cookie":
                self.set.append(value)
                pair, _, attributes = value.partition("; ")
                key, _, content = pair.partition("=")
                if "Max-Age=0" in attributes:
                    self.cookies.pop(key, None)
                else:
                    self.cookies[key] = content
        return answer


RIGHT = "pass<word> 1"


def started(browser: Browser, action: str = "org.delete") -> tuple[Page, str]:
    """A challenge that is open after one wrong answer: its page, and where it is."""
    shown = browser.submit(browser.blocked(action).form(method="password"), "no")
    return shown, urlsplit(browser.addresses[-1]).path

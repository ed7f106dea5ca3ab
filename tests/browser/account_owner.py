"""A person at their account page: the elements, the dialog over them, the devices that the server would tell of."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import Any

from account_world import AccountWorld
from browser_visitor import opened
from browser_world import PASSWORD
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, Route, expect

NO_SECRET = re.compile(r"[A-Z2-7]{4}( [A-Z2-7]{4}){3}")


@dataclass
class Owner:
    """A person, and the page; ``made`` has the calls that the page made, in their order."""

    world: AccountWorld
    context: BrowserContext
    page: Page
    who: str
    troubles: list[str] = field(default_factory=list[str])
    kept: list[object] = field(default_factory=list[object])
    made: list[str] = field(default_factory=list[str])

    @property
    def factors(self) -> Locator:
        return self.page.locator("stepup-factors")

    @property
    def devices(self) -> Locator:
        return self.page.locator("stepup-devices")

    @property
    def events(self) -> Locator:
        return self.page.locator("stepup-events")

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def prove(self) -> None:
        """Answer the dialog, and wait until it is gone."""
        field = self.dialog.get_by_label("Your password")
        field.fill(PASSWORD)
        field.press("Enter")
        expect(self.dialog).to_be_hidden()

    def called(self, made: str) -> int:
        """How often the page made a call, such as ``POST factors/totp``."""
        return self.made.count(made)

    def inside(self, element: str) -> str:
        """All that stands in an element, and in its fields."""
        found: str = self.page.evaluate(
            """(name) => { const root = document.querySelector(name).shadowRoot;
              return root.textContent + [...root.querySelectorAll('input')].map((one) => one.value).join() +
                [...root.querySelectorAll('*')].flatMap((one) => [...one.attributes].map((a) => a.value)).join(); }""",
            element,
        )
        return found

    def hears(self) -> None:
        """Note what ``stepup:changed`` says."""
        self.page.evaluate(
            "() => { globalThis.heard = []; document.addEventListener('stepup:changed', (e) => heard.push(e.detail)); }"
        )

    @property
    def heard(self) -> Any:
        return self.page.evaluate("heard")


def at_account(world: AccountWorld, browser: Browser, address: str = "/", **options: Any) -> Owner:
    """A new person on their account page."""
    context = browser.new_context(base_url=world.site, locale="en-GB", **options)
    who, troubles, made = f"olivia{secrets.token_hex(4)}", list[str](), list[str]()
    context.add_cookies([{"name": "who", "value": who, "url": world.site}])

    def note(request: Request) -> None:
        _, _, path = request.url.partition("/stepup/")
        made.append(f"{request.method} {path}")

    context.on("request", note)
    return Owner(world, context, opened(context, world.site + address, troubles), who, troubles, made=made)


class Devices:
    """What a server with remembered devices answers."""

    def __init__(self, owner: Owner, *devices: dict[str, Any]) -> None:
        self.devices = list(devices)
        self.asked: list[tuple[str, str, Any]] = []
        self.guarded = False
        """Whether they need the proof that another call of the real server needs."""
        owner.page.route("**/stepup/devices**", self.answer)
        owner.page.evaluate("document.querySelector('stepup-devices').refresh()")

    def answer(self, route: Route) -> None:
        asked = route.request
        one = asked.url.partition("/stepup/devices")[2].removeprefix("/")
        if self.guarded and "stepup-token" not in asked.headers:
            real = route.fetch(url=asked.url.replace("/stepup/devices", "/do"), method="POST")
            if real.status == 403:
                route.fulfill(response=real)
                return
        if asked.method == "GET":
            route.fulfill(json={"devices": self.devices})
            return
        sent = asked.post_data_json or {}
        self.asked.append((asked.method, one, sent))
        if asked.method == "PATCH":
            self.devices = [{**device, **sent} if device["id"] == one else device for device in self.devices]
        else:
            self.devices = [device for device in self.devices if one and device["id"] != one]
        route.fulfill(status=204)


def device(
    name: str, label: str, *, current: bool = False, used: str | None = "2026-06-11T18:00:00Z"
) -> dict[str, Any]:
    """A device, as the server tells of it."""
    return {
        "id": name, "label": label, "current": current, "createdAt": "2026-06-01T18:00:00Z", "lastUsedAt": used,
        "expiresAt": "2026-07-01T18:00:00Z",
    }  # fmt: skip

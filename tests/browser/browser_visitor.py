"""A person at a browser: what is on the screen, what is typed, what became of the calls."""

from __future__ import annotations

import base64
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from browser_world import CREDENTIAL, PASSWORD, World
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.sync_api import Browser, BrowserContext, CDPSession, Locator, Page


@dataclass
class Visitor:
    """A person at a browser: the page, and the dialog on it."""

    world: World
    context: BrowserContext
    page: Page
    who: str
    troubles: list[str] = field(default_factory=list[str])
    kept: list[object] = field(default_factory=list[object])

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog", name="Confirm that it is you")

    @property
    def alert(self) -> Locator:
        return self.dialog.get_by_role("alert")

    @property
    def status(self) -> Locator:
        return self.dialog.get_by_role("status")

    @property
    def primary(self) -> Locator:
        return self.page.locator("stepup-dialog [part=primary]")

    def call(self, path: str = "/do/org.delete", init: str = "{method: 'POST'}", *, page: Page | None = None) -> None:
        """Make a call, without waiting for it; what comes of it is in ``answers``."""
        (page or self.page).evaluate(
            f"""() => {{
              globalThis.answers ??= [];
              stepup.fetch({path!r}, {init}).then(
                async (r) => answers.push({{status: r.status, text: await r.text()}}),
                (e) => answers.push({{error: e.name, code: e.code ?? null, text: String(e.message)}}));
            }}"""
        )

    def answers(self, many: int = 1, *, page: Page | None = None) -> list[Any]:
        where = page or self.page
        where.wait_for_function("n => (globalThis.answers ?? []).length >= n", arg=many)
        found: list[Any] = where.evaluate("answers")
        return found

    def choose(self, method: str) -> None:
        self.dialog.get_by_role("tab", name=method).click()

    def password(self, password: str = PASSWORD) -> None:
        self.choose("Password")
        self.fill(password)

    def fill(self, password: str = PASSWORD) -> None:
        field = self.dialog.get_by_label("Your password")
        field.fill(password)
        field.press("Enter")

    def code(self) -> str:
        """The code in the newest mail to this person, which the server may still be sending."""
        end = time.monotonic() + 10
        while not (mails := [one for one in self.world.outbox.messages if one.to == f"{self.who}@northstar.example"]):
            assert time.monotonic() < end, "no mail was sent"
            time.sleep(0.01)
        mail = mails[-1]
        found = re.search(r"\b\d{6}\b", mail.text)
        assert found is not None
        return found[0]

    @property
    def done(self) -> list[dict[str, Any]]:
        return self.world.done_by(self.who)

    def new_page(self, address: str = "/") -> Page:
        """Another tab of the same person."""
        return opened(self.context, self.world.site + address, self.troubles)


def statuses(visitor: Visitor, many: int) -> list[int]:
    """What the first *many* calls were answered."""
    return [answer["status"] for answer in visitor.answers(many)]


def opened(context: BrowserContext, address: str, troubles: list[str]) -> Page:
    """A page of *context*; what goes wrong on it is told in *troubles*."""
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda said: troubles.append(said.text) if "Content Security" in said.text else None)
    page.goto(address)
    page.wait_for_function("() => globalThis.stepup")
    return page


def visit(world: World, browser: Browser, address: str = "/", *, who: str = "", **options: Any) -> Visitor:
    """A new person, or *who*, on a new page, already known to the site."""
    context = browser.new_context(base_url=world.site, locale="en-GB", **options)
    who, troubles = who or f"olivia{secrets.token_hex(4)}", list[str]()
    context.add_cookies([{"name": "who", "value": who, "url": world.site}])
    return Visitor(world, context, opened(context, world.site + address, troubles), who, troubles)


class Authenticator:
    """A virtual authenticator of one page, with the passkey that the site asks for."""

    def __init__(self, page: Page, *, verified: bool = True, present: bool = True, holds: bool = True) -> None:
        self.cdp: CDPSession = page.context.new_cdp_session(page)  # kept: without it the authenticator is gone
        self.cdp.send("WebAuthn.enable", {"enableUI": False})
        options = {
            "protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal", "hasResidentKey": True,
            "hasUserVerification": True, "isUserVerified": verified, "automaticPresenceSimulation": present,
        }  # fmt: skip
        made = self.cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        if holds:
            key = ec.generate_private_key(ec.SECP256R1())
            pkcs8 = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
            credential = {
                "credentialId": base64.b64encode(CREDENTIAL).decode(), "isResidentCredential": True,
                "rpId": "localhost", "privateKey": base64.b64encode(pkcs8).decode(), "signCount": 1,
                "userHandle": base64.b64encode(b"olivia").decode(),
            }  # fmt: skip
            found = {"authenticatorId": made["authenticatorId"], "credential": credential}
            self.cdp.send("WebAuthn.addCredential", found)

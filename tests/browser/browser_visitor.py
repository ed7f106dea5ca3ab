"""A person at a browser: what is on the screen, what is typed, what became of the calls."""

from __future__ import annotations

import base64
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import pyotp
from browser_world import PASSWORD, World
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.sync_api import Browser, BrowserContext, CDPSession, Locator, Page

from stepup.event import Event, EventType
from stepup.testing import SoftPasskey


@dataclass
class Visitor:
    """A person at a browser: the page, and the dialog on it."""

    world: World
    context: BrowserContext
    page: Page
    who: str
    passkey: SoftPasskey
    troubles: list[str] = field(default_factory=list[str])
    apps: tuple[pyotp.TOTP, list[str]] | None = None
    kept: list[Authenticator] = field(default_factory=list["Authenticator"])

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
        """The code in the newest mail to this person that has one, which the server may still be sending."""
        end = time.monotonic() + 10
        while not (found := self._codes()):
            assert time.monotonic() < end, "no code was mailed"
            time.sleep(0.01)
        return found[-1]

    def until(self, kind: EventType) -> Event:
        """The newest event of a kind, which the server may still have to write."""
        end = time.monotonic() + 10
        while not (found := [one for one in self.world.events(self.who) if one.type is kind]):
            assert time.monotonic() < end, f"there is no {kind}"
            time.sleep(0.01)
        return found[0]

    def _codes(self) -> list[str]:
        mails = [one.text for one in self.world.outbox.messages if one.to == f"{self.who}@northstar.example"]
        return [found[0] for text in mails if (found := re.search(r"\b\d{6}\b", text))]

    def authenticator(self, page: Page | None = None, *, holds: bool = True, **options: bool) -> Authenticator:
        """This person's device at *page*, with their passkey on it; *options* are those of ``Authenticator``."""
        made = Authenticator(page or self.page, **options)
        if holds:
            made.add(self.passkey)
        self.kept.append(made)
        return made

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


def visit(
    world: World, browser: Browser, address: str = "/", *, who: str = "", enrolled: bool = True, **options: Any
) -> Visitor:
    """A new person, or *who*, on a new page, already known to the site; with a passkey, unless not *enrolled*."""
    context = browser.new_context(base_url=world.site, locale="en-GB", **options)
    who, troubles = who or f"olivia{secrets.token_hex(4)}", list[str]()
    context.add_cookies([{"name": "who", "value": who, "url": world.site}])
    passkey = world.enrolled(who) if enrolled else SoftPasskey(world.site)
    return Visitor(world, context, opened(context, world.site + address, troubles), who, passkey, troubles)


class Authenticator:
    """A virtual authenticator of one page: the browser's own, which signs what the page asks it to sign."""

    def __init__(self, page: Page, *, verified: bool = True, present: bool = True) -> None:
        self.cdp: CDPSession = page.context.new_cdp_session(page)  # kept: without it the authenticator is gone
        self.cdp.send("WebAuthn.enable", {"enableUI": False})
        options = {
            "protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal", "hasResidentKey": True,
            "hasUserVerification": True, "isUserVerified": verified, "automaticPresenceSimulation": present,
        }  # fmt: skip
        self.id: str = self.cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]

    def add(self, passkey: SoftPasskey, *, count: int = 0, resident: bool = True) -> None:
        """Put a passkey on it, with its private key; every use counts up from *count*. *resident* ones tell whose."""
        pkcs8 = passkey.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        credential: dict[str, object] = {
            "credentialId": base64.b64encode(passkey.id).decode(), "isResidentCredential": resident,
            "rpId": "localhost", "privateKey": base64.b64encode(pkcs8).decode(), "signCount": count,
            "backupEligibility": passkey.synced, "backupState": passkey.synced,
        }  # fmt: skip
        if resident and passkey.user_handle is not None:
            handle = base64.urlsafe_b64decode(passkey.user_handle + "==")
            credential["userHandle"] = base64.b64encode(handle).decode()
        self.send("addCredential", credential=credential)

    def held(self) -> list[dict[str, Any]]:
        """The passkeys that are on it."""
        found: list[dict[str, Any]] = self.send("getCredentials")["credentials"]
        return found

    def send(self, command: str, **options: object) -> Any:
        """A command of CDP's domain WebAuthn to this authenticator."""
        return self.cdp.send(f"WebAuthn.{command}", {"authenticatorId": self.id, **options})

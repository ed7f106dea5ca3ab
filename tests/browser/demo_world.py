"""The demo in a process of its own, and people who visit it with a browser."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect
from serving import a_port, until_it_answers

AXE = Axe()
LOOKS = [
    pytest.param({"color_scheme": scheme, "viewport": {"width": width, "height": 800}}, id=f"{scheme}-{width}")
    for scheme in ("light", "dark")
    for width in (1280, 320)
]


@dataclass(frozen=True)
class Demo:
    """Where it is, and what its people know."""

    site: str
    seed: dict[str, Any]

    def knows(self, name: str) -> dict[str, Any]:
        """What somebody knows, by their first name."""
        people: list[dict[str, Any]] = self.seed["people"]
        return next(one for one in people if one["name"].startswith(name))


@contextmanager
def served(directory: Path) -> Iterator[Demo]:
    """The demo, as ``python -m stepup demo`` serves it; it must not have failed on anything by the end."""
    port, log = a_port(), directory / "log"
    words = ["--port", str(port), "--seed-file", str(directory / "seed.json")]
    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-m", "stepup", "demo", *words], stdout=file, stderr=file)
    try:
        until_it_answers(port, process, log)
        yield Demo(f"http://localhost:{port}", json.loads((directory / "seed.json").read_text()))
    finally:
        process.terminate()
        process.wait(20)
    assert "Traceback" not in log.read_text()


class Somebody:
    """A person, signed in with a browser of their own. Whatever a page reports as an error is in ``troubles``."""

    def __init__(self, demo: Demo, browser: Browser, name: str, **look: Any) -> None:
        self.demo, self.person, self.troubles = demo, demo.knows(name), list[str]()
        self.context: BrowserContext = browser.new_context(base_url=demo.site, locale="en-GB", **look)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(10_000)
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("console", self._said)
        self.sign_in()

    def _said(self, said: Any) -> None:
        if "Content Security" in said.text:
            self.troubles.append(said.text)

    def sign_in(self) -> None:
        """By the form, in this browser."""
        self.page.goto("/")
        self.page.get_by_label("E-mail").fill(self.person["email"])
        self.page.get_by_label("Password").fill(self.person["password"])
        self.page.get_by_role("button", name="Sign in").click()
        self.told("Signed in.")

    def at(self, path: str) -> Page:
        """Go there, and wait for its scripts."""
        self.page.goto(path)
        self.page.wait_for_function("() => globalThis.stepup")
        return self.page

    def told(self, text: str) -> None:
        """The page says so, at its top."""
        expect(self.page.get_by_role("status").filter(has_text=text)).to_be_visible()

    def by_password(self, *, remember: bool = False) -> None:
        """Answer the dialog. Where a password is the only way, there are no tabs."""
        expect(self.page.locator("stepup-dialog [part=panel]").get_by_role("heading")).to_be_visible()
        if (tab := self.page.get_by_role("tab", name="Password")).count():
            tab.click()
        if remember:
            self.page.get_by_role("checkbox", name="Remember this device").check()
        self.page.get_by_label("Your password").fill(self.person["password"])
        self.page.get_by_label("Your password").press("Enter")

    def confirm(self) -> None:
        """Answer the page that asks without JavaScript."""
        field = self.page.get_by_label("Your password")
        field.fill(self.person["password"])
        self.page.locator("form", has=field).get_by_role("button", name="Confirm").click()

    def looked_at(self) -> None:
        """axe finds nothing on the page, and nothing is wider than the screen."""
        found = AXE.run(self.page)
        assert found.violations_count == 0, f"{self.page.url}\n{found.generate_report()}"
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), self.page.url


Visiting = Callable[..., Somebody]
"""``visiting("Marcus", **look)``: somebody comes with a browser of their own; Olivia, where nobody is named."""


@contextmanager
def visits(demo: Demo, browser: Browser) -> Iterator[Visiting]:
    """People who visit; whatever a page reported as an error fails the test when they have gone."""
    everybody: list[Somebody] = []

    def come(name: str = "Olivia", **look: Any) -> Somebody:
        everybody.append(Somebody(demo, browser, name, **look))
        return everybody[-1]

    yield come
    for one in everybody:
        one.context.close()
    assert [one.troubles for one in everybody] == [[] for _ in everybody]

"""By keyboard alone: a journey for each method, and nothing out of sight, however large everything is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from browser_states import SIZES, chosen
from browser_visitor import Visitor, visit
from browser_world import PASSWORD, World
from playwright.sync_api import Browser, Locator, expect

FOCUSED = """() => { let one = document.activeElement;
  while (one.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
  const box = one.getBoundingClientRect();
  return [one.tagName + '.' + (one.getAttribute('part') ?? one.id),
    box.top >= 0 && box.bottom <= innerHeight && box.left >= 0 && box.right <= innerWidth]; }"""


def opened(visitor: Visitor, deed: str) -> None:
    """A button of the page that makes the call is pressed, by Enter."""
    visitor.page.evaluate(
        """(path) => document.querySelector('#go').addEventListener('click', () => stepup.fetch(path,
          {method: 'POST'}).then(
            (r) => { globalThis.answers = [{status: r.status}]; }, (e) => { globalThis.left = e.code; }))""",
        f"/do/{deed}",
    )
    visitor.page.locator("#go").focus()
    visitor.page.keyboard.press("Enter")
    expect(visitor.dialog.get_by_role("heading", name="Confirm that it is you")).to_be_focused()
    expect(visitor.dialog.get_by_role("heading", level=3).first).to_be_visible()


def tab_to(visitor: Visitor, what: Locator, most: int = 12) -> None:
    """Tab until *what* has the focus."""
    for _ in range(most):
        if what.evaluate("(one) => one.getRootNode().activeElement === one"):
            return
        visitor.page.keyboard.press("Tab")
    expect(what).to_be_focused()


def way(visitor: Visitor, name: str) -> None:
    """Choose a way with the arrows."""
    tabs = visitor.dialog.get_by_role("tab")
    tab_to(visitor, visitor.dialog.get_by_role("tab", selected=True))
    for _ in range(tabs.count()):
        if visitor.dialog.get_by_role("tab", name=name).evaluate("(one) => one.getRootNode().activeElement === one"):
            break
        visitor.page.keyboard.press("ArrowRight")
    visitor.page.keyboard.press("Enter")
    expect(visitor.dialog.get_by_role("heading", name=name)).to_be_focused()


def typed(visitor: Visitor, label: str, text: str) -> None:
    tab_to(visitor, visitor.dialog.get_by_label(label))
    visitor.page.keyboard.type(text)
    visitor.page.keyboard.press("Enter")


def by_passkey(visitor: Visitor) -> None:
    visitor.authenticator()
    opened(visitor, "org.delete")
    tab_to(visitor, visitor.primary)
    visitor.page.keyboard.press("Enter")


def by_password(visitor: Visitor) -> None:
    opened(visitor, "org.delete")
    way(visitor, "Password")
    typed(visitor, "Your password", PASSWORD)


def by_mail(visitor: Visitor) -> None:
    opened(visitor, "org.delete")
    way(visitor, "Code by mail")
    tab_to(visitor, visitor.primary)
    visitor.page.keyboard.press("Space")
    expect(visitor.dialog.get_by_label("Code from the mail")).to_be_focused()
    typed(visitor, "Code from the mail", visitor.code())


def by_app(visitor: Visitor) -> None:
    app, _ = visitor.world.app_of(visitor.who)
    opened(visitor, "safe.open")
    way(visitor, "Authenticator app")
    typed(visitor, "Code from the app", app.at(visitor.world.clock.now()))


def by_recovery_code(visitor: Visitor) -> None:
    _, codes = visitor.world.app_of(visitor.who)
    opened(visitor, "safe.open")
    way(visitor, "Recovery code")
    typed(visitor, "One of your recovery codes", f" {codes[0]} ")


@pytest.mark.parametrize("go", [by_passkey, by_password, by_mail, by_app, by_recovery_code])
def test_each_method_by_keyboard(visitor: Visitor, go: Callable[[Visitor], None]) -> None:
    """From the button of the page and back to it."""
    go(visitor)
    assert visitor.answers()[0]["status"] == 200
    expect(visitor.dialog).to_be_hidden()
    expect(visitor.page.locator("#go")).to_be_focused()


def test_an_approval_is_asked_for_and_left_by_keyboard(visitor: Visitor) -> None:
    """The method for which somebody else has to do something."""
    opened(visitor, "by.approval")
    tab_to(visitor, visitor.primary)
    visitor.page.keyboard.press("Enter")
    expect(visitor.status).to_contain_text("Waiting for approval from somebody entitled")
    tab_to(visitor, visitor.dialog.get_by_role("button", name="Cancel", exact=True))
    visitor.page.keyboard.press("Enter")
    expect(visitor.dialog).to_be_hidden()
    expect(visitor.page.locator("#go")).to_be_focused()


@pytest.fixture
def zoomed(world: World, browser: Browser) -> Iterator[Visitor]:
    """Somebody who reads at 400 %: of 1280 by 1024 pixels, 320 by 256 are left."""
    made = visit(world, browser, viewport=SIZES["zoomed"])
    yield made
    made.context.close()
    assert made.troubles == []


@pytest.mark.parametrize("method", ["Passkey", "Password", "Code by mail"])
def test_whatever_has_the_focus_is_in_sight(zoomed: Visitor, method: str) -> None:
    """At 400 % too: tabbing through the dialog brings each of its parts into view, and leaves none out."""
    chosen(zoomed, method)
    visited: list[str] = []
    for _ in range(16):
        zoomed.page.keyboard.press("Tab")
        name, whole = zoomed.page.evaluate(FOCUSED)
        if name.startswith("BODY"):
            continue
        assert whole, name
        visited.append(name)
    wanted = {"BUTTON.tab tab-selected", "INPUT.remember", "BUTTON.primary", "BUTTON.more", "BUTTON.cancel"}
    assert wanted <= set(visited)
    assert ("INPUT.input" in visited) is (method == "Password")


def test_the_page_behind_is_out_of_reach(visitor: Visitor) -> None:
    """Tabbing goes through the dialog and what the browser has around the page, and nowhere else."""
    chosen(visitor, "Password")
    visitor.page.keyboard.press("Tab")
    seen = set()
    for _ in range(20):
        visitor.page.keyboard.press("Tab")
        seen.add(visitor.page.evaluate("document.activeElement.tagName"))
    assert seen <= {"STEPUP-DIALOG", "BODY"}

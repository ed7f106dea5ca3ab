"""Every state of the dialog, looked at by axe-core, in every look there is; and what axe cannot see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser_visitor import Visitor, visit
from browser_world import World
from playwright.sync_api import Browser, expect

AXE = Axe()
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "forced": {"forced_colors": "active"},
}
SIZES = {"desktop": {"width": 1280, "height": 800}, "narrow": {"width": 320, "height": 480}}


def chosen(visitor: Visitor, method: str) -> None:
    visitor.call()
    visitor.choose(method)


def passkey(visitor: Visitor) -> None:
    visitor.call()
    expect(visitor.dialog.get_by_role("tab").first).to_be_visible()


def device(visitor: Visitor) -> None:
    passkey(visitor)
    visitor.authenticator(present=False)
    visitor.primary.click()
    expect(visitor.primary).to_have_text("Waiting for your device…")


def wrong(visitor: Visitor) -> None:
    chosen(visitor, "Password")
    visitor.fill("not it")
    expect(visitor.alert).not_to_be_empty()


def sent(visitor: Visitor) -> None:
    chosen(visitor, "Code by mail")
    visitor.primary.click()
    expect(visitor.dialog.get_by_label("Code from the mail")).to_be_focused()


def ended(visitor: Visitor) -> None:
    chosen(visitor, "Password")
    visitor.page.route("**/attempts", lambda route: route.fulfill(status=410, json={"code": "challenge_expired"}))
    visitor.fill()
    expect(visitor.alert).to_have_text("The time is over. Nothing was done.")


def nothing(visitor: Visitor) -> None:
    problem = {"code": "no_usable_method", "enrolUrl": "/enrol"}
    visitor.page.route("**/stepup/challenges", lambda route: route.fulfill(status=403, json=problem))
    visitor.call()
    expect(visitor.dialog.get_by_role("link", name="Set up a way to confirm")).to_be_visible()


def loading(visitor: Visitor) -> None:
    visitor.page.route("**/stepup/challenges", lambda route: None)
    visitor.call()
    expect(visitor.status).to_have_text("One moment…")


def approval(visitor: Visitor) -> None:
    visitor.call("/do/by.approval")
    visitor.primary.click()
    expect(visitor.status).to_contain_text("Waiting for approval")


def success(visitor: Visitor) -> None:
    chosen(visitor, "Password")
    visitor.page.evaluate(  # so that it stays
        "() => { const own = setTimeout; globalThis.setTimeout = (f, ms) => (ms === 800 ? 0 : own(f, ms)); }"
    )
    visitor.fill()
    expect(visitor.status).to_have_text("Confirmed.")


STATES: dict[str, Callable[[Visitor], None]] = {
    "loading": loading,
    "passkey": passkey,
    "device": device,
    "password": lambda visitor: chosen(visitor, "Password"),
    "code": lambda visitor: chosen(visitor, "Code by mail"),
    "sent": sent,
    "wrong": wrong,
    "approval": approval,
    "ended": ended,
    "nothing": nothing,
    "success": success,
}


@pytest.fixture(params=[(look, size) for look in LOOKS for size in SIZES], ids="-".join)
def seen(world: World, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """A person whose browser looks in one way, and moves nothing."""
    look, size = request.param
    made = visit(world, browser, **LOOKS[look], viewport=SIZES[size], reduced_motion="reduce")
    yield made
    made.context.close()
    assert made.troubles == []


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(seen: Visitor, state: str) -> None:
    """No violation; nothing is cut off at the sides, and no target is too small to hit."""
    STATES[state](seen)
    found = AXE.run(seen.page)
    told = [(one["id"], [node["target"] for node in one["nodes"]]) for one in found.response["violations"]]
    assert told == []
    sizes = seen.page.evaluate(
        """() => { const root = document.querySelector('stepup-dialog').shadowRoot;
          const dialog = root.querySelector('dialog');
          return [dialog.scrollWidth <= dialog.clientWidth, dialog.getBoundingClientRect().width <= innerWidth,
            [...root.querySelectorAll('button, input:not([tabindex])')].map((one) => one.getBoundingClientRect())
              .filter((box) => box.width && (box.width < 24 || box.height < 24)).length]; }"""
    )
    assert sizes == [True, True, 0]


def test_nothing_moves_where_motion_is_not_wanted(world: World, browser: Browser) -> None:
    """``prefers-reduced-motion`` takes the animation away; without it there is one."""
    for wish, name in (("reduce", "none"), ("no-preference", "in")):
        visitor = visit(world, browser, reduced_motion=wish)
        passkey(visitor)
        dialog = "document.querySelector('stepup-dialog').shadowRoot.querySelector('dialog')"
        assert visitor.page.evaluate(f"getComputedStyle({dialog}).animationName") == name
        visitor.context.close()


def test_what_the_dialog_is_to_a_screen_reader(visitor: Visitor) -> None:
    """Names, roles and states, in the order they are read."""
    chosen(visitor, "Password")
    expect(visitor.dialog).to_match_aria_snapshot(
        """
        - dialog "Confirm that it is you":
          - heading "Confirm that it is you" [level=2]
          - paragraph:
            - text: /asks you,/
            - strong: /@northstar.example/
            - text: ", to confirm this:"
          - term: Action
          - definition: Delete organization
          - term: What it does
          - definition: For ever.
          - term: organization
          - definition: org_7
          - term: Risk
          - definition: Critical
          - alert
          - status
          - tablist "Ways to confirm":
            - tab "Passkey"
            - tab "Password" [selected]
            - tab "Code by mail"
          - tabpanel "Password":
            - heading "Password" [level=3]
            - paragraph: Uses the password that you sign in with.
            - textbox "Your password"
            - button "Show password"
            - checkbox "Remember this device"
            - button "Confirm"
          - timer: /Time left/
          - button "More time"
          - button "Cancel"
        """
    )


def test_a_page_can_theme_it(visitor: Visitor) -> None:
    """Custom properties and parts reach it; that is all a page needs."""
    passkey(visitor)
    found = visitor.page.evaluate(
        """() => { const sheet = new CSSStyleSheet();
          sheet.replaceSync('stepup-dialog{--stepup-paper:rgb(1 2 3)} stepup-dialog::part(title){letter-spacing:7px}');
          document.adoptedStyleSheets.push(sheet);
          const root = document.querySelector('stepup-dialog').shadowRoot;
          return [getComputedStyle(root.querySelector('dialog')).backgroundColor,
            getComputedStyle(root.querySelector('h2')).letterSpacing]; }"""
    )
    assert found == ["rgb(1, 2, 3)", "7px"]


@pytest.mark.parametrize(
    ("lang", "title"),
    [("de-AT", "Bestätigen Sie, dass Sie es sind"), ("ar", "أكِّد هويتك"), ("ja", "ご本人であることの確認")],
)
def test_it_speaks_the_language_of_the_page(world: World, browser: Browser, lang: str, title: str) -> None:
    """In the direction in which that is read, whatever the page's; axe finds nothing, and arrows follow the reading."""
    visitor = visit(world, browser, f"/?lang={lang}", viewport=SIZES["narrow"])
    visitor.call()
    dialog = visitor.page.get_by_role("dialog", name=title)
    expect(dialog.get_by_role("tab").first).to_be_visible()
    assert AXE.run(visitor.page).response["violations"] == []
    rtl = lang == "ar"
    expect(visitor.page.locator("stepup-dialog dialog")).to_have_attribute("dir", "rtl" if rtl else "ltr")
    dialog.get_by_role("tab").first.focus()
    visitor.page.keyboard.press("ArrowLeft" if rtl else "ArrowRight")
    expect(dialog.get_by_role("tab").nth(1)).to_be_focused()
    visitor.context.close()
    assert visitor.troubles == []

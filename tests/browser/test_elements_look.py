"""Every state of the account's elements, looked at by axe-core in every look there is; and with the keyboard alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyotp
import pytest
from account_owner import Devices, Owner, at_account, device
from account_world import AccountWorld
from axe_playwright_python.sync_playwright import Axe
from browser_states import LOOKS, SIZES
from browser_visitor import Authenticator
from browser_world import PASSWORD
from playwright.sync_api import Browser, expect

AXE = Axe()


@pytest.fixture(scope="module")
def account() -> Iterator[AccountWorld]:
    made = AccountWorld()
    server = made.serve()
    yield made
    server.should_exit = True


@pytest.fixture(params=[(look, size) for look in LOOKS for size in SIZES], ids="-".join)
def seen(account: AccountWorld, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Owner]:
    """A person whose browser looks in one way, who has an authenticator app and two devices."""
    look, size = request.param
    made = at_account(account, browser, **LOOKS[look], viewport=SIZES[size], reduced_motion="reduce")
    account.enrolled(made.who, "The phone that I have had for many years")
    Devices(made, device("d1", "Chrome on Linux"), device("d2", "MacBook", current=True))
    made.page.reload()
    expect(made.button("Make recovery codes")).to_be_visible()
    yield made
    made.context.close()
    assert made.troubles == []


def rows(owner: Owner) -> None:
    expect(owner.events.get_by_role("listitem")).to_have_count(5)
    expect(owner.devices.get_by_role("listitem")).to_have_count(2)


def failed(owner: Owner) -> None:
    owner.page.route("**/stepup/*", lambda route: route.abort())
    owner.page.reload()
    expect(owner.page.get_by_role("button", name="Try again")).to_have_count(3)


def nothing(owner: Owner) -> None:
    owner.page.route("**/stepup/devices", lambda route: route.fulfill(json={"devices": []}))
    owner.page.route("**/stepup/events*", lambda route: route.fulfill(json={"events": [], "after": None}))
    owner.page.route(
        "**/stepup/factors", lambda route: route.fulfill(json={"factors": [], "enrollable": ["passkey"], "now": None})
    )
    owner.page.reload()
    expect(owner.page.get_by_text("You have not set up a way to confirm yet.")).to_be_visible()


def renaming(owner: Owner) -> None:
    owner.page.get_by_role("button", name="Rename The phone").click()
    owner.button("Rename MacBook").click()
    expect(owner.devices.get_by_label("New name of MacBook")).to_be_focused()


def naming(owner: Owner) -> None:
    owner.button("Add a passkey").click()
    expect(owner.factors.get_by_label("Name", exact=True)).to_be_focused()
    owner.button("Forget all devices").click()


def device_says_no(owner: Owner) -> None:
    owner.kept.append(Authenticator(owner.page, verified=False))
    naming(owner)
    owner.button("Continue").click()
    owner.prove()
    expect(owner.button("Create the passkey")).to_be_visible()


def secret(owner: Owner) -> None:
    owner.button("Add an authenticator app").click()
    owner.button("Continue").click()
    owner.prove()
    field = owner.factors.get_by_label("Code from the app")
    field.fill("none")
    field.press("Enter")
    expect(owner.factors.get_by_role("group").get_by_role("alert")).not_to_be_empty()


def codes(owner: Owner) -> None:
    owner.button("Make recovery codes").click()
    owner.button("Make new codes").click()
    owner.prove()
    expect(owner.factors.locator("[part=codes] code")).to_have_count(10)


STATES: dict[str, Callable[[Owner], None]] = {
    "rows": rows, "failed": failed, "nothing": nothing, "renaming": renaming, "naming": naming,
    "device says no": device_says_no, "secret": secret, "codes": codes,
}  # fmt: skip


def troubles(owner: Owner) -> object:
    """What axe finds, whether the page is too wide, and which targets are too small."""
    owner.page.evaluate(  # what is behind the page is white to axe unless it is said what it is
        """() => { const sheet = new CSSStyleSheet(); sheet.replaceSync('html{background:Canvas}');
          document.adoptedStyleSheets.push(sheet); }"""
    )
    found = AXE.run(owner.page)
    told = [(one["id"], [node["target"] for node in one["nodes"]]) for one in found.response["violations"]]
    wide = owner.page.evaluate("document.documentElement.scrollWidth > innerWidth")
    small = owner.page.evaluate(
        """() => ['factors', 'devices', 'events'].flatMap((name) =>
          [...document.querySelector(`stepup-${name}`).shadowRoot.querySelectorAll('button, input, a')]
            .map((one) => [one.textContent, one.getBoundingClientRect()])
            .filter(([, box]) => box.width && (box.width < 24 || box.height < 24)).map(([text]) => text))"""
    )
    return told, wide, small


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(seen: Owner, state: str) -> None:
    """No violation; nothing is wider than the page, and no target is too small to hit."""
    STATES[state](seen)
    assert troubles(seen) == ([], False, [])


@pytest.mark.parametrize(
    ("lang", "title"),
    [("de-AT", "Wege zu bestätigen"), ("ar", "طرق التأكيد"), ("ja", "確認方法"), ("fr", "Moyens de confirmer")],
)
def test_they_speak_the_language_of_the_page(account: AccountWorld, browser: Browser, lang: str, title: str) -> None:
    """In the direction in which that is read, whatever the page's; nothing is cut off at the sides."""
    owner = at_account(account, browser, f"/?lang={lang}", viewport=SIZES["narrow"])
    expect(owner.factors.get_by_role("heading", name=title, exact=True)).to_be_visible()
    region = owner.factors.get_by_role("region")
    expect(region).to_have_attribute("dir", "rtl" if lang == "ar" else "ltr")
    expect(region).to_have_attribute("lang", lang.split("-", maxsplit=1)[0])
    assert troubles(owner) == ([], False, [])
    owner.context.close()
    assert owner.troubles == []


def test_colours_are_the_page_s_and_not_the_reader_s(account: AccountWorld, browser: Browser) -> None:
    """A page that is light for everybody gets light elements, also for a reader who likes it dark."""
    owner = at_account(account, browser, color_scheme="dark")
    colour = "getComputedStyle(document.querySelector('stepup-factors')).color"
    dark = owner.page.evaluate(colour)
    owner.page.evaluate("document.querySelector('meta[name=color-scheme]').content = 'light'")
    light = owner.page.evaluate(colour)
    assert (dark, light) == ("rgb(233, 235, 238)", "rgb(27, 31, 36)")
    owner.context.close()


def test_an_app_is_added_with_the_keyboard_alone(account: AccountWorld, browser: Browser) -> None:
    """From the first Tab to the last Enter, the dialog included."""
    owner = at_account(account, browser)
    keys = owner.page.keyboard
    expect(owner.button("Add an authenticator app")).to_be_visible()
    for name in ("Add a passkey", "Add an authenticator app"):
        keys.press("Tab")
        expect(owner.button(name)).to_be_focused()
    keys.press("Enter")
    keys.type("Phone")
    keys.press("Enter")
    expect(owner.dialog.get_by_role("heading", name="Confirm that it is you")).to_be_focused()
    expect(owner.dialog.get_by_label("Your password")).to_be_visible()
    keys.press("Tab")
    expect(owner.dialog.get_by_label("Your password")).to_be_focused()
    keys.type(PASSWORD)
    keys.press("Enter")
    expect(owner.dialog).to_be_hidden()
    expect(owner.factors.get_by_role("heading", name="Add an authenticator app")).to_be_focused()
    keys.press("Tab")
    expect(owner.button("Copy the secret")).to_be_focused()
    keys.press("Tab")
    shown = owner.factors.locator("[part=secret]").inner_text()
    keys.type(pyotp.TOTP(shown.replace(" ", "")).at(account.clock.now()))
    keys.press("Enter")
    expect(owner.button("Remove Phone")).to_be_visible()
    expect(owner.button("Add an authenticator app")).to_be_focused()
    assert account.factors(owner.who) == [("totp", "Phone")]
    owner.context.close()
    assert owner.troubles == []

"""The demo in a real browser: its account page as it changes, each method through the dialog, and every look of it."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pyotp
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser_visitor import Authenticator
from demo_world import served
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

AXE = Axe()
PAGES = (
    "/",
    "/factors",
    "/devices",
    "/activity",
    "/billing",
    "/approvals",
    "/members",
    "/keys",
    "/workspace",
    "/demo/outbox",
)
Demo = tuple[str, dict[str, Any]]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One demo for all of these tests: its address, and what its people know."""
    with served(tmp_path_factory.mktemp("demo")) as made:
        yield made.site, made.seed


@pytest.fixture
def page(demo: Demo, browser: Browser) -> Iterator[Page]:
    """Signed in, on the account page; whatever the page reports as an error fails the test."""
    site, person = demo
    context = browser.new_context(base_url=site, locale="en-GB")
    troubles: list[str] = []
    made = signed_in(context, person, troubles)
    made.wait_for_function("() => globalThis.stepup")
    yield made
    context.close()
    assert troubles == []


def signed_in(context: BrowserContext, person: dict[str, Any], troubles: list[str]) -> Page:
    made = context.new_page()
    made.set_default_timeout(10_000)
    made.on("pageerror", lambda error: troubles.append(str(error)))
    made.on("console", lambda said: troubles.append(said.text) if "Content Security" in said.text else None)
    made.goto("/")
    made.get_by_label("E-mail").fill(person["email"])
    made.get_by_label("Password").fill(person["password"])
    made.get_by_role("button", name="Sign in").click()
    expect(made.get_by_role("status").filter(has_text="Signed in.")).to_be_visible()
    return made


def at(page: Page, path: str) -> None:
    page.goto(path)
    page.wait_for_function("() => globalThis.stepup")


def card(page: Page, action: str) -> Locator:
    return page.locator(f"[data-action='{action}']")


def by_password(page: Page, person: dict[str, Any]) -> None:
    """Where a password is the only way, there are no tabs."""
    expect(page.locator("stepup-dialog [part=panel]").get_by_role("heading")).to_be_visible()
    if (tab := page.get_by_role("tab", name="Password")).count():
        tab.click()
    page.get_by_label("Your password").fill(person["password"])
    page.get_by_label("Your password").press("Enter")


def document(page: Page) -> Any:
    return json.loads(page.locator("#document").text_content() or "")


def mailed(site: str) -> str:
    with urllib.request.urlopen(f"{site}/demo/outbox") as answer:
        found = re.search(r"\b\d{6}\b", json.load(answer)[-1]["text"])
    assert found is not None
    return found[0]


@pytest.mark.parametrize(
    ("method", "label"),
    [
        ("Password", "Your password"), ("Authenticator app", "Code from the app"),
        ("Code by mail", "Code from the mail"), ("Recovery code", "One of your recovery codes"),
    ],
)  # fmt: skip
def test_each_method_deletes_the_workspace_once(demo: Demo, page: Page, method: str, label: str) -> None:
    """The button opens the dialog, the proof lets the form through, and the next deletion asks again."""
    site, person = demo
    answers: dict[str, Callable[[], str]] = {
        "Password": lambda: person["password"],
        "Authenticator app": lambda: pyotp.TOTP(person["totpSecret"]).now(),
        "Code by mail": lambda: mailed(site),
        "Recovery code": lambda: person["recoveryCodes"][0],
    }
    at(page, "/workspace")
    page.get_by_label("Type Northstar to confirm").fill("Northstar")
    page.get_by_role("button", name="Delete the workspace").click()
    page.get_by_role("tab", name=method).click()
    if method == "Code by mail":
        page.get_by_role("button", name="Mail me a code").click()
    expect(page.get_by_label(label)).to_be_visible()
    page.get_by_label(label).fill(answers[method]())
    page.get_by_label(label).press("Enter")
    expect(page.get_by_role("status").filter(has_text="The workspace was deleted.")).to_be_visible()
    expect(page).to_have_url(f"{site}/workspace")

    page.wait_for_function("() => globalThis.stepup")
    page.get_by_label("Type Northstar to confirm").fill("Northstar")
    page.get_by_role("button", name="Delete the workspace").click()
    expect(page.get_by_role("dialog", name="Confirm that it is you")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Bring it back").click()
    expect(page.get_by_role("status").filter(has_text="The workspace is back.")).to_be_visible()


def test_the_account_page_follows_a_proof(demo: Demo, page: Page) -> None:
    """Verify opens the dialog; card, challenge, grants, events and preview change with it; Lock again ends it."""
    _, person = demo
    mfa, current = card(page, "disable_mfa"), page.locator("#current")
    expect(page.get_by_text("Nothing is unlocked")).to_be_visible()
    expect(mfa.locator("[data-status]")).to_contain_text("Needs proof")
    mfa.get_by_role("button", name="Verify").click()
    expect(page.locator("#document")).to_contain_text('"status": "open"')
    opened = document(page)
    assert (opened["action"]["id"], opened["actor"]["email"]) == ("disable_mfa", person["email"])
    assert set(opened) == {
        "id", "status", "action", "actor", "params", "allowedMethods", "expiresAt", "policy", "audit",
    }  # fmt: skip
    expect(page.locator("#request")).to_contain_text('"verified": false')
    expect(current).to_contain_text("Missing")

    by_password(page, person)
    expect(mfa.locator("[data-status]")).to_contain_text("Unlocked")
    expect(mfa.get_by_role("button", name="Reverify")).to_be_visible()
    expect(mfa.locator("[data-live=until]")).to_have_text(re.compile(r"4:5\d left"))
    expect(current).to_contain_text("Ready")
    expect(current).to_contain_text("Password")
    expect(page.locator("#grants")).to_contain_text("Disable multi-factor authentication")
    expect(page.locator("#events li").first).to_contain_text("You confirmed")
    expect(page.locator("#request")).to_contain_text('"verified": true')
    expect(page.locator("#document")).to_contain_text('"status": "verified"')
    assert document(page)["id"] == opened["id"]
    assert "eyJ" not in page.content()  # how every token begins

    page.get_by_role("button", name="Lock again").click()
    expect(mfa.locator("[data-status]")).to_contain_text("Needs proof")
    expect(page.get_by_text("Nothing is unlocked")).to_be_visible()
    expect(current).to_contain_text("Missing")


def test_what_is_called_off_is_shown_as_such(page: Page) -> None:
    """The challenge ends as cancelled, and nothing is unlocked."""
    page.get_by_label("Action to prove").select_option("Export customer data")
    page.get_by_role("button", name="Open the dialog").click()
    expect(page.locator("#document")).to_contain_text('"id": "export_data"')
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#document")).to_contain_text('"status": "cancelled"')
    expect(page.locator("#events li").first).to_contain_text("Confirming was called off")
    expect(page.get_by_text("Nothing is unlocked")).to_be_visible()


def test_a_deed_of_a_card_goes_through_after_the_proof(demo: Demo, page: Page) -> None:
    """Turning two factors off asks by itself; what was verified before passes without a question."""
    _, person = demo
    mfa = card(page, "disable_mfa")
    mfa.get_by_role("button", name="Verify").click()
    by_password(page, person)
    expect(mfa.locator("[data-status]")).to_contain_text("Unlocked")
    mfa.get_by_role("button", name="Turn it off").click()
    expect(page.get_by_role("status").filter(has_text="Multi-factor authentication is off.")).to_be_visible()
    mfa.get_by_role("button", name="Turn it on again").click()
    expect(page.get_by_role("status").filter(has_text="Multi-factor authentication is on.")).to_be_visible()


def test_the_wish_to_be_remembered_goes_along(page: Page) -> None:
    """The switch ticks the box of the dialog, with each way to prove."""
    page.get_by_role("switch", name="Remember this trusted device").check()
    expect(page.locator("#request")).to_contain_text('"rememberDevice": true')
    card(page, "disable_mfa").get_by_role("button", name="Verify").click()
    for method in ("Authenticator app", "Password"):
        page.get_by_role("tab", name=method).click()
        expect(page.get_by_role("checkbox", name="Remember this device")).to_be_checked()
    page.keyboard.press("Escape")


def test_a_stolen_session_is_blocked(demo: Demo, page: Page, browser: Browser) -> None:
    """In a browser that nobody signed in with, the three changes are blocked, and say so when tried."""
    site, _ = demo
    context = browser.new_context(base_url=site, user_agent="Elsewhere/1.0")
    context.add_cookies(page.context.cookies())  # type: ignore[arg-type]  # what it gives it takes
    stolen = context.new_page()
    at(stolen, "/")
    for action in ("disable_mfa", "export_data", "rotate_key"):
        expect(card(stolen, action).locator("[data-status]")).to_contain_text("Blocked")
    card(stolen, "export_data").get_by_role("button", name="Verify").click()
    expect(stolen.get_by_role("status").filter(has_text="too risky")).to_be_visible()
    context.close()


def test_what_is_bound_is_shown(page: Page) -> None:
    """The role that was chosen stands in the dialog, and whose it is."""
    at(page, "/members")
    page.get_by_label("Role of Marcus Vale").select_option("Owner")
    page.get_by_role("button", name="Change role of Marcus Vale").click()
    dialog = page.get_by_role("dialog", name="Confirm that it is you")
    expect(dialog.get_by_role("definition").filter(has_text=re.compile(r"^Owner$"))).to_be_visible()
    for whose in (r"^Marcus Vale \(usr_4096\)$", r"^Marcus Vale$"):  # the resource, and the param that is bound
        expect(dialog.get_by_role("definition").filter(has_text=re.compile(whose))).to_be_visible()


def test_a_payout_shows_what_it_pays_and_pays_no_other_amount(demo: Demo, page: Page) -> None:
    """Amount and payee stand in the dialog; the token for them does not open a tampered call."""
    _, person = demo
    at(page, "/billing")
    page.evaluate(
        """() => {
          globalThis.pay = (amount, headers = {}) => fetch("/billing/payouts", {method: "POST", headers,
            body: new URLSearchParams({amount, payee: "payee_lumen"})});
          pay("120.00").then(r => r.json()).then(stepup.prove).then(proved => (globalThis.proved = proved));
        }"""
    )
    dialog = page.get_by_role("dialog", name="Confirm that it is you")
    expect(dialog.get_by_role("definition").filter(has_text="120.00 EUR")).to_be_visible()
    expect(dialog.get_by_role("definition").filter(has_text="Lumen Print Works")).to_be_visible()
    by_password(page, person)
    page.wait_for_function("() => globalThis.proved?.token")
    send = "amount => pay(amount, {'StepUp-Token': proved.token}).then(async r => [r.status, (await r.json()).code])"
    assert page.evaluate(send, "9120.00") == [403, "grant_invalid"]
    assert page.evaluate(send, "120.00")[0] == 200
    assert page.evaluate(send, "120.00") == [403, "grant_invalid"]

    page.get_by_label("Payee").select_option("payee_harbour")
    page.get_by_label("Amount in EUR").fill("950.75")
    page.get_by_role("button", name="Pay").click()
    by_password(page, person)
    expect(page.get_by_role("status").filter(has_text="The payout is on its way.")).to_be_visible()
    expect(page.get_by_role("row").nth(1)).to_contain_text("950.75 EUR")
    page.wait_for_function("() => globalThis.stepup")
    page.get_by_label("Amount in EUR").fill("twelve")
    page.get_by_role("button", name="Pay").click()
    expect(page.get_by_role("status").filter(has_text="Enter an amount in euros")).to_be_visible()


def test_a_new_key_is_shown_once(demo: Demo, page: Page) -> None:
    """The secret stands in a dialog until that is closed, and then nowhere."""
    _, person = demo
    at(page, "/keys")
    page.get_by_role("button", name="Rotate Production").click()
    by_password(page, person)
    shown = page.get_by_role("dialog", name="Copy the new secret now")
    expect(shown).to_be_visible()
    secret = shown.locator("[data-live=secret]").text_content() or ""
    assert secret.startswith("nsk_live_")
    expect(page.locator("[data-key=key_live]")).to_contain_text(secret[-4:])
    page.get_by_role("button", name="I have saved it").click()
    expect(shown).to_be_hidden()
    expect(page.locator("#reveal [data-live=secret]")).to_have_count(0)
    assert secret not in page.content()
    page.reload()
    assert secret not in page.content()


def test_removing_an_admin_is_asked_for(page: Page) -> None:
    """A member goes at once after a fresh sign-in; for an admin the dialog opens, without the password."""
    at(page, "/members")
    page.get_by_role("button", name="Remove Tomas Lindqvist").click()
    expect(page.get_by_role("status").filter(has_text="The member was removed.")).to_be_visible()
    page.wait_for_function("() => globalThis.stepup")
    page.get_by_role("button", name="Remove Marcus Vale").click()
    dialog = page.get_by_role("dialog", name="Confirm that it is you")
    expect(dialog.get_by_role("definition").filter(has_text="High")).to_be_visible()
    expect(dialog.get_by_role("tab", name="Password")).to_have_count(0)


def test_all_of_it_without_javascript(demo: Demo, browser: Browser) -> None:
    """Forms and the pages of the ceremony: the workspace is deleted, and what was verified is locked again."""
    site, person = demo
    context = browser.new_context(base_url=site, java_script_enabled=False)
    page = signed_in(context, person, [])
    for path in PAGES:
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.goto("/workspace")
    page.get_by_label("Type Northstar to confirm").fill("Northstar")
    page.get_by_role("button", name="Delete the workspace").click()
    page.get_by_label("Your password").fill(person["password"])
    page.locator("form", has=page.get_by_label("Your password")).get_by_role("button", name="Confirm").click()
    page.goto("/workspace")
    page.get_by_label("Type Northstar to confirm").fill("Northstar")
    page.get_by_role("button", name="Delete the workspace").click()
    expect(page.get_by_role("heading", name="This workspace is deleted")).to_be_visible()
    page.get_by_role("button", name="Bring it back").click()
    expect(page.get_by_role("status").filter(has_text="The workspace is back.")).to_be_visible()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 800), (320, 640)])
def test_every_page_is_accessible(demo: Demo, browser: Browser, scheme: Any, width: int, height: int) -> None:
    """axe finds nothing on any page in any look, and nothing is wider than the screen."""
    site, person = demo
    context = browser.new_context(
        base_url=site, color_scheme=scheme, viewport={"width": width, "height": height}, reduced_motion="reduce"
    )
    door = context.new_page()
    door.goto("/")
    looked_at(door)
    page = signed_in(context, person, [])
    card(page, "rotate_key").get_by_role("button", name="Verify").click()
    by_password(page, person)
    expect(card(page, "rotate_key").locator("[data-status]")).to_contain_text("Unlocked")
    looked_at(page)
    for path in PAGES:
        at(page, path)
        looked_at(page)
    if width == 320:
        page.get_by_role("button", name="Menu").press("Enter")
        expect(page.get_by_role("link", name="Billing")).to_be_visible()
        looked_at(page)
        page.keyboard.press("Escape")
        expect(page.get_by_role("link", name="Billing")).to_be_hidden()
    context.close()


def looked_at(page: Page) -> None:
    found = AXE.run(page)
    assert found.violations_count == 0, f"{page.url}\n{found.generate_report()}"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url


def test_keys_alone_reach_everything(page: Page) -> None:
    """The first tab stop skips the navigation, and what has the focus shows it."""
    at(page, "/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(card(page, "disable_mfa").get_by_role("button", name="Verify")).to_be_focused()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_a_passkey_is_enrolled_and_used_a_day_later(demo: Demo, page: Page) -> None:
    """Registered under the authenticator's proof it waits for a day; the day is skipped, and it opens the export."""
    _, person = demo
    kept = Authenticator(page)
    at(page, "/factors")
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_role("textbox", name="Name").fill("Laptop")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("tab", name="Recovery code").click()
    page.get_by_label("One of your recovery codes").fill(person["recoveryCodes"][1])
    page.get_by_label("One of your recovery codes").press("Enter")
    expect(page.get_by_role("listitem").filter(has_text="Laptop")).to_be_visible()

    page.get_by_role("button", name="Skip a day").click()
    expect(page.get_by_role("status").filter(has_text="A day has passed.")).to_be_visible()
    page.get_by_label("E-mail").fill(person["email"])
    page.get_by_label("Password").fill(person["password"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_function("() => globalThis.stepup")
    export = card(page, "export_data")
    export.get_by_role("button", name="Verify").click()
    expect(page.get_by_role("tab", name="Passkey")).to_be_visible()
    page.locator("stepup-dialog [part=primary]").click()
    expect(export.locator("[data-status]")).to_contain_text("Unlocked")
    expect(page.locator("#current")).to_contain_text("Passkey")
    export.get_by_role("button", name="Export").click()
    expect(page.get_by_role("status").filter(has_text="The customers were exported.")).to_be_visible()
    page.goto("/demo/outbox")
    expect(page.get_by_role("heading", name="Your customer export is ready")).to_be_visible()
    assert kept.cdp is not None

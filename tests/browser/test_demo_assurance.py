"""What the demo shows of assurance: one proof for several calls, remembered devices, risk, the alarm."""

from __future__ import annotations

import re
from typing import Any

import pytest
from demo_world import LOOKS, Visiting
from playwright.sync_api import Browser, expect


def test_several_keys_are_rotated_by_one_proof(visiting: Visiting) -> None:
    """The dialog lists every key, one password does for all, and each new secret is shown."""
    olivia = visiting()
    page = olivia.at("/keys")
    for key in ("Production", "Webhook signing"):
        page.get_by_role("checkbox", name=key).check()
    page.get_by_role("button", name="Rotate what is chosen").click()
    lines = page.locator("stepup-dialog [part=items] li")
    expect(lines).to_have_count(2)
    expect(lines.nth(0)).to_contain_text("Production")
    expect(lines.nth(1)).to_contain_text("Webhook signing")
    olivia.looked_at()
    olivia.by_password()
    shown = page.get_by_role("dialog", name="Copy the new secrets now")
    secrets = shown.locator("[data-live=secret]")
    expect(secrets).to_have_count(2)
    for row, key in enumerate(("key_live", "key_hooks")):
        made = secrets.nth(row).text_content() or ""
        expect(page.locator(f"[data-key={key}]")).to_contain_text(made[-4:])
    expect(page.locator("[data-key=key_test]")).to_contain_text("mR7u")
    page.get_by_role("button", name="I have saved it").click()
    expect(page.locator("#reveal [data-live=secret]")).to_have_count(0)


def test_a_key_that_was_not_listed_is_refused(visiting: Visiting) -> None:
    """The request is tampered with after the proof: another key, or one more, opens nothing; the list itself does."""
    olivia = visiting()
    page = olivia.at("/keys")
    page.evaluate(
        """() => {
          globalThis.rotate = (keys, headers = {}) => fetch("/keys/rotate", {method: "POST", headers,
            body: new URLSearchParams(keys.map((one) => ["key", one]))});
          rotate(["key_live", "key_hooks"]).then(r => r.json()).then(stepup.prove).then(it => (globalThis.proved = it));
        }"""
    )
    olivia.by_password()
    page.wait_for_function("() => globalThis.proved?.token")
    send = "keys => rotate(keys, {'StepUp-Token': proved.token}).then(async r => [r.status, (await r.json()).code])"
    assert page.evaluate(send, ["key_test"]) == [403, "grant_invalid"]
    assert page.evaluate(send, ["key_live", "key_hooks", "key_test"]) == [403, "grant_invalid"]
    assert page.evaluate(send, ["key_live", "key_hooks"])[0] == 200
    assert page.evaluate(send, ["key_live"]) == [403, "grant_invalid"]


def test_a_remembered_browser_is_asked_less_often(visiting: Visiting) -> None:
    """The box in the dialog makes it remembered, an hour later a low action passes there, and nowhere else."""
    olivia, elsewhere = visiting(), visiting()
    page = olivia.page
    expect(page.locator("#trust [data-live=device]")).to_contain_text("not remembered")
    page.locator("[data-action=disable_mfa]").get_by_role("button", name="Verify").click()
    olivia.by_password(remember=True)
    expect(page.locator("#trust [data-live=device]")).to_have_text(re.compile(", remembered$"))
    page.get_by_role("button", name="Skip an hour").click()
    olivia.told("An hour has passed.")

    olivia.at("/workspace").get_by_role("button", name="Save the note").click()
    olivia.told("The note was saved.")
    elsewhere.at("/workspace").get_by_role("button", name="Save the note").click()
    expect(elsewhere.page.get_by_role("dialog", name="Confirm that it is you")).to_be_visible()

    olivia.at("/members").get_by_role("button", name="Change role of Priya Nair").click()
    expect(page.get_by_role("dialog", name="Confirm that it is you")).to_be_visible()


def test_devices_are_reviewed_and_forgotten(visiting: Visiting) -> None:
    """Each has a row; one is forgotten, then all of them, and the browser is asked again."""
    olivia, elsewhere = visiting(), visiting()
    for one in (olivia, elsewhere):
        one.page.locator("[data-action=disable_mfa]").get_by_role("button", name="Verify").click()
        one.by_password(remember=True)
        expect(one.page.locator("#trust [data-live=device]")).to_have_text(re.compile(", remembered$"))
    devices = olivia.at("/devices").locator("stepup-devices")
    expect(devices.get_by_role("listitem")).to_have_count(2)
    expect(devices.get_by_role("listitem").first).to_contain_text("This device")
    olivia.looked_at()
    devices.get_by_role("listitem").nth(1).get_by_role("button", name="Forget").click()
    expect(devices.get_by_role("listitem")).to_have_count(1)
    elsewhere.page.reload()
    expect(elsewhere.page.locator("#trust [data-live=device]")).to_contain_text("not remembered")

    devices.get_by_role("button", name="Forget all").click()
    devices.get_by_role("button", name="Yes").click()
    expect(devices.get_by_role("listitem")).to_have_count(0)
    expect(olivia.at("/").locator("#trust [data-live=device]")).to_contain_text("not remembered")
    expect(olivia.at("/activity").locator("stepup-events")).to_contain_text("A device was forgotten")


def test_an_old_token_of_a_device_is_a_copy(visiting: Visiting) -> None:
    """Cookies that were copied before the last proof, an hour later: the device is forgotten, and the events say so."""
    olivia = visiting()
    page = olivia.page
    verify = page.locator("[data-action=disable_mfa]").get_by_role("button", name="Verify")
    verify.click()
    olivia.by_password(remember=True)
    expect(page.locator("#trust [data-live=device]")).to_have_text(re.compile(", remembered$"))
    copied = [one for one in olivia.context.cookies() if one.get("name", "").endswith("-trust")]
    page.locator("[data-action=rotate_key]").get_by_role("button", name="Verify").click()
    olivia.by_password()
    expect(page.locator("[data-action=rotate_key] [data-status]")).to_contain_text("Unlocked")
    page.get_by_role("button", name="Skip an hour").click()
    olivia.told("An hour has passed.")
    expect(page.locator("#trust [data-live=device]")).to_have_text(re.compile(", remembered$"))
    assert len(copied) == 1
    olivia.context.add_cookies(copied)  # type: ignore[arg-type]  # what it gives it takes
    page.reload()
    expect(page.locator("#trust [data-live=device]")).to_contain_text("not remembered")
    expect(page.locator("#events")).to_contain_text("An old token of a device came again")


def test_the_risk_is_told_in_words(visiting: Visiting) -> None:
    """New here, then known by a proof; wrong answers are a reason until a right one; a new person gets in at once."""
    marcus = visiting("Marcus")
    page, risk = marcus.page, marcus.page.locator("#risk")
    expect(risk.locator("[data-live=level]")).to_have_text("Medium")
    expect(risk.get_by_role("listitem")).to_have_count(2)
    expect(risk).to_contain_text("New network")
    expect(risk).to_contain_text("Nothing is blocked.")
    page.locator("[data-action=disable_mfa]").get_by_role("button", name="Verify").click()
    marcus.by_password()
    expect(risk.locator("[data-live=level]")).to_have_text("Low")
    expect(risk.get_by_role("listitem")).to_have_count(0)
    expect(risk).to_contain_text("Nothing speaks against")


def test_a_stolen_session_is_told_why_it_is_blocked(visiting: Visiting, browser: Browser) -> None:
    """In another browser the risk is high: three changes are blocked, and what is left takes two methods at most."""
    olivia = visiting()
    context = browser.new_context(base_url=olivia.demo.site, user_agent="Elsewhere/1.0")
    context.add_cookies(olivia.context.cookies())  # type: ignore[arg-type]  # what it gives it takes
    stolen = context.new_page()
    stolen.goto("/")
    stolen.wait_for_function("() => globalThis.stepup")
    risk = stolen.locator("#risk")
    expect(risk.locator("[data-live=level]")).to_have_text("High")
    expect(risk).to_contain_text("Unfamiliar browser")
    expect(risk).to_contain_text("are blocked")
    for action in ("disable_mfa", "export_data", "rotate_key"):
        expect(stolen.locator(f"[data-action={action}] [data-status]")).to_contain_text("Blocked")
    stolen.goto("/billing")
    stolen.wait_for_function("() => globalThis.stepup")
    stolen.get_by_label("Amount in EUR").fill("10")
    stolen.get_by_role("button", name="Pay").click()
    expect(stolen.get_by_label("Code from the app")).to_be_visible()
    expect(stolen.get_by_role("tab", name="Password")).to_have_count(0)
    context.close()


def test_the_alarm_says_what_it_ended(visiting: Visiting) -> None:
    """One button, no proof: every session ends, what was unlocked is locked, and the device is forgotten."""
    olivia, elsewhere = visiting(), visiting()
    page = olivia.page
    page.locator("[data-action=rotate_key]").get_by_role("button", name="Verify").click()
    olivia.by_password(remember=True)
    expect(page.locator("[data-action=rotate_key] [data-status]")).to_contain_text("Unlocked")
    olivia.at("/activity").get_by_role("button", name="I think somebody has my session").click()
    expect(page.get_by_role("heading", name="Everything has ended")).to_be_visible()
    expect(page.get_by_text("2, this one among them")).to_be_visible()
    expect(page.get_by_text("Rotate a production API key")).to_be_visible()
    expect(page.get_by_text("All that were remembered, this one too")).to_be_visible()
    olivia.looked_at()
    elsewhere.page.goto("/keys")
    elsewhere.told("Sign in first.")

    page.get_by_role("link", name="Sign in again").click()
    olivia.sign_in()
    expect(page.locator("#trust [data-live=device]")).to_contain_text("not remembered")
    expect(page.locator("[data-action=rotate_key] [data-status]")).to_contain_text("Needs proof")
    events = olivia.at("/activity").locator("stepup-events")
    expect(events).to_contain_text("All that was unlocked was locked again")
    expect(events).to_contain_text("A device was remembered")


@pytest.mark.parametrize("look", LOOKS)
def test_it_is_accessible(visiting: Visiting, look: dict[str, Any]) -> None:
    """axe finds nothing where the risk has reasons, keys are chosen, devices are listed; nothing is too wide."""
    olivia = visiting(**look, reduced_motion="reduce")
    expect(olivia.page.locator("#risk").get_by_role("listitem")).to_have_count(2)
    olivia.looked_at()
    olivia.page.locator("[data-action=disable_mfa]").get_by_role("button", name="Verify").click()
    olivia.by_password(remember=True)
    expect(olivia.page.locator("#trust [data-live=device]")).to_have_text(re.compile(", remembered$"))
    olivia.looked_at()
    for path in ("/keys", "/devices", "/activity"):
        olivia.at(path)
        olivia.looked_at()
    olivia.at("/keys").get_by_role("checkbox", name="Staging").check()
    olivia.page.get_by_role("button", name="Rotate what is chosen").click()
    olivia.by_password()
    expect(olivia.page.get_by_role("dialog", name="Copy the new secret now")).to_be_visible()
    olivia.looked_at()

"""The account's elements in a real browser, against a real server: every change is asked for, made once, and told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from account_owner import NO_SECRET, Devices, Owner, at_account, device
from account_world import AccountWorld
from browser_visitor import Authenticator, opened
from playwright.sync_api import Browser, Page, expect


@pytest.fixture(scope="module")
def account() -> Iterator[AccountWorld]:
    made = AccountWorld()
    server = made.serve()
    yield made
    server.should_exit = True


@pytest.fixture
def owner(account: AccountWorld, browser: Browser) -> Iterator[Owner]:
    """A person; whatever a page reported as an error, or its policy as a violation, fails the test."""
    made = at_account(account, browser)
    yield made
    made.context.close()
    assert made.troubles == []


def begun(owner: Owner, what: str, name: str | None = None) -> None:
    """Begin to add something, under a name."""
    owner.button(what).click()
    if name is not None:
        owner.factors.get_by_label("Name", exact=True).fill(name)
    owner.button("Continue").click()


def secret_of(owner: Owner) -> str:
    return owner.factors.locator("[part=secret]").inner_text().replace(" ", "")


# -- what there is ----------------------------------------------------------------------------------


def test_what_somebody_sees_who_has_added_nothing(owner: Owner) -> None:
    """What the application keeps is listed without buttons; what can be added has one each; states are in words."""
    expect(owner.factors).to_match_aria_snapshot(
        """
        - region "Ways to confirm":
          - heading "Ways to confirm" [level=2]
          - paragraph: /Have at least two/
          - alert
          - status
          - list:
            - listitem:
              - paragraph: Password
            - listitem:
              - paragraph: Code by mail
          - heading "Add a way to confirm" [level=3]
          - button "Add a passkey"
          - button "Add an authenticator app"
          - button "Make recovery codes"
        """
    )
    expect(owner.events.get_by_text("Nothing has happened yet.")).to_be_visible()


def test_it_says_that_it_is_loading(owner: Owner) -> None:
    """Until there is something to show."""
    owner.page.route("**/stepup/factors", lambda route: None)
    owner.page.reload()
    expect(owner.factors.get_by_text("One moment…")).to_be_visible()
    expect(owner.factors.get_by_role("region")).to_have_attribute("aria-busy", "true")


def test_what_cannot_be_read_can_be_tried_again(owner: Owner) -> None:
    """The error is said, the button reads again, and the focus is not lost with it."""
    owner.page.route("**/stepup/factors", lambda route: route.abort())
    owner.page.reload()
    expect(owner.factors.get_by_role("alert")).to_have_text(
        "The server cannot be reached. Try again when you are online."
    )
    owner.page.unroute("**/stepup/factors")
    owner.factors.get_by_role("button", name="Try again").click()
    expect(owner.factors.get_by_role("heading", name="Ways to confirm", exact=True)).to_be_focused()
    expect(owner.factors.get_by_role("alert")).to_be_empty()
    expect(owner.button("Add a passkey")).to_be_visible()


def test_who_is_not_signed_in_is_shown_where(owner: Owner) -> None:
    """By the address that the server gives."""
    owner.context.clear_cookies()
    owner.page.reload()
    expect(owner.factors.get_by_role("alert")).to_have_text("For this you have to sign in again.")
    expect(owner.factors.get_by_role("link", name="Sign in again")).to_have_attribute("href", "/login")


def test_a_page_chooses_the_level_of_headings_and_the_words(owner: Owner) -> None:
    """By an attribute, and by ``setTexts``, in rows that stand there already too; the language is the element's."""
    expect(owner.factors.get_by_role("listitem").first).to_have_text("Password")
    owner.page.evaluate(
        """() => { stepup.setTexts({'factors.title': 'Verification', password: 'Pass phrase'}, 'en');
          const [factors, events] = ['stepup-factors', 'stepup-events'].map((one) => document.querySelector(one));
          factors.setAttribute('heading-level', '3'); events.lang = 'de'; }"""
    )
    expect(owner.factors.get_by_role("heading", name="Verification", level=3)).to_be_visible()
    expect(owner.factors.get_by_role("heading", name="Add a way to confirm", level=4)).to_be_visible()
    expect(owner.factors.get_by_role("listitem").first).to_have_text("Pass phrase")
    expect(owner.events.get_by_role("heading", name="Letzte Sicherheitsereignisse")).to_be_visible()


def test_a_page_can_theme_it(owner: Owner) -> None:
    """By the dialog's custom properties, and by parts."""
    expect(owner.button("Add a passkey")).to_be_visible()
    found = owner.page.evaluate(
        """() => { const sheet = new CSSStyleSheet();
          sheet.replaceSync(`stepup-factors{--stepup-paper:rgb(1 2 3)}
            stepup-factors::part(title){letter-spacing:7px}`);
          document.adoptedStyleSheets.push(sheet);
          const root = document.querySelector('stepup-factors').shadowRoot;
          return [getComputedStyle(root.querySelector('ul')).backgroundColor,
            getComputedStyle(root.querySelector('h2')).letterSpacing]; }"""
    )
    assert found == ["rgb(1, 2, 3)", "7px"]


# -- passkeys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("own", [False, True], ids=["the browser's conversion", "ours"])
def test_a_passkey_is_added(owner: Owner, own: bool) -> None:
    """Asked for in the dialog, made by the device, listed, told; the blocked call was made once more and no more."""
    if own:
        owner.page.add_init_script(
            "delete PublicKeyCredential.parseCreationOptionsFromJSON; delete PublicKeyCredential.prototype.toJSON;"
        )
        owner.page.reload()
    owner.kept.append(Authenticator(owner.page))
    owner.hears()
    owner.button("Add a passkey").click()
    name = owner.factors.get_by_label("Name", exact=True)
    expect(name).to_be_focused()
    expect(name).to_have_value("Chrome on Linux")
    name.fill("Laptop")
    name.press("Enter")
    owner.prove()
    expect(owner.factors.get_by_role("listitem").filter(has_text="Laptop")).to_contain_text(
        re.compile("Can be used (tomorrow|in 24 hours)")
    )
    expect(owner.factors.get_by_role("status")).to_contain_text("Laptop was added. As a protection it can be used only")
    expect(owner.button("Add a passkey")).to_be_focused()
    assert owner.world.factors(owner.who) == [("passkey", "Laptop")]
    assert owner.called("POST factors/passkey") == 2
    (heard,) = owner.heard
    assert (heard["what"], heard["change"], heard["method"]) == ("factor", "added", "passkey")
    expect(owner.events.get_by_text("A way to confirm was added")).to_be_visible()


def test_a_device_that_makes_none_can_be_asked_again(owner: Owner) -> None:
    """Without a new proof, and with the same options; a device that has one already says so."""
    device = Authenticator(owner.page, verified=False)
    begun(owner, "Add a passkey", "Laptop")
    owner.prove()
    alert = owner.factors.get_by_role("group").get_by_role("alert")
    expect(alert).to_have_text("No passkey was made. Try again.")
    assert owner.world.factors(owner.who) == []
    device.cdp.send("WebAuthn.setUserVerified", {"authenticatorId": device.id, "isUserVerified": True})
    owner.button("Create the passkey").click()
    expect(owner.button("Remove Laptop")).to_be_visible()
    assert owner.called("POST factors/passkey") == 2

    begun(owner, "Add a passkey", "Again")
    owner.prove()
    expect(alert).to_have_text("This device has a passkey of yours already.")
    owner.button("Cancel").click()
    expect(owner.button("Add a passkey")).to_be_focused()
    assert owner.world.factors(owner.who) == [("passkey", "Laptop")]


def test_a_device_that_is_waited_for_can_be_left(owner: Owner) -> None:
    """Cancel calls the device off, and another thing can be added."""
    owner.kept.append(Authenticator(owner.page, present=False))
    begun(owner, "Add a passkey", "Laptop")
    owner.prove()
    expect(owner.factors.get_by_role("button", name="Waiting for your device…")).to_be_visible()
    owner.button("Cancel").click()
    owner.button("Add an authenticator app").click()
    owner.button("Continue").click()
    expect(owner.dialog).to_be_visible()


# -- an authenticator app -----------------------------------------------------------------------------


def test_an_authenticator_app_is_added(owner: Owner) -> None:
    """The picture is dark on white, the secret is text, the first code confirms; then the secret is nowhere."""
    begun(owner, "Add an authenticator app", "Phone")
    owner.prove()
    group = owner.factors.get_by_role("group", name="Add an authenticator app")
    expect(group.get_by_role("heading")).to_be_focused()
    picture = group.get_by_role("img", name="QR code for your authenticator app")
    expect(picture.locator("rect")).to_have_attribute("fill", "#fff")
    expect(picture.locator("path")).to_have_attribute("fill", "#000")
    secret, field = secret_of(owner), group.get_by_label("Code from the app")

    field.fill("12 34")
    field.press("Enter")
    expect(group.get_by_role("alert")).to_have_text("The code has too few digits. Check it.")
    assert not [made for made in owner.made if made.startswith("POST factors/totp/")]
    wrong = f"{(int(pyotp.TOTP(secret).at(owner.world.clock.now())) + 1) % 1_000_000:06}"
    field.fill(wrong)
    field.press("Enter")
    expect(group.get_by_role("alert")).to_have_text("That was not right. Check it, and try again. 4 tries are left.")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")

    code = pyotp.TOTP(secret).at(owner.world.clock.now())
    field.fill(f"{code[:3]} {code[3:]}")
    field.press("Enter")
    expect(owner.button("Remove Phone")).to_be_visible()
    expect(owner.button("Add an authenticator app")).to_be_focused()
    assert owner.world.factors(owner.who) == [("totp", "Phone")]
    assert owner.called("POST factors/totp") == 2
    assert not NO_SECRET.search(owner.inside("stepup-factors"))


def test_too_many_wrong_codes_begin_anew(owner: Owner) -> None:
    """The secret goes, and why is said."""
    begun(owner, "Add an authenticator app", "Phone")
    owner.prove()
    field = owner.factors.get_by_label("Code from the app")
    wrong = f"{(int(pyotp.TOTP(secret_of(owner)).at(owner.world.clock.now())) + 1) % 1_000_000:06}"
    for left in ("4 tries are left.", "3 tries are left.", "2 tries are left.", "1 try is left."):
        field.fill(wrong)
        field.press("Enter")
        expect(owner.factors.get_by_role("group").get_by_role("alert")).to_contain_text(left)
    field.fill(wrong)
    field.press("Enter")
    alert = owner.factors.get_by_role("group").get_by_role("alert")
    expect(alert).to_have_text("Too many answers were wrong. Nothing was done.")
    expect(owner.factors.get_by_label("Name", exact=True)).to_be_focused()
    assert not NO_SECRET.search(owner.inside("stepup-factors"))
    assert owner.world.factors(owner.who) == []


@pytest.mark.parametrize("how", ["cancel", "away", "off"])
def test_a_secret_goes_with_its_panel(owner: Owner, how: str) -> None:
    """When it is called off, when the page is left, when the element is taken off it."""
    begun(owner, "Add an authenticator app", "Phone")
    owner.prove()
    secret = owner.factors.locator("[part=secret]")
    expect(secret).to_be_visible()
    if how == "cancel":
        owner.button("Cancel").click()
    elif how == "away":
        owner.page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
    else:
        found = owner.page.evaluate(
            """() => { const one = document.querySelector('stepup-factors'); one.remove();
              return one.shadowRoot.querySelectorAll('[part=secret], .qr').length; }"""
        )
        assert found == 0
    expect(secret).to_have_count(0)


def test_a_secret_can_be_copied(owner: Owner) -> None:
    """Without the spaces in which it is shown; where that is not allowed, it is selected."""
    begun(owner, "Add an authenticator app", "Phone")
    owner.prove()
    expect(owner.factors.locator("[part=secret]")).to_be_visible()
    owner.page.evaluate("() => { Clipboard.prototype.writeText = async (text) => { globalThis.copied = text; }; }")
    owner.button("Copy the secret").click()
    expect(owner.factors.get_by_role("status")).to_have_text("Copied.")
    assert owner.page.evaluate("copied") == secret_of(owner)
    owner.page.evaluate("() => { Clipboard.prototype.writeText = () => Promise.reject(new Error()); }")
    owner.button("Copy the secret").click()
    expect(owner.factors.get_by_role("status")).to_have_text(re.compile("^It could not be copied"))


# -- recovery codes -----------------------------------------------------------------------------------


def codes_of(owner: Owner) -> list[str]:
    return owner.factors.locator("[part=codes] code").all_inner_texts()


def test_recovery_codes_are_shown_once(owner: Owner, tmp_path: Path) -> None:
    """They can be kept as a text; when they are dismissed they are nowhere in the browser."""
    owner.world.enrolled(owner.who, "Phone")
    owner.page.reload()
    owner.button("Make recovery codes").click()
    owner.button("Make new codes").click()
    owner.prove()
    expect(owner.factors.get_by_role("heading", name="Recovery codes")).to_be_focused()
    codes = codes_of(owner)
    assert len(codes) == len(set(codes)) == 10
    with owner.page.expect_download() as found:
        owner.button("Download as text").click()
    assert found.value.suggested_filename.startswith("recovery-codes-localhost-")
    found.value.save_as(tmp_path / "codes.txt")
    lines = (tmp_path / "codes.txt").read_text(encoding="utf-8").splitlines()
    assert lines[2:12] == codes
    assert lines[0].startswith(f"Recovery codes for {owner.world.site.removeprefix('http://')}, made ")
    owner.page.evaluate("() => { Clipboard.prototype.writeText = async (text) => { globalThis.copied = text; }; }")
    owner.button("Copy the codes").click()
    expect(owner.factors.get_by_role("status")).to_have_text("Copied.")
    assert owner.page.evaluate("copied") == "\n".join(codes)

    owner.button("I have kept them").click()
    expect(owner.factors.get_by_role("status")).to_have_text("The codes are not shown any more.")
    expect(owner.button("Replace the recovery codes")).to_be_focused()
    left = owner.inside("stepup-factors")
    assert not [code for code in codes if code in left]
    assert owner.page.evaluate("[localStorage.length, sessionStorage.length, location.href.includes('-')]") == [
        0,
        0,
        False,
    ]
    assert owner.called("POST factors/recovery_code") == 2
    expect(owner.button("Remove Recovery codes")).to_be_visible()
    expect(owner.button("Rename Recovery codes")).to_have_count(0)


def test_recovery_codes_are_replaced_as_a_set(owner: Owner) -> None:
    """New ones, in place of the old; the page is told that they were replaced."""
    owner.world.enrolled(owner.who, "Phone")
    owner.page.reload()
    owner.hears()
    sets: list[list[str]] = []
    for name in ("Make recovery codes", "Replace the recovery codes"):
        owner.button(name).click()
        owner.button("Make new codes").click()
        owner.prove()
        expect(owner.factors.locator("[part=codes]")).to_be_visible()
        sets.append(codes_of(owner))
        owner.button("I have kept them").click()
    assert not set(sets[0]) & set(sets[1])
    assert [method for method, _ in owner.world.factors(owner.who)] == ["recovery_code", "totp"]
    assert [one["change"] for one in owner.heard] == ["added", "replaced"]


def test_codes_that_cannot_be_made_say_why(owner: Owner) -> None:
    """There is nothing yet that they could stand for."""
    owner.button("Make recovery codes").click()
    owner.button("Make new codes").click()
    alert = owner.factors.get_by_role("group").get_by_role("alert")
    expect(alert).to_have_text("For this you first need a way to confirm that can be used already.")


# -- another name, and away ---------------------------------------------------------------------------


def test_another_name_is_given_with_the_keyboard_alone(owner: Owner) -> None:
    """Enter opens and saves, Escape leaves; the focus comes back, and nobody is asked for proof."""
    owner.world.enrolled(owner.who, "Phone")
    owner.page.reload()
    owner.button("Rename Phone").focus()
    owner.page.keyboard.press("Enter")
    field = owner.factors.get_by_label("New name of Phone")
    expect(field).to_be_focused()
    owner.page.keyboard.type("Not this")
    owner.page.keyboard.press("Escape")
    expect(owner.button("Rename Phone")).to_be_focused()
    owner.page.keyboard.press("Enter")
    owner.page.keyboard.type("Old phone")
    owner.page.keyboard.press("Enter")
    expect(owner.button("Rename Old phone")).to_be_focused()
    expect(owner.factors.get_by_role("status")).to_have_text("Old phone has its new name.")
    assert owner.world.factors(owner.who) == [("totp", "Old phone")]
    assert len([made for made in owner.made if made.startswith("PATCH")]) == 1


def test_a_row_that_is_being_edited_stays_when_others_change(owner: Owner) -> None:
    """What is typed is not lost to a refresh."""
    for label in ("Phone", "Tablet"):
        owner.world.enrolled(owner.who, label)
    owner.page.reload()
    owner.button("Rename Phone").click()
    field = owner.factors.get_by_label("New name of Phone")
    field.fill("Half a na")
    listed = owner.world.gate.factors.list(owner.world.context(owner.who))
    tablet = next(one.id for one in listed if one.label == "Tablet")
    owner.world.gate.factors.rename(owner.world.context(owner.who), tablet, "Slate")
    owner.page.evaluate("document.dispatchEvent(new Event('stepup:changed'))")
    expect(owner.button("Rename Slate")).to_be_visible()
    expect(field).to_have_value("Half a na")
    expect(field).to_be_focused()


def test_removal_is_asked_for_and_can_be_called_off(owner: Owner) -> None:
    """Called off, all is as it was; proved, it is done once; the focus stays among the rows."""
    for label in ("Phone", "Tablet"):
        owner.world.enrolled(owner.who, label)
    owner.page.reload()
    owner.hears()
    owner.button("Remove Phone").click()
    expect(owner.dialog).to_be_visible()
    named = owner.dialog.get_by_role("definition").filter(has_text="Authenticator app: Phone")
    expect(named).to_have_text([re.compile(r"^Authenticator app: Phone \(totp_\w+\)$"), "Authenticator app: Phone"])
    owner.page.keyboard.press("Escape")
    expect(owner.factors.get_by_role("status")).to_have_text("Nothing was changed.")
    expect(owner.button("Remove Phone")).to_be_focused()
    assert owner.world.factors(owner.who) == [("totp", "Phone"), ("totp", "Tablet")]
    assert owner.heard == []

    owner.button("Remove Phone").click()
    owner.prove()
    expect(owner.factors.get_by_role("status")).to_have_text("Phone was removed.")
    expect(owner.button("Remove Tablet")).to_be_focused()
    assert owner.world.factors(owner.who) == [("totp", "Tablet")]
    assert [(one["change"], one["method"]) for one in owner.heard] == [("removed", "totp")]
    assert len([made for made in owner.made if made.startswith("DELETE factors/")]) == 3

    owner.button("Remove Tablet").click()
    owner.prove()
    expect(owner.factors.get_by_role("status")).to_have_text("Tablet was removed.")
    assert owner.world.factors(owner.who) == []
    expect(owner.factors.get_by_role("heading", name="Ways to confirm", exact=True)).to_be_focused()


def test_what_was_removed_elsewhere_meanwhile_is_not_there(owner: Owner) -> None:
    """It is said, and the list is read again."""
    gone = owner.world.enrolled(owner.who, "Phone")
    owner.page.reload()
    owner.page.route(f"**/stepup/factors/{gone}", lambda route: route.fulfill(status=404, json={"code": "bad_request"}))
    owner.button("Remove Phone").click()
    expect(owner.factors.get_by_role("alert")).to_have_text("It is not there any more.")


def test_other_tabs_see_it_too(owner: Owner) -> None:
    """A change in one tab is read in another."""
    owner.world.enrolled(owner.who, "Phone")
    owner.page.reload()
    other: Page = opened(owner.context, owner.world.site, owner.troubles)
    expect(other.get_by_role("button", name="Rename Phone")).to_be_visible()
    owner.button("Rename Phone").click()
    owner.factors.get_by_label("New name of Phone").fill("Old phone")
    owner.button("Save").click()
    expect(other.get_by_role("button", name="Rename Old phone")).to_be_visible()


# -- events -------------------------------------------------------------------------------------------


def test_events_are_told_in_words_newest_first_and_page_back(owner: Owner) -> None:
    """What, how, where and when; older ones on demand, until there are no more."""
    made = owner.world.enrolled(owner.who, "Phone")
    for number in range(7):
        owner.world.gate.factors.rename(owner.world.context(owner.who), made, f"Phone {number}")
    owner.page.reload()
    rows = owner.events.get_by_role("listitem")
    expect(rows).to_have_count(5)
    expect(rows.first).to_contain_text("A way to confirm was changed")
    expect(rows.first).to_contain_text("Authenticator app")
    expect(rows.first.locator("time")).to_have_attribute("title", re.compile(r"20\d\d"))
    owner.button("Show older events").click()
    expect(owner.events.get_by_role("status")).to_have_text("5 older events are shown.")
    expect(rows).to_have_count(10)
    expect(owner.button("Show older events")).to_be_focused()
    owner.button("Show older events").click()
    expect(owner.button("Show older events")).to_have_count(0)
    expect(rows.nth(10)).to_be_focused()
    kinds = rows.locator("[part=name]").all_inner_texts()
    assert kinds[:8] == ["A way to confirm was changed"] * 7 + ["A way to confirm was added"]
    assert kinds[-1] == "You were asked to confirm"


def test_events_are_read_again_when_something_was_proved(owner: Owner) -> None:
    """A wrong answer and a right one, to a call of the page; older events that were asked for stay."""
    expect(owner.events.get_by_text("Nothing has happened yet.")).to_be_visible()
    owner.page.evaluate("() => void stepup.fetch('/do', {method: 'POST'})")
    owner.dialog.get_by_role("tab", name="Password").click()
    field = owner.dialog.get_by_label("Your password")
    field.fill("not it")
    field.press("Enter")
    expect(owner.dialog.get_by_role("alert")).not_to_be_empty()
    owner.prove()
    wrong = owner.events.get_by_role("listitem").filter(has_text="An answer was refused")
    expect(wrong).to_contain_text("Refused")
    expect(wrong).to_contain_text("Delete organization")
    expect(wrong).to_contain_text("organization org_7")
    expect(wrong).to_contain_text("Password")
    expect(wrong).to_contain_text("127.0.0.1")
    expect(owner.events.get_by_text("You confirmed")).to_be_visible()


# -- devices ------------------------------------------------------------------------------------------


def test_a_server_without_devices_says_so_plainly(owner: Owner) -> None:
    """And not as an error that could be tried again."""
    owner.page.route("**/stepup/devices", lambda route: route.fulfill(status=404, json={"code": "bad_request"}))
    owner.page.reload()
    expect(owner.devices.get_by_text("This is not available here.")).to_be_visible()
    expect(owner.devices.get_by_role("alert")).to_be_empty()
    expect(owner.devices.get_by_role("button")).to_have_count(0)


def test_what_needs_proof_to_be_seen_is_asked_for_only_by_a_click(owner: Owner) -> None:
    """No dialog comes by itself; after the proof it is shown, and what is read later without it is not."""
    site = Devices(owner, device("d1", "Chrome on Linux"))
    expect(owner.button("Forget Chrome on Linux")).to_be_visible()
    site.guarded = True
    owner.page.reload()
    expect(owner.devices.get_by_text("Confirm that it is you to see this.")).to_be_visible()
    expect(owner.devices.get_by_role("alert")).to_be_empty()
    expect(owner.dialog).to_be_hidden()
    owner.devices.get_by_role("button", name="Confirm and show").click()
    expect(owner.dialog).to_be_visible()
    owner.page.keyboard.press("Escape")
    expect(owner.devices.get_by_role("status")).to_have_text("Nothing was changed.")
    owner.devices.get_by_role("button", name="Confirm and show").click()
    owner.dialog.get_by_role("tab", name="Password").click()
    owner.prove()
    expect(owner.button("Forget Chrome on Linux")).to_be_visible()
    expect(owner.devices.get_by_role("heading")).to_be_focused()
    expect(owner.devices.get_by_role("button", name="Confirm and show")).to_be_hidden()
    owner.world.clock.advance(3600)
    owner.page.evaluate("document.dispatchEvent(new Event('stepup:changed'))")
    expect(owner.devices.get_by_text("Confirm that it is you to see this.")).to_be_visible()
    expect(owner.button("Forget Chrome on Linux")).to_have_count(0)


def test_devices_are_listed_renamed_and_forgotten(owner: Owner) -> None:
    """This one first, then by when they were used; the focus stays among the rows."""
    site = Devices(
        owner, device("d1", "Chrome on Linux", used=None), device("d2", ""), device("d3", "MacBook", current=True)
    )
    rows = owner.devices.get_by_role("listitem")
    expect(rows).to_have_count(3)
    assert rows.locator("[part=name]").all_inner_texts() == ["MacBook\nThis device", "A device", "Chrome on Linux"]
    expect(rows.first).to_contain_text("Remembered 1 Jun 2026")
    owner.button("Rename A device").click()
    owner.devices.get_by_label("New name of A device").fill("Tablet")
    owner.button("Save").click()
    expect(owner.button("Rename Tablet")).to_be_focused()
    owner.button("Forget Tablet").click()
    expect(owner.devices.get_by_role("status")).to_have_text("Tablet was forgotten.")
    expect(owner.button("Forget Chrome on Linux")).to_be_focused()
    assert site.asked == [("PATCH", "d2", {"label": "Tablet"}), ("DELETE", "d2", {})]


def test_all_devices_are_forgotten_after_a_question(owner: Owner) -> None:
    """The way out has the focus; without a yes nothing is sent."""
    site = Devices(owner, device("d1", "Chrome on Linux"), device("d2", "MacBook", current=True))
    owner.hears()
    owner.button("Forget all devices").click()
    expect(owner.button("Cancel")).to_be_focused()
    owner.button("Cancel").click()
    expect(owner.button("Forget all devices")).to_be_focused()
    assert site.asked == []
    owner.button("Forget all devices").click()
    owner.button("Yes, forget all").click()
    expect(owner.devices.get_by_role("status")).to_have_text("All devices were forgotten.")
    expect(owner.devices.get_by_text("No device is remembered.")).to_be_visible()
    expect(owner.devices.get_by_role("heading", name="Remembered devices")).to_be_focused()
    assert site.asked == [("DELETE", "", {})]
    assert owner.heard == [{"what": "device", "change": "all_forgotten"}]


# -- when the person is not the one any more -----------------------------------------------------------


def test_nothing_of_a_person_stays_when_they_have_signed_out(owner: Owner) -> None:
    """In this tab or another: the next reading says to sign in, and what was shown, a secret above all, goes."""
    owner.world.enrolled(owner.who, "Phone of Olivia")
    owner.page.reload()
    expect(owner.factors).to_contain_text("Phone of Olivia")
    expect(owner.events.get_by_role("listitem").first).to_be_visible()
    begun(owner, "Add an authenticator app", "Tablet")
    owner.prove()
    secret = secret_of(owner)
    owner.context.clear_cookies()
    owner.page.evaluate("document.dispatchEvent(new CustomEvent('stepup:changed'))")
    for element in (owner.factors, owner.events):
        expect(element.get_by_role("link", name="Sign in again")).to_be_visible()
        expect(element.get_by_role("listitem")).to_have_count(0)
        expect(element.get_by_role("alert")).to_have_text("For this you have to sign in again.")
    assert secret not in owner.inside("stepup-factors").replace(" ", "")
    assert "Phone of Olivia" not in owner.inside("stepup-factors")


def test_a_page_that_comes_back_from_memory_reads_again(owner: Owner) -> None:
    """Back after signing out shows the page as it was; its elements ask whether it still is so."""
    owner.world.enrolled(owner.who, "Phone of Olivia")
    owner.page.reload()
    expect(owner.factors).to_contain_text("Phone of Olivia")
    owner.context.clear_cookies()
    owner.page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    expect(owner.factors.get_by_role("link", name="Sign in again")).to_be_visible()
    assert "Phone of Olivia" not in owner.inside("stepup-factors")


def test_a_name_is_text_wherever_it_stands(owner: Owner) -> None:
    """Markup and what turns text around, in rows, names of buttons, questions and messages."""
    name = '<img src=x onerror="globalThis.ran=1">\u202eenohp'
    owner.world.enrolled(owner.who, name)
    owner.page.reload()
    row = owner.factors.get_by_role("listitem").filter(has_text="<img src=x")
    row.get_by_role("button", name="Rename").click()
    field = row.get_by_role("textbox")
    field.fill("\u202eback<b>")
    field.press("Enter")
    expect(owner.factors.get_by_role("status")).to_contain_text("<b>")
    expect(owner.factors.get_by_role("textbox")).to_have_count(0)  # what is typed stands there until the row is drawn
    assert owner.page.evaluate("globalThis.ran") is None
    assert "\u202e" not in owner.inside("stepup-factors")

"""The dialog in a real browser: every method, every state, by keyboard, under the strictest policy."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from browser_states import STATES
from browser_visitor import Visitor, visit
from browser_world import PASSWORD, World
from playwright.sync_api import Browser, Route, expect

from stepup.event import EventType

WAITING = "Waiting for approval from somebody entitled: 0 of 1 so far. You can leave this open."

# -- each method ---------------------------------------------------------------------------


def test_a_password_lets_the_blocked_call_through_once(visitor: Visitor) -> None:
    """The caller sees one answer, that of the repeated call, with the token and a key of its own."""
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url.removeprefix(visitor.world.site)))
    visitor.call(init="{method: 'POST', body: 'a body', headers: {'content-type': 'text/plain'}}")
    expect(visitor.dialog).to_contain_text("Delete organization")
    expect(visitor.dialog).to_contain_text(f"{visitor.who}@northstar.example")
    expect(visitor.dialog).to_contain_text("org_7")
    expect(visitor.dialog).to_contain_text("For ever.")
    expect(visitor.dialog).to_contain_text("Critical")
    visitor.password()
    (answer,) = visitor.answers()
    assert answer["status"] == 200
    assert json.loads(answer["text"]) == {"did": "org.delete", "body": "a body"}
    (done,) = visitor.done
    assert done["headers"]["stepup-token"]
    assert len(done["headers"]["idempotency-key"]) == 32
    expect(visitor.dialog).to_be_hidden()
    calls = [one for one in asked if not one.startswith("/stepup/static/")]  # the dialog, when it is first needed
    assert [re.sub("stepup_[^/]+", "ID", one) for one in calls] == [
        "/do/org.delete", "/stepup/challenges", "/stepup/challenges/ID/attempts", "/do/org.delete",
    ]  # fmt: skip


def test_a_mailed_code_is_pasted_with_its_space(visitor: Visitor) -> None:
    """``123 456`` is six digits, and nothing of it is cut off."""
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.call()
    visitor.choose("Code by mail")
    visitor.dialog.get_by_role("button", name="Mail me a code").click()
    field = visitor.dialog.get_by_label("Code from the mail")
    expect(field).to_be_focused()
    expect(visitor.status).to_contain_text("A code is on its way to")
    again = visitor.page.locator("stepup-dialog [part=resend]")
    expect(again).to_contain_text("You can ask for another code in")
    expect(again).to_have_attribute("aria-disabled", "true")
    code = visitor.code()
    visitor.page.evaluate("text => navigator.clipboard.writeText(text)", f"{code[:3]} {code[3:]}")
    field.press("Control+v")
    assert field.input_value() == f"{code[:3]} {code[3:]}"
    field.press("Enter")
    assert visitor.answers()[0]["status"] == 200


def test_another_code_can_be_sent_once_the_wait_is_over(visitor: Visitor) -> None:
    """The button stays focusable while it waits, does nothing, and then sends the one code that counts."""
    visitor.page.clock.install()
    visitor.call()
    visitor.choose("Code by mail")
    visitor.dialog.get_by_role("button", name="Mail me a code").click()
    again = visitor.page.locator("stepup-dialog [part=resend]")
    expect(again).to_contain_text("You can ask for another code in")
    first = visitor.code()
    again.focus()
    visitor.page.keyboard.press("Enter")
    visitor.world.clock.advance(61)
    visitor.page.clock.run_for(61_000)
    expect(again).to_have_text("Nothing came? Send another code")
    expect(again).to_be_focused()
    with visitor.page.expect_response("**/methods/email_code"):
        again.click()
    expect(visitor.dialog.get_by_label("Code from the mail")).to_be_focused()
    visitor.dialog.get_by_label("Code from the mail").fill(visitor.code())
    assert visitor.code() != first
    visitor.primary.click()
    visitor.page.clock.run_for(1_000)
    assert visitor.answers()[0]["status"] == 200


def test_two_proofs_are_asked_one_after_the_other(visitor: Visitor) -> None:
    """After the first the dialog says so, and goes on with the other."""
    visitor.call("/do/key.rotate")
    visitor.password()
    expect(visitor.status).to_have_text("Password: done. One more proof is needed.")
    visitor.dialog.get_by_role("button", name="Mail me a code").click()
    visitor.dialog.get_by_label("Code from the mail").fill(visitor.code())
    visitor.primary.click()
    assert visitor.answers()[0]["status"] == 200


def test_waiting_for_an_approval_can_be_left(visitor: Visitor) -> None:
    """The state says what is waited for; whoever leaves and comes back finds the same request."""
    visitor.call("/do/by.approval")
    visitor.dialog.get_by_role("button", name="Ask for approval").click()
    expect(visitor.status).to_have_text(WAITING)
    expect(visitor.primary).to_have_attribute("aria-disabled", "true")
    visitor.dialog.get_by_role("button", name="Cancel", exact=True).click()
    assert visitor.answers() == [{"error": "StepUpCancelledError", "code": "cancelled", "text": "cancelled"}]
    asked = own(visitor)
    visitor.call("/do/by.approval")
    expect(visitor.status).to_have_text(WAITING)
    assert own(visitor) == asked
    assert len(asked) == 1


@pytest.mark.requirement("P-04")
def test_what_somebody_else_approves_is_collected(visitor: Visitor, world: World, browser: Browser) -> None:
    """The call goes on in the page that waits, once another person has approved it elsewhere."""
    visitor.call("/do/by.approval?role=owner")
    visitor.dialog.get_by_role("button", name="Ask for approval").click()
    expect(visitor.status).to_have_text(WAITING)
    seen = answered(visitor, world, browser, "approve")
    assert seen["params"] == [{"label": "role", "value": "owner"}]
    assert visitor.answers()[0]["status"] == 200
    assert [one["deed"] for one in world.done_by(visitor.who)] == ["by.approval"]


def test_what_was_approved_meanwhile_is_collected_when_the_dialog_opens(
    visitor: Visitor, world: World, browser: Browser
) -> None:
    """Whoever left comes back and is shown what was approved; the call goes through without another press."""
    visitor.call("/do/by.approval")
    visitor.dialog.get_by_role("button", name="Ask for approval").click()
    expect(visitor.status).to_have_text(WAITING)
    visitor.page.keyboard.press("Escape")
    answered(visitor, world, browser, "approve")
    visitor.call("/do/by.approval")
    expect(visitor.dialog).to_contain_text("Pay a lot")
    expect(visitor.status).to_have_text("Confirmed.")
    assert visitor.answers(2)[1]["status"] == 200
    assert len(visitor.done) == 1


@pytest.mark.parametrize("meanwhile", ["approved before", "approved after"])
def test_an_approval_among_other_proofs_needs_no_press_either(
    visitor: Visitor, world: World, browser: Browser, meanwhile: str
) -> None:
    """Approved before the password, or while the dialog waits for the last of it: it is collected by itself."""
    visitor.call("/do/by.two")
    visitor.fill()
    expect(visitor.status).to_have_text("Password: done. One more proof is needed.")
    visitor.dialog.get_by_role("button", name="Ask for approval").click()
    expect(visitor.status).to_have_text(WAITING)
    visitor.page.keyboard.press("Escape")
    visitor.answers()
    visitor.world.clock.advance(601)  # the password does not count for as long as an approval may take
    if meanwhile == "approved before":
        answered(visitor, world, browser, "approve")
    visitor.call("/do/by.two")
    expect(visitor.dialog.get_by_label("Your password")).to_be_visible()
    if meanwhile == "approved before":
        expect(visitor.status).to_have_text("Approval: done. One more proof is needed.")
        expect(visitor.dialog.get_by_role("tab", name="Approval")).to_have_count(0)
        visitor.fill()
    else:
        visitor.password()
        expect(visitor.status).to_have_text(WAITING)
        expect(visitor.primary).to_have_attribute("aria-disabled", "true")
        answered(visitor, world, browser, "approve")
    assert visitor.answers(2)[1]["status"] == 200
    assert len(visitor.done) == 1


def test_waiting_outlasts_the_network(visitor: Visitor, world: World, browser: Browser) -> None:
    """It says that nobody answers and asks again; once the network is back, what was approved is collected."""
    visitor.call("/do/by.approval")
    visitor.dialog.get_by_role("button", name="Ask for approval").click()
    expect(visitor.status).to_have_text(WAITING)
    visitor.context.set_offline(True)
    expect(visitor.status).to_have_text("The server does not answer at the moment. It is asked again.")
    expect(visitor.primary).to_have_attribute("aria-disabled", "true")
    answered(visitor, world, browser, "approve")
    visitor.context.set_offline(False)
    assert visitor.answers()[0]["status"] == 200


def test_a_request_can_be_taken_back_while_it_is_waited_for(visitor: Visitor) -> None:
    """Cancel leaves it standing, and says so; the other button takes it back. More time there is none."""
    visitor.call("/do/by.approval")
    visitor.dialog.get_by_role("button", name="Ask for approval").click()
    expect(visitor.status).to_have_text(WAITING)
    assert len(own(visitor)) == 1
    expect(visitor.dialog.get_by_text("leaves the request standing")).to_be_visible()
    expect(visitor.dialog.get_by_role("button", name="More time")).to_have_count(0)
    visitor.dialog.get_by_role("button", name="Cancel the request").click()
    assert visitor.answers() == [{"error": "StepUpCancelledError", "code": "cancelled", "text": "cancelled"}]
    expect(visitor.dialog).to_be_hidden()
    assert own(visitor) == []


def test_what_does_nothing_says_so_while_the_device_is_waited_for(visitor: Visitor) -> None:
    """The other ways and more time are closed for as long as that lasts."""
    STATES["device"](visitor)
    idle = [visitor.dialog.get_by_role("tab", name="Password"), visitor.dialog.get_by_role("button", name="More time")]
    for one in idle:
        expect(one).to_have_attribute("aria-disabled", "true")


def test_what_somebody_else_refuses_ends(visitor: Visitor, world: World, browser: Browser) -> None:
    """The dialog says so, and the call is not made."""
    visitor.call("/do/by.approval")
    visitor.dialog.get_by_role("button", name="Ask for approval").click()
    expect(visitor.status).to_have_text(WAITING)
    answered(visitor, world, browser, "deny")
    expect(visitor.dialog).to_contain_text("Somebody has refused this.")
    assert world.done_by(visitor.who) == []


def answered(visitor: Visitor, world: World, browser: Browser, decision: str) -> dict[str, Any]:
    """What somebody else saw of the person's request, and answered so."""
    boss = visit(world, browser, who=f"boss_{visitor.who}", enrolled=False)
    (seen,) = [one for one in inbox(boss) if one["requester"]["id"] == visitor.who]
    assert say(boss, seen["id"], decision) == 200
    boss.context.close()
    return seen


def own(visitor: Visitor) -> list[str]:
    """The ids of what the person waits for."""
    found: list[str] = visitor.page.evaluate(
        "async () => (await (await fetch('/stepup/approvals')).json()).own.map((one) => one.id)"
    )
    return found


def inbox(visitor: Visitor) -> list[dict[str, Any]]:
    """Every page of the person's inbox."""
    found: list[dict[str, Any]] = visitor.page.evaluate(
        """async () => {
          const all = [];
          for (let after = ""; after !== null; ) {
            const query = after ? `?after=${encodeURIComponent(after)}` : "";
            const page = await (await fetch(`/stepup/approvals${query}`)).json();
            all.push(...page.inbox);
            after = page.after;
          }
          return all;
        }"""
    )
    return found


def say(visitor: Visitor, request: str, decision: str) -> int:
    """Answer a request; the status of that."""
    status: int = visitor.page.evaluate(
        """async ([id, decision]) => (await stepup.fetch(`/stepup/approvals/${id}`, {
          method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify({decision}),
        })).status""",
        [request, decision],
    )
    return status


# -- what is typed -----------------------------------------------------------------------------


def test_a_wrong_answer_says_so_and_leaves_it_to_be_mended(visitor: Visitor) -> None:
    """The field is marked, selected and focused, and the number of tries left is said."""
    visitor.call()
    visitor.password("not it")
    expect(visitor.alert).to_have_text("That was not right. Check it, and try again. 4 tries are left.")
    field = visitor.dialog.get_by_label("Your password")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_be_focused()
    visitor.page.keyboard.type(PASSWORD)  # what was selected is replaced
    visitor.page.keyboard.press("Enter")
    assert visitor.answers()[0]["status"] == 200


@pytest.mark.parametrize(
    ("typed", "said"),
    [("", "Fill in"), ("12345", "too few"), ("123456789", "too many"), ("12345o", "digits only")],
)
def test_what_cannot_be_a_code_costs_no_try(visitor: Visitor, typed: str, said: str) -> None:
    """Nothing is sent, and the person is told what to look at."""
    visitor.call()
    visitor.choose("Code by mail")
    visitor.dialog.get_by_role("button", name="Mail me a code").click()
    sent: list[str] = []
    visitor.page.on("request", lambda request: sent.append(request.url))
    visitor.dialog.get_by_label("Code from the mail").fill(typed)
    visitor.primary.click()
    expect(visitor.alert).to_contain_text(said)
    assert sent == []


def test_another_method_and_another_action_clear_what_was_typed(visitor: Visitor) -> None:
    """A password does not wait in a field for whatever is asked next."""
    visitor.call()
    visitor.choose("Password")
    visitor.dialog.get_by_label("Your password").fill("half a pass")
    visitor.choose("Code by mail")
    visitor.choose("Password")
    assert visitor.dialog.get_by_label("Your password").input_value() == ""
    visitor.dialog.get_by_label("Your password").fill("half a pass")
    visitor.page.keyboard.press("Escape")
    visitor.answers()
    visitor.call("/do/member.role")
    visitor.choose("Password")
    assert visitor.dialog.get_by_label("Your password").input_value() == ""


@pytest.mark.requirement("W-05")
def test_a_password_is_hidden_and_can_be_pasted(visitor: Visitor) -> None:
    """A long one with spaces at its ends goes through the clipboard as it is; nothing is cut off, refused or shown."""
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.call()
    visitor.choose("Password")
    field, long = visitor.dialog.get_by_label("Your password"), f" {'quiet heron ' * 40}42 "
    expect(field).to_have_attribute("type", "password")
    visitor.page.evaluate("text => navigator.clipboard.writeText(text)", long)
    field.press("Control+v")
    assert field.input_value() == long
    with visitor.page.expect_request("**/attempts") as sent:
        field.press("Enter")
    assert sent.value.post_data_json == {"method": "password", "response": long}
    expect(visitor.alert).to_contain_text("That was not right.")
    expect(field).to_have_attribute("type", "password")


def test_a_password_can_be_looked_at(visitor: Visitor) -> None:
    """The toggle says how it stands; managers find the name beside the password."""
    visitor.call()
    visitor.choose("Password")
    field, toggle = visitor.dialog.get_by_label("Your password"), visitor.dialog.get_by_role("button", name="Show")
    expect(field).to_have_attribute("autocomplete", "current-password")
    toggle.click()
    expect(toggle).to_have_attribute("aria-pressed", "true")
    expect(field).to_have_attribute("type", "text")
    name = visitor.page.locator("stepup-dialog input[autocomplete=username]")
    assert name.input_value() == f"{visitor.who}@northstar.example"


def test_remembering_the_device_is_offered_where_policy_allows_it(visitor: Visitor) -> None:
    """The choice goes with the answer; where it is not allowed there is none."""
    visitor.call()
    visitor.choose("Password")
    visitor.dialog.get_by_label("Remember this device").check()
    with visitor.page.expect_request("**/attempts") as asked:
        visitor.fill()
    assert asked.value.post_data_json == {"method": "password", "response": PASSWORD, "rememberDevice": True}
    visitor.answers()
    visitor.call("/do/note.edit")
    expect(visitor.dialog.get_by_label("Your password")).to_be_visible()
    expect(visitor.dialog.get_by_label("Remember this device")).to_have_count(0)


def test_the_wish_to_be_remembered_outlives_the_way_to_it(visitor: Visitor) -> None:
    """Another tab, a code that is sent, more time: the tick stays, and the device is remembered by what finishes."""
    visitor.call()
    visitor.choose("Password")
    tick = visitor.dialog.get_by_label("Remember this device")
    tick.check()
    visitor.choose("Code by mail")
    expect(tick).to_be_checked()
    visitor.primary.click()
    expect(visitor.dialog.get_by_label("Code from the mail")).to_be_focused()
    expect(tick).to_be_checked()
    visitor.dialog.get_by_label("Code from the mail").fill(visitor.code())
    visitor.primary.click()
    assert visitor.answers()[0]["status"] == 200
    visitor.until(EventType.DEVICE_REMEMBERED)
    visitor.call()
    visitor.choose("Password")
    expect(tick).not_to_be_checked()  # it was for that one


def test_the_wish_to_be_remembered_goes_with_the_last_of_two_proofs(visitor: Visitor) -> None:
    """The tick of the first panel is there on the second, and may be taken back there."""
    visitor.call("/do/key.rotate")
    tick = visitor.dialog.get_by_label("Remember this device")
    tick.check()
    visitor.fill()
    expect(visitor.status).to_have_text("Password: done. One more proof is needed.")
    expect(tick).to_be_checked()
    visitor.primary.click()
    visitor.dialog.get_by_label("Code from the mail").fill(visitor.code())
    visitor.primary.click()
    assert visitor.answers()[0]["status"] == 200
    visitor.until(EventType.DEVICE_REMEMBERED)


def test_remembering_is_not_offered_where_it_does_nothing(visitor: Visitor) -> None:
    """Not with a recovery code, and not with approval alone."""
    visitor.apps = visitor.world.app_of(visitor.who)
    tick = visitor.dialog.get_by_label("Remember this device")
    visitor.call("/do/safe.open")
    visitor.choose("Authenticator app")
    expect(tick).to_be_visible()
    visitor.choose("Recovery code")
    expect(visitor.dialog.get_by_label("One of your recovery codes")).to_be_visible()
    expect(tick).to_have_count(0)
    visitor.page.keyboard.press("Escape")
    visitor.call("/do/by.approval")
    expect(visitor.dialog.get_by_role("button", name="Ask for approval")).to_be_visible()
    expect(tick).to_have_count(0)


def test_nothing_is_sent_twice(visitor: Visitor) -> None:
    """While an answer is on its way, the button says so and takes no other."""
    visitor.call()
    visitor.choose("Password")
    sent: list[str] = []
    visitor.page.on("request", lambda request: sent.append(request.url))
    held: list[Route] = []
    visitor.page.route("**/attempts", lambda route: held.append(route))
    visitor.fill()
    expect(visitor.primary).to_have_text("Checking…")
    expect(visitor.primary).to_have_attribute("aria-disabled", "true")
    visitor.primary.click(force=True)
    visitor.page.keyboard.press("Enter")
    assert len([one for one in sent if one.endswith("/attempts")]) == 1
    held[0].continue_()
    assert visitor.answers()[0]["status"] == 200


# -- by keyboard -------------------------------------------------------------------------------


def test_a_whole_journey_by_keyboard(visitor: Visitor) -> None:
    """The heading has the focus; tab, arrows and Enter do the rest; the focus goes back to where it was."""
    page = visitor.page
    page.evaluate(
        "() => document.querySelector('#go').addEventListener('click', () => stepup.fetch('/do/org.delete',"
        " {method: 'POST'}).then((r) => { globalThis.answers = [r.status]; }))"
    )
    page.locator("#go").focus()
    page.keyboard.press("Enter")
    expect(visitor.dialog.get_by_role("heading", name="Confirm that it is you")).to_be_focused()
    expect(visitor.dialog.get_by_role("tab").first).to_be_visible()
    page.keyboard.press("Tab")
    expect(visitor.dialog.get_by_role("tab", name="Passkey")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(visitor.dialog.get_by_role("tab", name="Password")).to_be_focused()
    page.keyboard.press("End")
    expect(visitor.dialog.get_by_role("tab", name="Code by mail")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(visitor.dialog.get_by_role("tab", name="Passkey")).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(visitor.dialog.get_by_role("heading", name="Password")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    assert visitor.answers() == [200]
    expect(page.locator("#go")).to_be_focused()


# -- the end of it -----------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["Escape", "close request", "button"])
@pytest.mark.parametrize("state", STATES)
def test_calling_it_off_in_any_state_is_one_error(visitor: Visitor, state: str, how: str) -> None:
    """The caller gets ``StepUpCancelledError`` once, and nothing is done; what has been proved stays proved."""
    STATES[state](visitor)
    if how == "Escape":
        visitor.page.keyboard.press("Escape")
    elif how == "close request":  # the back gesture of a phone, or what a screen reader has for leaving
        visitor.page.evaluate(
            "document.querySelector('stepup-dialog').shadowRoot.querySelector('dialog').requestClose()"
        )
    else:
        visitor.dialog.get_by_role("button", name=re.compile("^(Cancel|Close)$")).click()
    visitor.context.set_offline(False)
    expect(visitor.dialog).to_be_hidden()
    (answer,) = visitor.answers()
    if state == "success":
        assert answer["status"] == 200
    else:
        assert answer == {"error": "StepUpCancelledError", "code": "cancelled", "text": "cancelled"}
        assert visitor.done == []


def test_an_answer_that_was_right_too_late_opens_nothing(visitor: Visitor) -> None:
    """Called off while the answer was on its way: the grant it gave is revoked."""
    held: list[Route] = []
    visitor.call("/do/member.role")
    visitor.choose("Password")
    visitor.page.route("**/attempts", lambda route: held.append(route))
    visitor.page.route("**/challenges/*", lambda route: route.abort())  # the other thing that would close it
    visitor.fill()
    expect(visitor.primary).to_have_text("Checking…")
    visitor.page.keyboard.press("Escape")
    assert visitor.answers()[0]["error"] == "StepUpCancelledError"
    with visitor.page.expect_response("**/grants/*") as revoked:
        held[0].continue_()
    assert revoked.value.status == 204


def test_too_many_wrong_answers_end_it_and_it_can_start_again(visitor: Visitor) -> None:
    """The last try closes the challenge; a new one can be had."""
    visitor.call("/do/bad.risk")
    visitor.password("not it")
    expect(visitor.alert).to_contain_text("1 try is left.")
    visitor.fill("not it either")
    expect(visitor.alert).to_have_text("Too many answers were wrong. Nothing was done.")
    expect(visitor.primary).to_be_focused()
    visitor.dialog.get_by_role("button", name="Start again").click()
    visitor.password()
    assert visitor.answers()[0]["status"] == 200


def test_what_nobody_can_do_says_where_to_go(visitor: Visitor) -> None:
    """A call that is denied asks nothing: the caller has the answer."""
    visitor.call("/do/by.nothing")
    (answer,) = visitor.answers()
    assert (answer["status"], json.loads(answer["text"])["code"]) == (403, "no_usable_method")
    expect(visitor.dialog).to_be_hidden()

"""Circumstances: two tabs, time that runs out, a clock that is wrong, no network, and those who mean harm."""

from __future__ import annotations

import json
import re

import pytest
from browser_visitor import Visitor, statuses, visit
from browser_world import PASSWORD, World
from playwright.sync_api import Browser, expect

from stepup.event import EventType

# -- tabs, time, the network ---------------------------------------------------------------------


def test_two_tabs_do_not_ask_for_the_same_at_once(visitor: Visitor) -> None:
    """The older one says where it goes on, and can take it back."""
    second = visitor.new_page()
    visitor.call("/do/org.delete")
    expect(visitor.dialog.get_by_role("tab").first).to_be_visible()
    visitor.call("/do/org.delete", page=second)
    expect(second.get_by_role("dialog").get_by_role("tab").first).to_be_visible()
    expect(visitor.alert).to_contain_text("in another tab or window")
    visitor.dialog.get_by_role("button", name="Start again").click()
    expect(second.get_by_role("dialog").get_by_role("alert")).to_contain_text("in another tab or window")
    visitor.password()
    assert statuses(visitor, 1) == [200]


def test_what_one_tab_proved_lets_the_other_go_on(visitor: Visitor) -> None:
    """Where the proof counts for the session, the tab that waited closes its dialog and makes its call."""
    second = visitor.new_page()
    visitor.call("/do/member.role")
    expect(visitor.dialog.get_by_role("tab").first).to_be_visible()
    visitor.call("/do/member.role", page=second)
    other = second.get_by_role("dialog")
    other.get_by_role("tab", name="Password").click()
    other.get_by_label("Your password").fill(PASSWORD)
    other.get_by_label("Your password").press("Enter")
    assert [one["status"] for one in visitor.answers(page=second)] == [200]
    assert statuses(visitor, 1) == [200]
    assert len(visitor.done) == 2


def test_offline_says_so_and_keeps_what_was_typed(visitor: Visitor) -> None:
    """Once the network is back, the same answer goes through."""
    visitor.call()
    visitor.choose("Password")
    visitor.dialog.get_by_label("Your password").fill(PASSWORD)
    visitor.context.set_offline(True)
    visitor.primary.click()
    expect(visitor.alert).to_contain_text("The server cannot be reached.")
    assert visitor.dialog.get_by_label("Your password").input_value() == PASSWORD
    visitor.context.set_offline(False)
    visitor.primary.click()
    assert statuses(visitor, 1) == [200]


@pytest.mark.parametrize("now", ["2001-01-01T00:00:00Z", "2049-01-01T00:00:00Z"])
def test_a_clock_that_is_wrong_does_not_matter(visitor: Visitor, now: str) -> None:
    """The time left is the server's, however wrong the computer's clock is."""
    visitor.page.clock.set_fixed_time(now)
    visitor.page.reload()
    visitor.page.wait_for_function("() => globalThis.stepup")
    visitor.call()
    expect(visitor.dialog.get_by_role("timer")).to_have_text("Time left: 5:00")
    visitor.password()
    visitor.page.wait_for_function("() => globalThis.answers.length")
    assert statuses(visitor, 1) == [200]


def test_time_runs_out_with_a_warning_and_more_can_be_had(visitor: Visitor) -> None:
    """A minute and twenty seconds are said aloud; more time keeps what was typed; the end says what to do."""
    page = visitor.page
    page.clock.install()
    visitor.call()
    visitor.choose("Password")
    visitor.dialog.get_by_label("Your password").fill(PASSWORD)
    page.clock.run_for(241_000)
    expect(visitor.status).to_have_text("60 seconds left. You can take more time.")
    page.clock.run_for(40_000)
    expect(visitor.status).to_have_text("20 seconds left. You can take more time.")
    with page.expect_response("**/stepup/challenges"):
        visitor.dialog.get_by_role("button", name="More time").click()
    expect(visitor.status).to_have_text("You have more time.")
    expect(visitor.dialog.get_by_role("timer")).to_contain_text("5:00")
    assert visitor.dialog.get_by_label("Your password").input_value() == PASSWORD
    page.clock.run_for(302_000)
    expect(visitor.alert).to_have_text("The time is over. Nothing was done.")
    visitor.dialog.get_by_role("button", name="Start again").click()
    visitor.password()
    expect(visitor.status).to_have_text("Confirmed.")
    page.clock.run_for(1_000)
    assert statuses(visitor, 1) == [200]


def test_what_is_locked_is_named_and_not_offered(visitor: Visitor) -> None:
    """After too many wrong answers a way has to wait: it is no tab, and the dialog says why."""
    visitor.call()
    visitor.choose("Password")
    for left in ("4 tries are", "3 tries are", "2 tries are", "1 try is"):
        visitor.fill("not it")
        expect(visitor.alert).to_contain_text(f"{left} left.")
    visitor.fill("not it")
    expect(visitor.alert).to_have_text("Too many answers were wrong. Nothing was done.")
    visitor.page.keyboard.press("Escape")
    visitor.call("/do/note.edit")
    (_, answer) = visitor.answers(2)
    assert (answer["status"], json.loads(answer["text"])["code"]) == (429, "locked_out")
    visitor.call()
    expect(visitor.dialog).to_contain_text("Password (locked after too many tries)")
    expect(visitor.dialog.get_by_role("tab", name="Password")).to_have_count(0)


def test_a_lock_that_comes_in_between_says_until_when(visitor: Visitor) -> None:
    """The answer is not looked at; when it would be stands there."""
    visitor.call()
    visitor.choose("Password")
    body = {"code": "locked_out", "retryAt": "2049-01-01T10:00:00Z"}
    visitor.page.route("**/attempts", lambda route: route.fulfill(status=429, json=body))
    visitor.fill()
    expect(visitor.alert).to_contain_text("Too many tries. You can try again at ")


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        (None, r"^Too many tries\. Choose another way, or ask for help\.$"),
        ("2049-01-01T10:00:00Z", r"You can try again at .*2049"),
    ],
)
def test_a_lock_names_no_time_that_is_not_there_and_a_day_that_is_not_today(
    visitor: Visitor, ends: str | None, said: str
) -> None:
    """A budget that is used up has no end worth waiting for; a time of another day has its date."""
    visitor.call()
    visitor.choose("Password")
    body = {"code": "locked_out", "retryAt": ends}
    visitor.page.route("**/attempts", lambda route: route.fulfill(status=429, json=body))
    visitor.fill()
    expect(visitor.alert).to_have_text(re.compile(said))


def test_a_challenge_of_another_session_can_be_asked_for_again(visitor: Visitor) -> None:
    """Where the session changed meanwhile, the same is asked in the one there is; where that fails too, it is said."""
    visitor.call()
    expect(visitor.dialog.get_by_role("tab").first).to_be_visible()
    visitor.choose("Password")
    visitor.page.route("**/attempts", lambda route: route.fulfill(status=404, json={"code": "challenge_not_found"}))
    with visitor.page.expect_response("**/stepup/challenges"):
        visitor.fill()
    expect(visitor.alert).to_have_text("This request is closed. Nothing was done.")
    visitor.page.unroute("**/attempts")
    visitor.dialog.get_by_role("button", name="Start again").click()
    visitor.choose("Password")
    visitor.context.clear_cookies(name="stepup")
    visitor.fill()
    assert statuses(visitor, 1) == [200]


def test_leaving_the_page_calls_it_off(visitor: Visitor) -> None:
    """The challenge is closed on the server, though the page is gone; back and forward show pages without a dialog."""
    page = visitor.page
    visitor.call()
    expect(visitor.dialog.get_by_role("tab").first).to_be_visible()
    page.goto(visitor.world.site + "/?second")
    visitor.until(EventType.CHALLENGE_CANCELLED)
    for go in (page.go_back, page.go_forward, page.go_back):
        go()
        page.wait_for_function("() => globalThis.stepup")
        assert page.locator("dialog[open]").count() == 0
    visitor.call("/do/member.role")
    visitor.password()
    assert statuses(visitor, 1) == [200]


def test_a_page_that_is_kept_for_the_way_back_comes_back_without_its_dialog(visitor: Visitor) -> None:
    """What a browser tells a page that it keeps (bfcache; none is to be had under test): the call is off, once."""
    visitor.call()
    expect(visitor.dialog.get_by_role("tab").first).to_be_visible()
    for kind in ("pagehide", "pageshow"):
        visitor.page.evaluate("(kind) => dispatchEvent(new PageTransitionEvent(kind, {persisted: true}))", kind)
    assert visitor.answers() == [{"error": "StepUpCancelledError", "code": "cancelled", "text": "cancelled"}]
    expect(visitor.dialog).to_be_hidden()
    visitor.until(EventType.CHALLENGE_CANCELLED)
    visitor.call()
    visitor.password()
    assert visitor.answers(2)[1]["status"] == 200


def test_the_way_back_within_a_page_leaves_the_dialog(visitor: Visitor) -> None:
    """An application's own history is its own: what the person was asked stays in front until they answer."""
    visitor.page.evaluate("() => history.pushState({}, '', '/?step')")
    visitor.call()
    expect(visitor.dialog.get_by_role("tab").first).to_be_visible()
    visitor.page.evaluate("() => history.back()")
    visitor.page.wait_for_url(visitor.world.site + "/")
    visitor.password()
    assert statuses(visitor, 1) == [200]


# -- safety -------------------------------------------------------------------------------------


def test_another_origin_is_called_as_ever_and_never_gets_the_token(world: World, browser: Browser) -> None:
    """Not by a call to it, though it answers like a blocked one; not by redirecting the first call, nor the second."""
    visitor = visit(world, browser, "/?open")
    world.foreign.clear()
    visitor.call(f"{world.elsewhere}/foreign")
    visitor.call("/away")
    assert statuses(visitor, 2) == [403, 403]
    expect(visitor.dialog).to_be_hidden()
    visitor.call("/once")
    visitor.password()
    assert visitor.answers(3)[2]["error"] == "TypeError"
    assert len(world.foreign) >= 2
    assert [one for one in world.foreign if "stepup-token" in one] == []
    assert [one for one in world.foreign if "stepup-token" in one.get("access-control-request-headers", "")] == []
    visitor.context.close()


@pytest.mark.requirement("B-06")
def test_nothing_is_kept_in_the_browser(visitor: Visitor) -> None:
    """No storage of any kind holds anything after a proof, and no address ever held an answer or a token."""
    seen: list[str] = []
    visitor.page.on("request", lambda request: seen.append(request.url))
    visitor.call()
    visitor.password()
    assert statuses(visitor, 1) == [200]
    kept = visitor.page.evaluate(
        "async () => [localStorage.length, sessionStorage.length, (await indexedDB.databases()).length, "
        "await caches.keys(), document.cookie, location.href]"
    )
    assert kept == [0, 0, 0, [], kept[4], visitor.world.site + "/"]
    assert "stepup" not in kept[4]  # ours are HttpOnly
    token = visitor.done[0]["headers"]["stepup-token"]
    assert [one for one in seen if PASSWORD in one or token in one] == []
    assert token not in visitor.page.content()


@pytest.mark.requirement("B-02")
def test_the_page_with_the_dialog_cannot_be_framed(visitor: Visitor) -> None:
    """A page that says ``frame-ancestors 'none'`` is blank in a frame: nobody lays anything over the dialog."""
    page = visitor.context.new_page()
    page.goto(visitor.world.elsewhere + "/frame")
    page.wait_for_function("() => document.querySelector('#f').contentDocument === null")
    assert page.frames[1].url.startswith("chrome-error:")


@pytest.mark.requirement("B-05")
def test_a_message_from_elsewhere_changes_nothing(visitor: Visitor) -> None:
    """Not from another window, not from another origin's channel; and what another tab says is asked of the server."""
    page = visitor.page
    visitor.call("/do/member.role")
    expect(visitor.dialog.get_by_role("tab").first).to_be_visible()
    key = page.evaluate(
        """async () => { const problem = await (await fetch('/do/member.role', {method: 'POST'})).json();
          return (await import('/stepup/static/pure.js')).bindingKey(problem); }"""
    )
    other = visitor.context.new_page()
    other.goto(visitor.world.elsewhere + "/foreign")
    lies = [{"what": what, "key": key} for what in ("opened", "verified")]
    send = (
        "(lies) => { const channel = new BroadcastChannel('stepup'); lies.forEach((one) => channel.postMessage(one)); }"
    )
    other.evaluate(send, lies)
    page.evaluate("(lies) => lies.forEach((one) => window.postMessage(one, '*'))", lies)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    second = visitor.new_page()
    with page.expect_response("**/preflight"):  # the one that was heard, of this origin: it is asked, and not believed
        second.evaluate(send, [None, 7, {"what": "verified"}, {"what": "verified", "key": key}])
    assert [one.removeprefix(visitor.world.site) for one in asked] == ["/stepup/preflight"]
    expect(visitor.alert).to_be_empty()
    expect(visitor.dialog).to_be_visible()
    visitor.password()
    assert statuses(visitor, 1) == [200]


def test_text_from_the_server_stays_text(visitor: Visitor) -> None:
    """Markup in what is shown is shown as it is."""
    visitor.call("/do/org.delete?org=%3Cimg%20src%3Dx%3E%3Cb%3E1")
    expect(visitor.dialog).to_contain_text("<img src=x><b>1")
    assert visitor.page.locator("stepup-dialog img").count() == 0

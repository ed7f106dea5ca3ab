"""What a page loads of the client, and when; and what is said where a part of it cannot be had."""

from __future__ import annotations

import re

import pytest
from browser_visitor import Visitor, statuses, visit
from browser_world import PASSWORD, World
from playwright.sync_api import Browser, Route, expect

CANCELLED = {"error": "StepUpCancelledError", "code": "cancelled", "text": "cancelled"}
NOT_REACHED = "The server cannot be reached. What you typed is still here. Try again when you are online."


def parts(visitor: Visitor) -> list[str]:
    """The modules that the page has loaded, by name."""
    return sorted(
        visitor.page.evaluate(
            "() => performance.getEntriesByType('resource').map((one) => one.name)"
            ".filter((name) => name.includes('/stepup/static/')).map((name) => name.split('/').at(-1))"
        )
    )


def without(visitor: Visitor, part: str) -> None:
    """From now on a part cannot be loaded."""
    visitor.page.route(f"**/static/{part}", lambda route: route.abort())


# -- when ------------------------------------------------------------------------------


def test_a_page_loads_the_dialog_when_a_call_is_blocked(visitor: Visitor) -> None:
    """Two files before; then the dialog, without what is only for some ways and some requests; that when needed."""
    page = ["pure.js", "stepup.js"]
    assert parts(visitor) == page
    visitor.page.evaluate("async () => { await stepup.fetch('/'); }")
    assert parts(visitor) == page
    visitor.call()
    visitor.choose("Password")
    dialog = sorted([*page, "api.js", "dialog.js", "dom.js", "style.js", "texts.js", "view.js"])
    assert parts(visitor) == dialog
    visitor.choose("Code by mail")
    expect(visitor.dialog.get_by_role("button", name="Mail me a code")).to_be_visible()
    assert parts(visitor) == sorted([*dialog, "mail.js"])
    visitor.page.keyboard.press("Escape")
    visitor.answers()
    visitor.call("/batch")
    expect(visitor.dialog).to_contain_text("These 2, each once")
    assert parts(visitor) == sorted([*dialog, "mail.js", "terms.js"])


def test_a_page_that_asks_by_itself_loads_no_dialog(visitor: Visitor) -> None:
    """Whoever takes ``stepup:required`` has a part of its own."""
    visitor.page.evaluate(
        "() => document.addEventListener('stepup:required', (e) => { e.preventDefault(); e.detail.cancel(); })"
    )
    visitor.call()
    assert visitor.answers() == [CANCELLED]
    assert parts(visitor) == ["pure.js", "stepup.js"]


# -- where it cannot be had --------------------------------------------------------------


@pytest.mark.parametrize("part", ["dialog.js", "view.js", "dom.js"])
def test_without_its_dialog_a_call_says_offline_and_the_next_asks(visitor: Visitor, part: str) -> None:
    """Nothing hangs, nothing is done; once the network is back, the next call opens the dialog."""
    without(visitor, part)
    visitor.call()
    visitor.call()
    assert visitor.answers(2) == [{"error": "StepUpError", "code": "offline", "text": "offline"}] * 2
    assert visitor.page.evaluate("async () => (await stepup.prove('note.edit')).error.code") == "offline"
    visitor.page.unroute(f"**/static/{part}")
    visitor.call()
    visitor.password()
    assert visitor.answers(3)[2]["status"] == 200
    assert len(visitor.done) == 1


@pytest.mark.parametrize("method", ["Code by mail", "Password"])
def test_a_way_whose_part_cannot_be_loaded_leaves_the_others(visitor: Visitor, method: str) -> None:
    """It is said, the way that was shown stays, and either it or the other leads on."""
    visitor.call()
    expect(visitor.dialog.get_by_role("heading", name="Passkey")).to_be_visible()
    without(visitor, "mail.js")
    visitor.choose("Code by mail")
    expect(visitor.alert).to_have_text(NOT_REACHED)
    expect(visitor.dialog.get_by_role("heading", name="Passkey")).to_be_visible()
    expect(visitor.dialog.get_by_role("tab", name="Passkey")).to_have_attribute("aria-selected", "true")
    expect(visitor.primary).to_have_text("Use your passkey")
    visitor.page.unroute("**/static/mail.js")
    visitor.choose(method)
    expect(visitor.alert).to_be_empty()
    if method == "Password":
        visitor.fill()
    else:
        visitor.primary.click()
        expect(visitor.dialog.get_by_label("Code from the mail")).to_be_focused()
        visitor.dialog.get_by_label("Code from the mail").fill(visitor.code())
        visitor.primary.click()
    assert statuses(visitor, 1) == [200]


@pytest.mark.parametrize(("path", "part"), [("/batch", "terms.js"), ("/do/by.approval", "approval.js")])
def test_what_cannot_be_shown_is_not_asked_for(visitor: Visitor, path: str, part: str) -> None:
    """A bundle whose list cannot be shown, the only way there is: it says so, takes no answer, and starts again."""
    without(visitor, part)
    visitor.call(path)
    expect(visitor.alert).to_have_text(NOT_REACHED)
    expect(visitor.dialog.get_by_role("heading")).to_have_count(1)
    expect(visitor.primary).to_be_focused()
    visitor.page.unroute(f"**/static/{part}")
    visitor.dialog.get_by_role("button", name="Start again").click()
    if part == "terms.js":
        expect(visitor.page.locator("stepup-dialog [part=items] li")).to_have_count(2)
        visitor.password()
        assert statuses(visitor, 1) == [200]
    else:
        expect(visitor.dialog.get_by_role("button", name="Ask for approval")).to_be_visible()


def test_where_the_next_way_cannot_be_loaded_the_first_is_not_sent_again(visitor: Visitor) -> None:
    """The password counts; the button then asks for the way that follows, and for that alone."""
    visitor.call("/do/key.rotate")
    without(visitor, "mail.js")
    visitor.password()
    expect(visitor.alert).to_have_text(NOT_REACHED)
    visitor.page.unroute("**/static/mail.js")
    sent: list[str] = []
    visitor.page.on("request", lambda request: sent.append(request.url))
    visitor.primary.click()
    expect(visitor.dialog.get_by_role("button", name="Mail me a code")).to_be_visible()
    assert [one for one in sent if one.endswith("/attempts")] == []
    visitor.primary.click()
    visitor.dialog.get_by_label("Code from the mail").fill(visitor.code())
    visitor.primary.click()
    assert statuses(visitor, 1) == [200]


def test_a_form_whose_part_cannot_be_loaded_goes_as_it_is(visitor: Visitor) -> None:
    """As without JavaScript: the server asks on a page of its own."""
    without(visitor, "forms.js")
    visitor.page.get_by_role("button", name="Send the form").click()
    visitor.page.wait_for_url("**/forms/org.delete")
    expect(visitor.page.get_by_role("heading", level=1)).to_be_visible()
    assert visitor.done == []


def test_called_off_while_the_dialog_is_on_its_way_none_opens(visitor: Visitor) -> None:
    """The caller has the reason at once, and the next call is asked for."""
    held: list[Route] = []
    visitor.page.route("**/static/dialog.js", lambda route: held.append(route))
    visitor.page.evaluate("() => { globalThis.gone = new AbortController(); }")
    with visitor.page.expect_request("**/static/dialog.js"):
        visitor.call(init="{method: 'POST', signal: gone.signal}")
    visitor.page.evaluate("() => gone.abort()")
    assert visitor.answers()[0]["error"] == "AbortError"
    held[0].continue_()
    visitor.page.wait_for_function("() => customElements.get('stepup-dialog')")
    assert visitor.page.locator("stepup-dialog").count() == 0
    visitor.call()
    visitor.password()
    assert visitor.answers(2)[1]["status"] == 200


# -- a page that is not as it should be ---------------------------------------------------


def test_a_dialog_that_is_taken_out_of_the_page_is_called_off(visitor: Visitor) -> None:
    """As an application does that replaces its whole page; the call ends, and so does the queue behind it."""
    visitor.call("/do/org.delete")
    expect(visitor.dialog.get_by_role("tab").first).to_be_visible()
    visitor.call("/do/member.role")
    visitor.page.evaluate("() => document.querySelector('stepup-dialog').remove()")
    assert visitor.answers() == [CANCELLED]
    visitor.password()
    assert visitor.answers(2)[1]["status"] == 200


def test_where_links_begin_does_not_make_another_site_ours(world: World, browser: Browser) -> None:
    """With a ``<base>`` that leads elsewhere, a path is another site's, and the whole address is still ours."""
    visitor = visit(world, browser, "/?open")
    world.foreign.clear()
    visitor.page.evaluate(
        "(href) => { const base = document.createElement('base'); base.href = href; document.head.append(base); }",
        f"{world.elsewhere}/",
    )
    visitor.call("/foreign")
    assert statuses(visitor, 1) == [403]
    assert len(world.foreign) == 1
    visitor.call(f"{world.site}/do/org.delete")
    visitor.password()
    assert visitor.answers(2)[1]["status"] == 200
    assert [one for one in world.foreign if "stepup-token" in one] == []
    visitor.context.close()


def test_an_answer_of_another_site_in_an_error_asks_nobody(visitor: Visitor) -> None:
    """``wrap`` looks where HTTP clients put the body, and where they say that it came from."""
    found = visitor.page.evaluate(
        """async (where) => {
          const data = {code: "verification_required", offer: "x", action: "org.delete"};
          const turns = [];
          const remove = stepup.wrap((headers) => {
            turns.push(Object.keys(headers));
            throw Object.assign(new Error("refused"), {request: {responseURL: where}, response: {data}});
          });
          return [await remove().catch((error) => error.message), turns];
        }""",
        f"{visitor.world.elsewhere}/foreign",
    )
    assert found == ["refused", [[]]]
    expect(visitor.dialog).to_be_hidden()


@pytest.mark.parametrize("name", ["method", "action", "enctype", "dataset"])
def test_a_form_may_have_a_field_of_any_name(visitor: Visitor, name: str) -> None:
    """A field stands in the place of the form's own property of that name, and it asks all the same."""
    visitor.page.evaluate("(name) => { document.querySelector('#form input').name = name; }", name)
    visitor.page.get_by_role("button", name="Send the form").click()
    visitor.password()
    visitor.page.wait_for_url("**/?done")
    assert [one["body"] for one in visitor.done] == [f"{name}=1"]


def test_a_request_keeps_what_it_says_of_cookies(visitor: Visitor) -> None:
    """``fetch`` is ``fetch``: a request that sends none sends none."""
    with visitor.page.expect_request("**/do/org.delete") as sent:
        visitor.page.evaluate(
            "async () => { await stepup.fetch(new Request('/do/org.delete', {method: 'POST', credentials: 'omit'})); }"
        )
    assert "cookie" not in sent.value.all_headers()


def test_other_tabs_are_told_no_token(visitor: Visitor) -> None:
    """What is asked and what was proved, and nothing that opens anything."""
    second = visitor.new_page()
    second.evaluate(
        """() => { globalThis.heard = [];
          new BroadcastChannel("stepup").addEventListener("message", ({data}) => heard.push(data)); }"""
    )
    visitor.call("/do/member.role?role=admin")
    visitor.password()
    assert statuses(visitor, 1) == [200]
    second.wait_for_function("() => heard.length === 2")
    heard = second.evaluate("heard")
    assert [(one["what"], sorted(one)) for one in heard] == [("opened", ["key", "what"]), ("verified", ["key", "what"])]
    told = str(heard)
    assert PASSWORD not in told
    assert not re.search(r"eyJ[\w-]+\.", told)
    assert visitor.done[0]["headers"].get("stepup-token", "no token") not in told

"""What becomes of blocked calls in a real browser: many at once, called off, repeated, a page's own part."""

from __future__ import annotations

import json
import re

import pytest
from browser_visitor import Visitor, statuses
from browser_world import PASSWORD
from playwright.sync_api import expect

CANCELLED = {"error": "StepUpCancelledError", "code": "cancelled", "text": "cancelled"}


# -- many at once --------------------------------------------------------------------------


def test_ten_calls_for_the_same_share_one_dialog(visitor: Visitor) -> None:
    """One proof that counts for minutes lets all ten through."""
    for _ in range(10):
        visitor.call("/do/member.role?role=admin")
    visitor.password()
    assert statuses(visitor, 10) == [200] * 10
    assert len(visitor.done) == 10
    expect(visitor.dialog).to_be_hidden()


def test_where_a_proof_is_good_once_each_call_is_asked_in_turn(visitor: Visitor) -> None:
    """Three deletions need three proofs, one after the other; who has waited is blocked anew first, for a new offer."""
    sent: list[str] = []
    visitor.page.on("request", lambda request: sent.append(request.url) if "/do/" in request.url else None)
    for _ in range(3):
        visitor.call()
    for many in (1, 2, 3):
        visitor.password()
        assert statuses(visitor, many) == [200] * many
    assert len(visitor.done) == 3
    assert len(sent) == 3 + 2 + 3
    expect(visitor.dialog).to_be_hidden()


def test_calls_for_different_things_queue(visitor: Visitor) -> None:
    """Each thing is shown and proved for itself; the second dialog comes when the first is over."""
    visitor.call("/do/org.delete?org=org_1")
    expect(visitor.dialog).to_contain_text("org_1")
    visitor.call("/do/org.delete?org=org_2")
    visitor.password()
    expect(visitor.dialog).to_contain_text("org_2")
    visitor.password()
    assert statuses(visitor, 2) == [200, 200]


def test_cancelling_ends_only_what_was_asked(visitor: Visitor) -> None:
    """Those who wait for the same are called off together; the others are asked next."""
    visitor.call("/do/org.delete?org=org_1")
    expect(visitor.dialog).to_contain_text("org_1")
    for org in ("org_1", "org_2"):
        with visitor.page.expect_response(re.compile(rf"/do/org\.delete\?org={org}$")):
            visitor.call(f"/do/org.delete?org={org}")
        visitor.page.evaluate("async () => { for (const _ of '12') await (await fetch('/')).text(); }")  # it has queued
    expect(visitor.dialog.get_by_role("tab").first).to_be_visible()
    visitor.page.keyboard.press("Escape")
    expect(visitor.dialog).to_contain_text("org_2")
    visitor.password()
    answers = visitor.answers(3)
    assert [one for one in answers if one.get("error")] == [CANCELLED, CANCELLED]
    assert len(visitor.done) == 1


# -- the caller's own signal, and bodies ------------------------------------------------------


def test_the_callers_signal_closes_the_dialog(visitor: Visitor) -> None:
    """Whoever calls off the call is heard while the dialog is open, and gets the reason given."""
    visitor.page.evaluate("() => { globalThis.gone = new AbortController(); }")
    visitor.call(init="{method: 'POST', signal: gone.signal}")
    expect(visitor.dialog).to_be_visible()
    visitor.page.evaluate("() => gone.abort()")
    assert visitor.answers()[0]["error"] == "AbortError"
    expect(visitor.dialog).to_be_hidden()


@pytest.mark.parametrize(
    "body", ["'text'", "new Blob(['text'])", "new URLSearchParams({a: 'text'})", "new TextEncoder().encode('text')"]
)
def test_a_body_is_sent_again_as_it_was(visitor: Visitor, body: str) -> None:
    """Text, files, forms and bytes are all repeated whole."""
    visitor.call(init=f"{{method: 'PUT', body: {body}}}")
    visitor.password()
    (answer,) = visitor.answers()
    assert json.loads(answer["text"])["body"] in {"text", "a=text"}


def test_a_stream_is_refused_before_anything_is_sent(visitor: Visitor) -> None:
    """It could not be sent twice."""
    sent: list[str] = []
    visitor.page.on("request", lambda request: sent.append(request.url))
    visitor.call(init="{method: 'POST', duplex: 'half', body: new Blob(['x']).stream()}")
    assert visitor.answers()[0]["error"] == "TypeError"
    assert sent == []


def test_what_is_refused_again_is_not_tried_again(visitor: Visitor) -> None:
    """Exactly one repetition: its answer is the caller's, whatever it is."""
    visitor.page.evaluate(
        "() => document.addEventListener("
        "'stepup:required', (e) => { e.preventDefault(); e.detail.complete('forged'); })"
    )
    visitor.call()
    (answer,) = visitor.answers()
    assert (answer["status"], json.loads(answer["text"])["code"]) == (403, "grant_invalid")
    expect(visitor.dialog).to_be_hidden()


# -- the page's own part ------------------------------------------------------------------------


def test_a_page_can_ask_by_itself(visitor: Visitor) -> None:
    """``stepup:required`` hands over the blocked call; ``cancel`` and ``complete`` end it, and no dialog opens."""
    visitor.page.evaluate(
        """(password) => document.addEventListener('stepup:required', async (event) => {
          event.preventDefault();
          const {problem, complete, cancel} = event.detail;
          if (globalThis.refuses) return cancel();
          const headers = {'content-type': 'application/json'};
          const send = (path, body) => fetch('/stepup/' + path, {method: 'POST', headers, body: JSON.stringify(body)});
          const post = async (path, body) => (await send(path, body)).json();
          const {challenge} = await post('challenges', {offer: problem.offer});
          const {grant} = await post(`challenges/${challenge.id}/attempts`, {method: 'password', response: password});
          complete(grant.token);
        })""",
        PASSWORD,
    )
    visitor.call()
    assert statuses(visitor, 1) == [200]
    visitor.page.evaluate("() => { globalThis.refuses = true; }")
    visitor.call()
    assert visitor.answers(2)[1] == CANCELLED
    expect(visitor.dialog).to_be_hidden()


def test_wrap_repeats_a_function_with_headers(visitor: Visitor) -> None:
    """Its first turn gets none; the second what proves; what it throws that is no blocked call is thrown."""
    visitor.page.evaluate(
        """() => {
          const remove = stepup.wrap((headers, id) => fetch('/do/org.delete?org=' + id, {method: 'POST', headers}));
          const axios = stepup.wrap(async (headers) => {
            const made = await fetch('/do/member.role', {method: 'POST', headers});
            if (!made.ok) throw {response: {data: await made.json()}};
            return made;
          });
          const broken = stepup.wrap(() => { throw new RangeError('its own'); });
          globalThis.answers = [];
          const keep = (r) => answers.push({status: r.status, error: r.message});
          remove('org_9').then(keep).then(() => axios()).then(keep).then(() => broken()).catch(keep);
        }"""
    )
    expect(visitor.dialog).to_contain_text("org_9")
    visitor.password()
    visitor.answers(1)
    visitor.password()
    assert visitor.answers(3) == [
        {"status": 200, "error": None}, {"status": 200, "error": None}, {"status": None, "error": "its own"},
    ]  # fmt: skip


def test_prove_gives_a_token_to_attach(visitor: Visitor) -> None:
    """For a call that was blocked, by its problem; the call that carries the token passes."""
    page = visitor.page
    page.evaluate(
        """async () => {
          globalThis.remove = (headers) => fetch('/do/org.delete', {method: 'POST', headers});
          const problem = await (await remove({})).json();
          stepup.prove(problem).then((made) => { globalThis.made = made; });
        }"""
    )
    visitor.password()
    page.wait_for_function("() => globalThis.made")
    assert page.evaluate("async () => [made.error, (await remove({'StepUp-Token': made.token})).status]") == [None, 200]


def test_prove_asks_before_a_call_where_the_application_lets_it(visitor: Visitor) -> None:
    """By the action alone; cancelled, denied, and not allowed to start so are errors by code, never exceptions."""
    page = visitor.page
    page.evaluate("() => { stepup.prove('note.edit').then((made) => { globalThis.made = made; }); }")
    visitor.fill()
    page.wait_for_function("() => globalThis.made")
    assert page.evaluate("[typeof made.token, made.error]") == ["string", None]
    assert page.evaluate("async () => (await stepup.prove('note.edit')).token") is None  # it is unlocked
    for action, code in (("by.nothing", "no_usable_method"), ("org.delete", "verification_required")):
        assert page.evaluate("async (action) => (await stepup.prove(action)).error.code", action) == code
    page.evaluate(
        """() => { globalThis.made = null;
          const resource = {type: 'note', id: 'n_1'};
          stepup.prove('note.edit', {resource}).then((made) => { globalThis.made = made; }); }"""
    )
    expect(visitor.dialog.get_by_label("Your password")).to_be_visible()
    page.keyboard.press("Escape")
    page.wait_for_function("() => globalThis.made")
    assert page.evaluate("[made.token, made.error.code, made.error instanceof stepup.StepUpCancelledError]") == [
        None, "cancelled", True,
    ]  # fmt: skip


def test_who_waited_passes_if_the_call_is_open_by_then(visitor: Visitor) -> None:
    """What was unlocked meanwhile is not asked for again, and is done once."""
    visitor.call("/do/org.delete")
    expect(visitor.dialog.get_by_role("tab").first).to_be_visible()
    visitor.call("/do/member.role")
    second = visitor.new_page()
    visitor.call("/do/member.role", page=second)
    other = second.get_by_role("dialog")
    other.get_by_role("tab", name="Password").click()
    other.get_by_label("Your password").fill(PASSWORD)
    other.get_by_label("Your password").press("Enter")
    assert [one["status"] for one in visitor.answers(page=second)] == [200]
    visitor.page.keyboard.press("Escape")
    assert visitor.answers(2) == [CANCELLED, {"status": 200, "text": visitor.answers(2)[1]["text"]}]
    assert [one["deed"] for one in visitor.done] == ["member.role", "member.role"]


def test_an_offer_that_is_too_old_is_had_anew(visitor: Visitor) -> None:
    """An offer lives ten minutes; starting again after that makes the call once more for a new one."""
    visitor.call()
    expect(visitor.dialog.get_by_role("tab").first).to_be_visible()
    visitor.world.clock.advance(601)
    visitor.password()
    expect(visitor.alert).to_have_text("The time is over. Nothing was done.")
    visitor.dialog.get_by_role("button", name="Start again").click()
    visitor.password()
    assert statuses(visitor, 1) == [200]
    assert len(visitor.done) == 1


def test_a_form_asks_and_goes_on(visitor: Visitor) -> None:
    """With ``data-stepup`` it needs no script of the page's own; cancelled, the page stays."""
    visitor.page.get_by_role("button", name="Send the form").click()
    expect(visitor.dialog.get_by_role("tab").first).to_be_visible()
    visitor.page.keyboard.press("Escape")
    expect(visitor.dialog).to_be_hidden()
    assert visitor.page.url == visitor.world.site + "/"
    visitor.page.get_by_role("button", name="Send the form").click()
    visitor.password()
    visitor.page.wait_for_url("**/?done")
    assert [one["body"] for one in visitor.done] == ["a=1"]

"""Asking somebody else without JavaScript: asking, leaving, coming back, collecting; each by plain forms."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from ceremony_world import FORM_PAGE, GRANT, RIGHT, Browser, Page, World, both_faces
from web_world import MARCUS, context

from stepup import Action, Actor, Context
from stepup._engine import approvals
from stepup.approval import Approvers, Choice
from stepup.requirement import all_of, any_of
from stepup.stores.memory import MemoryStore
from stepup.verifiers import Approval

ALONE = Action("payout.create", "Send a payout", risk=4, methods="approval")
EITHER = Action(
    "payout.either", "Send any payout", risk=4, methods=all_of(any_of("password", "email_code"), "approval")
)
BOTH = Action("payout.large", "Send a large payout", risk=4, methods=all_of("password", "approval"))
NAMED = {"amount": "9.00 EUR"}
INES = Actor("usr_ines")


def world_of(face: str = "sync", quorum: int = 1, store: Any = None) -> World:
    people = Approvers(people=[MARCUS.id, INES.id], step_up=False, quorum=quorum, called="a colleague <of yours>")
    return World(face, actions=(ALONE, BOTH, EITHER), more=(Approval(people),), store=store)


def boss(who: Actor = MARCUS) -> Context:
    return context(who, f"sess of {who.id}")


def say(world: World, choice: Choice = Choice.APPROVE, who: Actor = MARCUS, reason: str | None = None) -> None:
    """What a colleague says to the one request there is."""
    (request,) = world.run(approvals.inbox(world.core, boss(who), None, 10)).items
    world.run(approvals.answer(world.core, request.id, choice, boss(who), reason, None))


def inbox(world: World) -> int:
    return len(world.run(approvals.inbox(world.core, boss(), None, 10)).items)


def ask(browser: Browser, action: str = "payout.create") -> Page:
    """Press the button of the application, and the one of the page."""
    return browser.submit(browser.blocked(action, params=NAMED).form(method="approval"))


def collect(browser: Browser, shown: Page) -> Page:
    """Press the button that stands there once it was approved."""
    form = shown.form(method="approval")
    assert form["hidden"]["response"] == ""
    return browser.submit(form)


@both_faces
@pytest.mark.requirement("P-04")
def test_the_whole_way_without_javascript(face: str) -> None:
    """Asked by a button, told how it stands, collected by another button; the token is in the cookie, good once."""
    world = world_of(face)
    browser = Browser(world)

    first = browser.blocked("payout.create", params=NAMED)
    asked = browser.submit(first.form(method="approval"))
    again = browser.get(asked.links[0])
    say(world)
    there = browser.get(asked.links[0])
    end = collect(browser, there)

    assert "a colleague <of yours>" in first.text
    assert "JavaScript" not in first.text
    assert (asked.status, asked.alert) == (200, "")
    assert "Asked: a colleague <of yours>. Nobody has approved yet." in asked.text
    assert "You can answer until 12 June, 18:03:00 UTC (in 24 hours)." in asked.text
    assert [form["hidden"].get("method") for form in asked.forms] == [None]
    assert "Nobody has approved yet." in again.text
    assert "It was approved." in there.text
    assert "It is you" in end.text
    assert GRANT in browser.cookies
    assert browser.press("payout.create", params={"amount": "9000.00 EUR"}).status == 403
    assert GRANT not in browser.cookies, "it goes with the first post, whatever it asks for"


@both_faces
def test_what_was_approved_is_done_once(face: str) -> None:
    """The button of the application passes after it, and is blocked again after that."""
    world = world_of(face)
    browser = Browser(world)
    asked = ask(browser)
    say(world)
    collect(browser, browser.get(asked.links[0]))

    assert browser.press("payout.create", params=NAMED).status == 200
    assert browser.press("payout.create", params=NAMED).status == 403


@both_faces
def test_whoever_left_comes_back_by_the_same_button(face: str) -> None:
    """The blocked form leads to the request that stands; nobody is asked anew, and looking writes nothing."""
    world = world_of(face)
    browser = Browser(world)
    ask(browser)
    path, before = urlsplit(browser.addresses[-1]).path, world.events()

    blocked = browser.blocked("payout.create", params=NAMED)
    (form,) = blocked.forms
    found = browser.submit(form)

    assert "You have asked for it already." in blocked.text
    assert urlsplit(browser.addresses[-1]).path == path
    assert found.links == [f"{path}?{urlencode({'next': FORM_PAGE})}"]
    assert (inbox(world), world.events()) == (1, before)
    other = browser.blocked("payout.create", params={"amount": "10.00 EUR"})
    assert "You have asked for it already." not in other.text, "another amount is another request"


@both_faces
def test_own_proof_and_approval_in_either_order(face: str) -> None:
    """Asked first, proved while waiting, collected; collecting before the proof says that proof is needed."""
    world = world_of(face)
    browser = Browser(world)
    asked = ask(browser, "payout.large")
    say(world)
    early = collect(browser, browser.get(asked.links[0]))
    half = browser.submit(early.form(method="password"), RIGHT)
    end = collect(browser, half)

    assert early.alert.startswith("Fresh proof is needed")
    assert "Where it takes more than that, confirm the rest first." in early.text
    assert "Password: done." in half.text
    assert "It is you" in end.text
    assert browser.press("payout.large", params=NAMED).status == 200


def test_what_does_not_lead_on_any_more_is_not_asked_for() -> None:
    """One of two was enough, and is proved: what is left is the approval, and nothing to confirm before it."""
    world = world_of()
    browser = Browser(world)
    first = browser.blocked("payout.either", params=NAMED)
    half = browser.submit(first.form(method="password"), RIGHT)
    asked = browser.submit(half.form(method="approval", send="1"))
    say(world)
    there = browser.get(asked.links[0])

    assert {form["hidden"].get("method") for form in first.forms} == {"password", "email_code", "approval"}
    assert {form["hidden"].get("method") for form in half.forms} == {"approval", None}
    assert "It was approved." in there.text
    assert "confirm the rest" not in there.text
    assert "It is you" in collect(browser, there).text


def test_a_proof_does_not_wait_as_long_as_an_approval_may() -> None:
    """Proved when it was asked for, approved hours later: the page asks for the password once more."""
    world = world_of()
    browser = Browser(world)
    half = browser.submit(browser.blocked("payout.large", params=NAMED).form(method="password"), RIGHT)
    asked = browser.submit(half.form(method="approval", send="1"))
    address = asked.links[0]
    world.clock.advance(3 * 3600)
    say(world)
    later = browser.get(address)
    end = collect(browser, browser.submit(later.form(method="password"), RIGHT))

    assert "Password: done." in asked.text
    assert "Password: done." not in later.text
    assert "It is you" in end.text


@both_faces
def test_how_far_it_is_where_it_takes_two(face: str) -> None:
    """One of two is told as one of two; then it is there."""
    world = world_of(face, quorum=2)
    browser = Browser(world)
    asked = ask(browser)
    say(world)
    one = browser.get(asked.links[0])
    say(world, who=INES)
    two = browser.get(asked.links[0])

    assert "0 of 2 have approved." in asked.text
    assert "1 of 2 have approved." in one.text
    assert "It was approved." in two.text


@both_faces
def test_what_was_refused_says_why_and_has_no_form(face: str) -> None:
    """The reason is text, whatever is in it; there is nothing left to collect."""
    world = world_of(face)
    browser = Browser(world)
    asked = ask(browser)
    say(world, Choice.DENY, reason="<b>No such invoice</b>")
    found = browser.get(asked.links[0])

    assert (found.status, found.forms, found.links) == (403, [], [FORM_PAGE])
    assert "The reason given: <b>No such invoice</b>" in found.text
    assert not found.each("b")


def test_a_request_can_be_taken_back() -> None:
    """The button says what it does; the inbox is empty after it, and what was approved cannot be collected."""
    world = world_of()
    browser = Browser(world)
    asked = ask(browser)
    say(world)
    there = browser.get(asked.links[0])
    gone = browser.submit(there.form(cancel="1"))

    assert "Take the request back" in there.text
    assert "It was called off." in gone.text
    assert inbox(world) == 0
    assert "It was called off." in collect(browser, there).text
    assert GRANT not in browser.cookies


def test_asking_is_limited_and_says_so() -> None:
    """A minute apart, three in ten minutes: the page says until when."""
    world = world_of()
    browser = Browser(world)
    ask(browser)

    refused = browser.submit(browser.blocked("payout.create", params={"amount": "1"}).form(method="approval"))

    assert "You can try again from 18:04:00 UTC (in 60 seconds)." in refused.alert
    assert inbox(world) == 1


def test_nobody_has_approved_what_is_collected_too_early() -> None:
    """A form of one's own making collects nothing, and is told that it has to be approved."""
    world = world_of()
    browser = Browser(world)
    asked = ask(browser)
    address = urlsplit(asked.links[0]).path
    early = Page(browser.follow(browser.post(address, {"method": "approval", "response": "yes", "next": "/"})))

    assert early.alert == "Somebody else has to approve this action."
    assert GRANT not in browser.cookies


@pytest.mark.parametrize("fields", [{"method": "approval"}, {"response": "x"}, {"remember": "1"}, {"send": "1"}])
def test_looking_takes_no_other_field(fields: dict[str, str]) -> None:
    """A form that looks does nothing else."""
    browser = Browser(world_of())
    offer: dict[str, Any] = browser.blocked("payout.create", params=NAMED).forms[0]["hidden"]
    hidden = {"offer": offer["offer"], "look": "1", **fields}

    assert browser.post("/stepup/ceremony", hidden).status == 400


def test_rules_that_changed_end_a_request() -> None:
    """What was asked under other rules can be approved by nobody; the page says so, and has nothing to collect."""
    store = MemoryStore()
    browser = Browser(world_of(store=store))
    asked = ask(browser)
    browser.world = world_of(quorum=2, store=store)

    found = browser.get(asked.links[0])

    assert "Nobody can approve this any more. Take it back, and start again." in found.text
    assert [form["hidden"].get("cancel") for form in found.forms] == ["1"]
    assert "You have asked for it already." not in browser.blocked("payout.create", params=NAMED).text

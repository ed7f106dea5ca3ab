"""The first calls of a page without a session: each of several at once begins one, and the last to come back stays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser_visitor import Visitor, statuses, visit
from browser_world import PASSWORD, World
from playwright.sync_api import Browser, Route, expect

from stepup.event import EventType


@pytest.fixture
def stranger(world: World, browser: Browser) -> Iterator[Visitor]:
    """Somebody on a page that never touched the gate: no cookie of stepup's is there."""
    made = visit(world, browser, "/?bare")
    assert [one["name"] for one in made.context.cookies()] == ["who"]
    world.held.clear()
    yield made
    world.held.set()
    made.context.close()
    assert made.troubles == []


def session(visitor: Visitor) -> str:
    return next(one["value"] for one in visitor.context.cookies() if one["name"] == "stepup")


def overtake(visitor: Visitor, path: str) -> None:
    """Let the call come back that has been on its way since before there was a session: it brings another one."""
    before = session(visitor)
    with visitor.page.expect_response(f"**{path}"):
        visitor.world.held.set()
    assert session(visitor) != before


@pytest.mark.parametrize("action", ["member.role", "org.delete"])
def test_ten_at_once_are_asked_for_as_ever(stranger: Visitor, action: str) -> None:
    """For what is proved once for all of them, and for what is proved each time."""
    stranger.page.evaluate(
        """(path) => { globalThis.answers = [];
          for (let at = 0; at < 10; at += 1) stepup.fetch(path, {method: 'POST'}).then(
            async (r) => answers.push({status: r.status, text: await r.text()}), (e) => answers.push({error: e.name}));
        }""",
        f"/do/{action}?role=admin",
    )
    rounds = (10,) if action == "member.role" else range(1, 11)
    for many in rounds:
        stranger.password()
        assert statuses(stranger, many) == [200] * many
    assert len(stranger.done) == 10
    expect(stranger.dialog).to_be_hidden()


def test_a_session_that_was_overtaken_is_asked_for_anew(stranger: Visitor) -> None:
    """The person answers what they were shown, and that is what is opened: the dialog has gone on without them."""
    stranger.call("/do/note.edit?held")
    stranger.call("/do/member.role")
    stranger.choose("Password")
    overtake(stranger, "/do/note.edit?held")
    stranger.fill()
    expect(stranger.dialog).to_contain_text("Edit a note")
    stranger.fill()
    assert statuses(stranger, 2) == [200, 200]
    attempts = [one for one in stranger.world.events(stranger.who) if one.type is EventType.ATTEMPT]
    assert [(one.result, one.reason) for one in attempts[:3]] == [
        ("ok", None), ("ok", None), ("refused", "challenge_not_found"),
    ]  # fmt: skip


def test_a_code_that_was_sent_for_the_session_before_is_sent_again(stranger: Visitor) -> None:
    """It counts for that challenge alone; the person is told to have another one, and it costs no try."""
    stranger.call("/do/note.edit?held")
    stranger.call("/do/member.role")
    stranger.choose("Code by mail")
    stranger.primary.click()
    expect(stranger.dialog.get_by_label("Code from the mail")).to_be_focused()
    overtake(stranger, "/do/note.edit?held")
    stranger.dialog.get_by_label("Code from the mail").fill(stranger.code())
    stranger.primary.click()
    expect(stranger.status).to_have_text("You have more time. Have a new code sent.")
    stranger.world.clock.advance(61)
    first = stranger.code()
    stranger.primary.click()
    expect(stranger.dialog.get_by_label("Code from the mail")).to_be_focused()
    assert stranger.code() != first
    stranger.dialog.get_by_label("Code from the mail").fill(stranger.code())
    stranger.primary.click()
    expect(stranger.dialog).to_contain_text("Edit a note")
    assert statuses(stranger, 1) == [200]


@pytest.mark.parametrize("meanwhile", [False, True])
def test_a_passkey_is_asked_once_more(stranger: Visitor, meanwhile: bool) -> None:
    """Overtaken before the button was pressed, nobody notices; after the device was asked, it is asked anew."""
    stranger.authenticator()
    stranger.call("/do/note.edit?held")
    stranger.call("/do/member.role")
    expect(stranger.dialog.get_by_role("tab").first).to_be_visible()
    on_its_way: list[Route] = []
    if meanwhile:
        stranger.page.route("**/attempts", lambda route: on_its_way.append(route))
        with stranger.page.expect_request("**/attempts"):
            stranger.primary.click()
    overtake(stranger, "/do/note.edit?held")
    for one in on_its_way:
        one.continue_()
        stranger.page.unroute("**/attempts")
        expect(stranger.status).to_have_text("Your passkey was not used. Try again, or choose another way.")
    stranger.primary.click()
    expect(stranger.dialog).to_contain_text("Edit a note")
    assert statuses(stranger, 1) == [200]


def test_somebody_else_is_not_answered_for(stranger: Visitor) -> None:
    """Another person signed in meanwhile: what was typed for the one is not sent for the other."""
    stranger.call("/do/member.role")
    stranger.choose("Password")
    marcus = f"marcus{stranger.who[6:]}"
    stranger.context.add_cookies([{"name": "who", "value": marcus, "url": stranger.world.site}])
    sent: list[str] = []
    stranger.page.on("request", lambda request: sent.append(request.url))
    stranger.fill()
    expect(stranger.alert).to_have_text("This request is closed. Nothing was done.")
    assert len([one for one in sent if one.endswith("/attempts")]) == 1
    (attempt,) = [one for one in stranger.world.events(marcus) if one.type is EventType.ATTEMPT]
    assert (attempt.result, attempt.reason) == ("refused", "challenge_not_found")
    stranger.dialog.get_by_role("button", name="Start again").click()
    expect(stranger.dialog).to_contain_text(f"{marcus}@northstar.example")
    assert stranger.done == stranger.world.done_by(marcus) == []
    assert PASSWORD not in stranger.page.content()

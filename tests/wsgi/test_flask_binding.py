"""The session binding in Flask: which cookies are set, when, and what becomes of a proof when they change."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import g
from flask_world import ORIGIN, PEOPLE, Browser, World, cookies, organization, problem

from stepup import ConfigurationError, Context
from stepup.errors import InvalidInput

SESSION, DEVICE = "__Host-stepup", "__Host-stepup-device"


def value(browser: Browser, name: str = SESSION) -> str:
    cookie = browser.client.get_cookie(name, domain="app.northstar.example")
    assert cookie is not None
    return cookie.value


@pytest.mark.requirement("B-04")
def test_cookies_are_out_of_reach() -> None:
    """Of this very host, over TLS only, not for scripts, and not sent with other sites' posts."""
    blocked = World().browser().post("/orgs/org_7/delete")

    found = cookies(blocked)
    assert set(found) == {SESSION, DEVICE}
    for header in found.values():
        attributes = [part.strip() for part in header.split(";")[1:]]
        assert {"Path=/", "HttpOnly", "Secure", "SameSite=Lax"} <= set(attributes)
        assert not [one for one in attributes if one.lower().startswith("domain")]


def test_cookies_are_set_once() -> None:
    """The next request carries them, and has nothing to set; the response says that it depends on them."""
    browser = World().browser()
    first, second = browser.post("/orgs/org_7/delete"), browser.post("/orgs/org_7/delete")

    assert cookies(first)
    assert cookies(second) == {}
    assert "Cookie" in second.vary


def test_a_request_that_has_nothing_to_do_with_it_is_left_alone() -> None:
    """No question who it is, no cookie, no header."""
    asked: list[None] = []
    world = World({"user_of": lambda: asked.append(None)})
    answer = world.browser().get("/plain")

    assert answer.text == "nothing to guard"
    assert cookies(answer) == {}
    assert "Vary" not in answer.headers
    assert asked == []


def test_one_visit_a_request() -> None:
    """However often the gate is asked, who it is is asked once."""
    asked: list[None] = []

    def user_of() -> object:
        asked.append(None)
        return PEOPLE["usr_2048"]

    world = World({"user_of": user_of})

    @world.app.get("/twice")
    def twice() -> str:
        assert world.shim.context is world.shim.context
        world.shim.check("org.delete")
        return "twice"

    browser = Browser(world.app.test_client())
    assert len(cookies(browser.get("/twice"))) == 2
    assert len(asked) == 1


def test_requests_in_one_application_context_do_not_share_a_visit() -> None:
    """Tests often push an application context around their requests, which then share ``g``."""
    world = World()
    with world.app.app_context():
        olivia, marcus = world.browser("usr_2048"), world.browser("usr_4096")
        token = olivia.token(olivia.post("/orgs/org_7/delete"))

        assert problem(marcus.post("/orgs/org_7/delete", StepUp_Token=token)) == (403, "grant_invalid")
        assert [name for name in vars(g) if name.startswith("_stepup")]


def test_over_plain_http_in_development() -> None:
    """``secure=False`` takes what a browser would refuse there out of the cookies."""
    found = cookies(World({"secure": False}).browser().post("/orgs/org_7/delete"))

    assert set(found) == {"stepup", "stepup-device"}
    assert not [header for header in found.values() if "Secure" in header]


@pytest.mark.requirement("G-01")
def test_a_proof_renews_the_session() -> None:
    """The completed proof changes the cookie; the old one opens nothing that was proved, the new one does."""
    calls: list[None] = []
    world = World({"rotate": lambda: calls.append(None)})
    browser = world.browser()
    blocked = browser.post("/orgs/org_7/role")
    old = value(browser)

    done = browser.proved(blocked)

    assert done.status_code == 200
    assert set(cookies(done)) == {SESSION}
    assert calls == [None]
    assert value(browser) != old
    assert browser.post("/orgs/org_7/role").text == "org_7 changed"

    thief = world.browser()
    thief.client.set_cookie(SESSION, old, domain="app.northstar.example", secure=True)
    thief.client.set_cookie(DEVICE, value(browser, DEVICE), domain="app.northstar.example", secure=True)
    token = done.get_json()["grant"]["token"]
    assert problem(thief.post("/orgs/org_7/role")) == (403, "verification_required")
    assert problem(thief.post("/orgs/org_7/role", StepUp_Token=token)) == (403, "grant_invalid")


@pytest.mark.requirement("G-01")
def test_what_was_open_goes_to_the_renewed_session_only() -> None:
    """A second proof renews again: the grant of the first is found by the newest cookie, and by no older one."""
    world = World()
    browser = world.browser()
    browser.proved(browser.post("/orgs/org_7/role"))
    between = value(browser)
    browser.proved(browser.post("/orgs/org_8/role"))

    assert browser.post("/orgs/org_7/role").text == "org_7 changed"
    thief = world.browser()
    thief.client.set_cookie(SESSION, between, domain="app.northstar.example", secure=True)
    thief.client.set_cookie(DEVICE, value(browser, DEVICE), domain="app.northstar.example", secure=True)
    assert problem(thief.post("/orgs/org_7/role")) == (403, "verification_required")


def test_a_wrong_answer_renews_nothing() -> None:
    """Neither stepup's session nor the application's."""
    calls: list[None] = []
    world = World({"rotate": lambda: calls.append(None)})
    browser = world.browser()
    failed = browser.proved(browser.post("/orgs/org_7/role"), "wrong")

    assert problem(failed) == (422, "verification_failed")
    assert cookies(failed) == {}
    assert calls == []


# -- signing in and out -------------------------------------------------------------------


def test_a_session_that_nobody_spoke_of_is_never_fresh() -> None:
    """The application's own login says nothing to stepup, so the lowest level asks too."""
    assert problem(World().browser().post("/notes")) == (403, "verification_required")


def test_a_sign_in_is_fresh_for_a_while() -> None:
    """Told of the sign-in and its method, level 1 passes without a word for half an hour."""
    world = World()
    browser = world.browser(None)
    answer = browser.post("/stepup-login/usr_2048/password")

    assert set(cookies(answer)) == {SESSION, DEVICE}
    assert browser.post("/notes").text == "edited"
    world.clock.advance(1800)
    assert problem(browser.post("/notes")) == (403, "verification_required")


def test_signing_in_again_makes_it_fresh_again() -> None:
    """And gives the session a new id."""
    world = World()
    browser = world.browser(None)
    browser.post("/stepup-login/usr_2048/password")
    first = value(browser)
    world.clock.advance(3600)
    browser.post("/stepup-login/usr_2048/password")

    assert value(browser) != first
    assert browser.post("/notes").text == "edited"


def test_somebody_else_in_the_same_browser_begins_anew() -> None:
    """The cookie says for whom it was made; the sign-in of one person is not that of the next."""
    world = World()
    browser = world.browser(None)
    browser.post("/stepup-login/usr_2048/password")
    browser.post("/login/usr_4096")

    assert problem(browser.post("/notes")) == (403, "verification_required")


def test_signing_out_ends_what_was_open() -> None:
    """Grants and tokens of the session are revoked, and its cookie is taken away."""
    world = World()
    browser = world.browser()
    browser.proved(browser.post("/orgs/org_7/role"))
    kept = {name: value(browser, name) for name in (SESSION, DEVICE)}
    answer = browser.post("/logout")

    assert re.search("Max-Age=0", cookies(answer)[SESSION])
    thief = world.browser()
    for name, one in kept.items():
        thief.client.set_cookie(name, one, domain="app.northstar.example", secure=True)
    assert problem(thief.post("/orgs/org_7/role")) == (403, "verification_required")


def test_signing_out_twice_or_by_nobody_is_no_error() -> None:
    """There is nothing to end then."""
    browser = World().browser()
    assert [browser.post("/logout").text for _ in range(2)] == ["bye", "bye"]


def test_nobody_cannot_have_signed_in() -> None:
    """Nor what is no user, nor by what is no method, nor where the session is the application's own."""
    world = World()
    with world.app.test_request_context("/", base_url=ORIGIN):
        for user, methods in ((None, ["password"]), ("usr_2048", ["password"]), (PEOPLE["usr_2048"], ["x" * 65])):
            with pytest.raises(InvalidInput):
                world.shim.signed_in(user, *methods)

    whole = World({"context_of": lambda: Context(PEOPLE["usr_2048"])})
    with whole.app.test_request_context("/"), pytest.raises(ConfigurationError, match="authenticated_at"):
        whole.shim.signed_in(PEOPLE["usr_2048"], "password")


def test_a_sign_in_counts_within_the_same_request() -> None:
    """Somebody who signs in is known from then on, with a session that is fresh."""
    world = World()

    @world.app.post("/quick")
    def quick() -> str:
        world.shim.signed_in(PEOPLE["usr_2048"], "password")
        world.shim.require("note.edit", resource=organization("org_7"))
        return "edited"

    answer = world.browser(None).post("/quick")
    assert answer.text == "edited"
    assert set(cookies(answer)) == {SESSION, DEVICE}


def test_a_stale_cookie_is_replaced() -> None:
    """After thirty days a cookie is none, and signing in again is asked for."""
    world = World()
    browser = world.browser(None)
    browser.post("/stepup-login/usr_2048/password")
    world.clock.advance(timedelta(days=31))

    assert set(cookies(browser.post("/notes"))) == {SESSION}

# mypy: disable-error-code="import-untyped"
"""Flask-Login and Flask-Security tell of sign-ins by themselves: what counts as one, by what, and what ends it."""

from __future__ import annotations

import gc
import sys
from dataclasses import dataclass
from typing import Any

import flask_login
import flask_security
import pytest
from flask import Flask, request
from flask_login import LoginManager, UserMixin, confirm_login, current_user, login_user, logout_user
from flask_world import PEOPLE, Browser, World, cookies, make_gate, problem

from stepup import Actor, Context, Session
from stepup.errors import StoreUnavailable
from stepup.flask import StepUpFlask
from stepup.testing import FrozenClock


class User(UserMixin):  # type: ignore[misc]
    """A user of Flask-Login; who it is to the gate is an id and an address."""

    def __init__(self, known: str) -> None:
        self.id = known
        self.email = f"{known}@northstar.example"


@dataclass
class Site:
    """An application with Flask-Login, and a shim that was told nothing."""

    app: Flask
    shim: StepUpFlask
    clock: FrozenClock

    def browser(self) -> Browser:
        return Browser(self.app.test_client())


def site(*, manager_first: bool = True, **options: Any) -> Site:
    app = Flask("northstar")
    app.config.update(SECRET_KEY="a key of the Flask tests", TESTING=True)
    manager = LoginManager()
    manager.user_loader(User)
    clock = FrozenClock()
    given: dict[str, Any] = options if "context_of" in options else {"user_of": lambda: current_user, **options}
    shim = StepUpFlask(gate=make_gate(clock=clock), **given)
    for init in (manager.init_app, shim.init_app) if manager_first else (shim.init_app, manager.init_app):
        init(app)

    @app.post("/login/<who>")
    def login(who: str) -> str:
        login_user(User(who), remember="remember" in request.args, fresh="stale" not in request.args)
        return who

    @app.post("/confirm")
    def confirm() -> str:
        confirm_login()
        return "confirmed"

    @app.post("/logout")
    def logout() -> str:
        logout_user()
        return "bye"

    for path, action in (("/export", "export"), ("/mail", "mail.change"), ("/role", "role.change")):
        app.post(path, endpoint=action)(shim.guard(action)(lambda: "done"))
    return Site(app, shim, clock)


@pytest.mark.parametrize("manager_first", [True, False])
def test_a_login_is_a_sign_in(manager_first: bool) -> None:
    """Whichever extension was there first: the time is known, and passes where any fresh login does."""
    browser = site(manager_first=manager_first).browser()
    answer = browser.post("/login/usr_2048")

    assert set(cookies(answer)) == {"__Host-stepup", "__Host-stepup-device"}
    assert browser.post("/export").text == "done"


def test_what_a_login_proves_has_to_be_said() -> None:
    """Without ``login_method`` a login counts by its time only; with it, as the proof that it is."""
    unsaid, said = site().browser(), site(login_method="password").browser()
    for browser in (unsaid, said):
        browser.post("/login/usr_2048")

    assert problem(unsaid.post("/mail")) == (403, "verification_required")
    assert said.post("/mail").text == "done"


def test_a_remembered_cookie_is_no_sign_in() -> None:
    """A browser that comes back after its session has ended is known, and nothing is fresh."""
    world = site(login_method="password")
    browser = world.browser()
    browser.post("/login/usr_2048?remember")
    for name in ("session", "__Host-stepup"):
        browser.client.delete_cookie(name, domain="app.northstar.example")

    assert problem(browser.post("/export")) == (403, "login_required")
    assert problem(browser.post("/mail")) == (403, "verification_required")


def test_a_login_that_is_not_fresh_is_no_sign_in() -> None:
    """The application says so: it has let somebody in by something old."""
    browser = site(login_method="password").browser()
    browser.post("/login/usr_2048?stale")

    assert problem(browser.post("/export")) == (403, "login_required")


def test_a_confirmed_login_is_a_sign_in() -> None:
    """Flask-Login's own way to sign in again."""
    browser = site(login_method="password").browser()
    browser.post("/login/usr_2048?stale")
    browser.post("/confirm")

    assert browser.post("/export").text == "done"
    assert browser.post("/mail").text == "done"


def test_a_login_is_fresh_for_its_time_only() -> None:
    """And logging in again makes it fresh again."""
    world = site(login_method="password")
    browser = world.browser()
    browser.post("/login/usr_2048")
    world.clock.advance(1800)
    assert problem(browser.post("/mail")) == (403, "verification_required")

    browser.post("/login/usr_2048")
    assert browser.post("/mail").text == "done"


def test_a_logout_ends_what_was_open() -> None:
    """Its grants are revoked, wherever the cookies went."""
    browser = site().browser()
    browser.post("/login/usr_2048")
    browser.proved(browser.post("/role"))
    assert browser.post("/role").text == "done"
    stolen = {
        name: cookie.value
        for name in ("__Host-stepup", "__Host-stepup-device", "session")
        if (cookie := browser.client.get_cookie(name, domain="app.northstar.example")) is not None
    }
    answer = browser.post("/logout")

    assert "Max-Age=0" in cookies(answer)["__Host-stepup"]
    assert problem(browser.post("/role")) == (401, "login_required")
    for name, value in stolen.items():
        browser.client.set_cookie(name, value, domain="app.northstar.example", secure=True)
    assert problem(browser.post("/role")) == (403, "verification_required")


def test_a_logout_of_nobody_is_no_error() -> None:
    """As with a session that has ended."""
    assert site().browser().post("/logout").text == "bye"


def test_who_it_is_to_the_gate_is_what_user_of_says() -> None:
    """An actor of a tenant, made from the login's user, is who has signed in."""

    def user_of() -> Actor | None:
        return Actor(current_user.id, tenant="northstar") if current_user.is_authenticated else None

    browser = site(user_of=user_of, login_method="password").browser()
    browser.post("/login/usr_2048")

    assert browser.post("/mail").text == "done"


def test_a_login_with_a_bearer_token_goes_through() -> None:
    """There is no session to record it in, and no reason to fail."""
    answer = site().browser().post("/login/usr_2048", Authorization="Bearer an-access-token")

    assert answer.text == "usr_2048"
    assert cookies(answer) == {}


def test_with_contexts_of_its_own_an_application_is_only_signed_out() -> None:
    """Its sign-ins stand in its contexts; what was open ends with its logout all the same."""
    world = site(context_of=lambda: Context(PEOPLE["usr_2048"], Session("sess_1")))
    browser = world.browser()

    assert cookies(browser.post("/login/usr_2048")) == {}
    browser.proved(browser.post("/role"))
    assert browser.post("/role").text == "done"
    browser.post("/logout")
    assert problem(browser.post("/role")) == (403, "verification_required")


def test_logins_of_another_application_are_not_ours() -> None:
    """Signals are heard from the application that the shim was given, and from no other."""
    told: list[object] = []

    def user_of() -> object:
        told.append(None)
        return current_user

    guarded, other = site(user_of=user_of), site()
    other.browser().post("/login/usr_2048")
    assert told == []
    guarded.browser().post("/login/usr_2048")
    assert told != []


def test_signals_do_not_keep_an_application_alive() -> None:
    """What has gone does not listen any more."""
    gc.collect()
    before = len(flask_login.user_logged_in.receivers)
    kept = site()
    assert len(flask_login.user_logged_in.receivers) == before + 1
    del kept
    gc.collect()
    assert len(flask_login.user_logged_in.receivers) <= before


def test_a_logout_that_cannot_be_recorded_says_so() -> None:
    """The login has ended; that what was open has not is an error, for the operator to see."""
    world = site()
    browser = world.browser()
    browser.post("/login/usr_2048")
    browser.proved(browser.post("/role"))

    def away(*_given: Any) -> Any:
        raise StoreUnavailable("the database is away")

    store: Any = world.shim.gate.core.store
    store.apply = away

    assert problem(browser.post("/logout")) == (503, "store_unavailable")
    assert problem(browser.post("/role")) == (401, "login_required")


def test_neither_extension_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where they are not loaded, nothing is heard and nothing missed."""
    for name in ("flask_login", "flask_security", "flask_wtf.csrf"):
        monkeypatch.delitem(sys.modules, name)
    world = World()

    assert world.browser().retried("/orgs/org_7/delete").text == "org_7 deleted"
    assert not [name for name in ("flask_login", "flask_security") if name in sys.modules]


# -- Flask-Security ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("authn_via", "passes"),
    [
        (["password"], True),
        (["password", "sms"], True),
        (["email"], False),
        (["confirm"], False),
        (["oauth"], False),
        (["register"], False),
        ([], False),
        (None, False),
    ],
    ids=str,
)
def test_flask_security_says_by_what(authn_via: list[str] | None, passes: bool) -> None:
    """A password is one; a link in a mail or another site's word is a sign-in of no method, whatever was declared."""
    world = site(login_method="password")

    @world.app.post("/security/<who>")
    def security(who: str) -> str:
        user = User(who)
        login_user(user)
        flask_security.user_authenticated.send(world.app, user=user, authn_via=authn_via)
        return who

    browser = world.browser()
    answer = browser.post("/security/usr_2048")

    assert set(cookies(answer)) == {"__Host-stepup", "__Host-stepup-device"}
    assert browser.post("/export").text == "done"
    blocked = browser.post("/mail")
    assert blocked.text == "done" if passes else problem(blocked) == (403, "verification_required")

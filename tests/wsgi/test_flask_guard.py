"""Guarding views: what is blocked, how it is answered, and that nothing slips past by the way it is written."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Blueprint, abort, request
from flask.views import MethodView, View
from flask_world import ORIGIN, PEOPLE, Browser, World, cookies, make_gate, organization, plain_app, problem
from werkzeug.exceptions import InternalServerError

from stepup import Authorization, ConfigurationError, Context, Resource, Session, StepUpError, StepUpRequired
from stepup.errors import InvalidInput, StoreUnavailable, UnknownAction, WrongColour
from stepup.flask import StepUpFlask
from stepup.stores.memory import MemoryStore


def test_a_guarded_view_asks_for_proof_first() -> None:
    """The call is blocked with a problem that says how to go on, and passes with the token, once."""
    world = World()
    browser = world.browser()
    blocked = browser.post("/orgs/org_7/delete")

    assert problem(blocked) == (403, "verification_required")
    assert blocked.headers["Cache-Control"] == "no-store"
    assert world.done == []

    token = browser.token(blocked)
    assert browser.post("/orgs/org_7/delete", StepUp_Token=token).text == "org_7 deleted"
    assert problem(browser.post("/orgs/org_7/delete", StepUp_Token=token)) == (403, "grant_invalid")
    assert world.done == ["org_7"]


def test_a_token_opens_what_it_was_made_for() -> None:
    """Another resource, given by the URL, is another call."""
    world = World()
    browser = world.browser()
    token = browser.token(browser.post("/orgs/org_7/delete"))

    assert problem(browser.post("/orgs/org_8/delete", StepUp_Token=token)) == (403, "grant_invalid")
    assert world.done == []


def test_nobody_signed_in_is_told_to_sign_in() -> None:
    """401 with the code and the address; and no cookie, since there is no session to bind to."""
    blocked = World().browser(None).post("/orgs/org_7/delete")

    assert problem(blocked) == (401, "login_required")
    assert json.loads(blocked.data)["loginUrl"] == "/login"
    assert cookies(blocked) == {}


def test_a_login_that_fails_lets_nobody_in(caplog: pytest.LogCaptureFixture) -> None:
    """Where asking who it is raises, the guard stays shut, the answer is no server error, and the log says why."""

    def user_of() -> object:
        raise LookupError("the session store is gone")

    world = World({"user_of": user_of})

    assert problem(world.browser().post("/orgs/org_7/delete")) == (401, "login_required")
    assert world.done == []
    assert "asking who makes the request failed" in caplog.text


def test_an_organization_that_cannot_be_told_lets_nobody_in() -> None:
    """None is an organization too: a failing organization_of must not become it."""

    def organization_of() -> str:
        raise LookupError("no such organization")

    world = World({"organization_of": organization_of})

    assert problem(world.browser().post("/orgs/org_7/delete")) == (401, "login_required")


def test_a_login_may_answer_by_itself() -> None:
    """An HTTP error that user_of raises is the application's answer, as it is anywhere else."""
    world = World({"user_of": lambda: abort(418)})

    assert world.browser().post("/orgs/org_7/delete").status_code == 418
    assert world.browser().get("/stepup/actions").status_code == 418


@pytest.mark.parametrize("given", ["usr_2048", 7, {"id": "usr_2048"}])
def test_what_is_no_user_is_a_mistake_and_no_user(given: object, caplog: pytest.LogCaptureFixture) -> None:
    """An id instead of a user is refused, and the log has the remedy."""
    world = World({"user_of": lambda: given})

    assert problem(world.browser().post("/orgs/org_7/delete")) == (400, "bad_request")
    assert "Return an Actor" in caplog.text
    assert world.done == []


def test_require_is_for_what_only_the_body_knows() -> None:
    """Inside a view it blocks the same way, binds the params, and returns what was proved."""
    world = World()
    given: list[Authorization] = []

    @world.app.post("/roles")
    def change() -> str:
        body = request.get_json()
        given.append(world.shim.require("role.change", resource=organization("org_7"), params=body))
        world.done.append(body["role"])
        return "changed"

    browser = world.browser()
    assert browser.retried("/roles", {"role": "owner"}).text == "changed"
    assert problem(browser.post("/roles", {"role": "admin"})) == (403, "verification_required")
    assert world.done == ["owner"]
    assert given[0].actor.id == "usr_2048"
    assert [proof.method for proof in given[0].proofs] == ["password"]


def test_params_of_a_guard_come_from_the_arguments() -> None:
    """Resource and params are functions of those arguments that they name, defaults included."""
    world = World()

    @world.app.post("/roles/<who>/<role>")
    @world.shim.guard(
        "role.change",
        resource=lambda who: Resource("person", who),
        params=lambda role, notify: {"role": role, "notify": notify},
    )
    def promote(who: str, role: str, notify: bool = True) -> str:
        return f"{who} is {role}"

    browser = world.browser()
    assert browser.retried("/roles/usr_4096/owner").text == "usr_4096 is owner"
    blocked = json.loads(browser.post("/roles/usr_4096/admin").data)
    details = blocked["authorization_details"][0]
    assert details["resource"] == {"type": "person", "id": "usr_4096"}
    assert promote.__name__ == "promote"


def test_check_is_advice() -> None:
    """A page can show what is locked; nothing is spent by looking."""
    world = World()

    @world.app.get("/locked")
    def locked() -> dict[str, object]:
        decision = world.shim.check("org.delete", resource=organization("org_7"))
        return {"allowed": decision.allowed, "methods": list(decision.methods)}

    assert world.browser().get("/locked").get_json() == {"allowed": False, "methods": ["password"]}
    assert problem(world.browser(None).get("/locked")) == (401, "login_required")


def test_the_context_is_at_hand() -> None:
    """A view can hand the context to any other call of the gate; it is None for nobody."""
    world = World()
    seen: list[Context | None] = []

    @world.app.get("/seen")
    def seen_by() -> str:
        seen.append(world.shim.context)
        return "seen"

    world.browser().get("/seen", User_Agent="Mozilla/5.0 (Macintosh) Safari/605", Accept_Language="de-AT,de;q=0.7")
    world.browser(None).get("/seen")

    known, nobody = seen
    assert nobody is None
    assert known is not None
    assert known.actor == PEOPLE["usr_2048"]
    assert (known.ip, known.locale) == ("127.0.0.1", "de-AT")
    assert known.device is not None
    assert known.device.label == "Mac / Safari"


# -- wherever a view may be ------------------------------------------------------------------


def test_views_of_blueprints_are_guarded() -> None:
    """With a shim that gets its application later, too."""
    shim = StepUpFlask(gate=make_gate(), user_of=lambda: PEOPLE["usr_2048"])
    admin = Blueprint("admin", __name__, url_prefix="/admin")

    @admin.post("/<org_id>/delete")
    @shim.guard("org.delete", resource=organization)
    def delete_org(org_id: str) -> str:
        return f"{org_id} deleted"

    app = plain_app()
    shim.init_app(app)
    app.register_blueprint(admin)

    assert Browser(app.test_client()).retried("/admin/org_7/delete").text == "org_7 deleted"


def test_class_based_views_are_guarded_as_a_whole() -> None:
    """In ``decorators``, where a view has no argument names yet, those of the URL are known all the same."""
    world = World()

    class Deletion(View):
        methods = ("POST",)
        decorators = [world.shim.guard("org.delete", resource=organization)]  # noqa: RUF012 -- as Flask has it

        def dispatch_request(self, **given: Any) -> str:
            return f"{given['org_id']} deleted"

    world.app.add_url_rule("/classes/<org_id>/delete", view_func=Deletion.as_view("deletion"))
    browser = world.browser()

    token = browser.token(browser.post("/classes/org_7/delete"))
    assert problem(browser.post("/classes/org_8/delete", StepUp_Token=token)) == (403, "grant_invalid")
    assert browser.post("/classes/org_7/delete", StepUp_Token=token).text == "org_7 deleted"
    assert world.app.view_functions["deletion"].__name__ == "deletion"


def test_methods_of_views_are_guarded_one_by_one() -> None:
    """A method of a ``MethodView`` has a self, and argument names of its own."""
    world = World()

    class Organization(MethodView):
        def get(self, org_id: str) -> str:
            return org_id

        @world.shim.guard("org.delete", resource=organization)
        def delete(self, org_id: str) -> str:
            return f"{org_id} deleted"

    world.app.add_url_rule("/items/<org_id>", view_func=Organization.as_view("items"))
    browser = world.browser()

    assert browser.get("/items/org_7").text == "org_7"
    token = browser.token(browser.call("DELETE", "/items/org_7"))
    assert browser.call("DELETE", "/items/org_7", StepUp_Token=token).text == "org_7 deleted"


def test_an_argument_that_the_url_does_not_give_lets_nothing_pass() -> None:
    """Where names are only known at the call, one that is missing there stops it."""
    world = World()

    @world.app.post("/anything")
    @world.shim.guard("org.delete", resource=organization)
    def anything(**_given: Any) -> str:
        world.done.append("anything")
        return "done"

    with pytest.raises(TypeError, match="org_id"):
        world.browser().post("/anything")
    assert world.done == []


# -- found before anybody calls -----------------------------------------------------------------


def view(org_id: str) -> str:
    return org_id


async def async_view(org_id: str) -> str:
    return org_id


def test_mistakes_are_found_when_decorating() -> None:
    """An unknown action, an unknown argument and an async view are no surprise for the first caller."""
    shim = World().shim

    with pytest.raises(UnknownAction, match=r"org\.delet.*known are"):
        shim.guard("org.delet")(view)
    with pytest.raises(ConfigurationError, match="asks for"):
        shim.guard("org.delete", resource=lambda orgid: Resource("organization", orgid))(view)
    with pytest.raises(WrongColour, match="Make it a plain def"):
        shim.guard("org.delete", resource=organization)(async_view)


def test_a_guard_above_its_route_is_found() -> None:
    """Written the other way round, Flask would have registered the view without its guard."""
    world = World()
    wrong = world.app.post("/wrong/<org_id>")(view)

    with pytest.raises(ConfigurationError, match="above its route"):
        world.shim.guard("org.delete", resource=organization)(wrong)


def test_a_guard_above_its_route_is_found_behind_other_decorators() -> None:
    """Whatever stands between the guard and the route."""
    world = World()
    between = functools.wraps(view)(lambda org_id: view(org_id))
    world.app.post("/wrong/<org_id>")(view)

    with pytest.raises(ConfigurationError, match="above its route"):
        world.shim.guard("org.delete", resource=organization)(between)


def test_a_guard_above_the_route_of_a_blueprint_is_found_at_the_first_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A blueprint keeps its routes to itself until it is registered; then every request is refused."""
    world = World()
    admin = Blueprint("admin", __name__)

    @world.shim.guard("org.delete", resource=organization)
    @admin.post("/wrong/<org_id>")
    def wrong(org_id: str) -> str:
        world.done.append(org_id)
        return "deleted"

    world.app.register_blueprint(admin)
    browser = Browser(world.app.test_client())

    for _ in range(2):
        assert problem(browser.post("/wrong/org_7")) == (503, "store_unavailable")
    assert "stands above its route" in caplog.text
    assert world.done == []


def test_an_application_that_the_shim_does_not_know_is_told_so() -> None:
    """Before ``init_app`` nothing can be kept or answered, so nothing passes."""
    shim = StepUpFlask(gate=make_gate(), user_of=lambda: PEOPLE["usr_2048"])
    app = plain_app()

    @app.post("/delete")
    @shim.guard("org.delete")
    def delete() -> str:
        return "deleted"

    calls: list[Callable[[], object]] = [
        delete,
        lambda: shim.require("org.delete"),
        lambda: shim.context,
        lambda: shim.signed_in(PEOPLE["usr_2048"], "password"),
        shim.signed_out,
    ]
    for call in calls:
        with app.test_request_context("/delete"), pytest.raises(ConfigurationError, match="init_app"):
            call()


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "config",
    [
        {"TESTING": True},
        {"TESTING": False},
        {"PROPAGATE_EXCEPTIONS": True},
        {"DEBUG": True},
        {"TRAP_HTTP_EXCEPTIONS": True},
    ],
    ids=str,
)
def test_refusals_are_answers_in_every_mode(config: dict[str, object]) -> None:
    """Testing and debugging let errors through; a refusal is none."""
    world = World()
    world.app.config.update(config)

    assert problem(world.browser().post("/orgs/org_7/delete")) == (403, "verification_required")


def test_a_refusal_raised_anywhere_is_answered() -> None:
    """By the gate itself, deep in the application, with a context of the application's own."""
    world = World()

    @world.app.post("/deep")
    def deep() -> str:
        context = world.shim.context
        assert context is not None
        world.shim.gate.require("org.delete", context, resource=organization("org_7"))
        return "never"

    assert problem(world.browser().post("/deep")) == (403, "verification_required")


def test_an_applications_own_handler_goes_first() -> None:
    """Who wants to answer refusals otherwise registers a handler, before the shim or after it."""
    app = plain_app()
    app.register_error_handler(StepUpError, lambda error: (f"own: {error.code}", 403))
    before = World(app=app)
    after = World()
    after.app.register_error_handler(StepUpRequired, lambda error: (f"own: {error.code}", 403))

    for world in (before, after):
        assert world.browser().post("/orgs/org_7/delete").text == "own: verification_required"


def test_a_store_that_fails_refuses(caplog: pytest.LogCaptureFixture) -> None:
    """503 for the client, the reason for the log, and the action is not run."""

    class Failing(MemoryStore):
        def load(self, *_given: Any) -> Any:
            raise StoreUnavailable("the database is away")

    world = World(gate=make_gate(store=Failing()))

    assert problem(world.browser().post("/orgs/org_7/delete")) == (503, "store_unavailable")
    assert "StoreUnavailable: the database is away" in caplog.text
    assert world.done == []


def test_other_errors_are_none_of_ours() -> None:
    """What the application raises stays as it was, cookies included."""
    world = World()
    world.app.config["PROPAGATE_EXCEPTIONS"] = False

    @world.app.get("/broken")
    def broken() -> str:
        assert world.shim.context is not None
        raise ZeroDivisionError

    answer = world.browser().get("/broken")
    assert answer.status_code == InternalServerError.code
    assert set(cookies(answer)) == {"__Host-stepup", "__Host-stepup-device"}


# -- who, and from where -------------------------------------------------------------------------------


class Plain:
    """A model with an id."""

    def __init__(self, known: object) -> None:
        self.id = known


class Login:
    """A user of Flask-Login."""

    is_authenticated = True

    def get_id(self) -> str:
        return "usr_2048"


class Anonymous:
    is_authenticated = False


@pytest.mark.parametrize(
    ("user", "known"),
    [
        (PEOPLE["usr_2048"], "usr_2048"),
        (Plain("usr_2048"), "usr_2048"),
        (Plain(2048), "2048"),
        (Login(), "usr_2048"),
        (Anonymous(), None),
        (None, None),
    ],
    ids=["actor", "id", "number", "flask-login", "anonymous", "none"],
)
def test_users_of_all_kinds_are_understood(user: object, known: str | None) -> None:
    """An actor, a model, a user of Flask-Login; who is not authenticated is nobody."""
    world = World({"user_of": lambda: user})
    with world.app.test_request_context("/"):
        context = world.shim.context
        assert (None if context is None else context.actor.id) == known


def test_a_whole_context_is_taken_as_it_is() -> None:
    """With ``context_of`` stepup keeps no session of its own, and the application renews its own."""
    renewed: list[str] = []
    session = ["sess_1"]

    def rotate() -> str:
        session[0] = f"sess_{len(renewed) + 2}"
        renewed.append(session[0])
        return session[0]

    world = World(
        {
            "context_of": lambda: Context(PEOPLE["usr_2048"], Session(session[0])),
            "rotate": rotate,
        }
    )
    browser = world.browser()
    blocked = browser.post("/orgs/org_7/delete")

    assert cookies(blocked) == {}
    assert browser.post("/orgs/org_7/delete", StepUp_Token=browser.token(blocked)).text == "org_7 deleted"
    assert renewed == ["sess_2"]


@pytest.mark.parametrize("given", [None, "sess_1"])
def test_a_context_that_is_none_lets_nobody_in(given: object) -> None:
    """Nobody, or something else: refused either way."""
    world = World({"context_of": lambda: given})

    assert world.browser().post("/orgs/org_7/delete").status_code in {400, 401}
    assert world.done == []


@pytest.mark.parametrize(
    ("proxies", "forwarded", "seen"),
    [
        ((), "203.0.113.9", "192.0.2.1"),
        (("192.0.2.0/24",), "203.0.113.9", "203.0.113.9"),
        (("192.0.2.0/24",), "198.51.100.4, 203.0.113.9", "203.0.113.9"),
        (("10.0.0.0/8",), "203.0.113.9", "192.0.2.1"),
    ],
)
def test_a_forwarded_address_is_believed_of_own_proxies_only(proxies: Any, forwarded: str, seen: str) -> None:
    """Anybody can write X-Forwarded-For."""
    world = World({"proxies": proxies, "user_of": lambda: PEOPLE["usr_2048"]})
    environ = {"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": forwarded}
    with world.app.test_request_context("/", base_url=ORIGIN, environ_overrides=environ):
        context = world.shim.context
        assert context is not None
        assert context.ip == seen


def test_a_bearer_token_is_answered_401_and_sets_no_cookie() -> None:
    """For API clients the answer is that of RFC 9470, and their session is their token."""
    world = World({"user_of": lambda: PEOPLE["usr_2048"]})
    answer = world.browser().post("/orgs/org_7/delete", Authorization="Bearer an-access-token")

    assert problem(answer) == (401, "verification_required")
    assert 'error="insufficient_user_authentication"' in answer.headers["WWW-Authenticate"]
    assert cookies(answer) == {}


def test_a_guard_asks_for_a_number_of_uses() -> None:
    """By the argument of the route; what is no number is a mistake when decorating."""
    world = World()

    @world.app.post("/invite/<int:many>")
    @world.shim.guard("role.change", uses=lambda many: many)
    def invite(many: int) -> str:
        return "invited"

    browser = world.browser()
    blocked = browser.post("/invite/2")
    started = browser.post("/stepup/challenges", {"offer": blocked.get_json(force=True)["offer"]})
    assert started.get_json()["uses"] == 2
    browser.proved(browser.post("/invite/2"))
    assert [browser.post("/invite/2").status_code for _ in range(3)] == [200, 200, 403]
    with pytest.raises(InvalidInput, match="uses"):
        world.shim.guard("role.change", uses=0)(lambda: "never")

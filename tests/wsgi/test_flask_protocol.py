# mypy: disable-error-code="import-untyped"
"""The protocol below its prefix: one spelling each, every method, bodies of any size, other sites, CSRFProtect."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, request
from flask_world import ORIGIN, PEOPLE, Browser, Forms, World, cookies, make_gate, plain_app, problem
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from stepup.flask import StepUpFlask

NO_ADDRESS = (404, "bad_request")


@pytest.mark.parametrize(
    "path",
    [
        "/stepup", "/stepup/", "/stepup/actions/", "/stepup/actions.", "/stepup//actions", "/stepup/./actions",
        "/stepup/../stepup/actions", "/stepup/ACTIONS", "/stepup/%61ctions", "/stepup%2factions", "/%73tepup/actions",
        "/stepup/actions%0a", "/stepup/actions%00", "/stepup/actions%2f", "/stepup/actions;x", "/stepup/actionś",
    ],
)  # fmt: skip
def test_an_address_has_one_spelling(path: str) -> None:
    """Nothing is mended and nothing redirected: another spelling is no address of the protocol."""
    answer = World().browser().get(path)

    assert problem(answer) == NO_ADDRESS
    assert "Location" not in answer.headers


def test_slashes_before_the_address_are_not_dropped() -> None:
    """Werkzeug would; a server may hand them on."""
    browser = World().browser()
    answer = browser.client.get("/stepup/actions", base_url=ORIGIN, environ_overrides={"PATH_INFO": "//stepup/actions"})

    assert problem(answer) == NO_ADDRESS


def test_what_only_begins_alike_is_the_applications() -> None:
    """The prefix is a whole part of the path."""
    world = World()
    world.app.add_url_rule("/stepups", view_func=lambda: "the application's", endpoint="stepups")
    browser = world.browser()

    assert browser.get("/stepups").text == "the application's"
    assert browser.get("/stepupx").content_type.startswith("text/html")
    assert browser.get("/STEPUP/actions").content_type.startswith("text/html")


def test_below_a_mounted_application_the_address_is_the_same() -> None:
    """What stands before the application's own root is no business of the protocol."""
    world = World({"user_of": lambda: PEOPLE["usr_2048"]})
    outer = Client(DispatcherMiddleware(Flask("outer"), {"/caf\u00c3\u00a9 x": world.app}))

    assert outer.get("/caf%C3%A9%20x/stepup/actions").status_code == 200
    assert outer.get("/caf%C3%A9%20x/stepup/%61ctions").status_code == 404


def test_a_prefix_of_several_parts() -> None:
    """It may be deep, and is then in every address that is given out."""
    world = World({"prefix": "/account/proof"})
    browser = world.browser()
    browser.prefix = "/account/proof"

    assert browser.retried("/orgs/org_7/delete").text == "org_7 deleted"
    assert problem(browser.get("/account/proof/")) == NO_ADDRESS
    assert browser.get("/stepup/actions").content_type.startswith("text/html")


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "BREW"])
def test_every_method_is_answered_by_the_protocol(method: str) -> None:
    """With what is allowed there, and nothing of Flask's own."""
    answer = World().browser().call(method, "/stepup/actions")

    assert problem(answer) == (405, "bad_request")
    assert answer.headers["Allow"] == "GET, HEAD"


def test_head_is_get_without_a_body() -> None:
    """The same headers."""
    browser = World().browser()
    head, get = browser.call("HEAD", "/stepup/actions"), browser.get("/stepup/actions")

    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


def test_what_is_for_everybody_sets_no_cookie() -> None:
    """A problem's page is the same for all, so nobody is looked for."""
    asked: list[None] = []
    world = World({"user_of": lambda: asked.append(None)})

    assert world.browser().get("/stepup/problems/grant_invalid").status_code == 200
    assert asked == []


def test_a_query_is_no_part_of_the_path() -> None:
    """And its last value counts."""
    browser = World().browser()

    assert browser.get("/stepup/actions?a=%2f//").status_code == 200
    assert browser.get("/stepup/events?limit=5").status_code == 200
    assert browser.get("/stepup/events?limit=none").status_code == 400


# -- bodies --------------------------------------------------------------------------------------


class Counted(io.RawIOBase):
    """A body that is made while it is read, and counts how much was; a read gives at most 8 KiB."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.taken = 0
        self.most = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        given = min(len(buffer), self.left, 8192)
        buffer[:given] = b" " * given
        self.left -= given
        self.taken += given
        self.most = max(self.most, len(buffer))
        return given


@pytest.mark.parametrize("config", [{}, {"MAX_CONTENT_LENGTH": 16}, {"MAX_CONTENT_LENGTH": 128 * 2**20}], ids=str)
@pytest.mark.parametrize("length", ["declared", "chunked", "lied"])
def test_a_large_body_is_refused(config: dict[str, int], length: str) -> None:
    """A hundred megabytes are answered 413 by the protocol, whatever is said of their length, and never held."""
    world = World({"user_of": lambda: PEOPLE["usr_2048"]})
    world.app.config.update(config)
    body = Counted(100 * 2**20)
    environ: dict[str, Any] = {"wsgi.input": body, "wsgi.input_terminated": True}
    if length == "declared":
        environ |= {"CONTENT_LENGTH": str(100 * 2**20)}
    elif length == "lied":
        environ |= {"CONTENT_LENGTH": "12"}
    else:
        environ |= {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}
    answer = world.app.test_client().post(
        "/stepup/preflight", base_url=ORIGIN, content_type="application/json", environ_overrides=environ
    )

    assert problem(answer)[0] == 413
    assert body.taken <= 17 * 2**20  # what a client sends on before it reads the answer
    assert body.most <= 65_536


def test_a_body_at_the_limit_is_read() -> None:
    """65,536 bytes are still read, in pieces; they are no JSON object, which is the complaint then."""
    world = World({"user_of": lambda: PEOPLE["usr_2048"]})
    answer = Browser(world.app.test_client()).post("/stepup/preflight", b" " * 65_536, Content_Type="application/json")

    assert problem(answer) == (400, "bad_request")


def test_a_body_that_something_has_read_before_is_read_all_the_same() -> None:
    """A log, or whatever looks into forms, runs before us."""
    for look in (lambda: request.get_data(), lambda: request.get_json(silent=True), lambda: request.form.to_dict()):
        world = World({"user_of": lambda: PEOPLE["usr_2048"]})
        world.app.before_request(_looking(look))
        browser = Browser(world.app.test_client())
        body = {"action": "org.delete"}

        assert browser.post("/stepup/preflight", body).status_code == 200


def test_a_form_of_the_pages_that_something_has_read_before_is_read_all_the_same() -> None:
    """Flask keeps the fields of a form, and not its bytes."""
    world = World({"user_of": lambda: PEOPLE["usr_2048"]})
    world.app.before_request(_looking(lambda: request.form.to_dict()))
    browser = Browser(world.app.test_client())
    ((to, fields),) = Forms(browser.form("/orgs/org_7/delete")).found

    assert browser.form(to, fields | {"response": "right"}).status_code == 303


def _looking(look: Callable[[], object]) -> Callable[[], None]:
    def before() -> None:
        look()

    return before


# -- other sites -----------------------------------------------------------------------------------


def test_calls_of_other_sites_are_refused() -> None:
    """By origin or by what the browser says of the site; from trusted origins they are taken."""
    body = {"action": "org.delete"}
    browser = World({"trusted": ["https://help.northstar.example"]}).browser()

    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "https://help.example"}):
        assert problem(browser.post("/stepup/preflight", body, **headers)) == (403, "bad_request")
    assert browser.post("/stepup/preflight", body, Origin="https://help.northstar.example").status_code == 200


@pytest.mark.parametrize("host", ["", "not a host", "app.northstar.example:x y", "[::1", "\u00e9.example"])
def test_a_malformed_host_makes_no_origin(host: str) -> None:
    """It is refused or answered, and never by a server error."""
    world = World({"user_of": lambda: PEOPLE["usr_2048"]})
    answer = world.app.test_client().post(
        "/stepup/preflight",
        json={"action": "org.delete"},
        headers={"Origin": f"https://{host}".encode("ascii", "ignore").decode()},
        environ_overrides={"HTTP_HOST": host, "wsgi.url_scheme": "https"},
    )

    assert answer.status_code in {200, 400, 403}
    plain = world.app.test_client().post("/orgs/org_7/delete", environ_overrides={"HTTP_HOST": host})
    assert plain.status_code in {400, 403}


def test_a_host_that_is_not_trusted_makes_no_origin() -> None:
    """Flask refuses the request; whoever asks the gate while that is answered gets no error from it."""
    world = World({"user_of": lambda: PEOPLE["usr_2048"]})
    world.app.config["TRUSTED_HOSTS"] = ["app.northstar.example"]

    @world.app.errorhandler(400)
    def refused(_error: Exception) -> tuple[str, int]:
        assert world.shim.context is not None
        return "no such host", 400

    browser = Browser(world.app.test_client(), origin="https://evil.example")
    assert browser.get("/plain").text == "no such host"


def test_the_origin_can_be_declared() -> None:
    """Behind a proxy that the server does not know of, the site says what it is called."""
    body = {"action": "org.delete"}
    named = World({"origin": ORIGIN, "user_of": lambda: PEOPLE["usr_2048"]}).app.test_client()
    unnamed = World({"user_of": lambda: PEOPLE["usr_2048"]}).app.test_client()
    calls = [
        client.post("/stepup/preflight", base_url="http://127.0.0.1:8000", json=body, headers={"Origin": ORIGIN})
        for client in (named, unnamed)
    ]

    assert [call.status_code for call in calls] == [200, 403]


# -- Flask-WTF -----------------------------------------------------------------------------------------


def with_csrf(order: str) -> Flask:
    app = plain_app()
    shim = StepUpFlask(gate=make_gate(), user_of=lambda: PEOPLE["usr_2048"])
    parts: list[Callable[[Flask], None]] = [shim.init_app, CSRFProtect().init_app]
    for part in parts if order == "stepup first" else reversed(parts):
        part(app)

    @app.post("/form")
    def form() -> str:
        return "posted"

    return app


@pytest.fixture(params=["stepup first", "csrf first"])
def app(request: pytest.FixtureRequest) -> Flask:
    return with_csrf(request.param)


def test_csrf_protect_lives_beside_it(app: Flask) -> None:
    """The protocol's calls need no form token, whichever was there first; the application's forms still do."""
    browser = Browser(app.test_client())

    assert browser.post("/stepup/preflight", {"action": "org.delete"}).status_code == 200
    refused = browser.post("/form")
    assert refused.status_code == 400
    assert "CSRF" in refused.text
    assert problem(browser.post("/stepup/preflight", {}, Origin="https://evil.example"))[0] == 403


# -- without JavaScript ----------------------------------------------------------------------------------


def test_a_form_passes_by_pages_alone() -> None:
    """Blocked with a page, answered by its form, sent again by hand: done once, with no script and no header."""
    world = World()
    browser = world.browser()
    blocked = browser.form("/orgs/org_7/delete")

    assert blocked.status_code == 403
    assert "Delete organization" in blocked.text
    ((to, fields),) = Forms(blocked).found
    answered = browser.form(to, fields | {"response": "right"})
    assert answered.status_code == 303
    assert browser.get(answered.headers["Location"], Sec_Fetch_Mode="navigate").status_code == 200
    assert world.done == []

    taken = browser.form("/orgs/org_7/delete")
    assert taken.text == "org_7 deleted"
    assert "Max-Age=0" in cookies(taken)["__Host-stepup-grant"]
    assert browser.form("/orgs/org_7/delete").status_code == 403
    assert world.done == ["org_7"]


def test_a_form_of_another_site_takes_no_grant() -> None:
    """The cookie travels with a navigation from elsewhere only if it is no post; and then it is not looked at."""
    world = World()
    browser = world.browser()
    ((to, fields),) = Forms(browser.form("/orgs/org_7/delete")).found
    browser.form(to, fields | {"response": "right"})
    browser.origin, own = "https://evil.example", browser.origin
    cross = browser.client.post(
        "/orgs/org_7/delete",
        base_url=own,
        headers={"Origin": browser.origin, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    )

    assert cross.status_code == 403
    assert world.done == []


def test_the_pages_forms_are_exempt_from_csrf_protect(app: Flask) -> None:
    """They carry no token of Flask-WTF's; where they come from is what counts."""
    shim: StepUpFlask = app.extensions["stepup"][0]
    app.get("/danger", endpoint="danger")(shim.guard("org.delete")(lambda: "done"))
    browser = Browser(app.test_client())
    page = browser.get("/danger", Sec_Fetch_Mode="navigate", Accept="text/html")
    ((to, fields),) = Forms(page).found

    assert browser.form(to, fields | {"response": "right"}).status_code == 303

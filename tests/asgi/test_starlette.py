"""The Starlette shim: guards, gates of a request, cookies, construction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asgi_world import OLIVIA, Browser, async_gate, played, sync_gate, user_of
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from stepup import AsyncStepUp, Context, Resource, Session, StepUp
from stepup.errors import ConfigurationError, InvalidInput, UnknownAction, WrongColour
from stepup.fastapi import StepUpFastAPI
from stepup.starlette import StepUpStarlette
from stepup.starlette._asgi import VisitMiddleware
from stepup.testing.clock import START

colours = pytest.mark.parametrize("gate_of", [async_gate, sync_gate])


def an_app(gate: AsyncStepUp | StepUp, **options: Any) -> Starlette:
    shim = StepUpStarlette(None, gate, **{"user_of": user_of, **options})

    @shim.guard("org.delete", resource=lambda org_id: Resource("organization", org_id))
    async def delete(request: Request) -> Response:
        return PlainTextResponse(f"deleted {request.path_params['org_id']}")

    async def body(connection: Request) -> object:
        return await connection.json()

    @shim.guard("member.role", params=body)
    async def role(request: Request) -> Response:
        return PlainTextResponse((await request.json())["role"])

    @shim.guard("note.edit")
    def note(request: Request) -> Response:
        return PlainTextResponse("edited")

    class Notes(HTTPEndpoint):
        @shim.guard("note.edit")
        async def post(self, request: Request) -> Response:
            return PlainTextResponse("edited")

    async def by_hand(request: Request) -> Response:
        step = await shim.gate(request)
        assert step.context is await shim.context(request)
        decision = await step.check("member.role")
        await step.require("member.role", params={"role": "x"})
        return PlainTextResponse(decision.code)

    async def sign_in(request: Request) -> Response:
        await shim.signed_in(request, OLIVIA, "password")
        return PlainTextResponse("in")

    async def sign_out(request: Request) -> Response:
        await shim.signed_out(request)
        return PlainTextResponse("out")

    async def by_thread(request: Request) -> Response:
        from starlette.concurrency import run_in_threadpool

        step = await shim.sync_gate(request)
        await run_in_threadpool(step.require, "note.edit")
        return PlainTextResponse(step.check("note.edit").code)

    posts: dict[str, Any] = {
        "/orgs/{org_id}/delete": delete, "/role": role, "/note": note, "/by-hand": by_hand, "/in": sign_in,
        "/out": sign_out, "/by-thread": by_thread,
    }  # fmt: skip
    app = Starlette(routes=[Route(path, one, methods=["POST"]) for path, one in posts.items()])
    app.router.routes.append(Route("/notes", Notes))
    shim.init_app(app)
    return app


@colours
def test_a_guarded_endpoint_is_blocked_proved_and_passes_once(gate_of: Callable[[], Any]) -> None:
    """The token opens the very resource of the path, once; whatever the colour of the gate."""

    async def scene() -> None:
        browser = Browser(an_app(gate_of()))
        token = await browser.proved(await browser.call("POST", "/orgs/org_7/delete"))
        other = await browser.call("POST", "/orgs/org_8/delete", stepup_token=token)
        right = await browser.call("POST", "/orgs/org_7/delete", stepup_token=token)
        again = await browser.call("POST", "/orgs/org_7/delete", stepup_token=token)
        assert (other.json()["code"], right.text, again.json()["code"]) == (
            "grant_invalid", "deleted org_7", "grant_invalid",
        )  # fmt: skip

    played(scene)


@colours
def test_params_may_come_from_the_body(gate_of: Callable[[], Any]) -> None:
    """An async function reads the body; the endpoint can read it again."""

    async def scene() -> None:
        browser = Browser(an_app(gate_of()))
        await browser.proved(await browser.call("POST", "/role", {"role": "admin"}))
        assert (await browser.call("POST", "/role", {"role": "admin"})).text == "admin"
        assert (await browser.call("POST", "/role", {"role": "owner"})).json()["code"] == "verification_required"
        assert (await browser.call("POST", "/role", ["x"])).json()["code"] == "bad_request"

    played(scene)


@colours
@pytest.mark.parametrize("path", ["/note", "/notes"])
def test_plain_functions_and_endpoint_classes_are_guarded(gate_of: Callable[[], Any], path: str) -> None:
    """Signing in makes the session fresh; signing out ends it."""

    async def scene() -> None:
        browser = Browser(an_app(gate_of()))
        assert (await browser.call("POST", path)).json()["code"] == "verification_required"
        assert (await browser.call("POST", "/in")).text == "in"
        assert (await browser.call("POST", path)).text == "edited"
        assert (await browser.call("POST", "/out")).text == "out"
        assert (await browser.call("POST", path)).json()["code"] == "verification_required"

    played(scene)


@colours
def test_the_gate_of_a_request_knows_who_asks(gate_of: Callable[[], Any]) -> None:
    """``require`` and ``check`` need no context and no token."""

    async def scene() -> None:
        browser = Browser(an_app(gate_of()))
        await browser.proved(await browser.call("POST", "/by-hand"))
        assert (await browser.call("POST", "/by-hand")).text == "verification_required"
        nobody = await Browser(an_app(gate_of()), None).call("POST", "/by-hand")
        assert (nobody.status_code, nobody.json()["code"]) == (401, "login_required")

    played(scene)


def test_a_plain_function_gets_a_gate_of_its_colour() -> None:
    """A sync gate can be handed to a thread; an async one cannot, and says so."""

    async def scene() -> None:
        browser = Browser(an_app(sync_gate()))
        await browser.call("POST", "/in")
        assert (await browser.call("POST", "/by-thread")).text == "allowed"
        refused = await Browser(an_app(async_gate())).call("POST", "/by-thread")
        assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")

    played(scene)


@pytest.mark.requirement("G-01")
def test_the_applications_own_session_is_renewed_too() -> None:
    """``rotate`` is called once for a step-up, with the connection."""
    seen: list[str] = []

    async def scene() -> None:
        app = an_app(async_gate(), rotate=lambda connection: seen.append(connection.url.path))
        browser = Browser(app)
        blocked = await browser.call("POST", "/orgs/org_7/delete")
        before = browser.http.cookies["__Host-stepup"]
        await browser.proved(blocked)
        assert browser.http.cookies["__Host-stepup"] != before
        assert [path.rpartition("/")[2] for path in seen] == ["attempts"]

    played(scene)


def test_an_async_renewal_is_awaited_where_it_can_be() -> None:
    """The application's session is renewed before anything is minted; a sync gate cannot wait, and mints nothing."""
    seen: list[str] = []

    async def rotate(connection: HTTPConnection) -> None:
        await asyncio.sleep(0)
        seen.append(connection.url.path)

    async def scene() -> None:
        browser = Browser(an_app(async_gate(), rotate=rotate))
        token = await browser.proved(await browser.call("POST", "/orgs/org_7/delete"))
        assert len(seen) == 1
        assert (await browser.call("POST", "/orgs/org_7/delete", stepup_token=token)).text == "deleted org_7"
        other = Browser(an_app(sync_gate(), rotate=rotate))
        blocked = await other.call("POST", "/orgs/org_7/delete")
        started = await other.call("POST", "/stepup/challenges", {"offer": blocked.json()["offer"]})
        address = f"/stepup/challenges/{started.json()['challenge']['id']}/attempts"
        refused = await other.call("POST", address, {"method": "password", "response": "right"})
        assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
        assert len(seen) == 1

    played(scene)


@pytest.mark.requirement("B-01")
def test_what_a_session_has_unlocked_is_not_for_pages_of_other_sites() -> None:
    """A guarded call that changes something and comes from elsewhere is refused, however fresh the session is."""

    async def scene() -> None:
        browser = Browser(an_app(async_gate(), trusted=["https://help.northstar.example"]))
        await browser.call("POST", "/in")
        for headers in ({"origin": "https://evil.example"}, {"origin": "null"}):
            refused = await browser.call("POST", "/note", **headers, sec_fetch_site="cross-site")
            assert (refused.status_code, refused.json()["code"]) == (403, "bad_request")
        trusted = await browser.call(
            "POST", "/note", origin="https://help.northstar.example", sec_fetch_site="same-site"
        )
        assert trusted.text == "edited"

    played(scene)


def test_signing_in_is_not_for_applications_that_give_contexts() -> None:
    """Their session says itself when it was signed in to."""

    async def scene() -> None:
        context = Context(OLIVIA, session=Session("theirs", START))
        for who in (context, None):
            app = an_app(async_gate(), user_of=None, context_of=lambda connection, who=who: who)
            answer = await Browser(app).call("POST", "/in")
            assert answer.status_code == 503
            assert "set-cookie" not in answer.headers

    played(scene)


def test_signing_out_takes_the_cookies_even_if_the_store_fails() -> None:
    """The outcome is not known, and said so; the browser forgets the session all the same."""

    async def scene() -> None:
        gate = async_gate()
        browser = Browser(an_app(gate))
        await browser.call("POST", "/in")
        object.__setattr__(gate.core, "store", object())
        answer = await browser.call("POST", "/out")
        assert answer.status_code == 503
        assert "__Host-stepup" not in browser.http.cookies

    played(scene)


def test_an_application_may_give_whole_contexts() -> None:
    """Then its session is the session, and no cookie of stepup's is set."""

    async def context_of(connection: HTTPConnection) -> Context:
        return Context(OLIVIA, session=Session("theirs", START))

    async def scene() -> None:
        browser = Browser(an_app(async_gate(), user_of=None, context_of=context_of))
        assert (await browser.call("POST", "/note")).text == "edited"
        assert not browser.http.cookies
        token = await browser.proved(await browser.call("POST", "/orgs/org_7/delete"))
        assert (await browser.call("POST", "/orgs/org_7/delete", stepup_token=token)).text == "deleted org_7"

    played(scene)


def test_organizations_are_bound() -> None:
    """What was proved in one organization opens nothing in another."""

    async def scene() -> None:
        app = an_app(async_gate(), organization_of=lambda connection: connection.headers.get("x-org"))
        browser = Browser(app)
        blocked = await browser.call("POST", "/role", {"role": "a"}, x_org="org_1")
        started = await browser.call("POST", "/stepup/challenges", {"offer": blocked.json()["offer"]}, x_org="org_1")
        address = f"/stepup/challenges/{started.json()['challenge']['id']}/attempts"
        await browser.call("POST", address, {"method": "password", "response": "right"}, x_org="org_1")
        assert (await browser.call("POST", "/role", {"role": "a"}, x_org="org_2")).status_code == 403
        assert (await browser.call("POST", "/role", {"role": "a"}, x_org="org_1")).text == "a"

    played(scene)


def test_two_gates_live_in_one_application() -> None:
    """Each has its own address and cookies; a blocked call is answered by the gate that blocked it."""

    async def scene() -> None:
        app = an_app(async_gate())
        admin = StepUpStarlette(
            None, async_gate(namespace="admin"), user_of=user_of, prefix="/admin/stepup", cookie="admin"
        )

        @admin.guard("member.role")
        async def wipe(request: Request) -> Response:
            return PlainTextResponse("wiped")

        app.router.routes.append(Route("/admin/wipe", wipe, methods=["POST"]))
        admin.init_app(app)
        browser = Browser(app)
        await browser.call("POST", "/in")
        blocked = await browser.call("POST", "/admin/wipe")
        assert blocked.json()["type"] == "/admin/stepup/problems/verification_required"
        other = await browser.call("POST", "/orgs/org_7/delete")
        assert other.json()["type"] == "/stepup/problems/verification_required"
        assert (await browser.call("POST", "/stepup/challenges", {"offer": other.json()["offer"]})).status_code == 201
        opened = await browser.call("POST", "/admin/stepup/challenges", {"offer": blocked.json()["offer"]})
        assert opened.status_code == 201
        assert {"__Host-stepup", "__Host-admin"} < set(browser.http.cookies)

    played(scene)


@pytest.mark.parametrize("same", ["address", "cookies"])
def test_two_gates_that_cannot_be_told_apart_are_refused(same: str) -> None:
    """The second would never be asked, or would read the first one's cookies."""
    options: Any = {"prefix": "/admin/stepup"} if same == "cookies" else {"cookie": "admin"}
    app = an_app(async_gate())
    with pytest.raises(ConfigurationError, match=same):
        StepUpStarlette(app, async_gate(namespace="admin"), user_of=user_of, **options)
    fast = FastAPI()
    StepUpFastAPI(fast, async_gate(), user_of=user_of)
    with pytest.raises(ConfigurationError, match=same):
        StepUpFastAPI(fast, async_gate(namespace="admin"), user_of=user_of, **options)


def test_the_routes_can_be_put_where_the_application_wants_them() -> None:
    """Mounted below another path, with the middleware in the application's own list."""

    async def scene() -> None:
        shim = StepUpStarlette(None, async_gate(may_start=lambda action, context: True), user_of=user_of)
        inner = Starlette()
        shim.init_app(inner)
        browser = Browser(Starlette(routes=[Mount("/app", inner)]))
        assert (await browser.call("GET", "/app/stepup/actions")).status_code == 200
        asked = {"action": "org.delete"}
        offer = (await browser.call("POST", "/app/stepup/preflight", asked)).json()["offer"]
        opened = await browser.call("POST", "/app/stepup/challenges", {"offer": offer})
        assert opened.headers["location"].startswith("/app/stepup/challenges/")
        assert (await browser.call("GET", "/app/stepup/Actions")).json()["code"] == "bad_request"

    played(scene)


def test_mistakes_are_seen_when_the_application_starts() -> None:
    """No gate, no way to tell who it is, an unknown action, functions that cannot be called."""
    shim = StepUpStarlette(None, async_gate(), user_of=user_of)
    with pytest.raises(ConfigurationError, match="gate="):
        StepUpStarlette(Starlette(), user_of=user_of)
    both: tuple[dict[str, Any], ...] = ({}, {"user_of": user_of, "context_of": user_of})
    for hooks in both:
        with pytest.raises(ConfigurationError, match="Exactly one"):
            StepUpStarlette(Starlette(), async_gate(), **hooks)
    with pytest.raises(ConfigurationError, match="FastAPI"):
        StepUpStarlette(FastAPI(), async_gate(), user_of=user_of)
    with pytest.raises(UnknownAction):
        shim.guard("org.destroy")
    with pytest.raises(ConfigurationError, match="without a name"):
        shim.guard("org.delete", resource=lambda *names: None)
    with pytest.raises(ConfigurationError, match="cannot guard"):
        shim.guard("org.delete")(Starlette)


def test_mistakes_that_show_only_in_a_request_refuse_it() -> None:
    """A parameter that the path does not have, a resource that is none, no request: never a pass."""

    async def scene() -> None:
        shim = StepUpStarlette(None, async_gate(), user_of=user_of)

        async def endpoint(request: Request) -> Response:
            return PlainTextResponse("passed")

        async def without(request: Request) -> Response:
            return await shim.guard("note.edit")(forgotten)()

        async def forgotten() -> Response:
            return PlainTextResponse("passed")

        wrong = {
            "/missing": shim.guard("note.edit", resource=lambda org_id: None)(endpoint),
            "/kind": shim.guard("note.edit", resource=lambda: "org_7")(endpoint),
            "/without": without,
        }
        app = Starlette(routes=[Route(path, one, methods=["POST"]) for path, one in wrong.items()])
        shim.init_app(app)
        browser = Browser(app)
        answers = [(await browser.call("POST", path)).status_code for path in wrong]
        assert answers == [503, 400, 503]

    played(scene)


def test_a_request_that_passes_no_shim_is_refused() -> None:
    """Without ``init_app`` there is nothing to keep the visit in."""

    async def scene() -> None:
        shim = StepUpStarlette(None, async_gate(), user_of=user_of)
        with pytest.raises(ConfigurationError, match="init_app"):
            await shim.gate(Request({"type": "http", "headers": []}))

    played(scene)


def test_the_middleware_leaves_other_connections_alone() -> None:
    """The lifespan passes through, and a request without a visit gets no cookie."""

    async def scene() -> None:
        seen: list[str] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope["type"])
            if scope["type"] == "http":
                await PlainTextResponse("ok")(scope, receive, send)

        wrapped = VisitMiddleware(app, "k")
        nothing: Any = None  # it is handed on as it is
        await wrapped({"type": "lifespan"}, nothing, nothing)
        answer = await Browser(wrapped).call("GET", "/")
        assert (seen, answer.text, "set-cookie" in answer.headers) == (["lifespan", "http"], "ok", False)

    played(scene)


def test_a_colour_that_cannot_work_is_refused() -> None:
    """``sync_gate`` with an async gate is a mistake of the developer's."""
    from stepup.starlette._gate import require_sync

    with pytest.raises(WrongColour):
        require_sync(async_gate())


def test_user_of_may_use_what_a_middleware_found() -> None:
    """``connection.user`` of Starlette's AuthenticationMiddleware is who is signed in."""
    from starlette.authentication import AuthCredentials, AuthenticationBackend, BaseUser, SimpleUser
    from starlette.middleware.authentication import AuthenticationMiddleware

    class Backend(AuthenticationBackend):
        async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
            name = conn.headers.get("x-user")
            return None if name is None else (AuthCredentials(["authenticated"]), SimpleUser(name))

    async def scene() -> None:
        app = Starlette(middleware=[Middleware(AuthenticationMiddleware, backend=Backend())])
        StepUpStarlette(app, async_gate(), user_of=lambda connection: connection.user)
        assert (await Browser(app).call("GET", "/stepup/session")).status_code == 200
        assert (await Browser(app, None).call("GET", "/stepup/session")).status_code == 401

    played(scene)


@pytest.mark.parametrize("colour", ["async", "sync"])
def test_a_signal_is_about_whoever_makes_the_request(colour: str) -> None:
    """By a gate that is awaited and by a plain one; for nobody it is a mistake of the developer."""

    async def scene() -> None:
        gate = async_gate() if colour == "async" else sync_gate()
        shim = StepUpStarlette(None, gate, user_of=user_of)

        async def told(request: Request) -> Response:
            try:
                if colour == "async":
                    await (await shim.gate(request)).signal("password_changed")
                else:
                    (await shim.sync_gate(request)).signal("password_changed")
            except InvalidInput as error:
                return PlainTextResponse(error.args[0])
            return PlainTextResponse("told")

        @shim.guard("member.role")
        async def role(request: Request) -> Response:
            return PlainTextResponse("changed")

        app = Starlette(routes=[Route("/told", told, methods=["POST"]), Route("/role", role, methods=["POST"])])
        shim.init_app(app)
        browser = Browser(app)
        await browser.proved(await browser.call("POST", "/role"))
        assert (await browser.call("POST", "/role")).text == "changed"
        assert (await browser.call("POST", "/told")).text == "told"
        assert (await browser.call("POST", "/role")).status_code == 403
        assert "nobody" in (await Browser(app, None).call("POST", "/told")).text

    played(scene)


@colours
def test_a_guard_asks_for_a_number_of_uses(gate_of: Callable[[], Any]) -> None:
    """By a parameter of the path, a value, or an async function; what is no number is refused."""
    shim = StepUpStarlette(None, gate_of(), user_of=user_of)

    async def three(connection: Any) -> int:
        return 3

    def guarded(uses: Any) -> Any:
        @shim.guard("member.role", uses=uses)
        async def role(request: Request) -> Response:
            return PlainTextResponse("changed")

        return role

    routes = {"/path/{many}": lambda many: int(many), "/value": 2, "/asked": three, "/wrong": lambda: None}
    app = Starlette(routes=[Route(path, guarded(uses), methods=["POST"]) for path, uses in routes.items()])
    shim.init_app(app)

    async def scene() -> None:
        for path, uses in (("/path/1", 1), ("/value", 2), ("/asked", 3)):
            browser = Browser(app)
            await browser.proved(await browser.call("POST", path))
            found = [(await browser.call("POST", path)).status_code for _ in range(uses + 1)]
            assert found == [200] * uses + [403]
        wrong = await Browser(app).call("POST", "/wrong")
        assert (wrong.status_code, wrong.json()["code"]) == (400, "bad_request")

    played(scene)
    with pytest.raises(InvalidInput, match="uses"):
        shim.guard("member.role", uses=0)

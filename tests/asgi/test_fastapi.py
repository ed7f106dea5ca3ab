"""The FastAPI shim: dependencies, overrides, route-level guards, ``def`` routes, the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from asgi_world import OLIVIA, Browser, async_gate, played, sync_gate
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel

from stepup import Actor, AsyncStepUp, Context, Resource, Session, StepUp
from stepup.errors import ConfigurationError, InvalidInput, UnknownAction
from stepup.fastapi import RESPONSES, Gate, StepUpFastAPI, SyncGate
from stepup.testing.clock import START

colours = pytest.mark.parametrize("gate_of", [async_gate, sync_gate])


class Payout(BaseModel):
    role: str
    amount: int = 1


def session(request: Request) -> str | None:
    return request.headers.get("x-user")


def current_user(name: Annotated[str | None, Depends(session)]) -> Actor | None:
    """Depends on something itself, as real ones do."""
    return None if name is None else Actor(name)


def by_token(token: Annotated[str, Depends(OAuth2PasswordBearer("token"))]) -> Actor:
    if token != "olivia":
        raise HTTPException(401, "no such token")
    return OLIVIA


def organization(org_id: str) -> Resource:
    return Resource("organization", org_id)


def an_app(gate: AsyncStepUp | StepUp, **options: Any) -> FastAPI:
    app = FastAPI()
    fast = StepUpFastAPI(app, gate, **{"user_of": current_user, **options})
    step_of = Annotated[Gate, Depends(fast.gate)]

    async def pay(body: Payout, step: Any) -> str:
        await step.require("member.role", params=body.model_dump())
        return f"paid {body.amount}"

    async def sign_in(step: Any) -> str:
        await step.signed_in(OLIVIA, "password")
        return "in"

    async def sign_out(step: Any) -> str:
        await step.signed_out()
        return "out"

    async def delete(org_id: str) -> str:
        return f"deleted {org_id}"

    async def note() -> str:
        return "edited"

    for function in (pay, sign_in, sign_out):
        function.__annotations__["step"] = step_of
    pay.__annotations__["body"] = Payout
    app.post("/pay")(pay)
    app.post("/in")(sign_in)
    app.post("/out")(sign_out)
    app.post("/orgs/{org_id}/delete", dependencies=[fast.guard("org.delete", resource=organization)])(delete)
    notes = APIRouter(prefix="/notes", dependencies=[fast.guard("note.edit")])
    notes.post("/{note_id}")(note)
    app.include_router(notes)
    return app


@colours
def test_a_route_asks_after_its_body_was_validated(gate_of: Callable[[], Any]) -> None:
    """An invalid body costs no proof; what was proved is the body that came, and no other."""

    async def scene() -> None:
        browser = Browser(an_app(gate_of()))
        assert (await browser.call("POST", "/pay", {"amount": "x"})).status_code == 422
        await browser.proved(await browser.call("POST", "/pay", {"role": "a", "amount": 7}))
        assert (await browser.call("POST", "/pay", {"role": "a", "amount": 7})).json() == "paid 7"
        assert (await browser.call("POST", "/pay", {"role": "a", "amount": 8})).json()[
            "code"
        ] == "verification_required"

    played(scene)


@colours
def test_routes_and_routers_are_guarded_before_anything_is_bound(gate_of: Callable[[], Any]) -> None:
    """``dependencies=[...]`` of a route takes parameters of its path; of a router it guards all its routes."""

    async def scene() -> None:
        browser = Browser(an_app(gate_of()))
        assert (await browser.call("POST", "/notes/1")).json()["code"] == "verification_required"
        await browser.call("POST", "/in")
        assert (await browser.call("POST", "/notes/1")).json() == "edited"
        await browser.call("POST", "/out")
        assert (await browser.call("POST", "/notes/1")).json()["code"] == "verification_required"

        token = await browser.proved(await browser.call("POST", "/orgs/org_7/delete"))
        other = await browser.call("POST", "/orgs/org_8/delete", stepup_token=token)
        assert other.json()["code"] == "grant_invalid"
        right = await browser.call("POST", "/orgs/org_7/delete", stepup_token=token)
        assert right.json() == "deleted org_7"

    played(scene)


def test_a_plain_route_takes_a_sync_gate() -> None:
    """``def`` routes run in a thread, where a sync gate is at home; with an async gate they are refused."""

    def made(gate: Any) -> FastAPI:
        app = FastAPI()
        fast = StepUpFastAPI(app, gate, user_of=current_user)
        step_of = Annotated[SyncGate, Depends(fast.sync_gate)]

        def note(step: Any) -> str:
            step.require("note.edit")
            return f"edited by {step.context.actor.id}, {step.check('note.edit').code}"

        def sign_in(step: Any) -> str:
            step.signed_in(OLIVIA, "password")
            return "in"

        def sign_out(step: Any) -> str:
            step.signed_out()
            return "out"

        for path, function in (("/note", note), ("/in", sign_in), ("/out", sign_out)):
            function.__annotations__["step"] = step_of
            app.post(path)(function)
        return app

    async def scene() -> None:
        browser = Browser(made(sync_gate()))
        assert (await browser.call("POST", "/note")).json()["code"] == "verification_required"
        await browser.call("POST", "/in")
        assert (await browser.call("POST", "/note")).json() == "edited by usr_2048, allowed"
        await browser.call("POST", "/out")
        assert (await browser.call("POST", "/note")).json()["code"] == "verification_required"
        assert (await Browser(made(async_gate())).call("POST", "/note")).status_code == 503

    played(scene)


def test_overrides_replace_who_is_signed_in() -> None:
    """In the application's tests, for its routes and for the protocol's."""

    async def scene() -> None:
        app = an_app(async_gate())
        browser = Browser(app, None)
        assert (await browser.call("GET", "/stepup/session")).status_code == 401
        app.dependency_overrides[current_user] = lambda: OLIVIA
        assert (await browser.call("GET", "/stepup/session")).status_code == 200
        assert (await browser.call("POST", "/orgs/org_7/delete")).json()["code"] == "verification_required"

    played(scene)


def test_a_dependency_may_refuse_by_itself() -> None:
    """What FastAPI's own security says comes first; what everybody may read does not ask it."""

    async def scene() -> None:
        app = FastAPI()
        StepUpFastAPI(app, async_gate(), user_of=by_token)
        browser = Browser(app)
        assert (await browser.call("GET", "/stepup/session")).json() == {"detail": "Not authenticated"}
        own = {"authorization": "Bearer olivia"}
        assert (await browser.call("GET", "/stepup/session", **own)).status_code == 200
        assert (await browser.call("GET", "/stepup/problems/grant_invalid")).status_code == 200
        assert (await browser.call("GET", "/stepup/openapi.json")).status_code == 200
        assert not browser.http.cookies

    played(scene)


def test_an_application_may_give_whole_contexts() -> None:
    """As a dependency."""

    def context_of(name: Annotated[str | None, Depends(session)]) -> Context | None:
        return None if name is None else Context(Actor(name), session=Session("theirs", START))

    async def scene() -> None:
        browser = Browser(an_app(async_gate(), user_of=None, context_of=context_of))
        assert (await browser.call("POST", "/notes/1")).json() == "edited"
        assert not browser.http.cookies

    played(scene)


@pytest.mark.parametrize("method", ["GET", "PUT", "TRACE", "PROPFIND", "BREW"])
def test_every_method_is_answered_by_the_protocol(method: str) -> None:
    """Also one that FastAPI does not route."""

    async def scene() -> None:
        answer = await Browser(an_app(async_gate())).call(method, "/stepup/preflight")
        assert (answer.status_code, answer.json()["code"]) == (405, "bad_request")

    played(scene)


def test_the_document_tells_what_a_blocked_call_is_answered() -> None:
    """Routes that ask for proof take the token in its header and can be answered a problem; others are as they were."""
    app = an_app(async_gate())
    app.get("/plain")(lambda: "plain")
    paths = app.openapi()["paths"]
    assert app.openapi()["paths"] == paths, "asked twice, it is the same"

    for path in ("/pay", "/orgs/{org_id}/delete", "/notes/{note_id}"):
        operation = paths[path]["post"]
        (header,) = [one for one in operation["parameters"] if one["in"] == "header" and one["name"] == "StepUp-Token"]
        assert header["required"] is False
        assert {str(status) for status in RESPONSES} < set(operation["responses"])
        assert "application/problem+json" in operation["responses"]["403"]["content"]
    assert "403" not in paths["/plain"]["get"]["responses"]
    assert not [path for path in paths if path.startswith("/stepup")]


def test_a_token_from_elsewhere_is_not_announced_as_a_header() -> None:
    """``token_from`` says where it is; the document does not say otherwise."""

    async def scene() -> None:
        app = an_app(async_gate(), token_from=lambda request: request.headers.get("x-proof"))
        assert "parameters" not in app.openapi()["paths"]["/pay"]["post"]
        browser = Browser(app)
        token = await browser.proved(await browser.call("POST", "/orgs/org_7/delete"))
        assert (await browser.call("POST", "/orgs/org_7/delete", x_proof=token)).json() == "deleted org_7"

    played(scene)


def test_mistakes_are_seen_when_the_application_starts() -> None:
    """No gate, no way to tell who it is, an unknown action."""
    with pytest.raises(ConfigurationError, match="gate="):
        StepUpFastAPI(FastAPI(), user_of=current_user)
    with pytest.raises(ConfigurationError, match="Exactly one"):
        StepUpFastAPI(FastAPI(), async_gate())
    with pytest.raises(UnknownAction):
        StepUpFastAPI(None, async_gate(), user_of=current_user).guard("org.destroy")


@colours
def test_a_dependency_asks_for_a_number_of_uses(gate_of: Callable[[], Any]) -> None:
    """By a parameter of the path; what is no number is a mistake at once."""
    app = FastAPI()
    fast = StepUpFastAPI(app, gate_of(), user_of=lambda: OLIVIA)

    @app.post("/roles/{many}", dependencies=[fast.guard("member.role", uses=lambda many: int(many))])
    async def roles(many: int) -> int:
        return many

    async def scene() -> None:
        browser = Browser(app)
        await browser.proved(await browser.call("POST", "/roles/2"))
        assert [(await browser.call("POST", "/roles/2")).status_code for _ in range(3)] == [200, 200, 403]

    played(scene)
    with pytest.raises(InvalidInput, match="uses"):
        fast.guard("member.role", uses=True)

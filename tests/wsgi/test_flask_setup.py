# mypy: disable-error-code="import-untyped"
"""Putting it together: what the shim refuses to be made of, factories, two applications, two gates."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask_login import current_user
from flask_world import PEOPLE, SECRET, Browser, World, cookies, make_gate, organization, plain_app, problem

from stepup import AsyncStepUp, ConfigurationError, Context
from stepup.errors import WrongColour
from stepup.flask import StepUpFlask
from stepup.stores.memory import AsyncMemoryStore
from stepup.testing import ScriptedVerifier


def olivia() -> object:
    return PEOPLE["usr_2048"]


async def later() -> object:
    return olivia()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"user_of": olivia}, "no gate"),
        ({"gate": "gate", "user_of": olivia}, "no gate"),
        ({"gate": make_gate()}, "Exactly one"),
        ({"gate": make_gate(), "user_of": olivia, "context_of": olivia}, "Exactly one"),
        ({"gate": make_gate(), "context_of": olivia, "organization_of": olivia}, "goes with user_of"),
        ({"gate": make_gate(), "user_of": current_user}, "Write user_of=lambda: current_user"),
        ({"gate": make_gate(), "user_of": "usr_2048"}, "is no function"),
        ({"gate": make_gate(), "user_of": olivia, "prefix": "stepup/"}, "prefix="),
        ({"gate": make_gate(), "user_of": olivia, "proxies": ["10.0.0.1/8"]}, "proxies="),
        ({"app": make_gate(), "gate": make_gate(), "user_of": olivia}, "app is a StepUp"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_what_cannot_be_right_is_refused(given: dict[str, Any], why: str) -> None:
    """At construction, with the remedy."""
    with pytest.raises(ConfigurationError, match=why):
        StepUpFlask(**given)


def test_async_parts_are_refused() -> None:
    """An async gate, and an async function where a plain one is called."""
    asynchronous: Any = AsyncStepUp(
        actions=(), verifiers=[ScriptedVerifier("password")], store=AsyncMemoryStore(), secret=SECRET
    )
    with pytest.raises(WrongColour, match="Use StepUp"):
        StepUpFlask(gate=asynchronous, user_of=olivia)
    for name in ("user_of", "context_of", "organization_of", "rotate"):
        hooks: dict[str, Any] = {"user_of": olivia, name: later} if name != "context_of" else {name: later}
        with pytest.raises(WrongColour, match=name):
            StepUpFlask(gate=make_gate(), **hooks)


def test_one_shim_serves_two_applications() -> None:
    """Made at import, given to each application that a factory makes."""
    shim = StepUpFlask(gate=make_gate(), user_of=olivia)

    def create_app(name: str) -> Flask:
        app = plain_app(name)
        shim.init_app(app)
        app.post("/orgs/<org_id>/delete", endpoint="delete")(
            shim.guard("org.delete", resource=organization)(lambda org_id: f"{org_id} deleted in {name}")
        )
        return app

    for name in ("north", "south"):
        browser = Browser(create_app(name).test_client())
        assert browser.retried("/orgs/org_7/delete").text == f"org_7 deleted in {name}"


def two_gates() -> tuple[Flask, StepUpFlask, StepUpFlask]:
    app = plain_app()
    first = StepUpFlask(app, make_gate(), user_of=olivia)
    second = StepUpFlask(
        app, make_gate(namespace="vault", login_url="/vault/login"), user_of=olivia, prefix="/vault.v1/stepup",
        cookie="vault",
    )  # fmt: skip
    for name, shim in (("first", first), ("second", second)):
        app.post(f"/{name}", endpoint=name)(shim.guard("org.delete")(_says(name)))

    @app.post("/both")
    def both() -> str:
        first.require("note.edit")
        second.require("note.edit")
        return "both"

    return app, first, second


def _says(name: str) -> Any:
    def says() -> str:
        return name

    return says


def test_two_gates_live_in_one_application() -> None:
    """Each with an address, cookies and a problem of its own; a proof for one is none for the other."""
    app, _, _ = two_gates()
    north, vault = Browser(app.test_client()), Browser(app.test_client(), prefix="/vault.v1/stepup")

    token = north.token(north.post("/first"))
    assert north.post("/first", StepUp_Token=token).text == "first"

    blocked = vault.post("/second", StepUp_Token=token)
    assert blocked.get_json(force=True)["type"] == "/vault.v1/stepup/problems/grant_invalid"
    assert set(cookies(blocked)) == {"__Host-vault", "__Host-vault-device"}
    assert vault.post("/second", StepUp_Token=vault.token(blocked)).text == "second"


def test_a_view_may_ask_both() -> None:
    """The one that refuses is the one that answers, and all cookies go out."""
    app, first, _ = two_gates()

    @app.post("/in")
    def sign_in() -> str:
        first.signed_in(olivia(), "password")
        return "in"

    browser = Browser(app.test_client())
    browser.post("/in")
    blocked = browser.post("/both")

    assert blocked.get_json(force=True)["type"] == "/vault.v1/stepup/problems/verification_required"
    assert set(cookies(blocked)) == {"__Host-vault", "__Host-vault-device"}


def test_two_gates_must_not_meet() -> None:
    """The same address, or the same cookies, would be a mistake that shows late."""
    app = plain_app()
    shim = StepUpFlask(app, make_gate(), user_of=olivia)

    with pytest.raises(ConfigurationError, match="prefix="):
        shim.init_app(app)
    with pytest.raises(ConfigurationError, match="cookie="):
        StepUpFlask(app, make_gate(), user_of=olivia, prefix="/other")


def test_the_organization_is_bound() -> None:
    """What was proved in one organization opens nothing in the next."""
    working_in = ["org_1"]
    world = World({"organization_of": lambda: working_in[0]})
    browser = world.browser()
    token = browser.token(browser.post("/orgs/org_7/delete"))
    working_in[0] = "org_2"

    assert problem(browser.post("/orgs/org_7/delete", StepUp_Token=token)) == (403, "grant_invalid")
    working_in[0] = "org_1"
    assert browser.post("/orgs/org_7/delete", StepUp_Token=token).text == "org_7 deleted"


def test_a_token_can_be_somewhere_else() -> None:
    """``token_from`` reads it from wherever an API keeps it."""
    world = World({"token_from": lambda asked: asked.headers.get("x-proof")})
    browser = world.browser()
    token = browser.token(browser.post("/orgs/org_7/delete"))

    assert problem(browser.post("/orgs/org_7/delete", StepUp_Token=token)) == (403, "grant_required")
    assert browser.post("/orgs/org_7/delete", X_Proof=token).text == "org_7 deleted"


def test_options_reach_the_protocol() -> None:
    """Such as how a blocked call is answered."""
    answer = World({"answers": "bearer"}).browser().post("/orgs/org_7/delete")

    assert problem(answer) == (401, "verification_required")
    assert "acr_values" in answer.headers["WWW-Authenticate"]


def test_a_context_without_a_session_can_sign_out() -> None:
    """There is nothing to revoke then."""
    world = World({"context_of": lambda: Context(PEOPLE["usr_2048"])})

    assert world.browser().post("/logout").text == "bye"

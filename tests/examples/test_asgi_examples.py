"""The Starlette and FastAPI examples: what a gate adds to an ordinary application, and that both versions work.

First the lines are counted, then Starlette (a session by cookie: by JSON, and by forms alone), then FastAPI (OAuth 2).
Each application is driven in this process, by its own people.
"""

from __future__ import annotations

import asyncio
import difflib
import re
import runpy
from collections.abc import Awaitable, Callable, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
ORIGIN = "https://app.northstar.example"
EMAIL = "olivia@northstar.example"
PASSWORD = "seven quiet herons"
PERSON = {
    "Origin": ORIGIN, "Referer": f"{ORIGIN}/", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate",
    "Accept": "text/html",
}  # fmt: skip
SCRIPT = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
CHARGES: dict[str, dict[str, list[str]]] = {
    "starlette_auth": {
        "login": ["await step_up.signed_in("],
        "logout": ["await step_up.signed_out("],
        "delete_organization": ["await step_up.require("],
    },
    "fastapi_oauth2": {
        "delete_organization": ["def delete_organization(", "step.require("],
        "pay": ["def pay(", "step.require("],
    },
}
"""What a gate costs: the lines that each function has otherwise, by how they begin."""

CONSTRUCTION = ("gate = ", ")", "step_up = ", "Step = ", "step_up.init_app(")

Example = Mapping[str, Any]


# -- what differs ----------------------------------------------------------------------------


def code(name: str) -> list[str]:
    """The lines of an example without its first docstring and what it takes from stepup."""
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8").split('"""', 2)[2]
    return [line for line in text.splitlines() if line.strip() and not line.startswith("from stepup")]


def changed(name: str) -> tuple[dict[str, list[str]], list[str], list[str]]:
    """The lines that functions have otherwise, by function; those outside; and those that only the first has."""
    inside: dict[str, list[str]] = {}
    outside: list[str] = []
    lacks: list[str] = []
    function = ""
    for line in difflib.ndiff(code(f"{name}_before"), code(f"{name}_after")):
        mark, text = line[:2], line[2:]
        if mark == "- ":
            lacks.append(text)
        elif mark in {"  ", "+ "}:
            found = re.match(r"(?:async )?def (\w+)", text)
            function = found[1] if found else function if text.startswith((" ", ")")) else ""
            if mark == "+ ":
                (inside.setdefault(function, []) if function else outside).append(text)
    return inside, outside, lacks


@pytest.mark.parametrize("name", CHARGES)
def test_what_a_gate_adds_to_a_route_is_three_lines_at_most(name: str) -> None:
    """Besides imports and the construction of gate and shim, nothing else changes, and nothing is taken away."""
    inside, outside, lacks = changed(name)

    assert len(inside.pop("hash_of")) == 2, "the hook of the construction"
    assert inside.keys() == CHARGES[name].keys()
    for function, lines in inside.items():
        assert len(lines) <= 3
        for line, begins in zip(lines, CHARGES[name][function], strict=True):
            assert line.strip().startswith(begins)
    assert [line for line in outside if not line.startswith((" ", *CONSTRUCTION))] == []
    assert [line for line in lacks if not line.startswith(tuple(f"def {function}(" for function in inside))] == []


# -- driving them ----------------------------------------------------------------------------


class Fields(HTMLParser):
    """The hidden fields of a page, and where its first form goes."""

    def __init__(self, page: httpx.Response) -> None:
        super().__init__()
        self.to = ""
        self.hidden: dict[str, str] = {}
        self.feed(page.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and not self.to:
            self.to = given["action"]
        if tag == "input" and given.get("type") == "hidden":
            self.hidden[given["name"]] = given["value"]


def played(name: str, scene: Callable[[Example, httpx.AsyncClient], Awaitable[None]]) -> None:
    """One scene with an example of its own, and somebody who has not signed in yet."""

    async def run() -> None:
        example = runpy.run_path(str(EXAMPLES / f"{name}.py"))
        transport = httpx.ASGITransport(example["app"], client=("198.51.100.7", 4711))
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            await scene(example, client)

    asyncio.run(run())


async def proved(client: httpx.AsyncClient, blocked: httpx.Response, answer: str, **headers: str) -> httpx.Response:
    """The last call of the ceremony, by JSON."""
    opened = await client.post("/stepup/challenges", json={"offer": blocked.json()["offer"]}, headers=headers)
    assert opened.status_code == 201, opened.text
    address = f"{opened.headers['Location']}/attempts"
    return await client.post(address, json={"method": "password", "response": answer}, headers=headers)


# -- Starlette ---------------------------------------------------------------------------------


async def members(client: httpx.AsyncClient) -> None:
    """Olivia signs in by the form."""
    assert (await client.post("/login", data={"email": EMAIL, "password": "wrong"})).status_code == 401
    assert (await client.post("/login", data={"email": "nobody@northstar.example"})).status_code == 401
    assert (await client.post("/orgs/org_7/delete", headers=SCRIPT)).status_code == 403
    assert (await client.post("/login", data={"email": EMAIL, "password": PASSWORD})).status_code == 303
    assert "Northstar" in (await client.get("/")).text


def test_starlette_before_being_signed_in_is_enough() -> None:
    """Whoever sits at the browser deletes; whoever signed out does not."""

    async def scene(example: Example, client: httpx.AsyncClient) -> None:
        await members(client)
        assert (await client.post("/orgs/org_7/delete")).status_code == 303
        assert "org_7" not in example["ORGANIZATIONS"]
        assert (await client.get("/")).text == "Nothing is left."
        await client.post("/logout")
        assert (await client.get("/")).headers["location"].startswith(f"{ORIGIN}/login")

    played("starlette_auth_before", scene)


def test_starlette_after_it_takes_the_password_again() -> None:
    """Blocked, proved by JSON, and deleted once; somebody else's organization is refused before any of that."""

    async def scene(example: Example, client: httpx.AsyncClient) -> None:
        await members(client)
        assert (await client.post("/orgs/org_8/delete", headers=SCRIPT)).status_code == 404
        blocked = await client.post("/orgs/org_7/delete", headers=SCRIPT)
        assert (blocked.status_code, blocked.json()["code"]) == (403, "verification_required")
        assert (await proved(client, blocked, "wrong", **SCRIPT)).status_code == 422
        assert "org_7" in example["ORGANIZATIONS"]

        token = (await proved(client, blocked, PASSWORD, **SCRIPT)).json()["grant"]["token"]
        presented = {**SCRIPT, "StepUp-Token": token}
        assert (await client.post("/orgs/org_7/delete", headers=presented)).status_code == 303
        assert "org_7" not in example["ORGANIZATIONS"]
        example["ORGANIZATIONS"]["org_7"] = "Northstar"
        again = await client.post("/orgs/org_7/delete", headers=presented)
        assert (again.status_code, again.json()["code"]) == (403, "grant_invalid")
        assert "org_7" in example["ORGANIZATIONS"]

    played("starlette_auth_after", scene)


def test_starlette_after_signing_out_ends_what_was_open() -> None:
    """A token that was not used yet opens nothing in the session before, and nothing in the next one."""

    async def scene(example: Example, client: httpx.AsyncClient) -> None:
        await members(client)
        blocked = await client.post("/orgs/org_7/delete", headers=SCRIPT)
        token = (await proved(client, blocked, PASSWORD, **SCRIPT)).json()["grant"]["token"]
        before = dict(client.cookies)
        presented = {**SCRIPT, "StepUp-Token": token}
        await client.post("/logout")
        assert "__Host-stepup" not in client.cookies
        for cookies in (before, None):
            client.cookies.clear()
            client.cookies.update(cookies)
            if cookies is None:
                await members(client)
            answer = await client.post("/orgs/org_7/delete", headers=presented)
            assert (answer.status_code, answer.json()["code"]) == (403, "grant_invalid")
        assert "org_7" in example["ORGANIZATIONS"]

    played("starlette_auth_after", scene)


def test_starlette_after_it_works_without_javascript() -> None:
    """The button of the page, the page that asks, and the button once more."""

    async def scene(example: Example, client: httpx.AsyncClient) -> None:
        await members(client)
        button = Fields(await client.get("/"))

        asks = await client.post(button.to, headers=PERSON)
        assert asks.status_code == 403
        assert "Delete organization" in asks.text
        form = Fields(asks)
        done = await client.post(form.to, data={**form.hidden, "response": PASSWORD}, headers=PERSON)
        assert done.status_code == 303
        assert "org_7" in example["ORGANIZATIONS"]

        assert (await client.post(button.to, headers=PERSON)).status_code == 303
        assert "org_7" not in example["ORGANIZATIONS"]

    played("starlette_auth_after", scene)


# -- FastAPI -----------------------------------------------------------------------------------


async def authorized(client: httpx.AsyncClient) -> None:
    """Olivia's program gets a token, and calls with it from here on."""
    wrong = await client.post("/token", data={"username": EMAIL, "password": "wrong"})
    assert wrong.status_code == 400
    got = await client.post("/token", data={"username": EMAIL, "password": PASSWORD})
    assert got.json()["token_type"] == "bearer"
    client.headers["authorization"] = f"Bearer {got.json()['access_token']}"
    assert (await client.get("/orgs")).json() == {"org_7": "Northstar"}


def test_fastapi_before_a_token_is_enough() -> None:
    """Whoever has the token deletes and pays."""

    async def scene(example: Example, client: httpx.AsyncClient) -> None:
        await authorized(client)
        payout = {"payee": "Marcus Hale", "amount": "120.00"}
        assert (await client.post("/orgs/org_8/payouts", json=payout)).status_code == 404
        assert (await client.post("/orgs/org_7/payouts", json=payout)).json() == payout
        assert (await client.delete("/orgs/org_7")).status_code == 204
        assert "org_7" not in example["ORGANIZATIONS"]

    played("fastapi_oauth2_before", scene)


@pytest.mark.requirement("G-07", "G-08")
def test_fastapi_after_a_token_is_answered_with_rfc_9470() -> None:
    """Blocked with the challenge of RFC 9470, proved, and deleted once; strangers are told what they were told."""

    async def scene(example: Example, client: httpx.AsyncClient) -> None:
        stranger = await client.delete("/orgs/org_7")
        assert (stranger.status_code, stranger.headers["www-authenticate"]) == (401, "Bearer")
        await authorized(client)
        assert (await client.delete("/orgs/org_8")).status_code == 404

        blocked = await client.delete("/orgs/org_7")
        assert blocked.status_code == 401
        asked = blocked.headers["www-authenticate"]
        assert asked.startswith('Bearer error="insufficient_user_authentication", ')
        assert 'acr_values="urn:stepup:level:4"' in asked
        assert (await proved(client, blocked, "wrong")).status_code == 422
        assert "org_7" in example["ORGANIZATIONS"]

        token = (await proved(client, blocked, PASSWORD)).json()["grant"]["token"]
        assert (await client.delete("/orgs/org_7", headers={"StepUp-Token": token})).status_code == 204
        assert "org_7" not in example["ORGANIZATIONS"]
        example["ORGANIZATIONS"]["org_7"] = "Northstar"
        again = await client.delete("/orgs/org_7", headers={"StepUp-Token": token})
        assert (again.status_code, again.json()["code"]) == (401, "grant_invalid")
        assert not client.cookies

    played("fastapi_oauth2_after", scene)


def test_fastapi_after_what_was_proved_is_the_payout_that_is_made() -> None:
    """A body that is wrong costs no proof; the token opens that amount to that payee, and no other."""

    async def scene(example: Example, client: httpx.AsyncClient) -> None:
        await authorized(client)
        payout = {"payee": "Marcus Hale", "amount": "120.00"}
        for wrong in ({**payout, "amount": "-1"}, {**payout, "more": 1}):
            assert (await client.post("/orgs/org_7/payouts", json=wrong)).status_code == 422
        blocked = await client.post("/orgs/org_7/payouts", json=payout)
        assert blocked.json()["authorization_details"][0]["params"] == payout
        token = (await proved(client, blocked, PASSWORD)).json()["grant"]["token"]

        presented = {"StepUp-Token": token}
        for other in ({**payout, "amount": "121.00"}, {**payout, "payee": "Ines Moreau"}):
            answer = await client.post("/orgs/org_7/payouts", json=other, headers=presented)
            assert (answer.status_code, answer.json()["code"]) == (401, "grant_invalid")
        assert example["PAYOUTS"] == []
        assert (await client.post("/orgs/org_7/payouts", json=payout, headers=presented)).status_code == 201
        assert (await client.post("/orgs/org_7/payouts", json=payout, headers=presented)).status_code == 401
        assert [one.payee for one in example["PAYOUTS"]] == ["Marcus Hale"]

    played("fastapi_oauth2_after", scene)

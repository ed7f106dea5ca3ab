"""The Flask examples: what a gate adds to an ordinary application, line by line, and that both versions work."""

from __future__ import annotations

import difflib
import re
import runpy
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

EXAMPLES = Path(__file__).parents[2] / "examples"
ORIGIN = "https://app.northstar.example"
PASSWORD = "seven quiet herons"
SCRIPT = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
PERSON = {
    "Origin": ORIGIN, "Referer": f"{ORIGIN}/", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate",
    "Accept": "text/html",
}  # fmt: skip


def changed(name: str) -> tuple[list[str], list[str]]:
    """The lines that the second version lacks and adds, without the first docstring, imports and the gate's block."""
    before, after = (
        (EXAMPLES / f"{name}_{one}.py").read_text(encoding="utf-8").split('"""', 2)[2].splitlines()
        for one in ("before", "after")
    )
    diff = [*difflib.ndiff(before, after)]
    lacks = [line[2:] for line in diff if line.startswith("- ")]
    adds = [line[2:] for line in diff if line.startswith("+ ")]
    first = min(adds.index(line) for line in adds if line.startswith("def "))
    last = next(index for index, line in enumerate(adds) if line.startswith("step_up = "))
    del adds[first : last + 1]
    return lacks, [line for line in adds if line.strip()]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("flask_login", "    step_up.require("),
        ("flask_security", '@step_up.guard("key.rotate")'),
    ],
)
def test_a_guarded_view_differs_in_one_line(name: str, line: str) -> None:
    """Besides imports and the construction of the gate, nothing else changes, and nothing is taken away."""
    lacks, adds = changed(name)
    views = [one for one in adds if not re.match(r"from stepup|    \w+,$", one)]

    assert lacks == []
    assert len(views) == 1
    assert views[0].startswith(line)


@pytest.fixture(scope="module")
def load() -> Callable[[str], Mapping[str, Any]]:
    return lambda name: runpy.run_path(str(EXAMPLES / f"{name}.py"))


def client_of(example: Mapping[str, Any]) -> FlaskClient:
    app: Flask = example["app"]
    return app.test_client()


class Fields(HTMLParser):
    """The hidden fields of a page, and where its first form goes."""

    def __init__(self, page: TestResponse) -> None:
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


def proved(client: FlaskClient, blocked: TestResponse, answer: str) -> TestResponse:
    """The last call of the ceremony, by JSON."""
    assert blocked.status_code == 403, blocked.text
    opened = client.post(
        "/stepup/challenges", base_url=ORIGIN, headers=SCRIPT, json={"offer": blocked.get_json(force=True)["offer"]}
    )
    assert opened.status_code == 201, opened.text
    address = f"{opened.headers['Location']}/attempts"
    return client.post(address, base_url=ORIGIN, headers=SCRIPT, json={"method": "password", "response": answer})


# -- Flask-Login -------------------------------------------------------------------------------


def members(example: Mapping[str, Any]) -> FlaskClient:
    """Olivia's browser, signed in by the form."""
    client = client_of(example)
    form = {"email": "olivia@northstar.example", "password": PASSWORD}
    assert client.post("/login", base_url=ORIGIN, data={**form, "password": "wrong"}).status_code == 401
    assert client.post("/login", base_url=ORIGIN, data=form).status_code == 302
    assert "Northstar" in client.get("/", base_url=ORIGIN).text
    return client


def test_before_being_signed_in_is_enough(load: Callable[[str], Mapping[str, Any]]) -> None:
    """Whoever sits at the browser deletes."""
    example = load("flask_login_before")
    client = members(example)

    assert client.post("/orgs/org_7/delete", base_url=ORIGIN).status_code == 302
    assert "org_7" not in example["ORGANIZATIONS"]
    assert "Nothing is left." in client.get("/", base_url=ORIGIN).text


def test_after_it_takes_the_password_again(load: Callable[[str], Mapping[str, Any]]) -> None:
    """Blocked, proved by JSON, and deleted; somebody else's organization is refused before any of that."""
    example = load("flask_login_after")
    client = members(example)

    assert client.post("/orgs/org_8/delete", base_url=ORIGIN, headers=SCRIPT).status_code == 404
    blocked = client.post("/orgs/org_7/delete", base_url=ORIGIN, headers=SCRIPT)
    assert proved(client, blocked, "wrong").status_code == 422
    assert "org_7" in example["ORGANIZATIONS"]

    token = proved(client, blocked, PASSWORD).get_json()["grant"]["token"]
    deleted = client.post("/orgs/org_7/delete", base_url=ORIGIN, headers={**SCRIPT, "StepUp-Token": token})
    assert deleted.status_code == 302
    assert "org_7" not in example["ORGANIZATIONS"]


def test_after_it_works_without_javascript(load: Callable[[str], Mapping[str, Any]]) -> None:
    """The button of the page, the page that asks, and the button once more."""
    example = load("flask_login_after")
    client = members(example)
    button = Fields(client.get("/", base_url=ORIGIN))

    asks = client.post(button.to, base_url=ORIGIN, headers=PERSON)
    assert asks.status_code == 403
    assert "Delete organization" in asks.text
    form = Fields(asks)
    done = client.post(form.to, base_url=ORIGIN, headers=PERSON, data={**form.hidden, "response": PASSWORD})
    assert done.status_code == 303
    assert "org_7" in example["ORGANIZATIONS"]

    assert client.post(button.to, base_url=ORIGIN, headers=PERSON).status_code == 302
    assert "org_7" not in example["ORGANIZATIONS"]


# -- Flask-Security -----------------------------------------------------------------------------


def signed_in(example: Mapping[str, Any]) -> tuple[FlaskClient, dict[str, str]]:
    """Olivia's browser, signed in by Flask-Security's form, and the header that CSRFProtect wants."""
    client = client_of(example)
    headers = {"Referer": f"{ORIGIN}/login"}
    form = {"email": "olivia@northstar.example", "password": PASSWORD}
    assert client.post("/login", base_url=ORIGIN, headers=headers, data=form).status_code == 400
    form |= Fields(client.get("/login", base_url=ORIGIN)).hidden
    assert client.post("/login", base_url=ORIGIN, headers=headers, data=form).status_code == 302
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/change", base_url=ORIGIN).text)
    token = form["csrf_token"] if found is None else found[1]
    return client, {**SCRIPT, **headers, "X-CSRFToken": token}


def test_before_a_session_rotates_keys(load: Callable[[str], Mapping[str, Any]]) -> None:
    """However long ago somebody signed in."""
    example = load("flask_security_before")
    client, headers = signed_in(example)

    answer = client.post("/keys/rotate", base_url=ORIGIN, headers=headers)
    assert answer.get_json() == {"key": example["KEYS"]["olivia@northstar.example"]}
    assert answer.get_json() != {"key": "key_1"}


def test_after_it_takes_the_password_that_flask_security_keeps(load: Callable[[str], Mapping[str, Any]]) -> None:
    """Its CSRF protection stays on for the application's calls, and does not stand in the way of the ceremony."""
    example = load("flask_security_after")
    client, headers = signed_in(example)
    blocked = client.post("/keys/rotate", base_url=ORIGIN, headers=headers)

    assert proved(client, blocked, "wrong").status_code == 422
    assert proved(client, blocked, PASSWORD).status_code == 200
    assert client.post("/keys/rotate", base_url=ORIGIN).status_code == 400
    answer = client.post("/keys/rotate", base_url=ORIGIN, headers=headers)
    assert answer.get_json() == {"key": example["KEYS"]["olivia@northstar.example"]}
    known = client.get("/stepup/session", base_url=ORIGIN).get_json()
    assert [proof["method"] for proof in known["proofs"]] == ["password"]

"""``python -m stepup demo``, as a program and as a browser without JavaScript would use it, over real HTTP."""

from __future__ import annotations

import http.client
import json
import re
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pyotp
import pytest

DELETE = "/organizations/org_7/delete"


@dataclass
class Visitor:
    """A client with cookies."""

    port: int
    person: dict[str, Any]
    cookies: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, dict[str, str], str]:
        sent = {"origin": f"http://localhost:{self.port}", "content-type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection = http.client.HTTPConnection("localhost", self.port, timeout=30)
        try:
            connection.request(method, path, body.encode(), sent)
            got = connection.getresponse()
            for cookie in got.headers.get_all("set-cookie") or []:
                name, _, value = cookie.partition(";")[0].partition("=")
                self.cookies[name] = value
            return got.status, dict(got.getheaders()), got.read().decode()
        finally:
            connection.close()

    def json(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        status, _, text = self.call(method, path, "" if body is None else json.dumps(body), **headers)
        return status, json.loads(text)

    def form(self, path: str, **fields: str) -> tuple[int, dict[str, str], str]:
        kind, page = "application/x-www-form-urlencoded", f"http://localhost:{self.port}/"
        headers = {"content_type": kind, "accept": "text/html", "sec_fetch_mode": "navigate", "referer": page}
        return self.call("POST", path, urlencode(fields), **headers)

    def signed_in(self) -> Visitor:
        known = {name: self.person[name] for name in ("email", "password")}
        assert self.json("POST", "/login", known) == (200, {"did": "signed_in", "message": "Signed in."})
        return self

    def mailed_code(self) -> str:
        _, mails = self.json("GET", "/demo/outbox")
        found = re.search(r"\b\d{6}\b", mails[-1]["text"])
        assert found is not None
        return found[0]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, dict[str, Any]]]:
    directory = tmp_path_factory.mktemp("demo")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    store, creds = f"sqlite:///{directory}/demo.db", directory / "creds.json"
    words = ["--port", str(port), "--store", store, "--seed-file", str(creds)]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "stepup", "demo", *words], stdout=log, stderr=log, cwd=directory
        )
    try:
        until_it_answers(process, port, directory / "log")
        assert stat.S_IMODE(creds.stat().st_mode) == 0o600
        yield port, json.loads(creds.read_text())
    finally:
        process.terminate()
        process.wait(20)
    printed = (directory / "log").read_text()
    assert f"http://localhost:{port}" in printed
    assert "password" in printed
    assert "Traceback" not in printed


def until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("localhost", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"the demo did not start: {log.read_text()}")


@pytest.mark.parametrize("method", ["password", "totp", "email_code", "recovery_code"])
def test_each_method_opens_the_deletion_once(demo: tuple[int, dict[str, Any]], method: str) -> None:
    """With what the seed file tells, and the outbox for what is mailed."""
    visitor = Visitor(*demo).signed_in()
    status, blocked = visitor.json("POST", DELETE)
    assert (status, blocked["code"]) == (403, "verification_required")
    assert set(blocked["methods"]) == {"totp", "recovery_code", "password", "email_code"}

    _, opened = visitor.json("POST", "/stepup/challenges", {"offer": blocked["offer"]})
    address = f"/stepup/challenges/{opened['challenge']['id']}"
    if method == "email_code":
        assert visitor.json("POST", f"{address}/methods/email_code")[0] == 200
    answers: dict[str, Callable[[], str]] = {
        "password": lambda: visitor.person["password"],
        "totp": lambda: pyotp.TOTP(visitor.person["totpSecret"]).now(),
        "email_code": visitor.mailed_code,
        "recovery_code": lambda: visitor.person["recoveryCodes"][-1],
    }
    body = {"method": method, "response": answers[method]()}
    _, proved = visitor.json("POST", f"{address}/attempts", body)
    assert proved["status"] == "verified", proved
    token = proved["grant"]["token"]

    assert visitor.json("POST", DELETE, stepup_token=token) == (
        200, {"did": "organization.delete", "message": "The organization was deleted."},
    )  # fmt: skip
    assert visitor.json("POST", DELETE, stepup_token=token)[1]["code"] == "grant_invalid"


def test_a_browser_without_javascript_does_it_all(demo: tuple[int, dict[str, Any]]) -> None:
    """A blocked form leads to the page that asks, and back; pressing the button again deletes, once."""
    visitor = Visitor(*demo)
    assert visitor.form("/login", email=visitor.person["email"], password="wrong")[1]["location"] == "/?did=wrong"
    visitor.form("/login", email=visitor.person["email"], password=visitor.person["password"])
    assert "Delete the organization" in visitor.call("GET", "/?did=signed_in", accept="text/html")[2]

    status, _, page = visitor.form(DELETE)
    assert status == 403
    offer = re.search(r'name="offer" value="([^"]+)"', page)
    assert offer is not None
    status, headers, _ = visitor.form(
        "/stepup/ceremony", offer=offer[1], next="/", method="password", response=visitor.person["password"]
    )
    assert (status, headers["location"]) == (303, "/stepup/ceremony/done?next=%2F")
    assert visitor.form(DELETE)[1]["location"] == "/?did=organization.delete"
    assert visitor.form(DELETE)[0] == 403


def test_the_other_deeds(demo: tuple[int, dict[str, Any]]) -> None:
    """Low risk passes after signing in; a role is bound; a role that is none costs nothing; signing out locks."""
    visitor = Visitor(*demo)
    assert visitor.json("POST", "/notes")[0] == 401
    visitor.signed_in()
    assert visitor.json("POST", "/notes")[0] == 200
    assert visitor.json("POST", "/members/role", {"role": "king"})[0] == 422
    _, blocked = visitor.json("POST", "/members/role", {"role": "owner"})
    assert blocked["authorization_details"][0]["params"] == {"role": "owner"}
    assert visitor.json("POST", "/logout")[0] == 200
    assert visitor.json("POST", "/notes")[0] == 401


def test_another_name_for_this_machine_leads_nowhere(demo: tuple[int, dict[str, Any]]) -> None:
    """A page whose name was made to lead here reads neither the outbox nor anything else."""
    visitor = Visitor(*demo)
    for path in ("/demo/outbox", "/", "/stepup/openapi.json"):
        assert visitor.call("GET", path, host="rebind.evil.example")[0] == 400


def test_the_command_says_what_it_takes() -> None:
    """Help names the options."""
    done = subprocess.run(
        [sys.executable, "-m", "stepup", "demo", "--help"], capture_output=True, text=True, check=True
    )
    for option in ("--port", "--store", "--seed-file"):
        assert option in done.stdout

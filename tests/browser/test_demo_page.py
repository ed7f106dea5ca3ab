"""The demo's page in a real browser: every method that the seed file knows, through the form and the dialog."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, Any]]]:
    """The demo, as ``python -m stepup demo`` serves it: its address, and what its person knows."""
    directory = tmp_path_factory.mktemp("demo")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    words = ["--port", str(port), "--seed-file", str(directory / "seed.json")]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "stepup", "demo", *words], stdout=log, stderr=log)
    try:
        until_it_answers(port, process, directory / "log")
        yield f"http://localhost:{port}", json.loads((directory / "seed.json").read_text())
    finally:
        process.terminate()
        process.wait(20)


def until_it_answers(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            pytest.fail(f"the demo did not start: {log.read_text()}")
        else:
            return


@pytest.fixture
def page(demo: tuple[str, dict[str, Any]], browser: Browser) -> Iterator[Page]:
    """Signed in, on the demo's page."""
    site, person = demo
    context = browser.new_context(base_url=site)
    made = context.new_page()
    made.set_default_timeout(10_000)
    made.goto("/")
    made.get_by_label("E-mail").fill(person["email"])
    made.get_by_label("Password").fill(person["password"])
    made.get_by_role("button", name="Sign in").click()
    expect(made.get_by_role("status")).to_have_text("Signed in.")
    made.wait_for_function("() => globalThis.stepup")
    yield made
    context.close()


def mailed(site: str) -> str:
    with urllib.request.urlopen(f"{site}/demo/outbox") as answer:
        found = re.search(r"\b\d{6}\b", json.load(answer)[-1]["text"])
    assert found is not None
    return found[0]


@pytest.mark.parametrize(
    ("method", "label"),
    [
        ("Password", "Your password"), ("Authenticator app", "Code from the app"),
        ("Code by mail", "Code from the mail"), ("Recovery code", "One of your recovery codes"),
    ],
)  # fmt: skip
def test_each_method_deletes_the_organization(
    demo: tuple[str, dict[str, Any]], page: Page, method: str, label: str
) -> None:
    """The button opens the dialog, the proof lets the form through, and the page says that it is done."""
    site, person = demo
    answers: dict[str, Callable[[], str]] = {
        "Password": lambda: person["password"],
        "Authenticator app": lambda: pyotp.TOTP(person["totpSecret"]).now(),
        "Code by mail": lambda: mailed(site),
        "Recovery code": lambda: person["recoveryCodes"][0],
    }
    page.get_by_role("button", name="Delete the organization").click()
    page.get_by_role("tab", name=method).click()
    if method == "Code by mail":
        page.get_by_role("button", name="Mail me a code").click()
    expect(page.get_by_label(label)).to_be_visible()
    page.get_by_label(label).fill(answers[method]())
    page.get_by_label(label).press("Enter")
    expect(page.get_by_role("status").filter(has_text="The organization was deleted.")).to_be_visible()


def test_what_is_bound_is_shown(page: Page) -> None:
    """The role that was chosen stands in the dialog."""
    page.get_by_label("Role").select_option("owner")
    page.get_by_role("button", name="Change the role of Marcus").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("definition").filter(has_text="owner")).to_be_visible()
    expect(dialog.get_by_role("definition").filter(has_text="usr_4096")).to_be_visible()

"""The tutorial about a page that is there already, followed step by step, in a real browser."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect
from serving import a_port, until_it_answers

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "your-page.md"
FENCE = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.M | re.S)


def fences(kind: str) -> list[str]:
    return [found["text"] for found in FENCE.finditer(PAGE.read_text(encoding="utf-8")) if found["kind"] == kind]


def test_one_script_tag_and_one_call_change() -> None:
    """Nothing else differs between the two pages that are shown."""
    before, after = (one.splitlines() for one in fences("html"))
    gone, new = [one for one in before if one not in after], [one for one in after if one not in before]
    assert [one.replace("await stepup.fetch(", "await fetch(") for one in new if "fetch" in one] == gone
    assert [one.strip() for one in new if "fetch" not in one] == [
        '<script type="module" src="/stepup/static/stepup.js"></script>'
    ]


def test_the_page_works_as_it_is(browser: Browser, tmp_path: Path) -> None:
    """Before anything is added, the button does what it says."""
    with served(tmp_path, fences("python")[0], fences("html")[0]) as site:
        page = at(browser, site)
        page.get_by_role("button", name="Delete the workspace").click()
        expect(page.get_by_role("status")).to_have_text("ws_1 is gone")
        page.context.close()


def test_the_page_asks_for_proof_at_the_end(browser: Browser, tmp_path: Path) -> None:
    """The dialog names what is bound, the password opens the call, and the next call is asked for again."""
    with served(tmp_path, fences("python")[1], fences("html")[1]) as site:
        page = at(browser, site)
        dialog = page.get_by_role("dialog", name="Confirm that it is you")
        for _ in range(2):
            page.get_by_role("button", name="Delete the workspace").click()
            expect(dialog).to_contain_text("Delete workspace")
            expect(dialog).to_contain_text("ws_1")
            dialog.get_by_label("Your password").fill("seven quiet herons")
            dialog.get_by_label("Your password").press("Enter")
            expect(page.locator("p[role=status]")).to_have_text("ws_1 is gone")
            expect(dialog).to_be_hidden()
            page.locator("p[role=status]").evaluate("one => one.textContent = ''")
        page.context.close()


def at(browser: Browser, site: str) -> Page:
    page = browser.new_context().new_page()
    page.set_default_timeout(10_000)
    page.goto(site)
    return page


@contextmanager
def served(directory: Path, code: str, html: str) -> Iterator[str]:
    """The files as somebody would write them, and ``flask run`` as somebody would run it."""
    (directory / "templates").mkdir()
    (directory / "templates" / "index.html").write_text(html, encoding="utf-8")
    (directory / "app.py").write_text(code, encoding="utf-8")
    port = a_port()
    words = [sys.executable, "-m", "flask", "--app", "app", "run", "--port", str(port)]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(words, cwd=directory, stdout=log, stderr=log)
    try:
        until_it_answers(port, process, directory / "log")
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        process.wait(20)

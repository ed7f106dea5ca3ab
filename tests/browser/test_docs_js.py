"""The JavaScript and the markup of the pages about the client, run as they stand there, in a browser, against a site.

Each block is claimed by one scenario, by a text that it holds: a block that nobody claims fails, and so does one that
says a name that is not there. What a block takes for given (``show``, ``axios``, a blocked call) is given by its
scenario; the addresses in it are those of the site's own deeds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from browser_visitor import Visitor
from playwright.sync_api import Page, Route, expect

DOCS = Path(__file__).parents[2] / "docs" / "how-to"
PAGES = ("browser-client.md", "account-page.md")
BLOCK = re.compile(r"^```(javascript|html)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = [
    (f"{page}:{number}", kind, text)
    for page in PAGES
    for number, (kind, text) in enumerate(BLOCK.findall((DOCS / page).read_text(encoding="utf-8")), 1)
]
IMPORT = re.compile(r"^import \{([^}]*)\} from (\"[^\"]+\");", re.MULTILINE)
DEEDS = {"/organizations/org_7/delete": "org.delete", "/members/role": "member.role"}


def sited(page: Page, site: str) -> None:
    """Have the addresses of the blocks be deeds of the site."""

    def leads(deed: str) -> Callable[[Route], None]:
        return lambda route: route.continue_(url=f"{site}/do/{deed}")

    for address, deed in DEEDS.items():
        page.route(f"**{address}", leads(deed))


def run(visitor: Visitor, text: str, given: str = "", after: str = "") -> None:
    """Run a block, without waiting for its end; what it came to is in ``came``."""
    sited(visitor.page, visitor.world.site)
    code = IMPORT.sub(r"const {\1} = await import(\2);", text)
    visitor.page.evaluate(
        f"""() => {{ {given}
          globalThis.came = null; globalThis.shown = [];
          globalThis.show = (...what) => void shown.push(what.map(String));
          (async () => {{ {code}\n {after} }})().then(
            (value) => (came = {{ value: value ?? null }}), (error) => (came = {{ error: String(error) }})); }}"""
    )


def came(visitor: Visitor) -> object:
    visitor.page.wait_for_function("() => came !== null")
    return visitor.page.evaluate("came")


def confirmed(visitor: Visitor, text: str, given: str = "", after: str = "") -> object:
    """What a block comes to once its dialog was answered."""
    run(visitor, text, given, after)
    visitor.password()
    return came(visitor)


BLOCKED = """const problem = await (await fetch("/do/org.delete", { method: "POST" })).json();"""


def fetched(visitor: Visitor, text: str) -> None:
    assert confirmed(visitor, text, after="return response.status;") == {"value": 200}


def cancelled(visitor: Visitor, text: str) -> None:
    run(visitor, text)
    visitor.dialog.get_by_role("button", name="Cancel").click()
    assert came(visitor) == {"value": None}


def answered(visitor: Visitor, text: str) -> None:
    event = """new CustomEvent("stepup:answer", { bubbles: true, detail: { response: new Response("[1]") } })"""
    run(visitor, text, after=f"document.body.dispatchEvent({event});")
    visitor.page.wait_for_function("() => shown.length === 1")
    assert visitor.page.evaluate("shown[0][1]") == "1"


def wrapped(visitor: Visitor, text: str) -> None:
    axios = """globalThis.axios = { post: (url, body, { headers }) => fetch(url, { method: "POST", headers }) };"""
    assert confirmed(visitor, text, axios) == {"value": None}
    assert [one["deed"] for one in visitor.done] == ["org.delete"]


def proved(visitor: Visitor, text: str) -> None:
    assert confirmed(visitor, BLOCKED + text, after="return token.length > 20;") == {"value": True}


def proved_by_name(visitor: Visitor, text: str) -> None:
    """The site lets clients begin another action than the page's."""
    run(visitor, text.replace('"member.role"', '"note.edit"'), after="return token !== null && !error;")
    visitor.fill()
    assert came(visitor) == {"value": True}


def worded(visitor: Visitor, text: str) -> None:
    run(visitor, text)
    assert came(visitor) == {"value": None}
    visitor.call()
    expect(visitor.page.get_by_role("dialog", name="Is it you?")).to_be_visible()


def taken(visitor: Visitor, text: str) -> None:
    asks = """globalThis.ask = async (problem, signal) => {
      show(problem.code, signal.aborted); throw new DOMException("no", "AbortError"); };"""
    run(visitor, text, asks)
    visitor.call()
    assert visitor.answers()[0]["error"] == "StepUpCancelledError"
    assert visitor.page.evaluate("shown") == [["verification_required", "false"]]


def read_again(visitor: Visitor, text: str) -> None:
    element = """await import("/stepup/static/account.js");
      document.body.append(document.createElement("stepup-events"));"""
    run(visitor, element + text)
    assert came(visitor) == {"value": None}


def heard(visitor: Visitor, text: str) -> None:
    event = """new CustomEvent("stepup:changed", { detail: { what: "factor", change: "added", method: "totp" } })"""
    run(visitor, text, "globalThis.thank = (method) => show(method);", f"document.dispatchEvent({event});")
    assert came(visitor) == {"value": None}
    assert visitor.page.evaluate("shown") == [["totp"]]


def titled(visitor: Visitor, text: str) -> None:
    element = """document.body.append(document.createElement("stepup-factors"));"""
    run(visitor, text, after=element)
    assert came(visitor) == {"value": None}
    expect(visitor.page.get_by_role("heading", name="Verification")).to_be_visible()


def marked_up(visitor: Visitor, text: str) -> None:
    """Every script of it is served, every element of ours is one, and a form of it asks."""
    page = visitor.page
    ours = sorted(set(re.findall(r"<(stepup-[a-z]+)", text)))
    account = '<script type="module" src="/stepup/static/account.js"></script>'
    body = f"<!doctype html><html lang=en><title>A page</title><body>{text}{account}</body>"
    page.route("**/of-the-docs", lambda route: route.fulfill(body=body, content_type="text/html"))
    sited(page, visitor.world.site)
    for source in re.findall(r'src="([^"]+)"', text):
        assert page.request.get(visitor.world.site + source).status == 200
    page.goto(f"{visitor.world.site}/of-the-docs")
    page.wait_for_function("() => globalThis.stepup && customElements.get('stepup-events')")
    for name in ours:
        if name != "stepup-dialog":  # that one is loaded when it is first needed
            assert page.evaluate("name => customElements.get(name) !== undefined", name)
    if "<form" in text:
        page.get_by_role("button", name="Delete").click()
        expect(visitor.dialog).to_be_visible()
    if "<stepup-dialog" in text:
        visitor.call()
        expect(visitor.dialog.get_by_role("link")).to_have_attribute("href", "/help/sign-in")


SCENARIOS: dict[str, Callable[[Visitor, str], None]] = {
    "const response = await stepup.fetch": fetched,
    "StepUpCancelledError": cancelled,
    "stepup:answer": answered,
    "stepup.wrap": wrapped,
    "stepup.prove(problem)": proved,
    'stepup.prove("member.role"': proved_by_name,
    "stepup.setTexts": worded,
    "stepup:required": taken,
    ".refresh()": read_again,
    'detail?.what === "factor"': heard,
    "factors.title": titled,
}


def test_every_block_is_one_scenarios() -> None:
    """And every scenario has its block."""
    found = [[name for name in SCENARIOS if name in text] for _, kind, text in BLOCKS if kind == "javascript"]
    assert sorted(name for names in found for name in names) == sorted(SCENARIOS)
    assert all(len(names) == 1 for names in found)


@pytest.mark.parametrize(("kind", "text"), [one[1:] for one in BLOCKS], ids=[one[0] for one in BLOCKS])
def test_a_block_does_what_its_page_says(visitor: Visitor, kind: str, text: str) -> None:
    """As it stands there."""
    claimed = marked_up if kind == "html" else next(SCENARIOS[name] for name in SCENARIOS if name in text)
    claimed(visitor, text)

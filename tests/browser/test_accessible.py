"""Every state of the dialog, looked at by axe-core, in every look there is; and what axe cannot see."""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser_states import LOOKS, SIZES, STATES, passkey
from browser_visitor import Visitor, visit
from browser_world import World
from playwright.sync_api import Browser, expect

AXE = Axe()
ARIA = Path(__file__).parent / "aria"
MEASURED = """() => { const root = document.querySelector('stepup-dialog').shadowRoot;
  const dialog = root.querySelector('dialog');
  const targets = [...root.querySelectorAll('button, a, input:not([tabindex])')];
  return [dialog.scrollWidth <= dialog.clientWidth, dialog.getBoundingClientRect().width <= innerWidth,
    targets.map((one) => [one.textContent, one.getBoundingClientRect()])
      .filter(([, box]) => box.width && (box.width < 24 || box.height < 24))]; }"""
VOLATILE = {
    r"localhost:\d+": r"localhost:\d+",
    r"olivia[0-9a-f]{8}": r"olivia[0-9a-f]+",
    r"again at [0-9:]+(?: [AP]M)?": r"again at [0-9:]+( [AP]M)?",
    r"\d:\d\d": r"\d:\d\d",
}


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(visitor: Visitor, state: str) -> None:
    """In every look and size: no violation, nothing cut off at the sides, and no target too small to hit."""
    STATES[state](visitor)
    for look, size in itertools.product(LOOKS, SIZES):
        visitor.page.emulate_media(**LOOKS[look], reduced_motion="reduce")
        visitor.page.set_viewport_size(SIZES[size])
        found = AXE.run(visitor.page)
        told = [(one["id"], [node["target"] for node in one["nodes"]]) for one in found.response["violations"]]
        assert told == [], (look, size)
        assert visitor.page.evaluate(MEASURED) == [True, True, []], (look, size)


def test_nothing_moves_where_motion_is_not_wanted(world: World, browser: Browser) -> None:
    """``prefers-reduced-motion`` takes the animation away; without it there is one."""
    for wish, name in (("reduce", "none"), ("no-preference", "in")):
        visitor = visit(world, browser, reduced_motion=wish)
        passkey(visitor)
        dialog = "document.querySelector('stepup-dialog').shadowRoot.querySelector('dialog')"
        assert visitor.page.evaluate(f"getComputedStyle({dialog}).animationName") == name
        visitor.context.close()


@pytest.mark.parametrize("state", STATES)
def test_what_the_dialog_is_to_a_screen_reader(visitor: Visitor, state: str) -> None:
    """Names, roles and states, in the order they are read; ``STEPUP_WRITE_ARIA=1`` writes them down anew."""
    STATES[state](visitor)
    golden = ARIA / f"{state.replace(' ', '-')}.yaml"
    if os.environ.get("STEPUP_WRITE_ARIA"):
        golden.write_text(spelled(visitor.dialog.aria_snapshot()), encoding="utf-8")
    expect(visitor.dialog).to_match_aria_snapshot(golden.read_text(encoding="utf-8"))


def spelled(snapshot: str) -> str:
    """A snapshot in which what is different each time is a pattern, and nothing may be left out."""
    head, _, rest = snapshot.partition("\n")
    lines = [head, "  - /children: deep-equal", *rest.split("\n")]
    return "\n".join(pattern(line) for line in lines) + "\n"


def pattern(line: str) -> str:
    for found, stands in VOLATILE.items():
        if re.search(found, line):
            name, _, text = line.partition(": ")
            escaped = re.sub(r"([.?()|/])", r"\\\1", text.strip('"') or name.split('"')[1])
            made = f"/{stands.join(re.split(found, escaped))}/"
            return f"{name}: '{made}'" if text else made.join(re.split('".*"', name))
    return line


def test_a_page_can_theme_it(visitor: Visitor) -> None:
    """Custom properties and parts reach it; that is all a page needs."""
    passkey(visitor)
    found = visitor.page.evaluate(
        """() => { const sheet = new CSSStyleSheet();
          sheet.replaceSync('stepup-dialog{--stepup-paper:rgb(1 2 3)} stepup-dialog::part(title){letter-spacing:7px}');
          document.adoptedStyleSheets.push(sheet);
          const root = document.querySelector('stepup-dialog').shadowRoot;
          return [getComputedStyle(root.querySelector('dialog')).backgroundColor,
            getComputedStyle(root.querySelector('h2')).letterSpacing]; }"""
    )
    assert found == ["rgb(1, 2, 3)", "7px"]


@pytest.mark.parametrize(
    ("lang", "title"),
    [("de-AT", "Bestätigen Sie, dass Sie es sind"), ("ar", "أكِّد هويتك"), ("ja", "ご本人であることの確認")],
)
def test_it_speaks_the_language_of_the_page(world: World, browser: Browser, lang: str, title: str) -> None:
    """In the direction in which that is read, whatever the page's; axe finds nothing, and arrows follow the reading."""
    visitor = visit(world, browser, f"/?lang={lang}", viewport=SIZES["narrow"])
    visitor.call()
    dialog = visitor.page.get_by_role("dialog", name=title)
    expect(dialog.get_by_role("tab").first).to_be_visible()
    assert AXE.run(visitor.page).response["violations"] == []
    rtl = lang == "ar"
    expect(visitor.page.locator("stepup-dialog dialog")).to_have_attribute("dir", "rtl" if rtl else "ltr")
    dialog.get_by_role("tab").first.focus()
    visitor.page.keyboard.press("ArrowLeft" if rtl else "ArrowRight")
    expect(dialog.get_by_role("tab").nth(1)).to_be_focused()
    visitor.context.close()
    assert visitor.troubles == []

"""Pictures of the dialog in each of its states, light and dark, for the documentation: ``nox -s screenshots``.

The states are those that ``browser_states`` names; a picture that is not made any more is removed. They are taken
of the real dialog on the site of these tests, with the same person each time, so that a picture changes only where the
dialog does.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from browser_states import STATES
from browser_visitor import visit
from browser_world import World
from playwright.sync_api import Browser, sync_playwright
from serving import chromium

WHERE = Path(__file__).parents[2] / "docs" / "images"
SCHEMES = ("light", "dark")
VIEW = {"width": 520, "height": 860}
MARGIN = 16
PORT = 8000  # it stands in the pictures


def name(state: str, scheme: str) -> str:
    """The file of one picture."""
    return f"dialog-{state.replace(' ', '-')}-{scheme}.png"


def take(browser: Browser, state: str, scheme: Any) -> bytes:
    """One picture, of a site that has just begun: the dialog, and a little of the page behind it."""
    world = World()
    server, thread = world.serve(PORT)
    visitor = visit(world, browser, who="olivia", color_scheme=scheme, viewport=VIEW, reduced_motion="reduce")
    try:
        STATES[state](visitor)
        box = visitor.page.locator("stepup-dialog dialog").bounding_box()
        assert box is not None
        clip: Any = {
            "x": max(0, box["x"] - MARGIN),
            "y": max(0, box["y"] - MARGIN),
            "width": min(VIEW["width"], box["width"] + 2 * MARGIN),
            "height": min(VIEW["height"], box["height"] + 2 * MARGIN),
        }
        return visitor.page.screenshot(clip=clip, caret="hide")
    finally:
        visitor.page.unroute_all(behavior="ignoreErrors")
        visitor.context.close()
        server.should_exit = True
        thread.join(20)


def main() -> int:
    """Take all of them."""
    WHERE.mkdir(exist_ok=True)
    where = chromium()
    if where is None:
        sys.exit("no Chromium: apt-get install -y --no-install-recommends chromium-headless-shell")
    made: set[str] = set()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=where)
        for state in STATES:
            for scheme in SCHEMES:
                (WHERE / name(state, scheme)).write_bytes(take(browser, state, scheme))
                made.add(name(state, scheme))
        browser.close()
    for old in WHERE.glob("dialog-*.png"):
        if old.name not in made:
            old.unlink()
    sys.stdout.write(f"{len(made)} pictures in {WHERE.relative_to(Path.cwd())}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

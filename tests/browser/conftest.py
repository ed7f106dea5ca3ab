"""One site for all tests here, one browser for those of a module, and one context, person and page for each.

The browser is Debian's ``chromium-headless-shell``, or what ``STEPUP_CHROMIUM`` names. Without one, these tests are
skipped; where ``CI`` is set, that is a failure.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from browser_visitor import Visitor, visit
from browser_world import World
from demo_world import Demo, Visiting, served, visits
from playwright.sync_api import Browser, expect, sync_playwright
from serving import chromium

expect.set_options(timeout=10_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser, for one module: while it is there, an event loop runs that other tests must not meet."""
    where = chromium()
    if where is None:
        why = "no Chromium: apt-get install -y --no-install-recommends chromium-headless-shell"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=where)
        yield started
        started.close()


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    made = World()
    server, _ = made.serve()
    yield made
    server.should_exit = True


@pytest.fixture
def visitor(world: World, browser: Browser) -> Iterator[Visitor]:
    """A person; whatever a page reported as an error fails the test."""
    made = visit(world, browser)
    yield made
    made.context.close()
    assert made.troubles == []


@pytest.fixture
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo for each test: its clock is moved, all is ended in it, and how often one may ask others is limited."""
    with served(tmp_path_factory.mktemp("demo")) as made:
        yield made


@pytest.fixture
def visiting(demo: Demo, browser: Browser) -> Iterator[Visiting]:
    """People who visit the demo, each with a browser of their own."""
    with visits(demo, browser) as come:
        yield come

"""The client's files: known names only, with a version, the same for everybody."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from web_world import SECRET, Site

from stepup import StepUp
from stepup.stores.memory import MemoryStore
from stepup.web import assets, site

STATIC = Path(str(files("stepup.web").joinpath("static")))


def loaded_by(name: str) -> set[str]:
    """The modules that a page gets with *name*; what is imported only where it is needed is not among them."""
    found, new = {name}, {name}
    while new:
        sent = [assets.asset(one).body.decode() for one in new]
        new = {one for text in sent for one in re.findall(r'from ?"\./([^"]+)"', text)} - found
        found |= new
    return found


def test_every_module_is_served_and_nothing_else_is() -> None:
    """What lies in the folder and what is served are the same, but for types and the description of the folder."""
    there = {path.name for path in STATIC.iterdir() if path.is_file()}
    assert there - assets.NAMES == {"package.json", "account.d.ts", "account-types.d.ts", "stepup.d.ts", "types.d.ts"}
    assert there >= assets.NAMES


@pytest.mark.parametrize("name", sorted(assets.NAMES))
def test_a_file_is_sent_as_a_module_that_is_not_sniffed(name: str) -> None:
    """To anybody, signed in or not; a copy is kept, and asked for again each time."""
    world = Site(who=None)
    answer = world.call("GET", f"/static/{name}")
    assert answer.status == 200
    assert answer.header("content-type") == "text/javascript; charset=utf-8"
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.header("cache-control") == "no-cache"
    assert answer.header("set-cookie") is None
    assert world.call("HEAD", f"/static/{name}").header("etag") == answer.header("etag")


def test_a_copy_that_is_still_right_is_not_sent_again() -> None:
    """304 for the same version, strong or weak, among others; the whole file for another."""
    world = Site(who=None)
    etag = world.call("GET", "/static/stepup.js").header("etag")
    for known in (etag, f"W/{etag}", f'"other", {etag}'):
        answer = world.call("GET", "/static/stepup.js", if_none_match=str(known))
        assert (answer.status, answer.raw.body, answer.header("etag")) == (304, b"", etag)
    assert world.call("GET", "/static/stepup.js", if_none_match='"other"').status == 200


def test_a_file_is_sent_compressed_to_who_takes_it() -> None:
    """And plain to who does not say so; caches are told that there are two."""
    world = Site(who=None)
    plain = world.call("GET", "/static/dialog.js")
    zipped = world.call("GET", "/static/dialog.js", accept_encoding="br, gzip")
    assert plain.header("content-encoding") is None
    assert zipped.header("content-encoding") == "gzip"
    assert gzip.decompress(zipped.raw.body) == plain.raw.body
    assert plain.header("vary") == zipped.header("vary") == "Accept-Encoding"


@pytest.mark.parametrize(
    "name",
    ["x.js", "types.d.ts", "package.json", "..", "stepup.js.map", "STEPUP.JS", "%2e%2e", "../api.py", "a/b.js", ""],
)
def test_another_name_is_not_found(name: str) -> None:
    """Whatever lies there or not: a problem, and never a page or a file."""
    answer = Site(who=None).call("GET", f"/static/{name}")
    assert (answer.status, answer.code) == (404, "bad_request")


def test_a_file_is_only_read() -> None:
    """Another method is refused."""
    assert Site(who=None).call("POST", "/static/stepup.js", {}).status == 405


def test_shims_look_for_nobody_where_a_file_is_asked_for() -> None:
    """So a page that is loaded makes no session."""
    gate = StepUp(actions=(), verifiers=(), store=MemoryStore(), secret=SECRET)
    assert site.Site(gate).public("/static/stepup.js")
    assert not site.Site(gate).public("/challenges")


@pytest.mark.parametrize("name", sorted(assets.NAMES))
def test_what_is_sent_is_the_module_without_its_comments(name: str) -> None:
    """It has no comment left, names its neighbours, and is still a module that node can read."""
    source, sent = STATIC.joinpath(name).read_text(), assets.asset(name).body.decode()
    assert "/*" not in sent
    assert not re.search(r"^\s*//", sent, re.MULTILINE)
    for neighbour in re.findall(r'(?:from|import\() ?"(\./[^"]+)"', sent):
        assert neighbour.removeprefix("./") in assets.NAMES
    assert (
        re.findall(r"\b(?:innerHTML|outerHTML|insertAdjacentHTML|eval|localStorage|sessionStorage|console)\b", source)
        == []
    )
    node = shutil.which("node")
    if node is not None:
        words = [node, "--check", "--input-type=module", "-"]
        subprocess.run(words, input=sent, text=True, check=True, capture_output=True)


def test_a_page_loads_little() -> None:
    """Before a call is blocked two files; then the dialog for the ways that most have, in English, and nothing else."""
    page, dialog = loaded_by("stepup.js"), loaded_by("dialog.js")
    assert page == {"stepup.js", "pure.js"}
    assert dialog == {"api.js", "dialog.js", "dom.js", "pure.js", "style.js", "texts.js", "view.js"}
    assert zipped(page) < 3_900
    assert zipped(page | dialog) < 15_900
    assert len(gzip.compress(b"".join(assets.asset(one).body for one in sorted(page | dialog)), 9)) < 13_600


def zipped(names: set[str]) -> int:
    """Bytes of the files *names*, each compressed as it is sent."""
    return sum(len(assets.asset(one).zipped) for one in names)


def test_the_page_says_what_a_page_loads() -> None:
    """The table in the reference is what its command prints, within 3 %."""
    root = Path(__file__).parents[2]
    words = [sys.executable, str(root / "benchmarks" / "client_size.py")]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    printed = {line.split()[0]: [int(one) for one in re.findall(r"\b\d+\b", line)] for line in said.splitlines()}
    page = (root / "docs" / "reference" / "web.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w.]+)` \|[^|]+\| (\d+) \| ([\d ]+) \| ([\d ]+) \|$", page, re.MULTILINE)
    assert sorted(name for name, *_ in rows) == sorted(printed)
    for name, *numbers in rows:
        many, *sizes = (int(one.replace(" ", "")) for one in numbers)
        assert many == printed[name][0], name
        assert sizes == pytest.approx(printed[name][1:], rel=0.03), name


def test_an_account_page_loads_a_little_more() -> None:
    """What the elements add to the client, which they bring; no language but English."""
    more = loaded_by("account.js") - loaded_by("stepup.js") - loaded_by("dialog.js")
    assert loaded_by("stepup.js") < loaded_by("account.js")
    assert "dialog.js" not in loaded_by("account.js")
    assert {"events.js", "factors.js", "devices.js", "enrol.js", "registration.js"} <= more
    assert not [name for name in more if re.fullmatch(r".*texts-..\.js", name)]
    assert zipped(more) < 19_500

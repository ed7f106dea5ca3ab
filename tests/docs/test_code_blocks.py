"""The documentation keeps its word: its code runs, its links lead somewhere, its tables are those of the code."""

from __future__ import annotations

import ast
import gc
import inspect
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import get_type_hints

import cryptography.hazmat.primitives.hashes  # noqa: F401 -- imported once, before pytester runs in this process
import pytest

import stepup
from stepup import AsyncStepUp, Code, Limits, Policy, Risk, StepUp
from stepup._policy_models import ActionKeys, PolicyKeys
from stepup._sync import Approvals, Devices, Factors
from stepup.challenge import State
from stepup.event import Event, EventType
from stepup.policy import DEFAULT_POLICIES
from stepup.requirement import ANY, STRONGEST
from stepup.stores.memory import MemoryStore
from stepup.verifiers import Approval

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
IDS = [page.relative_to(ROOT).as_posix() for page in PAGES]
NOT_RUN_LIMIT = 0
"""How many Python blocks of the whole documentation are shown and not run. Raise it with a reason, or not at all."""

FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<code>.*?)^```\s*$", re.M | re.S)
LINK = re.compile(r"(?<!\!)\[[^\]\n]+\]\((?P<target>[^)\s]+)\)")
PRINTS = re.compile(r"^ *print\(.*\)  # (.+)$", re.M)
"""What a page says that it prints: the comment behind a ``print``."""
HEADING = re.compile(r"^#{1,6} +(?P<text>.+?) *$", re.M)


@dataclass(frozen=True)
class Block:
    """One fenced block: what its fence says, its code, and the line it starts on."""

    info: str
    code: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        yield Block(match["info"].strip(), match["code"], text.count("\n", 0, match.start("code")) + 1)


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def run(page: Path) -> int:
    """Run the Python blocks of *page* in one namespace, in order; the number that ran."""
    name = page.relative_to(ROOT).as_posix()
    namespace: dict[str, object] = {"__name__": "__docs__"}
    ran = 0
    for block in blocks(page):
        if block.info != "python":
            continue
        source = "\n" * (block.line - 1) + block.code
        exec(compile(source, name, "exec", dont_inherit=True), namespace)
        ran += 1
    return ran


# -- the code -------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_block_runs(
    page: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(page)
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()  # a page need not show how a file is closed that an application keeps open
    printed = capsys.readouterr().out.splitlines()
    for said in (said for block in blocks(page) if block.info == "python" for said in PRINTS.findall(block.code)):
        assert said in printed, f"{page.name} says that {said!r} is printed"


@pytest.mark.parametrize("name", ["write-a-verifier.md", "write-a-store.md", "test-your-application.md"])
def test_tests_that_are_shown_pass(name: str, pytester: pytest.Pytester) -> None:
    """Pages that show pytest tests are run by pytest, too."""
    page = DOCS / "how-to" / name
    code = "\n\n".join(block.code for block in blocks(page) if block.info == "python")
    pytester.makepyfile(test_page=code)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    outcome = result.parseoutcomes()
    assert outcome.get("passed", 0) >= 1
    assert not set(outcome) - {"passed", "skipped"}


def test_the_store_that_is_shown_has_less_than_eighty_lines() -> None:
    """The page about stores of one's own shows all of one, its imports and its tables included."""
    page = DOCS / "how-to" / "write-a-store.md"
    (store,) = (block.code for block in blocks(page) if "\nclass FileStore:\n" in block.code)
    assert sum(bool(line.strip()) for line in store.splitlines()) < 80


def test_blocks_are_python_or_something_that_is_not_run() -> None:
    known = {"python", "python no-run", "console", "text", "json", "mermaid", "toml", "html", "css", "javascript"}
    for page in PAGES:
        for block in blocks(page):
            assert block.info in known, f"{page.name}:{block.line}: a fence says {block.info!r}"


def test_blocks_that_are_not_run_are_counted() -> None:
    unrun = [(page, block) for page in PAGES for block in blocks(page) if block.info == "python no-run"]
    assert len(unrun) <= NOT_RUN_LIMIT
    assert not [page for page, _ in unrun if page.name == "README.md" or "tutorial" in page.parts]


def test_a_block_that_fails_is_noticed(tmp_path: Path) -> None:
    page = ROOT / "docs" / "index.md"
    broken = "```python\nassert 1 == 2\n```\n"
    assert [block.code for block in [*_blocks_of(tmp_path, broken)]] == ["assert 1 == 2\n"]
    assert page in PAGES


def _blocks_of(folder: Path, text: str) -> Iterator[Block]:
    page = folder / "page.md"
    page.write_text(text, encoding="utf-8")
    return blocks(page)


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "tutorial" / "first-gate.md"], ids=lambda page: page.name)
def test_the_first_pages_show_code_that_runs(page: Path) -> None:
    assert sum(block.info == "python" for block in blocks(page)) >= 2


# -- the links --------------------------------------------------------------------


def slug(heading: str) -> str:
    """The anchor of a heading, as code hosts make it."""
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", heading).replace("`", "").lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page: Path) -> None:
    for match in LINK.finditer(prose(page)):
        target = match["target"]
        if target.startswith(("https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{page.name} links to {target}"
        assert found.is_relative_to(ROOT), f"{page.name} links out of the project: {target}"
        if anchor:
            anchors = {slug(one["text"]) for one in HEADING.finditer(prose(found))}
            assert anchor in anchors, f"{page.name} links to {target}; there are {sorted(anchors)}"


def test_every_page_can_be_reached_from_the_index() -> None:
    seen: set[Path] = set()
    todo = [DOCS / "index.md"]
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md" or not page.is_relative_to(DOCS):
            continue
        seen.add(page)
        for match in LINK.finditer(prose(page)):
            path = match["target"].partition("#")[0]
            if path and "://" not in path:
                todo.append((page.parent / path).resolve())
    assert seen == {page for page in PAGES if page.is_relative_to(DOCS)}


# -- what is made up and where it is shown ----------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_people_live_at_example_domains(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    hosts = re.findall(r"[\w.+-]+@([\w-]+(?:\.[\w-]+)+)", text)
    assert [host for host in hosts if not host.endswith(".example")] == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_no_page_names_a_path_of_some_machine(page: Path) -> None:
    assert re.findall(r"(?<![\w.])/(?:tmp|home|root|work|usr|var)/", page.read_text(encoding="utf-8")) == []


# -- tables -------------------------------------------------------------------------


def rows(page: Path, first: str) -> list[list[str]]:
    """The rows of the table of *page* whose header starts with *first*, without header and rule."""
    found: list[list[str]] = []
    inside = False
    for line in page.read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            if inside:
                break
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not inside:
            inside = cells[0] == first
            continue
        if not set("".join(cells)) <= set("-: "):
            found.append(cells)
    assert found, f"{page.name} has no table that starts with {first!r}"
    return found


def names(page: Path, first: str) -> list[str]:
    """What the first column of that table names in backticks."""
    return [cells[0].strip("`") for cells in rows(page, first)]


def test_codes_lists_exactly_the_codes() -> None:
    assert names(REFERENCE / "codes.md", "code") == [code.value for code in Code]


def reasons_in_the_source() -> set[str]:
    """Every reason the source can give: string literals in the places where reasons stand."""
    found: set[str] = set(MISMATCHES)
    for path in (ROOT / "src" / "stepup").rglob("*.py"):
        if "testing" not in path.parts and "terminal" not in path.parts:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                found |= set(_reasons_of(node))
    found |= {f"challenge_{state.value}" for state in State if state is not State.OPEN}
    found |= {f"{why}_challenges" for why in ("open", "starts")}  # what opening() blocks for; the tail stands alone
    return {one for one in found if re.fullmatch(r"[a-z][a-z_]*[a-z]", one)}


MISMATCHES = ("actor", "tenant", "on_behalf_of", "action", "session", "device", "organization", "resource", "params")
"""What ``Binding.mismatches`` can answer."""

PLACES: Mapping[str, int] = {
    "Reason": 0,
    "Blocked": 0,
    "Refusal": 1,
    "denied": 1,
    "Candidate": 1,
    "Findings": 1,
    "_refusal": 2,
    "_attempt": 3,
    "_reject": 3,
}
"""Which argument of a call is a reason."""

REASONED = {"acceptable", "standing", "lost_because", "_overtaken", "refusals", "by_shelf", "_unusable"}
"""Functions of which every text they make is a reason (``_unusable``: a status, listed with the reasons it shares)."""

STATUSES = {"unreadable", "quarantined", "narrowed"}


def _reasons_of(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef) and node.name in REASONED:
        body = node.body[1:]  # without the docstring
        yield from (text for part in body for text in _texts(part) if text not in STATUSES | set(MISMATCHES))
    if isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        place = PLACES.get(called)
        if place is not None and place < len(node.args):
            yield from _texts(node.args[place])
        for word in node.keywords:
            if word.arg == "reason":
                yield from _texts(word.value)


def _texts(node: ast.AST) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value


def test_codes_lists_every_audit_reason() -> None:
    listed = set(names(REFERENCE / "codes.md", "reason"))
    assert reasons_in_the_source() - listed == set()
    assert len(reasons_in_the_source()) > 20


def findings_in_the_source() -> set[str]:
    """Every code that ``lint`` can give: the first argument of each ``Finding``."""
    tree = ast.parse((ROOT / "src" / "stepup" / "lint.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    made = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Finding"]
    return {text for call in made for text in _texts(call.args[0])}


def test_lint_lists_exactly_the_findings() -> None:
    listed = names(DOCS / "how-to" / "lint-your-configuration.md", "finding")
    assert sorted(listed) == sorted(findings_in_the_source())
    assert len(listed) == len(set(listed)) > 5


def test_events_lists_exactly_the_types_and_fields() -> None:
    assert names(REFERENCE / "events.md", "type") == [kind.value for kind in EventType]
    assert names(REFERENCE / "events.md", "field") == [one.name for one in fields(Event)]


@pytest.mark.parametrize("face", [StepUp, AsyncStepUp])
def test_configuration_lists_exactly_the_arguments(face: type) -> None:
    arguments = [name for name in inspect.signature(face).parameters if name != "self"]
    listed = names(REFERENCE / "configuration.md", "argument")
    only_async = {"offload"}
    assert [name for name in listed if name not in only_async] == [name for name in arguments if name not in only_async]
    assert set(arguments) <= set(listed)


def test_configuration_says_the_defaults() -> None:
    said = {cells[0].strip("`"): cells[1].strip("`") for cells in rows(REFERENCE / "configuration.md", "argument")}
    for name, parameter in inspect.signature(AsyncStepUp).parameters.items():
        expected = "required" if parameter.default is inspect.Parameter.empty else repr(parameter.default)
        assert said[name].replace('"', "'") == expected, name


def test_configuration_lists_every_action_of_its_own() -> None:
    """With the level of each; a gate that has ``Approval`` has all of them."""
    said = {cells[0].strip("`"): cells[1] for cells in rows(REFERENCE / "configuration.md", "own action")}
    made = StepUp(actions=[], verifiers=[Approval()], store=MemoryStore(), secret=bytes(range(32)))
    assert said == {name: str(int(action.risk)) for name, action in made.core.registry.actions.items()}


def test_api_lists_exactly_what_can_be_imported() -> None:
    listed = [*names(REFERENCE / "api.md", "name"), *names(REFERENCE / "api.md", "function")]
    assert sorted(listed) == sorted(stepup.__all__)


def imported(page: Path) -> Iterator[str]:
    """The names that the Python blocks of *page* import from stepup, without its modules."""
    for block in blocks(page):
        if block.info == "python":
            for node in ast.walk(ast.parse(block.code)):
                if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "stepup":
                    yield from (f"{node.module}.{one.name}" for one in node.names)


def test_the_reference_lists_every_name_that_pages_import() -> None:
    told = "\n".join(prose(page) for page in REFERENCE.glob("*.md"))
    listed = set(re.findall(r"[\w.]+", " ".join(re.findall(r"`([^`\n]+)`", told))))
    shown = {name for page in PAGES for name in imported(page)}
    assert {name for name in shown if not {name, name.rpartition(".")[2]} & listed} == set()
    assert len(shown) > 60


def test_api_lists_every_method_of_a_gate() -> None:
    listed = [name.partition("(")[0].rpartition(".")[2] for name in names(REFERENCE / "api.md", "method")]
    members = [member for base in StepUp.__mro__ for member in vars(base).items()]
    gate = [name for name, value in members if not name.startswith("_") and callable(value)]
    factors = [name for name, value in vars(Factors).items() if name[0] != "_" and callable(value)]
    devices = [name for name, value in vars(Devices).items() if name[0] != "_" and callable(value)]
    approvals = [name for name, value in vars(Approvals).items() if name[0] != "_" and callable(value)]
    assert listed == [*gate, *factors, *devices, *approvals]


# -- the default table --------------------------------------------------------------


def seconds(value: int) -> str:
    if not value:
        return "never"
    if value % 3600 == 0:
        return f"{value // 3600} h"
    return f"{value // 60} min" if value % 60 == 0 else f"{value} s"


def default_table() -> list[list[str]]:
    methods = {ANY: "any enrolled", STRONGEST: "strongest enrolled"}

    def row(risk: Risk, policy: Policy) -> list[str]:
        assert isinstance(policy.methods, type(ANY))
        return [
            f"{int(risk)} {risk.name.lower()}",
            seconds(policy.session_window),
            seconds(max(policy.session_window, policy.session_window_trusted)),
            methods[policy.methods],
            seconds(policy.grant_ttl),
            {None: "many", 1: "one"}[policy.uses],
            "yes" if policy.token_required else "no",
        ]

    return [row(risk, policy) for risk, policy in DEFAULT_POLICIES.items()]


@pytest.mark.parametrize("page", [ROOT / "README.md", REFERENCE / "policy.md"], ids=lambda page: page.name)
def test_the_default_table_is_that_of_the_code(page: Path) -> None:
    assert rows(page, "level") == default_table()


def shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if isinstance(value, frozenset):
        return "empty" if not value else ", ".join(sorted(map(str, value)))
    return "strongest" if value is STRONGEST else str(value)


def defaults_of(kind: type, page: Path, first: str) -> None:
    said: Mapping[str, str] = {cells[0].strip("`"): cells[1].strip("`") for cells in rows(page, first)}
    made = kind()
    assert said == {one.name: shown(getattr(made, one.name)) for one in fields(kind)}


def test_the_policy_fields_have_the_defaults_said() -> None:
    defaults_of(Policy, REFERENCE / "policy.md", "policy field")


def test_the_keys_of_policy_files_are_those_of_the_code() -> None:
    page = REFERENCE / "policy.md"
    assert sorted(names(page, "policy key")) == sorted(get_type_hints(PolicyKeys))
    assert sorted(names(page, "action key")) == sorted(get_type_hints(ActionKeys))


def test_the_limits_have_the_defaults_said() -> None:
    defaults_of(Limits, REFERENCE / "policy.md", "limit")


def test_token_lists_exactly_the_claims() -> None:
    page = REFERENCE / "token.md"
    namespace: dict[str, object] = {}
    for block in blocks(page):
        if block.info == "python":
            exec(compile(block.code, page.name, "exec", dont_inherit=True), namespace)
    claims = namespace["claims"]
    assert isinstance(claims, dict)
    own = claims.pop("stepup")
    assert names(page, "claim") == [*claims, "act", "stepup"]
    assert names(page, "inside `stepup`") == [*own, "itm"]  # which only a bundle has

"""Who may import whom, and what the deciding modules may never do: read from the source, enforced file by file.

``ALLOWED`` is the whole import order. A module that is not in it is refused, and so is an import that its row does
not name: to add a module, add its row, and think about where it belongs. Rows match by dotted prefix (``decide``
covers ``decide.start``) or, with a star, by the beginning of the name.
"""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "stepup"
PURE: tuple[str, ...] = tuple(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["stepup"]["pure"])

# -- the table ------------------------------------------------------------------

VALUES = (
    "errors", "surface", "context", "decision", "canonical", "keys", "token", "requirement", "approval", "policy",
    "rules", "registry", "binding", "bundle", "device", "factor", "challenge", "limits", "throttle", "tries", "grant",
    "bearer", "event", "history", "told", "_languages",
)  # fmt: skip
PORTS = (*VALUES, "changes", "ceremony", "ports")
ENGINE = (*PORTS, "clock", "_bridge", "_wrapped", "decide", "notices", "_engine")
FACE = (*ENGINE, "_observe", "_config", "_guard")
EVERYTHING = ("*",)

ALLOWED: Mapping[str, tuple[str, ...]] = {
    # values and pure functions, from the bottom up; challenge, grant and throttle do not know each other
    "errors": (),
    "surface": ("errors",),
    "context": ("errors", "surface"),
    "decision": ("errors", "context"),
    "canonical": ("errors",),
    "keys": ("errors",),
    "token": ("errors", "keys"),
    "requirement": ("errors", "context"),
    "approval": ("errors", "context"),
    "policy": ("errors", "surface", "context", "requirement", "approval"),
    "rules": ("errors", "context", "surface", "canonical", "requirement", "approval", "policy"),
    "registry": ("errors", "context", "surface", "canonical", "requirement", "approval", "policy", "rules"),
    "binding": ("errors", "context", "canonical", "keys"),
    "device": ("errors", "context"),
    "bundle": ("errors", "context", "canonical", "binding"),
    "factor": ("errors", "context"),
    "challenge": ("errors", "context", "approval", "binding", "bundle"),
    "limits": ("errors",),
    "throttle": ("limits",),
    "tries": ("limits", "throttle"),
    "grant": ("context", "requirement", "rules", "binding", "bundle"),
    "bearer": ("errors", "context", "binding", "bundle", "grant"),
    "event": ("errors", "context", "decision", "binding"),
    "history": ("factor", "throttle", "tries"),
    "risk": ("errors", "context", "history"),
    "told": ("context", "event"),
    "_languages": (),
    # records and decisions; decisions never see a port
    "changes": VALUES,
    "ceremony": VALUES,
    "decide": (*VALUES, "changes", "ceremony", "decide"),
    # what is outside, and how it is called
    "ports": (*VALUES, "changes", "ceremony", "ports"),
    "clock": PORTS,
    "_bridge": PORTS,
    "_wrapped": (*PORTS, "_bridge"),
    # orchestration, what its two faces share, and the faces, which can advise
    "_notice_texts": VALUES,
    "notices": (*PORTS, "_notice_texts"),
    "_engine": ENGINE,
    "_observe": ENGINE,
    "_guard": (*VALUES, "changes"),
    "_config": (*ENGINE, "_observe"),
    "_sync": (*FACE, "lint", "stores.sql", "_sync"),
    "_async": (*FACE, "lint", "stores.sql", "_async"),
    "web": (*FACE, "_sync", "_async", "web"),
    "flask": (*FACE, "_sync", "_async", "web", "flask"),
    "flask._commands": (*FACE, "_sync", "stores.sql", "__main__"),
    "starlette": (*FACE, "_sync", "_async", "web", "starlette"),
    "fastapi": (*FACE, "_sync", "_async", "web", "starlette", "fastapi"),
    "terminal": (*FACE, "_sync", "terminal"),
    # policies from files, and advice about them
    "_policy_data": VALUES,
    "_policy_models": (*VALUES, "_policy_data"),
    "policy_file": (*VALUES, "_policy_data", "_policy_models"),
    "lint": VALUES,
    # records as text, for adapters
    "codec": (*VALUES, "changes", "_codec_schemas"),
    "_codec_schemas": (),
    # what an accepted passkey approved, checked offline by the steps that the verifier follows
    "evidence": (*PORTS, "verifiers"),
    # adapters: values only; never the engine, never decisions
    "stores": (*VALUES, "changes", "stores"),
    "stores.sql": (*VALUES, "changes", "codec", "stores"),
    "verifiers": (*PORTS, "verifiers"),
    "mailers": (*PORTS, "mailers"),
    # the front door, and the kit for tests
    "": (*FACE, "_sync", "_async"),
    "__main__": EVERYTHING,
    "demo": EVERYTHING,
    "testing": EVERYTHING,
}

FOR_TYPES_ONLY: Mapping[str, tuple[str, ...]] = {"errors": ("decision",), "stores": ("ports",)}
"""Imports allowed under ``if TYPE_CHECKING:`` beyond the row above; every other one counts like any import."""

THIRD_PARTY: Mapping[str, tuple[str, ...]] = {
    "keys": ("cryptography",),
    "verifiers": ("argon2", "cryptography", "pyotp", "webauthn"),
    "_policy_models": ("pydantic",),
    "codec": ("pydantic_core",),
    "_codec_schemas": ("pydantic", "pydantic_core"),
    "web.wire": ("pydantic", "pydantic_core"),
    "web.answers": ("pydantic",),
    "web.openapi": ("pydantic",),
    "web.enrolment": ("segno",),
    "stores.sql": ("sqlalchemy",),
    "stores.sql.migrations": ("alembic", "sqlalchemy"),
    "__main__": ("sqlalchemy",),
    "flask": ("flask", "werkzeug"),
    "flask._commands": ("click", "flask"),
    "starlette": ("anyio", "starlette"),
    "fastapi": ("fastapi", "starlette"),
    "demo": ("jinja2", "pyotp", "sqlalchemy", "starlette", "uvicorn"),
    "testing": ("cryptography", "pytest"),
}
LAZY = ("argon2", "cryptography", "pydantic", "pyotp", "webauthn")
"""Imported inside functions only: ``import stepup`` must stay cheap."""
EARLY = ("web.wire", "web.answers", "web.openapi")
"""But these are models through and through, and ``import stepup`` does not load them."""

# -- reading the source -----------------------------------------------------------


@dataclass(frozen=True)
class Import:
    """One import: what (``stepup.x`` as ``x``), where, and whether inside a function or for types only."""

    target: str
    line: int
    own: bool
    inside: bool
    for_types: bool


@dataclass(frozen=True)
class Module:
    """One source file. ``name`` is dotted, without ``stepup``; the package itself is the empty name."""

    name: str
    is_package: bool
    tree: ast.Module

    @property
    def imports(self) -> tuple[Import, ...]:
        return tuple(_imports(self, self.tree, inside=False, for_types=False))


@functools.cache
def read() -> dict[str, Module]:
    """Every module of the package, by name."""
    found: dict[str, Module] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        found[name] = Module(name, is_package, ast.parse(path.read_text(encoding="utf-8"), str(path)))
    return found


def parse(name: str, source: str, *, is_package: bool = False) -> Module:
    """A module from text, to try the checks themselves."""
    return Module(name, is_package, ast.parse(textwrap.dedent(source)))


def _imports(module: Module, node: ast.AST, *, inside: bool, for_types: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        deeper = inside or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for statement in child.body:
                holder = ast.Module([statement], [])
                yield from _imports(module, holder, inside=inside, for_types=True)
            for statement in child.orelse:
                yield from _imports(module, ast.Module([statement], []), inside=inside, for_types=for_types)
        elif isinstance(child, ast.Import | ast.ImportFrom):
            for target, own in _targets(module, child):
                yield Import(target, child.lineno, own, inside, for_types)
        else:
            yield from _imports(module, child, inside=deeper, for_types=for_types)


def _targets(module: Module, node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, bool]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield _own(alias.name)
        return
    if node.level:
        package = module.name.split(".") if module.name else []
        package = package[: len(package) - node.level + (1 if module.is_package else 0)]
        base = ".".join([*package, *(node.module.split(".") if node.module else [])])
    else:
        base, own = _own(node.module or "")
        if not own:
            yield base, False
            return
    for alias in node.names:  # "from .decide import start" may mean a module or a name in one
        yield (f"{base}.{alias.name}" if f"{base}.{alias.name}".lstrip(".") in read() else base).lstrip("."), True


def _own(name: str) -> tuple[str, bool]:
    head, _, rest = name.partition(".")
    return (rest, True) if head == "stepup" else (name, False)


# -- the checks ------------------------------------------------------------------


def matches(name: str, pattern: str) -> bool:
    """Whether *name* is *pattern*, below it, or begins with it where it ends in a star."""
    if pattern.endswith("*"):
        return name.startswith(pattern[:-1])
    return name == pattern or (pattern != "" and name.startswith(f"{pattern}."))


def row(name: str, table: Mapping[str, tuple[str, ...]]) -> tuple[str, ...] | None:
    """The most particular row of *table* for *name*; None where it has none."""
    keys = [key for key in table if matches(name, key)]
    return table[max(keys, key=len)] if keys else None


def import_order(module: Module) -> list[str]:
    """Imports within stepup that the table does not allow."""
    allowed = row(module.name, ALLOWED)
    if allowed is None:
        return [f"stepup.{module.name} is not in the table ALLOWED of tests/test_architecture.py"]
    typing_only = row(module.name, FOR_TYPES_ONLY) or ()
    return [
        f"stepup.{module.name}:{one.line} must not import stepup.{one.target}"
        for one in module.imports
        if one.own
        and not any(matches(one.target, pattern) for pattern in (*allowed, *(typing_only if one.for_types else ())))
    ]


def third_party(module: Module) -> list[str]:
    """Imports from outside stepup and the standard library that are not allowed, or not where they stand."""
    allowed = row(module.name, THIRD_PARTY) or ()
    early = any(matches(module.name, one) for one in EARLY)
    found: list[str] = []
    for one in module.imports:
        head = one.target.partition(".")[0]
        if one.own or head in sys.stdlib_module_names:
            continue
        if head not in allowed:
            found.append(f"stepup.{module.name}:{one.line} must not import {head}")
        elif head in LAZY and not early and not (one.inside or one.for_types):
            found.append(f"stepup.{module.name}:{one.line} must import {head} inside a function")
    return found


IMPURE = {
    "anyio",
    "asyncio",
    "concurrent",
    "os",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "threading",
    "time",
    "uuid",
}
CLOCKS = {"now", "utcnow", "today", "fromtimestamp"}


def purity(module: Module) -> list[str]:
    """Clocks, randomness and waiting in a module that decides."""
    found = [
        f"stepup.{module.name}:{one.line} must not import {one.target}: time and randomness are arguments"
        for one in module.imports
        if not one.own and one.target.partition(".")[0] in IMPURE
    ]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await):
            found.append(f"stepup.{module.name}:{node.lineno} must not be async")
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in CLOCKS - {"fromtimestamp"}
            and ast.unparse(node.func.value).rpartition(".")[2] in {"datetime", "date"}
        ):
            found.append(f"stepup.{module.name}:{node.lineno} must not read the clock")
    return found


def no_loop(module: Module) -> list[str]:
    """The engine neither knows an event loop nor waits: its ports do."""
    found = [
        f"stepup.{module.name}:{one.line} must not import {one.target}"
        for one in module.imports
        if one.target.partition(".")[0] in {"anyio", "asyncio", "concurrent", "threading", "time", "trio"}
    ]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and _name(node.func) in {"sleep", "gather", "wait_for", "create_task", "Lock"}:
            found.append(f"stepup.{module.name}:{node.lineno} must not call {_name(node.func)}")
    return found


def randomness(module: Module) -> list[str]:
    """``random`` and UUIDs anywhere: ids and codes come from ``secrets``."""
    found = [
        f"stepup.{module.name}:{one.line} must not import {one.target}"
        for one in module.imports
        if not one.own and one.target.partition(".")[0] in {"random", "uuid"}
    ]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute | ast.Name) and _name(node) in {"uuid1", "uuid4", "SystemRandom"}:
            found.append(f"stepup.{module.name}:{node.lineno} must not use {_name(node)}")
    return found


SECRET = re.compile(
    r"(^|_)(mac|hmac|digest|hexdigest|secret|secrets|signature|password|passwd|token|otp|totp|hotp|pin|seed|plaintext"
    r"|session_id|cookie|nonce|code)$"
)


def timing(module: Module) -> list[str]:
    """``==`` on what looks like a secret. Literals and constants (``Code.CANCELLED``) are none."""
    found: list[str] = []
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Compare) or not any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
            continue
        sides = [node.left, *node.comparators]
        if any(isinstance(side, ast.Constant) or _name(side).isupper() for side in sides):
            continue
        for side in sides:
            if SECRET.search(_name(side)):
                found.append(
                    f"stepup.{module.name}:{node.lineno} compares {_name(side)} with ==; use hmac.compare_digest"
                )
    return found


def _name(node: ast.expr) -> str:
    """The last word of a name, an attribute, or a call of one."""
    if isinstance(node, ast.Call):
        return _name(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def cycle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """One cycle of *graph* as a path, empty where there is none."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for target in graph.get(name, ()):
            if found := walk(target, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in graph if (found := walk(name, []))), [])


# -- the source keeps the rules ------------------------------------------------------

every_module = pytest.mark.parametrize("module", read().values(), ids=lambda module: module.name or "stepup")
pure_modules = [module for module in read().values() if any(matches(module.name, name) for name in PURE)]


@every_module
def test_the_import_order_is_kept(module: Module) -> None:
    """Each module imports only what its row of the table names."""
    assert import_order(module) == []


@every_module
def test_dependencies_stand_where_they_may(module: Module) -> None:
    """Third-party packages are imported by the modules that need them, and late."""
    assert third_party(module) == []


@every_module
@pytest.mark.requirement("C-11")
def test_only_the_systems_randomness_is_used(module: Module) -> None:
    """No module uses random or a UUID, neither of which is made for secrets."""
    assert randomness(module) == []


@every_module
@pytest.mark.requirement("Z-04")
def test_secrets_are_not_compared_with_equals(module: Module) -> None:
    """What looks like a secret is compared in constant time."""
    assert timing(module) == []


@pytest.mark.parametrize("module", pure_modules, ids=lambda module: module.name)
@pytest.mark.requirement("P-06", "T-04")
def test_pure_modules_have_no_clock_and_no_chance(module: Module) -> None:
    """What decides gets time and random bytes as arguments, so that the same call always gives the same answer."""
    assert purity(module) == []


@pytest.mark.parametrize("name", PURE)
def test_every_pure_module_exists(name: str) -> None:
    """A name in the list that is no module would make its coverage check check nothing."""
    assert name in read()


def test_the_engine_knows_no_event_loop() -> None:
    """The orchestration imports no loop, no threads, and does not wait, lock or gather."""
    engines = [module for module in read().values() if module.name.startswith("_engine")]

    assert [problem for module in engines for problem in no_loop(module)] == []


def test_there_are_no_cycles() -> None:
    """Imports at the top of modules form no cycle; those for types only are not run."""
    modules = read()
    graph = {
        name: sorted({one.target for one in module.imports if one.own and not one.inside and not one.for_types})
        for name, module in modules.items()
    }

    assert cycle({name: [target for target in targets if target != name] for name, targets in graph.items()}) == []


def test_every_row_of_the_table_names_what_can_exist() -> None:
    """A row allows nothing that has no row itself, so a slip of the pen in the table is seen."""
    for name, allowed in {**ALLOWED, **FOR_TYPES_ONLY}.items():
        unknown = [one for one in allowed if one not in ALLOWED and one != "*"]
        assert unknown == [], name


HEAVY = {
    "anyio", "argon2", "asyncio", "cryptography", "fastapi", "flask", "pydantic", "pyotp", "redis", "sqlalchemy",
    "starlette", "webauthn",
}  # fmt: skip


def loaded_by(statement: str) -> set[str]:
    """The top-level packages that a fresh interpreter has loaded after *statement*."""
    code = f"{statement}\nimport sys; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return set(done.stdout.split())


def test_importing_stepup_loads_nothing_heavy() -> None:
    """No framework, no database, no event loop, and of our own dependencies none before it is used."""
    loaded = loaded_by("import stepup")

    assert "stepup" in loaded
    assert set() == HEAVY & loaded


def test_the_public_names_load_no_framework() -> None:
    """Touching every public name still loads no framework, database, or optional package."""
    loaded = loaded_by("import stepup\nfor name in getattr(stepup, '__all__', ()): getattr(stepup, name)")

    assert set() == {"fastapi", "flask", "redis", "sqlalchemy", "starlette", "webauthn"} & loaded


def test_the_probe_would_see_a_heavy_import() -> None:
    """The same probe does report asyncio where it is loaded."""
    assert "asyncio" in loaded_by("import stepup, asyncio")


# -- and the checks can fail ------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "source", "refused"),
    [
        ("challenge", "from .grant import Grant", True),
        ("challenge", "from .binding import Binding", False),
        ("challenge", "from stepup.grant import Grant", True),
        ("challenge", "import stepup.grant", True),
        ("challenge", "from . import grant", True),
        ("challenge", "def f():\n    from .grant import Grant", True),
        ("challenge", "if TYPE_CHECKING:\n    from .grant import Grant", True),
        ("errors", "if TYPE_CHECKING:\n    from .decision import Decision", False),
        ("errors", "from .decision import Decision", True),
        ("errors", "if TYPE_CHECKING:\n    pass\nelse:\n    from .decision import Decision", True),
        ("decide.start", "from ..ports import Store", True),
        ("decide.start", "from .holding import Holding", False),
        ("decide.start", "from ..changes import Changes", False),
        ("stores.memory", "from ..decide import start", True),
        ("stores.memory", "from ..ports import Store", True),
        ("stores.memory", "if TYPE_CHECKING:\n    from ..ports import Store", False),
        ("verifiers.totp", "from .._engine import Engine", True),
        ("unheard_of", "", True),
    ],
)
def test_the_import_order_can_be_broken(name: str, source: str, refused: bool) -> None:
    """Every way of writing an import is seen, wherever it stands."""
    assert refused == bool(import_order(parse(name, source)))


@pytest.mark.parametrize(
    ("check", "source", "refused"),
    [
        (third_party, "def f():\n    import pyotp", True),
        (third_party, "import hashlib", False),
        (purity, "import time", True),
        (purity, "from secrets import token_bytes", True),
        (purity, "def f():\n    return datetime.now(UTC)", True),
        (purity, "x = datetime.datetime.utcnow()", True),
        (purity, "x = date.today()", True),
        (purity, "async def f(): ...", True),
        (purity, "def f(clock):\n    return clock.now()", False),
        (no_loop, "import asyncio", True),
        (no_loop, "from threading import Lock", True),
        (no_loop, "async def f(x):\n    await x.sleep(1)", True),
        (no_loop, "async def f(x):\n    await x.load()", False),
        (randomness, "import random", True),
        (randomness, "from uuid import uuid4", True),
        (randomness, "import secrets", False),
        (timing, "ok = mac == given", True),
        (timing, "ok = given != self._stored_digest", True),
        (timing, "ok = hashlib.sha256(x).hexdigest() == y", True),
        (timing, "ok = answer == mailed_code", True),
        (timing, "ok = decision.code == Code.LOCKED_OUT", False),
        (timing, "ok = method == RECOVERY_CODE", False),
        (timing, "ok = token == ''", False),
        (timing, "ok = token is None", False),
        (timing, "ok = actor == other", False),
    ],
)
def test_the_other_rules_can_be_broken(check: object, source: str, refused: bool) -> None:
    """Each check sees what it is there for, and lets pass what is right."""
    assert callable(check)
    assert refused == bool(check(parse("policy", source)))


def test_a_lazy_dependency_is_refused_at_the_top() -> None:
    """Where it is allowed at all, it is imported inside a function."""
    assert third_party(parse("keys", "import cryptography"))
    assert not third_party(parse("keys", "def f():\n    import cryptography"))


def test_a_cycle_is_found() -> None:
    """Three modules that import each other in a ring are reported as the ring."""
    assert cycle({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]}) == ["a", "b", "c", "a"]
    assert cycle({"a": ["b", "c"], "b": ["c"], "c": []}) == []

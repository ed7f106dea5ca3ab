"""Every check of the project, each a session: ``python3 -m nox -l`` lists them.

Needs nothing but Python 3.11 or newer and ``python3 -m pip install nox``. A session runs on the Python that
runs nox; ``.ci/run`` runs them all in the order that tells most soonest.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import tarfile
import zipfile
from pathlib import Path

import nox

ROOT = Path(__file__).parent
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
PURE: list[str] = PYPROJECT["tool"]["stepup"]["pure"]
COVERED = 95
DATABASES = {
    "postgresql": os.environ.get("STEPUP_TEST_POSTGRESQL", "postgres@127.0.0.1:5432/test"),
    "mariadb": os.environ.get("STEPUP_TEST_MARIADB", "root@127.0.0.1:3306/test"),
}
"""Where the tests look for databases; those that do not answer are named, and not tested (``tests_stores`` fails)."""

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["tests", "lint", "typing", "requirements", "build", "quickstart"]


def groups(*names: str) -> list[str]:
    """The requirements of the dependency groups *names*, as pyproject.toml states them."""
    return list(nox.project.dependency_groups(PYPROJECT, *names))


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests and hold the coverage. With arguments: just pytest with them."""
    session.install("-e", ".", *groups("test"))
    if session.posargs:
        session.run("pytest", *session.posargs)
        return
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest")
    session.run("coverage", "combine", "--quiet")
    pure = ",".join(f"*/stepup/{name}/*,*/stepup/{name}.py" for name in PURE)
    session.log("the pure modules: every branch")
    session.run("coverage", "report", f"--include={pure}", "--fail-under=100")
    away = [name for name, place in DATABASES.items() if not _answers(place)]
    left_out = ["--omit=*/stepup/stores/sql/*"] if away else []
    session.log(
        f"everything{' but the SQL store, for want of ' + ', '.join(away) if away else ''}: at least {COVERED} %"
    )
    session.run("coverage", "report", f"--fail-under={COVERED}", *left_out)


def _answers(place: str) -> bool:
    """Whether something listens at an address like ``user@host:port/database``."""
    host, _, port = place.rpartition("@")[2].partition("/")[0].partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
    except OSError:
        return False
    return True


@nox.session
def tests_stores(session: nox.Session) -> None:
    """Run the tests of the stores with every database; one that does not answer is a failure, not a gap."""
    session.install("-e", ".", *groups("test"))
    session.run("pytest", *(session.posargs or ["tests/stores"]), env={"STEPUP_TEST_ALL_STORES": "1"})


@nox.session
def races(session: nox.Session) -> None:
    """Race workers for grants, attempts and codes on every database. ``-- --full`` runs the full numbers."""
    session.install("-e", ".", *groups("test"))
    session.run("python", "tests/proofs/races.py", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Inject every fault into every store call of every flow, and kill processes at random.

    In memory on the sync face, and the flows of single use on SQLite; ``-- --full`` does both faces, and every flow on
    every database. Other arguments are those of ``tests/proofs/faults.py``.
    """
    session.install("-e", ".", *groups("test"))
    runs: list[tuple[str, ...]] = [
        ("points", "--store", "memory", "--face", "sync", "--jobs", "2"),
        (
            "points",
            "--store",
            "sqlite",
            "--face",
            "sync",
            "--faults",
            "outcomes",
            "--flow",
            "single use",
            "--jobs",
            "2",
        ),
        ("kills", "--store", "sqlite"),
    ]
    if session.posargs == ["--full"]:
        runs = [("points", "--store", "memory", "--face", "both", "--jobs", "2")]
        for store in ("sqlite", "postgresql", "mariadb"):
            runs.append(("points", "--store", store, "--face", "both", "--faults", "outcomes", "--jobs", "2"))
            runs.append(("kills", "--store", store))
    elif session.posargs:
        runs = [tuple(session.posargs)]
    for words in runs:
        session.run("python", "tests/proofs/faults.py", *words)


@nox.session
def growth(session: nox.Session) -> None:
    """Measure the store at growing sizes. ``-- --sizes 10000 1000000 10000000`` for the large ones."""
    session.install("-e", ".", *groups("test"))
    session.run("python", "benchmarks/growth.py", *session.posargs)


@nox.session
def overhead(session: nox.Session) -> None:
    """Measure what a guard adds to a request, in each framework. ``-- --calls 20000`` for steadier figures."""
    session.install("-e", ".", *groups("test"))
    session.run("python", "benchmarks/guard.py", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """Serve a small web application at http://localhost:8000. After ``--``: ``--port N --store URL --seed-file F``."""
    session.install("-e", ".[demo]")
    session.run("python", "-m", "stepup", "demo", *session.posargs)


@nox.session
def screenshots(session: nox.Session) -> None:
    """Take the pictures of the documentation anew, in headless Chromium; look at them before they are committed."""
    session.install("-e", ".", *groups("test"))
    session.run("python", "tests/browser/screenshots.py", *session.posargs, env={"PYTHONPATH": "tests/browser"})


@nox.session
def quickstart(session: nox.Session) -> None:
    """Watch a dangerous action being blocked, proved, unlocked, and refused on every kind of misuse; no browser."""
    session.install("-e", ".", *groups("mail"))
    session.run("python", "examples/quickstart.py", *session.posargs)


CLIENT = ROOT / "tests" / "client"
PASSKEY_TESTS = (
    "tests/verifiers/test_passkey.py",
    "tests/verifiers/test_passkey_refusals.py",
    "tests/verifiers/test_passkey_registration.py",
    "tests/verifiers/test_webauthn_vectors.py",
    "tests/engine/test_passkeys.py",
    "tests/engine/test_evidence.py",
    "tests/web/test_enrolment.py",
)
WEBAUTHN = ("webauthn==2.7.0", "webauthn>=3,<4")
"""Both ends of the range in pyproject.toml."""


@nox.session
def client(session: nox.Session) -> None:
    """Check the types of the client's modules with TypeScript, and run its tests by node. Needs node and npm."""
    tools = Path(session.create_tmp()).resolve()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(CLIENT / name, tools)
    with session.chdir(tools):
        session.run("npm", "ci", "--no-audit", "--no-fund", external=True)
    for project in (CLIENT, CLIENT / "demo.tsconfig.json"):
        session.run(str(tools / "node_modules" / ".bin" / "tsc"), "--project", str(project), external=True)
    session.run("node", "--test", *(str(path) for path in sorted(CLIENT.glob("*.test.mjs"))), external=True)


@nox.session
@nox.parametrize("webauthn", WEBAUTHN)
def webauthn_range(session: nox.Session, webauthn: str) -> None:
    """Test passkeys with the oldest and the newest release of ``webauthn`` that pyproject.toml allows."""
    session.install("-e", ".[qr]", webauthn, *groups("stores"), "pytest>=8.3", "hypothesis>=6.120")
    session.run("pytest", *(session.posargs or PASSKEY_TESTS))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and form. ``nox -s lint -- --fix`` mends what can be mended."""
    session.install(*groups("lint"))
    if "--fix" in session.posargs:
        session.run("ruff", "check", "--fix", ".")
        session.run("ruff", "format", ".")
        return
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def typing(session: nox.Session) -> None:
    """Check types with mypy and pyright, both strict."""
    session.install("-e", ".", "nox", *groups("test", "typing"))
    session.run("mypy")
    session.run("pyright")


@nox.session
def requirements(session: nox.Session) -> None:
    """Print which requirement is shown by which test, and which is not yet; fail for one of the core. Runs no test."""
    session.install("-e", ".", *groups("test"))
    session.run("pytest", "--quiet", "--requirements-of", "core", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Build the sdist and from it the wheel, and import the wheel in an environment of its own."""
    session.install("build", "virtualenv")
    work = Path(session.create_tmp()).resolve()
    dist = work / "dist"
    for old in dist.glob("*"):
        old.unlink()
    session.run("python", "-m", "build", "--outdir", str(dist), ".")
    (wheel,) = dist.glob("*.whl")
    (sdist,) = dist.glob("*.tar.gz")
    _check_contents(session, wheel, sdist)

    fresh = work / "fresh"
    session.run("virtualenv", "--quiet", "--clear", str(fresh))
    python = str(fresh / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))
    session.run(python, "-m", "pip", "install", "--quiet", str(wheel), external=True)
    with session.chdir(work):
        session.run(python, "-I", "-W", "error", "-c", _IMPORT.format(src=str(ROOT / "src")), external=True)


_IMPORT = """
import importlib.metadata, importlib.resources, pathlib
import stepup
assert importlib.resources.files(stepup).joinpath("py.typed").is_file(), "py.typed is not installed"
where = pathlib.Path(stepup.__file__).resolve()
assert not where.is_relative_to({src!r}), f"imported from the checkout: {{where}}"
for name in getattr(stepup, "__all__", ()):
    getattr(stepup, name)
print("stepup-auth", importlib.metadata.version("stepup-auth"), "imports from its wheel")
"""


def _check_contents(session: nox.Session, wheel: Path, sdist: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    kept = {".py", ".js", ".css", ".html", ".svg"}
    files = [path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src").rglob("*") if path.suffix in kept]
    source = {*files, "stepup/py.typed"}
    foreign = {name for name in inside if not name.startswith("stepup/") and ".dist-info/" not in name}
    problems = {"missing from the wheel": source - inside, "foreign to the wheel": foreign}
    with tarfile.open(sdist) as archive:
        shipped = {name.partition("/")[2] for name in archive.getnames()}
    problems["missing from the sdist"] = {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "noxfile.py",
    } - shipped
    found = {what: sorted(names) for what, names in problems.items() if names}
    if found:
        session.error(json.dumps(found, indent=2))

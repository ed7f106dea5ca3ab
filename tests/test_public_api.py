"""What is promised: the public names, where they are imported from, and that each says what it is."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType

import pytest

import stepup

NAMES = [
    "BINDS", "Action", "Actor", "AsyncStepUp", "Authorization", "Challenge", "Code", "ConfigurationError", "Context",
    "Decision", "Denied", "Device", "Event", "Factor", "Grant", "Item", "KeyRing", "Limits", "MoreNeeded", "Outcome",
    "Policy", "Prompt", "Proof", "Rejected", "Resource", "Risk", "RiskAssessment", "RiskLevel", "Session", "Signal",
    "StepUp", "StepUpError", "StepUpRequired", "StoreUnavailable", "Strength", "Surface", "TrustedDevice", "Verified",
    "all_of", "any_of",
    "method",
]  # fmt: skip
"""The whole of ``stepup``: to take one away, or to add one, is a change that the changelog tells."""

PROMISED = {
    "stepup": (
        "StepUp", "AsyncStepUp", "Action", "Actor", "Context", "Device", "Policy", "Resource", "Risk", "Session",
        "StepUpError", "StepUpRequired", "Denied", "KeyRing", "Verified", "MoreNeeded", "Rejected", "Authorization",
        "Decision",
    ),
    "stepup.verifiers": ("Password", "TOTP", "EmailCode", "EmailCodeMail", "MailTexts", "RecoveryCode"),
    "stepup.stores.memory": ("MemoryStore", "AsyncMemoryStore"),
    "stepup.terminal": ("confirm", "Cancelled"),
    "stepup.testing": (
        "StoreContract", "AsyncStoreContract", "VerifierContract", "FrozenClock", "Outbox", "ScriptedVerifier", "grant",
    ),
    "stepup.testing.plugin": (),
    "stepup.mailers": ("SMTPMailer", "ConsoleMailer", "Outbox"),
    "stepup.ports": ("Store", "AsyncStore", "Clock", "Mailer", "AsyncMailer", "Verifier", "RiskAssessor"),
    "stepup.policy_file": ("load", "loads", "from_mapping"),
    "stepup.lint": ("lint", "Finding"),
}  # fmt: skip
"""Import paths that applications may rely on."""

METHODS = (
    "check", "require", "start", "start_offer", "begin", "verify", "cancel", "revoke", "unlock", "forget", "events",
    "purge", "guard", "signal", "enable", "require_bundle", "check_bundle", "start_bundle",
)  # fmt: skip
SETTINGS = (
    "actions", "verifiers", "store", "secret", "clock", "risk", "policies", "may_start", "on_event", "on_decision",
    "record", "limits", "context_of",
)  # fmt: skip
FACTORS = ("enrol_totp", "confirm_totp", "new_recovery_codes", "list", "remove")

pytestmark = pytest.mark.filterwarnings("error")


def public(module: ModuleType) -> Iterator[tuple[str, object]]:
    """The public classes and functions of *module*, and of each such class its public methods and properties."""
    listed = getattr(module, "__all__", None)
    for name in sorted(vars(module)) if listed is None else listed:
        value = getattr(module, name)
        own = f"{getattr(value, '__module__', '')}.".startswith(f"{module.__name__}.")
        if name.startswith("_") or not (inspect.isclass(value) or inspect.isfunction(value)) or not (listed or own):
            continue
        yield f"{module.__name__}.{name}", value
        for part, member in members(value).items() if inspect.isclass(value) else ():
            if part.startswith("_") or not (inspect.isfunction(member) or isinstance(member, property | classmethod)):
                continue
            twin = getattr(module, name.removeprefix("Async"))
            told = any(form in (twin.__doc__ or "") for form in (f"{part}:", f"``{part}``"))
            if isinstance(member, property) and is_protocol(value) and told:
                continue  # what a protocol's attributes are stands in the docstring of its class, or of its twin's
            yield f"{module.__name__}.{name}.{part}", member


def members(kind: type) -> dict[str, object]:
    """What a class has of its own, and of the classes of the same package that it is made of."""
    package = kind.__module__.partition(".")[0]
    bases = [base for base in reversed(kind.__mro__) if base.__module__.partition(".")[0] == package]
    return {name: member for base in bases for name, member in vars(base).items()}


def is_protocol(value: object) -> bool:
    """Whether it is a contract rather than a class of ours."""
    return bool(getattr(value, "_is_protocol", False))


def undocumented(module: ModuleType) -> list[str]:
    """What *module* makes public without a sentence of its own about it; a dataclass's signature is none."""
    return [
        name
        for name, value in public(module)
        if not (doc := (getattr(value, "__doc__", None) or "").strip())
        or doc.startswith(f"{name.rpartition('.')[2]}(")
        or not doc.partition("\n\n")[0].endswith((".", ":"))
    ]


# -- the names ----------------------------------------------------------------------------------


def test_the_public_names() -> None:
    """They are these, in order, each once."""
    assert stepup.__all__ == NAMES
    assert len(set(NAMES)) == len(NAMES)
    assert sorted(NAMES, key=lambda name: (not name.isupper(), name.islower(), name)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_can_be_imported(name: str) -> None:
    """And is one of ours."""
    value = getattr(stepup, name)

    assert value is not None
    assert isinstance(value, frozenset) or value.__module__.partition(".")[0] == "stepup"


def test_nothing_leaks() -> None:
    """Besides the public names, the package holds its modules, and nothing that a star import would bring along."""
    # pytest rewrites our asserts, because stepup is a plugin of it: its own names start with "@".
    others = {name for name in vars(stepup) if not name.startswith(("_", "@"))} - set(NAMES)

    assert {name for name in others if not isinstance(getattr(stepup, name), ModuleType)} == set()
    assert {name for name in others if getattr(stepup, name).__name__ != f"stepup.{name}"} == set()
    star: dict[str, object] = {}
    exec("from stepup import *", star)
    assert sorted(star.keys() - {"__builtins__"}) == sorted(NAMES)


# -- where they are ---------------------------------------------------------------------------------


@pytest.mark.parametrize("module", PROMISED)
def test_import_paths_are_part_of_the_promise(module: str) -> None:
    """Each module is there with what an application imports from it."""
    found = importlib.import_module(module)
    listed = getattr(found, "__all__", PROMISED[module])

    assert [name for name in PROMISED[module] if not hasattr(found, name)] == []
    assert [name for name in PROMISED[module] if name not in listed] == []
    assert [name for name in listed if not hasattr(found, name)] == []


@pytest.mark.parametrize("face", [stepup.StepUp, stepup.AsyncStepUp])
def test_both_faces_have_what_is_promised(face: type) -> None:
    """The same names on both; what can wait is awaited on the async one."""
    assert [name for name in METHODS if not callable(getattr(face, name, None))] == []
    waits = {name for name in METHODS if inspect.iscoroutinefunction(getattr(face, name))}
    assert waits == (set(METHODS) - {"guard"} if face is stepup.AsyncStepUp else set())
    parameters = inspect.signature(face).parameters
    assert [one for one in SETTINGS if one not in parameters] == []


@pytest.mark.parametrize("module", ["stepup._sync.factors", "stepup._async.factors"])
def test_factors_are_enrolled_from_the_gate(module: str) -> None:
    """``gate.factors`` has the Python side of enrolment, on both faces."""
    (factors,) = [
        value
        for name, value in vars(importlib.import_module(module)).items()
        if inspect.isclass(value) and value.__module__ == module and name.endswith("Factors")
    ]

    assert [name for name in FACTORS if not callable(getattr(factors, name, None))] == []


# -- what they say --------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", PROMISED)
def test_everything_public_says_what_it_does(module: str) -> None:
    """Each module, class, function, method and property has a docstring, that begins with a sentence."""
    found = importlib.import_module(module)

    assert found.__doc__
    assert undocumented(found) == []


def test_the_check_would_see_what_says_nothing() -> None:
    """A class, a method, a property and a function without a sentence are found; a dataclass's signature is none."""
    module = ModuleType("made")
    source = '''
class Silent:
    pass
class Formal:
    "Formal(field: int)"
class Spoken:
    """Says something."""
    def quiet(self): pass
    @property
    def still(self): pass
    def _private(self): pass
def mute(): pass
def half():
    """no sentence"""
def whole():
    """A sentence."""
'''
    exec(source, vars(module))

    assert undocumented(module) == [
        "made.Formal",
        "made.Silent",
        "made.Spoken.quiet",
        "made.Spoken.still",
        "made.half",
        "made.mute",
    ]

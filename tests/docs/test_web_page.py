"""What the page about the shims says is so: every argument with its default, every public method and name."""

from __future__ import annotations

import inspect
import re

import pytest
from test_code_blocks import DOCS, REFERENCE, ROOT, names, rows

import stepup.web
from stepup import Actor, StepUp
from stepup.fastapi import StepUpFastAPI
from stepup.flask import StepUpFlask
from stepup.starlette import Gate, StepUpStarlette, SyncGate
from stepup.stores.memory import MemoryStore
from stepup.verifiers import Password
from stepup.web import Site, SiteOptions, Visit

PAGE = REFERENCE / "web.md"


def arguments(kind: type, *without: str) -> list[list[str]]:
    """The arguments of a class with their defaults, as the page writes them."""
    return [
        [name, repr(one.default).replace("'", '"')]
        for name, one in inspect.signature(kind).parameters.items()
        if name not in without
    ]


def methods(kind: type) -> list[str]:
    """The public methods of a class as the page writes them; of properties the name."""
    found: list[str] = []
    for name, value in vars(kind).items():
        if name.startswith("_") or isinstance(value, classmethod):
            continue
        if not callable(value):
            found.append(name)
            continue
        signature = inspect.signature(value)
        plain = [one.replace(annotation=one.empty) for one in list(signature.parameters.values())[1:]]
        found.append(f"{name}{signature.replace(parameters=plain, return_annotation=signature.empty)}")
    return found


def said(first: str) -> list[list[str]]:
    return [[cells[0].strip("`"), cells[1].strip("`")] for cells in rows(PAGE, first)]


def test_the_page_lists_exactly_the_options_of_every_shim() -> None:
    """With their defaults, which are those of ``Site``."""
    assert said("option") == arguments(Site, "gate")
    assert names(PAGE, "option") == list(SiteOptions.__annotations__)


SHIMS = [("Flask", StepUpFlask), ("Starlette", StepUpStarlette), ("FastAPI", StepUpFastAPI)]


@pytest.mark.parametrize(("name", "kind"), SHIMS)
def test_the_page_lists_exactly_the_arguments(name: str, kind: type) -> None:
    """Of each shim, besides the options."""
    assert said(f"{name} argument") == arguments(kind, "options")


TABLES = [
    *((f"{name} method", kind) for name, kind in SHIMS),
    ("gate method", Gate),
    ("gate method", SyncGate),
    ("site method", Site),
    ("visit method", Visit),
]


@pytest.mark.parametrize(("first", "kind"), TABLES)
def test_the_page_lists_exactly_the_methods(first: str, kind: type) -> None:
    """With their arguments; one table stands for both colours of the gate."""
    assert names(PAGE, first) == methods(kind)


def test_the_page_names_the_attributes() -> None:
    """What a shim has besides methods."""
    gate = StepUp(
        actions=[], verifiers=[Password(check=lambda *_: False)], store=MemoryStore(), secret="0123456789abcdef" * 2
    )
    fast = StepUpFastAPI(None, gate, user_of=lambda: Actor("usr_2048"))
    assert names(PAGE, "FastAPI attribute") == [name for name in vars(fast) if not name.startswith("_")]
    flask = StepUpFlask(None, gate, user_of=lambda: Actor("usr_2048"))
    assert [name for name in vars(flask) if not name.startswith("_")] == ["gate"]


def test_the_page_names_everything_that_can_be_imported_from_web() -> None:
    """What a shim of one's own is built on."""
    listed = [name.strip("` ") for cells in rows(PAGE, "name") for name in cells[0].split(",")]
    assert sorted([*listed, "Site", "SiteOptions", "Visit"]) == sorted(stepup.web.__all__)


def test_the_threat_model_names_tests_that_are_there() -> None:
    """Each attack by way of a browser has a test, and it is where the page says."""
    table = rows(DOCS / "explanation" / "threat-model.md", "attack")
    for attack, _, shown in table:
        found = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", shown)
        assert found, attack
        for path, test in found:
            assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), f"{path}::{test}"

"""``flask stepup ...``: the operator's commands on the gate's own store."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask
from flask_world import ACTIONS, PEOPLE, SECRET, Browser, make_gate, plain_app, problem

from stepup import StepUp
from stepup.flask import StepUpFlask
from stepup.stores.sql import SQLStore
from stepup.testing import ScriptedVerifier


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=[*arguments])


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    gate = StepUp.sqlite(
        tmp_path / "stepup.db", actions=ACTIONS, verifiers=[ScriptedVerifier("password")], secret=SECRET
    )
    app = plain_app()
    StepUpFlask(app, gate, user_of=lambda: PEOPLE["usr_2048"])
    yield app
    assert isinstance(gate.store, SQLStore)
    gate.store.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create"], "The tables are there."),
        (["doctor"], "ok       connected to sqlite"),
        (["purge"], "0 expired records deleted."),
        (["purge", "--at-most", "5"], "0 expired records deleted."),
        (["restored"], "The fence is new"),
    ],
    ids=lambda given: given if isinstance(given, str) else " ".join(given),
)
def test_commands_work_on_the_gates_store(app: Flask, arguments: list[str], said: str) -> None:
    """No address has to be given: the application knows its store."""
    done = run(app, "stepup", *arguments)

    assert (done.exit_code, done.exception) == (0, None)
    assert said in done.output


def test_after_a_restore_nothing_from_before_opens(app: Flask) -> None:
    """The command does what it says."""
    shim: StepUpFlask = app.extensions["stepup"][0]
    app.post("/delete", endpoint="delete")(shim.guard("org.delete")(lambda: "deleted"))
    browser = Browser(app.test_client())
    token = browser.token(browser.post("/delete"))
    run(app, "stepup", "restored")

    assert problem(browser.post("/delete", StepUp_Token=token)) == (403, "grant_invalid")


def test_the_doctor_finds_what_is_wrong(tmp_path: Path) -> None:
    """Exit code 1, and the tables that are missing; ``create`` makes them."""
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'empty.db'}", poolclass=sa.NullPool)
    app = plain_app()
    StepUpFlask(app, make_gate(store=SQLStore(lambda: engine)), user_of=lambda: None)

    found = run(app, "stepup", "doctor")
    assert found.exit_code == 1
    assert "problem  The store's tables are not there." in found.output
    assert run(app, "stepup", "create").exit_code == 0
    assert run(app, "stepup", "purge").output == "0 expired records deleted.\n"


def test_a_store_in_memory_has_nothing_to_operate() -> None:
    """It is said, with the remedy, and not with a traceback."""
    app = plain_app()
    StepUpFlask(app, make_gate(), user_of=lambda: None)

    for command in ("create", "doctor", "purge", "restored"):
        done = run(app, "stepup", command)
        assert done.exit_code == 1
        assert "Error: The gate's store is a MemoryStore, which is in no database. Use StepUp.sqlite" in done.output


def test_without_sqlalchemy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store cannot be in a database then."""
    app = plain_app()
    StepUpFlask(app, make_gate(), user_of=lambda: None)
    monkeypatch.setitem(sys.modules, "stepup.stores.sql", None)

    assert "with the extra sql" in run(app, "stepup", "doctor").output


def test_commands_are_called_after_the_address() -> None:
    """So that two gates have two groups."""
    app = plain_app()
    StepUpFlask(app, make_gate(), user_of=lambda: None, prefix="/account/proof")

    assert "account_proof" in app.cli.commands
    assert "What an operator does" in run(app, "account_proof", "--help").output

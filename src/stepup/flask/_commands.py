"""``flask stepup ...``: what an operator does with the gate's store, in the application's own command line.

The same as ``python -m stepup``, which needs no application and is given the store's address instead.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import TYPE_CHECKING

import click
from flask.cli import AppGroup

from stepup._sync import StepUp
from stepup.errors import ConfigurationError, StepUpError

if TYPE_CHECKING:
    from stepup.stores.sql import SQLStore


def commands(name: str, gate: StepUp) -> AppGroup:
    """The group of commands for one gate."""
    group = AppGroup(name, help="What an operator does with the stepup store.")

    @group.command()
    def create() -> None:
        """Make the tables where they are not there yet."""
        from stepup.__main__ import create

        with _store(gate) as store:
            create(store)

    @group.command()
    def doctor() -> None:
        """Look at the database and say what is wrong with it."""
        from stepup.__main__ import doctor

        with _store(gate) as store:
            code = doctor(store)
        raise click.exceptions.Exit(code)

    @group.command()
    @click.option("--at-most", type=int, metavar="N", help="Stop after that many records.")
    def purge(at_most: int | None) -> None:
        """Delete expired records."""
        from stepup.__main__ import purge

        with _store(gate) as store:
            purge(store, at_most)

    @group.command()
    def restored() -> None:
        """After restoring a backup: refuse whatever was minted before."""
        from stepup.__main__ import restored

        with _store(gate) as store:
            restored(store)

    return group


@contextlib.contextmanager
def _store(gate: StepUp) -> Generator[SQLStore]:
    """The gate's store, with what goes wrong told as a command tells it."""
    try:
        yield _of(gate)
    except StepUpError as error:
        raise click.ClickException(str(error)) from error


def _of(gate: StepUp) -> SQLStore:
    """The gate's store.

    Raises:
        ConfigurationError: for a store that is in no database.
    """
    try:
        from stepup.stores.sql import SQLStore
    except ModuleNotFoundError:  # without SQLAlchemy it is certainly another store
        found = False
    else:
        if isinstance(gate.store, SQLStore):
            return gate.store
        found = True
    raise ConfigurationError(
        f"The gate's store is a {type(gate.store).__name__}, which is in no database.",
        remedy="Use StepUp.sqlite or SQLStore." if found else "Use StepUp.sqlite or SQLStore, with the extra sql.",
    )

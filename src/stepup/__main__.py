"""``python -m stepup``: what an operator does from a shell. One function for each command.

========== ==========================================================================================
command    does
========== ==========================================================================================
ddl        prints the schema as a script
create     makes the tables where they are not there yet
purge      deletes expired records; for cron, from as many hosts as you like
doctor     asks the database about itself and says what it thinks of the answers
restored   after a backup was restored: whatever was minted before is refused from now on
evidence   checks what a passkey has approved, offline: ``evidence verify FILE``
demo       serves an account-security page with made-up people, on loopback, to try it all
========== ==========================================================================================

Exit code 0 if it was done, 1 if not, 2 for a command line that makes no sense, 3 for evidence that only agrees with
itself, since no ``--public-key`` from elsewhere was given. The address of the store is
``--store URL``, or the variable ``STEPUP_STORE``, which keeps a password out of the list of processes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from .errors import ConfigurationError, InvalidInput, StepUpError

if TYPE_CHECKING:
    from .stores.sql import SQLStore

_BATCH: Final = 10_000
_ONLY_ITSELF: Final = 3
"""The exit code for a record that agrees with the key it names itself: whoever made it up would see to that."""
_PATIENT: Final = 30.0
"""Seconds a command waits for the database: nobody is waiting for its page."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    given = _parser().parse_args(_joined(sys.argv[1:] if arguments is None else arguments))
    command: Callable[[argparse.Namespace], int] = given.command
    try:
        return command(given)
    except StepUpError as error:
        print(f"stepup: {error}", file=sys.stderr)
    except ModuleNotFoundError as error:
        wanted = "'stepup-auth[demo]'" if command is _demo else "'stepup-auth[sql]' and a driver"
        print(f"stepup: {error.name} is not installed; pip install {wanted}.", file=sys.stderr)
    return 1


def _joined(arguments: Sequence[str]) -> list[str]:
    """*arguments* with a public key joined to its option: one in 64 begins with a hyphen, as an option would."""
    found = list(arguments)
    if "--public-key" in found[:-1]:
        place = found.index("--public-key")
        found[place : place + 2] = [f"--public-key={found[place + 1]}"]
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stepup", description="What an operator does with a stepup store.")
    commands = parser.add_subparsers(required=True, metavar="command")
    names = argparse.ArgumentParser(add_help=False)
    names.add_argument("--schema", help="the database schema of the tables")
    names.add_argument("--table-prefix", default="stepup_", help="what the tables' names begin with (stepup_)")
    store = argparse.ArgumentParser(add_help=False, parents=[names])
    store.add_argument("--store", metavar="URL", help="the store's address, as SQLAlchemy writes it; or STEPUP_STORE")

    ddl = commands.add_parser("ddl", parents=[names], help="print the schema as a script")
    ddl.add_argument("--dialect", required=True, choices=["postgresql", "mariadb", "mysql", "sqlite"])
    ddl.set_defaults(command=_ddl)
    for name, command, text in (
        ("create", _create, "make the tables where they are not there yet"),
        ("doctor", _doctor, "look at the database and say what is wrong with it"),
        ("restored", _restored, "after restoring a backup: refuse whatever was minted before"),
    ):
        commands.add_parser(name, parents=[store], help=text).set_defaults(command=command)
    purge = commands.add_parser("purge", parents=[store], help="delete expired records")
    purge.add_argument("--at-most", type=int, metavar="N", help="stop after that many records")
    purge.set_defaults(command=_purge)
    evidence = commands.add_parser("evidence", help="check what a passkey has approved, offline")
    checks = evidence.add_subparsers(required=True, metavar="what")
    verify = checks.add_parser("verify", help="say what a record proves; 1 if nothing, 3 without a key")
    verify.add_argument("file", metavar="FILE", help="a record of stepup.evidence as JSON; - for standard input")
    verify.add_argument("--public-key", metavar="KEY", help="the passkey's, from the event of its enrolment")
    verify.set_defaults(command=_evidence)
    demo = commands.add_parser("demo", help="serve an account-security page on loopback, to try it all")
    demo.add_argument("--port", type=int, default=8000, metavar="N", help="the port on localhost (8000)")
    demo.add_argument("--store", metavar="URL", help="the store's address; by default a SQLite file that goes with it")
    demo.add_argument("--seed-file", metavar="FILE", help="write the credentials of its people there, as JSON")
    demo.set_defaults(command=_demo)
    return parser


@contextlib.contextmanager
def _store(given: argparse.Namespace) -> Generator[SQLStore]:
    """The store that was named, closed behind whoever used it."""
    store = _named(given)
    try:
        yield store
    finally:
        store.engine.dispose()


def _named(given: argparse.Namespace) -> SQLStore:
    url = given.store or os.environ.get("STEPUP_STORE")
    if not url:
        raise ConfigurationError("No store was named.", remedy="Pass --store URL, or set STEPUP_STORE.")
    import sqlalchemy as sa
    from sqlalchemy import exc

    from .stores.sql import SQLStore

    try:
        engine = sa.create_engine(url, pool_size=2)
    except (exc.ArgumentError, exc.NoSuchModuleError) as error:
        message = f"The address of the store cannot be used ({type(error).__name__})."
    else:
        if not engine.dialect.is_async:
            return SQLStore(engine, schema=given.schema, table_prefix=given.table_prefix, timeout=_PATIENT)
        message = f"{engine.dialect.driver} is an async driver."
    raise ConfigurationError(message, remedy="Write it like postgresql+psycopg://user@host/database.")


def _ddl(given: argparse.Namespace) -> int:
    from .stores.sql import ddl

    print(ddl(given.dialect, schema=given.schema, table_prefix=given.table_prefix), end="")
    return 0


def _create(given: argparse.Namespace) -> int:
    with _store(given) as store:
        url = store.engine.url
        if url.get_backend_name() == "sqlite" and url.database:
            type(store).sqlite(url.database, table_prefix=given.table_prefix).close()  # it sets the file's log mode
        create(store)
    return 0


def _purge(given: argparse.Namespace) -> int:
    with _store(given) as store:
        purge(store, given.at_most)
    return 0


def _doctor(given: argparse.Namespace) -> int:
    with _store(given) as store:
        return doctor(store)


def _restored(given: argparse.Namespace) -> int:
    with _store(given) as store:
        restored(store)
    return 0


def _evidence(given: argparse.Namespace) -> int:
    """Say what a record proves. Without a key from elsewhere that is nothing: only that it agrees with itself."""
    from dataclasses import asdict

    from .canonical import parse_json
    from .evidence import verify

    try:
        text = sys.stdin.read() if given.file == "-" else Path(given.file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput("FILE", f"cannot be read ({type(error).__name__})") from None
    record = cast("Mapping[str, object]", parse_json(text, name="FILE"))  # verify() looks at what it is
    own = record.get("public_key") if isinstance(record, dict) else None
    asserted = own if isinstance(own, str) else ""
    key = asserted if given.public_key is None else given.public_key  # an empty one is a variable that was not set
    approval = verify(record, key)
    for name, value in asdict(approval).items():
        print(f"{name:14} {json.dumps(value, ensure_ascii=True)}")
    if given.public_key is None:
        print("This proves nothing yet: anybody can make such a record with a key of their own.", file=sys.stderr)
        print(
            "Pass --public-key with the passkey's, from the event of its enrolment. The record is by:", file=sys.stderr
        )
        print(key, file=sys.stderr)
        return _ONLY_ITSELF
    return 0


def _demo(given: argparse.Namespace) -> int:
    from .demo import serve

    return serve(given.port, given.store, given.seed_file)


# -- what the commands do with a store, for the command lines of frameworks too ---------


def create(store: SQLStore) -> None:
    """Make the tables where they are not there yet, and say so."""
    store.create_schema()
    print("The tables are there.")


def purge(store: SQLStore, at_most: int | None = None) -> None:
    """Delete expired records, not more than *at_most*, and say how many."""
    gone, now = 0, datetime.now(UTC)
    while at_most is None or gone < at_most:
        limit = _BATCH if at_most is None else min(_BATCH, at_most - gone)
        deleted = store.purge(now, limit=limit)
        gone += deleted
        if deleted < limit:
            break
    print(f"{gone} expired records deleted.")


def doctor(store: SQLStore) -> int:
    """Say what is to be said about the database; 1 if there is a problem."""
    from .stores.sql.doctor import examine

    findings = examine(store)
    for severity, what, remedy in findings:
        print(f"{severity:8} {what}{f'. {remedy}' if remedy else ''}")
    return 1 if any(one.severity == "problem" for one in findings) else 0


def restored(store: SQLStore) -> None:
    """Draw a new fence, and say what that means."""
    store.restored()
    print("The fence is new: tokens, challenges and session grants from before are refused.")


if __name__ == "__main__":
    sys.exit(main())

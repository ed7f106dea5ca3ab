"""What a driver's exception means: a conflict to decide again on, or a reason to refuse.

Every driver has its own exceptions; what they share is a code: SQLSTATE on PostgreSQL, an error number on MariaDB
and MySQL, a result code on SQLite. What comes out never holds the driver's text, which may quote what was being
written, nor the driver's exception as its cause, for the same reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import exc

from stepup.errors import ConfigurationError, SchemaMismatch, StepUpError, StoreFull, StoreUnavailable

from .schema import SUPPORTED


class Conflict(Exception):
    """Nothing was written, because of another writer whose key is not known."""


CONFLICT: Final = "conflict"
LOCKED: Final = "locked"
FULL: Final = "full"
READ_ONLY: Final = "read_only"
NO_SCHEMA: Final = "no_schema"
DUPLICATE: Final = "duplicate"

_SQLSTATES: Final[Mapping[str, str]] = {
    "40001": CONFLICT, "40P01": CONFLICT, "55P03": LOCKED, "57014": LOCKED, "53100": FULL, "53400": FULL,
    "25006": READ_ONLY, "42P01": NO_SCHEMA, "3F000": NO_SCHEMA, "42703": NO_SCHEMA, "23505": DUPLICATE,
}  # fmt: skip
_NUMBERS: Final[Mapping[int, str]] = {
    1213: CONFLICT, 1020: CONFLICT, 1205: LOCKED, 1969: LOCKED, 3024: LOCKED, 1021: FULL, 1114: FULL, 1290: READ_ONLY,
    1792: READ_ONLY, 1836: READ_ONLY, 1146: NO_SCHEMA, 1054: NO_SCHEMA, 1062: DUPLICATE,
}  # fmt: skip
_SQLITE: Final[Mapping[str, str]] = {
    "SQLITE_BUSY": LOCKED, "SQLITE_BUSY_TIMEOUT": LOCKED, "SQLITE_LOCKED": LOCKED, "SQLITE_BUSY_SNAPSHOT": CONFLICT,
    "SQLITE_FULL": FULL, "SQLITE_READONLY": READ_ONLY,
}  # fmt: skip
_UNOPENED: Final = "Give the path of a file, not an address; its directory must be there, and be writable."


def meaning(error: BaseException) -> str | None:
    """What the database said, as one of the words above; None for anything else."""
    for one in _chain(error):
        state: object = getattr(one, "sqlstate", None) or getattr(one, "pgcode", None)
        if isinstance(state, str) and state in _SQLSTATES:
            return _SQLSTATES[state]
        name: object = getattr(one, "sqlite_errorname", None)
        if isinstance(name, str):
            found = _SQLITE.get(name) or next((_SQLITE[key] for key in _SQLITE if name.startswith(f"{key}_")), None)
            if found is not None:
                return found
            if name == "SQLITE_ERROR" and "no such table" in str(one):
                return NO_SCHEMA
        number: object = one.args[0] if one.args else None
        if isinstance(number, int) and number in _NUMBERS:
            return _NUMBERS[number]
    return None


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what it was made from: SQLAlchemy's adapters wrap the driver's own."""
    found: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in found and len(found) < 5:
        found.append(one)
        original = getattr(one, "orig", None) or getattr(one, "driver_exception", None)
        one = original if isinstance(original, BaseException) else one.__cause__
    return found


def refusal(error: Exception, timeout: float) -> Exception:
    """What to raise for *error*: ``Conflict``, or one of stepup's own, which says what the operator can do."""
    if isinstance(error, StepUpError | Conflict):
        return error
    if isinstance(error, exc.NoSuchModuleError | exc.ArgumentError):
        return ConfigurationError(f"The engine cannot be used ({type(error).__name__}).")
    what = meaning(error)
    if what == CONFLICT:
        return Conflict()
    if what == NO_SCHEMA:
        return SchemaMismatch(None, tuple(sorted(SUPPORTED)))
    if what == FULL:
        return StoreFull("The database has no room left.", remedy="Free space on its disk, or raise its quota.")
    if what == LOCKED:
        return StoreUnavailable(
            f"Another transaction kept the records locked for longer than the store waits ({timeout:g} s in all).",
            remedy="Keep transactions that spend a proof short, or raise the store's timeout.",
        )
    if what == READ_ONLY:
        return StoreUnavailable("The database takes no writes.", remedy="Connect to the primary, not to a replica.")
    if isinstance(error, exc.TimeoutError):
        return StoreUnavailable(
            "No connection of the pool came free in time.", remedy="Raise pool_size, or close connections sooner."
        )
    name = _name(error)
    return StoreUnavailable(f"The database failed ({name}).", remedy=_UNOPENED if "CANTOPEN" in name else "")


def _name(error: BaseException) -> str:
    """The class of the driver's exception and its code, and nothing of its text."""
    innermost = _chain(error)[-1]
    state: object = getattr(innermost, "sqlstate", None) or getattr(innermost, "sqlite_errorname", None)
    number: object = innermost.args[0] if innermost.args else None  # says more than the state that some drivers add
    code = number if isinstance(number, int) else state if isinstance(state, str) else None
    return type(innermost).__name__ if code is None else f"{type(innermost).__name__}, {code}"

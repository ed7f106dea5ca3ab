"""From a policy file to plain data: bounded in size and depth, each key once, every key a string.

``parsed`` reads text; ``plain`` makes dicts, lists and scalars of whatever it or the application hands over, and
says where something else stands. A place is written as TOML would write it: ``actions."org.delete".methods[0]``.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from datetime import date, time
from pathlib import Path
from typing import Final, Literal, NoReturn

from .errors import ConfigurationError

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 24
MAX_NUMBER: Final = 2**53 - 1
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")

Where = tuple[str | int, ...]


def quoted(where: Where) -> str:
    """A place in the file, as TOML writes keys."""
    path = ""
    for part in where:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += "." * bool(path) + (part[:80] if _BARE.fullmatch(part) else json.dumps(part[:80]))
    return path or "top level"


def read(file: Path) -> str:
    """The text of *file*.

    Raises:
        ConfigurationError: if it cannot be read, is too large, or is not UTF-8.
    """
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise ConfigurationError(f"{file.name}: cannot be read ({why}).") from error
    if len(raw) > MAX_BYTES:
        raise _too_large(file.name)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file.name}: is not UTF-8 at byte {error.start}.") from None


def parsed(text: str, form: Literal["toml", "json"], source: str) -> object:
    """What *text* says.

    Raises:
        ConfigurationError: if it is too large, or not of that format; a key written twice is reported by ``plain``.
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
        raise ConfigurationError(f"{source}: must be text, not {type(text).__name__}.")
    if len(text) > MAX_BYTES or len(text.encode(errors="replace")) > MAX_BYTES:
        raise _too_large(source)
    try:
        if form == "json":
            return json.loads(text, object_pairs_hook=_Pairs, parse_constant=_no_constant)
        import tomllib

        return tomllib.loads(text)
    except RecursionError:
        raise ConfigurationError(f"{source}: is nested too deeply.") from None
    except ValueError as error:
        raise ConfigurationError(f"{source}: is not valid {form.upper()}: {error}.") from None


class _Pairs(dict[str, object]):
    """A JSON object that remembers which keys were written twice."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        self.twice = [key for key, times in Counter(key for key, _ in pairs).items() if times > 1]


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _too_large(source: str) -> ConfigurationError:
    return ConfigurationError(f"{source}: is larger than {MAX_BYTES} bytes.")


def plain(value: object, source: str, where: Where = ()) -> object:
    """*value* as dicts with text for keys, lists, text, whole numbers and booleans.

    Raises:
        ConfigurationError: naming the first place at which something else stands.
    """
    if len(where) > MAX_DEPTH:
        raise ConfigurationError(f"{source}: {quoted(where[:3])}: is nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, Mapping):
        return _plain_table(value, source, where)  # pyright: ignore[reportUnknownArgumentType] -- looked at key by key
    if isinstance(value, list | tuple):
        return [plain(part, source, (*where, index)) for index, part in enumerate(value)]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] -- looked at one by one
    problem = _wrong_scalar(value)
    if problem is not None:
        raise ConfigurationError(f"{source}: {quoted(where)}: {problem}.")
    return value


def _plain_table(value: Mapping[object, object], source: str, where: Where) -> dict[str, object]:
    if isinstance(value, _Pairs) and value.twice:
        raise ConfigurationError(f"{source}: {quoted((*where, value.twice[0]))}: is written twice.")
    made: dict[str, object] = {}
    for key, part in value.items():
        if not isinstance(key, str) or _wrong_scalar(key) is not None:
            raise ConfigurationError(f"{source}: {quoted(where)}: has a key that is not text.")
        made[str(key)] = plain(part, source, (*where, key))
    return made


def _wrong_scalar(value: object) -> str | None:
    """Why no file could say *value*; None where one could."""
    if type(value) is bool:
        return None
    if type(value) is int:
        return None if -MAX_NUMBER <= value <= MAX_NUMBER else "the number is too large"
    if type(value) is str:
        return "the text is not valid Unicode" if any("\ud800" <= one <= "\udfff" for one in value) else None
    if value is None:
        return 'null means nothing here. Leave the key out, or write "unlimited" for no limit'
    if isinstance(value, float):
        return "must not be a fraction"
    if isinstance(value, date | time):
        return "must not be a date or time"
    return f"must not be of type {type(value).__name__}"

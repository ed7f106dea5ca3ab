r"""Canonical JSON and digests: the one way stepup turns structured data into bytes.

The rules are those of RFC 8785 (JSON Canonicalization Scheme): members sorted by UTF-16 code units,
no white space, the shortest escapes, numbers as ECMAScript prints them. Stricter in what is taken:
integers beyond 2**53-1, NaN, infinities, lone surrogates, non-string keys and anything that is not
JSON are refused, because two parties could read them differently.

``params_digest`` is domain-separated and recomputable by anyone: hex SHA-256 over
``b"stepup.params.v1\\0"`` followed by the canonical JSON. Test vectors: ``tests/vectors/params.json``.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import NoReturn, cast

from .errors import InvalidInput

MAX_SAFE_INTEGER = 2**53 - 1
MAX_DEPTH = 16
PARAMS_DOMAIN = b"stepup.params.v1\0"

JSONValue = None | bool | int | float | str | Sequence["JSONValue"] | Mapping[str, "JSONValue"]


def canonical_json(value: object, *, name: str = "params", limit: int | None = None) -> bytes:
    """Serialise *value* by the rules of RFC 8785, as UTF-8 bytes.

    Raises:
        InvalidInput: for anything that is not plain JSON, is nested deeper than 16 levels, or is
            longer than *limit* bytes. *name* says in the error which value it was.
    """
    out = _write(value, name, 0).encode("utf-8")
    if limit is not None and len(out) > limit:
        raise InvalidInput(name, f"is {len(out)} bytes long, at most {limit} are allowed")
    return out


def params_digest(params: Mapping[str, object] | None, *, limit: int | None = None) -> str | None:
    """Hex SHA-256 over the domain and the canonical JSON of *params*; None where there are none."""
    if params is None:
        return None
    if not isinstance(params, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
        raise InvalidInput("params", f"must be a mapping, not {type(params).__name__}")
    return hashlib.sha256(PARAMS_DOMAIN + canonical_json(params, limit=limit)).hexdigest()


def parse_json(text: str | bytes, *, name: str = "json") -> object:
    """Parse JSON strictly: duplicate members, NaN and infinities are refused.

    Raises:
        InvalidInput: if it is not such JSON.
    """

    def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise InvalidInput(name, "has a member twice")
        return found

    def constant(token: str) -> NoReturn:
        raise InvalidInput(name, f"has the non-JSON number {token}")

    try:
        parsed: object = json.loads(text, object_pairs_hook=members, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(name, "is not valid JSON") from None
    return parsed


_CONSTANTS: Mapping[object, str] = {None: "null", True: "true", False: "false"}


def _write(value: object, name: str, depth: int) -> str:
    if depth > MAX_DEPTH:
        raise InvalidInput(name, f"is nested deeper than {MAX_DEPTH} levels")
    if value is None or isinstance(value, bool):
        return _CONSTANTS[value]
    if type(value) is str:
        return _string(value, name)
    if type(value) is int:
        return _integer(value, name)
    if type(value) is float:
        return _number(value, name)
    if isinstance(value, Mapping):
        return _object(cast("Mapping[object, object]", value), name, depth)
    if isinstance(value, list | tuple):
        items = cast("Sequence[object]", value)
        return "[" + ",".join(_write(item, name, depth + 1) for item in items) + "]"
    raise InvalidInput(name, f"has a {type(value).__name__}, which is not JSON", remedy="Pass str() of it.")


def _integer(value: int, name: str) -> str:
    if abs(value) > MAX_SAFE_INTEGER:
        raise InvalidInput(name, "has an integer beyond 2**53-1", remedy="Send large numbers as strings.")
    return str(value)


def _object(value: Mapping[object, object], name: str, depth: int) -> str:
    keys: list[str] = []
    for key in value:
        if type(key) is not str:
            raise InvalidInput(name, f"has a member name that is a {type(key).__name__}")
        keys.append(key)
    for key in keys:
        _string(key, name)  # a lone surrogate has no UTF-16 sort order either
    keys.sort(key=lambda key: key.encode("utf-16-be"))
    return "{" + ",".join(f"{_string(key, name)}:{_write(value[key], name, depth + 1)}" for key in keys) + "}"


def _string(value: str, name: str) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidInput(name, "has a lone surrogate") from None
    return json.dumps(value, ensure_ascii=False)


def _number(value: float, name: str) -> str:
    """Print a float as ECMAScript's Number::toString does (RFC 8785 section 3.2.2.3)."""
    if not math.isfinite(value):
        raise InvalidInput(name, "has a number that is not finite")
    if value == 0:
        return "0"
    if value.is_integer() and abs(value) > MAX_SAFE_INTEGER:
        raise InvalidInput(name, "has an integer beyond 2**53-1", remedy="Send large numbers as strings.")
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if 0 < point <= 21:
        body = digits.ljust(point, "0") if len(digits) <= point else f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        body = "0." + "0" * -point + digits
    else:
        head = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
        body = f"{head}e-{1 - point}"  # large numbers were refused above
    return sign + body

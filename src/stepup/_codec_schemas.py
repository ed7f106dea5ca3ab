"""How pydantic reads and writes what is stored: strictly, and what JSON does not know in one way alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from types import GenericAlias
from typing import Any, Final, cast

_UTC_TIME: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?Z$"
_DEEPEST: Final = 32


def schemas_of(hints: Iterable[object]) -> tuple[list[Any], list[Any]]:
    """How pydantic reads and writes each of *hints*, made stricter, and the definitions they share."""
    from pydantic import ConfigDict, TypeAdapter

    config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)
    adapter = TypeAdapter[Any](cast("Any", GenericAlias(tuple, tuple(hints))), config=config)
    schema = _stricter(adapter.core_schema)
    if schema["type"] == "definitions":
        return schema["schema"]["items_schema"], schema["definitions"]
    return schema["items_schema"], []


def _stricter(node: Any) -> Any:
    """The schema *node* with its times, bytes, mappings and plain objects handled as below."""
    from pydantic_core import core_schema

    if isinstance(node, list):
        return [_stricter(part) for part in cast("Iterable[Any]", node)]
    if not isinstance(node, dict):
        return node
    made: Any = {
        key: part if key == "default" else _stricter(part) for key, part in cast("dict[str, Any]", node).items()
    }
    writing = core_schema.plain_serializer_function_ser_schema
    kind = made.get("type")
    if kind == "datetime":
        text = core_schema.str_schema(strict=True, pattern=_UTC_TIME)
        in_utc = writing(_in_utc)
        return core_schema.no_info_after_validator_function(datetime.fromisoformat, text, serialization=in_utc)
    if kind == "bytes":
        return core_schema.no_info_plain_validator_function(_never, serialization=writing(_never))
    if kind == "any":
        return core_schema.no_info_after_validator_function(_plain, made, serialization=writing(_plain))
    if kind == "int":
        made["serialization"] = core_schema.simple_ser_schema("any")  # else True would be written as 1
    if kind == "dict":
        made["serialization"] = core_schema.wrap_serializer_function_ser_schema(_in_order)
    return made


def _in_utc(at: datetime) -> datetime:
    return at if at.tzinfo is UTC else at.astimezone(UTC)  # of a naive one, this is no longer equal to it


def _never(_: object) -> object:
    raise ValueError("bytes are not stored: what lies behind a factor is kept as its fingerprint only")


def _in_order(value: Mapping[str, object], write: Callable[[object], object]) -> object:
    return write(dict(sorted(value.items())))


def _plain(value: object, depth: int = 0) -> object:
    """*value* with its members in order, if it is JSON and nothing else."""
    if value is None or type(value) in {str, int, bool} or (type(value) is float and math.isfinite(value)):
        return value
    if depth < _DEEPEST:
        if isinstance(value, list):
            return [_plain(part, depth + 1) for part in cast("list[object]", value)]
        if isinstance(value, Mapping):
            members = sorted(cast("Mapping[str, object]", value).items())
            return {key: _plain(part, depth + 1) for key, part in members}
    raise ValueError("not plain JSON")

"""Record values and events as JSON text, for stores that keep text: ``encode`` and ``decode``.

A text is ``{"format":1,"type":"claim","value":{...}}``, compact, and the same for the same value. The fields are
those of the frozen dataclasses, which pydantic reads; there is no second list of them. Reading order: the public
functions, ``_Codec``, then ``_codec_schemas``: how values that JSON does not know are written.

- **Reading is strict.** A field that is not known, one that is missing, a value of another type, a time that is not
  UTC: all are refused with ``ContractBroken``. A reader that skipped what it does not know would drop a restriction,
  and write the record back without it.
- **What is written has been read back**, and is equal. What would not be, such as NaN, a lone surrogate, a naive time
  or an object in a snapshot, is refused with ``InvalidInput``.
- **No message shows a value**, and no error has another one behind it: both would end in logs.

A format changes in two releases, so that the old and the new one can run side by side. The first adds the new format
to ``READS`` and still writes the old one; the second writes it. The dataclasses have the shape of the newest format
read. ``_UPGRADES`` takes a text's object from its format to the next one, ``_DOWNGRADES`` takes it back.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from ._codec_schemas import schemas_of
from .challenge import Challenge
from .changes import Account, Epoch, Fence, Value
from .decision import Detail
from .device import DeviceSet
from .errors import ContractBroken, InvalidInput
from .event import Event
from .factor import FactorSet, Roster
from .grant import Claim, Shelf, Spend
from .history import Known
from .throttle import Throttle
from .told import Told

if TYPE_CHECKING:
    from pydantic_core import CoreConfig, SchemaSerializer, SchemaValidator

    Writers = Mapping[type, tuple[str, SchemaSerializer]]

V = TypeVar("V")
Step = Callable[[dict[str, Any]], dict[str, Any]]
"""Takes the object of a text, ``{"format": ..., "type": ..., "value": ...}``, to the format beside its own."""

FORMAT: Final = 1
"""The format this release writes."""

READS: Final = frozenset({1})
"""The formats this release reads. A new one is read one release before it is written."""

_UPGRADES: Final[Mapping[int, Step]] = {}
_DOWNGRADES: Final[Mapping[int, Step]] = {}
_TYPES: Final[Mapping[str, type[Value]]] = {
    "account": Account,
    "challenge": Challenge,
    "claim": Claim,
    "device_set": DeviceSet,
    "epoch": Epoch,
    "factor_set": FactorSet,
    "fence": Fence,
    "known": Known,
    "roster": Roster,
    "shelf": Shelf,
    "spend": Spend,
    "throttle": Throttle,
    "told": Told,
}
"""What each type is called in a text. A name stays, whatever becomes of the class."""

_SHOWN: Final = range(1000)
_STRICT: Final[CoreConfig] = {"strict": True, "hide_input_in_errors": True}
_REMEDY: Final = "Run a release that reads it, or restore the record."


def encode(value: Value) -> str:
    """The text of one record value.

    Raises:
        InvalidInput: if it holds what could not be read back as it is.
    """
    return _VALUES.encode(value)


def decode(text: str | bytes) -> Value:
    """The record value in *text*.

    Raises:
        ContractBroken: if it is not a text that this release reads.
    """
    return _VALUES.decode(text)


def encode_event(event: Event) -> str:
    """The text of one event. Raises as ``encode``."""
    return _EVENTS.encode(event)


def decode_event(text: str | bytes) -> Event:
    """The event in *text*. Raises as ``decode``."""
    return _EVENTS.decode(text)


def encode_detail(detail: Mapping[str, Detail]) -> str:
    """``Event.detail`` alone, for stores that keep events in columns. Raises as ``encode``."""
    return _write_part("Event.detail", Mapping[str, Detail], detail)


def decode_detail(text: str | bytes) -> Mapping[str, Detail]:
    """The ``Event.detail`` in *text*. Raises as ``decode``."""
    return cast("Mapping[str, Detail]", _read_part("Event.detail", Mapping[str, Detail], text))


def encode_snapshot(snapshot: Mapping[str, object] | None) -> str | None:
    """``Event.snapshot`` alone; None stays None. Raises as ``encode``."""
    return None if snapshot is None else _write_part("Event.snapshot", Mapping[str, object], snapshot)


def decode_snapshot(text: str | bytes | None) -> Mapping[str, object] | None:
    """The ``Event.snapshot`` in *text*; None stays None. Raises as ``decode``."""
    if text is None:
        return None
    return cast("Mapping[str, object]", _read_part("Event.snapshot", Mapping[str, object], text))


# -- formats ----------------------------------------------------------------------


class _Codec(Generic[V]):
    """Writes and reads the values of some types, in formats that stand side by side.

    The types have the shape of the newest format in *reads*. While *writes* is an older one, a value is written in
    that one if nothing is lost by it, else in the newest: what the next release has added is kept, not dropped.

    Args:
        types: by the name each has in a text.
        writes: the format that is written.
        reads: the formats that are read.
        upgrades: by format, the step from it to the next one.
        downgrades: by format, the step to it from the next one.
    """

    def __init__(
        self,
        types: Mapping[str, type[V]],
        writes: int,
        reads: frozenset[int],
        upgrades: Mapping[int, Step],
        downgrades: Mapping[int, Step],
    ) -> None:
        self._types = types
        self._writes = writes
        self._reads = reads
        self._newest = max(reads)
        self._upgrades = upgrades
        self._downgrades = downgrades

    def encode(self, value: V) -> str:
        """The text of *value*."""
        if type(value) not in self._types.values():
            raise InvalidInput("value", f"cannot be a {type(value).__name__}")
        text = self._text(value)
        if text is None:
            raise _not_storable(type(value).__name__)
        return text

    def decode(self, text: str | bytes) -> V:
        """The value in *text*."""
        reader, _ = self._tools
        try:
            return cast("V", reader.validate_json(text)["value"])
        except ValueError:
            pass  # and go on outside, so that no error with parts of the text hangs on the one that is raised
        return self._decode_older(text)

    def _text(self, value: V) -> str | None:
        """The text of *value*; None where it cannot be read back."""
        reader, writers = self._tools
        opening, writer = writers[type(value)]
        try:
            text = f"{opening}{writer.to_json(value, warnings=False).decode()}}}"
            if reader.validate_json(text)["value"] != value:
                return None
            if self._writes == self._newest:
                return text
            older = self._lowered(text)
            return older if self.decode(older) == value else text
        except Exception:  # noqa: BLE001 -- whatever a mapping or a time zone of the application raises, with its values
            return None

    def _lowered(self, text: str) -> str:
        made = cast("dict[str, Any]", json.loads(text))
        for number in range(self._newest - 1, self._writes - 1, -1):
            made = {**self._downgrades[number](made), "format": number}
        return _dumped(made)

    def _decode_older(self, text: str | bytes) -> V:
        """The value in a text that is not of the newest format, or why there is none."""
        found = _parsed(text)
        number, name = found.get("format"), found.get("type")
        shown = f"format {number}" if type(number) is int and number in _SHOWN else "no known format"
        if type(number) is not int or number not in self._reads:
            reads = ", ".join(map(str, sorted(self._reads)))
            raise ContractBroken(f"The store holds a text of {shown}; this release reads {reads}.", remedy=_REMEDY)
        value = self._raised(found, number)
        if value is None:
            kind = name if isinstance(name, str) and name in self._types else "text of another type"
            raise ContractBroken(f"The store holds a {kind}, {shown}, that cannot be read.", remedy=_REMEDY)
        return value

    def _raised(self, found: dict[str, Any], number: int) -> V | None:
        reader, _ = self._tools
        try:
            for older in range(number, self._newest):
                found = {**self._upgrades[older](found), "format": older + 1}
            return cast("V", reader.validate_json(_dumped(found))["value"])
        except Exception:  # noqa: BLE001 -- whatever a step raises that met what it was not written for, with its values
            return None

    @functools.cached_property
    def _tools(self) -> tuple[SchemaValidator, Writers]:
        """What reads whole texts, and by type, how a text begins and what writes the value."""
        from pydantic_core import SchemaSerializer, SchemaValidator, core_schema

        def envelope(name: str, schema: Any) -> Any:
            parts = {
                "format": core_schema.int_schema(strict=True, ge=self._newest, le=self._newest),
                "type": core_schema.literal_schema([name]),
                "value": schema,
            }
            fields = {key: core_schema.typed_dict_field(part, required=True) for key, part in parts.items()}
            return core_schema.typed_dict_schema(fields, strict=True, extra_behavior="forbid")

        schemas, shared = schemas_of(self._types.values())
        writers: dict[type, tuple[str, SchemaSerializer]] = {}
        for (name, kind), schema in zip(self._types.items(), schemas, strict=True):
            opening = f'{{"format":{self._newest},"type":"{name}","value":'
            writers[kind] = opening, SchemaSerializer(core_schema.definitions_schema(schema, shared))
        choices = {name: envelope(name, schema) for name, schema in zip(self._types, schemas, strict=True)}
        whole = core_schema.tagged_union_schema(choices, discriminator="type", strict=True)
        return SchemaValidator(core_schema.definitions_schema(whole, shared), _STRICT), writers


_VALUES: Final = _Codec(_TYPES, FORMAT, READS, _UPGRADES, _DOWNGRADES)
_EVENTS: Final = _Codec({"event": Event}, FORMAT, READS, _UPGRADES, _DOWNGRADES)


def _parsed(text: str | bytes) -> dict[str, Any]:
    """The object in *text*; an empty one where there is none."""
    from pydantic_core import from_json

    try:
        found: object = from_json(text)
    except (TypeError, ValueError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _dumped(made: dict[str, Any]) -> str:
    return json.dumps(made, ensure_ascii=False, separators=(",", ":"))


# -- parts of an event --------------------------------------------------------------


@functools.cache
def _part(hint: object) -> tuple[SchemaValidator, SchemaSerializer]:
    from pydantic_core import SchemaSerializer, SchemaValidator

    ((schema,), _) = schemas_of([hint])
    return SchemaValidator(schema, _STRICT), SchemaSerializer(schema)


def _write_part(name: str, hint: object, value: object) -> str:
    reader, writer = _part(hint)
    try:
        text = writer.to_json(value, warnings=False).decode()
        if reader.validate_json(text) == value:
            return text
    except Exception:  # noqa: BLE001, S110 -- as in _Codec: it may hold values
        pass
    raise _not_storable(name)


def _read_part(name: str, hint: object, text: str | bytes) -> object:
    reader, _ = _part(hint)
    try:
        return reader.validate_json(text)
    except ValueError:
        pass  # as in _Codec
    raise ContractBroken(f"The store holds an {name} that cannot be read.", remedy=_REMEDY)


def _not_storable(name: str) -> InvalidInput:
    return InvalidInput(
        name,
        "holds what cannot be stored",
        remedy="Stored values are text without lone surrogates, whole numbers, times with a time zone, and plain JSON.",
    )

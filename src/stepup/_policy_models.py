"""Which keys a policy file may have, and of which type: ``checked`` has pydantic compare, and says what is wrong.

The typed dictionaries are the one list of keys; the pydantic models are made from them, once, when the first file is
read. Numbers are judged by ``Policy``, texts by ``Action``, requirements by ``policy_file``: each rule stands once.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Sequence
from types import GenericAlias
from typing import TYPE_CHECKING, Final, Literal, TypedDict, cast, get_type_hints

from ._policy_data import Where, quoted
from .errors import ConfigurationError

if TYPE_CHECKING:
    from pydantic import BaseModel

Bind = Literal["device", "organization", "params", "resource", "session"]
Level = Literal["low", "medium", "high", "critical"]
SessionRisk = Literal["low", "medium", "high", "unknown"]


class PolicyKeys(TypedDict, total=False):
    """A table under ``policies``: ``base``, and what ``Policy`` takes."""

    base: Level
    methods: object
    session_window: int
    session_window_trusted: int
    max_age: int | Literal["unlimited"]
    grant_ttl: int
    uses: int | Literal["unlimited"]
    token_required: bool
    challenge_ttl: int
    attempts: int
    block_session_risk: list[SessionRisk]
    min_strength: int
    remember: bool


class _Label(TypedDict):
    label: str


class ActionKeys(_Label, total=False):
    """A table under ``actions``: what ``Action`` takes, but for its functions."""

    risk: Level | int
    description: str
    methods: object
    policy: str
    binds: list[Bind]
    unbinds: list[Bind]
    group: str
    confirmation: str
    audit_level: str
    surfaces: dict[str, str]
    impersonation: str
    approvers: object


class FileKeys(TypedDict, total=False):
    """The file itself."""

    policies: dict[str, PolicyKeys]
    actions: dict[str, ActionKeys]


_LISTED: Final = 20
_BINDS: Final = "device, organization, params, resource, session"
_A_LIMIT: Final = 'a whole number, or "unlimited"'
_A_NUMBER: Final = "a whole number"
_A_TEXT: Final = "text"
_A_SWITCH: Final = "true or false"
RISK: Final = "one of low, medium, high, critical, or 1 to 4"
_EXPECTED: Final = {
    "base": "one of low, medium, high, critical",
    "session_window": _A_NUMBER,
    "session_window_trusted": _A_NUMBER,
    "max_age": _A_LIMIT,
    "grant_ttl": _A_NUMBER,
    "uses": _A_LIMIT,
    "token_required": _A_SWITCH,
    "challenge_ttl": _A_NUMBER,
    "attempts": _A_NUMBER,
    "block_session_risk": "a list of low, medium, high, unknown",
    "min_strength": _A_NUMBER,
    "remember": _A_SWITCH,
    "label": _A_TEXT,
    "risk": RISK,
    "description": _A_TEXT,
    "policy": "the name of a policy in this file",
    "binds": f"a list of {_BINDS}",
    "unbinds": f"a list of {_BINDS}",
    "group": _A_TEXT,
    "confirmation": _A_TEXT,
    "audit_level": _A_TEXT,
    "surfaces": "a table of surface and allow, ask or refuse",
    "impersonation": "one of refuse, prove, approve",
}
"""What is said of a key whose value is of another type."""


def checked(data: object, source: str) -> FileKeys:
    """*data*, if its keys and types are those of a policy file.

    Raises:
        ConfigurationError: with a line for every place that is not.
    """
    from pydantic import ValidationError

    try:
        model = _file_model().model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        problems = list(dict.fromkeys(_problem(one["loc"], one["type"]) for one in found))
        raise ConfigurationError(listed(source, problems)) from None
    return cast("FileKeys", model.model_dump(exclude_unset=True))


def listed(source: str, problems: Sequence[str]) -> str:
    """One message for all of *problems*."""
    if len(problems) == 1:
        return f"{source}: {problems[0]}"
    more = [f"and {len(problems) - _LISTED} more"] if len(problems) > _LISTED else []
    return "\n- ".join([f"{source} has {len(problems)} mistakes:", *problems[:_LISTED], *more])


@functools.cache
def _file_model() -> type[BaseModel]:
    from pydantic import ConfigDict, create_model

    config = ConfigDict(extra="forbid", strict=True)

    def model(shape: type, **fields: object) -> type[BaseModel]:
        hints = {**get_type_hints(shape), **fields}
        required = cast("frozenset[str]", getattr(shape, "__required_keys__"))  # noqa: B009 -- typed dictionaries have it
        made = {key: (hint, ... if key in required else None) for key, hint in hints.items()}
        return cast("type[BaseModel]", create_model(shape.__name__, __config__=config, **made))  # type: ignore[call-overload]

    policy, action = model(PolicyKeys), model(ActionKeys)
    tables = {"policies": GenericAlias(dict, (str, policy)), "actions": GenericAlias(dict, (str, action))}
    return model(FileKeys, **tables)


def _problem(where: Where, kind: str) -> str:
    """What is wrong at *where*, in a sentence; *kind* is pydantic's word for it."""
    table, key = (where[0], where[2]) if len(where) > 2 else ("", "")
    if kind == "extra_forbidden":
        shape = {"policies": PolicyKeys, "actions": ActionKeys}.get(str(table), FileKeys)
        allowed = sorted(get_type_hints(shape))
        last = str([*where][-1])
        close = difflib.get_close_matches(last[:80], allowed, n=1)
        meant = f" Did you mean {close[0]!r}?" if close else ""
        return f"{quoted(where)}: unknown key.{meant} Allowed: {', '.join(allowed)}."
    if kind == "missing":
        return f"{quoted(where)}: is missing."
    if len(where) < 3 or not isinstance(key, str):
        return f"{quoted(where)}: must be a table."
    if len(where) > 3 and isinstance(where[3], int):
        return f"{quoted(where[:4])}: must be one of{_EXPECTED[key].removeprefix('a list of')}."
    return f"{quoted(where[:3])}: must be {_EXPECTED[key]}."

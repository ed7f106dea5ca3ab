"""Actions and policies from a TOML or JSON file.

::

    from stepup import StepUp, policy_file

    rules = policy_file.load("policies.toml", hooks={"organization.removeMember": {"escalate": owners_are_high}})
    gate = StepUp(actions=rules.actions, policies=rules.policies, ...)

.. code-block:: toml

    [policies.high]                       # low, medium, high, critical: that level's default, with these replaced
    grant_ttl = 120

    [policies.payouts]                    # any other name: a policy for actions to name, from Policy() or a level
    base = "critical"
    methods = { all_of = ["password", { method = "totp", max_age = 60 }] }

    [actions."payout.create"]
    label = "Create a payout"
    risk = "critical"                     # or 4
    policy = "payouts"
    unbinds = ["device"]                  # or binds = [...]

A file is refused as a whole for anything it cannot mean: an unknown key, a key written twice, a value of another
type (``"5"`` is not 5, ``true`` is not 1). Every mistake is named with its place and with what is allowed there.
Functions (``escalate``, ``describe``) cannot stand in a file; they are handed over as ``hooks``.

Reading order: ``load``, ``from_mapping``; ``_policy_models`` says what may stand where, ``_policy_data`` reads text.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, Never, cast

from ._policy_data import Where, parsed, plain, quoted, read
from ._policy_models import RISK, ActionKeys, PolicyKeys, checked, listed
from .approval import Approvers
from .context import require_text
from .errors import ConfigurationError, StepUpError
from .policy import BINDS, DEFAULT_POLICIES, Action, Describe, Escalate, Policy, Risk
from .requirement import Requirement, all_of, any_of, coerce, method

__all__ = ["PolicyFile", "from_mapping", "load", "loads"]

Format = Literal["toml", "json"]
Hooks = Mapping[str, Mapping[str, Callable[..., object]]]
UNLIMITED: Final = "unlimited"
"""Written for ``uses`` and ``max_age`` where there is no limit: TOML has no null."""

_LEVELS: Final = {risk.name.lower(): risk for risk in Risk}
_HOOKS: Final = ("describe", "escalate")
_APPROVERS: Final[Mapping[str, tuple[type, ...]]] = {
    "role": (str, list),
    "people": (list,),
    "quorum": (int,),
    "apart": (list,),
    "step_up": (bool,),
    "called": (str,),
}
"""What stands in a table of approvers: what ``Approvers`` takes, but for its function."""

_FORMATS: Final[Mapping[str, Format]] = {".toml": "toml", ".json": "json"}
_A_REQUIREMENT: Final = (
    'a method name, "any", "strongest", a list (any of them), { any_of = [...] }, { all_of = [...] } '
    "or { method = ..., max_age = ... }"
)


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """What a file says: hand both to the gate as they are.

    ``policies`` holds the levels and the named policies that stand in the file; a gate has its defaults for the rest.
    """

    actions: tuple[Action, ...]
    policies: Mapping[Risk | int | str, Policy]


def load(path: str | os.PathLike[str], *, hooks: Hooks | None = None) -> PolicyFile:
    """Read a ``.toml`` or ``.json`` file of at most 1 MB.

    Args:
        path: the file; its ending says the format.
        hooks: ``{action id: {"escalate": function, "describe": function}}``, as in ``Action``.

    Raises:
        ConfigurationError: for a file that cannot be read, and for everything in it that cannot be right.
    """
    file = Path(path)
    form = _FORMATS.get(file.suffix.lower())
    if form is None:
        raise ConfigurationError(f"{file.name}: unknown format.", remedy="Name it *.toml or *.json.")
    return _made(parsed(read(file), form, file.name), hooks, file.name)


def loads(text: str, *, format: Format, hooks: Hooks | None = None) -> PolicyFile:  # noqa: A002 -- the word for it
    """As ``load``, from text.

    Raises:
        ConfigurationError: as ``load``.
    """
    if format not in _FORMATS.values():
        raise ConfigurationError(f"format= must be 'toml' or 'json', not {format!r}.")
    return _made(parsed(text, format, "policy text"), hooks, "policy text")


def from_mapping(data: Mapping[str, object], *, hooks: Hooks | None = None) -> PolicyFile:
    """As ``load``, from a mapping of the same shape.

    Raises:
        ConfigurationError: as ``load``.
    """
    return _made(data, hooks, "policy mapping")


def _made(data: object, hooks: Hooks | None, source: str) -> PolicyFile:
    problems: list[str] = []
    file = checked(plain(data, source), source)
    tables, actions = file.get("policies", {}), file.get("actions", {})
    policies: dict[Risk | int | str, Policy] = {}
    for name in sorted(tables, key=lambda name: name not in _LEVELS):  # levels first: a base may be one
        where = ("policies", name)
        base = _base(name, tables[name], policies, where, problems)
        if (made := _policy(base, tables[name], where, problems)) is not None:
            policies[_LEVELS.get(name, name)] = made
    named = [name for name in tables if name not in _LEVELS]
    given = _checked_hooks(hooks, actions, problems)
    built = [_action(id_, keys, named, given.get(id_, {}), problems) for id_, keys in actions.items()]
    if problems:
        raise ConfigurationError(listed(source, problems))
    return PolicyFile(tuple(action for action in built if action is not None), MappingProxyType(policies))


def _base(
    name: str, keys: PolicyKeys, made: Mapping[Risk | int | str, Policy], where: Where, problems: list[str]
) -> Policy:
    """What the keys of a policy replace something in."""
    base = keys.get("base")
    if name in _LEVELS:
        if base is not None:
            problems.append(f"{quoted((*where, 'base'))}: a level starts from its own default. Remove the key.")
        return DEFAULT_POLICIES[_LEVELS[name]]
    if base is None:
        return Policy()
    return made.get(_LEVELS[base], DEFAULT_POLICIES[_LEVELS[base]])


def _policy(base: Policy, keys: PolicyKeys, where: Where, problems: list[str]) -> Policy | None:
    """*base* with *keys* in place of its own values; None, and a problem more, where that is no policy."""
    found = len(problems)
    try:
        require_text("the name", where[-1], limit=64)
    except StepUpError as error:
        problems.append(f"{quoted(where)}: {error}")
    changes = {key: None if value == UNLIMITED else value for key, value in keys.items() if key != "base"}
    if "methods" in keys:
        changes["methods"] = _requirement(keys["methods"], (*where, "methods"), problems)
    if len(problems) > found:
        return None
    try:
        return replace(base, **cast("dict[str, Never]", changes))  # each was checked under its own name
    except StepUpError as error:
        name, _, problem = str(error).partition(" ")  # "Policy.uses must be ..."
        problems.append(f"{quoted((*where, name.removeprefix('Policy.')))}: {problem}")
        return None


def _action(
    action_id: str,
    keys: ActionKeys,
    named: Sequence[str],
    hooks: Mapping[str, Callable[..., object]],
    problems: list[str],
) -> Action | None:
    """The action; None, and a problem more, where *keys* make none."""
    where, found = ("actions", action_id), len(problems)
    policy, risk = keys.get("policy"), keys.get("risk", Risk.HIGH)
    if policy is not None and policy not in named:
        allowed = f"Allowed: {', '.join(sorted(named))}" if named else "The file has none; levels follow from risk"
        problems.append(f"{quoted((*where, 'policy'))}: there is no named policy {policy[:80]!r}. {allowed}.")
    if isinstance(risk, int) and not Risk.LOW <= risk <= Risk.CRITICAL:
        problems.append(f"{quoted((*where, 'risk'))}: must be {RISK}.")
    if "binds" in keys and "unbinds" in keys:
        problems.append(f"{quoted(where)}: binds and unbinds exclude each other. Remove one of them.")
    methods = _requirement(keys["methods"], (*where, "methods"), problems) if "methods" in keys else None
    approvers = _approvers(keys["approvers"], (*where, "approvers"), problems) if "approvers" in keys else None
    if len(problems) > found:
        return None
    try:
        return Action(
            action_id,
            keys["label"],
            risk=_LEVELS[risk] if isinstance(risk, str) else Risk(risk),
            description=keys.get("description", ""),
            methods=methods,
            policy=policy,
            binds=frozenset(keys.get("binds", BINDS)) - frozenset(keys.get("unbinds", ())),
            group=keys.get("group"),
            escalate=cast("Escalate | None", hooks.get("escalate")),
            describe=cast("Describe | None", hooks.get("describe")),
            confirmation=keys.get("confirmation", ""),
            audit_level=keys.get("audit_level", ""),
            surfaces=keys.get("surfaces", {}),
            impersonation=keys.get("impersonation"),
            approvers=approvers,
        )
    except StepUpError as error:
        problems.append(f"{quoted(where)}: {error}")
        return None


def _approvers(value: object, where: Where, problems: list[str]) -> Approvers | None:
    """Who may approve, as *value* writes it down; None, and a problem more, where it names nobody."""
    given = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    unknown = sorted(given.keys() - _APPROVERS.keys())
    if not given or unknown:
        wrong = f"unknown key {unknown[0][:80]!r}" if unknown else "must be a table"
        problems.append(f"{quoted(where)}: {wrong}. Allowed: {', '.join(_APPROVERS)}.")
        return None
    for key, part in given.items():
        if not isinstance(part, _APPROVERS[key]) or (key == "quorum" and isinstance(part, bool)):
            problems.append(f"{quoted((*where, key))}: is of another type than it must be.")
            return None
    try:
        return Approvers(**cast("dict[str, Any]", given))
    except StepUpError as error:
        problems.append(f"{quoted(where)}: {error}")
        return None


def _requirement(value: object, where: Where, problems: list[str]) -> Requirement | None:
    """The requirement that *value* writes down; None, and a problem more, where it writes none."""
    made: Requirement | None = None
    try:
        if isinstance(value, str):
            made = coerce(value)
        elif isinstance(value, list):
            made = _several(any_of, value, where, problems)  # pyright: ignore[reportUnknownArgumentType] -- each part is judged
        elif isinstance(value, dict):
            made = _table(cast("dict[str, object]", value), where, problems)
        else:
            problems.append(f"{quoted(where)}: this is no requirement. Allowed: {_A_REQUIREMENT}.")
    except StepUpError as error:
        problems.append(f"{quoted(where)}: {error}")
    return made


def _table(value: dict[str, object], where: Where, problems: list[str]) -> Requirement | None:
    if value.keys() in ({"any_of"}, {"all_of"}):
        ((key, parts),) = value.items()
        if isinstance(parts, list):
            kind = any_of if key == "any_of" else all_of
            return _several(kind, cast("list[object]", parts), (*where, key), problems)
        problems.append(f"{quoted((*where, key))}: must be a list.")
        return None
    name, age = value.get("method"), value.get("max_age")
    if not {"method"} <= value.keys() <= {"method", "max_age"}:
        problems.append(f"{quoted(where)}: no requirement has these keys. Allowed: {_A_REQUIREMENT}.")
    elif not isinstance(name, str) or name in {"any", "strongest"}:
        problems.append(f"{quoted((*where, 'method'))}: must be the name of one method.")
    elif "max_age" in value and type(age) is not int:
        problems.append(f"{quoted((*where, 'max_age'))}: must be a whole number of seconds.")
    else:
        return method(name, max_age=cast("int | None", age))
    return None


def _several(
    kind: Callable[..., Requirement], parts: list[object], where: Where, problems: list[str]
) -> Requirement | None:
    made = [_requirement(part, (*where, index), problems) for index, part in enumerate(parts)]
    good = [part for part in made if part is not None]
    return kind(*good) if len(good) == len(made) else None


def _checked_hooks(
    hooks: Hooks | None, actions: Mapping[str, object], problems: list[str]
) -> Mapping[str, Mapping[str, Callable[..., object]]]:
    given: dict[str, Mapping[str, Callable[..., object]]] = {}
    for action_id, functions in (hooks or {}).items():
        if action_id not in actions:
            problems.append(
                f"hooks[{action_id!r}]: the file has no such action. Allowed: {', '.join(sorted(actions)) or 'none'}."
            )
        elif not isinstance(functions, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
            problems.append(f"hooks[{action_id!r}]: must be a mapping of hook to function.")
        else:
            problems.extend(_wrong_hooks(action_id, functions))
            given[action_id] = functions
    return given


def _wrong_hooks(action_id: str, functions: Mapping[str, object]) -> Iterator[str]:
    for name, function in functions.items():
        if name not in _HOOKS:
            yield f"hooks[{action_id!r}][{name!r}]: unknown hook. Allowed: {', '.join(_HOOKS)}."
        elif not callable(function):
            yield f"hooks[{action_id!r}][{name!r}]: is a {type(function).__name__}, not a function."

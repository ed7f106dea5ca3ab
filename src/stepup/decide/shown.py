"""What the person is shown of a call, or of each call of a bundle. What cannot be shown is not approved."""

from __future__ import annotations

from collections.abc import Sequence

from stepup.bundle import Listed
from stepup.canonical import canonical_json
from stepup.context import Resource, clean_text
from stepup.errors import InvalidInput
from stepup.policy import Action, Params

from .request import Request

SHOWN_LIMIT = 32
LABEL_LIMIT = 100
VALUE_LIMIT = 500


def listed(action: Action, resource: Resource | None, params: Params | None, level: int = 0) -> Listed:
    """One call of a bundle, as its challenge keeps it and the person is shown it.

    Raises:
        InvalidInput: as ``shown``.
    """
    return Listed(
        action=action.id,
        label=action.label,
        level=level or int(action.level),
        resource_type=resource.type if resource else None,
        resource_id=resource.id if resource else None,
        resource_label=resource.label if resource else None,
        params=None if params is None else canonical_json(params).decode(),
        shown=shown(action, resource, params),
    )


def listed_of(request: Request) -> tuple[Listed, ...]:
    """Every call of the bundle *request*."""
    return tuple(listed(one.action, one.resource, one.params, int(one.rules.level)) for one in request.items)


def shown_of(request: Request) -> tuple[tuple[str, str], ...]:
    """What the person is shown of a call; of a bundle, a line for each item.

    Raises:
        InvalidInput: as ``shown``; also for an item that does not fit its line.
    """
    if not request.items:
        return shown(request.action, request.resource, request.params)
    return _fitting("The bundle", [(one.label, one.summary) for one in listed_of(request)])


def shown(action: Action, resource: Resource | None, params: Params | None) -> tuple[tuple[str, str], ...]:
    """What the person is shown of the params: what ``describe`` makes of them, or name and value of each.

    Raises:
        InvalidInput: if the hook fails or answers something else than pairs of text; nothing is approved unseen.
    """
    if action.describe is None:
        pairs = [(str(name), value if isinstance(value, str) else str(value)) for name, value in (params or {}).items()]
    else:
        try:
            pairs = [(str(label), str(value)) for label, value in action.describe(resource, params)]
        except Exception as error:
            raise InvalidInput(f"Action {action.id!r}: describe", f"failed with {type(error).__name__}") from error
    return _fitting(f"Action {action.id!r}", pairs)


def _fitting(whose: str, pairs: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    if len(pairs) > SHOWN_LIMIT or any(len(label) > LABEL_LIMIT or len(value) > VALUE_LIMIT for label, value in pairs):
        raise InvalidInput(
            f"{whose}: what the person would be shown",
            f"exceeds {SHOWN_LIMIT} lines of {VALUE_LIMIT} characters",
            remedy="Nothing is approved unseen: pass describe= with the params that matter, in short.",
        )
    return tuple((clean_text(label, limit=LABEL_LIMIT), clean_text(value, limit=VALUE_LIMIT)) for label, value in pairs)

"""What a person is shown of stepup's own actions: which kind of factor would be added, which factor would go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from stepup.context import RECOVERY_CODE, Resource
from stepup.policy import Params

_KINDS: Final[Mapping[str, str]] = {
    "passkey": "Passkey",
    "totp": "Authenticator app",
    RECOVERY_CODE: "Recovery codes",
}


def called(method: str, label: str) -> str:
    """A factor in words: its kind, and the name that the person gave it."""
    kind = _KINDS.get(method, method)
    return f"{kind}: {label}" if label else kind


def adding(resource: Resource | None, params: Params | None) -> list[tuple[str, str]]:  # noqa: ARG001 -- as all of them
    """The kind of what would be added."""
    method = str((params or {}).get("method", ""))
    return [("Method", called(method, ""))] if method else []


def removing(resource: Resource | None, params: Params | None) -> list[tuple[str, str]]:  # noqa: ARG001 -- as all of them
    """What would be removed, where its label is told: two of a kind have nothing else that a person knows."""
    return [("Method", resource.label)] if resource is not None and resource.label else []

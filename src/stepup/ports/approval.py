"""What the application brings for approvals by others: who has which role, who is told, how long a request waits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from stepup.approval import ApprovalRequest, Approvers
from stepup.context import Context

RolesOf = Callable[[Context], "Iterable[str] | Awaitable[Iterable[str]]"]


Addresses = Callable[[ApprovalRequest], "Iterable[str] | Awaitable[Iterable[str]]"]


Notify = Callable[[ApprovalRequest], "object | Awaitable[object]"]


@dataclass(frozen=True, slots=True)
class ApprovalHooks:
    """What ``stepup.verifiers.Approval`` brings: who has which role, who is told of a request, how long it waits."""

    approvers: Approvers | None = None
    roles_of: RolesOf | None = None
    addresses: Addresses | None = None
    notify: Notify | None = None
    ttl: int = 24 * 3600
    inbox_url: str | None = None

"""``Approval``: proof by somebody else, who says that this very call may go on.

It is a method like the others: an action names it, the requester begins it, and ``verify`` collects it. What it takes
is judged by the engine (``_engine/collecting.py``), from what others have answered, so ``check`` accepts nothing by
itself.
Its strength is nothing: it counts where a requirement names it, and never as "any" or "the strongest" method.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stepup.approval import APPROVAL_TTL, Approvers
from stepup.challenge import Challenge
from stepup.context import APPROVAL, Actor
from stepup.errors import ConfigurationError
from stepup.factor import Factor
from stepup.ports import (
    REJECTED,
    Addresses,
    ApprovalHooks,
    Begun,
    Ceremony,
    Checked,
    Notify,
    Prompt,
    RolesOf,
    State,
)
from stepup.requirement import Strength

from ._hooked import Hooked

SHORTEST_TTL: Final = 60


class Approval(Hooked):
    """Approval by other people.

    Args:
        approvers: who may approve actions that state no ``approvers`` of their own.
        roles_of: ``roles_of(context)``, the names of the roles a person has; asked when they answer, and again when
            their approval is collected, then with nothing but the actor's id, tenant and organization.
        addresses: ``addresses(request)``, who is mailed about a new request, by the gate's mailer; nobody without it.
        notify: ``notify(request)``, told of a new request in whatever other way. What it raises is recorded.
        ttl: seconds a request can be answered and collected, 60 to 86400.
        inbox_url: where approvers look; it stands in the mail, and is the same for everybody.

    Raises:
        ConfigurationError: for anything else.
    """

    method = APPROVAL
    strength = int(Strength.NONE)
    amr: tuple[str, ...] = ()
    phishing_resistant = False
    points = 0
    prepares = True

    def __init__(
        self,
        approvers: Approvers | None = None,
        *,
        roles_of: RolesOf | None = None,
        addresses: Addresses | None = None,
        notify: Notify | None = None,
        ttl: int = APPROVAL_TTL,
        inbox_url: str | None = None,
    ) -> None:
        if approvers is not None and not isinstance(approvers, Approvers):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
            raise ConfigurationError(f"Approval(approvers=) is a {type(approvers).__name__}.", remedy="Use Approvers.")
        if type(ttl) is not int or not SHORTEST_TTL <= ttl <= APPROVAL_TTL:
            raise ConfigurationError(f"Approval(ttl=) must be {SHORTEST_TTL} to {APPROVAL_TTL} seconds.")
        may = approvers.may if approvers else None
        super().__init__({"roles_of": roles_of, "addresses": addresses, "notify": notify, "approvers.may": may})
        self.approval = ApprovalHooks(approvers, roles_of, addresses, notify, ttl, inbox_url)

    async def enrolled(self, actor: Actor, /) -> Sequence[Factor]:  # noqa: ARG002 -- the port's signature
        """Nobody has a factor of it: others approve."""
        return ()

    async def begin(self, challenge: Challenge, context: Ceremony, /) -> Begun:  # noqa: ARG002 -- the port's signature
        """Nothing to prepare."""
        return Begun(Prompt(self.method))

    async def check(self, state: State | None, response: object, context: Ceremony, /) -> Checked:  # noqa: ARG002 -- the port's signature
        """No response of the requester's own approves anything."""
        return REJECTED

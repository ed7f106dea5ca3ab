"""Approval by a second person: who may approve, what was asked, what each of them answered.

- ``Approvers`` is the rule an action states: who (a role, a list, or a function), how many, and what must not be shared
  with the requester: a session, a device, a network.
- ``Asked`` stands on the challenge once its requester has asked, and ``Answer`` in it is what one person said. All of
  it
  is one record with the challenge, so two answers, an answer and an expiry, or an answer and a collection are always
  decided by one conditional write.
- ``ApprovalRequest`` is what people are shown of it.

An answer carries the approver's epoch at that time: what they said counts only while nothing has ended it since.
Separation of duties is ASVS 2.3.5. Everything here is pure.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from .context import Context, require_text
from .errors import ConfigurationError

APPROVAL_TTL: Final = 24 * 3600
"""Seconds an approval may be waited for."""

MAX_QUORUM: Final = 10
MAX_PEOPLE: Final = 1000
MAX_ANSWERS: Final = 3 * MAX_QUORUM
"""Answers kept of one request: the newest. Each is read about at every look, and an older one less can only refuse."""

ALWAYS_APART: Final = frozenset({"session", "device"})
APART: Final = ALWAYS_APART | {"network"}
"""What those who take part never share, and what they can be asked not to. Never being the requester is no choice."""

May = Callable[[Context, "ApprovalRequest"], "bool | Awaitable[bool]"]


class Choice(enum.StrEnum):
    """What an approver can say."""

    APPROVE = "approve"
    DENY = "deny"


class Standing(enum.StrEnum):
    """Where a request for approval stands. ``READY`` waits for its requester to collect it."""

    PENDING = "pending"
    READY = "ready"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    COLLECTED = "collected"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Approvers:
    """Who may approve an action, how many of them it takes, and what they must not share.

    Attributes:
        role: the name of a role, or several of which one is enough; ``Approval(roles_of=)`` tells who has it.
        people: ids of the people who may.
        may: ``may(context, request)``, asked about each person; only ``True`` is yes.
        quorum: how many different people it takes, 1 to 10.
        apart: what else nobody may share with the requester or with another approver: ``network`` (/24, /64), where not
            knowing one is refused as well. A session and a device, where both sides have one, are never shared.
        step_up: whether approving takes a fresh proof of the approver's own.
        called: who that is, in words for the requester; made from the rest where left out.

    Exactly one of ``role``, ``people`` and ``may`` is given. Whoever is asked, the requester never counts, nor the one
    on whose behalf they act.
    """

    role: str | Sequence[str] | None = None
    people: Iterable[str] = ()
    may: May | None = None
    quorum: int = 1
    apart: Iterable[str] = ()
    step_up: bool = True
    called: str = ""

    def __post_init__(self) -> None:
        roles = (self.role,) if isinstance(self.role, str) else self.role or ()
        people = () if isinstance(self.people, str) else self.people
        object.__setattr__(self, "role", tuple(require_text("Approvers.role", one, limit=128) for one in roles))
        object.__setattr__(self, "people", tuple(dict.fromkeys(require_text("Approvers.people", p) for p in people)))
        if [bool(self.roles), bool(self.persons), self.may is not None].count(True) != 1:
            raise ConfigurationError(
                "Approvers needs exactly one of role, people and may.",
                remedy='Use Approvers("finance"), Approvers(people=["usr_1"]) or Approvers(may=function).',
            )
        if self.may is not None and not callable(self.may):
            raise ConfigurationError(f"Approvers.may is a {type(self.may).__name__}, not callable.")
        if type(self.quorum) is not int or not 1 <= self.quorum <= MAX_QUORUM:
            raise ConfigurationError(f"Approvers.quorum must be an integer from 1 to {MAX_QUORUM}.")
        if self.persons and not self.quorum <= len(self.persons) <= MAX_PEOPLE:
            raise ConfigurationError(f"Approvers.people must hold at least the quorum, and at most {MAX_PEOPLE}.")
        apart = (self.apart,) if isinstance(self.apart, str) else self.apart
        object.__setattr__(self, "apart", ALWAYS_APART.union(map(str, apart)))
        if unknown := sorted(self.kept_apart - APART):
            raise ConfigurationError(f"Approvers.apart names {unknown}.", remedy=f"Allowed: {sorted(APART)}.")
        if not isinstance(self.step_up, bool):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
            raise ConfigurationError("Approvers.step_up must be True or False.")

    @property
    def roles(self) -> tuple[str, ...]:
        """``role``, as the names it was made into."""
        return cast("tuple[str, ...]", self.role)

    @property
    def persons(self) -> tuple[str, ...]:
        """``people``, as the ids it was made into."""
        return cast("tuple[str, ...]", self.people)

    @property
    def kept_apart(self) -> frozenset[str]:
        """Everything that nobody may share: ``apart``, with what is always kept apart."""
        return cast("frozenset[str]", self.apart)

    @property
    def who(self) -> str:
        """Who may approve, in words; no id of anybody."""
        if self.called:
            return self.called
        if self.roles:
            return " or ".join(self.roles)
        return f"{len(self.persons)} named people" if self.persons else "somebody entitled"

    def as_data(self) -> dict[str, object]:
        """A JSON-safe form: part of the rules hash, so that another rule is another request."""
        return {
            "roles": sorted(self.roles),
            "people": sorted(self.persons),
            "may": self.may is not None,
            "quorum": self.quorum,
            "apart": sorted(self.kept_apart),
            "step_up": self.step_up,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What one person said, from where, and their epoch at that time. ``partition`` is who they are: they count once.

    ``grant_id`` is the step-up that they spent for it; session and device are keyed hashes.
    """

    partition: str
    actor: str
    choice: Choice
    at: datetime
    epoch: int
    session: str | None = None
    device: str | None = None
    ip: str | None = None
    reason: str | None = None
    grant_id: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for approval, on the challenge that it is for.

    ``tag`` is the inbox it is listed in while it can be answered; ``ended`` says that its end has been recorded;
    ``email`` is where its requester is told of the answers.
    """

    at: datetime
    tag: str
    quorum: int
    who: str
    answers: tuple[Answer, ...] = ()
    ended: Standing | None = None
    email: str | None = None

    @property
    def approvals(self) -> tuple[Answer, ...]:
        """The answers that approve, whether or not they still count."""
        return tuple(one for one in self.answers if one.choice is Choice.APPROVE)

    @property
    def denial(self) -> Answer | None:
        """The answer that ended it, if one did."""
        return next((one for one in self.answers if one.choice is Choice.DENY), None)

    def by(self, partition: str) -> Answer | None:
        """What that person has said."""
        return next((one for one in self.answers if one.partition == partition), None)

    def answering(self, answer: Answer) -> tuple[Answer, ...]:
        """The answers with *answer* in place of what the same person said before; of very many, the newest."""
        others = [one for one in self.answers if one.partition != answer.partition]
        return (*others[1 - MAX_ANSWERS :], answer)


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """What an approver is shown, and the requester: the same words and the same digest that the challenge holds.

    Attributes:
        id: names the request for ``approve``, ``deny`` and ``withdraw``; it grants nothing.
        requester, on_behalf_of: ids of who asks, and for whom they act.
        description: what the action does, as the registry has it now.
        shown: label and value pairs; ``params_digest`` is the digest of all params.
        digest: hex SHA-256 of the whole binding: what an approval is for.
        reason: the requester's own words.
        who: who may approve, in words.
        quorum, given: how many it takes, and the ids of those who have approved.
        uses: how often what is approved could be done, where that is counted; None for as often as its time allows.
        denied_by, denial: who refused it, and why.
        mine: what the person who looks has answered.
    """

    id: str
    challenge_id: str
    standing: Standing
    action: str
    label: str
    level: int
    requester: str
    asked_at: datetime
    expires_at: datetime
    who: str
    quorum: int
    digest: str
    tenant: str = ""
    on_behalf_of: str | None = None
    organization: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    resource_label: str | None = None
    shown: tuple[tuple[str, str], ...] = ()
    params_digest: str | None = None
    reason: str | None = None
    ip: str | None = None
    device_label: str | None = None
    given: tuple[str, ...] = ()
    denied_by: str | None = None
    denial: str | None = None
    mine: Choice | None = None
    uses: int | None = None
    description: str = ""

    @property
    def often(self) -> str | None:
        """How often it could be done, in words, where that is more than once and counted."""
        return f"up to {self.uses} times" if self.uses is not None and self.uses > 1 else None


def network(ip: str | None) -> str | None:
    """The network an address stands in: /24, or /64 for IPv6; None where that cannot be told."""
    if ip is None:
        return None
    try:
        address = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return str(ipaddress.ip_network((address, 64), strict=False))
        address = address.ipv4_mapped
    return str(ipaddress.ip_network((address, 24), strict=False))

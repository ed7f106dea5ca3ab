"""What a page of the ceremony is made from: plain values, which ``ceremony`` and ``refusals`` fill in.

- ``Subject``: what is to be approved, from an offer or from a challenge.
- ``Asked``: one request for proof, as it stands, with what was ``Sent`` and what went wrong (``Trouble``).
- ``Waiting``: how far it is that others approve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple
from urllib.parse import urlencode

from stepup.approval import ApprovalRequest, Standing
from stepup.challenge import Challenge
from stepup.context import Resource

from .html import Markup

Pairs = Sequence[tuple[str, str]]


class Subject(NamedTuple):
    """What is to be approved: the action, and what the person is shown of the call."""

    label: str
    rows: Pairs

    @classmethod
    def of(cls, label: str, resource: Resource | None, shown: Pairs) -> Subject:
        """Of a call."""
        if resource is None:
            return cls(label, shown)
        name = resource.id if resource.label is None else f"{resource.label} ({resource.id})"
        return cls(label, ((resource.type, name), *shown))

    @classmethod
    def approved_by(cls, challenge: Challenge) -> Subject:
        """Of the call that a challenge is for."""
        bound = challenge.binding
        resource = None
        if bound.resource_type is not None and bound.resource_id is not None:
            resource = Resource(bound.resource_type, bound.resource_id, challenge.resource_label)
        return cls.of(challenge.label, resource, challenge.shown).with_terms(
            None if challenge.items else challenge.uses, bound.on_behalf_of
        )

    def with_terms(self, uses: int | None, on_behalf_of: str | None) -> Subject:
        """With how often it could be done by one proof, where that is more than once, and for whom."""
        often = [("How often", f"up to {uses} times")] if uses is not None and uses > 1 else []
        behalf = [("On behalf of", on_behalf_of)] if on_behalf_of is not None else []
        return Subject(self.label, (*self.rows, *often, *behalf))


class Sent(NamedTuple):
    """A code that was sent: to where (masked), and when another one can be had."""

    to: str | None
    again_at: datetime


class Waiting(NamedTuple):
    """That others approve: who may, how far it is, and how many of how many have.

    Without a standing nobody was asked. Without a number, all that is known is that somebody was.
    """

    who: str = ""
    standing: Standing | None = None
    given: int = 0
    quorum: int = 0

    @classmethod
    def on(cls, request: ApprovalRequest) -> Waiting:
        """For *request*, as its requester may see it."""
        return cls(request.who, request.standing, len(request.given), request.quorum)


UNASKED: Final = Waiting()


class Trouble(NamedTuple):
    """What went wrong with the last answer: its title, and what helps."""

    title: str
    help: Markup | str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for proof, as it stands.

    Attributes:
        to: where its forms are posted.
        back: where the person came from.
        account: whom the proof is asked of.
        methods: the ways that lead on, strongest first.
        prepares: those of them that need a code sent first.
        hidden: fields that every form carries.
        sent: codes that were sent, by method.
        waiting: how far it is that others approve.
        proved: what was proved before.
        expires_at: until when it can be answered, once it is open; it can be called off then, too.
        remember: whether the device may be remembered.
    """

    to: str
    back: str
    account: str
    subject: Subject
    methods: Sequence[str]
    prepares: frozenset[str]
    now: datetime
    hidden: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    sent: Mapping[str, Sent] = field(default_factory=dict[str, Sent])
    waiting: Waiting = UNASKED
    proved: Sequence[str] = ()
    expires_at: datetime | None = None
    trouble: Trouble | None = None
    remember: bool = False

    @property
    def again(self) -> str:
        """Where it is looked at, once it is open."""
        return f"{self.to}?{urlencode({'next': self.back})}"

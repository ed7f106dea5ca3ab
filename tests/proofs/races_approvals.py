"""Requests for approval, of which a group makes something at the same moment: each of its racers something else.

=========== ================================================================== ===============================
race        racers 0, 1, 2 and 3 of a group                                    one after the other
=========== ================================================================== ===============================
``COLLECT`` all collect what was approved                                      one of them has it
``END``     collect; deny; withdraw; approve as well                           it ends in one of three ways
``QUORUM``  Ines approves; from another browser; Tom, who may not; collect     one person is no quorum of two
``REVOKE``  collect; end everything of the approver and look; collect; look    seen waiting after it, never had
``LATE``    approve; collect a day later; start anew under other rules; both   nothing is to be had
=========== ================================================================== ===============================

``won`` says whether a try had something that at most ``Item.uses`` of them may have; ``settled`` looks at what is left.
Everybody here is somebody new for each item, so that no request meets another.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any, Final

from races_items import Item, Race

from stepup import Action, Actor, Context, Resource, Session, StepUp, Verified
from stepup.approval import APPROVAL_TTL, ApprovalRequest, Approvers, Standing
from stepup.binding import partition
from stepup.event import EventType
from stepup.ports import Store
from stepup.testing.clock import START, FrozenClock
from stepup.verifiers import Approval

_NAMESPACE: Final = "votes"
_ORG: Final = Resource("organization", "org_7", label="Northstar")
_USES: Final = {Race.COLLECT: 1, Race.END: 1, Race.QUORUM: 0, Race.REVOKE: 1, Race.LATE: 0}
_APPROVED: Final = frozenset({Race.COLLECT, Race.END, Race.REVOKE})


def _roles_of(context: Context) -> tuple[str, ...]:
    return ("finance",) if context.actor.id.startswith(("ines", "marcus")) else ()


class Votes:
    """Gates over *store* that agree on everything but the time, and the rules."""

    def __init__(self, store: Store, secret: str) -> None:
        one, two = Approvers("finance", step_up=False), Approvers("finance", quorum=2, step_up=False)
        after = FrozenClock()
        after.advance(timedelta(seconds=APPROVAL_TTL + 1))

        def gate(x: Approvers, clock: FrozenClock) -> StepUp:
            return StepUp(
                actions=[
                    Action("x", "X", methods="approval", approvers=x),
                    Action("two", "Two", methods="approval", approvers=two),
                ],
                verifiers=[Approval(roles_of=_roles_of)],
                store=store,
                secret=secret,
                clock=clock,
                namespace=_NAMESPACE,
            )

        self.gate = gate(one, FrozenClock())
        self.late = gate(one, after)
        self.edited = gate(two, FrozenClock())

    def prepare(self, race: Race, count: int) -> list[Item]:
        """*count* requests for approval, each of somebody new; approved by one where that is the beginning."""
        items: list[Item] = []
        for _ in range(count):
            person = secrets.token_hex(8)
            me = _who(person)
            made = self.gate.start("two" if race is Race.QUORUM else "x", me, resource=_ORG)
            self.gate.begin(made.id, "approval", me)
            item = Item(person, uses=_USES[race], challenges=(made.id,))
            if race in _APPROVED:
                self.gate.approvals.approve(_request(item), _who(f"ines of {person}"))
            items.append(item)
        return items

    def attempt(self, race: Race, item: Item, racer: int) -> object:
        """What racer *racer* makes of it."""
        tries = {Race.END: self._end, Race.QUORUM: self._quorum, Race.REVOKE: self._revoke, Race.LATE: self._late}
        return self.collect(item) if race is Race.COLLECT else tries[race](item, racer)

    def _end(self, item: Item, racer: int) -> object:
        turn, request = racer % 4, _request(item)
        if turn == 0:
            return self.collect(item)
        if turn == 1:
            return self.gate.approvals.deny(request, _who(f"marcus of {item.person}", 2))
        if turn == 2:
            return self.gate.approvals.withdraw(request, _who(item.person))
        return self.gate.approvals.approve(request, _who(f"marcus of {item.person}"))

    def _quorum(self, item: Item, racer: int) -> object:
        if racer % 4 == 3:
            return self.collect(item)
        who = (_who(f"ines of {item.person}"), _who(f"ines of {item.person}", 2), _who(f"tom of {item.person}"))
        return self.gate.approvals.approve(_request(item), who[racer % 4])

    def _revoke(self, item: Item, racer: int) -> object:
        if racer % 2 == 0:
            return self.collect(item)
        if racer == 1:
            self.gate.revoke(_who(f"ines of {item.person}"), everything=True)
        seen = self.gate.approvals.get(item.challenges[0], _who(item.person))
        return racer == 1 and seen is not None and seen.standing is Standing.PENDING

    def _late(self, item: Item, racer: int) -> object:
        turn, me, request = racer % 4, _who(item.person), _request(item)
        if turn == 0:
            return self.gate.approvals.approve(request, _who(f"ines of {item.person}"))
        if turn == 1:
            return self.late.verify(item.challenges[0], "approval", None, me)
        if turn == 2:
            return self.edited.start("x", me, resource=_ORG)
        self.gate.approvals.approve(request, _who(f"marcus of {item.person}"))
        return self.edited.verify(item.challenges[0], "approval", None, me)

    def collect(self, item: Item) -> object:
        return self.gate.verify(item.challenges[0], "approval", None, _who(item.person))

    def won(self, race: Race, found: object) -> bool:
        """Whether a try had something that few may have: a grant, an end, or what only a quorum makes."""
        if isinstance(found, ApprovalRequest):
            return found.standing is (Standing.READY if race is Race.QUORUM else Standing.DENIED)
        return found is True or isinstance(found, Verified)

    def settled(self, race: Race, item: Item) -> bool:
        """Whether what is left is what one racer after the other leaves."""
        if race is Race.QUORUM:  # now a second person, and each of them is counted once, whatever was answered before
            for name in ("ines", "marcus"):
                self.gate.approvals.approve(_request(item), _who(f"{name} of {item.person}"))
            given = [one for one in self._events(item) if one is EventType.APPROVAL_GIVEN]
            return len(given) == 2 and isinstance(self.collect(item), Verified)
        if race in {Race.REVOKE, Race.LATE}:  # which may have failed for want of the store
            self.gate.revoke(_who(f"ines of {item.person}"), everything=True)
            self.edited.start("x", _who(item.person), resource=_ORG)
            if isinstance(self.collect(item), Verified):
                return False
        ended = (EventType.APPROVAL_DENIED, EventType.APPROVAL_WITHDRAWN)
        minted = sum(one.grant_id is not None and one.type is EventType.ATTEMPT for one in self._listed(item))
        return sum(self._events(item).count(one) for one in ended) + minted <= 1

    def _listed(self, item: Item) -> list[Any]:
        return list(self.gate.events(Actor(item.person), limit=100).items)

    def _events(self, item: Item) -> list[EventType]:
        return [one.type for one in self._listed(item)]


def _request(item: Item) -> str:
    return f"{item.challenges[0]}.{partition(_NAMESPACE, Actor(item.person))}"


def _who(person: str, number: int = 1) -> Context:
    """A request of somebody's, from a session of theirs."""
    return Context(Actor(person), Session(f"session {number} of {person}", START - timedelta(days=1)))

"""Who may approve, asked of the application; and which approvals still count.

The application's hooks are ports: what they raise, and whatever is not plainly yes, is no.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from stepup.approval import ApprovalRequest, Approvers
from stepup.binding import Binding
from stepup.challenge import Challenge
from stepup.changes import ACCOUNT, ACTOR_EPOCH, Changes, Epoch, Snapshot
from stepup.context import Actor, Context
from stepup.decide import ballot as counting
from stepup.decide.resolving import rules_of as rules_in_force
from stepup.decide.signal import is_disabled
from stepup.errors import UnknownAction, WrongColour
from stepup.rules import Rules

from .core import Core, logger


def rules_of(core: Core, challenge: Challenge) -> Rules | None:
    """The rules in force for what a challenge is for, at its level; None where its action is gone."""
    try:
        return rules_in_force(core.registry, challenge)
    except UnknownAction:
        return None


async def may_approve(core: Core, approvers: Approvers, context: Context, request: ApprovalRequest) -> bool:
    """Whether the application says that the person in *context* may approve *request*."""
    if approvers.persons:
        return context.actor.id in approvers.persons
    try:
        if approvers.may is not None:
            answer: object = await core.call(approvers.may, context, request)
            return answer is True
        roles_of = core.approval.roles_of if core.approval else None
        found: object = () if roles_of is None else await core.call(roles_of, context)
        # A table of roles is no list of them: what it says of each is not looked at.
        if isinstance(found, str | Mapping) or not isinstance(found, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance] -- a hook may answer anything
            return False
        items: Iterable[object] = found
        return any(role in approvers.roles for role in items)
    except WrongColour:
        raise
    except Exception as error:  # noqa: BLE001 -- who cannot be told to be entitled is not
        logger.warning("whether somebody may approve could not be told: %s", type(error).__name__)
        return False


async def epoch_of(core: Core, partition: str) -> int:
    """The epoch of the person in *partition* now: it moves when everything of theirs ends, or a factor changes."""
    return (await core.load(partition, (ACTOR_EPOCH,))).version(ACTOR_EPOCH)


async def able(core: Core, partition: str, now: datetime | None = None) -> int | None:
    """The epoch of somebody who is about to answer; None where the application has disabled them.

    Disabling moves the epoch, so what is answered under this one ends with it. With *now*, one is made where there is
    none: were it made later, by the first thing that somebody starts, that would end what they have said.
    """

    def decide(snapshot: Snapshot) -> tuple[Changes | None, int | None]:
        if is_disabled(snapshot):
            return None, None
        version = snapshot.version(ACTOR_EPOCH)
        if version or now is None:
            return None, version
        return Changes(now, (snapshot.put(ACTOR_EPOCH, Epoch()),)), 1

    return await core.commit(partition, (ACTOR_EPOCH, ACCOUNT), decide)


async def stand(core: Core, votes: counting.Ballot) -> bool:
    """Whether nothing has ended any of the approvals that were counted, looked at once more."""
    for one in votes.counted:
        if await epoch_of(core, one.partition) != one.epoch:
            return False
    return True


async def ballot(
    core: Core,
    challenge: Challenge,
    partition: str,
    snapshot: Snapshot,
    now: datetime,
    known: Mapping[str, int] | None = None,
    here: Binding | None = None,
) -> counting.Ballot:
    """The approvals of *challenge* that count at this moment: one read for each, in the approver's own partition.

    The epochs are read last, when every hook has answered: those may take their time, and who is ended meanwhile no
    longer counts. *known* are epochs read a moment ago, by partition; *here* is where it is being collected.
    """
    asked, rules = challenge.asked, rules_of(core, challenge)
    if asked is None or rules is None or rules.approvers is None:
        return counting.Ballot((), 1)
    shown = counting.view(challenge, partition, snapshot, rules, now, "")
    places = (challenge.binding,) if here is None else (challenge.binding, here)
    entitled: set[str] = set()
    for one in asked.approvals:
        if counting.together(one, rules.approvers, *places):
            continue
        who = Context(Actor(one.actor, tenant=challenge.binding.tenant), organization=challenge.binding.organization)
        if shown is not None and await may_approve(core, rules.approvers, who, shown):
            entitled.add(one.partition)
    epochs = dict(known or {})
    for where in sorted(entitled - epochs.keys()):
        epochs[where] = await epoch_of(core, where)
    return counting.ballot(asked, epochs, frozenset(entitled))

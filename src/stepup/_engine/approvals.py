"""The approver's side, and looking: the inbox, one request, approving and denying, withdrawing.

A request stands in its requester's partition, so an answer is two writes in a fixed order: the approver's own step-up
is spent in theirs, then the request moves by compare-and-swap. What goes wrong in between costs a proof and approves
nothing. Store calls of an approval with a step-up: two reads and the one of ``require``, one write; of a denial two
reads, one write.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, cast

from stepup.approval import Answer, ApprovalRequest, Approvers, Choice, Standing
from stepup.binding import partition, session_hash
from stepup.challenge import Challenge, State, observed
from stepup.changes import THROTTLE, Changes, Page, Record, Snapshot, challenge_key
from stepup.context import Actor, Context, clean_text, require_context
from stepup.decide import approval as pure
from stepup.decide import approving
from stepup.decide import ballot as counting
from stepup.decide.request import refused_outright
from stepup.decide.standing import NOT_FOUND, Refusal
from stepup.decision import Decision, Outcome, Reason
from stepup.errors import Code, ContractBroken, Denied, InvalidInput, StepUpError, StoreBusy, StoreUnavailable
from stepup.rules import Rules
from stepup.throttle import Throttle, open_ids

from .asking import asker
from .authorize import require
from .collecting import record_expiry
from .core import TRIES, Core, ids
from .electorate import able, ballot, may_approve, rules_of
from .telling import tell_of

MAX_PAGE: Final = 100
_CHALLENGE: Final = re.compile(r"[a-z0-9_]{1,64}", re.ASCII)
_PARTITION: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Found:
    """A request, where it stands, its rules, and what the person who looks could answer from here."""

    challenge: Challenge
    where: str
    snapshot: Snapshot
    rules: Rules | None
    shown: ApprovalRequest
    answer: Answer


def _named(core: Core, request: object, context: Context) -> tuple[str, str] | None:
    """The challenge and the partition that an id names; a challenge's own id is the person's own."""
    if not isinstance(request, str):
        return None
    name, _, where = request.partition(pure.ID_SEPARATOR)
    where = where or core.partition(context.actor)
    return (name, where) if _CHALLENGE.fullmatch(name) and _PARTITION.fullmatch(where) else None


def _answer(core: Core, context: Context, choice: Choice, reason: object, epoch: int, now: datetime) -> Answer:
    return Answer(
        partition=core.partition(context.actor),
        actor=context.actor.id,
        choice=choice,
        at=now,
        epoch=epoch,
        session=session_hash(core.ring, context),
        device=core.ring.hash_id("device", context.device.fingerprint) if context.device else None,
        ip=context.ip,
        reason=clean_text(reason, limit=approving.REASON_LIMIT) or None,
    )


async def _find(core: Core, name: str, where: str, answer: Answer, session: str | None = None) -> Found | None:
    """The request as it stands, whoever looks; *session* is its requester's, where a listing has told it."""
    snapshot = await core.load(where, pure.request_keys(name, session))
    challenge = snapshot.get(challenge_key(name), Challenge)
    if challenge is None:
        return None
    rules = rules_of(core, challenge)
    shown = counting.view(challenge, where, snapshot, rules, answer.at, answer.partition)
    return None if shown is None else Found(challenge, where, snapshot, rules, shown, answer)


async def _why_not(core: Core, found: Found, context: Context) -> str | None:
    """Why the person may not answer, or see, this request of somebody else's; None if they may."""
    approvers = found.rules.approvers if found.rules else None
    if approvers is None:
        return "nobody_may"
    if (reason := approving.apart(found.challenge, approvers, context, found.answer)) is not None:
        return reason
    # A role counts in the organization of the request; where it has none, those that somebody has in their own do not.
    here = replace(context, organization=found.challenge.binding.organization)
    return None if await may_approve(core, approvers, here, found.shown) else "not_entitled"


# -- looking -----------------------------------------------------------------------


async def get(core: Core, request: object, context: Context) -> ApprovalRequest | None:
    """One request, for its requester and for those who may approve it; see ``Approvals.get``."""
    named = _named(core, request, require_context(context))
    if named is None:
        return None
    now = core.now()
    found = await _find(core, *named, _answer(core, context, Choice.APPROVE, None, 0, now))
    if found is None or not (_own(core, found, context) or await _may_see(core, found, context)):
        return None
    if found.challenge.binding.session is not None and found.shown.standing is Standing.PENDING:
        session = found.challenge.binding.session  # ending it ends the request
        found = await _find(core, *named, found.answer, session) or found
    return counting.ready(found.shown, await ballot(core, found.challenge, found.where, found.snapshot, now))


async def _may_see(core: Core, found: Found, context: Context) -> bool:
    able_to = await _why_not(core, found, context) is None
    return able_to and await able(core, found.answer.partition) is not None


def _own(core: Core, found: Found, context: Context) -> bool:
    same = found.challenge.binding.on_behalf_of == context.actor.on_behalf_of
    return same and found.where == core.partition(context.actor)


async def own(core: Core, context: Context) -> tuple[ApprovalRequest, ...]:
    """What the person waits for, in whatever session it was asked; see ``Approvals.own``."""
    where, now = core.partition(require_context(context).actor), core.now()
    throttle = (await core.load(where, (THROTTLE,))).get(THROTTLE, Throttle) or Throttle()
    answer = _answer(core, context, Choice.APPROVE, None, 0, now)
    made: list[ApprovalRequest] = []
    for name in (one.id for one in throttle.open if one.asked and one.expires_at > now):
        found = await _find(core, name, where, answer)
        if found is None or not _own(core, found, context) or found.shown.standing is not Standing.PENDING:
            continue
        made.append(counting.ready(found.shown, await ballot(core, found.challenge, where, found.snapshot, now)))
    return tuple(sorted(made, key=lambda one: one.asked_at, reverse=True))


async def inbox(core: Core, context: Context, after: str | None, limit: int) -> Page[ApprovalRequest]:
    """What waits for this person; see ``Approvals.inbox``."""
    if type(limit) is not int or not 1 <= limit <= MAX_PAGE:
        raise InvalidInput("limit", f"must be a whole number from 1 to {MAX_PAGE}")
    actor, organization = require_context(context).actor, context.organization
    tags = [pure.tag_of(core.namespace, actor.tenant, None)]
    if organization is not None:
        tags.insert(0, pure.tag_of(core.namespace, actor.tenant, organization))
    number, mark = _mark(after, len(tags))
    made: list[ApprovalRequest] = []
    answer = _answer(core, context, Choice.APPROVE, None, 0, core.now())
    if await able(core, answer.partition) is None:
        return Page(())  # disabled, while their session may still stand
    page = await _listed(core, tags[number], mark, limit)
    for challenge in page.items:
        where = partition(core.namespace, Actor(challenge.binding.actor, tenant=challenge.binding.tenant))
        found = await _find(core, challenge.id, where, answer, challenge.binding.session)
        if found is None or found.shown.standing is not Standing.PENDING:
            continue  # the listing lags; what decides is the record
        if await _why_not(core, found, context) is None:
            made.append(found.shown)
    following = f"{number}:{page.after}" if page.after is not None else None
    if following is None and number + 1 < len(tags):
        following = f"{number + 1}:"
    return Page(tuple(made), following)


def _mark(after: str | None, inboxes: int) -> tuple[int, str | None]:
    if after is None:
        return 0, None
    number, colon, rest = after.partition(":") if isinstance(after, str) else ("", "", "")  # pyright: ignore[reportUnnecessaryIsInstance] -- it may come from outside
    if not colon or number not in {"0", "1"} or int(number) >= inboxes or not rest.isascii() or len(rest) > MAX_MARK:
        raise InvalidInput("after", "must be what an inbox answered")
    return int(number), rest or None


MAX_MARK: Final = 1024


async def _listed(core: Core, tag: str, after: str | None, limit: int) -> Page[Challenge]:
    """The challenges that a tag lists; a port's answer is never taken on trust."""
    try:
        found: object = await core.store.list(tag, after=after, limit=limit)
    except StepUpError:
        raise
    except Exception as error:
        raise StoreUnavailable(f"The store failed to list ({type(error).__name__}).") from error
    if not isinstance(found, Page):  # pyright: ignore[reportUnnecessaryIsInstance] -- as the docstring says
        raise ContractBroken("Store.list() must answer a Page of Record.")
    items: Iterable[object] = cast("Page[object]", found).items
    values = [one.value if isinstance(one, Record) else None for one in items]
    challenges = tuple(one for one in values if isinstance(one, Challenge))
    if len(challenges) != len(values):
        raise ContractBroken("Store.list() must answer a Page of Record, of those that carry the tag.")
    return Page(challenges, cast("Page[object]", found).after)


# -- answering ---------------------------------------------------------------------


async def answer(
    core: Core, request: object, choice: Choice, context: Context, reason: object, token: object
) -> ApprovalRequest:
    """Approve or deny; see ``Approvals.approve`` and ``Approvals.deny``."""
    now = core.now()
    named = _named(core, request, require_context(context))
    mine = _answer(core, context, choice, reason, 0, now)
    found = None if named is None else await _find(core, *named, mine)
    why = "approval_not_found" if found is None else await _why_not(core, found, context)
    if found is None or why is not None:
        hidden, name = Refusal(NOT_FOUND.code, why or ""), clean_text(request, limit=64)
        raise await _refused(core, context, mine, found, hidden, name)
    if (refusal := approving.refuse_answer(found.challenge, found.rules, found.snapshot, now)) is not None:
        raise await _refused(core, context, mine, found, refusal, found.challenge.id)
    # Read before anything is required: what the approver does under this epoch ends with it.
    epoch = await able(core, mine.partition, now if choice is Choice.APPROVE else None)
    if epoch is None:
        disabled = Refusal(NOT_FOUND.code, "disabled")
        raise await _refused(core, context, mine, found, disabled, found.challenge.id)
    mine = replace(mine, epoch=epoch)
    said = found.challenge.asked.by(mine.partition) if found.challenge.asked else None
    if said is not None and (said.choice, said.epoch) == (choice, mine.epoch):
        return counting.ready(found.shown, await ballot(core, found.challenge, found.where, found.snapshot, now))
    approvers = found.rules.approvers if found.rules else None
    assert approvers is not None  # _why_not() saw them
    if choice is Choice.APPROVE:
        mine = await _prove(core, found, approvers, context, mine, token)
    return await _write(core, found, approvers, context, mine)


async def _prove(
    core: Core, found: Found, approvers: Approvers, context: Context, mine: Answer, token: object
) -> Answer:
    """*mine*, with the step-up that the approver has spent for it, where the rule asks for one.

    Where it does not, still no program, and no session that is refused, says yes in place of a person.
    """
    resource, params = approving.own_step_up(found.shown)
    if approvers.step_up:
        granted = await require(core, approving.APPROVE, context, resource, params, token, None)
        return replace(mine, grant_id=granted.grant_id)
    denied = refused_outright(await core.request(approving.APPROVE, context, resource, params))
    if denied is not None:
        refusal = Refusal(denied.code, denied.reasons[0].code)
        raise await _refused(core, context, mine, found, refusal, found.challenge.id)
    return mine


async def _write(core: Core, found: Found, approvers: Approvers, context: Context, mine: Answer) -> ApprovalRequest:
    """Move the request by compare-and-swap; whatever has changed meanwhile is judged again."""
    snapshot, name = found.snapshot, found.challenge.id
    for _ in range(TRIES):
        challenge = snapshot.get(challenge_key(name), Challenge)
        refusal = approving.refuse_answer(challenge, found.rules, snapshot, mine.at)
        if refusal is None and challenge is not None:
            apart = approving.apart(challenge, approvers, context, mine)
            refusal = Refusal(NOT_FOUND.code, apart) if apart else None
        if refusal is not None or challenge is None:
            raise await _refused(core, context, mine, found, refusal or NOT_FOUND, name)
        changes, moved = approving.answered(challenge, mine, context, snapshot, ids())
        if changes is None or await core.apply(found.where, changes) is None:
            if changes is not None:
                await tell_of(core, asker(challenge), changes.events, challenge.label)
            shown = counting.view(moved, found.where, snapshot, found.rules, mine.at, mine.partition)
            assert shown is not None  # it was asked for
            return (
                shown if moved.asked is None or moved.asked.denial else await _counted(core, moved, found, shown, mine)
            )
        snapshot = await core.load(found.where, pure.request_keys(name, challenge.binding.session))
    raise StoreBusy(f"Answering a request for approval lost {TRIES} times.")


async def _counted(core: Core, moved: Challenge, found: Found, shown: ApprovalRequest, mine: Answer) -> ApprovalRequest:
    """*shown* after this answer: where the quorum could be there, whether those before still count."""
    assert moved.asked is not None  # _write() saw it
    if len(moved.asked.approvals) < moved.asked.quorum:
        return shown
    known = {mine.partition: mine.epoch}
    return counting.ready(shown, await ballot(core, moved, found.where, found.snapshot, core.now(), known))


async def _refused(
    core: Core, context: Context, mine: Answer, found: Found | None, refusal: Refusal, name: str
) -> Denied:
    """Record with the one who tried that their answer was not taken; what they are told does not say why."""
    hidden = found is None or refusal.code is Code.CHALLENGE_NOT_FOUND  # their own history does not tell them either
    bound = None if found is None or hidden else found.challenge.binding
    changes = approving.refused_answer(context, mine.choice, name, bound, refusal, mine.at, ids())
    await core.record(mine.partition, changes)
    if found is not None and refusal.code is Code.CHALLENGE_EXPIRED:
        await record_expiry(core, found.where, name, context, mine.at)
    action, outward = ("", NOT_FOUND.reason) if bound is None else (bound.action, refusal.reason)
    return Denied(Decision(Outcome.DENIED, refusal.code, action, 0, (Reason(outward),)))


# -- withdrawing -------------------------------------------------------------------


async def withdraw(core: Core, request: object, context: Context) -> bool:
    """Take one's own request back; see ``Approvals.withdraw``."""
    named = _named(core, request, require_context(context))
    if named is None or named[1] != core.partition(context.actor):
        return False
    name, where = named
    now, keys = core.now(), pure.request_keys(name)

    def decide(snapshot: Snapshot) -> tuple[Changes | None, bool]:
        current = snapshot.get(challenge_key(name), Challenge)
        if current is None or current.binding.on_behalf_of != context.actor.on_behalf_of:
            return None, False
        state = observed(current, open_ids(snapshot.get(THROTTLE, Throttle) or Throttle()), now).state
        if state not in {State.OPEN, State.EXPIRED}:
            return None, False  # over, or replaced by another
        how = Standing.WITHDRAWN if state is State.OPEN else Standing.EXPIRED
        made = pure.ended(current, how, context, snapshot, now, ids())
        return made, made is not None and how is Standing.WITHDRAWN

    return await core.commit(where, keys, decide)

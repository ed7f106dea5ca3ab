"""Asking others to approve: the requester's ``begin("approval")``, and finding again what was asked before.

Asking is limited like sending. Who could approve is told afterwards, out of band: that grants nothing, and that it
failed is recorded and blocks nothing. Whoever asks, a mailbox gets no more than ``MAILBOX`` of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from stepup import event as audit
from stepup.approval import ApprovalRequest, Asked
from stepup.binding import mailbox_partition
from stepup.ceremony import Prompt
from stepup.challenge import Challenge
from stepup.changes import RETENTION, TOLD, Changes, Snapshot, challenge_key
from stepup.context import APPROVAL, Actor, Context
from stepup.decide import approval as pure
from stepup.decide import ballot as counting
from stepup.decide import prepare as preparing
from stepup.decide.request import Request
from stepup.decide.standing import NOT_FOUND, Refusal, answer_keys
from stepup.decision import Decision, Outcome, Reason
from stepup.errors import Code, Denied, WrongColour
from stepup.event import Event, EventType
from stepup.factor import Factor
from stepup.notices import approval_requested
from stepup.told import Limit, NoticeKind, Told, telling, untelling

from .core import Core, ids, logger
from .electorate import rules_of
from .opened import Opened
from .telling import tell_of

MAX_MAILS: Final = 50
MAILBOX: Final = Limit(20, 3600)
"""So many mails about requests to one address, of all requesters together; the inbox has what was not mailed."""
REFUSALS: Final = 3
_FAILED: Final = object()


async def ask(core: Core, opened: Opened, context: Context, now: datetime) -> Prompt:
    """Ask for the approval of a challenge, once; see ``StepUp.begin``."""
    assert core.approval is not None  # begin() asks only then
    request, where, ttl = opened.request, core.partition(context.actor), core.approval.ttl
    rules, bound = request.rules, opened.challenge.binding
    keys = answer_keys(opened.challenge.id, request.binding.session, APPROVAL)
    first, written = True, tuple[Event, ...]()

    def decide(snapshot: Snapshot) -> tuple[Changes | None, Challenge | Refusal]:
        nonlocal first, written
        current = snapshot.get(challenge_key(opened.challenge.id), Challenge)
        if current is None:
            return None, NOT_FOUND
        first = current.asked is None
        who, quorum = (rules.approvers.who, rules.approvers.quorum) if rules.approvers else ("", 1)
        tag = pure.tag_of(core.namespace, bound.tenant, bound.organization)
        asked = Asked(now, tag, quorum, who, email=context.actor.email)
        changes, after = pure.ask(current, request, snapshot, asked, ttl, core.limits, ids())
        written = changes.events if changes is not None else ()
        return changes, after

    outcome = await core.commit(where, keys, decide)
    if isinstance(outcome, Refusal):
        made = preparing.refused_begin(opened.challenge.id, request, APPROVAL, outcome, now, ids())
        await core.record(where, made)
        if outcome.code is Code.CHALLENGE_NOT_FOUND:  # the answer for an id that never existed
            raise Denied(Decision(Outcome.DENIED, outcome.code, "", 0, (Reason(outcome.reason),)))
        raise Denied(request.denied(outcome.code, outcome.reason, retry_at=outcome.retry_at))
    if first:
        await tell_of(core, context, written, outcome.label)
        await _tell(core, outcome, where, now)
    return Prompt(APPROVAL, expires_at=outcome.expires_at)


def asker(challenge: Challenge) -> Context:
    """Who asked, to be told of the answers."""
    bound, email = challenge.binding, challenge.asked.email if challenge.asked else None
    actor = Actor(bound.actor, email=email, tenant=bound.tenant, on_behalf_of=bound.on_behalf_of)
    return Context(actor, organization=bound.organization)


async def _tell(core: Core, challenge: Challenge, where: str, now: datetime) -> None:
    """Tell those who could approve, as far as the application says who and how."""
    hooks = core.approval
    snapshot = await core.load(where, pure.request_keys(challenge.id))
    view = counting.view(challenge, where, snapshot, rules_of(core, challenge), now, "")
    if hooks is None or view is None:
        return

    async def handed(by: str, function: Callable[..., object], argument: object) -> object:
        """Hand it over. What is not taken is recorded, and keeps nobody else from being told."""
        try:
            return await core.call(function, argument)
        except WrongColour:
            raise
        except Exception as error:  # noqa: BLE001 -- what was asked stands
            logger.warning("a request for approval was not taken by the %s: %s", by, type(error).__name__)
            await core.record(where, _untold(challenge, view, by, core.now()))
            return _FAILED

    if hooks.notify is not None:
        await handed("hook", hooks.notify, view)
    if hooks.addresses is not None and core.send is not None:
        found = await handed("mail", hooks.addresses, view)
        addresses = () if found is _FAILED else _addresses(found)
        if addresses is None:
            logger.warning("a request for approval was not told: addresses= must answer addresses")
            await core.record(where, _untold(challenge, view, "mail", core.now()))
        send, url = core.send, hooks.inbox_url

        async def mailed(address: str) -> bool:
            return await handed("mail", send, approval_requested(address, view, url)) is not _FAILED

        await _mail(core, addresses or (), mailed, now)


async def _mail(core: Core, addresses: Iterable[str], mailed: Callable[[str], Awaitable[bool]], now: datetime) -> None:
    """Write to each that has had few of it: counted first, and taken back where it was not taken."""
    failed = 0
    for address in addresses:
        if await _room(core, address, now) and not await mailed(address):
            await _room(core, address, now, back=True)
            failed += 1
        if failed == REFUSALS:
            break  # nobody waits for a mail system that is down, once for each of many


async def _room(core: Core, address: str, now: datetime, *, back: bool = False) -> bool:
    """Count a mail to *address*, or take that *back*; False where there were enough, or where it cannot be counted."""

    def decide(snapshot: Snapshot) -> tuple[Changes | None, bool]:
        told, kind = snapshot.get(TOLD, Told) or Told(), NoticeKind.APPROVAL_ASKED
        after = untelling(told, kind, now) if back else telling(told, kind, MAILBOX, now)
        if after is None:
            return None, False
        until = now + timedelta(seconds=MAILBOX.seconds) + RETENTION
        return Changes(now, (snapshot.put(TOLD, after, expires_at=until),)), True

    try:
        return await core.commit(mailbox_partition(core.namespace, address), (TOLD,), decide)
    except Exception as error:  # noqa: BLE001 -- what was asked stands; what cannot be counted is not mailed
        logger.warning("a mail about a request for approval could not be counted: %s", type(error).__name__)
        return False


def _addresses(found: object) -> list[str] | None:
    if isinstance(found, str) or not isinstance(found, Iterable):
        return None
    items: Iterable[object] = found  # pyright: ignore[reportUnknownVariableType] -- looked at one by one
    return [one for one in dict.fromkeys(items) if isinstance(one, str)][:MAX_MAILS]


def _untold(challenge: Challenge, view: ApprovalRequest, by: str, now: datetime) -> Changes:
    bound = challenge.binding
    made = audit.Event(
        ids().event,
        now,
        EventType.DELIVERY_FAILED,
        "refused",
        view.requester,
        reason="notice",
        on_behalf_of=bound.on_behalf_of,
        action=bound.action,
        resource_type=bound.resource_type,
        resource_id=bound.resource_id,
        organization=bound.organization,
        method=APPROVAL,
        challenge_id=challenge.id,
        detail={"notice": "approval_wanted", "by": by},
    )
    return Changes(now, events=(made,))


async def asked_before(
    core: Core, request: Request, snapshot: Snapshot, every: Iterable[Factor] | None, now: datetime
) -> Challenge | None:
    """The challenge for this very call that others are asked to approve, if it still stands; one read more.

    With *every*, one whose factors have changed since is not found: it could not be answered any more.
    """
    if core.approval is None or (kept := pure.same_slot(request, snapshot, now)) is None:
        return None
    keys = answer_keys(kept, request.binding.session, "")
    found = await core.load(core.partition(request.context.actor), keys)
    challenge = found.get(challenge_key(kept), Challenge)
    if challenge is None or not pure.pending(challenge, request, found, now):
        return None
    prints = {factor.id: factor.fingerprint for factor in every or ()}
    changed = any(prints.get(ref.id, ref.fingerprint) != ref.fingerprint for ref in challenge.factors)
    return None if changed else challenge

"""``verify("approval", ...)``: the requester collects what others have approved, and only then is anything minted.

Looking whether it is there counts nothing and writes nothing. Once it is, every other proof of the requirement must be
fresh. The approvers' epochs stand in partitions of their own, which the batch that mints cannot check: they are read
last before it, and once more after it, and what it minted is taken back where one of them has moved meanwhile. Store
calls with one approver: three reads, one write.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from stepup.approval import Standing
from stepup.ceremony import Checked, Verdict
from stepup.challenge import Challenge, FactorRef
from stepup.changes import Changes, Key, Snapshot, challenge_key
from stepup.context import APPROVAL, Context, Proof
from stepup.decide import approval as pure
from stepup.decide import attempt
from stepup.decide import ballot as counting
from stepup.decide.answering import Answering, Findings, MoreNeeded, Rejected, Verified
from stepup.decide.device import issued
from stepup.decide.standing import NOT_FOUND, Refusal, answer_keys, check_standing, remaining
from stepup.errors import Code, StoreBusy
from stepup.grant import Grant

from .carrying import carry
from .core import TRIES, Core, ids
from .electorate import ballot, stand
from .minted import verified
from .opened import Opened
from .rotating import Rotate, rotated
from .telling import tell_of
from .upkeep import revoke_grant


async def collect(
    core: Core, opened: Opened, context: Context, rotate: Rotate | None, *, remember: bool
) -> Verified | MoreNeeded | Rejected:
    """Mint, if enough others have approved and all else is proved; see ``StepUp.verify``."""
    where, request = core.partition(context.actor), opened.request
    snapshot, session, new = opened.snapshot, opened.request.binding.session, None
    minting = core.trust.minting(wanted=remember)
    if core.remembered:
        snapshot = await core.load(where, _keys(core, opened.challenge.id, session, None))
    for _ in range(TRIES):
        found = await _votes(core, opened, snapshot)
        if isinstance(found, Refusal):
            return await _refused(core, opened, context, found)
        challenge, votes, now = found
        if not votes.enough:
            return Rejected(Code.APPROVAL_PENDING)
        ref = FactorRef(APPROVAL, APPROVAL, 0)
        one = Answering(challenge, APPROVAL, (ref,), core.methods[APPROVAL], core.limits)
        findings = Findings(_approved(now), None, None, 0, rotated=new, device=minting.fresh)
        if not attempt.completes(one, request, findings.checked, now):
            others = tuple(method for method in remaining(challenge, request, now) if method != APPROVAL)
            return MoreNeeded(others, challenge)
        if rotate is not None and new is None:
            findings = await rotated(core, opened, one, findings, rotate, now)
            if findings.reason is not None:
                return await _refused(core, opened, context, Refusal(Code.VERIFICATION_FAILED, findings.reason))
            new = findings.rotated
            snapshot = await core.load(where, _keys(core, challenge.id, session, new))
            continue  # deciding takes the new session's records, and what may have happened meanwhile
        changes, outcome = attempt.conclude(one, request, snapshot, findings, now, ids())
        if await core.apply(where, _naming(changes, votes)) is None:
            await tell_of(core, context, changes.events, challenge.label)
            if not isinstance(outcome, Grant):
                return outcome
            await carry(core, where, session, new, outcome.epochs[1], now)
            done = verified(core, challenge, outcome, issued(changes, minting.fresh), minting)
            return await _handed(core, opened, context, votes, done)
        snapshot = await core.load(where, _keys(core, challenge.id, session, new))
    raise StoreBusy(f"Collecting an approval lost {TRIES} times.")


async def _votes(
    core: Core, opened: Opened, snapshot: Snapshot
) -> tuple[Challenge, counting.Ballot, datetime] | Refusal:
    """The challenge with the approvals that count, and at what time that was; or why there is nothing to collect.

    The application's hooks may take their time: what ended meanwhile has ended.
    """
    challenge, now = snapshot.get(challenge_key(opened.challenge.id), Challenge), core.now()
    if challenge is None:
        return NOT_FOUND
    if (refusal := _refusal(challenge, opened, snapshot, now)) is not None:
        return refusal
    where = core.partition(opened.request.context.actor)
    votes = await ballot(core, challenge, where, snapshot, now, here=opened.request.binding)
    now = core.now()
    return _refusal(challenge, opened, snapshot, now) or (challenge, votes, now)


async def _handed(
    core: Core, opened: Opened, context: Context, votes: counting.Ballot, done: Verified
) -> Verified | Rejected:
    """What was minted, if the approvals have outlived the batch that rests on them; if not, or not known, it ends."""
    stood = False
    try:
        stood = await stand(core, votes)
    finally:
        if not stood:
            await revoke_grant(core, context, done.grant.id)
    if stood:
        return done
    return await _refused(core, opened, context, Refusal(Code.CHALLENGE_CLOSED, "approver_ended"))


def _refusal(challenge: Challenge, opened: Opened, snapshot: Snapshot, now: datetime) -> Refusal | None:
    if (refusal := check_standing(challenge, opened.request, snapshot, now)) is not None:
        return refusal
    if challenge.asked is None:
        return Refusal(Code.METHOD_NOT_ALLOWED, "approval_not_requested")
    if challenge.rules != opened.request.rules.hash:
        return Refusal(Code.CHALLENGE_CLOSED, "rules_changed")
    if APPROVAL not in remaining(challenge, opened.request, now):
        return Refusal(Code.METHOD_NOT_ALLOWED, "method_not_allowed")
    return None


async def _refused(core: Core, opened: Opened, context: Context, refusal: Refusal) -> Rejected:
    """Record that there was nothing to collect, and why; and once, that the request has expired."""
    where, name, now = core.partition(context.actor), opened.challenge.id, core.now()
    if refusal.code is Code.CHALLENGE_EXPIRED:
        await record_expiry(core, where, name, context, now)
    changes, rejected = attempt.refused_attempt(opened.request, name, APPROVAL, refusal, now, ids())
    await core.record(where, changes)
    return rejected


async def record_expiry(core: Core, where: str, challenge_id: str, context: Context, now: datetime) -> None:
    """Write once that a request for approval has expired: when somebody first meets it."""

    def decide(snapshot: Snapshot) -> tuple[Changes | None, None]:
        current = snapshot.get(challenge_key(challenge_id), Challenge)
        if current is None or now < current.expires_at:
            return None, None
        return pure.ended(current, Standing.EXPIRED, context, snapshot, now, ids()), None

    await core.commit(where, pure.request_keys(challenge_id), decide)


def _approved(now: datetime) -> Checked:
    """The proof that others give: of no strength, and of nothing but this call."""
    return Checked(Verdict.ACCEPTED, Proof(APPROVAL, now, factor_id=APPROVAL))


def _naming(changes: Changes, votes: counting.Ballot) -> Changes:
    """*changes* with the names of those whose approvals were counted, in the event that mints."""
    names = ", ".join(one.actor for one in votes.counted)
    made = tuple(replace(one, detail={**one.detail, "approved_by": names}) for one in changes.events)
    return replace(changes, events=made)


def _keys(core: Core, challenge_id: str, session: str | None, new: str | None) -> tuple[Key, ...]:
    return (*answer_keys(challenge_id, session, APPROVAL, new), *core.remembered)

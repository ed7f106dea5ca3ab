"""``StepUp.approvals``: what other people are asked to approve, and what they answer."""

from __future__ import annotations

from stepup import _bridge as bridge
from stepup._engine import approvals
from stepup._engine.core import Core
from stepup.approval import ApprovalRequest, Choice
from stepup.changes import Page
from stepup.context import Context


class Approvals:
    """Approval by a second person: the approver's inbox and answers, and the requester's look at both."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def inbox(self, context: Context, *, after: str | None = None, limit: int = 50) -> Page[ApprovalRequest]:
        """What waits for an answer of this person's; ``Page.after`` continues.

        A page may hold fewer than *limit*, and none, and still be continued. The listing may lag behind what was asked
        a moment ago; each request in it was read anew. One read for each that is listed.

        Raises:
            InvalidInput: for a *limit* outside 1 to 100, or an *after* that is not of an inbox.
            StoreUnavailable: if the store cannot answer.
        """
        return bridge.run_sync(approvals.inbox(self.core, context, after, limit))

    def own(self, context: Context) -> tuple[ApprovalRequest, ...]:
        """What this person waits for, asked in whatever session of theirs, newest first."""
        return bridge.run_sync(approvals.own(self.core, context))

    def get(self, request: str, context: Context) -> ApprovalRequest | None:
        """One request by its id, or by that of one's own challenge: a read, which counts nothing.

        For its requester, and for those who may approve it; None for everybody else, as for one that never was.
        ``standing`` is ``ready`` once the approvals that still count are enough: its requester then collects them with
        ``verify(challenge_id, "approval", None, context)``.
        """
        return bridge.run_sync(approvals.get(self.core, request, context))

    def approve(
        self, request: str, context: Context, *, reason: str | None = None, token: str | None = None
    ) -> ApprovalRequest:
        """Approve exactly what the request shows. One person counts once; saying it again changes nothing.

        Where the rule asks for it, a step-up of the approver's own for ``stepup.approval.approve``, bound to this
        request and spent first. Under concurrency with other answers, an expiry, a change or a collection, one of them
        is decided first, and what no longer stands is refused.

        Raises:
            StepUpRequired: fresh proof of the approver's is needed; carries an offer.
            Denied: with ``challenge_not_found`` for whoever may not, as for a request that never was;
                ``challenge_expired``, ``challenge_closed``, ``approval_denied`` for one that has ended or changed.
            StoreUnavailable: if the outcome is not known; look again before repeating.
        """
        return bridge.run_sync(approvals.answer(self.core, request, Choice.APPROVE, context, reason, token))

    def deny(self, request: str, context: Context, *, reason: str | None = None) -> ApprovalRequest:
        """Refuse the request, which ends it, whatever others have said. *reason* is told to its requester.

        Raises:
            Denied, StoreUnavailable: as ``approve``.
        """
        return bridge.run_sync(approvals.answer(self.core, request, Choice.DENY, context, reason, None))

    def withdraw(self, request: str, context: Context) -> bool:
        """Take one's own request back, from whatever session; False where there was none that still waited."""
        return bridge.run_sync(approvals.withdraw(self.core, request, context))

"""The calls of approvals: the inbox with what the person waits for themselves, answering, withdrawing.

Approving is a protected action of its own where the rule says so (``stepup.approval.approve``), so that call is blocked
like any other and takes the token in the same place. Whoever may not approve is answered as for a request that is none.
"""

from __future__ import annotations

from stepup._engine import approvals
from stepup.approval import ApprovalRequest, Choice
from stepup.challenge import Challenge
from stepup.errors import Code

from . import documents as doc
from .call import Call
from .http import WebResponse, response
from .problems import zulu
from .wire import ApprovalAnswer, InboxQuery


async def listed(call: Call) -> WebResponse:
    """What waits for the person's answer, and what they wait for; ``after`` continues the first."""
    asked = call.body(InboxQuery)
    page = await approvals.inbox(call.core, call.context, asked.after, asked.limit)
    own = await approvals.own(call.core, call.context) if asked.after is None else ()
    return call.ok(
        {
            "inbox": [_document(one) for one in page.items],
            "own": [_document(one) for one in own],
            "after": page.after,
            "now": zulu(call.core.now()),
        }
    )


async def answer(call: Call) -> WebResponse:
    """Approve or deny."""
    sent = call.body(ApprovalAnswer)
    choice, name = Choice(sent.decision), call.parts["approval"]
    made = await approvals.answer(call.core, name, choice, call.context, sent.reason, call.request.token)
    return call.ok({"approval": _document(made), "now": zulu(call.core.now())})


async def withdraw(call: Call) -> WebResponse:
    """Take one's own request back."""
    if not await approvals.withdraw(call.core, call.parts["approval"], call.context):
        return call.problem(Code.CHALLENGE_NOT_FOUND)
    return response(204, b"", "application/json")


async def standing(call: Call, challenge: Challenge) -> dict[str, object] | None:
    """How far the approval of a challenge is, for its requester; None where nobody was asked."""
    found = await approvals.get(call.core, challenge.id, call.context) if challenge.asked else None
    return None if found is None else _progress(found)


def _progress(one: ApprovalRequest) -> dict[str, object]:
    return {
        "id": one.id,
        "standing": one.standing.value,
        "who": one.who,
        "quorum": one.quorum,
        "given": len(one.given),
        "expiresAt": zulu(one.expires_at),
        "denial": one.denial,
    }


def _document(one: ApprovalRequest) -> dict[str, object]:
    """A request as people see it: the words and the digest that its requester was shown."""
    return {
        **_progress(one),
        "action": {
            "id": one.action,
            "label": one.label,
            "resourceType": one.resource_type,
            "resourceId": one.resource_id,
            "riskLevel": doc.risk_word(one.level),
        },
        "description": one.description,
        "resourceLabel": one.resource_label,
        "requester": {"id": one.requester, "onBehalfOf": one.on_behalf_of},
        "params": [{"label": label, "value": value} for label, value in one.shown],
        "paramsDigest": one.params_digest,
        "digest": one.digest,
        "uses": one.uses,
        "reason": one.reason,
        "ip": one.ip,
        "deviceLabel": one.device_label,
        "askedAt": zulu(one.asked_at),
        "mine": one.mine.value if one.mine else None,
    }

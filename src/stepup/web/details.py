"""A blocked call in the words of RFC 9396, for clients that speak OAuth.

``authorization_details`` is a list of one object, or of one for each call of a bundle: the type ``urn:stepup:action``,
the action, and what it is done to and with, where it says so. It describes the call and opens nothing. What may stand
in one that a client sends is said in ``wire``: anything unknown is refused (RFC 9396 section 5; G-10).
"""

from __future__ import annotations

from typing import Final

from stepup._engine.offer import Offered
from stepup.canonical import canonical_json

MEMBER: Final = "authorization_details"
"""The registered name, the one that is not in camelCase."""

ACTION_TYPE: Final = "urn:stepup:action"


def described(call: Offered) -> list[dict[str, object]]:
    """The details of exactly *call*: one object, or for a bundle one for each of its calls, in order."""
    if call.items:
        return [detail for one in call.items for detail in described(Offered(one.action, one.resource, one.params))]
    made: dict[str, object] = {"type": ACTION_TYPE, "actions": [call.action]}
    if call.resource is not None:
        made["resource"] = {"type": call.resource.type, "id": call.resource.id}
    if call.params is not None:
        made["params"] = dict(call.params)
    return [made]


def same_call(one: Offered, other: Offered) -> bool:
    """Whether both name the same call; numbers and order in params are compared in canonical form, labels not at all.

    Raises:
        InvalidInput: for params that have no canonical form.
    """
    return canonical_json(described(one), name=MEMBER) == canonical_json(described(other), name=MEMBER)

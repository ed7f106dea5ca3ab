"""The offer: a signed, stateless description of a blocked call, for the one who made it.

It is bound to the actor and the session and lives ten minutes. It grants nothing: ``start_offer`` decides
again, from the action, resource and params it names and the context of the moment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from stepup.binding import session_hash
from stepup.bundle import Item
from stepup.canonical import canonical_json
from stepup.context import Context, Resource
from stepup.decide.request import Request
from stepup.errors import InvalidInput
from stepup.grant import MAX_SKEW
from stepup.policy import Params
from stepup.token import TokenWriter

from .core import Core, ids

OFFER_TTL: Final = 600


@dataclass(frozen=True, slots=True)
class Offered:
    """What an offer names."""

    action: str
    resource: Resource | None
    params: Params | None
    items: tuple[Item, ...] = ()
    uses: int | None = None


def make_offer(core: Core, request: Request, now: datetime) -> str:
    """The offer for a blocked call."""
    bound, issued = request.binding, int(now.timestamp())
    resource = request.resource
    return core.offers.sign(
        {
            "iss": core.namespace,
            "aud": core.audience,
            "sub": bound.actor,
            "iat": issued,
            "exp": issued + OFFER_TTL,
            "jti": ids().event,
            "stepup": {
                "act": bound.action,
                "obo": bound.on_behalf_of,
                "ten": request.context.actor.tenant,
                "sid": bound.session,
                "org": bound.organization,
                "res": [resource.type, resource.id, resource.label] if resource else None,
                "prm": None if request.params is None else json.loads(canonical_json(request.params)),
                **({"use": request.uses} if request.uses else {}),
                **({"itm": [_item_claims(one) for one in request.items]} if request.items else {}),
            },
        }
    )


def _item_claims(request: Request) -> list[object]:
    resource, params = request.resource, request.params
    return [
        request.action.id,
        [resource.type, resource.id, resource.label] if resource else None,
        None if params is None else json.loads(canonical_json(params)),
    ]


def read_offer(core: Core, offer: object, context: Context, now: datetime) -> Offered | None:
    """What *offer* names, if it was made here, for this person in this session, less than ten minutes ago."""
    claims = core.offers.read(offer)
    if claims is None or claims.get("iss") != core.namespace or claims.get("aud") != core.audience:
        return None
    try:
        return _offered(core, claims, context, now)
    except (KeyError, TypeError, ValueError, InvalidInput):
        return None  # signed by us, in the shape of another release


def named(offers: TokenWriter, offer: object) -> Offered | None:
    """What *offer* names, whoever it is for: to describe a call to the one who was just blocked. It opens nothing."""
    claims = offers.read(offer)
    try:
        return None if claims is None else _named(cast("Mapping[str, Any]", claims)["stepup"])
    except (KeyError, TypeError, ValueError, InvalidInput):
        return None  # as in read_offer()


def _offered(core: Core, claims: Mapping[str, object], context: Context, now: datetime) -> Offered | None:
    data = cast(Mapping[str, Any], claims)
    own, stamp = data["stepup"], now.timestamp()
    if stamp >= data["exp"] or data["iat"] > stamp + MAX_SKEW.total_seconds():
        return None
    actor = context.actor
    made_for = (data["sub"], own["obo"], own["ten"], own["sid"], own["org"])
    asked_by = (actor.id, actor.on_behalf_of, actor.tenant, session_hash(core.ring, context), context.organization)
    if made_for != asked_by:
        return None
    return _named(own)


def _named(own: Mapping[str, Any]) -> Offered:
    items = tuple(Item(act, Resource(*res) if res else None, prm) for act, res, prm in own.get("itm", ()))
    return Offered(own["act"], Resource(*own["res"]) if own["res"] else None, own["prm"], items, own.get("use"))

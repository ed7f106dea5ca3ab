"""A grant's bearer form: the claims of its token, and back.

The claims hold the whole grant, so that a forged, expired or misdirected one is refused before any store call.
Registered claim names (RFC 7519, 8176, 8693, 9470) carry what they can; ``stepup`` holds the rest of the binding.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from .binding import Binding
from .bundle import Part
from .context import Proof
from .errors import InvalidInput
from .grant import Grant


def to_claims(grant: Grant, issuer: str, audience: str) -> dict[str, object]:
    """The claims of the grant's token."""
    bound = grant.binding
    claims: dict[str, object] = {
        "iss": issuer,
        "aud": audience,
        "sub": bound.on_behalf_of or bound.actor,
        "iat": int(grant.issued_at.timestamp()),
        "exp": int(grant.expires_at.timestamp()),
        "jti": grant.id,
        "acr": f"urn:stepup:level:{grant.level}",
        "amr": list(grant.amr),
        "auth_time": int(grant.auth_time.timestamp()),
        "stepup": {
            "act": bound.action,
            "ten": bound.tenant,
            "sid": bound.session,
            "dev": bound.device,
            "org": bound.organization,
            "rty": bound.resource_type,
            "rid": bound.resource_id,
            "prm": bound.params,
            "lvl": grant.level,
            "rul": grant.rules,
            "use": grant.uses,
            "epo": grant.epochs,
            "fen": grant.fence,
            "grp": grant.group,
            "prf": [_proof_claims(proof) for proof in grant.proofs],
        },
    }
    if grant.items:
        cast("dict[str, object]", claims["stepup"])["itm"] = _item_claims(grant.items)
    if bound.on_behalf_of:
        claims["act"] = {"sub": bound.actor}
    return claims


def from_claims(claims: Mapping[str, object], issuer: str, audience: str) -> Grant | None:
    """The grant a signed token holds; None where it was made for another issuer or audience.

    Only ever given claims whose MAC was right; those of another shape are another release's, and refused.
    """
    if claims.get("iss") != issuer or claims.get("aud") != audience:
        return None
    try:
        return _grant(claims)
    except (KeyError, TypeError, ValueError, IndexError, InvalidInput):
        return None


def _grant(claims: Mapping[str, object]) -> Grant:
    data = cast(Mapping[str, Any], claims)
    own = data["stepup"]
    actor = data["act"]["sub"] if "act" in data else data["sub"]
    return Grant(
        id=data["jti"],
        binding=Binding(
            actor=actor,
            action=own["act"],
            tenant=own["ten"],
            on_behalf_of=data["sub"] if "act" in data else None,
            session=own["sid"],
            device=own["dev"],
            organization=own["org"],
            resource_type=own["rty"],
            resource_id=own["rid"],
            params=own["prm"],
        ),
        level=own["lvl"],
        rules=own["rul"],
        uses=own["use"],
        issued_at=_time(data["iat"]),
        expires_at=_time(data["exp"]),
        proofs=tuple(_proof(values) for values in own["prf"]),
        epochs=(own["epo"][0], own["epo"][1]),
        fence=own["fen"],
        group=own["grp"],
        items=_items(own.get("itm", {})),
    )


def _item_claims(items: tuple[Part, ...]) -> dict[str, str]:
    """The digests of a bundle's items, joined, by the hash of their rules: 32 items are some 1400 characters."""
    joined: dict[str, bytes] = {}
    for one in items:
        joined[one.rules] = joined.get(one.rules, b"") + bytes.fromhex(one.call)
    return {rules: base64.b64encode(digests).decode() for rules, digests in joined.items()}


def _items(claims: Mapping[str, str]) -> tuple[Part, ...]:
    found = {rules: base64.b64decode(joined) for rules, joined in claims.items()}
    return tuple(
        Part(joined[at : at + 32].hex(), rules) for rules, joined in found.items() for at in range(0, len(joined), 32)
    )


def _proof_claims(proof: Proof) -> list[object]:
    at = int(proof.at.timestamp())
    return [proof.method, at, list(proof.amr), proof.user_verified, proof.factor_id, proof.strength, proof.stands_for]


def _proof(values: list[Any]) -> Proof:
    name, at, amr, verified, factor_id, strength, stands_for = values
    return Proof(name, _time(at), tuple(amr), verified, factor_id, strength, stands_for)


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)

"""The grant: what a finished challenge mints, and what must be true of a call that uses it.

A grant's bearer form is a token whose claims hold the whole grant, so that a forged, expired or
misdirected one is refused before any store call. Registered claim names (RFC 7519, 8176, 8693, 9470)
carry what they can; ``stepup`` holds the rest of the binding.

``Shelf`` is the person's session as the store sees it: the grants unlocked in it, found without a token,
and what was proved in it. ``Spend`` counts or ends one grant of several uses; a single-use one is spent by
a ``Claim``. All functions are pure; times are truncated to whole seconds because a token's are.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from .binding import Binding
from .bundle import Part, item_digest
from .context import APPROVAL, Proof
from .errors import InvalidInput
from .requirement import Method, leaves
from .rules import Rules, least

MAX_SKEW: Final = timedelta(seconds=30)
SHELF_LIMIT: Final = 32
REMEMBER_REQUESTS: Final = 64
_OF_THE_CALL: Final = frozenset({"action", "resource", "params"})


@dataclass(frozen=True, slots=True)
class Grant:
    """What one finished challenge opened.

    Attributes:
        id: unguessable; the token's ``jti``.
        binding: the call it is for.
        level, rules: the risk level and rules hash it was minted under.
        uses: how often it can be spent; None for as often as wanted while it lasts.
        proofs: what was proved for it.
        epochs, fence: versions that must still hold when it is used.
        group: the group of actions it covers, if the action is in one.
        items: the calls it opens, each once, where it is for a bundle.
    """

    id: str
    binding: Binding
    level: int
    rules: str
    uses: int | None
    issued_at: datetime
    expires_at: datetime
    proofs: tuple[Proof, ...]
    epochs: tuple[int, int]
    fence: int
    group: str | None = None
    items: tuple[Part, ...] = ()

    @property
    def claim(self) -> str:
        """What is claimed when it is spent; of a bundle's grant taken ``for_item``, what that item's use claims."""
        return f"grant:{self.id}:{self.items[0].call[:32]}" if self.items else f"grant:{self.id}"

    @property
    def auth_time(self) -> datetime:
        """When the oldest proof behind it was given."""
        return min(proof.at for proof in self.proofs)

    @property
    def amr(self) -> tuple[str, ...]:
        """RFC 8176 values of what was proved; ``mfa`` only where the person proved two distinct methods."""
        values = [value for proof in self.proofs for value in proof.amr]
        if len({proof.method for proof in self.proofs if proof.method != APPROVAL}) > 1:
            values.append("mfa")
        return tuple(dict.fromkeys(values))


@dataclass(frozen=True, slots=True)
class Proved:
    """A proof given in a session, the grant it earned (revoked with it), and the call it was given for."""

    proof: Proof
    grant_id: str
    binding: Binding


@dataclass(frozen=True, slots=True)
class Shelf:
    """What is unlocked in one session, and the newest proof of each method given in it.

    ``epochs`` and ``fence`` are those of the last step-up: where they no longer hold, its proofs do not count.
    """

    epochs: tuple[int, int]
    fence: int
    grants: tuple[Grant, ...] = ()
    proved: tuple[Proved, ...] = ()


@dataclass(frozen=True, slots=True)
class Spend:
    """The use of one grant that can be spent several times: what is left, and whether it was revoked.

    ``requests`` are keyed hashes of the request ids that spent it, so that the very same request may learn
    its own success after a lost reply.
    """

    remaining: int | None
    revoked: bool = False
    requests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that can happen once: a single-use grant, a code. ``request`` as in ``Spend``."""

    at: datetime
    request: str | None = None


def mint(
    grant_id: str,
    binding: Binding,
    rules: Rules,
    proofs: tuple[Proof, ...],
    epochs: tuple[int, int],
    fence: int,
    now: datetime,
    uses: int | None = None,
    items: tuple[Part, ...] = (),
) -> Grant:
    """The grant that *proofs* earn under *rules*; it ends when the grant or any proof would.

    *uses* is how many were asked for: never more than the rules allow. Of a bundle's *items* each is one use.
    """
    issued = now.replace(microsecond=0)
    ends = issued + timedelta(seconds=rules.policy.grant_ttl)
    for proof in proofs:
        for age in (rules.policy.max_age, *_ages(rules, proof)):
            ends = ends if age is None else min(ends, proof.at + timedelta(seconds=age))
    return Grant(
        id=grant_id,
        binding=binding,
        level=int(rules.level),
        rules=rules.hash,
        uses=len(items) or least(rules.policy.uses, uses),
        issued_at=issued,
        expires_at=ends.replace(microsecond=0),
        proofs=proofs,
        epochs=epochs,
        fence=fence,
        group=rules.action.group,
        items=items,
    )


def _ages(rules: Rules, proof: Proof) -> list[int | None]:
    """How old *proof* may be for each place in the requirement that it can fill."""
    filled = {proof.method, proof.stands_for}
    return [
        leaf.max_age for leaf in leaves(rules.policy.requirement) if isinstance(leaf, Method) and leaf.name in filled
    ]


def refusals(grant: Grant, request: Binding, rules: Rules, now: datetime) -> tuple[str, ...]:
    """Why *grant* does not open the call *request* at *now*; empty if it does, as far as values can tell.

    Whether it was spent or revoked is for the store; whether its proofs are still good enough where the
    rules have changed is for ``decide``.
    """
    found = list(grant.binding.mismatches(request, rules.action.bound))
    if grant.items:
        found = [name for name in found if name not in _OF_THE_CALL]
        if part_of(grant, request, rules) is None:
            found.append("not_in_bundle")
    elif found and _in_group(grant, rules):
        found = [name for name in found if name not in _OF_THE_CALL]
    if now >= grant.expires_at:
        found.append("expired")
    if grant.issued_at > now + MAX_SKEW:
        found.append("issued_in_future")
    return tuple(found)


def part_of(grant: Grant, request: Binding, rules: Rules) -> Part | None:
    """The item of a bundle's grant that the call *request* is, if it is one."""
    wanted = item_digest(request, rules.action.bound)
    return next((one for one in grant.items if one.call == wanted), None)


def for_item(grant: Grant, request: Binding, rules: Rules) -> Grant:
    """*grant* as the call *request*, which it opens, uses it: of a bundle's, that one item, once."""
    part = part_of(grant, request, rules)
    return grant if part is None else replace(grant, items=(part,), uses=1, rules=part.rules)


def _in_group(grant: Grant, rules: Rules) -> bool:
    return grant.group is not None and grant.group == rules.action.group and rules.level <= 3 and grant.level <= 3


def moved(shelf: Shelf, session: str, epochs: tuple[int, int]) -> Shelf:
    """The shelf of a session that was rotated: its grants and what was proved live on in the new one.

    Their ids stay, so that what was spent stays spent; their tokens die, because those name the old session.
    """
    held = [one for one in shelf.grants if one.epochs == shelf.epochs]
    grants = tuple(replace(one, binding=one.binding.in_session(session), epochs=epochs) for one in held)
    proved = tuple(replace(one, binding=one.binding.in_session(session)) for one in shelf.proved)
    return replace(shelf, epochs=epochs, grants=grants, proved=proved)


def shelved(shelf: Shelf | None, grant: Grant, now: datetime) -> Shelf:
    """With one more grant and its proofs; the expired, the revoked and all but the newest 32 go."""
    if shelf is None or (shelf.epochs, shelf.fence) != (grant.epochs, grant.fence):
        others = (
            () if shelf is None else tuple(one for one in shelf.grants if one.binding.session != grant.binding.session)
        )
        shelf = Shelf(grant.epochs, grant.fence, others)
    live = tuple(one for one in shelf.grants if one.expires_at > now)
    given = {proof.method for proof in grant.proofs}
    older = tuple(one for one in shelf.proved if one.proof.method not in given)
    given_here = [proof for proof in grant.proofs if proof.method != APPROVAL]  # others approved this call, no other
    proved = (*older, *(Proved(proof, grant.id, grant.binding) for proof in given_here))
    return replace(shelf, grants=(*live, grant)[-SHELF_LIMIT:], proved=proved)


# -- the token's claims ---------------------------------------------------------


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

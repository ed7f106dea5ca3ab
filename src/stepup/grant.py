"""The grant: what a finished challenge mints, and what must be true of a call that uses it.

Its bearer form is a token, with the claims that ``bearer`` makes of it.

``Shelf`` is the person's session as the store sees it: the grants unlocked in it, found without a token,
and what was proved in it. ``Spend`` counts or ends one grant of several uses; a single-use one is spent by
a ``Claim``. All functions are pure; times are truncated to whole seconds because a token's are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from .binding import Binding
from .bundle import Part, item_digest
from .context import APPROVAL, Proof
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

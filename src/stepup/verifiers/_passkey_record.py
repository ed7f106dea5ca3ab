"""What the store keeps of a passkey, read and written: ``read``, ``write``, ``moved``; and the person's user handle.

The public key is no secret. It is sealed all the same, with actor, factor and credential id, so that whoever can write
to the store cannot put a key of their own in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from stepup.challenge import FactorRef
from stepup.context import Actor
from stepup.factor import StoredFactor
from stepup.keys import Vault
from stepup.ports import Ceremony

from ._hooked import belongs
from ._webauthn import Registered, Said
from ._webauthn_read import Registration, b64

METHOD: Final = "passkey"
VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Held:
    """A stored passkey that can be read."""

    stored: StoredFactor
    credential: str
    key: bytes = field(repr=False)
    user: str
    count: int
    eligible: bool
    transports: tuple[str, ...]


def public_key(credential: str, key: bytes) -> str:
    """A passkey's id and public key as one text: what evidence is checked against."""
    return f"{credential}.{b64(key)}"


def write(
    pending: StoredFactor, user: str, given: Registration, made: Registered, vault: Vault, actor: Actor
) -> StoredFactor:
    """The record of a passkey that was registered."""
    data: dict[str, str | int | tuple[str, ...]] = {
        "version": VERSION,
        "credential": given.credential,
        "key": vault.seal(made.key, where=belongs(actor, pending.id, given.credential)),
        "user": user,
        "algorithm": made.algorithm,
        "count": made.said.count,
        "eligible": int(made.said.eligible),
        "backed_up": int(made.said.backed_up),
        "verified": int(made.said.verified),
        "transports": given.transports,
    }
    return StoredFactor(pending.id, METHOD, data)


def held_by(ref: FactorRef, context: Ceremony) -> Held | None:
    stored = context.stored.get(ref.id)
    return None if stored is None else read(stored, context.vault, context.actor)


def readable(stored: Iterable[StoredFactor], vault: Vault, actor: Actor) -> list[Held]:
    return [held for one in stored if (held := read(one, vault, actor)) is not None]


def read(stored: StoredFactor, vault: Vault, actor: Actor) -> Held | None:
    """What is kept of a passkey; None where it is of another version, another person, or not whole."""
    data = stored.data
    credential, sealed, user, count = (data.get(name) for name in ("credential", "key", "user", "count"))
    eligible, transports = data.get("eligible"), data.get("transports")
    if stored.method != METHOD or data.get("version") != VERSION or eligible not in {0, 1} or not _natural(count):
        return None
    if not (isinstance(credential, str) and isinstance(sealed, str) and isinstance(user, str)):
        return None
    key = vault.unseal(sealed, where=belongs(actor, stored.id, credential))
    if key is None or not isinstance(count, int):
        return None
    return Held(
        stored, credential, key, user, count, eligible == 1, transports if isinstance(transports, tuple) else ()
    )


def _natural(count: object) -> bool:
    return type(count) is int and count >= 0


def moved(held: Held, said: Said) -> StoredFactor | None:
    """The record with what changed: a counter that went up, a backup made or lost. None where nothing did."""
    after = {**held.stored.data, "count": max(held.count, said.count), "backed_up": int(said.backed_up)}
    return None if after == held.stored.data else replace(held.stored, data=after)


def handle(actor: Actor, vault: Vault, held: Iterable[StoredFactor]) -> str:
    """The person's user handle: that of the passkeys they have, or one that says nothing about them."""
    known = [user for one in held if isinstance(user := one.data.get("user"), str) and "credential" in one.data]
    digest = vault.digest("webauthn user handle", belongs(actor, "").encode())
    return known[0] if known else b64(bytes.fromhex(digest.partition(".")[2]))


def descriptor(held: Held) -> Mapping[str, object]:
    found: dict[str, object] = {"type": "public-key", "id": held.credential}
    return {**found, "transports": list(held.transports)} if held.transports else found

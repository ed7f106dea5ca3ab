r"""What a proof is for: the values a challenge stores, a grant inherits, and a redeem compares.

Session and device appear only as keyed hashes, params only as their digest. ``mismatches`` compares a
stored binding with the one made from the request at hand, never with anything the client says.

``digest`` names the whole binding in 32 bytes, recomputable by anyone: SHA-256 over ``b"stepup.binding.v1\0"``
followed by the canonical JSON of ``as_data``. It is what a passkey signs. Test vectors: ``tests/vectors/binding.json``.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Final

from .canonical import canonical_json
from .context import Actor, Context, Resource
from .keys import KeyRing

DIGEST_DOMAIN: Final = b"stepup.binding.v1\0"


@dataclass(frozen=True, slots=True)
class Binding:
    """Actor, session, device, organization, action, resource and params of one call."""

    actor: str
    action: str
    tenant: str = ""
    on_behalf_of: str | None = None
    session: str | None = None
    device: str | None = None
    organization: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    params: str | None = None

    @classmethod
    def of(cls, action: str, context: Context, resource: Resource | None, digest: str | None, ring: KeyRing) -> Binding:
        """The binding of the call being made now."""
        return cls(
            actor=context.actor.id,
            action=action,
            tenant=context.actor.tenant,
            on_behalf_of=context.actor.on_behalf_of,
            session=session_hash(ring, context),
            device=ring.hash_id("device", context.device.fingerprint) if context.device else None,
            organization=context.organization,
            resource_type=resource.type if resource else None,
            resource_id=resource.id if resource else None,
            params=digest,
        )

    def mismatches(self, request: Binding, binds: frozenset[str]) -> tuple[str, ...]:
        """The names of what differs in *request*, of actor, action and what is in *binds*."""
        if self == request:
            return ()
        always = ("actor", "tenant", "on_behalf_of", "action")
        found = [name for name in always if getattr(self, name) != getattr(request, name)]
        optional = [name for name in ("session", "device", "organization", "params") if name in binds]
        found.extend(name for name in optional if getattr(self, name) != getattr(request, name))
        if "resource" in binds and (self.resource_type, self.resource_id) != (
            request.resource_type,
            request.resource_id,
        ):
            found.append("resource")
        return tuple(found)

    @property
    def slot(self) -> str:
        """Names the one place that a challenge for this binding can stand in."""
        values = [self.on_behalf_of, self.session, self.device, self.organization, self.action]
        text = json.dumps([*values, self.resource_type, self.resource_id, self.params])
        return hashlib.sha256(b"stepup.slot.v1\0" + text.encode()).hexdigest()[:32]

    def as_data(self) -> dict[str, str | None]:
        """Every field by its name; what there is none of is None, never left out."""
        return {
            "action": self.action,
            "actor": self.actor,
            "device": self.device,
            "on_behalf_of": self.on_behalf_of,
            "organization": self.organization,
            "params": self.params,
            "resource_id": self.resource_id,
            "resource_type": self.resource_type,
            "session": self.session,
            "tenant": self.tenant,
        }

    @property
    def digest(self) -> bytes:
        """SHA-256 over the domain and the canonical JSON of all fields."""
        return hashlib.sha256(DIGEST_DOMAIN + canonical_json(self.as_data(), name="binding")).digest()

    def in_session(self, session: str | None) -> Binding:
        """The same, moved to another session."""
        return replace(self, session=session)


def session_hash(ring: KeyRing, context: Context) -> str | None:
    """Keyed hash of the session id; None where there is no session."""
    return ring.hash_id("session", context.session.id) if context.session else None


def partition(namespace: str, actor: Actor) -> str:
    """The store partition of one person: hex SHA-256 over length-prefixed parts.

    The tenant is part of who the person is; the organization is not: somebody who belongs to two
    organizations has one set of factors and one guess budget.
    """
    return _lengthy(b"stepup.partition.v1\0", namespace, actor.tenant, actor.id)


def mailbox_partition(namespace: str, address: str) -> str:
    """Where it is counted how often a mailbox was written to, whoever asked: nobody's own partition."""
    return _lengthy(b"stepup.mailbox.v1\0", namespace, address.casefold())


def _lengthy(domain: bytes, *parts: str) -> str:
    digest = hashlib.sha256(domain)
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(4, "big") + data)
    return digest.hexdigest()

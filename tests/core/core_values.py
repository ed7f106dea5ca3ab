"""Values the pure tests share: one person, one call, one moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from stepup.binding import Binding
from stepup.context import Actor, Context, Device, Proof, Resource, Session
from stepup.keys import KeyRing

NOW = datetime(2026, 6, 11, 18, 3, tzinfo=UTC)
SECRET = b"a secret that is long enough: 0123456789"
OTHER_SECRET = b"another secret that is long enough: 987654"
RING = KeyRing(SECRET)
ACTOR = Actor("usr_2048", email="olivia@northstar.example")
SESSION = Session("sess_1", authenticated_at=NOW - timedelta(hours=1))
DEVICE = Device("fingerprint", label="MacBook Pro / Safari")
CONTEXT = Context(ACTOR, SESSION, DEVICE, organization="org_7", ip="81.2.69.142", user_agent="Safari")
RESOURCE = Resource("organization", "org_7")
BINDING = Binding.of("organization.delete", CONTEXT, RESOURCE, "ab" * 32, RING)


def seconds(number: float) -> timedelta:
    """That many seconds."""
    return timedelta(seconds=number)


def proof(method: str = "totp", *, age: float = 0, strength: int = 30, stands_for: str | None = None) -> Proof:
    """A proof given *age* seconds ago."""
    amr = {"password": ("pwd",), "totp": ("otp",), "passkey": ("hwk", "user")}.get(method, ())
    return Proof(method, NOW - seconds(age), amr, False, f"{method}:1", strength, stands_for)

"""The demo's own data: who is in the workspace, what it has, what has been done. All in memory, all made up.

It knows nothing of stepup, and enforces only what is its own business: who may do what (``manages``), and that there
is always an owner.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

NAME: Final = "Northstar"
ID: Final = "org_7"
DRAFTS: Final = 50
ROLES: Final = ("member", "admin", "owner")


@dataclass(frozen=True)
class Member:
    """Somebody in the workspace."""

    id: str
    name: str
    email: str
    role: str
    since: str


@dataclass(frozen=True)
class Payee:
    """Where money can go."""

    id: str
    name: str
    iban: str


@dataclass(frozen=True)
class Payout:
    """Money that went."""

    at: datetime
    amount: Decimal
    payee: Payee
    by: str
    reference: str


@dataclass(frozen=True)
class Draft:
    """A payout that waits for somebody else: what its requester comes back to."""

    id: str
    amount: Decimal
    payee: Payee
    by: str


@dataclass(frozen=True)
class Key:
    """An API key: what can be shown of it, never its secret."""

    id: str
    name: str
    scope: str
    ends: str
    rotated: datetime


PAYEES: Final[Mapping[str, Payee]] = {
    one.id: one
    for one in (
        Payee("payee_alder", "Alder & Finch Ltd", "DE00 1000 0000 0000 4821 07"),
        Payee("payee_lumen", "Lumen Print Works", "NL00 EXMP 0417 1643 00"),
        Payee("payee_harbour", "Harbour Street Rent", "IE00 EXMP 9311 5212 3456 78"),
    )
}


@dataclass
class Workspace:
    """What the demo keeps."""

    members: dict[str, Member]
    balance: Decimal = Decimal("48250.00")
    payouts: list[Payout] = field(default_factory=list[Payout])
    drafts: dict[str, Draft] = field(default_factory=dict[str, Draft])
    keys: dict[str, Key] = field(default_factory=dict[str, Key])
    note: str = "Releases on Tuesdays. Ask in #ops before you touch the queue."
    deleted_at: datetime | None = None
    mfa: dict[str, bool] = field(default_factory=dict[str, bool])
    exported_at: datetime | None = None
    digests: dict[str, str] = field(default_factory=dict[str, str], repr=False)

    def role_of(self, person: str) -> str:
        """Of somebody who is no member (any more): none."""
        found = self.members.get(person)
        return found.role if found else ""

    def manages(self, person: str) -> bool:
        """Whether they may change what belongs to everybody."""
        return self.role_of(person) in {"admin", "owner"}

    def managers(self, *, but: str) -> list[Member]:
        """The owners and admins, but one."""
        return [one for one in self.members.values() if one.id != but and self.manages(one.id)]

    def last_owner(self, member: str) -> bool:
        """Whether nobody but *member* owns the workspace."""
        return [one.id for one in self.members.values() if one.role == "owner"] == [member]

    def change_role(self, member: str, role: str) -> None:
        """Give *member* another role."""
        self.members[member] = replace(self.members[member], role=role)

    def pay(self, amount: Decimal, payee: Payee, by: str) -> None:
        """Move money. The caller has seen that there is enough."""
        self.balance -= amount
        made = Payout(datetime.now(UTC), amount, payee, by, f"po_{secrets.token_hex(3)}")
        self.payouts.insert(0, made)

    def draft(self, amount: Decimal, payee: Payee, by: str) -> Draft:
        """What *by* wants to have paid: the same again for the same again, so that the request for it is found."""
        for one in self.drafts.values():
            if (one.amount, one.payee, one.by) == (amount, payee, by):
                return one
        made = Draft(f"pd_{secrets.token_hex(3)}", amount, payee, by)
        self.drafts[made.id] = made
        for oldest in list(self.drafts)[:-DRAFTS]:
            del self.drafts[oldest]
        return made

    def rotate(self, key: str) -> str:
        """A new secret in place of the old one; what is kept is its digest."""
        secret = f"nsk_{self.keys[key].scope}_{secrets.token_urlsafe(24)}"
        self.digests[key] = hashlib.sha256(secret.encode()).hexdigest()
        self.keys[key] = replace(self.keys[key], ends=secret[-4:], rotated=datetime.now(UTC))
        return secret


def furnished(members: Mapping[str, Member]) -> Workspace:
    """A workspace with a past."""
    now = datetime.now(UTC)
    alder, lumen, harbour = PAYEES.values()
    past = [
        Payout(now - timedelta(days=4, hours=3), Decimal("1840.00"), harbour, "Marcus", "po_4f21ab"),
        Payout(now - timedelta(days=12, hours=6), Decimal("312.45"), lumen, "Olivia", "po_09bc7e"),
        Payout(now - timedelta(days=34, hours=1), Decimal("2600.00"), alder, "Olivia", "po_c3d018"),
    ]
    keys = [
        Key("key_live", "Production", "live", "9Xq2", now - timedelta(days=96)),
        Key("key_hooks", "Webhook signing", "hook", "b0Tf", now - timedelta(days=41)),
        Key("key_test", "Staging", "test", "mR7u", now - timedelta(days=12)),
    ]
    return Workspace(dict(members), payouts=past, keys={key.id: key for key in keys})

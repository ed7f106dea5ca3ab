"""What is guarded in the demo, and by what: the actions, their texts, and what the person is shown of a call.

========================= ======== ======================================================================
action                    risk     what is particular
========================= ======== ======================================================================
``disable_mfa``           high     passkey, authenticator or password; proof not older than five minutes
``export_data``           medium   passkey or authenticator
``rotate_key``            high     passkey or password; the new secret is shown once
``payout.create``         critical amount and payee are bound and shown; good once
``payout.large``          critical above 1,000.00 EUR: own proof, and the approval of another owner or admin
``member.role``           high     the new role is bound
``member.remove``         medium   passes while signing in is recent; high for an owner or admin
``organization.delete``   critical good once; every method, so that each can be tried
``note.edit``             low      passes while signing in is recent
========================= ======== ======================================================================

The first three refuse whatever is proved while the risk of the session is high or unknown (``risk``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from stepup import Action, Context, Policy, Resource, Risk, RiskLevel, all_of, any_of
from stepup.approval import Approvers
from stepup.policy import Params

from .workspace import PAYEES, Workspace

MFA, EXPORT, ROTATE = "disable_mfa", "export_data", "rotate_key"
PAYOUT, LARGE, ROLE, REMOVE, DELETE, NOTE = (
    "payout.create", "payout.large", "member.role", "member.remove", "organization.delete", "note.edit",
)  # fmt: skip
EVERY_METHOD = any_of("passkey", "totp", "password", "email_code", "recovery_code")
OWN_PROOF = any_of("passkey", "totp", "password")
GRANT_SECONDS = 300
STRICT = Policy(max_age=GRANT_SECONDS, grant_ttl=GRANT_SECONDS, block_session_risk=(RiskLevel.HIGH, RiskLevel.UNKNOWN))


@dataclass(frozen=True)
class Card:
    """How an action stands on the account page.

    Attributes:
        deed: what its button says.
        to: where its form goes; empty for an action that is done on a page of its own.
        page: that page, and what the link to it says.
        resource: what it is done to, for those that the page may ask proof for before the call is made.
    """

    icon: str
    deed: str
    to: str = ""
    page: tuple[str, str] = ("", "")
    resource: Mapping[str, str] = field(default_factory=dict[str, str])


CARDS: Mapping[str, Card] = {
    MFA: Card("shield", "Turn it off", "/security/mfa/disable"),
    EXPORT: Card("download", "Export", "/customers/export", resource={"type": "dataset", "id": "customers"}),
    ROTATE: Card("key", "Rotate", page=("/keys", "Open API keys"), resource={"type": "api_key", "id": "key_live"}),
    PAYOUT: Card("bank", "Pay", page=("/billing", "Open billing")),
    LARGE: Card("people", "Pay", page=("/billing", "Open billing")),
    ROLE: Card("people", "Change", page=("/members", "Open members")),
    REMOVE: Card("people", "Remove", page=("/members", "Open members")),
    DELETE: Card("trash", "Delete", page=("/workspace", "Open settings")),
    NOTE: Card("note", "Edit", page=("/workspace", "Open settings")),
}
MAY_START = frozenset({MFA, EXPORT, ROTATE})
"""For these the page may ask before the call is made (``may_start=``): their cards say all that they are about."""


def settings_of(person: str) -> Resource:
    """What ``disable_mfa`` is done to."""
    return Resource("user_security_settings", person)


CUSTOMERS = Resource("dataset", "customers", "Every customer of this workspace")


def actions(workspace: Workspace) -> tuple[Action, ...]:
    """The registry. What a member may do is the workspace's to know, so ``escalate`` asks it."""

    def removing(context: Context, resource: Resource | None, params: Params | None) -> Risk | None:  # noqa: ARG001
        found = workspace.members.get(resource.id) if resource else None
        return None if found is not None and found.role == "member" else Risk.HIGH

    def role_change(resource: Resource | None, params: Params | None) -> list[tuple[str, str]]:
        found = workspace.members.get(resource.id) if resource else None
        return [("Member", found.name if found else ""), ("New role", str((params or {})["role"]).capitalize())]

    return (
        Action(
            MFA,
            "Disable multi-factor authentication",
            risk=Risk.HIGH,
            description="Signing in will take the password alone.",
            methods=any_of("passkey", "totp", "password"),
            policy=STRICT,
            confirmation="Fresh proof, not older than five minutes",
            audit_level="Actor, device, result",
        ),
        Action(
            EXPORT,
            "Export customer data",
            risk=Risk.MEDIUM,
            description="Prepares a file with every customer of this workspace.",
            methods=any_of("passkey", "totp"),
            policy=STRICT,
            confirmation="Fresh proof; the owner is mailed the link",
            audit_level="Actor, device, dataset, result",
        ),
        Action(
            ROTATE,
            "Rotate a production API key",
            risk=Risk.HIGH,
            description="The old secret stops working at once; the new one is shown a single time.",
            methods=any_of("passkey", "password"),
            policy=STRICT,
            confirmation="Fresh proof; webhook owners are told",
            audit_level="Actor, key, result",
        ),
        Action(
            PAYOUT,
            "Pay out",
            risk=Risk.CRITICAL,
            description="Money leaves the balance of the workspace.",
            methods=EVERY_METHOD,
            describe=payout_in_words,
            confirmation="Fresh proof of this amount to this payee, good once",
            audit_level="Actor, amount, payee, result",
        ),
        Action(
            LARGE,
            "Pay out more than 1,000.00 EUR",
            risk=Risk.CRITICAL,
            description="Money leaves the balance of the workspace, once somebody else agrees.",
            methods=all_of(OWN_PROOF, "approval"),
            approvers=Approvers(("owner", "admin"), called="another owner or admin"),
            describe=payout_in_words,
            confirmation="Fresh proof of this amount to this payee, and the approval of another owner or admin",
            audit_level="Actor, approver, amount, payee, result",
        ),
        Action(
            ROLE,
            "Change a member's role",
            risk=Risk.HIGH,
            description="Owners and admins can change everything in the workspace.",
            methods=EVERY_METHOD,
            describe=role_change,
            confirmation="Fresh proof of this role for this member",
            audit_level="Actor, member, role, result",
        ),
        Action(
            REMOVE,
            "Remove a member",
            risk=Risk.MEDIUM,
            description="They lose access at once.",
            escalate=removing,
            confirmation="A recent sign-in; fresh proof for an owner or admin",
            audit_level="Actor, member, result",
        ),
        Action(
            DELETE,
            "Delete workspace",
            risk=Risk.CRITICAL,
            description="Projects, keys and members go with it.",
            # By default only the strongest method a person holds would do; this one names all, so each can be tried.
            methods=EVERY_METHOD,
            confirmation="Fresh proof, good once, within two minutes",
            audit_level="Actor, device, result, evidence",
        ),
        Action(
            NOTE,
            "Edit the workspace note",
            risk=Risk.LOW,
            description="Shown to every member.",
            confirmation="A sign-in within the last half hour",
            audit_level="Actor, result",
        ),
    )


# -- money --------------------------------------------------------------------------------

MOST, ALONE = Decimal(50_000), Decimal(1_000)
"""The most that can be paid at once, and the most that one person pays alone."""


def amount_of(text: str) -> Decimal | None:
    """An amount as it was typed: euros with at most two decimals, more than nothing; None for anything else."""
    try:
        amount = Decimal(text.strip().replace(",", ""))
        cents = amount * 100
    except InvalidOperation:
        return None
    if not amount.is_finite() or cents != cents.to_integral_value() or not 0 < amount <= MOST:
        return None
    return amount.quantize(Decimal("0.01"))


def payout_params(amount: Decimal, payee: str) -> Params:
    """What a payout is bound to. JSON has no decimals that can be trusted, so the amount goes as text."""
    return {"amount": f"{amount:.2f}", "currency": "EUR", "payee": payee}


def payout_in_words(resource: Resource | None, params: Params | None) -> list[tuple[str, str]]:  # noqa: ARG001
    """What the person is shown of it."""
    given = params or {}
    payee = PAYEES[str(given["payee"])]
    return [("Amount", f"{Decimal(str(given['amount'])):,.2f} EUR"), ("Payee", payee.name), ("Account", payee.iban)]

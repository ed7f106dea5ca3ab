"""What the demo says: after something was done, of events, methods, risk and time; and the templates for it.

Of events and methods it says what ``<stepup-events>`` and ``<stepup-factors>`` say, so that a thing has one name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple, cast

from jinja2 import Environment, PackageLoader, StrictUndefined

from stepup.event import Event

from .actions import DELETE, EXPORT, MFA, NOTE, PAYOUT, REMOVE, ROLE, ROTATE


class Message(NamedTuple):
    """What a page says at its top; *good* or not."""

    text: str
    good: bool = True


MESSAGES: Mapping[str, Message] = {
    NOTE: Message("The note was saved."),
    EXPORT: Message("The customers were exported. A link was mailed to you."),
    MFA: Message("Multi-factor authentication is off."),
    "enable_mfa": Message("Multi-factor authentication is on."),
    ROTATE: Message("The key was rotated. The old secret has stopped working."),
    PAYOUT: Message("The payout is on its way."),
    ROLE: Message("The role was changed."),
    REMOVE: Message("The member was removed."),
    DELETE: Message("The workspace was deleted."),
    "organization.restore": Message("The workspace is back."),
    "locked": Message("It is locked again."),
    "factor_added": Message("It was added. You have a mail about it."),
    "factor_removed": Message("It was removed."),
    "signed_in": Message("Signed in."),
    "signed_out": Message("Signed out."),
    "skipped": Message("A day has passed. Sign in again."),
    "skipped_hour": Message("An hour has passed."),
    "approved": Message("Approved. Whoever asked can go on."),
    "denied": Message("Refused. Whoever asked is told why."),
    "withdrawn": Message("Your request was taken back."),
    "not_waiting": Message("That does not wait for you any more. Nothing was changed.", good=False),
    "alarm": Message("Everything has ended, in every browser. Sign in again."),
    "rotated": Message("The keys were rotated. Their old secrets have stopped working."),
    "forgotten": Message("It was forgotten. Each sign-in there counts for itself again."),
    "reviewed": Message("These are the devices that are remembered."),
    "no_device": Message("There is no such device.", good=False),
    "wrong": Message("That e-mail and password do not belong together.", good=False),
    "sign_in": Message("Sign in first.", good=False),
    "not_allowed": Message("Only owners and admins can do that. Nothing was changed.", good=False),
    "bad_amount": Message("Enter an amount in euros, such as 120.00, up to 50,000.", good=False),
    "no_money": Message("There is not that much in the balance. Nothing was paid.", good=False),
    "bad_payee": Message("Choose one of the payees.", good=False),
    "bad_role": Message("role must be member, admin or owner", good=False),
    "no_member": Message("There is no such member.", good=False),
    "last_owner": Message("A workspace needs an owner. Make somebody else one first.", good=False),
    "no_key": Message("There is no such key.", good=False),
    "no_keys": Message("Choose the keys to rotate. Nothing was changed.", good=False),
    "not_confirmed": Message("Type the name of the workspace to delete it. Nothing was deleted.", good=False),
    "no_factor": Message("There is no such factor.", good=False),
    "wrong_code": Message("That code was not right. Take the newest one from the app.", good=False),
}

METHODS: Mapping[str, str] = {
    "passkey": "Passkey",
    "totp": "Authenticator app",
    "password": "Password",
    "email_code": "Code by mail",
    "recovery_code": "Recovery code",
    "approval": "Approval",
    "fresh_session": "Recent sign-in",
}

EVENTS: Mapping[str, str] = {
    "challenge_started": "You were asked to confirm",
    "challenge_refused": "Could not ask you to confirm",
    "challenge_cancelled": "Confirming was called off",
    "prepared": "A way to confirm was chosen",
    "code_sent": "A code was sent",
    "code_refused": "A code was not sent",
    "delivery_failed": "A mail could not be sent",
    "attempt.ok": "You confirmed",
    "attempt.refused": "An answer was refused",
    "attempt.open": "You confirmed, and one more proof was needed",
    "authorization.ok": "A confirmed action went through",
    "authorization.refused": "An action was refused",
    "grant_revoked": "An unlocked action was locked again",
    "session_revoked": "All that was unlocked in a session was locked again",
    "session_rotated": "The session was renewed",
    "everything_revoked": "All that was unlocked was locked again",
    "factor_enrolment_started": "Adding a way to confirm began",
    "factor_enrolled": "A way to confirm was added",
    "factor_changed": "A way to confirm was changed",
    "factor_removed": "A way to confirm was removed",
    "unlocked": "Support lifted a lock",
    "device_remembered": "A device was remembered",
    "device_renamed": "A device was given another name",
    "device_revoked.ok": "A device was forgotten",
    "device_revoked.refused": "An old token of a device came again; the device was forgotten",
    "approval_requested": "Approval was asked for",
    "approval_given": "An approval was given",
    "approval_denied": "An approval was denied",
    "approval_withdrawn": "A request for approval was taken back",
    "approval_expired": "A request for approval ran out",
    "approval_refused": "An answer to a request for approval was refused",
    "disabled": "Your account was disabled",
    "enabled": "Your account was enabled again",
}

OWN: Mapping[str, str] = {
    "stepup.factor.add": "Add a way to confirm",
    "stepup.factor.remove": "Remove a way to confirm",
    "stepup.approval.approve": "Approve what somebody else asks for",
    "stepup.device.manage": "Review remembered devices",
}
"""stepup's own actions, which no registry of an application names."""


class Reason(NamedTuple):
    """A sign of risk, for the person whom it is about: its name, and what it means."""

    name: str
    text: str


RISKS: Mapping[str, Reason] = {
    "new_device": Reason("New device", "You have not proved here yet that it is you."),
    "new_network": Reason("New network", "No proof has come from this network in the last 90 days."),
    "long_since_proof": Reason("Long ago", "Your last proof is more than 30 days old."),
    "recent_failures": Reason("Wrong answers", "Three or more within the hour, and no right one since."),
    "recent_factor_change": Reason(
        "Changed methods", "A way to confirm was added, changed or removed in the last day."
    ),
    "impossible_country": Reason("Another country", "Your last proof came from too far away for that."),
    "unfamiliar_browser": Reason("Unfamiliar browser", "You have signed in with another one, never with this."),
    "history_unreadable": Reason("No history", "What is known about you could not be read."),
}
UNTOLD = Reason("Not known", "One of the signs could not be read. Not known is the worst there is.")

LEVELS: Mapping[str, str] = {
    "low": "Each action asks for what its card says, and no more.",
    "medium": "Nothing is blocked. One right proof here, and this place is known.",
    "high": "Turning two factors off, exporting, rotating keys are blocked; the rest takes passkey or authenticator.",
}
"""What the level of risk changes; unknown changes what high does."""


def reason_of(code: str) -> Reason:
    """A reason in words."""
    return RISKS.get(code, UNTOLD)


TABLES: Mapping[str, Mapping[str, object]] = {
    "METHODS": METHODS, "EVENTS": EVENTS, "OWN": OWN, "RISKS": {**RISKS, "": UNTOLD}, "LEVELS": LEVELS,
}  # fmt: skip
"""What every template can look up."""


def event_words(event: Event) -> str:
    """What happened, in words."""
    kind = event.type.value
    return EVENTS.get(f"{kind}.{event.result}") or EVENTS.get(kind) or kind.replace("_", " ").capitalize()


def moment(at: datetime) -> str:
    """A time, for those whose browser does not put it into their own."""
    return f"{at.astimezone(UTC):%d %b %Y, %H:%M} UTC"


def ago(seconds: float) -> str:
    """How long ago, roughly."""
    minutes = int(max(0, seconds)) // 60
    if minutes < 1:
        return "less than a minute"
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"


def environment() -> Environment:
    """The templates. What stands in them is escaped, always; a name that is missing is an error."""
    made = Environment(loader=PackageLoader("stepup.demo"), autoescape=True, undefined=StrictUndefined)
    made.trim_blocks = made.lstrip_blocks = True
    filters = cast("dict[str, Callable[..., object]]", made.filters)
    filters.update({"moment": moment, "ago": ago, "event_words": event_words, "reason": reason_of})
    return made

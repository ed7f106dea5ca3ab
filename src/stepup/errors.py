"""Every error stepup raises, split by who must act.

::

    StepUpError                     never raised itself; has .code, .remedy and evidence attributes
    ├── Refused                     the PERSON must act; carries the whole Decision
    │   ├── StepUpRequired          fresh proof would open it; .offer starts the ceremony
    │   └── Denied                  nothing offered now would open it; .code says why
    ├── Misuse                      the DEVELOPER must act
    │   ├── ConfigurationError      (ValueError) a gate, action, policy or key that cannot be right
    │   ├── UnknownAction           (LookupError) an action id nobody registered
    │   ├── WrongColour             (TypeError) an async port on the sync face, or the reverse
    │   ├── InvalidInput            (ValueError) the application passed a value of the wrong type or size
    │   └── NotInteractive          a terminal ceremony was asked for where nobody can answer
    └── Unavailable                 the OPERATOR must act; the caller refuses
        ├── StoreUnavailable        unreachable, or the outcome of a write is not known
        │   ├── StoreBusy           every retry lost against other writers
        │   ├── StoreFull           the store's own bounds are reached
        │   └── SchemaMismatch      the tables are missing, or of a version this release does not know
        ├── ContractBroken          a port answered something its contract does not allow
        └── DeliveryFailed          a code or notice could not be handed to the mail system

What a person may legitimately meet while answering (wrong code, expired, locked) is a value that
``verify`` returns, not an exception. ``Code`` lists every outward code; each is documented in
``docs/reference/codes.md``. Outward codes do not tell causes apart; audit reasons do.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from .decision import Decision


class Code(enum.StrEnum):
    """The stable outward codes: public API, one line of documentation each."""

    ALLOWED = "allowed"
    VERIFICATION_REQUIRED = "verification_required"
    VERIFICATION_FAILED = "verification_failed"
    CHALLENGE_NOT_FOUND = "challenge_not_found"
    CHALLENGE_EXPIRED = "challenge_expired"
    CHALLENGE_CLOSED = "challenge_closed"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NO_USABLE_METHOD = "no_usable_method"
    LOGIN_REQUIRED = "login_required"
    LOCKED_OUT = "locked_out"
    RATE_LIMITED = "rate_limited"
    GRANT_REQUIRED = "grant_required"
    GRANT_INVALID = "grant_invalid"
    ACTION_UNKNOWN = "action_unknown"
    ACTION_BLOCKED = "action_blocked"
    APPROVAL_PENDING = "approval_pending"
    APPROVAL_DENIED = "approval_denied"
    DELIVERY_FAILED = "delivery_failed"
    CANCELLED = "cancelled"
    BAD_REQUEST = "bad_request"
    STORE_UNAVAILABLE = "store_unavailable"


IMPERSONATING: Final = "impersonating"
SURFACE_REFUSED: Final = "surface_refused"
WAYS_ON: Final[Mapping[str, str]] = {
    IMPERSONATING: "This is not possible on behalf of somebody else. Do it as yourself, or let them do it.",
    SURFACE_REFUSED: "Nobody can answer here. Let a person do it in the browser or at a terminal, "
    "or let others approve it: an action for which approval alone is enough can be asked for by a program.",
}
"""What helps where a call is refused for one of these reasons, for whoever made it."""

_AGAIN: Final = "Make the blocked call again, and start with the offer that it raises."

HELPS: Final[Mapping[str, str]] = {
    Code.CHALLENGE_NOT_FOUND: f"It is of another person, session or device, or was none. {_AGAIN}",
    Code.CHALLENGE_EXPIRED: _AGAIN,
    Code.CHALLENGE_CLOSED: _AGAIN,
    Code.METHOD_NOT_ALLOWED: "Use one of the challenge's allowed methods.",
    Code.NO_USABLE_METHOD: "Let the person enrol a method, at enrol_url; or wait until retry_at, if there is one.",
    Code.LOGIN_REQUIRED: "Let the person sign in again, at login_url, and make the call again.",
    Code.LOCKED_OUT: "Wait until retry_at; gate.unlock() is for support.",
    Code.RATE_LIMITED: "Wait until retry_at.",
    Code.ACTION_BLOCKED: "No proof opens it now; decision.reasons says why.",
    Code.APPROVAL_DENIED: "Somebody who could approve has refused.",
    Code.BAD_REQUEST: f"The offer is of another person or session, too old, or none. {_AGAIN}",
}
"""What helps a developer who meets ``Denied`` with one of these codes; it tells no causes apart that the code hides."""


class StepUpError(Exception):
    """Base of everything stepup raises on purpose.

    ``code`` is stable and machine-readable; ``remedy`` says what the one who must act can do.
    """

    code: str = "stepup_error"
    remedy: str = ""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        self.remedy = remedy or self.remedy
        super().__init__(f"{message} {self.remedy}".strip())


# -- the person ---------------------------------------------------------------


class Refused(StepUpError):
    """The action may not run now. ``decision`` holds every reason."""

    def __init__(self, decision: Decision, message: str = "") -> None:
        self.decision = decision
        self.code: str = decision.code
        ways = (WAYS_ON[reason.code] for reason in decision.reasons if reason.code in WAYS_ON and not decision.methods)
        way = next(ways, "") or HELPS.get(self.code, "")
        what = f"{decision.action}: {decision.code}" if decision.action else f"{decision.code}"
        super().__init__(message or what + ("." if way or self.remedy else ""), remedy=way)

    @property
    def action(self) -> str:
        """The id of the action that was asked for."""
        return self.decision.action

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods this person can use now, strongest first; for a refused token, those that are configured."""
        return self.decision.methods

    @property
    def retry_at(self) -> datetime | None:
        """When trying again can succeed, if waiting helps (UTC)."""
        return self.decision.retry_at


class StepUpRequired(Refused):
    """Fresh proof would open the action; hand ``offer`` to ``start_offer``."""

    remedy = "Start a challenge with the offer, verify it, then repeat the call."

    @property
    def offer(self) -> str:
        """The opaque description of the blocked call (10 minutes, this actor and session only)."""
        return self.decision.offer or ""


class Denied(Refused):
    """No proof that could be offered now would open the action."""

    @property
    def enrol_url(self) -> str | None:
        """Where the person can enrol a method, if that is what is missing."""
        return self.decision.enrol_url

    @property
    def login_url(self) -> str | None:
        """Where the person can sign in again, if only that helps."""
        return self.decision.login_url


# -- the developer ------------------------------------------------------------


class Misuse(StepUpError):
    """The application's code or configuration is wrong; no request can succeed until it is mended."""

    code = "misuse"


class ConfigurationError(Misuse, ValueError):
    """A gate, action, policy, key or port that cannot be right; raised at construction."""

    code = "configuration_error"


class UnknownAction(Misuse, LookupError):
    """An action id that nobody registered. ``action`` is what was asked for."""

    code = "action_unknown"

    def __init__(self, action: str, known: tuple[str, ...] = ()) -> None:
        self.action = action
        self.known = known
        super().__init__(
            f"Action {action!r} is not registered.",
            remedy=f"Register it in actions=[...]; known are: {', '.join(known) or 'none'}.",
        )


class WrongColour(Misuse, TypeError):
    """A sync port where an async one is needed, or the reverse."""

    code = "wrong_colour"


class InvalidInput(Misuse, ValueError):
    """The application passed a value of the wrong type, size or form. ``name`` says which."""

    code = "invalid_input"

    def __init__(self, name: str, problem: str, *, remedy: str = "") -> None:
        self.name = name
        super().__init__(f"{name} {problem}.", remedy=remedy)


class NotInteractive(Misuse):
    """A terminal ceremony was started where nobody can answer a prompt."""

    code = "not_interactive"
    remedy = "Run the script at a terminal, or guard the work with an action that a person opens beforehand."


# -- the operator -------------------------------------------------------------


class Unavailable(StepUpError):
    """Something stepup stands on is not working; the caller refuses and may try again later."""

    code = "unavailable"


class StoreUnavailable(Unavailable):
    """The store cannot be reached, or whether a write happened is not known. Treated as refused."""

    code = "store_unavailable"


class StoreBusy(StoreUnavailable):
    """Every retry of a conditional write lost against other writers."""

    remedy = "Try again; if it persists, something writes this actor's records in a tight loop."


class StoreFull(StoreUnavailable):
    """The store has reached its bounds and will not forget live records to make room."""

    remedy = "Run purge, or raise the bounds."


class SchemaMismatch(StoreUnavailable):
    """The store's tables are missing, or of a version that this release does not work on.

    ``found`` is their version, None where there are none; ``supported`` are the versions that would do.
    """

    code = "schema_mismatch"

    def __init__(self, found: int | None, supported: tuple[int, ...] = ()) -> None:
        self.found = found
        self.supported = supported
        if found is None:
            message, remedy = "The store's tables are not there.", "Call create_schema(), or run the migrations."
        else:
            known = ", ".join(str(one) for one in supported)
            message = f"The store's schema has version {found}; this release works on {known}."
            remedy = "Run the migrations, or the release that the schema belongs to."
        super().__init__(message, remedy=remedy)


class ContractBroken(Unavailable):
    """A port answered something its contract does not allow; nothing was decided on it."""

    code = "contract_broken"


class DeliveryFailed(Unavailable):
    """The mail system did not take a message. Counters are as before; sending can be repeated."""

    code = "delivery_failed"

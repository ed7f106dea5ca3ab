"""What the server knows about the request: who acts, where from, on what, and what was proved before.

Everything here is supplied by the application's own server code, never by the client. All values are
frozen; times are timezone-aware and mean UTC; text is validated once, here, so that the rest of the
library may rely on it. Secrets (session ids, device fingerprints) have redacted reprs.

Reading order: ``Actor``, ``Session``, ``Device``, ``Resource``, then ``Proof`` (a verified method),
``RiskAssessment``, and ``Context``, which holds them all.
"""

from __future__ import annotations

import enum
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from .errors import InvalidInput
from .surface import Surface

FRESH_SESSION = "fresh_session"
"""The pseudo-method that any recent login satisfies; it can be named in a requirement, never answered."""

RECOVERY_CODE = "recovery_code"
"""The method that stands in for the factor it was issued with."""

APPROVAL = "approval"
"""The method by which somebody else approves: worth nothing where it is not named, and standing for nothing."""

MAX_ID = 255
MAX_TEXT = 1024
UNPRINTABLE = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})


def require_text(name: str, value: object, *, limit: int = MAX_ID) -> str:
    """Return *value* if it is a non-empty string of at most *limit* characters without surprises.

    Identifiers are compared exactly, so leading or trailing white space and control characters are
    refused rather than stripped: " usr_1" must not quietly become a second person.

    Raises:
        InvalidInput: if it is not such a string.
    """
    if not isinstance(value, str):
        raise InvalidInput(name, f"must be a string, not {type(value).__name__}")
    if not value:
        raise InvalidInput(name, "must not be empty")
    if len(value) > limit:
        raise InvalidInput(name, f"must have at most {limit} characters")
    if value != value.strip() or any(unicodedata.category(c) in {"Cc", "Cs"} for c in value):
        raise InvalidInput(name, "must not have surrounding white space or control characters")
    return value


def clean_text(value: object, *, limit: int = MAX_TEXT) -> str:
    """Return free text fit for a record: control characters replaced, cut at *limit* characters.

    For values that arrive from outside (user agent, reason): they are evidence, so they are kept as
    far as they are printable rather than refused (ASVS 16.4.1, log injection).
    """
    text = value if isinstance(value, str) else ""
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in UNPRINTABLE else c for c in text[:limit])


def require_time(name: str, value: object) -> datetime:
    """Return *value* in UTC if it is a timezone-aware datetime.

    Raises:
        InvalidInput: if it is anything else; a naive time has no meaning across machines.
    """
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise InvalidInput(name, "must be a timezone-aware datetime", remedy="Use datetime.now(timezone.utc).")
    try:
        return value if value.tzinfo is UTC else value.astimezone(UTC)
    except (OverflowError, ValueError):
        raise InvalidInput(name, "cannot be expressed in UTC") from None


@dataclass(frozen=True, slots=True)
class Actor:
    """The signed-in person who acts and who must prove it.

    ``id`` is the application's internal, stable id: counters, factors and grants are kept under it
    (and under ``tenant``, for applications in which the same id may mean two people).
    ``on_behalf_of`` is the id of the person being impersonated, if any; both are bound.
    """

    id: str
    email: str | None = None
    on_behalf_of: str | None = None
    tenant: str = ""

    def __post_init__(self) -> None:
        require_text("Actor.id", self.id)
        if self.email is not None:
            require_text("Actor.email", self.email, limit=320)
        if self.on_behalf_of is not None:
            require_text("Actor.on_behalf_of", self.on_behalf_of)
        if not isinstance(self.tenant, str) or self.tenant:  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
            require_text("Actor.tenant", self.tenant)


@dataclass(frozen=True, slots=True)
class Proof:
    """A verified method: what was proved, when, and how strongly.

    ``amr`` holds RFC 8176 values. ``stands_for`` is set on a recovery code: the method of the factor
    it was issued with. ``strength`` is the one reached, which can be lower than the factor's best
    (a passkey without user verification).
    """

    method: str
    at: datetime
    amr: tuple[str, ...] = ()
    user_verified: bool = False
    factor_id: str | None = None
    strength: int = 0
    stands_for: str | None = None

    def __post_init__(self) -> None:
        require_text("Proof.method", self.method, limit=64)
        object.__setattr__(self, "at", require_time("Proof.at", self.at))
        if not isinstance(self.amr, list | tuple):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
            raise InvalidInput("Proof.amr", "must be a sequence of strings")
        object.__setattr__(self, "amr", tuple(self.amr))


@dataclass(frozen=True, slots=True)
class Session:
    """The signed-in session.

    ``authenticated_at`` is when the person last signed in to it, never when it was refreshed or used;
    without it the session is never fresh. ``proofs`` are the methods the session was opened with.
    ``label`` may be shown to people; ``id`` is a secret and is stored only as a keyed hash.
    """

    id: str = field(repr=False)
    authenticated_at: datetime | None = None
    proofs: tuple[Proof, ...] = ()
    label: str | None = None

    def __post_init__(self) -> None:
        require_text("Session.id", self.id, limit=MAX_TEXT)
        if self.authenticated_at is not None:
            object.__setattr__(
                self, "authenticated_at", require_time("Session.authenticated_at", self.authenticated_at)
            )
        if not isinstance(self.proofs, list | tuple):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
            raise InvalidInput("Session.proofs", "must be a sequence of Proof values")
        object.__setattr__(self, "proofs", tuple(self.proofs))
        if not all(isinstance(proof, Proof) for proof in self.proofs):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
            raise InvalidInput("Session.proofs", "must hold Proof values")
        if self.label is not None:
            require_text("Session.label", self.label)


@dataclass(frozen=True, slots=True)
class Device:
    """The browser or machine.

    ``trusted`` is for applications that remember devices themselves: what their server keeps, never what the client
    says. Without it, trust comes from stepup's own memory, by ``Context.device_token``.
    """

    fingerprint: str = field(repr=False)
    label: str | None = None
    trusted: bool = False

    def __post_init__(self) -> None:
        require_text("Device.fingerprint", self.fingerprint, limit=MAX_TEXT)
        if self.label is not None:
            object.__setattr__(self, "label", clean_text(self.label, limit=MAX_ID))
        if self.trusted is not True and self.trusted is not False:
            raise InvalidInput("Device.trusted", "must be True or False")


@dataclass(frozen=True, slots=True)
class Resource:
    """What the action is done to. ``label`` is shown to the person; type and id are bound."""

    type: str
    id: str
    label: str | None = None

    def __post_init__(self) -> None:
        require_text("Resource.type", self.type)
        require_text("Resource.id", self.id)
        if self.label is not None:
            object.__setattr__(self, "label", clean_text(self.label, limit=MAX_ID))


class RiskLevel(enum.StrEnum):
    """How risky the session looks. ``UNKNOWN`` is what a failed assessment gives."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    UNKNOWN = "unknown"

    @property
    def rank(self) -> int:
        """Order for taking the worse of two; unknown is treated as worst."""
        return _RISK_ORDER.index(self)


_RISK_ORDER = (RiskLevel.LOW, RiskLevel.MEDIUM, RiskLevel.HIGH, RiskLevel.UNKNOWN)


@dataclass(frozen=True, slots=True)
class RiskAssessment:
    """The risk of this request: score 0 to 100, level, reasons, and optionally the only methods to accept.

    ``methods`` narrows what the policy allows; it can never add a method.
    """

    score: int = 0
    level: RiskLevel = RiskLevel.LOW
    reasons: tuple[str, ...] = ()
    methods: frozenset[str] | None = None

    def __post_init__(self) -> None:
        if type(self.score) is not int or not 0 <= self.score <= 100:
            raise InvalidInput("RiskAssessment.score", "must be an integer from 0 to 100")
        try:
            object.__setattr__(self, "level", RiskLevel(self.level))
        except (ValueError, TypeError):
            allowed = ", ".join(level.value for level in RiskLevel)
            raise InvalidInput("RiskAssessment.level", f"must be one of {allowed}") from None
        object.__setattr__(self, "reasons", tuple(clean_text(reason, limit=MAX_ID) for reason in self.reasons))
        if self.methods is not None:
            if isinstance(self.methods, str) or not isinstance(self.methods, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
                raise InvalidInput("RiskAssessment.methods", "must be a set of method names")
            object.__setattr__(self, "methods", frozenset(self.methods))

    def worse(self, other: RiskAssessment) -> RiskAssessment:
        """Combine two assessments so that neither weakens the other."""
        narrowed = self.methods
        if other.methods is not None:
            narrowed = other.methods if narrowed is None else narrowed & other.methods
        return RiskAssessment(
            max(self.score, other.score),
            max(self.level, other.level, key=lambda level: level.rank),
            tuple(dict.fromkeys(self.reasons + other.reasons)),
            narrowed,
        )


NO_RISK = RiskAssessment()
UNKNOWN_RISK = RiskAssessment(100, RiskLevel.UNKNOWN, ("assessment_failed",))


@dataclass(frozen=True, slots=True)
class Context:
    """Everything the server knows about the request. Only ``actor`` is required.

    ``risk`` is what the application assessed itself; a gate with an assessor takes the worse of the two.
    Without ``session`` there is nothing a grant could be found by later, so a token must be presented.
    ``device_token`` is what a remembered device presents, as it came; what it is worth, the gate looks up.
    ``surface`` is how the call came in, as a ``Surface`` or its name; a caller nobody says anything of is asked for
    proof like a person at a browser.
    """

    actor: Actor
    session: Session | None = None
    device: Device | None = None
    organization: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    locale: str | None = None
    risk: RiskAssessment | None = None
    surface: Surface = Surface.BROWSER
    device_token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "surface", Surface(self.surface))
        except ValueError:
            raise InvalidInput("Context.surface", f"must be one of {', '.join(Surface)}") from None
        for name, kind in _CONTEXT_TYPES:
            value = getattr(self, name)
            if not isinstance(value, kind) and not (value is None and name != "actor"):
                raise InvalidInput(f"Context.{name}", f"must be {kind.__name__}, not {type(value).__name__}")
        if self.organization is not None:
            require_text("Context.organization", self.organization)
        for name, limit in (("ip", 64), ("user_agent", 512), ("locale", 35)):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, clean_text(getattr(self, name), limit=limit))


def require_context(value: object) -> Context:
    """Return *value* if it is a ``Context``.

    Raises:
        InvalidInput: if it is not.
    """
    if not isinstance(value, Context):
        raise InvalidInput("context", f"must be a Context, not {type(value).__name__}")
    return value


def require_actor(value: object) -> Actor:
    """Return *value* if it is an ``Actor``.

    Raises:
        InvalidInput: if it is not.
    """
    if not isinstance(value, Actor):
        raise InvalidInput("actor", f"must be an Actor, not {type(value).__name__}")
    return value


def same_person(one: Actor, two: Actor) -> bool:
    """Whether both are the same person acting for the same person; an address may have changed."""
    return (one.id, one.tenant, one.on_behalf_of) == (two.id, two.tenant, two.on_behalf_of)


_CONTEXT_TYPES: tuple[tuple[str, type], ...] = (
    ("actor", Actor),
    ("session", Session),
    ("device", Device),
    ("risk", RiskAssessment),
    ("device_token", str),
)

"""The demo's gate, and its one person: a password, an authenticator app and recovery codes, enrolled as people do.

She enrolled the authenticator the day before, since a factor added under a weaker proof counts after 24 hours only;
that part runs under a clock of its own.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from stepup import Action, Actor, Context, Policy, Risk, Session, StepUp, StepUpRequired, Verified, any_of
from stepup.factor import Factor
from stepup.ports import Message, Store
from stepup.verifiers import TOTP, EmailCode, Password, RecoveryCode

NOTE, EXPORT, ROLE, DELETE = "note.edit", "customers.export", "member.role", "organization.delete"
EVERY_METHOD = any_of("totp", "password", "email_code", "recovery_code")
ACTIONS = (
    Action(NOTE, "Edit a note", risk=Risk.LOW),
    Action(EXPORT, "Export all customers", policy=Policy(methods=EVERY_METHOD, max_age=60)),
    Action(ROLE, "Change a member's role", risk=Risk.HIGH, methods=EVERY_METHOD),
    # By default only the strongest method a person holds would do; this one names four, so that each can be tried.
    Action(DELETE, "Delete organization", risk=Risk.CRITICAL, methods=EVERY_METHOD, description="For ever."),
)
KEPT = 100


class Mails:
    """Where the demo's mails go: to *show*, and into a list."""

    def __init__(self, show: Callable[[str], object]) -> None:
        self.taken: deque[Message] = deque(maxlen=KEPT)
        self._show = show

    def send(self, message: Message) -> None:
        """Show and keep *message*."""
        self.taken.append(message)
        self._show(f"--- mail to {message.to}: {message.subject}\n{message.text}---")


@dataclass(frozen=True)
class Person:
    """Who can sign in, and all that she knows."""

    actor: Actor
    name: str
    password: str = field(repr=False)
    totp_secret: str = field(default="", repr=False)
    recovery_codes: tuple[str, ...] = field(default=(), repr=False)

    def as_dict(self) -> dict[str, object]:
        """What ``--seed-file`` holds."""
        return {
            "id": self.actor.id,
            "email": self.actor.email,
            "password": self.password,
            "totpSecret": self.totp_secret,
            "recoveryCodes": list(self.recovery_codes),
        }


class Past:
    """A clock that shows an earlier time."""

    def __init__(self, **ago: float) -> None:
        self._ago = timedelta(**ago)

    def now(self) -> datetime:
        """The time."""
        return datetime.now(UTC) - self._ago


def build_gate(store: Store, secret: bytes, person: Person, mails: Mails, clock: Past | None = None) -> StepUp:
    """What an application writes once, at start-up."""

    def check(actor: Actor, password: str) -> bool:
        return actor.id == person.actor.id and secrets.compare_digest(password.encode(), person.password.encode())

    def version_of(actor: Actor) -> str | None:
        return "1" if actor.id == person.actor.id else None

    options: dict[str, Any] = {} if clock is None else {"clock": clock}
    return StepUp(
        actions=ACTIONS,
        verifiers=[
            Password(check=check, version_of=version_of),
            TOTP(issuer="Northstar"),
            EmailCode(mailer=mails),
            RecoveryCode(),
        ],
        store=store,
        secret=secret,
        mailer=mails,
        login_url="/",
        **options,
    )


def seeded(store: Store, secret: bytes) -> Person:
    """A new person in *store*, with everything enrolled."""
    mails = Mails(len)  # nobody reads what enrolling mails
    actor = Actor(f"usr_{secrets.token_hex(4)}", email="olivia@northstar.example")
    person = Person(actor, "Olivia", f"{secrets.choice(_ADJECTIVES)} {secrets.choice(_BIRDS)} {secrets.token_hex(3)}")
    yesterday = build_gate(store, secret, person, mails, Past(hours=25))
    with_app = _with_authenticator(yesterday, person)
    lately = build_gate(store, secret, with_app, mails, Past(minutes=10))
    return _with_recovery_codes(lately, with_app)


def _with_authenticator(gate: StepUp, person: Person) -> Person:
    context = _signed_in(person.actor, 25)
    try:
        gate.factors.enrol_totp(context)
    except StepUpRequired as needed:
        _prove(gate, needed, context, "password", person.password)
    enrolled = gate.factors.enrol_totp(context, label="Phone")
    confirmed = gate.factors.confirm_totp(context, enrolled.factor_id, _code(enrolled.secret, Past(hours=25)))
    assert isinstance(confirmed, Factor)
    return Person(person.actor, person.name, person.password, enrolled.secret)


def _with_recovery_codes(gate: StepUp, person: Person) -> Person:
    context = _signed_in(person.actor, 1)
    try:
        gate.factors.new_recovery_codes(context)
    except StepUpRequired as needed:
        _prove(gate, needed, context, "totp", _code(person.totp_secret, Past(minutes=10)))
    codes = gate.factors.new_recovery_codes(context)
    return Person(person.actor, person.name, person.password, person.totp_secret, codes)


def _signed_in(actor: Actor, hours_ago: float) -> Context:
    at = datetime.now(UTC) - timedelta(hours=hours_ago, minutes=1)
    return Context(actor, session=Session(secrets.token_hex(16), at))


def _prove(gate: StepUp, needed: StepUpRequired, context: Context, method: str, response: str) -> None:
    challenge = gate.start_offer(needed.offer, context)
    proved = gate.verify(challenge.id, method, response, context)
    assert isinstance(proved, Verified)


def _code(secret: str, clock: Past) -> str:
    """What the authenticator app shows."""
    from pyotp import totp

    return totp.TOTP(secret).at(clock.now())


_ADJECTIVES = ("quiet", "early", "amber", "patient", "northern", "hidden")
_BIRDS = ("heron", "curlew", "plover", "avocet", "dunlin", "redshank")

"""The demo's gate, and its people: passwords for all, an authenticator app and recovery codes for the owner.

She enrolled the authenticator two days before, since a factor added under a weaker proof counts after 24 hours only,
and the recovery codes the day before; that part runs under clocks of its own.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from stepup import Actor, Context, Session, StepUp, StepUpRequired, Verified
from stepup.event import Event
from stepup.factor import Factor
from stepup.ports import Clock, Store
from stepup.verifiers import Approval, EmailCode, Passkey, Password, RecoveryCode

from .actions import MAY_START, actions
from .clock import Ahead, Past, RealTimeTOTP
from .people import Mails, People, Person
from .risk import Browsers, rules
from .workspace import Member, Workspace, furnished

WITH_APP, WITH_CODES = 51, 25
"""How many hours ago the owner enrolled them; a change of the last day would count as a risk."""


@dataclass
class Parts:
    """What the gate is made of, and the application shares."""

    store: Store
    secret: bytes = field(repr=False)
    people: People
    mails: Mails
    origin: str = "http://localhost:8000"
    clock: Ahead = field(default_factory=Ahead)
    browsers: Browsers = field(default_factory=Browsers)
    workspace: Workspace = field(default_factory=lambda: Workspace({}))


def build_gate(parts: Parts, clock: Clock | None = None, on_event: Callable[[Event], object] | None = None) -> StepUp:
    """What an application writes once, at start-up."""
    return StepUp(
        actions=actions(parts.workspace),
        verifiers=[
            Passkey(rp_id="localhost", rp_name="Northstar", origins=[parts.origin]),
            RealTimeTOTP(parts.clock if clock is None else Ahead()),
            Password(check=parts.people.check, version_of=parts.people.version_of),
            EmailCode(mailer=parts.mails),
            RecoveryCode(),
            Approval(
                roles_of=lambda context: [parts.workspace.role_of(context.actor.id)],
                addresses=lambda asked: [one.email for one in parts.workspace.managers(but=asked.requester)],
                inbox_url=f"{parts.origin}/approvals",
            ),
        ],
        store=parts.store,
        secret=parts.secret,
        mailer=parts.mails,
        clock=clock or parts.clock,
        risk=rules(parts.browsers),
        may_start=lambda action, context: action in MAY_START,  # noqa: ARG005 -- the hook's signature
        on_event=on_event,
        enrol_url="/factors",
        login_url="/",
    )


def seeded(store: Store, secret: bytes, mails: Mails, origin: str) -> Parts:
    """New people in *store*, the owner with everything enrolled, and a workspace for them."""
    owner, *others = [_person(name, role) for name, role in _PEOPLE]
    quiet = Mails(len)  # nobody reads what enrolling mails
    alone = Parts(store, secret, People([owner]), quiet, origin)
    alone.browsers.signed_in(owner.actor.id, "")  # she has none yet
    with_app = _with_authenticator(build_gate(alone, Past(hours=WITH_APP)), owner)
    complete = _with_recovery_codes(build_gate(alone, Past(hours=WITH_CODES)), with_app)
    people = People([complete, *others])
    workspace = furnished({one.id: one for one in map(_member, people.everybody)})
    return Parts(store, secret, people, mails, origin, workspace=workspace)


def _person(name: str, role: str) -> Person:
    own = "usr_4096" if name == "Marcus Vale" else f"usr_{secrets.token_hex(4)}"
    email = f"{name.split()[0].lower()}@northstar.example"
    password = f"{secrets.choice(_ADJECTIVES)} {secrets.choice(_BIRDS)} {secrets.token_hex(3)}"
    return Person(Actor(own, email=email), name, role, password)


def _member(one: Person) -> Member:
    since = dict(zip((name for name, _ in _PEOPLE), _SINCE, strict=True))
    return Member(one.actor.id, one.name, one.email, one.role, since[one.name])


def _with_authenticator(gate: StepUp, person: Person) -> Person:
    context = _signed_in(person.actor, WITH_APP)
    try:
        gate.factors.enrol_totp(context)
    except StepUpRequired as needed:
        _prove(gate, needed, context, "password", person.password)
    enrolled = gate.factors.enrol_totp(context, label="Phone")
    confirmed = gate.factors.confirm_totp(context, enrolled.factor_id, _code(enrolled.secret, Past(hours=WITH_APP)))
    assert isinstance(confirmed, Factor)
    return replace(person, totp_secret=enrolled.secret)


def _with_recovery_codes(gate: StepUp, person: Person) -> Person:
    context = _signed_in(person.actor, WITH_CODES)
    try:
        gate.factors.new_recovery_codes(context)
    except StepUpRequired as needed:
        _prove(gate, needed, context, "totp", _code(person.totp_secret, Past(hours=WITH_CODES)))
    return replace(person, recovery_codes=gate.factors.new_recovery_codes(context))


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


_PEOPLE = (
    ("Olivia Hart", "owner"), ("Marcus Vale", "admin"), ("Priya Nair", "member"), ("Tomas Lindqvist", "member"),
)  # fmt: skip
_SINCE = ("March 2024", "June 2024", "January 2025", "September 2025")
_ADJECTIVES = ("quiet", "early", "amber", "patient", "northern", "hidden")
_BIRDS = ("heron", "curlew", "plover", "avocet", "dunlin", "redshank")

"""The whole flow, for a person to watch: blocked, proved by each method, opened, and every misuse refused.

Run it with ``python3 -m nox -s quickstart``. Nothing is played: the password has an Argon2 hash, the authenticator
codes come from pyotp, the mailed codes travel through an SMTP server on this machine. Only waiting is cut short:
the clock is the real one plus the time the demonstration skips.

It ends with 0 if everything that must pass passed and everything that must be refused was refused.

Reading order: ``build_gate`` (what an application writes once), ``delete_organization`` (what it guards),
``prove`` (the ceremony), then ``main``.
"""

from __future__ import annotations

import asyncio
import email
import secrets
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Self

import pyotp
from aiosmtpd.smtp import SMTP
from argon2 import PasswordHasher

from stepup import (
    Action,
    Actor,
    Context,
    Denied,
    Device,
    Event,
    Rejected,
    Resource,
    Risk,
    Session,
    StepUp,
    StepUpRequired,
    Verified,
    any_of,
)
from stepup.errors import Refused
from stepup.mailers import SMTPMailer
from stepup.stores.memory import MemoryStore
from stepup.verifiers import TOTP, EmailCode, Password, RecoveryCode

DELETE = "organization.delete"
TRANSFER = "organization.transfer"
PARAMS = {"backups": "keep for 30 days"}
PASSWORD = "seven quiet herons over the estuary"


# -- what stands in for an application --------------------------------------------


class Clock:
    """The real clock, plus what the demonstration has skipped."""

    def __init__(self, skipped: timedelta) -> None:
        self.skipped = skipped

    def now(self) -> datetime:
        return datetime.now(UTC) + self.skipped

    def skip(self, **time: float) -> None:
        self.skipped += timedelta(**time)


class MailServer:
    """A real SMTP server on loopback, on a port the system picks. ``mails`` is what it has taken."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.port = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    async def _serve(self) -> None:
        self._loop, self._done = asyncio.get_running_loop(), asyncio.Event()
        server = await self._loop.create_server(lambda: SMTP(self, hostname="localhost"), "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        async with server:
            await self._done.wait()

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: ARG002, N802 -- aiosmtpd's signature
        mail = email.message_from_bytes(envelope.content, _class=EmailMessage, policy=policy.default)
        self.mails.append(mail)
        return "250 taken"

    def text(self) -> str:
        """The text part of the newest mail."""
        part = self.mails[-1].get_body(("plain",))
        assert part is not None
        return str(part.get_content())

    def code(self) -> str:
        """The code in the newest mail: its last line is ``@domain #code``."""
        return self.text().strip().rpartition("#")[2]

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the mail server did not start")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(10)


@dataclass
class Users:
    """The application's own user table."""

    hashes: dict[str, str] = field(default_factory=dict[str, str])

    def hash_of(self, actor: Actor) -> str | None:
        return self.hashes.get(actor.id)


def build_gate(users: Users, mail: MailServer, clock: Clock) -> StepUp:
    """What an application writes once, at start-up."""
    every_method = any_of("totp", "password", "email_code", "recovery_code")
    return StepUp(
        actions=[
            # Critical: one use, two minutes, the token must be presented. By default only the strongest method a
            # person holds would do; this action names four, so that each of them can be shown.
            Action(DELETE, "Delete organization", risk=Risk.CRITICAL, methods=every_method),
            Action(TRANSFER, "Transfer organization", risk=Risk.CRITICAL, methods=every_method),
        ],
        verifiers=[
            Password(hash_of=users.hash_of),
            TOTP(issuer="Northstar"),
            EmailCode(SMTPMailer("127.0.0.1", mail.port, sender="Northstar <no-reply@northstar.example>")),
            RecoveryCode(),
        ],
        store=MemoryStore(),
        secret=secrets.token_bytes(32),
        clock=clock,
        record="all",  # also store an event for what costs no store call otherwise, so that the trail is complete
    )


# -- what a person reads ------------------------------------------------------------


def title(text: str) -> None:
    print(f"\n{text}\n{'-' * len(text)}")


def say(text: str = "") -> None:
    print(f"  {text}" if text else "")


def fact(label: str, value: object) -> None:
    print(f"     {label:<10} {value}")


class NotAsPromised(Exception):
    """Something passed that must be refused, or the other way round."""


# -- the demonstration ----------------------------------------------------------------


class Demonstration:
    def __init__(self, mail: MailServer) -> None:
        self.mail = mail
        self.clock = Clock(timedelta(hours=-25))
        self.users = Users({"usr_2048": PasswordHasher().hash(PASSWORD)})
        self.gate = build_gate(self.users, mail, self.clock)
        self.context = Context(
            actor=Actor("usr_2048", email="olivia@northstar.example"),
            session=Session("a-session-id-from-the-cookie", authenticated_at=self.clock.now()),
            device=Device("a-browser-fingerprint", label="MacBook Pro / Safari"),
            ip="192.0.2.44",
            user_agent="Safari/26",
        )
        self.organizations = {f"org_{number}": f"Northstar {number}" for number in range(1, 7)}
        self.authenticator = pyotp.TOTP(pyotp.random_base32())
        self.recovery_codes: tuple[str, ...] = ()
        self.misuses = 0

    # what the application guards

    def delete_organization(
        self,
        org: str,
        token: str | None = None,
        *,
        context: Context | None = None,
        params: dict[str, str] | None = None,
    ) -> None:
        """Permission first, step-up second, and then the mutation at once."""
        where = Resource("organization", org, label=self.organizations.get(org))
        self.gate.require(DELETE, context or self.context, resource=where, params=params or PARAMS, token=token)
        del self.organizations[org]

    def blocked(self, org: str) -> StepUpRequired:
        """The call as it is first made, without proof."""
        try:
            self.delete_organization(org)
        except StepUpRequired as needed:
            return needed
        raise NotAsPromised(f"{org} was deleted without proof")

    # the ceremony

    def prove(self, offer: str, method: str, answer: Callable[[], str]) -> str:
        """Open the challenge an offer describes, answer it, and return the token."""
        challenge = self.gate.start_offer(offer, self.context, reason="closing the test organization")
        self.gate.begin(challenge.id, method, self.context)
        return self.answered(challenge.id, method, answer())

    def answered(self, challenge_id: str, method: str, response: str) -> str:
        result = self.gate.verify(challenge_id, method, response, self.context)
        if not isinstance(result, Verified):
            raise NotAsPromised(f"a right {method} was not accepted: {result}")
        return result.token

    def totp_code(self) -> str:
        """What the authenticator app shows now."""
        return self.authenticator.at(self.clock.now())

    def next_totp_code(self) -> str:
        """What it shows half a minute later: a code is good once."""
        self.clock.skip(seconds=30)
        return self.totp_code()

    def wrong_totp_code(self) -> str:
        """Six digits that no step near now has."""
        near = {self.authenticator.at(self.clock.now() + timedelta(seconds=30 * step)) for step in range(-2, 3)}
        return next(code for code in ("123456", "234567", "345678", "456789", "567890", "678901") if code not in near)

    def by_password(self, org: str) -> str:
        """A token for deleting *org*."""
        return self.prove(self.blocked(org).offer, "password", lambda: PASSWORD)

    # 1

    def enrol(self) -> None:
        title("1  Olivia enrols, yesterday and today")
        say("She has a password and a mail address. Adding an authenticator app is itself protected, by the strongest")
        say("method she holds, which is the password:")
        try:
            self.gate.factors.enrol_totp(self.context)
        except StepUpRequired as needed:
            fact("blocked", f"{needed.action}: {needed.code}, methods {', '.join(needed.methods)}")
            self.prove(needed.offer, "password", lambda: PASSWORD)
        enrolment = self.gate.factors.enrol_totp(self.context, label="Phone")
        self.authenticator = pyotp.TOTP(enrolment.secret)
        factor = self.gate.factors.confirm_totp(self.context, enrolment.factor_id, self.totp_code())
        if isinstance(factor, Rejected) or factor.quarantined_until is None:
            raise NotAsPromised("a stronger factor added under a password counts at once")
        fact(
            "enrolled", f"authenticator app, confirmed by its first code; it counts from {at(factor.quarantined_until)}"
        )
        fact("why", "it was added under a weaker proof, the password, so it waits for 24 hours")
        fact("told", f"by mail: {self.mail.mails[-1]['Subject']}")
        self.clock.skip(hours=25)
        say("A day later she signs in again and takes recovery codes, proved with the authenticator:")
        self.context = replace(
            self.context, session=Session("another-session-id", authenticated_at=self.clock.now() - timedelta(hours=1))
        )
        try:
            self.gate.factors.new_recovery_codes(self.context)
        except StepUpRequired as needed:
            fact("blocked", f"{needed.action}: {needed.code}, methods {', '.join(needed.methods)}")
            self.prove(needed.offer, "totp", self.next_totp_code)
        self.recovery_codes = self.gate.factors.new_recovery_codes(self.context)
        fact("issued", f"{len(self.recovery_codes)} codes, shown once, the first is {self.recovery_codes[0]}")
        fact("told", f"by mail: {self.mail.mails[-1]['Subject']}")

    # 2

    def block(self) -> None:
        title(f"2  {DELETE} is blocked")
        say("She is signed in, and has the right to do it. That is not proof that she is still there.")
        needed = self.blocked("org_1")
        fact("answer", f"{needed.code} (level {int(needed.decision.level)}, {needed.decision.acr})")
        why = ", ".join(reason.code for reason in needed.decision.reasons)
        fact("why", f"what she proved for her recovery codes is for another {why}")
        fact("methods", f"{', '.join(needed.methods)}: this action names four, and any of them will do")
        fact("offer", f"{needed.offer[:24]}...  ({len(needed.offer)} characters, for her in this session, 10 minutes)")
        fact("org_1", "still there")

    # 3

    def prove_each(self) -> None:
        title("3  Proved with each method")
        answers: list[tuple[str, str, str, Callable[[], str]]] = [
            ("password", "Password", "checked against its Argon2 hash", lambda: PASSWORD),
            ("totp", "Authenticator code", "RFC 6238, made by pyotp", self.next_totp_code),
            ("email_code", "Mailed code", "read from the mail server below", self.mail.code),
            ("recovery_code", "Recovery code", "the first of the set, now used up", lambda: self.recovery_codes[0]),
        ]
        for number, (method, name, how, answer) in enumerate(answers, 1):
            org = f"org_{number}"
            token = self.prove(self.blocked(org).offer, method, answer)
            self.delete_organization(org, token)
            say(f"{name} ({how})")
            fact("verified", "one grant: this action, this organization, these params, this person and session")
            fact("token", f"{token[:24]}...  ({len(token)} characters, 2 minutes, one use)")
            fact(org, "deleted")
        say("The mail she got for the third, and the subject of the one that told her of the fourth:")
        code_mail, notice = self.mail.mails[-2:]
        fact("subject", code_mail["Subject"])
        part = code_mail.get_body(("plain",))
        for line in str(part.get_content() if part else "").strip().splitlines():
            for row in textwrap.wrap(line, 88) or [""]:
                print(f"     | {row}".rstrip())
        fact("subject", notice["Subject"])

    # 4

    def refused(self, what: str, code: str, reason: str, call: Callable[[], object]) -> None:
        """Show one misuse, and insist on how it is refused."""
        self.misuses += 1
        try:
            answer: object = call()
        except Refused as error:
            answer = error
        if isinstance(answer, Rejected):
            newest = self.events(1)[0]
            got, why = answer.code, newest.reason or ""
        elif isinstance(answer, StepUpRequired | Denied):
            got, why = answer.decision.code, ", ".join(one.code for one in answer.decision.reasons)
        else:
            raise NotAsPromised(f"not refused: {what}")
        say(f"{self.misuses:>2}  {what}")
        print(f"          answer {got:<22} audit {why}")
        if got != code or reason not in why.split(", "):
            raise NotAsPromised(f"refused as {got} ({why}) instead of {code} ({reason}): {what}")

    def misuse(self) -> None:
        title("4  Misuse, all of it refused")
        say("The answer is what the caller learns; the reason is what the audit keeps.")
        say()
        self.misuse_tokens()
        self.misuse_codes()
        self.misuse_sessions()

    def misuse_tokens(self) -> None:
        token = self.by_password("org_5")
        elsewhere = replace(self.context, session=Session("stolen-session-id"))
        marek = Context(
            actor=Actor("usr_4096", email="marek@northstar.example"),
            session=self.context.session,
            device=self.context.device,
        )
        middle = len(token) // 2
        edited = token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :]
        delete, where = self.delete_organization, Resource("organization", "org_5")
        invalid = "grant_invalid"
        self.refused("The token for another organization", invalid, "resource", lambda: delete("org_6", token))
        self.refused(
            "The token with other params", invalid, "params", lambda: delete("org_5", token, params={"backups": "none"})
        )
        self.refused(
            "The token in another session", invalid, "session", lambda: delete("org_5", token, context=elsewhere)
        )
        self.refused("The token in other hands", invalid, "actor", lambda: delete("org_5", token, context=marek))
        self.refused(
            "The token for another action",
            invalid,
            "action",
            lambda: self.gate.require(TRANSFER, self.context, resource=where, params=PARAMS, token=token),
        )
        self.refused("The token with one character changed", invalid, "token_unknown", lambda: delete("org_5", edited))
        self.delete_organization("org_5", token)
        say("    The same token, for what it was made for: org_5 deleted.")
        self.organizations["org_5"] = "Northstar 5"
        self.refused("The token a second time", invalid, "spent", lambda: delete("org_5", token))
        late = self.by_password("org_5")
        self.clock.skip(seconds=120)
        self.refused("A token two minutes later", invalid, "expired", lambda: delete("org_5", late))

    def misuse_codes(self) -> None:
        verify, context = self.gate.verify, self.context
        doomed = self.gate.start_offer(self.blocked("org_5").offer, context)
        for _ in range(doomed.max_attempts):
            if verify(doomed.id, "totp", self.wrong_totp_code(), context):
                raise NotAsPromised("a wrong code was accepted")
        self.clock.skip(minutes=1)  # past the pause that five failures bring: only the challenge stands in the way
        self.refused(
            "Five wrong codes, then the right one",
            "challenge_closed",
            "challenge_failed",
            lambda: verify(doomed.id, "totp", self.next_totp_code(), context),
        )
        code = self.next_totp_code()
        self.prove(self.blocked("org_5").offer, "totp", lambda: code)
        again = self.gate.start_offer(self.blocked("org_5").offer, context)
        self.refused(
            "The same authenticator code again",
            "verification_failed",
            "replayed",
            lambda: verify(again.id, "totp", code, context),
        )
        old = new = ""
        while old == new:  # once in a million, the second code is the first one again
            self.clock.skip(minutes=10)  # three mails in ten minutes are the limit
            resent = self.gate.start_offer(self.blocked("org_5").offer, context).id
            self.gate.begin(resent, "email_code", context)
            old = self.mail.code()
            self.clock.skip(seconds=61)
            self.gate.begin(resent, "email_code", context)
            new = self.mail.code()
        self.refused(
            "The first mailed code, after a second was sent",
            "verification_failed",
            "wrong",
            lambda: verify(resent, "email_code", old, context),
        )
        used = self.gate.start_offer(self.blocked("org_5").offer, context)
        self.refused(
            "A recovery code that was used before",
            "verification_failed",
            "wrong",
            lambda: verify(used.id, "recovery_code", self.recovery_codes[0], context),
        )

    def misuse_sessions(self) -> None:
        offer = self.blocked("org_5").offer
        elsewhere = replace(self.context, session=Session("stolen-session-id"))
        self.refused(
            "The offer in another session",
            "bad_request",
            "offer_invalid",
            lambda: self.gate.start_offer(offer, elsewhere),
        )
        token = self.by_password("org_5")
        self.gate.revoke(self.context, session=True)  # what an application does when somebody signs out
        self.refused(
            "A token after signing out",
            "grant_invalid",
            "revoked",
            lambda: self.delete_organization("org_5", token),
        )
        self.users.hashes["usr_2048"] = PasswordHasher().hash("a password set by whoever reads her mail")
        reset = self.gate.start_offer(self.blocked("org_5").offer, self.context)
        self.refused(
            "A password that was reset by mail a moment ago",
            "method_not_allowed",
            "method_not_allowed",
            lambda: self.gate.verify(reset.id, "password", "a password set by whoever reads her mail", self.context),
        )
        if sorted(self.organizations) != ["org_5", "org_6"]:
            raise NotAsPromised(f"left are {sorted(self.organizations)}")
        say()
        say(f"{self.misuses} of {self.misuses} refused. org_5 and org_6 are still there.")

    # 5

    def events(self, limit: int) -> list[Event]:
        """Olivia's events, newest first."""
        page = self.gate.events(self.context.actor, limit=limit)
        return [one for one in page.items if isinstance(one, Event)]

    def trail(self) -> None:
        events = self.events(500)
        title(f"5  The audit trail of {self.context.actor.id}, oldest first ({len(events)} events)")
        say("Every answer and every change. A refused authorization is a call that was blocked: the reason says what")
        say("the grants of her session were made for instead, or what became of them.")
        print(f"     {'time (UTC)':<19}  {'what':<24} {'result':<8} {'method':<14} reason")
        for one in reversed(events):
            what = f"{one.type.value:<24} {one.result:<8} {one.method or '':<14}"
            print(f"     {at(one.at):<19}  {what} {one.reason or ''}".rstrip())


def at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def main() -> int:
    started = time.monotonic()
    print("stepup: fresh proof before dangerous actions\n============================================")
    with MailServer() as mail:
        demonstration = Demonstration(mail)
        print(f"\nA mail server listens on 127.0.0.1:{mail.port}. Everything else is in this process.")
        try:
            demonstration.enrol()
            demonstration.block()
            demonstration.prove_each()
            demonstration.misuse()
            demonstration.trail()
        except NotAsPromised as problem:
            print(f"\nNOT AS PROMISED: {problem}", file=sys.stderr)
            return 1
    print(f"\nEverything went as promised, in {time.monotonic() - started:.1f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

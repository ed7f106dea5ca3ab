"""The ceremony for scripts: ``confirm`` asks a person at the terminal before damage is done.

::

    from stepup import Actor, Resource, terminal

    terminal.confirm(gate, "db.wipe", actor=Actor("ops-1"), resource=Resource("database", "prod"))
    wipe()                                    # reached only after a proof for exactly this

Reading order: ``confirm``, ``_Ceremony`` (one challenge, from what is shown to the last answer), ``Console``
(the terminal this process was started from; ``Terminal`` is the protocol for another), then the sentences.

The person sees the challenge itself, not what the script says about it. Everything goes to the terminal device,
so pipes on standard output stay clean; secrets are read without echo or not at all. What came from outside is
printed without control characters, and a long value can not wrap into what looks like another line.
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import math
import os
import socket
import sys
import unicodedata
import warnings
from collections.abc import Generator, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from ._bridge import is_async
from ._sync import StepUp
from .challenge import Challenge
from .context import Actor, Context, Device, Resource
from .decide.attempt import MoreNeeded, Rejected, Verified
from .decision import Authorization, Decision, Outcome, Reason
from .errors import Code, DeliveryFailed, Denied, InvalidInput, NotInteractive, StepUpError, StepUpRequired, WrongColour
from .policy import Params, Risk

__all__ = ["Cancelled", "Console", "Terminal", "confirm", "this_machine"]

_INPUT, _OUTPUT = ("CONIN$", "CONOUT$") if os.name == "nt" else ("/dev/tty", "/dev/tty")
_ELSEWHERE: Final = frozenset({"passkey", "approval"})
"""Methods that somebody at a text terminal can not answer."""

_NAMES: Final = {
    "totp": "code from your authenticator app",
    "password": "password",
    "email_code": "mailed code",
    "recovery_code": "recovery code",
}
_WIDTH: Final = 60


class Cancelled(StepUpError):
    """The person at the terminal said no. The challenge is closed and nothing was unlocked."""

    code = Code.CANCELLED


class Terminal(Protocol):
    """Where the person is asked. Give ``confirm`` your own to ask elsewhere than on the terminal.

    ``ask`` and ``secret`` return one line without its end. They raise ``EOFError`` where the person closes the
    input and ``KeyboardInterrupt`` where they interrupt; both mean no.
    """

    def say(self, text: str, /) -> None:
        """Show *text*, which may have several lines."""
        ...

    def ask(self, question: str, /) -> str:
        """Ask for something that may be seen."""
        ...

    def secret(self, question: str, /) -> str:
        """Ask for something that must not be seen, and show nothing of it."""
        ...


def confirm(
    gate: StepUp,
    action: str,
    *,
    actor: Actor,
    resource: Resource | None = None,
    params: Params | None = None,
    organization: str | None = None,
    reason: str | None = None,
    terminal: Terminal | None = None,
) -> Authorization:
    """Return once *actor* has proved at the terminal that this very call may run, or raise.

    Call it as close to the damage as possible; it is worth one call. Where nothing needs to be proved it returns
    at once. A script has no session, so no login is ever fresh and the grant is never found by a later run,
    unless the action leaves ``"session"`` out of its ``binds``. The device bound is ``this_machine()``.

    Args:
        gate: a sync gate. Its store should outlive the process, or every run starts with fresh attempt limits.
        action: the id of a registered action.
        actor: who must prove it. Take the id from the script's own configuration, not from its arguments.
        resource: what the action is done to.
        params: the data that matter; shown to the person, and bound.
        organization: bound, where the product has organizations.
        reason: why, in the person's own words; for the audit.
        terminal: where to ask; the controlling terminal of this process by default.

    Raises:
        Cancelled: the person left: an empty answer, ``q`` where methods are offered, Ctrl-C, Ctrl-D.
        Denied: nothing that can be proved here opens it; the person was told why and what helps.
        NotInteractive: proof is needed and nobody can give it: a pipe, a job, no terminal. No challenge was opened.
        WrongColour: for an ``AsyncStepUp``.
        UnknownAction: for an action nobody registered.
        InvalidInput: for a value of the wrong type or size.
        DeliveryFailed: the code could not be sent, and there is no other method.
        StoreUnavailable: the outcome is not known; treat it as refused.
    """
    _require_sync(gate)
    context = Context(actor, device=this_machine(), organization=organization)
    try:
        return gate.require(action, context, resource=resource, params=params)
    except Denied as denied:
        with contextlib.suppress(NotInteractive):
            _tell(Console() if terminal is None else terminal, gate, denied)
        raise
    except StepUpRequired as error:
        needed = error.decision
    screen: Terminal = Console() if terminal is None else terminal
    try:
        if _ELSEWHERE.issuperset(needed.methods):
            raise Denied(_ended(needed.action, needed.level, Code.NO_USABLE_METHOD, "not_at_a_terminal"))
        challenge = gate.start(action, context, resource=resource, params=params, reason=reason)
        verified = _Ceremony(gate, challenge, context, screen).run()
    except (Denied, DeliveryFailed) as error:
        _tell(screen, gate, error)
        raise
    return gate.require(action, context, resource=resource, params=params, token=verified.token)


def this_machine() -> Device:
    """The device that a script's proofs are bound to: this host and the user that runs the script.

    The fingerprint is the same for every script of that user on this host. It is no secret and no evidence:
    whoever may run programs here can have it.
    """
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = "somebody"
    host = socket.gethostname()
    digest = hashlib.sha256(f"stepup.terminal\0{host}\0{user}".encode(errors="backslashreplace")).hexdigest()
    return Device(f"terminal:{digest[:32]}", label=f"{user} at {host} (terminal)")


def _require_sync(gate: object) -> None:
    if isinstance(gate, StepUp):
        return
    if is_async(getattr(gate, "require", None)):
        raise WrongColour(
            f"terminal.confirm() was given an {type(gate).__name__}.",
            remedy="A script waits for its person anyway: make a StepUp over a sync store.",
        )
    raise InvalidInput("gate", f"must be a StepUp, not {type(gate).__name__}")


class _Ceremony:
    """One challenge at one terminal: show, choose, ask, until it is verified or ends."""

    def __init__(self, gate: StepUp, challenge: Challenge, context: Context, screen: Terminal) -> None:
        self.gate, self.challenge, self.context, self.screen = gate, challenge, context, screen
        self.begun: set[str] = set()
        self.closed: dict[str, Denied | DeliveryFailed] = {}
        self.told: set[str] = set()

    def run(self) -> Verified:
        """The verified challenge; whatever else happens, it is not left open."""
        try:
            return self._answered()
        except BaseException as error:
            with contextlib.suppress(StepUpError):  # it expires by itself where the store can not be reached
                self.gate.cancel(self.challenge.id, self.context)
            if not isinstance(error, KeyboardInterrupt | EOFError):
                raise
        with contextlib.suppress(EOFError):
            self.screen.say("Cancelled. Nothing was done.")
        raise Cancelled(f"{self.challenge.binding.action}: cancelled at the terminal.")

    def _answered(self) -> Verified:
        self.screen.say(_described(self.challenge, self.gate.core.now()))
        methods: Sequence[str] = self.challenge.allowed
        while True:
            method = self._choose(methods)
            answer = self._answer(method)
            if answer is None:
                continue
            result = self.gate.verify(self.challenge.id, method, answer, self.context)
            if isinstance(result, Verified):
                self.screen.say("Confirmed.")
                return result
            if isinstance(result, MoreNeeded):
                methods = result.remaining
                self.screen.say(f"That was right. Still needed: {' or '.join(_name(one) for one in methods)}.")
            else:
                self._rejected(method, result)

    def _choose(self, methods: Sequence[str]) -> str:
        """The method to answer with: the only one, or the one the person picks."""
        left = [one for one in methods if one not in _ELSEWHERE and one not in self.closed]
        if not left:
            last = next((self.closed[one] for one in reversed(self.closed) if one in methods), None)
            raise last or self._end(Code.NO_USABLE_METHOD, "not_at_a_terminal")
        for closed in self.closed.keys() - self.told:
            self.screen.say(f"{_name(closed).capitalize()}: {_why_not(self.closed[closed], self.gate.core.now())}")
            self.told.add(closed)
        if len(left) == 1:
            return left[0]
        lines = [f"  {number}  {_name(one)}" for number, one in enumerate(left, 1)]
        self.screen.say("\n".join(["You can confirm with:", *lines]))
        picks = {str(number): one for number, one in enumerate(left, 1)} | {one: one for one in left} | {"": left[0]}
        while True:
            said = self.screen.ask(f"Which one? [1-{len(left)}, Enter for 1, q to cancel] ").strip().lower()
            if said in {"q", "quit"}:
                raise EOFError
            if said in picks:
                return picks[said]
            self.screen.say(f"Please answer with a number from 1 to {len(left)}, or q.")

    def _answer(self, method: str) -> str | None:
        """What the person typed; None where the method can not be used after all, as ``closed`` says."""
        prepares = self.gate.core.methods[method].prepares
        if prepares and method not in self.begun:
            try:
                self._begin(method)
            except (Denied, DeliveryFailed) as error:
                self.closed[method] = error
                return None
        hint = "not shown; r for a new one, Enter to cancel" if prepares else "not shown; Enter to cancel"
        while True:
            answer = self.screen.secret(f"{_name(method).capitalize()} ({hint}): ")
            if not answer:
                raise EOFError
            if not prepares or answer.strip().lower() != "r":
                return answer
            try:
                self._begin(method)
            except (Denied, DeliveryFailed) as error:
                self.screen.say(_why_not(error, self.gate.core.now()))

    def _begin(self, method: str) -> None:
        prompt = self.gate.begin(self.challenge.id, method, self.context)
        if prompt.options:
            raise self._end(Code.NO_USABLE_METHOD, "not_at_a_terminal")
        self.begun.add(method)
        if prompt.sent_to is not None:
            again = f" (a new one can be sent {_when(prompt.resend_at, self.gate.core.now())})" * bool(prompt.resend_at)
            self.screen.say(f"A code is on its way to {_printable(prompt.sent_to)}{again}.")

    def _rejected(self, method: str, result: Rejected) -> None:
        """Tell the person what is left; raise where the challenge has ended."""
        if result.code is Code.VERIFICATION_FAILED and result.attempts_left:
            left = "1 try" if result.attempts_left == 1 else f"{result.attempts_left} tries"
            self.screen.say(f"That was not accepted; {left} left.")
            return
        end = self._end(result.code, "refused", result.retry_at)
        if result.code is Code.LOCKED_OUT and result.retry_at and result.retry_at < self.challenge.expires_at:
            self.screen.say(_why_not(end, self.gate.core.now()))
        elif result.code in {Code.LOCKED_OUT, Code.METHOD_NOT_ALLOWED}:
            self.closed[method] = end
        else:
            raise end

    def _end(self, code: Code, why: str, retry_at: datetime | None = None) -> Denied:
        return Denied(_ended(self.challenge.binding.action, self.challenge.level, code, why, retry_at))


class Console:
    """The terminal this process was started from, whatever its standard output and error are sent to.

    Raises:
        NotInteractive: where standard input is not a terminal, or there is no terminal to ask on.
    """

    def __init__(self) -> None:
        try:
            seated = sys.stdin is not None and sys.stdin.isatty()  # None without a console on Windows
        except ValueError:  # it was closed
            seated = False
        if not seated:
            raise NotInteractive("Somebody must confirm this at a terminal, and standard input is not one.")
        try:
            self._write("")
        except OSError:
            raise NotInteractive(
                "Somebody must confirm this at a terminal, and this process has no controlling terminal."
            ) from None

    def say(self, text: str, /) -> None:
        """Show *text*."""
        with _hung_up():
            self._write(f"{text}\n")

    def ask(self, question: str, /) -> str:
        """Ask for something that may be seen."""
        with _hung_up(), self._on_a_new_line():
            self._write(question)
            with Path(_INPUT).open(encoding="locale", errors="replace") as device:
                line = device.readline()
            if not line:
                raise EOFError
            return line.removesuffix("\n")

    def secret(self, question: str, /) -> str:
        """Ask without echo.

        Raises:
            NotInteractive: if the terminal can not be kept from showing what is typed.
        """
        while True:
            with _hung_up(), self._on_a_new_line(), warnings.catch_warnings():
                warnings.simplefilter("error", getpass.GetPassWarning)
                try:
                    return getpass.getpass(question)
                except getpass.GetPassWarning:
                    raise NotInteractive("This terminal can not hide what is typed.") from None
                except UnicodeDecodeError:
                    self._write("\nThat is not text in this terminal's encoding. Please type it again.\n")

    def _write(self, text: str) -> None:
        with Path(_OUTPUT).open("w", encoding="locale", errors="backslashreplace") as device:
            device.write(text)

    @contextlib.contextmanager
    def _on_a_new_line(self) -> Generator[None, None, None]:
        """After Ctrl-C or Ctrl-D the cursor still stands behind the question."""
        try:
            yield
        except (KeyboardInterrupt, EOFError):
            self._write("\n")
            raise


@contextlib.contextmanager
def _hung_up() -> Generator[None, None, None]:
    """A terminal that has gone away is an input that was closed."""
    try:
        yield
    except OSError as error:
        raise EOFError("the terminal has gone away") from error


# -- what is said ---------------------------------------------------------------


def _described(challenge: Challenge, now: datetime) -> str:
    """What is approved: from the challenge, one line a fact."""
    bound = challenge.binding
    facts = [("Action", bound.action), ("Risk", Risk(challenge.level).name.lower())]
    if bound.resource_type is not None and bound.resource_id is not None:
        label = f" ({challenge.resource_label})" if challenge.resource_label else ""
        facts.append(("Resource", f"{bound.resource_type} {bound.resource_id}{label}"))
    if bound.organization is not None:
        facts.append(("Organization", bound.organization))
    behalf = f" on behalf of {bound.on_behalf_of}" if bound.on_behalf_of else ""
    facts.append(("Requested by", f"{bound.actor}{behalf}"))
    facts += [("From", challenge.device_label or ""), ("Reason", challenge.reason or "")]
    lines = ["", f"Please confirm: {_printable(challenge.label)}", ""]
    lines += [line for name, value in facts if value for line in _wrapped(f"  {name:<14}", value)]
    if challenge.shown:
        lines += [
            "  Parameters",
            *(line for name, value in challenge.shown for line in _wrapped("    ", f"{name}: {value}")),
        ]
    return "\n".join([*lines, "", f"Answer {_when(challenge.expires_at, now, 'by')}. Ctrl-C cancels."])


def _wrapped(start: str, value: str) -> Iterator[str]:
    """*value* in lines that all show whose they are, however long it is."""
    text, margin = _printable(value), " " * len(start)
    line, width = start, 0
    for character in text:
        wide = 2 if unicodedata.east_asian_width(character) in "FW" else 1
        if width + wide > _WIDTH:
            yield line
            line, width = f"{margin}| ", 2
        line, width = line + character, width + wide
    yield line


def _printable(text: str) -> str:
    """*text* without control, format and line-breaking characters: no escape sequence, no reversed reading."""
    kinds = ((character, unicodedata.category(character)) for character in text)
    return "".join("\N{REPLACEMENT CHARACTER}" if kind[0] == "C" or kind in {"Zl", "Zp"} else c for c, kind in kinds)


def _name(method: str) -> str:
    return _NAMES.get(method) or _printable(method)


def _when(at: datetime | None, now: datetime, word: str = "at") -> str:
    """A moment for a person: the time of day, and how far away."""
    if at is None:
        return "later"
    seconds = max(0, math.ceil((at - now).total_seconds()))
    far = f"{seconds} s" if seconds < 120 else f"{math.ceil(seconds / 60)} min"
    return f"{word} {at:%H:%M:%S} UTC, in {far}"


def _ended(action: str, level: int, code: Code, why: str, retry_at: datetime | None = None) -> Decision:
    return Decision(Outcome.DENIED, code, action, level, (Reason(why, public=True),), retry_at=retry_at)


_SENTENCES: Final = {
    Code.VERIFICATION_FAILED: "Too many answers were wrong, so this request is closed.",
    Code.CHALLENGE_EXPIRED: "The time to answer is over. Run the command again.",
    Code.CHALLENGE_CLOSED: "This request is closed: it was replaced, revoked or used up. Run the command again.",
    Code.CHALLENGE_NOT_FOUND: "This request no longer exists. Run the command again.",
    Code.METHOD_NOT_ALLOWED: "This can not be used any more: it was changed after the request was opened.",
    Code.LOCKED_OUT: "Locked after too many failures.",
    Code.RATE_LIMITED: "Too many requests in a short time.",
    Code.NO_USABLE_METHOD: "You have no method enrolled that may be used for this now.",
    Code.LOGIN_REQUIRED: "Only a recent sign-in opens this, and a script has none. Do it where you sign in.",
    Code.ACTION_BLOCKED: "This is blocked now, whatever is proved.",
}


def _why_not(error: Denied | DeliveryFailed, now: datetime) -> str:
    """Why not, and what helps, for a person."""
    if isinstance(error, DeliveryFailed):
        return "The code could not be sent."
    decision = error.decision
    if any(reason.code == "not_at_a_terminal" for reason in decision.reasons):
        return "This needs a method that can not be answered at a terminal. Do it in the browser."
    parts = [_SENTENCES.get(decision.code, f"This was refused ({decision.code.value}).")]
    if decision.retry_at is not None:
        parts.append(f"Try again {_when(decision.retry_at, now)}.")
    elif decision.code is Code.LOCKED_OUT:
        parts.append("Somebody from support can unlock it.")
    if decision.enrol_url is not None:
        parts.append(f"Enrol one at {_printable(decision.enrol_url)}")
    if decision.login_url is not None:
        parts.append(f"Sign in at {_printable(decision.login_url)}")
    return " ".join(parts)


def _tell(screen: Terminal, gate: StepUp, error: Denied | DeliveryFailed) -> None:
    with contextlib.suppress(EOFError):
        screen.say(_why_not(error, gate.core.now()))

"""One challenge at one terminal: show it, let the person choose a method, ask, until it is verified or ends."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from stepup._sync import StepUp
from stepup.challenge import Challenge
from stepup.context import APPROVAL, Context
from stepup.decide.answering import MoreNeeded, Rejected, Verified
from stepup.errors import Code, DeliveryFailed, Denied, StepUpError

from ._console import Terminal
from ._words import ELSEWHERE, asked, described, ended, named, printable, when, why_not

PATIENCE: Final = 3600.0
"""Seconds that somebody else's approval is waited for."""

POLL: Final = 3.0


class Cancelled(StepUpError):
    """The person at the terminal said no. The challenge is closed and nothing was unlocked."""

    code = Code.CANCELLED


class Ceremony:
    """One challenge at one terminal: show, choose, ask, until it is verified or ends."""

    def __init__(
        self,
        gate: StepUp,
        challenge: Challenge,
        context: Context,
        screen: Terminal,
        patience: float = PATIENCE,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self.gate, self.challenge, self.context, self.screen = gate, challenge, context, screen
        self.patience, self.pause = patience, pause
        self.waits = challenge.asked is not None
        self.begun: set[str] = set()
        self.closed: dict[str, Denied | DeliveryFailed] = {}
        self.told: set[str] = set()

    def run(self) -> Verified:
        """The verified challenge; whatever else happens, it is not left open, unless others were asked about it."""
        try:
            return self._answered()
        except BaseException as error:
            if not self.waits:
                with contextlib.suppress(StepUpError):  # it expires by itself where the store cannot be reached
                    self.gate.cancel(self.challenge.id, self.context)
            if not isinstance(error, KeyboardInterrupt | EOFError):
                raise
        with contextlib.suppress(EOFError):
            left = "The request stays open: run the same command again to go on." if self.waits else ""
            self.screen.say(f"Cancelled. Nothing was done. {left}".strip())
        raise Cancelled(f"{self.challenge.binding.action}: cancelled at the terminal.")

    def _answered(self) -> Verified:
        self.screen.say(described(self.challenge, self.gate.core.now()))
        methods: Sequence[str] = self.challenge.allowed
        while True:
            method = self._choose(methods)
            result = self._approval() if method == APPROVAL else self._typed(method)
            if result is None:
                continue
            if isinstance(result, Verified):
                self.screen.say("Confirmed.")
                return result
            if isinstance(result, MoreNeeded):
                methods = result.remaining
                self.screen.say(f"That was right. Still needed: {' or '.join(named(one) for one in methods)}.")
            else:
                self._rejected(method, result)

    def _choose(self, methods: Sequence[str]) -> str:
        """The method to answer with: the only one, or the one the person picks."""
        left = [one for one in methods if one not in ELSEWHERE and one not in self.closed]
        if not left:
            last = next((self.closed[one] for one in reversed(self.closed) if one in methods), None)
            raise last or self._end(Code.NO_USABLE_METHOD, "not_at_a_terminal")
        for closed in [one for one in self.closed if one not in self.told]:
            self.screen.say(f"{named(closed).capitalize()}: {why_not(self.closed[closed], self.gate.core.now())}")
            self.told.add(closed)
        if len(left) == 1:
            return left[0]
        lines = [f"  {number}  {named(one)}" for number, one in enumerate(left, 1)]
        self.screen.say("\n".join(["You can confirm with:", *lines]))
        picks = {str(number): one for number, one in enumerate(left, 1)} | {one: one for one in left} | {"": left[0]}
        while True:
            said = self.screen.ask(f"Which one? [1-{len(left)}, Enter for 1, q to cancel] ").strip().lower()
            if said in {"q", "quit"}:
                raise EOFError
            if said in picks:
                return picks[said]
            self.screen.say(f"Please answer with a number from 1 to {len(left)}, or q.")

    def _typed(self, method: str) -> Verified | MoreNeeded | Rejected | None:
        """What the person's answer comes to; None where there was none."""
        answer = self._answer(method)
        return None if answer is None else self.gate.verify(self.challenge.id, method, answer, self.context)

    def _approval(self) -> Verified | MoreNeeded | Rejected | None:
        """What others make of it: ask them, and look now and then; None where they cannot be asked now."""
        try:
            self.gate.begin(self.challenge.id, APPROVAL, self.context)
        except Denied as error:
            self.closed[APPROVAL] = error
            return None
        self.waits = True
        waited, request = 0.0, self.gate.approvals.get(self.challenge.id, self.context)
        while True:
            result = self.gate.verify(self.challenge.id, APPROVAL, None, self.context)
            if not isinstance(result, Rejected) or result.code is not Code.APPROVAL_PENDING:
                return result
            if not waited and request is not None:
                self.screen.say(asked(request, self.gate.core.now()))
            if waited >= self.patience:
                raise self._end(Code.APPROVAL_PENDING, "approval_pending")
            self.pause(POLL)
            waited += POLL

    def _answer(self, method: str) -> str | None:
        """What the person typed; None where the method cannot be used after all, as ``closed`` says."""
        prepares = self.gate.core.methods[method].prepares
        if prepares and method not in self.begun:
            try:
                self._begin(method)
            except (Denied, DeliveryFailed) as error:
                self.closed[method] = error
                return None
        hint = "not shown; r for a new one, Enter to cancel" if prepares else "not shown; Enter to cancel"
        while True:
            answer = self.screen.secret(f"{named(method).capitalize()} ({hint}): ")
            if not answer:
                raise EOFError
            if not prepares or answer.strip().lower() != "r":
                return answer
            try:
                self._begin(method)
            except (Denied, DeliveryFailed) as error:
                self.screen.say(why_not(error, self.gate.core.now()))

    def _begin(self, method: str) -> None:
        prompt = self.gate.begin(self.challenge.id, method, self.context)
        if prompt.options:
            raise self._end(Code.NO_USABLE_METHOD, "not_at_a_terminal")
        self.begun.add(method)
        if prompt.sent_to is not None:
            said = f"A code is on its way to {printable(prompt.sent_to)}"
            if prompt.resend_at is not None:
                said += f" (a new one can be sent {when(prompt.resend_at, self.gate.core.now())})"
            self.screen.say(f"{said}.")

    def _rejected(self, method: str, result: Rejected) -> None:
        """Tell the person what is left; raise where the challenge has ended."""
        if result.code is Code.VERIFICATION_FAILED and result.attempts_left:
            left = "1 try" if result.attempts_left == 1 else f"{result.attempts_left} tries"
            self.screen.say(f"That was not accepted; {left} left.")
            return
        end = self._end(result.code, "refused", result.retry_at)
        if result.code is Code.LOCKED_OUT and result.retry_at and result.retry_at < self.challenge.expires_at:
            self.screen.say(why_not(end, self.gate.core.now()))
        elif result.code in {Code.LOCKED_OUT, Code.METHOD_NOT_ALLOWED}:
            self.closed[method] = end
        else:
            raise end

    def _end(self, code: Code, why: str, retry_at: datetime | None = None) -> Denied:
        return Denied(ended(self.challenge.binding.action, self.challenge.level, code, why, retry_at))

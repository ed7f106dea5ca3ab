"""Nothing slow runs on the event loop: Argon2 and SMTP are in worker threads, whatever the colour of the gate.

``Office`` is an application whose people prove themselves by a mailed code and a password, and notes which thread does
what; ``Step`` measures how long a person's request holds the loop at a time. The last test holds both to account: they
have to see a loop that does the work itself.
"""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Iterator
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as Handler
from argon2 import PasswordHasher
from asgi_world import Browser, async_gate, sync_gate, user_of
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from stepup import Action, AsyncStepUp, Policy, StepUp, all_of
from stepup.mailers import SMTPMailer
from stepup.ports import Message
from stepup.starlette import StepUpStarlette
from stepup.verifiers import EmailCode, Password

PEOPLE = 50
ALLOWED_STEP = 0.020
HASH = PasswordHasher(time_cost=8, memory_cost=16_384, parallelism=1).hash("seven quiet herons")


class Inbox(Handler):
    """Keeps the last code by recipient."""

    def __init__(self) -> None:
        super().__init__()
        self.codes: dict[str, str] = {}

    def handle_message(self, message: Any) -> None:
        text = message.get_payload(decode=True).decode() if not message.is_multipart() else str(message)
        found = re.search(r"\b\d{6}\b", text)
        assert found is not None
        self.codes[message["to"]] = found[0]


class Noting(PasswordHasher):
    """Argon2, that notes the threads it runs in."""

    def __init__(self, threads: set[int]) -> None:
        super().__init__()
        self._threads = threads

    def verify(self, hash: Any, password: Any) -> Any:  # noqa: A002 -- its own name
        self._threads.add(threading.get_ident())
        return super().verify(hash, password)


class NotingMailer(SMTPMailer):
    """SMTP, that notes the threads it runs in."""

    threads: set[int]

    def send(self, message: Message) -> None:
        self.threads.add(threading.get_ident())
        super().send(message)


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, int]]:
    handler = Inbox()
    controller = Controller(handler, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield handler, controller.port
    finally:
        controller.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Step(Coroutine[Any, Any, None]):
    """A task's work, that notes how long it holds the loop at a time: from being resumed to waiting for something.

    It counts the processor time of the loop's thread, so that neither the worker threads nor other programs on the
    machine make it longer.
    """

    longest = 0.0

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self._work = work

    def send(self, value: Any, /) -> Any:
        return self._timed(self._work.send, value)

    def throw(self, *error: Any) -> Any:
        return self._timed(self._work.throw, *error)

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Generator[Any, Any, None]:
        raise NotImplementedError  # it is a task's, and nobody else's

    def _timed(self, resume: Callable[..., Any], *args: Any) -> Any:
        start = time.thread_time()
        try:
            return resume(*args)
        finally:
            self.longest = max(self.longest, time.thread_time() - start)


class Office:
    """An application with a guarded endpoint, that notes the threads in which its gate's slow work is done."""

    def __init__(self, gate_of: Callable[..., AsyncStepUp | StepUp], inbox: tuple[Inbox, int], **more: Any) -> None:
        self.codes = inbox[0].codes
        self.threads: dict[str, set[int]] = {"hook": set(), "Argon2": set(), "SMTP": set()}
        policy = Policy(methods=all_of("password", "email_code"))
        password = Password(hash_of=self.hash_of, hasher=Noting(self.threads["Argon2"]))
        mailer = NotingMailer("127.0.0.1", inbox[1])
        mailer.threads = self.threads["SMTP"]
        gate = gate_of(
            actions=[Action("org.delete", "Delete organization", risk=4, policy=policy)],
            verifiers=[password, EmailCode(mailer=mailer)],
            **more,
        )
        shim = StepUpStarlette(None, gate, user_of=user_of)

        @shim.guard("org.delete")
        async def delete(request: Request) -> Response:
            return PlainTextResponse("deleted")

        self.app = Starlette(routes=[Route("/delete", delete, methods=["POST"])])
        shim.init_app(self.app)

    def hash_of(self, actor: Any) -> str:
        self.threads["hook"].add(threading.get_ident())
        return HASH

    async def visited(self, user: str) -> None:
        """One person, from blocked to deleted."""
        browser = Browser(self.app, user)
        blocked = await browser.call("POST", "/delete")
        started = await browser.call("POST", "/stepup/challenges", {"offer": blocked.json()["offer"]})
        address = f"/stepup/challenges/{started.json()['challenge']['id']}"
        sent = await browser.call("POST", f"{address}/methods/email_code")
        assert sent.status_code == 200, sent.text
        code = {"method": "email_code", "response": self.codes[f"{user}@northstar.example"]}
        right = await browser.call("POST", f"{address}/attempts", code)
        assert right.json()["status"] == "open", right.text
        password = {"method": "password", "response": "seven quiet herons"}
        right = await browser.call("POST", f"{address}/attempts", password)
        token = str(right.json()["grant"]["token"])
        assert (await browser.call("POST", "/delete", stepup_token=token)).text == "deleted"

    def served(self, people: int) -> tuple[float, int]:
        """The longest step while so many people come at once, and the loop's thread."""

        async def all_at_once() -> tuple[float, int]:
            steps = [Step(self.visited(f"usr_{number}")) for number in range(people)]
            await asyncio.gather(*steps)
            return max(step.longest for step in steps), threading.get_ident()

        return asyncio.run(all_at_once())


@pytest.mark.parametrize("gate_of", [async_gate, sync_gate])
def test_fifty_people_prove_themselves_and_the_loop_goes_on(
    gate_of: Callable[..., AsyncStepUp | StepUp], inbox: tuple[Inbox, int]
) -> None:
    """Fifty passwords and fifty mailed codes are verified; no Argon2 and no SMTP runs in the loop's thread.

    One Argon2 takes longer than a step may, so one on the loop would show. The best of three runs counts: Python's own
    collector makes a step longer, never shorter.
    """
    longest: list[float] = []
    while len(longest) < 3 and min(longest, default=1.0) >= ALLOWED_STEP:
        office = Office(gate_of, inbox)
        step, loop = office.served(PEOPLE)
        for what, threads in office.threads.items():
            assert threads, f"{what} was not seen"
            assert loop not in threads, f"{what} ran in the loop's thread"
        longest.append(step)
    assert min(longest) < ALLOWED_STEP, longest


def test_work_on_the_loop_is_seen(inbox: tuple[Inbox, int]) -> None:
    """A gate that is told to run hooks on the loop does so, and the same measures see it: the thread, and the time."""

    async def on_the_loop(function: Callable[..., Any], *args: object) -> Any:
        return function(*args)

    office = Office(async_gate, inbox, offload=on_the_loop)
    step, loop = office.served(2)

    assert office.threads == {"hook": {loop}, "Argon2": {loop}, "SMTP": {loop}}
    assert step > ALLOWED_STEP

"""Notices over a real SMTP server: what arrives; and one that refuses, hangs or is gone changes nothing."""

from __future__ import annotations

import asyncio
import email.policy
import socket
import threading
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from stepup import Action, Actor, AsyncStepUp, Context, Policy, Rejected, Session, StepUp, Verified
from stepup.event import Event, EventType
from stepup.mailers import SMTPMailer
from stepup.notices import CATALOGUE, NoticeKind
from stepup.stores.memory import AsyncMemoryStore, MemoryStore
from stepup.testing import FrozenClock, ScriptedVerifier

SENDER = "Northstar <no-reply@northstar.example>"
CONTEXT = Context(Actor("usr_2048", email="olivia@northstar.example"), Session("sess_1"), ip="192.0.2.7", locale="de")
COMMON: dict[str, Any] = {
    "actions": [Action("key.rotate", "Rotate key", policy=Policy(methods="any"))],
    "verifiers": [ScriptedVerifier("password")],
    "secret": "a secret of the tests, never a real one: 0123456789",
}
PATIENCE = 20


class Postbox:
    """What the server was given; ``answer`` is what it says to the end of the data."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 -- the server's own name
        if self.answer.startswith("250"):
            parsed = message_from_bytes(envelope.content, policy=email.policy.default)
            assert isinstance(parsed, EmailMessage)
            self.mails.append(parsed)
        return self.answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def postbox() -> Postbox:
    return Postbox()


@pytest.fixture
def port(postbox: Postbox) -> Iterator[int]:
    controller = Controller(postbox, hostname="127.0.0.1", port=free_port(), ready_timeout=PATIENCE)
    controller.start()
    yield int(controller.port)
    controller.stop()


@pytest.fixture
def silent() -> Iterator[int]:
    """A server that takes a connection and never says a word."""
    listener = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                held.append(listener.accept()[0])
            except OSError:
                return

    thread = threading.Thread(target=accept)
    thread.start()
    yield int(listener.getsockname()[1])
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(PATIENCE)
    for one in held:
        one.close()


def gate_with(port: int, *, timeout: float = PATIENCE) -> StepUp:
    mailer = SMTPMailer("127.0.0.1", port, sender=SENDER, timeout=timeout)
    return StepUp(**COMMON, store=MemoryStore(), mailer=mailer, clock=FrozenClock())


def suspicious(gate: StepUp) -> Verified:
    """Three wrong answers and a right one."""
    challenge = gate.start("key.rotate", CONTEXT)
    for _ in range(3):
        assert isinstance(gate.verify(challenge.id, "password", "wrong", CONTEXT), Rejected)
    made = gate.verify(challenge.id, "password", "right", CONTEXT)
    assert isinstance(made, Verified)
    return made


def failed(gate: StepUp) -> list[Event]:
    return [one for one in gate.events(CONTEXT.actor).items if one.type is EventType.DELIVERY_FAILED]


@pytest.mark.requirement("D-06", "Z-10")
def test_a_notice_arrives(port: int, postbox: Postbox) -> None:
    """In the person's language, with nothing in the subject that a locked screen should not show."""
    gate = gate_with(port)
    made = suspicious(gate)

    (mail,) = postbox.mails
    words = CATALOGUE["de"]
    assert mail["To"] == "olivia@northstar.example"
    assert mail["Subject"] == words.words[NoticeKind.SUCCESS_AFTER_FAILURES][0]
    text = mail.get_content()
    assert words.advice[:40] in text.replace("\r\n", "\n")
    assert "192.0.2.7" in text
    assert not [secret for secret in (made.token, made.grant.id, made.challenge.id, "sess_1") if secret in text]
    assert failed(gate) == []


@pytest.mark.requirement("D-06")
def test_a_notice_arrives_from_the_async_face(port: int, postbox: Postbox) -> None:
    """The mailer runs in a worker thread there."""

    async def run() -> None:
        mailer = SMTPMailer("127.0.0.1", port, sender=SENDER, timeout=PATIENCE)
        gate = AsyncStepUp(**COMMON, store=AsyncMemoryStore(), mailer=mailer, clock=FrozenClock())
        challenge = await gate.start("key.rotate", CONTEXT)
        for answer in ("wrong", "wrong", "wrong", "right"):
            await gate.verify(challenge.id, "password", answer, CONTEXT)

    asyncio.run(run())
    assert len(postbox.mails) == 1


@pytest.mark.requirement("D-06")
def test_a_server_that_refuses_changes_nothing(port: int, postbox: Postbox) -> None:
    """The proof opens what it is for; that nobody was told is recorded, without the server's words."""
    postbox.answer = "554 olivia@northstar.example is on a list"
    gate = gate_with(port)
    token = suspicious(gate).token

    assert gate.require("key.rotate", CONTEXT, token=token).decision.allowed
    (event,) = failed(gate)
    assert (event.reason, event.detail) == ("notice", {"notice": "success_after_failures", "by": "mail"})
    assert "554" not in repr(event)


@pytest.mark.requirement("D-06")
def test_a_server_that_hangs_costs_its_timeout_and_changes_nothing(silent: int) -> None:
    """The mailer's own timeout ends it."""
    gate = gate_with(silent, timeout=0.2)
    token = suspicious(gate).token

    assert gate.require("key.rotate", CONTEXT, token=token).decision.allowed
    assert len(failed(gate)) == 1


@pytest.mark.requirement("D-06")
def test_a_server_that_is_gone_changes_nothing() -> None:
    gate = gate_with(free_port())
    assert gate.require("key.rotate", CONTEXT, token=suspicious(gate).token).decision.allowed
    assert len(failed(gate)) == 1

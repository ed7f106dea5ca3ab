"""Notices on every database: counted across processes, and told once where many answers come at once."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from within_world import ACCOUNT, ACTIONS, ACTOR, CONTEXT, SECRET

from sql_backends import Backend, every_async, every_sync, opened, opened_async
from stepup import AsyncStepUp, StepUp
from stepup.context import Context
from stepup.event import EventType
from stepup.mailers import AsyncOutbox, Outbox
from stepup.notices import CATALOGUE, NoticeKind, Notices
from stepup.stores.sql import SQLStore
from stepup.testing import FrozenClock, ScriptedVerifier
from stepup.told import Notice

SUBJECT = CATALOGUE["en"].words[NoticeKind.SUCCESS_AFTER_FAILURES][0]
SUSPICIOUS = ("wrong", "wrong", "wrong", "right")


def gate_over(store: SQLStore, outbox: Outbox) -> StepUp:
    return StepUp(
        actions=ACTIONS,
        verifiers=[ScriptedVerifier("password")],
        store=store,
        secret=SECRET,
        clock=FrozenClock(),
        mailer=outbox,
    )


def suspicious(gate: StepUp, who: Context = CONTEXT) -> None:
    challenge = gate.start("role.change", who, resource=ACCOUNT)
    for answer in SUSPICIOUS:
        gate.verify(challenge.id, "password", answer, who)


@every_sync
@pytest.mark.requirement("D-06")
def test_what_one_process_told_another_does_not(backend: Backend, tmp_path: Path) -> None:
    """The count is in the store; a failure is recorded there, and takes the count back."""
    with opened(backend, tmp_path) as store:
        outbox = Outbox()
        outbox.fail_next(1)
        suspicious(gate_over(store, outbox))
        for _ in range(3):
            suspicious(gate_over(store, outbox))

        assert [mail.subject for mail in outbox.messages] == [SUBJECT]
        events = gate_over(store, outbox).events(ACTOR).items
        assert [one.detail for one in events if one.type is EventType.DELIVERY_FAILED] == [
            {"notice": "success_after_failures", "by": "mail"}
        ]


@every_sync
@pytest.mark.requirement("D-06")
def test_many_at_once_are_told_once(backend: Backend, tmp_path: Path) -> None:
    """Counted first, by a conditional write: of eight notices in the same moment one is sent."""
    from stepup._bridge import run_sync
    from stepup._engine.telling import tell

    with opened(backend, tmp_path) as store:
        outbox = Outbox()
        gate = gate_over(store, outbox)
        notice = Notice.of(NoticeKind.LOCKED_OUT, CONTEXT, FrozenClock().now())
        with ThreadPoolExecutor(8) as pool:
            for one in [pool.submit(lambda: run_sync(tell(gate.core, CONTEXT, notice))) for _ in range(8)]:
                one.result(60)

        assert len(outbox.messages) == 1


@every_async
@pytest.mark.requirement("D-06")
def test_the_async_face_tells_too(backend: Backend, tmp_path: Path) -> None:
    """With an async mailer."""
    outbox = AsyncOutbox()

    async def run() -> None:
        async with opened_async(backend, tmp_path) as store:
            gate = AsyncStepUp(
                actions=ACTIONS,
                verifiers=[ScriptedVerifier("password")],
                store=store,
                secret=SECRET,
                clock=FrozenClock(),
                mailer=outbox,
                notices=Notices(),
            )
            for _ in range(2):
                challenge = await gate.start("role.change", CONTEXT, resource=ACCOUNT)
                for answer in SUSPICIOUS:
                    await gate.verify(challenge.id, "password", answer, CONTEXT)

    asyncio.run(run())
    assert [mail.subject for mail in outbox.messages] == [SUBJECT]

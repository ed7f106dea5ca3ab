"""Who is told of what: through whole ceremonies, on both faces, with mailers and hooks that fail in every way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from engine_bench import (
    ACTOR,
    CONTEXT,
    PASSWORD,
    Counting,
    World,
    both_faces,
    code,
    context,
    enrolled_totp,
    outcome,
    real_world,
    recovery_codes,
    scripted,
    world,
)

from stepup import Action, Actor, ConfigurationError, Context, Rejected, Resource
from stepup.approval import Approvers
from stepup.changes import TOLD, Applied, Changes, Key, Lost, Record
from stepup.decide.enrol import ADD, REMOVE
from stepup.errors import StoreUnavailable, WrongColour
from stepup.event import EventType
from stepup.mailers import AsyncOutbox, Outbox
from stepup.notices import CATALOGUE, Notice, NoticeKind, Notices
from stepup.ports import Message
from stepup.told import Limit
from stepup.verifiers import Approval

pytestmark = both_faces

WORDS = CATALOGUE["en"].words
MINE = Resource("factors", ACTOR.id)


def told_world(face: str, **settings: Any) -> World:
    """Scripted methods, with mail and a hook."""
    outbox = Outbox()
    return world(face=face, outbox=outbox, **{"mailer": outbox, **settings})


def subjects(here: World) -> list[str]:
    return [mail.subject for mail in here.outbox.messages]


def of(*kinds: NoticeKind) -> list[str]:
    return [WORDS[kind][0] for kind in kinds]


def wrong(here: World, times: int) -> None:
    """Wrong answers, each in a challenge of its own that is still open, with the delays waited out."""
    for _ in range(times):
        found = here.gate.verify(here.start("member.role").id, "passkey", "no", CONTEXT)
        assert isinstance(found, Rejected)
        assert here.reasons()[-1] == "wrong"
        here.clock.advance(121)


# -- what is told ---------------------------------------------------------------------------


@pytest.mark.requirement("D-06")
def test_every_change_of_factors_is_told(face: str) -> None:
    """Added, changed, removed: each with the method, and with when a new one counts."""
    heard: list[Notice] = []
    here = real_world(face, notify=heard.append)
    here.prove(ADD, CONTEXT, "password", PASSWORD, resource=MINE, params={"method": "totp"})
    made = here.gate.factors.enrol_totp(CONTEXT)
    assert here.gate.factors.confirm_totp(CONTEXT, made.factor_id, code(made.secret, here.now))
    here.prove("by.any", CONTEXT, "password", PASSWORD)
    here.gate.factors.changed(CONTEXT, "password", here.gate.require("by.any", CONTEXT, resource=here_org()))
    here.clock.advance(timedelta(hours=25))
    removed = Resource("factor", made.factor_id)
    here.prove(REMOVE, CONTEXT, "totp", code(made.secret, here.now), resource=removed)
    assert here.gate.factors.remove(CONTEXT, made.factor_id)

    kinds = [NoticeKind.FACTOR_ADDED, NoticeKind.FACTOR_CHANGED, NoticeKind.FACTOR_REMOVED]
    assert subjects(here) == of(*kinds)
    assert [(one.kind, one.method) for one in heard] == list(zip(kinds, ["totp", "password", "totp"], strict=True))
    assert heard[0].usable_from is not None
    assert "It can be used from: " in here.outbox.messages[0].text
    assert {(one.actor, one.ip, one.device) for one in heard} == {(ACTOR, "192.0.2.7", "MacBook Pro / Safari")}


def here_org() -> Resource:
    from engine_bench import ORG

    return ORG


@pytest.mark.requirement("D-06", "L-01", "L-08")
def test_every_recovery_code_is_told(face: str) -> None:
    """One notice for each, however many in an hour."""
    heard: list[Notice] = []
    here = real_world(face, notify=heard.append)
    codes = recovery_codes(here, CONTEXT, enrolled_totp(here, CONTEXT))
    here.outbox.clear()
    heard.clear()

    for one in codes[:3]:
        here.prove("member.role", method="recovery_code", answer=one)

    assert subjects(here) == of(*[NoticeKind.RECOVERY_CODE_USED] * 3)
    assert [(one.kind, one.about) for one in heard] == [(NoticeKind.RECOVERY_CODE_USED, "Change role")] * 3
    assert not [mail for mail in here.outbox.messages for one in codes if one in mail.text]


@pytest.mark.requirement("D-06")
def test_a_lock_is_told_once_an_hour(face: str) -> None:
    """Nine wrong answers lock nothing; the tenth does, and the event says so."""
    here = told_world(face)
    wrong(here, 9)
    assert subjects(here) == []
    wrong(here, 1)

    assert subjects(here) == of(NoticeKind.LOCKED_OUT)
    assert here.events()[-1].detail["locked"] is True
    here.clock.advance(timedelta(minutes=16))
    wrong(here, 1)
    assert here.events()[-1].detail["locked"] is True
    assert subjects(here) == of(NoticeKind.LOCKED_OUT)
    here.clock.advance(timedelta(minutes=61))
    wrong(here, 1)
    assert subjects(here) == of(NoticeKind.LOCKED_OUT, NoticeKind.LOCKED_OUT)


@pytest.mark.requirement("D-06")
def test_a_success_after_failures_is_told(face: str) -> None:
    """After three wrong answers, not after two."""
    here = told_world(face)
    wrong(here, 2)
    here.prove("member.role")
    assert subjects(here) == []
    wrong(here, 3)
    here.prove("member.role")

    assert subjects(here) == of(NoticeKind.SUCCESS_AFTER_FAILURES)
    assert here.events()[-1].detail["after_failures"] == 3


@pytest.mark.requirement("D-06")
def test_answers_nobody_has_found_wrong_are_not_told_as_wrong_ones(face: str) -> None:
    """Counted up front, as those of a double press, or of a verifier that broke: against guessing, and no news."""
    here = told_world(face)
    here.methods["passkey"].raising = RuntimeError("the hardware module is away")
    for _ in range(4):
        assert not here.gate.verify(here.start("member.role").id, "passkey", "touch", CONTEXT)
        assert here.reasons()[-1] == "verifier_error"
        here.clock.advance(121)
    here.methods["passkey"].raising = None
    here.prove("member.role")

    assert subjects(here) == []
    assert "after_failures" not in here.events()[-1].detail


@pytest.mark.requirement("D-06", "T-08")
def test_a_replayed_code_is_told(face: str) -> None:
    """An authenticator code that was used is tried again, in another challenge."""
    here = real_world(face)
    secret = enrolled_totp(here, CONTEXT)
    used = code(secret, here.now)
    here.prove("member.role", method="totp", answer=used)
    here.outbox.clear()

    again = here.gate.verify(here.start("org.delete").id, "totp", used, CONTEXT)

    assert isinstance(again, Rejected)
    assert here.reasons()[-1] == "replayed"
    assert subjects(here) == of(NoticeKind.CODE_REPLAYED)
    assert used not in here.outbox.last.text


def test_a_remembered_device_is_told(face: str) -> None:
    """When it is remembered, and not when its token changes with a later proof."""
    notices: list[Notice] = []
    here = told_world(face, notify=notices.append)
    token = here.prove("member.role", remember=True).device_token
    assert token
    assert subjects(here) == of(NoticeKind.DEVICE_TRUSTED)
    assert here.prove("member.role", replace(CONTEXT, device_token=token)).device_token not in {None, token}
    assert [one.kind for one in notices] == [NoticeKind.DEVICE_TRUSTED]
    assert token not in repr(notices) + str(here.outbox.messages[0].text)


@pytest.mark.requirement("D-06")
def test_another_name_of_a_factor_is_told(face: str) -> None:
    """Ten times an hour and no more, and never by the label: whoever has the session would word a mail with it."""
    notices: list[Notice] = []
    here = real_world(face, notify=notices.append)
    enrolled_totp(here, CONTEXT)
    (factor,) = [one for one in here.gate.factors.list(CONTEXT) if one.method == "totp"]
    here.outbox.clear()
    notices.clear()

    assert here.gate.factors.rename(CONTEXT, factor.id, "call 555-0199")
    assert here.gate.factors.rename(CONTEXT, factor.id, "call 555-0199")
    assert not here.gate.factors.rename(CONTEXT, "totp_x", "call 555-0199")
    assert subjects(here) == of(NoticeKind.FACTOR_RENAMED)
    assert [(one.kind, one.method, one.about) for one in notices] == [(NoticeKind.FACTOR_RENAMED, "totp", None)]
    assert "555" not in here.outbox.last.subject + here.outbox.last.text
    for number in range(12):
        assert here.gate.factors.rename(CONTEXT, factor.id, f"Phone {number}")
    assert len(here.outbox.messages) == 10


def test_another_name_of_a_device_is_told(face: str) -> None:
    """As of a factor."""
    notices: list[Notice] = []
    here = told_world(face, notify=notices.append)
    token, fresh = here.prove("member.role", remember=True).device_token, context(age=5)
    (device,) = here.gate.devices.list(fresh)
    here.outbox.clear()
    notices.clear()

    assert token
    assert here.gate.devices.rename(fresh, device.id, "call 555-0199")
    assert not here.gate.devices.rename(fresh, "nothing", "call 555-0199")
    assert subjects(here) == of(NoticeKind.DEVICE_RENAMED)
    assert [(one.kind, one.about) for one in notices] == [(NoticeKind.DEVICE_RENAMED, None)]
    assert "555" not in here.outbox.last.subject + here.outbox.last.text


def test_a_request_for_approval_and_its_answers_are_told(face: str) -> None:
    """To whoever asked: that it was asked in their name, that it was given, that it was refused."""
    notices: list[Notice] = []
    action = Action("payout.create", "Pay", methods="approval")
    approval = Approval(approvers=Approvers(people=["usr_9"], step_up=False))
    here = told_world(face, notify=notices.append, actions=(action,), verifiers=[*scripted().values(), approval])
    other = Context(Actor("usr_9", tenant=ACTOR.tenant), organization=CONTEXT.organization)
    for answer in ("approve", "deny"):
        here.clock.advance(601)  # asking is limited like sending
        asked = here.start("payout.create", params={"amount": answer})
        here.gate.begin(asked.id, "approval", CONTEXT)
        (request,) = here.gate.approvals.inbox(other).items
        getattr(here.gate.approvals, answer)(request.id, other)
        if answer == "approve":
            here.gate.verify(asked.id, "approval", None, CONTEXT)
    asked_given = [NoticeKind.APPROVAL_ASKED, NoticeKind.APPROVAL_GIVEN]
    expected = [*asked_given, NoticeKind.APPROVAL_ASKED, NoticeKind.APPROVAL_DENIED]
    assert subjects(here) == of(*expected)
    assert [(one.kind, one.actor.id) for one in notices] == [(kind, ACTOR.id) for kind in expected]


def test_nothing_else_is_told(face: str) -> None:
    """A right answer, a wrong one, a cancelled challenge, a spent token: no mail."""
    here = told_world(face)
    wrong(here, 1)
    token = here.prove("org.delete").token
    assert here.allows("org.delete", token=token)
    assert not here.allows("org.delete", token=token)
    here.gate.cancel(here.start("org.delete").id, CONTEXT)

    assert subjects(here) == []


def test_a_person_is_told_in_their_language(face: str) -> None:
    here = told_world(face)
    german = replace(CONTEXT, locale="de-AT")
    challenge = here.start("member.role", german)
    for _ in range(3):
        here.gate.verify(challenge.id, "passkey", "no", german)
    here.gate.verify(challenge.id, "passkey", "touch", german)

    assert here.outbox.last.subject == CATALOGUE["de"].words[NoticeKind.SUCCESS_AFTER_FAILURES][0]


def test_somebody_without_an_address_is_told_by_the_hook(face: str) -> None:
    """No mail can be sent; the hook knows the person."""
    heard: list[Notice] = []
    nobody = context(actor=Actor("usr_8192"))
    here = told_world(face, notify=heard.append)
    challenge = here.start("member.role", nobody)
    for _ in range(3):
        here.gate.verify(challenge.id, "passkey", "no", nobody)
    assert here.gate.verify(challenge.id, "passkey", "touch", nobody)

    assert subjects(here) == []
    assert [one.kind for one in heard] == [NoticeKind.SUCCESS_AFTER_FAILURES]


# -- what can be switched off ------------------------------------------------------------------


def test_a_kind_that_is_off_is_told_to_nobody(face: str) -> None:
    heard: list[Notice] = []
    here = told_world(face, notify=heard.append, notices=Notices(off={"success_after_failures"}))
    wrong(here, 3)
    here.prove("member.role")

    assert (subjects(here), heard) == ([], [])


def test_lint_warns_of_what_standards_demand(face: str) -> None:
    """Off, and a warning for each; the default has none."""
    off = Notices(off={"locked_out"}, off_though_demanded={"factor_added", "recovery_code_used"})

    found = [one for one in told_world(face, notices=off).gate.lint() if one.code == "notice_off"]

    assert [(one.severity, one.action) for one in found] == [("warning", None)] * 2
    assert "factor_added" in found[0].message
    assert not [one for one in told_world(face).gate.lint() if one.code == "notice_off"]


def test_limits_can_be_raised(face: str) -> None:
    """Two an hour in place of one."""
    here = told_world(face, notices=Notices(limits={"success_after_failures": Limit(2, 3600)}))
    for _ in range(3):
        wrong(here, 3)
        here.prove("member.role")

    assert len(subjects(here)) == 2


@pytest.mark.parametrize("settings", [{"notices": {"off": []}}, {"notify": "mail"}])
def test_what_cannot_be_meant_is_refused(face: str, settings: Any) -> None:
    with pytest.raises(ConfigurationError):
        told_world(face, **settings)


# -- it neither grants nor blocks ----------------------------------------------------------------


def _fails(*_: object) -> object:
    raise RuntimeError("the mail system said: 554 olivia@northstar.example unknown")


class _Failing:
    send = staticmethod(_fails)


def _suspicious(here: World) -> object:
    """Three wrong answers and a right one: a notice is due."""
    wrong(here, 3)
    return here.prove("member.role")


@pytest.mark.requirement("D-06", "L-08")
@pytest.mark.parametrize("by", ["mail", "hook", "both", "words"])
def test_what_fails_is_recorded_and_changes_nothing(face: str, by: str) -> None:
    """The grant stands and opens; each that did not take the notice is an event without a word of what it raised."""
    heard: list[Notice] = []
    settings: dict[str, Any] = {"notify": heard.append}
    if by in {"mail", "both"}:
        settings["mailer"] = _Failing()
    if by in {"hook", "both"}:
        settings["notify"] = _fails
    if by == "words":
        settings["notices"] = Notices(render=_fails)  # type: ignore[arg-type]  # what might be given
    here = told_world(face, **settings)
    _suspicious(here)

    assert here.allows("member.role")
    failed = [one for one in here.events() if one.type is EventType.DELIVERY_FAILED]
    assert [one.reason for one in failed] == ["notice"] * (2 if by == "both" else 1)
    assert {one.detail["by"] for one in failed} == {
        "mail": {"mail"},
        "hook": {"hook"},
        "both": {"mail", "hook"},
        "words": {"mail"},
    }[by]
    assert {one.detail["notice"] for one in failed} == {"success_after_failures"}
    assert "554" not in repr(failed)
    assert len(heard) == (by in {"mail", "words"})
    assert len(subjects(here)) == (by == "hook")


def test_what_nobody_took_is_told_with_the_next(face: str) -> None:
    """It does not count against the limit."""
    here = told_world(face)
    here.outbox.fail_next(1)
    _suspicious(here)
    assert subjects(here) == []
    _suspicious(here)

    assert subjects(here) == of(NoticeKind.SUCCESS_AFTER_FAILURES)
    _suspicious(here)
    assert len(subjects(here)) == 1


def test_a_hook_of_the_other_colour(face: str) -> None:
    """Refused when the gate is made, where that can be seen; recorded where not; awaited on the async face."""
    heard: list[Notice] = []

    async def later(notice: Notice) -> None:
        heard.append(notice)

    if face == "sync":
        with pytest.raises(WrongColour):
            told_world(face, notify=later)
        with pytest.raises(WrongColour):
            told_world(face, mailer=AsyncOutbox())
        here = told_world(face, notify=lambda notice: later(notice))
        _suspicious(here)
        assert here.allows("member.role")
        assert [one.detail for one in here.events() if one.type is EventType.DELIVERY_FAILED] == [
            {"notice": "success_after_failures", "by": "hook"}
        ]
    else:
        _suspicious(told_world(face, notify=later))
        assert [one.kind for one in heard] == [NoticeKind.SUCCESS_AFTER_FAILURES]


class _Forgetful(Counting):
    """A store in which the notices' record can neither be read nor written, and no failure be recorded."""

    broken = False

    def load(self, partition: str, keys: Sequence[Key]) -> Sequence[Record | None]:
        if self.broken and TOLD in keys:
            raise StoreUnavailable("gone")
        return super().load(partition, keys)

    def apply(self, partition: str, changes: Changes) -> Applied | Lost:
        if self.broken and any(one.type is EventType.DELIVERY_FAILED for one in changes.events):
            raise StoreUnavailable("gone")
        return super().apply(partition, changes)


@pytest.mark.parametrize("limits", [{}, {"locked_out": Limit(1, 60)}])
def test_a_store_that_fails_for_a_notice_changes_nothing(face: str, limits: Any) -> None:
    """Neither a count that cannot be kept nor a failure that cannot be recorded undoes what happened."""
    store = _Forgetful()
    here = told_world(face, store=store, notices=Notices(limits=limits))
    store.broken = True
    _suspicious(here)
    assert here.allows("member.role")
    assert subjects(here) == []  # what cannot be counted is not told: nobody is flooded

    real = real_world(face, store=(quiet := _Forgetful()))
    codes = recovery_codes(real, CONTEXT, enrolled_totp(real, CONTEXT))
    quiet.broken = True
    real.outbox.fail_next(1)
    assert real.prove("member.role", method="recovery_code", answer=codes[0]).token


def test_a_notice_can_be_told_while_another_is(face: str) -> None:
    """A hook that calls the gate is no trouble: nothing is held while people are told."""
    here: World

    def nosy(notice: Notice) -> None:
        if face == "sync":
            here.gate.events(notice.actor)
            here.start("org.delete")

    here = told_world(face, notify=nosy)
    _suspicious(here)
    assert [one for one in here.events() if one.type is EventType.DELIVERY_FAILED] == []


# -- what it costs ------------------------------------------------------------------------------


def test_an_answer_that_raises_no_notice_costs_what_it_did(face: str) -> None:
    """Right or wrong, four calls; only a notice with a limit adds two, and one that nobody can be sent none."""
    four = ["load", "apply", "load", "apply"]
    here = told_world(face)
    challenge = here.start("member.role")
    calls = [
        here.store.during(lambda: here.gate.verify(challenge.id, "passkey", answer, CONTEXT))  # noqa: B023
        for answer in ("no", "no", "no", "touch")
    ]
    assert calls == [four, four, four, [*four, "load", "apply"]]

    mute = world(face=face)
    challenge = mute.start("member.role")
    for answer in ("no", "no", "no", "touch"):
        assert mute.store.during(lambda: mute.gate.verify(challenge.id, "passkey", answer, CONTEXT)) == four  # noqa: B023


def test_what_is_counted_is_bounded(face: str) -> None:
    """However often it happens, the record holds no more times than the limit."""
    here = told_world(face)
    for _ in range(5):
        _suspicious(here)
        here.clock.advance(timedelta(hours=2))
    found = here.store.inner.load(here.gate.core.partition(ACTOR), (TOLD,))[0]
    assert found is not None
    times: Any = found.value
    assert {kind: len(one) for kind, one in times.times.items()} == {"success_after_failures": 1}
    here.gate.forget(ACTOR)
    assert here.store.inner.load(here.gate.core.partition(ACTOR), (TOLD,))[0] is None


def test_a_message_is_a_message(face: str) -> None:
    """What the mailer is handed has a repr without address and text."""
    here = told_world(face)
    _suspicious(here)
    sent = here.outbox.last

    assert isinstance(sent, Message)
    assert "olivia" not in repr(sent)
    assert outcome(lambda: here.allows("member.role")) is True

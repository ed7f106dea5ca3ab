"""What somebody tries who wants one person to be enough, or to see or to send what is not theirs; on both faces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from approval_world import ACCOUNT, INES, MARCUS, ME, OLIVIA, PARAMS, ROLES, World, both_faces, outcome, who

from stepup import Action, Actor, Challenge, Code, Denied, Policy, Resource, Session, StepUpRequired, Verified
from stepup.approval import MAX_ANSWERS, Approvers, Standing
from stepup.binding import session_hash
from stepup.challenge import State
from stepup.changes import ACTOR_EPOCH as EPOCH
from stepup.changes import APPLIED, FENCE, THROTTLE, Changes, Epoch, Key, Record, challenge_key, session_epoch
from stepup.context import Context, RiskAssessment, RiskLevel
from stepup.decide.approving import APPROVE
from stepup.errors import ConfigurationError, StoreUnavailable
from stepup.event import EventType
from stepup.surface import Surface
from stepup.testing import FrozenClock

pytestmark = [both_faces, pytest.mark.requirement("P-04")]

PLAIN = Approvers("finance", step_up=False)


def code_of(call: Callable[[], Any]) -> str:
    found = outcome(call)
    assert isinstance(found, Denied), found
    return found.code


# -- reaching into the store while a call is under way -----------------------------------


def body(world: World) -> Any:
    """The store in memory that both faces write to."""
    return world.store.inner if world.runner is None else world.store.inner._inner


def bump(world: World, actor: Actor, key: Key = EPOCH) -> None:
    """End everything of somebody's, or one session: as ``revoke`` does, from another process."""
    where = world.partition(actor)
    (held,) = body(world).load(where, [key])
    put = Record(key, Epoch(), held.version if held else 0)
    assert body(world).apply(where, Changes(world.clock.now(), (put,))) is APPLIED


def minting(where: str, changes: Changes) -> bool:
    """Whether a batch mints a grant."""
    return any(put.key.kind == "grant" and put.version == 0 for put in changes.puts)


def before(world: World, name: str, what: Callable[..., None]) -> None:
    """Let *what* happen just before the store's *name* runs, with its arguments."""
    inner = getattr(world.store, name)

    def sync(*args: Any, **kwargs: Any) -> Any:
        what(*args, **kwargs)
        return inner(*args, **kwargs)

    async def later(*args: Any, **kwargs: Any) -> Any:
        what(*args, **kwargs)
        return await inner(*args, **kwargs)

    setattr(world.store, name, sync if world.runner is None else later)


# -- who answers -----------------------------------------------------------------------


@pytest.mark.parametrize("surface", [Surface.JOB, Surface.API_KEY])
@pytest.mark.parametrize("action", ["payout.plain", "payout.create"])
def test_a_program_is_no_second_person(world: World, surface: Surface, action: str) -> None:
    """What an approver has left running, or a key of theirs, approves nothing; also where no step-up is asked."""
    challenge, request = world.ask(action)
    program = replace(INES, surface=surface)

    assert code_of(lambda: world.gate.approvals.approve(request, program)) == "action_blocked"
    assert world.collect(challenge).code is Code.APPROVAL_PENDING
    if action == "payout.plain":
        assert world.events(INES.actor)[-1].reason == "surface_refused"
    assert world.gate.approvals.deny(request, program).standing is Standing.DENIED, "no is no, whoever says it"


def test_what_speaks_against_the_approvers_session_speaks_against_their_answer(world: World) -> None:
    """A session that its own rule blocks approves nothing, with and without a step-up."""

    def quiet(*_: Any) -> RiskAssessment:
        return RiskAssessment()

    async def later(*_: Any) -> RiskAssessment:
        return RiskAssessment()

    own = Action(APPROVE, "Approve", risk=3, policy=Policy(block_session_risk=["high", "unknown"], uses=1))
    here = world.again(
        actions=[own, Action("x", "X", methods="approval", approvers=PLAIN)],
        risk=quiet if world.runner is None else later,
    )
    made = here.start("x", ME, resource=ACCOUNT)
    here.begin(made.id, "approval", ME)
    request = f"{made.id}.{world.partition(OLIVIA)}"
    risky = replace(INES, risk=RiskAssessment(90, RiskLevel.HIGH, ("new_network",)))
    assert code_of(lambda: here.approvals.approve(request, risky)) == "action_blocked"
    assert here.approvals.approve(request, INES).standing is Standing.READY


def test_a_role_elsewhere_is_none_here(world: World) -> None:
    """Somebody who made themselves an organization of their own has its roles there, not over what has none."""
    asked: list[str | None] = []

    def roles_of(context: Context) -> Any:
        asked.append(context.organization)
        return ("finance",) if context.organization == "org_own" else ()

    here = world.again(roles_of=roles_of)
    me, elsewhere = replace(ME, organization=None), replace(INES, organization="org_own")
    made = here.start("payout.plain", me, resource=ACCOUNT, params=PARAMS)
    here.begin(made.id, "approval", me)
    request = f"{made.id}.{world.partition(OLIVIA)}"

    pages = [here.approvals.inbox(elsewhere, after=after).items for after in (None, "1:")]
    assert pages == [(), ()]
    assert here.approvals.get(request, elsewhere) is None
    assert code_of(lambda: here.approvals.approve(request, elsewhere)) == "challenge_not_found"
    assert set(asked) == {None}


@pytest.mark.parametrize("answer", [{"finance": False}, {"finance": True}.items(), {"finance": "until 2019"}])
def test_a_table_of_roles_is_no_list_of_them(world: World, answer: Any) -> None:
    """Whose keys are names that somebody may not have."""
    _, request = world.ask()
    strange = world.again(roles_of=lambda _: answer)
    assert code_of(lambda: strange.approvals.approve(request, INES)) == "challenge_not_found"


def test_roles_that_break_off_entitle_nobody(world: World) -> None:
    """A directory that fails while it is read: no, and nobody's inbox or collection breaks with it."""
    challenge, request = world.ask()
    world.gate.approvals.approve(request, INES)

    def broken(_: Context) -> Iterator[str]:
        yield "staff"
        raise RuntimeError("the directory is gone")

    strange = world.again(roles_of=broken)
    assert strange.approvals.inbox(MARCUS).items == ()
    assert code_of(lambda: strange.approvals.approve(request, MARCUS)) == "challenge_not_found"
    assert strange.verify(challenge.id, "approval", None, ME).code is Code.APPROVAL_PENDING


def test_somebody_disabled_sees_nothing_of_others(world: World) -> None:
    """Their session may still stand; what others ask is no longer theirs to read, what they asked is."""
    _, request = world.ask()
    _, own = world.ask("payout.plain", INES)
    assert [one.id for one in world.inbox(INES)] == [request]
    world.gate.signal(INES, "disabled")
    assert world.inbox(INES) == []
    assert world.gate.approvals.get(request, INES) is None
    assert world.gate.approvals.get(own, INES) is not None
    world.gate.enable(INES)
    assert [one.id for one in world.inbox(INES)] == [request]


@pytest.mark.parametrize(
    "wrong",
    [
        {"binds": {"session", "device", "organization", "params"}},
        {"binds": {"session", "device", "organization", "resource"}},
        {"group": "sudo"},
        {"methods": "approval", "approvers": Approvers("finance")},
    ],
)
def test_the_approvers_own_step_up_is_for_one_request(world: World, wrong: dict[str, Any]) -> None:
    """An action that an application puts in its place must not open more than one of them, nor take an approval."""
    with pytest.raises(ConfigurationError, match=r"stepup\.approval\.approve"):
        world.again(actions=[Action(APPROVE, "Approve", risk=3, **wrong)])


def test_nobody_collects_where_somebody_approved(world: World) -> None:
    """An action that is not bound to the device: what was asked here is not collected at the approver's own."""
    rule = Approvers("finance", quorum=1, step_up=False)
    loose = Action("x", "X", methods="approval", approvers=rule, binds={"session", "resource", "params"})
    here = world.again(actions=[loose])
    made = here.start("x", ME, resource=ACCOUNT)
    here.begin(made.id, "approval", ME)
    here.approvals.approve(f"{made.id}.{world.partition(OLIVIA)}", INES)
    assert here.verify(made.id, "approval", None, replace(ME, device=INES.device)).code is Code.APPROVAL_PENDING
    assert isinstance(here.verify(made.id, "approval", None, ME), Verified)


# -- what counts, and until when -----------------------------------------------------------


def test_the_first_proof_of_an_approver_takes_back_nothing(world: World) -> None:
    """Somebody of whom nothing was kept approves; what they then start for themselves ends nothing of theirs."""
    challenge, request = world.ask()
    world.gate.approvals.approve(request, INES)
    world.gate.start("key.rotate", INES)
    assert isinstance(world.collect(challenge), Verified)


def test_somebody_of_whom_nothing_was_kept_can_be_signed_out(world: World) -> None:
    """And then no longer counts."""
    challenge, request = world.ask()
    world.gate.approvals.approve(request, INES)
    bump(world, INES.actor)
    assert world.collect(challenge).code is Code.APPROVAL_PENDING


def test_an_approver_who_is_ended_while_it_is_minted(world: World) -> None:
    """Their epoch is read once more after the batch: what it minted is taken back before anybody has it."""
    challenge, request = world.ask()
    world.gate.approvals.approve(request, INES)
    moved: list[str] = []

    def ending(where: str, changes: Changes) -> None:
        if minting(where, changes) and not moved:
            moved.append(where)
            bump(world, INES.actor)

    before(world, "apply", ending)
    found = world.collect(challenge)

    assert moved
    assert found.code is Code.CHALLENGE_CLOSED
    assert world.gate.grants(ME) == ()
    assert isinstance(outcome(lambda: world.gate.require("payout.plain", ME, resource=ACCOUNT, params=PARAMS)),
                      StepUpRequired)  # fmt: skip
    assert [event.reason for event in world.events() if event.type is EventType.ATTEMPT][-1] == "approver_ended"
    assert EventType.GRANT_REVOKED in [event.type for event in world.events()]


def test_what_cannot_be_looked_at_again_is_taken_back(world: World) -> None:
    """The store fails right after the batch that mints: nobody can tell, so nobody has it."""
    challenge, request = world.ask()
    world.gate.approvals.approve(request, INES)
    minted: list[str] = []

    def noting(where: str, changes: Changes) -> None:
        if minting(where, changes):
            minted.append(where)

    def failing(where: str, keys: Any) -> None:
        if minted and where == world.partition(INES.actor):
            raise OSError("no route to host")

    before(world, "apply", noting)
    before(world, "load", failing)
    with pytest.raises(StoreUnavailable):
        world.collect(challenge)
    assert minted
    assert world.gate.grants(ME) == ()


def test_epochs_are_read_after_everything_else_was_asked(world: World) -> None:
    """A directory may take its time: who is signed out meanwhile is seen."""
    challenge, request = world.ask("payout.two")
    for one in (INES, MARCUS):
        world.gate.approvals.approve(request, one)
    minted: list[str] = []
    before(world, "apply", lambda where, changes: minted.append(where) if minting(where, changes) else None)

    def slow(context: Context) -> Any:
        if context.actor == Actor("usr_marcus"):
            bump(world, INES.actor)
        return ROLES.get(context.actor.id, ())

    assert world.again(roles_of=slow).verify(challenge.id, "approval", None, ME).code is Code.APPROVAL_PENDING
    assert minted == []


def test_what_ends_while_the_directory_is_asked_has_ended(world: World) -> None:
    """The time that a collection rests on is read after the hooks."""
    challenge, request = world.ask()
    world.gate.approvals.approve(request, INES)
    world.clock.advance(timedelta(hours=24) - timedelta(seconds=1))

    def slow(context: Context) -> Any:
        world.clock.advance(2)
        return ROLES.get(context.actor.id, ())

    assert world.again(roles_of=slow).verify(challenge.id, "approval", None, ME).code is Code.CHALLENGE_EXPIRED
    assert world.gate.grants(ME) == ()


def test_a_request_does_not_outlive_the_session_it_moves_to(world: World) -> None:
    """Signed out between the renewal and the move: the request has ended with the new session, too."""
    challenge, request = world.ask()
    world.gate.approvals.approve(request, INES)
    moved = replace(ME, session=Session("session 2 of olivia"))
    new = session_epoch(session_hash(world.raw.core.ring, moved))
    done: list[Any] = []

    def signing_out(where: str, keys: Any) -> None:
        if list(keys) == [THROTTLE] and not done:
            done.append(keys)
            bump(world, OLIVIA, new)

    before(world, "load", signing_out)
    world.gate.rotated(ME, "session 2 of olivia")
    assert done
    assert not isinstance(world.collect(challenge, moved), Verified)
    assert world.gate.challenge(challenge.id, moved) is None


# -- floods, and what others are sent --------------------------------------------------------


def test_many_answers_cost_no_more_than_some(world: World) -> None:
    """Everybody in a large company approves: what is kept, and read at every look, stays small."""
    crowd = [who(f"c{number}") for number in range(MAX_ANSWERS + 5)]
    here = world.again(roles_of=lambda _: ("finance",))
    challenge, request = world.ask("payout.two")
    for one in crowd:
        here.approvals.approve(request, one)
    seen = here.approvals.get(challenge.id, ME)
    assert len(seen.given) == MAX_ANSWERS
    assert seen.given[-1] == crowd[-1].actor.id
    before_look = len(world.store.calls)
    assert isinstance(here.verify(challenge.id, "approval", None, ME), Verified)
    assert len(world.store.calls) - before_look <= 2 * MAX_ANSWERS + 4


def test_looking_at_ones_own_reads_only_what_others_were_asked(world: World) -> None:
    """Step-ups of one's own, open or over, cost nothing there."""
    world.ask()
    for number in range(5):
        world.gate.start("key.rotate", ME, params={"number": number})
    calls = len(world.store.calls)
    assert len(world.gate.approvals.own(ME)) == 1
    assert len(world.store.calls) - calls == 2


def test_how_often_is_part_of_what_is_approved(world: World) -> None:
    """Whoever approves a payout that can be repeated five times is told so: inbox, own step-up and mail."""
    action = Action("batch", "Send payouts", risk=3, policy=Policy(methods="approval"), approvers=Approvers("finance"))
    here = world.again(actions=[action], addresses=lambda _: ["ines@northstar.example"])
    made = here.start("batch", ME, resource=ACCOUNT, params=PARAMS, uses=5)
    here.begin(made.id, "approval", ME)
    (seen,) = here.approvals.inbox(INES).items
    assert seen.uses == 5
    needed = outcome(lambda: here.approvals.approve(seen.id, INES))
    assert isinstance(needed, StepUpRequired)
    assert ("How often", "up to 5 times") in here.start_offer(needed.offer, INES).shown
    assert "How often: up to 5 times" in world.outbox.messages[-1].text


BIDI = "\N{RIGHT-TO-LEFT OVERRIDE}"


def test_a_mail_holds_no_link_of_its_requesters(world: World) -> None:
    """What the requester chose is text: one line each, nothing that turns it around, nothing that a click opens."""
    here = world.again(addresses=lambda _: ["ines@northstar.example"])
    bad = Resource("account", f"acct{BIDI}9\N{LINE SEPARATOR}Approved by: everybody")
    me = replace(ME, actor=Actor(f"usr_{BIDI}olivia"))
    reason = "See https://evil.example/a\nor www.evil.example"
    made = here.start("payout.plain", me, resource=bad, params={"payee": "https://evil.example/a"}, reason=reason)
    here.begin(made.id, "approval", me)
    text = world.outbox.messages[-1].text
    assert BIDI not in text
    assert "\N{LINE SEPARATOR}" not in text
    assert "://" not in text
    assert "evil.example" not in text
    assert "payee: https[:]//evil[.]example/a" in text
    assert "See" not in text  # the reason stands in the inbox, not in a mail of the application's
    assert [line for line in text.splitlines() if line.startswith("Approved by")] == []


def test_many_requesters_do_not_flood_one_mailbox(world: World) -> None:
    """Whoever asks, and for whatever: twenty mails in an hour to an address, and the inbox has all of it."""
    asked: list[str] = ["ines@northstar.example"]
    here = world.again(addresses=lambda _: asked)
    for number in range(23):
        made = here.start("payout.plain", who(f"r{number}"), resource=ACCOUNT, params=PARAMS)
        here.begin(made.id, "approval", who(f"r{number}"))
    assert [mail.to for mail in world.outbox.messages if mail.subject == WANTED] == asked * 20
    assert len(world.inbox(INES)) == 23

    asked[0] = "INES@northstar.example"
    here.begin(here.start("payout.plain", ME, resource=ACCOUNT, params=PARAMS).id, "approval", ME)
    asked[0] = "marcus@northstar.example"
    here.begin(here.start("payout.two", ME, resource=ACCOUNT, params=PARAMS).id, "approval", ME)
    assert [mail.to for mail in world.outbox.messages if mail.subject == WANTED][20:] == asked
    asked[0] = "ines@northstar.example"
    world.clock.advance(3600)
    here.begin(here.start("key.rotate", ME, resource=ACCOUNT, params=PARAMS).id, "approval", ME)
    assert [mail.to for mail in world.outbox.messages if mail.subject == WANTED][21:] == asked


def test_a_mail_that_was_not_taken_is_not_counted(world: World) -> None:
    """A mail system that was down for an hour has used up nothing."""
    down, sent = [True], list[str]()

    class Sometimes:
        def send(self, message: Any) -> None:
            if down[0]:
                raise OSError
            sent.append(message.to)

    class AsyncSometimes:
        async def send(self, message: Any) -> None:
            Sometimes().send(message)

    mailer = Sometimes() if world.runner is None else AsyncSometimes()
    here = world.again(addresses=lambda _: ["ines@northstar.example"], mailer=mailer)
    for number in range(25):
        down[0] = number < 24
        made = here.start("payout.plain", who(f"r{number}"), resource=ACCOUNT, params=PARAMS)
        here.begin(made.id, "approval", who(f"r{number}"))
    assert [one for one in sent if one == "ines@northstar.example"] == ["ines@northstar.example"]


WANTED = "Somebody asks for your approval"


def test_one_address_that_is_refused_keeps_nobody_else_from_being_told(world: World) -> None:
    """Nor does a hook that fails keep the mails."""
    sent: list[str] = []

    class Picky:
        def send(self, message: Any) -> None:
            if message.to.startswith("gone"):
                raise OSError("no such mailbox")
            sent.append(message.to)

    class AsyncPicky:
        async def send(self, message: Any) -> None:
            Picky().send(message)

    def fails(_: Any) -> None:
        raise RuntimeError("no route")

    people = ["gone@northstar.example", "ines@northstar.example"]
    mailer = Picky() if world.runner is None else AsyncPicky()
    here = world.again(addresses=lambda _: people, notify=fails, mailer=mailer)
    made = here.start("payout.plain", ME, resource=ACCOUNT)
    here.begin(made.id, "approval", ME)
    assert "ines@northstar.example" in sent
    assert [one.detail["by"] for one in world.events() if one.type == "delivery_failed"] == ["hook", "mail"]


def test_a_mail_system_that_is_down_is_tried_three_times(world: World) -> None:
    """The requester does not wait for fifty refusals."""
    tried: list[str] = []

    class Down:
        def send(self, message: Any) -> None:
            tried.append(message.to)
            raise OSError("connection refused")

    class AsyncDown:
        async def send(self, message: Any) -> None:
            Down().send(message)

    people = [f"approver-{n}@northstar.example" for n in range(9)]
    mailer = Down() if world.runner is None else AsyncDown()
    here = world.again(addresses=lambda _: people, mailer=mailer)
    here.begin(here.start("payout.plain", ME, resource=ACCOUNT).id, "approval", ME)

    assert [one for one in tried if one in people] == people[:3]


# -- what is over, and what belongs to whom ----------------------------------------------


def test_what_was_collected_is_neither_withdrawn_nor_expired(world: World) -> None:
    """It has ended; the listing of ends has one of them."""
    challenge, request = world.ask()
    world.gate.approvals.approve(request, INES)
    assert isinstance(world.collect(challenge), Verified)
    assert not world.gate.approvals.withdraw(request, ME)
    world.clock.advance(timedelta(days=2))
    assert not world.gate.approvals.withdraw(request, ME)
    code_of(lambda: world.gate.approvals.approve(request, MARCUS))
    ends = {EventType.APPROVAL_WITHDRAWN, EventType.APPROVAL_EXPIRED, EventType.APPROVAL_DENIED}
    assert ends.isdisjoint(event.type for event in world.events())


def test_what_was_replaced_is_not_withdrawn(world: World) -> None:
    """The call was started anew under other rules: the old request waits for nobody, and nothing says it was taken."""
    _, request = world.ask()
    stricter = [Action("payout.plain", "Send", methods="approval", approvers=Approvers("finance", quorum=2))]
    later = world.again(actions=stricter)
    assert isinstance(later.start("payout.plain", ME, resource=ACCOUNT, params=PARAMS), Challenge)
    assert not world.gate.approvals.withdraw(request, ME)
    assert EventType.APPROVAL_WITHDRAWN not in [event.type for event in world.events()]


def test_an_end_that_was_recorded_is_one_for_slow_clocks_too(world: World) -> None:
    """One process has written that it expired; another, whose clock is behind, takes no answer and mints nothing."""
    challenge, request = world.ask("payout.two")
    world.gate.approvals.approve(request, INES)
    ahead = FrozenClock()
    ahead.advance(timedelta(hours=24))
    assert world.again(clock=ahead).verify(challenge.id, "approval", None, ME).code is Code.CHALLENGE_EXPIRED

    assert code_of(lambda: world.gate.approvals.approve(request, MARCUS)) == "challenge_expired"
    assert world.collect(challenge).code is Code.CHALLENGE_EXPIRED
    seen = world.gate.approvals.get(request, ME)
    assert seen is not None
    assert seen.standing is Standing.EXPIRED
    assert world.gate.start("payout.two", ME, resource=ACCOUNT, params=PARAMS).id != challenge.id


def test_a_session_that_becomes_the_approvers_own(world: World) -> None:
    """The requester's session is renewed to the id that somebody approved from: it was one session, so one person."""
    challenge, request = world.ask()
    assert INES.session is not None
    world.gate.approvals.approve(request, INES)
    world.gate.rotated(ME, INES.session.id)
    assert world.collect(challenge, replace(ME, session=INES.session)).code is Code.APPROVAL_PENDING


def test_what_is_asked_for_oneself_is_not_seen_while_acting_for_somebody(world: World) -> None:
    """Nor the other way round: support that acts for Tom has other requests than support itself."""
    challenge, request = world.ask()
    acting = replace(ME, actor=replace(OLIVIA, on_behalf_of="usr_tom"))
    assert world.gate.approvals.own(acting) == ()
    assert world.gate.approvals.get(request, acting) is None
    assert world.gate.approvals.get(challenge.id, acting) is None
    assert len(world.gate.approvals.own(ME)) == 1


def batches(world: World) -> list[Changes]:
    """The batches that write a challenge, from now on."""
    found: list[Changes] = []

    def noting(where: str, changes: Changes) -> None:
        if any(isinstance(put.value, Challenge) for put in changes.puts):
            found.append(changes)

    before(world, "apply", noting)
    return found


def test_what_asking_and_moving_rest_on_is_checked(world: World) -> None:
    """By the very batches: the requester's epochs and the fence; where a session is renewed, both its ids."""
    made = world.gate.start("payout.plain", ME, resource=ACCOUNT, params=PARAMS)
    found = batches(world)
    world.gate.begin(made.id, "approval", ME)
    ring = world.raw.core.ring
    old = session_epoch(session_hash(ring, ME))
    assert {check.key for check in found[-1].checks} == {EPOCH, FENCE, old}
    world.gate.rotated(ME, "session 2 of olivia")
    new = session_epoch(session_hash(ring, replace(ME, session=Session("session 2 of olivia"))))
    assert {check.key for check in found[-1].checks} == {EPOCH, FENCE, old, new}


def test_a_denial_is_the_end_in_the_record_too(world: World) -> None:
    """So that nobody who reads it alone takes it for waiting."""
    challenge, request = world.ask()
    world.gate.approvals.deny(request, INES)
    (held,) = body(world).load(world.partition(OLIVIA), [challenge_key(challenge.id)])
    assert (held.value.state, held.value.asked.ended, held.tag) == (State.DENIED, Standing.DENIED, None)

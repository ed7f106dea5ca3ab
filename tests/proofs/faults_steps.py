"""What people do with a gate, step by step: what ``faults_flows`` makes flows of.

A step takes the world and stops at nothing: a call that was refused leaves nothing for the next one to use.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pyotp
from faults_faces import HERE, NEWCOMER, OLIVIA, ORG, SUPPORT, THERE, session_of
from faults_rules import ADD, REMOVE, UNLOCK, Call
from faults_world import World

from stepup import Authorization, Rejected, Resource, StepUpRequired
from stepup.challenge import Challenge

Step = Callable[[World], object]


def call(action: str, who: Any = HERE, resource: Resource | None = ORG, params: Any = None) -> Call:
    """A guarded call, in Olivia's session and on her organization unless said otherwise."""
    return Call(action, who, resource, params)


ROLE, DELETE, SHELF = call("member.role"), call("org.delete"), call("once.shelf")
BATCH, BOTH, MAIL, WORD = call("batch.run"), call("by.both"), call("by.mail"), call("by.password")
PAY = call("payout.create", params={"amount": "120.00 EUR", "payee": "acc_9"})
PAPER, REMOVING, NOTE = call("by.paper"), call("member.remove"), call("note.edit")
ADD_TOTP = call(ADD, resource=Resource("factors", OLIVIA.id), params={"method": "totp"})
ADD_PAPER = call(ADD, resource=Resource("factors", OLIVIA.id), params={"method": "recovery_code"})
DROP = call(REMOVE, resource=Resource("factor", f"totp_{OLIVIA.id}"))
FREE = call(UNLOCK, SUPPORT, Resource("actor", OLIVIA.id))
SIGNED_IN = session_of(NEWCOMER, age=30)
FRESH = session_of(OLIVIA, "sess_3", age=60)
NEXT_STEP: Final = 60


def _later(world: World, seconds: float = NEXT_STEP) -> None:
    world.clock.advance(seconds)


# -- flows that are more than a line ------------------------------------------------------


def single(one: Call, method: str) -> Step:
    def run(world: World) -> None:
        token = world.prove(one, method)
        world.act(one, token)
        world.act(one, token)

    return run


def blocked(world: World) -> None:
    for one in (DELETE, ROLE, REMOVING, NOTE):
        world.act(one)
    world.act(DELETE, "nonsense")


def session_grant(world: World) -> None:
    world.prove(ROLE)
    world.act(ROLE)
    world.act(ROLE)
    world.act(call("member.role", THERE))


def step_up_counts(world: World) -> None:
    world.prove(REMOVING, "password")
    world.act(REMOVING)
    world.act(NOTE)
    world.act(ROLE)


def counted(world: World) -> None:
    token = world.prove(BATCH)
    for _ in range(4):
        world.act(BATCH, token)


def once_on_the_shelf(world: World) -> None:
    world.prove(SHELF)
    world.act(SHELF)
    world.act(SHELF)


def several_on_the_shelf(world: World) -> None:
    for _ in range(3):
        world.act(SHELF)


def two_on_the_shelf(world: World) -> None:
    world.prove(SHELF)
    _later(world)
    world.prove(SHELF)


def both(world: World) -> None:
    challenge = world.start(BOTH)
    world.act(BOTH)
    for method in ("password", "totp"):
        world.answer(challenge, method, world.right(method, OLIVIA), BOTH)
        world.act(BOTH)


def with_params(world: World) -> None:
    token = world.prove(PAY)
    world.act(call("payout.create", params={"amount": "9120.00 EUR", "payee": "acc_9"}), token)
    world.act(PAY, token)


def group(world: World) -> None:
    world.prove(call("sudo.one"))
    world.act(call("sudo.one"))
    world.act(call("sudo.two", resource=None))
    world.act(ROLE)


def checking(world: World) -> None:
    world.advise(DELETE)
    token = world.prove(DELETE)
    world.advise(DELETE, token)
    world.act(DELETE, token)
    world.advise(DELETE, token)
    world.advise(REMOVING)


def superseded(world: World) -> None:
    first = world.start(DELETE)
    second = world.start(DELETE)
    world.answer(first, "totp", world.right("totp", OLIVIA), DELETE)
    world.answer(second, "totp", world.right("totp", OLIVIA), DELETE)
    world.act(DELETE, world.kept.get("token"))


def by_offer(world: World) -> None:
    blocked = world.act(DELETE)
    offer = blocked.offer if isinstance(blocked, StepUpRequired) else ""
    challenge = world.start(DELETE, offer=offer)
    world.answer(challenge, "totp", world.right("totp", OLIVIA), DELETE)
    world.act(DELETE, world.kept.get("token"))
    world.start(call("org.delete", THERE), offer=offer)


def cancelled(world: World) -> None:
    challenge = world.start(DELETE)
    if challenge is None:
        return
    if world.call(world.gate.cancel, challenge, HERE) is True:
        world.ledger.told_cancelled(challenge)
    world.answer(challenge, "totp", world.right("totp", OLIVIA), DELETE)


def looked_at(world: World) -> None:
    challenge = world.start(DELETE)
    found = world.call(world.gate.challenge, challenge or "", HERE)
    if not isinstance(found, Challenge | BaseException | None):
        world.ledger.blame(f"challenge() answered a {type(found).__name__}")
    world.call(world.gate.challenge, challenge or "", THERE)
    world.call(world.gate.grants, HERE)
    world.call(world.gate.factors.list, HERE)


def proved_role(world: World) -> None:
    world.kept["role"] = world.prove(ROLE)
    world.kept["role_grant"] = world.kept.get("grant")
    _later(world)


def revoking(*, session: bool = False, everything: bool = False) -> Step:
    def run(world: World) -> None:
        world.revoke(HERE, session=session, everything=everything)
        world.act(ROLE)
        world.act(ROLE, world.kept["role"])

    return run


def proved_removing(world: World) -> None:
    world.kept["removing"] = world.prove(REMOVING, "password")


def revoking_below_3(world: World) -> None:
    world.act(REMOVING, world.kept["removing"])
    world.revoke(HERE, everything=True)
    world.act(REMOVING, world.kept["removing"])
    world.act(REMOVING)
    world.act(NOTE)


def revoking_one(world: World) -> None:
    world.revoke(HERE, grant=world.kept["role_grant"])
    world.act(ROLE)
    world.act(ROLE, world.kept["role"])


def revoking_a_single_use(world: World) -> None:
    token = world.prove(DELETE)
    world.revoke(HERE, grant=world.kept.get("grant") or "")
    world.act(DELETE, token)


def _wrong(world: World, answers: int) -> None:
    challenge = world.start(WORD)
    for number in range(answers):
        world.answer(challenge, "password", f"wrong answer {number}", WORD)
    world.answer(challenge, "password", world.right("password", OLIVIA), WORD)


def wrong_to_the_end(world: World) -> None:
    _wrong(world, 6)


def wrong_until_locked(world: World) -> None:
    _wrong(world, 5)
    _wrong(world, 1)


def wrong_then_right(world: World) -> None:
    challenge = world.start(DELETE)
    for guess in ("000000", "111111"):
        world.answer(challenge, "totp", guess, DELETE)
    world.answer(challenge, "totp", world.right("totp", OLIVIA), DELETE)
    world.act(DELETE, world.kept.get("token"))


def locked(world: World) -> None:
    challenge = world.start(WORD)
    for number in range(5):
        world.answer(challenge, "password", f"wrong answer {number}", WORD)


def unlocking(world: World) -> None:
    world.prove(FREE)
    world.call(world.gate.unlock, OLIVIA, SUPPORT)
    world.call(world.gate.unlock, OLIVIA, SUPPORT, methods=["password"])


def enrolling(world: World) -> None:
    world.prove(ADD_TOTP)
    _enrol_totp(world, HERE)


def _enrol_totp(world: World, who: Any) -> None:
    made = world.call(world.gate.factors.enrol_totp, who, label="Phone")
    if isinstance(made, BaseException):
        return
    world.secrets.add(made.secret)
    world.kept["pending"] = (who, made.factor_id, made.secret)
    world.call(world.gate.factors.confirm_totp, who, made.factor_id, "000000")
    code = pyotp.TOTP(made.secret).at(world.clock.now())
    world.codes.add(code)
    world.call(world.gate.factors.confirm_totp, who, made.factor_id, code)
    world.call(world.gate.factors.confirm_totp, who, made.factor_id, code)


def first_factor(world: World) -> None:
    _enrol_totp(world, SIGNED_IN)
    world.call(world.gate.factors.enrol_totp, SIGNED_IN)


def enrolling_unproved(world: World) -> None:
    world.call(world.gate.factors.enrol_totp, HERE)
    world.call(world.gate.factors.new_recovery_codes, HERE)
    world.call(world.gate.factors.remove, HERE, f"totp_{OLIVIA.id}")
    world.call(world.gate.unlock, OLIVIA, SUPPORT)


def recovery_codes(world: World) -> None:
    world.prove(ADD_PAPER)
    made = world.call(world.gate.factors.new_recovery_codes, HERE)
    if isinstance(made, tuple):
        world.secrets |= set(made)
        world.paper[OLIVIA.id] = iter(made)


def removing(world: World) -> None:
    world.prove(DROP)
    world.call(world.gate.factors.remove, HERE, f"totp_{OLIVIA.id}")
    world.call(world.gate.factors.remove, HERE, f"totp_{OLIVIA.id}")


def changed(world: World) -> None:
    world.prove(ROLE)
    passed = world.act(ROLE)
    if isinstance(passed, Authorization):
        world.call(world.gate.factors.changed, HERE, "password", passed)
    world.act(ROLE)


def reporting(world: World) -> None:
    code, step = world.right("totp", OLIVIA), int(world.clock.now().timestamp()) // 30
    found = world.call(world.gate.factors.report_totp_step, OLIVIA, step)
    if found is True or (found is False and not world.lied):
        world.ledger.told_used("totp", code, OLIVIA.id)
    challenge = world.start(DELETE)
    world.answer(challenge, "totp", code, DELETE)


def forgetting(world: World) -> None:
    found = world.call(world.gate.forget, OLIVIA)
    world.kept["forgotten"] = True
    if found is None:
        world.ledger.told_everything_revoked(ROLE.place)
    world.act(ROLE)
    world.act(ROLE, world.kept["role"])


def spent_and_alive(world: World) -> None:
    world.act(DELETE, world.prove(DELETE))
    world.clock.advance(timedelta(hours=27))
    world.kept["alive"] = world.prove(BATCH)
    world.act(BATCH, world.kept["alive"])


def purging(world: World) -> None:
    world.kept["purged"] = True
    for _ in range(2):
        world.call(world.gate.purge)
    world.act(BATCH, world.kept["alive"])


def events(world: World) -> None:
    for _ in range(2):
        world.call(world.gate.events, OLIVIA)


def rotating_answer(world: World) -> None:
    _later(world)
    token = world.prove(DELETE, rotate="sess_new_of_usr_2048_77")
    moved = world.moved(HERE, "sess_new_of_usr_2048_77")
    world.act(call("org.delete", moved), token)
    world.act(ROLE)
    world.act(ROLE, world.kept.get("role"))
    world.act(call("member.role", moved))


def rotated(world: World) -> None:
    world.ledger.rotating = (ROLE.place, "sess_new_of_usr_2048_77")
    world.call(world.gate.rotated, HERE, "sess_new_of_usr_2048_77")
    world.act(ROLE)
    world.act(ROLE, world.kept.get("role"))
    world.act(call("member.role", world.moved(HERE, "sess_new_of_usr_2048_77")))


def same_request(one: Call) -> Step:
    def run(world: World) -> None:
        token = world.prove(one)
        for request in ("req_1", "req_1", "req_2", None):
            world.act(one, token, request)

    return run


def sent_twice(world: World) -> None:
    challenge = world.start(MAIL)
    world.begin(challenge, "email_code", HERE)
    first = world.right("email_code", OLIVIA)
    world.begin(challenge, "email_code", HERE)
    _later(world, 61)
    world.begin(challenge, "email_code", HERE)
    newest = world.right("email_code", OLIVIA)
    for code in dict.fromkeys((first, newest)):
        world.answer(challenge, "email_code", code, MAIL)
    world.act(MAIL, world.kept.get("token"))


def mail_refused(world: World) -> None:
    challenge = world.start(MAIL)
    world.outbox.refusing = True
    world.begin(challenge, "email_code", HERE)
    world.outbox.refusing = False
    world.begin(challenge, "email_code", HERE)
    world.answer(challenge, "email_code", world.right("email_code", OLIVIA), MAIL)
    world.act(MAIL, world.kept.get("token"))


def paper_twice(world: World) -> None:
    code = world.right("recovery_code", OLIVIA)
    for _ in range(2):
        world.answer(world.start(ROLE), "recovery_code", code, ROLE)
    world.act(ROLE)


def answered_again(world: World) -> None:
    challenge = world.start(ROLE)
    code = world.right("totp", OLIVIA)
    world.answer(challenge, "totp", code, ROLE)
    grant = world.kept.get("grant")
    again = world.answer(challenge, "totp", code, ROLE)
    if isinstance(again, Rejected) and grant is not None and not world.lied:
        world.ledger.told_grant_revoked(grant)
    world.act(ROLE)


def guarded(world: World) -> None:
    token = world.prove(DELETE)
    world.act_guarded(DELETE)
    world.act_guarded(DELETE, token)
    world.act_guarded(DELETE, token)


def fresh_session(world: World) -> None:
    world.act(call("member.remove", FRESH))
    world.act(call("note.edit", FRESH))
    world.act(call("member.role", FRESH))


def elsewhere(world: World) -> None:
    challenge = world.start(DELETE)
    world.answer(challenge, "totp", world.right("totp", OLIVIA), call("org.delete", THERE))
    token = world.prove(DELETE)
    world.act(call("org.delete", THERE), token)
    world.act(call("org.delete", SUPPORT), token)
    world.act(DELETE, token)

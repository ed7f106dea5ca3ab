"""What people do with a gate, each flow from the first call to the last: ``FLOWS``.

``before`` runs on a healthy store, ``run`` is what a fault is put into, at every one of its store calls. ``runs`` is
how often a guarded action runs in a healthy run, ``does`` what it leaves in the audit: golden, so that a flow which has
quietly stopped doing anything is noticed. ``rests_on_reads``: at levels 1 and 2 looking is enough, so a read that is
false is believed there; the store's contract forbids such reads, and the flow is not put through them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import faults_steps as steps
from faults_steps import BATCH, DELETE, MAIL, PAPER, WORD, Step

from stepup import Limits


@dataclass(frozen=True)
class Flow:
    """A flow, the gate it runs on, and what a healthy run of it comes to."""

    name: str
    run: Step
    runs: int
    does: str = ""
    before: Step = lambda _: None
    settings: Mapping[str, Any] = field(default_factory=dict)
    rests_on_reads: bool = False

    def __str__(self) -> str:
        return self.name


LOCKING = Limits(lock_after=4, delay_after=4, delays=(900,), disable_after=200)
ALL = {"record": "all"}
ONCE = "attempt 1, authorization 1, authorization:refused 1, challenge_started 1"

FLOWS: Final = (
    Flow("blocked", steps.blocked, 0, ""),
    Flow("blocked, all recorded", steps.blocked, 0, "authorization:refused 5", settings=ALL),
    Flow("single use by authenticator", steps.single(DELETE, "totp"), 1, ONCE),
    Flow("single use by password", steps.single(WORD, "password"), 1, ONCE),
    Flow("single use by mailed code", steps.single(MAIL, "email_code"), 1, f"{ONCE}, code_sent 1"),
    Flow("single use by recovery code", steps.single(PAPER, "recovery_code"), 1, ONCE),
    Flow("single use with params", steps.with_params, 1, "attempt 1, authorization 1, challenge_started 1"),
    Flow(
        "single use, guarded function",
        steps.guarded,
        1,
        "attempt 1, authorization 1, authorization:refused 1, challenge_started 1",
    ),
    Flow(
        "single use, from elsewhere",
        steps.elsewhere,
        1,
        "attempt 1, attempt:refused 1, authorization 1, challenge_started 2",
    ),
    Flow("session grant", steps.session_grant, 2, "attempt 1, authorization 2, challenge_started 1"),
    Flow("fresh session", steps.fresh_session, 2, "authorization 2, authorization:refused 1", settings=ALL),
    Flow("step-up counts at levels 1 and 2", steps.step_up_counts, 2, "attempt 1, challenge_started 1"),
    Flow("counted uses", steps.counted, 3, "attempt 1, authorization 3, authorization:refused 1, challenge_started 1"),
    Flow("one use without a token", steps.once_on_the_shelf, 1, "attempt 1, authorization 1, challenge_started 1"),
    Flow("two grants of one use", steps.several_on_the_shelf, 2, "authorization 2", before=steps.two_on_the_shelf),
    Flow("all of two methods", steps.both, 1, "attempt 1, attempt:open 1, authorization 1, challenge_started 1"),
    Flow("group", steps.group, 2, "attempt 1, authorization 2, challenge_started 1"),
    Flow("check", steps.checking, 1, "attempt 1, authorization 1, challenge_started 1"),
    Flow(
        "start, superseded", steps.superseded, 1, "attempt 1, attempt:refused 1, authorization 1, challenge_started 2"
    ),
    Flow(
        "start by offer",
        steps.by_offer,
        1,
        "attempt 1, authorization 1, challenge_refused:refused 1, challenge_started 1",
    ),
    Flow("cancel", steps.cancelled, 0, "attempt:refused 1, challenge_cancelled 1, challenge_started 1"),
    Flow("look", steps.looked_at, 0, "challenge_started 1"),
    Flow(
        "revoke one grant", steps.revoking_one, 0, "authorization:refused 1, grant_revoked 1", before=steps.proved_role
    ),
    Flow(
        "revoke an unspent single use",
        steps.revoking_a_single_use,
        0,
        "attempt 1, authorization:refused 1, challenge_started 1, grant_revoked 1",
    ),
    Flow(
        "revoke the session",
        steps.revoking(session=True),
        0,
        "authorization:refused 1, session_revoked 1",
        before=steps.proved_role,
    ),
    Flow(
        "revoke everything",
        steps.revoking(everything=True),
        0,
        "authorization:refused 1, everything_revoked 1",
        before=steps.proved_role,
    ),
    Flow(
        "revoke everything, level 2",
        steps.revoking_below_3,
        1,
        "authorization:refused 1, everything_revoked 1",
        before=steps.proved_removing,
        rests_on_reads=True,
    ),
    Flow("wrong until the end", steps.wrong_to_the_end, 0, "attempt:refused 7, challenge_started 1"),
    Flow(
        "wrong until locked",
        steps.wrong_until_locked,
        0,
        "attempt:refused 6, challenge_refused:refused 1, challenge_started 1",
        settings={"limits": LOCKING, "most_wrong": 4},
    ),
    Flow(
        "wrong, then right",
        steps.wrong_then_right,
        1,
        "attempt 1, attempt:refused 2, authorization 1, challenge_started 1",
    ),
    Flow(
        "unlock",
        steps.unlocking,
        0,
        "attempt 1, authorization 2, challenge_started 1, unlocked 2",
        before=steps.locked,
        settings={"limits": LOCKING},
    ),
    Flow(
        "enrol an authenticator",
        steps.enrolling,
        0,
        "attempt 1, attempt:refused 2, authorization 1, challenge_started 1, "
        "factor_enrolled 1, factor_enrolment_started 1",
    ),
    Flow(
        "enrol the first factor",
        steps.first_factor,
        0,
        "attempt:refused 2, factor_enrolled 1, factor_enrolment_started 1",
    ),
    Flow("enrol without proof", steps.enrolling_unproved, 0, ""),
    Flow(
        "recovery codes", steps.recovery_codes, 0, "attempt 1, authorization 1, challenge_started 1, factor_enrolled 1"
    ),
    Flow("remove a factor", steps.removing, 0, "attempt 1, authorization 1, challenge_started 1, factor_removed 1"),
    Flow("change a factor", steps.changed, 1, "attempt 1, authorization 1, challenge_started 1, factor_changed 1"),
    Flow("report a login's step", steps.reporting, 0, "attempt:refused 1, challenge_started 1"),
    Flow("forget", steps.forgetting, 0, "authorization:refused 1, forgotten 1", before=steps.proved_role),
    Flow("purge", steps.purging, 1, "authorization 1", before=steps.spent_and_alive),
    Flow("events", steps.events, 0, "", before=steps.proved_role),
    Flow(
        "verify and rotate",
        steps.rotating_answer,
        2,
        "attempt 1, authorization 2, authorization:refused 1, challenge_started 1",
        before=steps.proved_role,
    ),
    Flow(
        "rotated",
        steps.rotated,
        1,
        "authorization 1, authorization:refused 1, session_rotated 1",
        before=steps.proved_role,
    ),
    Flow(
        "same request, single use",
        steps.same_request(DELETE),
        2,
        "attempt 1, authorization 1, authorization:refused 2, challenge_started 1",
    ),
    Flow("same request, counted", steps.same_request(BATCH), 4, "attempt 1, authorization 3, challenge_started 1"),
    Flow(
        "code sent twice",
        steps.sent_twice,
        1,
        "attempt 1, attempt:refused 1, authorization 1, challenge_started 1, code_sent 2",
    ),
    Flow(
        "mail refused",
        steps.mail_refused,
        1,
        "attempt 1, authorization 1, challenge_started 1, code_sent 2, delivery_failed:refused 1",
    ),
    Flow(
        "recovery code twice",
        steps.paper_twice,
        1,
        "attempt 1, attempt:refused 1, authorization 1, challenge_started 2",
    ),
    Flow(
        "answered again, revoking",
        steps.answered_again,
        0,
        "attempt 1, attempt:refused 1, challenge_started 1, grant_revoked 1",
        settings={"revoke_on_reuse": True},
    ),
)
BY_NAME: Final = {flow.name: flow for flow in FLOWS}

"""Surfaces: who can answer is told by the server, and callers that cannot are refused where it matters."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from engine_bench import ACTIONS, CONTEXT, ORG, World, both_faces, context, outcome, world

from stepup import (
    Action,
    Authorization,
    Code,
    ConfigurationError,
    Context,
    Denied,
    Item,
    Risk,
    RiskAssessment,
    StepUpRequired,
    Surface,
)
from stepup.errors import InvalidInput
from stepup.event import EventType
from stepup.surface import Handling

pytestmark = both_faces

HUMAN = [Surface.BROWSER, Surface.BEARER, Surface.SCRIPT]
UNATTENDED = [Surface.API_KEY, Surface.JOB]


def on(surface: Surface | str, who: Context = CONTEXT) -> Context:
    return replace(who, surface=Surface(surface))


def asked(here: World, action: str, who: Context, token: str | None = None) -> Any:
    return outcome(lambda: here.gate.require(action, who, resource=ORG, token=token))


@pytest.mark.parametrize("surface", [*HUMAN, *UNATTENDED])
@pytest.mark.parametrize("action", [one.id for one in ACTIONS])
def test_the_default_refuses_those_who_cannot_answer(face: str, action: str, surface: Surface) -> None:
    """At every level a key or a job is denied with a way on; everybody else is asked, as ever."""
    here = world(face=face)
    found = asked(here, action, on(surface))

    if surface in UNATTENDED:
        assert isinstance(found, Denied)
        assert (found.code, found.methods) == (Code.ACTION_BLOCKED, ())
        assert found.decision.reasons[0].as_dict() == {"reason": "surface_refused", "surface": surface.value}
        assert found.decision.public()["reasons"] == [{"reason": "surface_refused", "surface": surface.value}]
        assert "terminal" in found.remedy
        assert found.remedy in str(found)
    else:
        assert isinstance(found, StepUpRequired)


def test_nobody_without_a_surface_is_treated_otherwise_than_before(face: str) -> None:
    """A context that says nothing is a browser's."""
    assert Context(CONTEXT.actor).surface is Surface.BROWSER
    assert isinstance(asked(world(face=face), "org.delete", CONTEXT), StepUpRequired)


def test_a_surface_that_there_is_not_refuses(face: str) -> None:
    """Whatever was meant by it."""
    for wrong in ("fax", "", None, 1, "BROWSER"):
        with pytest.raises(InvalidInput, match=r"Context\.surface"):
            Context(CONTEXT.actor, surface=wrong)  # type: ignore[arg-type]
    assert on("job").surface is Surface.JOB
    assert face


def test_a_proof_changes_nothing_where_a_surface_is_refused(face: str) -> None:
    """A token from a browser opens nothing for a job, nor does the job open a challenge or answer one."""
    here = world(face=face)
    token, challenge = here.prove("org.delete").token, here.start("org.delete")

    assert isinstance(asked(here, "org.delete", on("job"), token), Denied)
    assert isinstance(outcome(partial(here.gate.start, "org.delete", on("job"), resource=ORG)), Denied)
    rejected: Any = here.gate.verify(challenge.id, "passkey", "touch", on("job"))
    assert rejected.code == Code.ACTION_BLOCKED
    assert [event.reason for event in here.events()][-2:] == ["surface_refused", "surface_refused"]
    assert isinstance(asked(here, "org.delete", CONTEXT, token), Authorization)


def test_an_action_can_ask_where_the_default_refuses(face: str) -> None:
    """Then a job waits for a proof that somebody gives, and redeems it."""
    wire = Action("wire.send", "Send", risk=Risk.CRITICAL, surfaces={"job": "ask"})
    here = world(face=face, actions=(wire,))

    assert isinstance(asked(here, "wire.send", on("job")), StepUpRequired)
    assert isinstance(asked(here, "wire.send", on("api_key")), Denied)
    done = here.prove("wire.send", on("job"))
    assert isinstance(asked(here, "wire.send", on("job"), done.token), Authorization)
    last = here.events()[-1]
    assert (last.type, last.detail["surface"]) == (EventType.AUTHORIZATION, "job")


def test_an_action_can_refuse_any_surface(face: str) -> None:
    """Also those of people."""
    shut = Action("shut", "Shut", risk=Risk.LOW, surfaces={Surface.BEARER: Handling.REFUSE, "script": "refuse"})
    here = world(face=face, actions=(shut,))
    fresh = context(age=1)

    assert isinstance(asked(here, "shut", fresh), Authorization)
    assert isinstance(asked(here, "shut", on("bearer", fresh)), Denied)
    assert isinstance(asked(here, "shut", on("script", fresh)), Denied)


def test_an_action_can_be_allowed_without_proof_and_that_is_recorded(face: str) -> None:
    """In one write, which says by what."""
    here = world(face=face, actions=(Action("report.run", "Report", surfaces={"api_key": "allow"}),))

    found = asked(here, "report.run", on("api_key"))
    assert found.decision.satisfied_by == "surface"
    assert here.store.calls == ["apply"]
    assert (here.events()[-1].reason, here.events()[-1].detail["surface"]) == ("surface_allowed", "api_key")
    assert isinstance(asked(here, "report.run", CONTEXT), StepUpRequired)
    assert here.gate.check("report.run", on("api_key")).allowed
    assert len(here.events()) == 1
    bundled = here.gate.require_bundle([Item("report.run"), Item("report.run", ORG)], on("api_key"))
    assert [one.decision.satisfied_by for one in bundled] == ["surface", "surface"]
    assert here.events()[-1].action == "stepup.bundle"


def test_what_speaks_for_asking_ends_an_allowance(face: str) -> None:
    """Raised risk, narrowed methods, impersonation."""
    level = {"now": Risk.MEDIUM}

    def raised(*_: object) -> Risk:
        return level["now"]

    easy = Action("easy", "Easy", risk=Risk.MEDIUM, surfaces={"api_key": "allow", "bearer": "allow"}, escalate=raised)
    here = world(face=face, actions=(easy,))
    assert isinstance(asked(here, "easy", on("api_key")), Authorization)
    narrowed = replace(CONTEXT, risk=RiskAssessment(1, methods=frozenset({"passkey"})))
    assert isinstance(asked(here, "easy", on("api_key", narrowed)), StepUpRequired)
    behalf = replace(CONTEXT, actor=replace(CONTEXT.actor, on_behalf_of="usr_9"))
    assert isinstance(asked(here, "easy", on("api_key", behalf)), StepUpRequired)
    level["now"] = Risk.HIGH
    assert isinstance(asked(here, "easy", on("api_key")), Denied)
    assert isinstance(asked(here, "easy", on("bearer")), StepUpRequired)


@pytest.mark.parametrize(
    "wrong",
    [
        {"surfaces": {"fax": "ask"}},
        {"surfaces": {"job": "maybe"}},
        {"surfaces": "job"},
        {"surfaces": {"job": "allow"}, "risk": 4},
        {"impersonation": "sometimes"},
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(face: str, wrong: dict[str, Any]) -> None:
    """With the action, and what is allowed there."""
    assert face
    with pytest.raises(ConfigurationError, match="do"):
        Action("do", "Do", **wrong)


def test_a_first_factor_is_not_for_programs(face: str) -> None:
    """However fresh the session that they say they have."""
    from stepup.verifiers import TOTP

    here = world(face=face, verifiers=[TOTP()], actions=())
    fresh = context(age=1)
    refused = outcome(lambda: here.gate.factors.enrol_totp(on("job", fresh)))
    assert isinstance(refused, Denied)
    assert refused.code == Code.ACTION_BLOCKED
    assert here.gate.factors.enrol_totp(fresh).secret

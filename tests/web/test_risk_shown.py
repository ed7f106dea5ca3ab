"""What a client is told of the session's risk: its level, and codes; never an address, never what others wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from web_world import Site, context

from stepup import RiskAssessment, RiskLevel
from stepup.changes import KNOWN, Key
from stepup.risk import Signals
from stepup.web import Protocol

both_faces = pytest.mark.parametrize("face", ["sync", "async"])


def shown(site: Site) -> tuple[Any, Any, set[Any]]:
    """The session's level and reasons, and the levels that the actions name."""
    session = site.call("GET", "/session").json
    actions = site.call("GET", "/actions").json["actions"]
    return session["riskLevel"], session["riskReasons"], {one["sessionRisk"] for one in actions}


def prove(site: Site) -> None:
    challenge = site.started("member.role")
    site.call("POST", f"/challenges/{challenge}/attempts", {"method": "password", "response": "right"})


@both_faces
def test_the_level_and_the_codes_are_shown(face: str) -> None:
    """Medium and why, before the first proof; low and nothing, after it."""
    site = Site(face, gate={"risk": Signals()})
    assert shown(site) == ("medium", ["new_device", "new_network"], {"medium"})

    prove(site)

    assert shown(site) == ("low", [], {"low"})


@both_faces
def test_what_the_application_wrote_is_not_shown(face: str) -> None:
    """Its level counts, its words may hold anything."""
    risk = RiskAssessment(80, RiskLevel.HIGH, ("seen at 198.51.100.9 too",))
    site = Site(face, who=replace(context(), risk=risk), gate={"risk": Signals()})

    assert shown(site) == ("high", ["new_device", "new_network"], {"high"})
    assert shown(Site(face, who=replace(context(), risk=risk))) == ("high", [], {"high"})


@both_faces
def test_where_nobody_judges_there_is_none(face: str) -> None:
    """Null, which is not low."""
    assert shown(Site(face)) == (None, [], {None})


@both_faces
def test_an_assessor_of_actions_is_asked_for_actions_only(face: str) -> None:
    """Its level stands with the action; its reasons nowhere."""

    def assess(who: object, action: str) -> RiskAssessment:
        level = RiskLevel.HIGH if action == "org.delete" else RiskLevel.LOW
        return RiskAssessment(50, level, ("from 198.51.100.9",))

    site = Site(face, gate={"risk": assess})
    assert shown(site) == (None, [], {"high", "low"})


@both_faces
@pytest.mark.parametrize("address", ["/session", "/actions", "/events"])
def test_no_answer_holds_an_address_as_a_reason(face: str, address: str) -> None:
    """A lookup that fails is a code as well."""
    site = Site(face, gate={"risk": Signals(country_of=lambda ip: None)})
    prove(site)

    assert site.call("GET", "/session").json["riskReasons"] == ["impossible_country_unknown"]
    assert "192.0.2" not in str([one for one in site.call("GET", address).json.items() if one[0] != "events"])


class Counted:
    """A gate's store that notes what is loaded."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.loads: list[Sequence[Key]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def load(self, partition: str, keys: Sequence[Key]) -> Any:
        self.loads.append(keys)
        return await self._inner.load(partition, keys)


def loads(face: str, **gate: Any) -> list[Sequence[Key]]:
    """What ``GET /actions`` loads, with a grant on the shelf."""
    site = Site(face, gate=gate)
    prove(site)
    store = Counted(site.core.store)
    site.protocol = Protocol(replace(site.core, store=store))
    assert site.call("GET", "/actions").status == 200
    return store.loads


@both_faces
def test_the_history_is_loaded_once_for_all_actions(face: str) -> None:
    """And costs that one call more than a gate without it."""
    without, having = loads(face), loads(face, risk=Signals())

    assert [KNOWN in keys for keys in having].count(True) == 1
    assert len(having) == len(without) + 1


@both_faces
def test_an_assessor_of_actions_is_asked_once_for_each(face: str) -> None:
    """Not once for its level and once more for its status."""
    asked: list[str] = []

    def assess(who: object, action: str) -> RiskAssessment:
        asked.append(action)
        return RiskAssessment()

    site = Site(face, gate={"risk": assess})
    shown_actions = [one["id"] for one in site.call("GET", "/actions").json["actions"]]
    assert asked == shown_actions

"""What clients send: which bodies are read, and what is said of those that are not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from web_world import Site

from stepup.web import wire
from stepup.web.api import CALLS
from stepup.web.bodies import BadRequest

both_faces = pytest.mark.parametrize("face", ["sync", "async"])
PREFLIGHT = (wire.ByDetails, wire.ByCall)
START = (wire.StartByOffer, wire.StartByDetails, wire.StartByCall)
CANARY = "sent-by-the-client"


def detail_of(kinds: tuple[type[wire.Sent], ...], body: dict[str, Any]) -> str:
    with pytest.raises(BadRequest) as refused:
        wire.read(kinds, body)
    assert refused.value.status == 400
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None
    return refused.value.detail


@pytest.mark.requirement("G-12")
@pytest.mark.parametrize(
    ("kinds", "body", "detail"),
    [
        (PREFLIGHT, {}, "action is missing."),
        (PREFLIGHT, {"action": None}, "action must be a text."),
        (PREFLIGHT, {"action": ["org.delete"]}, "action must be a text."),
        (PREFLIGHT, {"action": ""}, "action must not be empty."),
        (PREFLIGHT, {"action": "a" * 129}, "action must have at most 128 characters."),
        (PREFLIGHT, {"action": "\ud800"}, "action must be a text in Unicode."),
        (PREFLIGHT, {"action": "a", CANARY: 1}, "The body may have: action, resource, params."),
        (PREFLIGHT, {"action": "a", "resource": CANARY}, "resource must be an object."),
        (PREFLIGHT, {"action": "a", "resource": {"type": "a"}}, "resource.id is missing."),
        (PREFLIGHT, {"action": "a", "resource": {"type": 1, "id": "b"}}, "resource.type must be a text."),
        (
            PREFLIGHT,
            {"action": "a", "resource": {"type": "a", "id": "b" * 256}},
            "resource.id must have at most 255 characters.",
        ),
        (
            PREFLIGHT,
            {"action": "a", "resource": {"type": "a", "id": " b"}},
            "resource.id must not have control characters, or white space at either end.",
        ),
        (PREFLIGHT, {"action": "a", "resource": {"type": "a", "id": "b", CANARY: 1}}, "resource may have: type, id."),
        (PREFLIGHT, {"action": "a", "params": []}, "params must be an object."),
        (START, {"offer": None}, "offer must be a text."),
        (START, {"offer": ""}, "offer must not be empty."),
        (START, {"offer": "a" * 16_385}, "offer must have at most 16384 characters."),
        (START, {"offer": "a", "action": "b"}, "The body may have: reason, offer, authorization_details."),
        (START, {"offer": "a", "reason": ""}, "reason must not be empty."),
        (START, {"offer": "a", "reason": "a" * 501}, "reason must have at most 500 characters."),
        (START, {"reason": "a"}, "action is missing."),
        ((wire.Attempt,), {"response": CANARY}, "method is missing."),
        ((wire.Attempt,), {"method": "totp"}, "response is missing."),
        ((wire.Attempt,), {"method": "a" * 65, "response": 1}, "method must have at most 64 characters."),
        (
            (wire.Attempt,),
            {"method": "a", "response": 1, "rememberDevice": "true"},
            "rememberDevice must be true or false.",
        ),
        (
            (wire.Attempt,),
            {"method": "a", "response": 1, "remember_device": True},
            "The body may have: method, response, rememberDevice.",
        ),
        ((wire.Nothing,), {"a": 1}, "The body may have: no members."),
    ],
)
def test_a_body_is_refused_by_the_name_of_the_member(
    kinds: tuple[type[wire.Sent], ...], body: dict[str, Any], detail: str
) -> None:
    """The text says which member is wrong and what was expected."""
    assert detail_of(kinds, body) == detail


def test_no_error_tells_what_was_sent() -> None:
    """Not in the text, not in its cause, whatever member holds it and whatever it is called."""
    sent: tuple[Any, ...] = (CANARY, CANARY * 2000, [CANARY], {CANARY: CANARY}, {"type": CANARY, CANARY: [CANARY]})
    for route in CALLS:
        for kinds in [route.says.reads] if route.says and route.says.reads else []:
            names = {name for kind in kinds for name in kind.model_json_schema()["properties"] or {}} | {CANARY}
            for name in names:
                for value in sent:
                    with pytest.raises(BadRequest) as refused:
                        wire.read(kinds, {name: value, f"{CANARY} too": value})
                    assert CANARY not in refused.value.detail


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ({"limit": "0"}, "limit must be at least 1."),
        ({"limit": "101"}, "limit must be at most 100."),
        ({"limit": "ten"}, "limit must be a number."),
        ({"limit": ""}, "limit must be a number."),
        ({"limit": "00200"}, "limit must be a number."),
        ({"limit": "1.0"}, "limit must be a number."),
        ({"limit": "\u0662"}, "limit must be a number."),
        ({"limit": "1" * 5000}, "limit must be a number."),
    ],
)
def test_a_limit_is_a_number_within_bounds(query: dict[str, str], detail: str) -> None:
    """One spelling of a number, and no way around the bounds by leading zeros."""
    with pytest.raises(BadRequest) as refused:
        wire.read_query(wire.EventsQuery, query)

    assert refused.value.detail == detail


def test_parameters_have_defaults_and_others_mean_nothing() -> None:
    """A query without parameters is a whole one; an unknown parameter changes nothing."""
    assert wire.read_query(wire.EventsQuery, {}) == wire.EventsQuery()
    assert wire.read_query(wire.EventsQuery, {"limit": "100", "after": "x", "utm_source": "y"}) == wire.read(
        (wire.EventsQuery,), {"limit": 100, "after": "x"}
    )


def test_what_may_be_null_is_as_if_it_were_left_out() -> None:
    """resource, params and reason may be null; a body without them means the same."""
    empty = {"resource": None, "params": None}

    assert wire.read(PREFLIGHT, {"action": "a", **empty}) == wire.read(PREFLIGHT, {"action": "a"})
    assert wire.read(START, {"offer": "a", "reason": None}) == wire.read(START, {"offer": "a"})


def test_what_is_secret_is_not_in_a_repr() -> None:
    """Neither an answer nor an offer is shown where a body is printed."""
    attempt = wire.read((wire.Attempt,), {"method": "password", "response": CANARY})
    started = wire.read(START, {"offer": CANARY})

    assert CANARY not in f"{attempt!r} {attempt} {started!r} {started}"


@both_faces
def test_the_detail_stands_in_the_problem(face: str) -> None:
    """A client's developer sees what is wrong with the body, and a log sees nothing of what was in it."""
    found = Site(face).call("POST", "/preflight", {"action": "org.delete", "resource": {"type": CANARY}})

    assert (found.status, found.json["detail"]) == (400, "resource.id is missing.")
    assert CANARY not in json.dumps(found.json)


@both_faces
@pytest.mark.parametrize("params", [{"a": "\ud800"}, {"\ud800": 1}, {"a": 2**53}, {"a": 1e300}, {"a": "x" * 5000}])
def test_params_that_have_no_canonical_form_are_a_bad_request(face: str, params: dict[str, Any]) -> None:
    """What two parties could read differently, or is too long, is refused, never a crash."""
    body = json.dumps({"action": "org.delete", "params": params}).encode()
    found = Site(face).call("POST", "/preflight", raw=body)

    assert (found.status, found.code) == (400, "bad_request")

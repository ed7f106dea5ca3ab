"""What the page about HTTP says is so: calls, what they take and answer, keys, cookies, limits, statuses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import BaseModel
from test_code_blocks import REFERENCE, names, rows

from stepup.challenge import State
from stepup.errors import Code
from stepup.web import MAX_BODY, PROBLEMS
from stepup.web.answers.about import OpenApi, Problem
from stepup.web.answers.account import DeviceItem
from stepup.web.answers.ceremony import Challenge, ChallengeEnvelope
from stepup.web.api import CALLS, PAGES
from stepup.web.bodies import MAX_DEPTH, MAX_FIELDS
from stepup.web.call import Route
from stepup.web.cookies import cookie_names
from stepup.web.problems import BLOCKED
from stepup.web.wire import MAX_EVENTS, MAX_INBOX

PAGE = REFERENCE / "http.md"
CODES = REFERENCE / "codes.md"
TEXT = PAGE.read_text(encoding="utf-8")


def keys(kind: type[BaseModel]) -> list[str]:
    """What the members of a model are called on the wire; of several kinds in one, of all of them."""
    fields = kind.model_fields
    if list(fields) == ["root"]:
        union = fields["root"].annotation
        return list(dict.fromkeys(key for one in getattr(union, "__args__", ()) for key in keys(one)))
    return [field.alias or name for name, field in fields.items()]


def dotted(kind: type[BaseModel]) -> Iterator[str]:
    """The keys of a document and of the documents in it."""
    for name, field in kind.model_fields.items():
        key, inner = field.alias or name, field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from (f"{key}.{one}" for one in keys(inner))
        else:
            yield key


def cell(listed: list[str]) -> str:
    return ", ".join(f"`{one}`" for one in listed) or "nothing"


@pytest.mark.parametrize(("first", "table"), [("call", CALLS), ("page", PAGES)])
def test_the_page_lists_exactly_the_routes(first: str, table: tuple[Route, ...]) -> None:
    """Every call and every page of the protocol, in order, and no other."""
    assert names(PAGE, first) == [f"{route.method} {route.path}" for route in table]


@pytest.mark.parametrize("route", CALLS, ids=lambda route: f"{route.method} {route.path}")
def test_the_page_says_what_a_call_takes_and_answers(route: Route) -> None:
    """The members of what is sent and answered, and the status, are those of the models."""
    (row,) = [one for one in rows(PAGE, "call") if one[0] == f"`{route.method} {route.path}`"]
    says = route.says
    assert says is not None

    sent = dict.fromkeys(key for kind in (*says.reads, *([says.query] if says.query else [])) for key in keys(kind))

    assert sorted(row[1].split(", ")) == sorted(cell(list(sent)).split(", "))
    if says.answer is OpenApi:
        assert row[2] == "the document"
    else:
        assert row[2] == cell([] if says.answer is None else keys(says.answer))
    assert row[3] == str(says.status)


def test_the_page_lists_exactly_the_promised_keys() -> None:
    """Of the challenge, of what stands beside it, and of problems."""
    assert names(PAGE, "challenge key") == list(dotted(Challenge))
    assert names(PAGE, "envelope key") == keys(ChallengeEnvelope)
    assert names(PAGE, "device key") == keys(DeviceItem)
    assert sorted(names(PAGE, "problem member")) == sorted(keys(Problem))
    (status,) = [row[1] for row in rows(PAGE, "challenge key") if row[0] == "`status`"]
    assert [one.value for one in State] == status.replace(" or ", ", ").replace("`", "").split(", ")


def test_the_page_lists_exactly_the_cookies() -> None:
    """By their names."""
    known = cookie_names()
    assert names(PAGE, "cookie") == [known.session, known.device, known.trust, known.grant]


def test_the_limits_are_those_of_the_code() -> None:
    """As numbers that people read."""
    limits = {row[0]: row[1] for row in rows(PAGE, "what")}
    assert limits["a body"] == f"{MAX_BODY // 1024} KiB"
    assert limits["its depth"] == f"{MAX_DEPTH} levels"
    assert limits["fields of a form"] == str(MAX_FIELDS)
    assert limits["`limit` of `GET /approvals`"] == f"1 to {MAX_INBOX}; 20 without"
    assert limits["`limit` of `GET /events`"] == f"1 to {MAX_EVENTS}; 20 without"


def test_every_code_has_the_status_said() -> None:
    """The table of codes says how each is answered."""
    listed = {row[0].strip("`"): row[1] for row in rows(CODES, "code")}
    for code in Code:
        status = str(PROBLEMS[code].status) if code in PROBLEMS else ""
        assert listed[code.value] == (f"{status} or 401" if code in BLOCKED else status)

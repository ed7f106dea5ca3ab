"""A stranger's fuzzer at the four real servers: what the description says is what they answer, over HTTP.

It reads ``/stepup/openapi.json``, and makes right and wrong requests of it, signed in by a token or by the session's
cookie. ``tests/web/test_openapi.py`` does the same to the protocol alone, and more of it.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import openapi_spec_validator
import pytest
import schemathesis
from blackbox_client import Client
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

SERVERS = ("flask", "starlette", "fastapi", "fastapi-sync")
SCHEMES = {"bearer": {"bearer": "marcus-1"}, "session": {"api_key": "marcus"}}
COOKIE = "app"
"""What the black-box applications call their session's cookie; the description leaves that to the application."""

Servers = dict[str, tuple[int, Path]]


def described(servers: Servers, server: str) -> Any:
    """The document that the server gives to anybody."""
    answer = Client(*servers[server]).call("GET", "/stepup/openapi.json")
    assert (answer.status, answer.header("content-type")) == (200, "application/json")
    return answer.json


def test_every_server_gives_the_same_valid_description(servers: Servers) -> None:
    """One document, the same from each, and a validator of OpenAPI 3.1 finds nothing wrong with it."""
    first, *others = [described(servers, server) for server in SERVERS]

    openapi_spec_validator.validate(first)
    assert [other for other in others if json.dumps(other) != json.dumps(first)] == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.requirement("G-12")
def test_a_fuzzer_finds_nothing(server: str, scheme: str, servers: Servers, caplog: pytest.LogCaptureFixture) -> None:
    """Requests made from the document, right and wrong ones, by somebody and by nobody, are answered as it says."""
    caplog.set_level(logging.CRITICAL)
    # An offer and a page's cursor are opaque: no schema tells good ones from bad, so 400 is a right answer too. What is
    # wrong and too large at once is too large. A caller with a token who is not fresh gets 401 where others get 403.
    fitting = ["2xx", "400", "401", "403", "404", "409", "422", "429"]
    refused = ["400", "401", "404", "413", "415"]
    document = described(servers, server)
    document["components"]["securitySchemes"]["session"]["name"] = COOKIE
    config = SchemathesisConfig.from_dict(
        {
            "base-url": f"http://127.0.0.1:{servers[server][0]}/stepup",
            "seed": 1,
            "generation": {"max-examples": 10},
            "continue-on-failure": True,
            "request-timeout": 60,
            "auth": {"openapi": {scheme: SCHEMES[scheme]}},
            "checks": {
                "positive_data_acceptance": {"expected-statuses": fitting},
                "negative_data_rejection": {"expected-statuses": refused},
            },
        }
    )
    schema = schemathesis.openapi.from_dict(document, config=config)

    found: list[str] = []
    statuses: dict[str, set[int]] = {}
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            found.append(repr(event))
        if isinstance(event, events.ScenarioFinished):
            label = str(event.recorder.label)
            for sent in event.recorder.interactions.values():
                if sent.response is not None:
                    statuses.setdefault(label, set()).add(sent.response.status_code)
            made = (check for checks in event.recorder.checks.values() for check in checks)
            found += [
                f"{label}: {one.name}: {one.failure_info.failure}\n{one.failure_info.code_sample}"
                for one in made
                if one.failure_info is not None
            ]

    assert found == []
    calls = {f"{method.upper()} {path}" for path, at in document["paths"].items() for method in at}
    assert calls - statuses.keys() <= {"GET /openapi.json"}
    for call in ("GET /actions", "GET /session", "GET /grants", "GET /events"):
        assert {200, 401} <= statuses[call], "with what signs in, and without"

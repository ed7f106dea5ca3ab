"""The gate and the people of the black-box applications: one world, four servers that must answer alike.

Time stands still, so that documents are the same bytes; codes are mailed into a file, for a test to read.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from stepup import Action, Actor, AsyncStepUp, Policy, Resource, StepUp, all_of
from stepup.ports import Message
from stepup.stores.sql import AsyncSQLStore, SQLStore
from stepup.testing import FrozenClock
from stepup.verifiers import EmailCode, Password

DIRECTORY = Path(os.environ.get("STEPUP_BLACKBOX", "."))
SECRET = "a secret of the black-box tests, never a real one: 0123456789"
PEOPLE = {"olivia": "usr_2048", "marcus": "usr_4096"}
PASSWORDS = {"usr_2048": "seven quiet herons", "usr_4096": "nine loud storks"}
ACTIONS = (
    Action("org.delete", "Delete organization", risk=4, description="For ever.", confirmation="Proof is needed."),
    Action("member.role", "Change role", risk=3),
    Action("note.edit", "Edit note", risk=1),
    Action("key.rotate", "Rotate key", policy=Policy(methods=all_of("password", "email_code"))),
)
OPTIONS: dict[str, Any] = {"proxies": ["192.0.2.0/24"]}


class FileMailer:
    """Writes every message as a line of a file."""

    def send(self, message: Message) -> None:
        line = json.dumps({"to": message.to, "text": message.text})
        with (DIRECTORY / "mails").open("a") as file:
            file.write(line + "\n")


def check(actor: Actor, password: str) -> bool:
    return PASSWORDS.get(actor.id) == password


def version(actor: Actor) -> str:
    return "1"


def given() -> dict[str, Any]:
    """What the gates of both colours are made of."""
    return {
        "actions": ACTIONS,
        "verifiers": [Password(check=check, version_of=version), EmailCode(mailer=FileMailer())],
        "secret": SECRET,
        "clock": FrozenClock(),
        "enrol_url": "/account/enrol",
        "login_url": "/login",
    }


def sync_gate() -> StepUp:
    """Over one SQLite file, which the workers of a server share."""
    return StepUp(store=SQLStore.sqlite(DIRECTORY / "stepup.db", timeout=10), **given())


def async_gate() -> AsyncStepUp:
    """Over one SQLite file."""
    return AsyncStepUp(store=AsyncSQLStore.sqlite(DIRECTORY / "stepup.db", timeout=10), **given())


def actor(name: str | None) -> Actor | None:
    """The person of that name."""
    found = PEOPLE.get(name or "")
    return None if found is None else Actor(found, email=f"{name}@northstar.example")


def who(authorization: str | None, cookie: str | None) -> Actor | None:
    """Who a request is from: by a bearer token, or else by the application's own session cookie."""
    if authorization is not None and authorization.lower().startswith("bearer "):
        return actor(authorization[7:].partition("-")[0])
    return actor(cookie)


def organization(org_id: str) -> Resource:
    return Resource("organization", org_id)

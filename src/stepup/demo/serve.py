"""Serve the demo on loopback until it is interrupted."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import sqlalchemy as sa
import uvicorn

from stepup.stores.sql import SQLStore

from .app import make_app
from .people import Mails, People
from .seed import build_gate, seeded
from .watch import Watch

HOST = "127.0.0.1"


def serve(port: int, url: str | None, seed_file: str | None) -> int:
    """Seed the people, say how to sign in, and serve.

    *url* is the store's address, by default a SQLite file that goes with the demo; *seed_file* is where the
    credentials are written as JSON, readable by its owner only.
    """
    mails, secret = Mails(say), secrets.token_bytes(32)
    with _store(url) as store:
        parts, watch = seeded(store, secret, mails, f"http://localhost:{port}"), Watch()
        if seed_file is not None:
            _write(Path(seed_file), parts.people)
        _greet(port, parts.people)
        app = make_app(build_gate(parts, on_event=watch), parts, watch)
        uvicorn.run(app, host=HOST, port=port, log_level="warning", proxy_headers=False)
    return 0


@contextlib.contextmanager
def _store(url: str | None) -> Generator[SQLStore]:
    with tempfile.TemporaryDirectory(prefix="stepup-demo-") as directory:
        address = sa.make_url(url or f"sqlite:///{directory}/stepup.db")
        if address.get_backend_name() == "sqlite" and address.database:
            store = SQLStore.sqlite(address.database)
        else:
            store = SQLStore(sa.create_engine(address))
            store.create_schema()
        try:
            yield store
        finally:
            store.close()


def _write(path: Path, people: People) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(people.as_dict(), file, indent=2)


def say(text: str) -> None:
    """To the terminal, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _greet(port: int, people: People) -> None:
    person = people.owner
    others = "\n".join(f"  {one.role:15} {one.email}   {one.password}" for one in people.everybody[1:])
    say(
        f"""
The demo is at http://localhost:{port} (Ctrl-C ends it). Everything in it is made up.

  e-mail          {person.actor.email}
  password        {person.password}
  authenticator   {person.totp_secret}   (type it into an authenticator app)
  recovery codes  {", ".join(person.recovery_codes[:3])}, ...

{others}

Mailed codes appear here, and at http://localhost:{port}/demo/outbox.
"""
    )

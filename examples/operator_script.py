"""An operator's script that asks at the terminal before it does damage.

    python examples/operator_script.py prod | tee wiped.log

It stops and asks for the code of the operator's authenticator app; standard output carries only the script's own
lines. Ctrl-C, Ctrl-D or an empty answer leave without damage. From a pipe or a cron job it refuses to run at all.

To try it by hand, add the secret below to an authenticator app, or let this print the code of the moment:

    python -c "import pyotp; print(pyotp.TOTP('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ').now())"

Exit status: 0 wiped, 1 refused, 130 cancelled.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping

from stepup import Action, Actor, Denied, Resource, Risk, StepUp, terminal
from stepup.errors import NotInteractive
from stepup.stores.memory import MemoryStore
from stepup.verifiers import TOTP

OPERATOR = Actor("ops-1", email="ops-1@northstar.example")
SECRETS: Mapping[str, str] = {"ops-1": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"}
"""Who may operate, and with which authenticator. A real script reads it from where only its administrators write."""


def make_gate() -> StepUp:
    """A gate for this run.

    A memory store forgets with the process, so each run starts with fresh attempt limits and the code of the last
    run opens the next one within its half minute. Where that matters, use a store that several runs share, and the
    secret of the product itself.
    """
    return StepUp(
        actions=[Action("db.wipe", "Wipe a database", risk=Risk.CRITICAL)],
        verifiers=[TOTP(secret_of=lambda actor: SECRETS.get(actor.id))],
        store=MemoryStore(),
        secret=secrets.token_bytes(32),
    )


def wipe(database: str) -> None:
    """The damage, or a picture of it."""
    print(f"{database}: wiped")


def main(arguments: list[str]) -> int:
    """Ask, then wipe. What is asked for is bound to this very database."""
    if len(arguments) != 1:
        print("usage: operator_script.py DATABASE", file=sys.stderr)
        return 2
    database = arguments[0]
    gate = make_gate()
    try:
        terminal.confirm(gate, "db.wipe", actor=OPERATOR, resource=Resource("database", database))
    except terminal.Cancelled:
        return 130
    except Denied:
        return 1  # why was said at the terminal
    except NotInteractive as error:
        print(f"refused: {error}", file=sys.stderr)
        return 1
    wipe(database)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

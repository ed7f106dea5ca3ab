"""Programs that ``test_terminal.py`` runs at a pseudo-terminal of their own: ``python terminal_child.py NAME [ARG]``.

Each prints what came of it on standard output, which is a pipe.
"""

from __future__ import annotations

import secrets
import sys

from stepup import Action, Actor, Context, Denied, Limits, Resource, Risk, StepUp, all_of, any_of, terminal
from stepup.mailers import SMTPMailer
from stepup.requirement import Requirement
from stepup.stores.memory import MemoryStore
from stepup.verifiers import TOTP, EmailCode, Password

SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
ACTOR = Actor("ops-1", email="olivia@northstar.example")


def gate(methods: Requirement, port: int = 25) -> StepUp:
    mailer = SMTPMailer("127.0.0.1", port, sender="no-reply@northstar.example")
    return StepUp(
        actions=[Action("db.wipe", "Wipe a database", risk=Risk.CRITICAL, methods=methods)],
        verifiers=[
            TOTP(secret_of=lambda actor: SECRET),
            Password(check=lambda actor, password: password == "correct horse"),
            EmailCode(mailer),
        ],
        store=MemoryStore(),
        secret=secrets.token_bytes(32),
        limits=Limits(lock_after=2),
    )


def locked() -> StepUp:
    """A gate at which the operator has just been wrong twice."""
    made = gate(any_of("password"))
    context = Context(ACTOR)
    challenge = made.start("db.wipe", context, resource=Resource("database", "prod"))
    for _ in range(2):
        assert not made.verify(challenge.id, "password", "battery staple", context)
    return made


def main(name: str, port: str = "25") -> str:
    gates = {
        "all_of": lambda: gate(all_of("password", "totp")),
        "either": lambda: gate(any_of("password", "totp")),
        "mail": lambda: gate(any_of("email_code"), int(port)),
        "password": lambda: gate(any_of("password")),
        "locked": locked,
    }
    try:
        passed = terminal.confirm(gates[name](), "db.wipe", actor=ACTOR, resource=Resource("database", "prod"))
    except terminal.Cancelled as error:
        return f"cancelled {error.code}"
    except Denied as denied:
        return f"denied {denied.code}"
    return f"allowed {'+'.join(sorted(proof.method for proof in passed.proofs))}"


if __name__ == "__main__":
    print(main(*sys.argv[1:]))

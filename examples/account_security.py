"""An account-security page: three protected changes, each with methods of its own.

============ ====== ======================== ==================================================
action       risk   methods                  and
============ ====== ======================== ==================================================
disable_mfa  high   passkey, totp, password  proof not older than 5 minutes; refused whatever is
export_data  medium passkey, totp            proved while session risk is high or unknown; the
rotate_key   high   passkey, password        device may be remembered; the token must be presented
============ ====== ======================== ==================================================

Nothing here passes on the strength of a session, however fresh: each change takes a proof and a token of its own.
Remembering a device makes trust that counts at levels 1 and 2 alone, for actions whose policy has a session window;
these have none.

``build`` makes the actions and the policies; ``python examples/account_security.py`` prints what a real gate
answers. The passkey verifier comes with a later version; until then a scripted one stands in its place here, so
that the policy can be seen whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from stepup import (
    Action,
    Actor,
    Context,
    Policy,
    Proof,
    Resource,
    Risk,
    RiskAssessment,
    RiskLevel,
    Session,
    StepUp,
    Strength,
    any_of,
)
from stepup.policy import Params
from stepup.ports import Clock, RiskAssessor
from stepup.stores.memory import MemoryStore
from stepup.testing import ScriptedVerifier
from stepup.verifiers import TOTP, Password

BLOCKED = frozenset({RiskLevel.HIGH, RiskLevel.UNKNOWN})

POLICIES: Mapping[Risk | int | str, Policy] = {
    Risk.MEDIUM: Policy(max_age=300, grant_ttl=300, token_required=True, block_session_risk=BLOCKED, remember=True),
    Risk.HIGH: Policy(max_age=300, grant_ttl=300, token_required=True, block_session_risk=BLOCKED, remember=True),
}


def describe_export(
    resource: Resource | None,  # noqa: ARG001 -- the hook's signature
    params: Params | None,
) -> list[tuple[str, str]]:
    """What the person is shown of an export: the params that matter, in words."""
    return [("Format", str((params or {}).get("format", "CSV"))), ("Since", str((params or {}).get("since", "ever")))]


def build() -> tuple[list[Action], Mapping[Risk | int | str, Policy]]:
    """The three actions and their policies."""
    actions = [
        Action(
            "disable_mfa",
            "Disable multi-factor authentication",
            risk=Risk.HIGH,
            description="Signing in will take the password alone.",
            methods=any_of("passkey", "totp", "password"),
            confirmation="Needs a fresh proof",
            audit_level="Who, from which device, and what came of it",
        ),
        Action(
            "export_data",
            "Export customer data",
            risk=Risk.MEDIUM,
            description="Prepares a file with every customer of this workspace.",
            methods=any_of("passkey", "totp"),
            describe=describe_export,
            confirmation="Written to the audit trail",
            audit_level="Who, from which device, and what came of it",
        ),
        Action(
            "rotate_key",
            "Rotate the production API key",
            risk=Risk.HIGH,
            description="Shows a new secret once. The old key stops working.",
            methods=any_of("passkey", "password"),
            confirmation="The owners of every webhook are told",
            audit_level="Who, from which device, and what came of it",
        ),
    ]
    return actions, POLICIES


# -- what it answers -----------------------------------------------------------------

SECRET = "an example's secret, never to be used for anything else"
TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
RISK_OF_ADDRESS = {
    "192.0.2.10": RiskAssessment(12, RiskLevel.LOW),
    "192.0.2.20": RiskAssessment(45, RiskLevel.MEDIUM, ("new network",)),
    "192.0.2.30": RiskAssessment(92, RiskLevel.HIGH, ("impossible travel",)),
}


def assess(context: Context, action: str) -> RiskAssessment:  # noqa: ARG001 -- the port's signature
    """A stand-in for a risk engine. One that fails, or answers anything else, counts as unknown too."""
    return RISK_OF_ADDRESS.get(context.ip or "", RiskAssessment(100, RiskLevel.UNKNOWN, ("never seen",)))


def build_gate(risk: RiskAssessor = assess, *, clock: Clock | None = None) -> StepUp:
    """A gate with every method the page names."""
    actions, policies = build()
    return StepUp(
        actions=actions,
        policies=policies,
        verifiers=[
            ScriptedVerifier("passkey", strength=Strength.PASSKEY_VERIFIED, answer="touch", amr=("hwk", "user")),
            TOTP(secret_of=lambda _: TOTP_SECRET),
            # A product gives hash_of=, or version_of= beside check=, so that a reset by mail is noticed.
            Password(check=lambda _, password: password == "seven quiet herons"),
        ],
        store=MemoryStore(),
        secret=SECRET,
        risk=risk,
        clock=clock,
    )


def main() -> None:
    """Print, for every action, what is answered at four session risks, and to a fresh session."""
    gate, now = build_gate(), datetime.now(UTC)

    def context(ip: str, *, signed_in_with: str = "password", minutes: int = 60) -> Context:
        at = now - timedelta(minutes=minutes)
        session = Session("session", authenticated_at=at, proofs=(Proof(signed_in_with, at),))
        return Context(Actor("usr_2048", email="olivia@northstar.example"), session, ip=ip)

    def answer(action: str, one: Context) -> str:
        decision = gate.check(action, one, resource=Resource("user_security_settings", "usr_2048"))
        return "passes" if decision.allowed else ", ".join(decision.methods) or decision.code

    rows = [
        ("session risk low", context("192.0.2.10")),
        ("session risk medium", context("192.0.2.20")),
        ("session risk high", context("192.0.2.30")),
        ("session risk unknown", context("192.0.2.99")),
        ("signed in a minute ago by passkey", context("192.0.2.10", signed_in_with="passkey", minutes=1)),
    ]
    print(f"{'':<36}" + "".join(f"{action:<26}" for action in ("disable_mfa", "export_data", "rotate_key")).rstrip())
    for name, one in rows:
        cells = "".join(f"{answer(action, one):<26}" for action in ("disable_mfa", "export_data", "rotate_key"))
        print(f"{name:<36}{cells}".rstrip())


if __name__ == "__main__":
    main()

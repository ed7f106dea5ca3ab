"""A product tuned by one table of four levels, for people who signed in by any means.

Three ways to prove are all there is: having signed in a moment ago, the password, and a mailed code. Whoever has
no password (people who came by another company's sign-in, or by a link) is asked for a mailed code by itself.

===== ============================================== ========= =====
level satisfied by                                   grant     uses
===== ============================================== ========= =====
1     a fresh session                                10 min    many
2     a fresh session, the password, a mailed code   10 min    many
3     the password, a mailed code                    5 min     many
4     the password, a mailed code                    2 min     one
===== ============================================== ========= =====

``build`` makes the actions and the policies; ``python examples/four_levels.py`` prints what a real gate answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from stepup import Action, Actor, Context, Policy, Resource, Risk, Session, StepUp, any_of, method
from stepup.mailers import Outbox
from stepup.policy import Params
from stepup.ports import Clock, Mailer
from stepup.stores.memory import MemoryStore
from stepup.verifiers import EmailCode, Password

RoleOf = Callable[[str | None, str], str | None]
"""``role_of(organization, member)``: the role of a member, ``None`` for nobody."""

CheckPassword = Callable[[Actor, str], bool]
HasPassword = Callable[[Actor], bool]

PASSWORD_OR_MAIL = any_of("password", "email_code")

POLICIES: Mapping[Risk | int | str, Policy] = {
    Risk.LOW: Policy(methods=method("fresh_session"), session_window=1800, grant_ttl=600),
    Risk.MEDIUM: Policy(methods=any_of("fresh_session", "password", "email_code"), session_window=300, grant_ttl=600),
    Risk.HIGH: Policy(methods=PASSWORD_OR_MAIL, grant_ttl=300),
    Risk.CRITICAL: Policy(methods=PASSWORD_OR_MAIL, grant_ttl=120, uses=1, token_required=True),
}


def build(role_of: RoleOf) -> tuple[list[Action], Mapping[Risk | int | str, Policy]]:
    """The seven actions and the table of four levels."""

    def owners_and_admins(
        context: Context,
        resource: Resource | None,
        params: Params | None,  # noqa: ARG001 -- the hook's signature
    ) -> Risk | None:
        """Removing an owner or an admin, or somebody whose role is not known, is a high risk."""
        role = role_of(context.organization, resource.id) if resource else None
        return None if role in {"member", "guest"} else Risk.HIGH

    actions = [
        Action("organization.delete", "Delete organization", risk=Risk.CRITICAL),
        Action("account.delete", "Delete account", risk=Risk.CRITICAL),
        Action("organization.changeMemberRole", "Change a member's role", risk=Risk.HIGH),
        Action("organization.removeMember", "Remove a member", risk=Risk.MEDIUM, escalate=owners_and_admins),
        Action("billing.cancelSubscription", "Cancel subscription", risk=Risk.HIGH),
        Action("account.changeEmail", "Change e-mail address", risk=Risk.HIGH),
        Action("account.changePassword", "Change password", risk=Risk.HIGH),
    ]
    return actions, POLICIES


def build_gate(
    role_of: RoleOf,
    check: CheckPassword,
    has_password: HasPassword,
    mailer: Mailer,
    *,
    secret: str,
    clock: Clock | None = None,
) -> StepUp:
    """A gate with the product's own password check; without a password, the mailed code is what is left.

    A mailed code opens every level here, so a password that was reset by mail opens nothing more. A product whose
    level 4 asks for more than the mailbox gives ``Password`` a ``version_of=`` too, so that a reset is noticed.
    """
    actions, policies = build(role_of)
    return StepUp(
        actions=actions,
        policies=policies,
        verifiers=[Password(check=check, has_password=has_password), EmailCode(mailer)],
        store=MemoryStore(),
        secret=secret,
        clock=clock,
    )


# -- what it answers -----------------------------------------------------------------

ROLES = {"usr_ada": "owner", "usr_bo": "admin", "usr_cy": "member"}
SECRET = "an example's secret, never to be used for anything else"
CASES = (
    ("organization.delete", "organization", "org_7"),
    ("account.delete", "account", "usr_2048"),
    ("organization.changeMemberRole", "member", "usr_cy"),
    ("organization.removeMember", "member", "usr_cy"),
    ("organization.removeMember", "member", "usr_bo"),
    ("billing.cancelSubscription", "subscription", "sub_9"),
    ("account.changeEmail", "account", "usr_2048"),
    ("account.changePassword", "account", "usr_2048"),
)


def main() -> None:
    """Print, for every action, what three people are asked for."""
    gate = build_gate(
        lambda _, member: ROLES.get(member),
        check=lambda _, password: password == "seven quiet herons",
        has_password=lambda actor: actor.id != "usr_4096",
        mailer=Outbox(),
        secret=SECRET,
    )
    now = datetime.now(UTC)

    def person(actor: str, minutes: int) -> Context:
        session = Session(f"session of {actor}", authenticated_at=now - timedelta(minutes=minutes))
        return Context(Actor(actor, email=f"{actor}@northstar.example"), session, organization="org_7")

    def answer(action: str, resource: Resource, context: Context) -> str:
        decision = gate.check(action, context, resource=resource)
        return "passes" if decision.allowed else " or ".join(decision.methods)

    print(f"{'action':<39} level  {'signed in just now':<24}{'an hour ago':<24}no password, an hour ago")
    for action, kind, target in CASES:
        resource = Resource(kind, target)
        shown = f"{action} ({ROLES[target]})" if target in ROLES else action
        level = int(gate.check(action, person("usr_2048", 0), resource=resource).level)
        people = person("usr_2048", 0), person("usr_2048", 60), person("usr_4096", 60)
        cells = "".join(f"{answer(action, resource, one):<24}" for one in people)
        print(f"{shown:<39} {level:<6} {cells}".rstrip())


if __name__ == "__main__":
    main()

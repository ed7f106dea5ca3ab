"""``AsyncStepUp.factors``: enrolment, and what becomes of factors."""

from __future__ import annotations

from stepup._engine import factors, passkeys
from stepup._engine.core import Core
from stepup.context import Actor, Context
from stepup.decide.answering import Rejected
from stepup.decision import Authorization
from stepup.factor import Factor


class AsyncFactors:
    """Enrolment. Every change is a protected action and ends what was opened before it."""

    def __init__(self, core: Core) -> None:
        self.core = core

    async def list(self, context: Context) -> tuple[Factor, ...]:
        """Everything the person has enrolled, what the application keeps included; never a secret."""
        return await factors.every(self.core, context)

    async def enrol_totp(self, context: Context, *, label: str = "", token: str | None = None) -> factors.TOTPEnrolment:
        """Make a secret for an authenticator app; it counts once ``confirm_totp`` has seen its first code.

        The person's first factor of all needs a session less than five minutes old; any other, a step-up with
        the strongest factor held, for ``stepup.factor.add``. Ten minutes to confirm.

        Raises:
            StepUpRequired, Denied: as ``require``.
            ConfigurationError: for a gate that keeps no TOTP secrets.
        """
        return await factors.enrol_totp(self.core, context, label, token)

    async def confirm_totp(self, context: Context, factor_id: str, code: str) -> Factor | Rejected:
        """Confirm a new secret with its first code, from the session that made it; five tries.

        Returns the factor, quarantined for 24 hours if it was added under a weaker proof than itself.
        """
        return await factors.confirm_totp(self.core, context, factor_id, code)

    async def enrol_passkey(
        self, context: Context, *, label: str = "", token: str | None = None
    ) -> passkeys.PasskeyEnrolment:
        """Begin the registration of a passkey; it counts once ``confirm_passkey`` has seen the browser's answer.

        Under the rules of ``enrol_totp``: the first factor of all from a fresh session, any other after a step-up
        for ``stepup.factor.add``; ten minutes to confirm. Hand ``options`` to ``navigator.credentials.create()``.

        Raises:
            StepUpRequired, Denied: as ``require``.
            ConfigurationError: for a gate without ``Passkey()``.
        """
        return await passkeys.enrol_passkey(self.core, context, label, token)

    async def confirm_passkey(self, context: Context, factor_id: str, response: object) -> Factor | Rejected:
        """Confirm a passkey with the JSON of the browser's answer, from the session that began it; five tries.

        Returns the factor, quarantined for 24 hours if it was added under a weaker proof than itself.
        """
        return await passkeys.confirm_passkey(self.core, context, factor_id, response)

    async def new_recovery_codes(self, context: Context, *, token: str | None = None) -> tuple[str, ...]:
        """Replace the person's recovery codes and return the new ones, to be shown once.

        They stand in for the strongest possession factor held, and go when it goes.

        Raises:
            StepUpRequired, Denied: as ``require``; Denied also where there is no factor to stand in for.
            ConfigurationError: for a gate without ``RecoveryCode()``.
        """
        return await factors.new_recovery_codes(self.core, context, token)

    async def remove(self, context: Context, factor_id: str, *, token: str | None = None) -> bool:
        """Remove a stored factor of this person; False where there is none with that id.

        Raises:
            StepUpRequired, Denied: as ``require``, for ``stepup.factor.remove`` on ``Resource("factor", id)``.
        """
        return await factors.remove(self.core, context, factor_id, token)

    async def rename(self, context: Context, factor_id: str, label: str) -> bool:
        """Give a stored factor of this person another label; False where there is none with that id."""
        return await factors.rename(self.core, context, factor_id, label)

    async def changed(self, context: Context, method: str, authorization: Authorization) -> None:
        """Tell that a factor the application owns (password, address) was changed under a step-up.

        Without it, the change is noticed and quarantined for 24 hours. *authorization* is what ``require``
        returned for the change, less than five minutes ago.

        Raises:
            InvalidInput: for an authorization of somebody else, or an old one.
        """
        await factors.changed(self.core, context, method, authorization)

    async def report_totp_step(self, actor: Actor, step: int, *, factor_id: str | None = None) -> bool:
        """Tell the step of a code that the application's own login accepted, so that it cannot be used again.

        ``step`` is the Unix time divided by the period. Without ``factor_id`` it counts for every
        authenticator of the person. Returns whether that was news.

        Raises:
            InvalidInput: for a step in the future, or a factor that is not this person's.
        """
        return await factors.report_totp_step(self.core, actor, step, factor_id)

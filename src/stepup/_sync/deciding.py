"""What is asked of a gate before an action runs: ``check``, ``require``, the same for bundles, and ``guard``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar

from stepup import _bridge as bridge
from stepup._engine import authorize, bundle
from stepup._engine.core import Core
from stepup._guard import Guard
from stepup.bundle import Item
from stepup.context import Context, Resource
from stepup.decision import Authorization, Decision
from stepup.errors import WrongColour
from stepup.policy import Params

P = ParamSpec("P")
R = TypeVar("R")


class Deciding:
    """The part of ``StepUp`` that guards actions."""

    core: Core
    _context_of: Callable[[], Context] | None

    def check(
        self,
        action: str,
        context: Context,
        *,
        resource: Resource | None = None,
        params: Params | None = None,
        token: str | None = None,
        uses: int | None = None,
    ) -> Decision:
        """Decide without spending or recording anything.

        Returns the ``Decision`` with every reason. It is advice: only ``require`` lets an action run.

        Raises:
            UnknownAction: for an action nobody registered.
            InvalidInput: for a value of the wrong type or size.
            StoreUnavailable: if the store cannot answer.
        """
        return bridge.run_sync(authorize.check(self.core, action, context, resource, params, token, uses))

    def require(
        self,
        action: str,
        context: Context,
        *,
        resource: Resource | None = None,
        params: Params | None = None,
        token: str | None = None,
        request_id: str | None = None,
        within: object = None,
        uses: int | None = None,
    ) -> Authorization:
        """Let the call pass, spending a use where uses are limited, or raise.

        Call it after the permission check and the validation of input, as close to the mutation as possible.
        Under concurrency a single use is spent by exactly one caller. ``request_id`` lets the very same
        request learn its own success after a lost reply; keep it secret and unique.

        ``within`` is a SQLAlchemy connection or session in a transaction of the database that the store stands in:
        what is spent is spent in that transaction, so that it commits or rolls back together with the action. What
        is merely recorded of a refusal is written after the transaction has ended. It covers that database, only.
        A ``request_id`` that has spent its proof is refused there: the action was committed with it.

        ``uses`` asks for a proof that can be spent that often, where one has to be given first: the person is told the
        number, and the policy's ``uses`` bounds it. This call spends one; ``Authorization.remaining`` is what is left.

        Raises:
            StepUpRequired: fresh proof would open it; carries an offer.
            Denied: nothing that could be proved now would.
            UnknownAction: for an action nobody registered.
            InvalidInput: for a value of the wrong type or size; for ``within`` in autocommit or in another database.
            StoreUnavailable: if the outcome is not known; treat it as refused, and roll back what ``within`` was in.
        """
        return bridge.run_sync(
            authorize.require(self.core, action, context, resource, params, token, request_id, within, uses)
        )

    def require_bundle(
        self,
        items: Iterable[Item],
        context: Context,
        *,
        token: str | None = None,
        request_id: str | None = None,
        within: object = None,
    ) -> tuple[Authorization, ...]:
        """Let several calls pass together, each once, or raise: one proof opens them all, and none but them.

        The person is shown every item. All are spent in one moment, or none. To spend them one by one, in any order,
        ask ``check_bundle`` first, and give the bundle's token to ``require`` for each. At most 32 items, and none
        twice; for more of the same, ask for ``uses=`` of one call.

        Returns an ``Authorization`` for each item, in order. ``request_id`` and ``within`` as in ``require``;
        with ``within`` too, all are spent or none, and a refusal leaves the transaction as it was.

        Raises:
            StepUpRequired: fresh proof would open it; carries one offer for all.
            Denied: nothing that could be proved now would open all of them.
            UnknownAction: for an action nobody registered.
            InvalidInput: for a value of the wrong type or size, for too many items, or one item twice.
            StoreUnavailable: if the outcome is not known; treat it as refused.
        """
        return bridge.run_sync(bundle.require_bundle(self.core, items, context, token, request_id, within))

    def check_bundle(self, items: Iterable[Item], context: Context, *, token: str | None = None) -> Decision:
        """Decide about several calls without spending or recording anything; see ``require_bundle``.

        It is advice. To have them spent one by one, raise ``StepUpRequired(decision)`` where it is not ``allowed``, and
        give the token to ``require`` for each.

        Raises:
            As ``require_bundle``, but for the refusals, which are in the ``Decision``.
        """
        return bridge.run_sync(bundle.check_bundle(self.core, items, context, token))

    def guard(
        self,
        action: str,
        *,
        resource: Resource | Callable[..., Resource | None] | None = None,
        params: Params | Callable[..., Params | None] | None = None,
        context: Context | Callable[..., Context] | None = None,
        token: str | Callable[..., str | None] | None = None,
        within: object = None,
        uses: int | Callable[..., int] | None = None,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Guard a function: ``require`` runs before each call of it.

        ``resource``, ``params``, ``context``, ``token``, ``within`` and ``uses`` are values, or functions that are
        given those of the guarded function's arguments that they name. Without ``context``, the gate's ``context_of``
        is asked.

        Raises:
            UnknownAction: when decorating, for an action nobody registered.
            ConfigurationError: when decorating, for a missing context or an unknown argument.
            InvalidInput: when decorating, for ``uses`` that are no number of uses.
            WrongColour: when decorating a function of the other colour.
        """

        def decorate(function: Callable[P, R]) -> Callable[P, R]:
            if bridge.is_async(function) or bridge.is_async_generator(function):
                raise WrongColour(f"guard({action!r}) on an async function.", remedy="Use AsyncStepUp.")
            guard = Guard(
                self.core.registry,
                action,
                function,
                resource=resource,
                params=params,
                context=context or self._context_of,
                token=token,
                within=within,
                uses=uses,
            )

            @functools.wraps(function)
            def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
                call = guard.call(args, kwargs)
                self.require(
                    action,
                    call.context,
                    resource=call.resource,
                    params=call.params,
                    token=call.token,
                    within=call.within,
                    uses=call.uses,
                )
                return function(*args, **kwargs)

            return guarded

        return decorate

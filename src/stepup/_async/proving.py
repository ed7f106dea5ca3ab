"""The ceremony: to open a challenge, to be asked, to answer, and to look at it or close it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from stepup._engine import begin, look, start, verify
from stepup._engine.core import Core
from stepup.bundle import Item
from stepup.ceremony import Prompt
from stepup.challenge import Challenge
from stepup.context import Context, Resource
from stepup.decide.answering import MoreNeeded, Rejected, Verified
from stepup.policy import Params


class AsyncProving:
    """The part of ``AsyncStepUp`` by which people prove themselves."""

    core: Core

    async def start_offer(self, offer: str, context: Context, *, reason: str | None = None) -> Challenge:
        """Open a challenge for the blocked call that *offer* describes; policy decides again.

        Raises:
            Denied: with ``bad_request`` for an offer that is not this person's in this session, or older than
                ten minutes; with another code where nothing can be proved now.
            StoreUnavailable: if the outcome is not known.
        """
        return await start.start_offer(self.core, offer, context, reason)

    async def start(
        self,
        action: str,
        context: Context,
        *,
        resource: Resource | None = None,
        params: Params | None = None,
        reason: str | None = None,
        uses: int | None = None,
    ) -> Challenge:
        """Open a challenge for a call, superseding an open one for the same binding.

        ``reason`` is the person's own words for the audit. Two store calls.

        Raises:
            Denied: where nothing can be proved now, or too many challenges are open.
            UnknownAction: for an action nobody registered.
            InvalidInput: for a value of the wrong type or size.
            StoreUnavailable: if the outcome is not known.
        """
        return await start.start_challenge(self.core, action, context, resource, params, reason, uses)

    async def start_bundle(self, items: Iterable[Item], context: Context, *, reason: str | None = None) -> Challenge:
        """Open a challenge for several calls; see ``require_bundle``, and ``start``, whose errors it raises.

        ``challenge.items`` are what the person is shown.
        """
        return await start.start_bundle(self.core, items, context, reason)

    async def begin(self, challenge_id: str, method: str, context: Context) -> Prompt:
        """Prepare a method: send the code, make the options. Optional for methods that need nothing.

        Asked again within the resend time, it answers the same without sending again.

        Raises:
            Denied: for a challenge that is not this person's or not open, a method that is not allowed, or too
                many sends.
            DeliveryFailed: if the message was not taken; counters are as before and it can be repeated at once.
            StoreUnavailable: if the outcome is not known.
        """
        return await begin.begin(self.core, challenge_id, method, context)

    async def verify(
        self,
        challenge_id: str,
        method: str,
        response: object,
        context: Context,
        *,
        rotate: Callable[[], str | Awaitable[str]] | None = None,
        remember: bool = False,
    ) -> Verified | MoreNeeded | Rejected:
        """Judge one answer. It is counted before it is looked at, and always recorded.

        Returns ``Verified`` with the grant and its token, ``MoreNeeded`` where a part is still missing, or
        ``Rejected``. Only ``Verified`` is truthy. ``rotate`` is called once the last proof is accepted and
        before anything is minted; it changes the session's id and returns the new one, to which the grant is
        bound. Under concurrency the verifier runs at most as often as attempts are allowed, and one wins.

        ``remember`` says that the person wants this device remembered: where policy lets them and no recovery code
        was used, ``Verified.device_token`` is what the device presents from then on, as ``Context.device_token``. A
        device that is remembered gets a new one at every step-up; the one before it is good for another minute.

        Raises:
            StoreUnavailable: if the outcome is not known; the answer stays counted.
        """
        return await verify.verify(self.core, challenge_id, method, response, context, rotate, remember)

    async def cancel(self, challenge_id: str, context: Context) -> bool:
        """Close an open challenge; False where there was none to close."""
        return await look.cancel(self.core, challenge_id, context)

    async def challenge(self, challenge_id: str, context: Context) -> Challenge | None:
        """The challenge as it stands now; None where it is not this person's in this session."""
        return await look.look(self.core, challenge_id, context)

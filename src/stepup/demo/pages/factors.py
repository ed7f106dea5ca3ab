"""Ways to prove: stepup's element shows and changes them, and in it stands what works without.

Adding and removing are protected by stepup itself: the gate's ``factors`` raise what blocks them, as any guard does.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stepup import Context
from stepup.demo.site import Site, fields
from stepup.factor import Factor
from stepup.web.enrolment import picture

KEPT = frozenset({"passkey", "totp", "recovery_code"})
"""Those that stepup keeps, so that they can be removed here."""


def routes(site: Site) -> list[Route]:
    """These pages."""
    gate = site.gate

    async def known(request: Request) -> Context:
        context = await site.step_up.context(request)
        assert context is not None
        return context

    @site.signed_in
    async def factors(request: Request) -> Response:
        found: Sequence[Factor] = await run_in_threadpool(gate.factors.list, await known(request))
        return site.page(request, "factors.html", factors=found, kept=KEPT, now=site.clock.now())

    @site.signed_in
    async def add_app(request: Request) -> Response:
        """An authenticator's secret, as a picture and as text; it counts once its first code was right."""
        made = await run_in_threadpool(gate.factors.enrol_totp, await known(request), label="Authenticator")
        return site.page(request, "authenticator.html", made=made, picture=picture(made.uri))

    @site.signed_in
    async def confirm_app(request: Request) -> Response:
        code = (await fields(request)).get("code", "")
        context, one = await known(request), request.path_params["factor"]
        found = await run_in_threadpool(gate.factors.confirm_totp, context, one, code)
        right = isinstance(found, Factor)
        return site.answer(request, "factor_added" if right else "wrong_code", "/factors", 200 if right else 422)

    @site.signed_in
    async def new_codes(request: Request) -> Response:
        codes = await run_in_threadpool(gate.factors.new_recovery_codes, await known(request))
        return site.page(request, "codes.html", codes=codes)

    @site.signed_in
    async def remove(request: Request) -> Response:
        gone = await run_in_threadpool(gate.factors.remove, await known(request), request.path_params["factor"])
        return site.answer(request, "factor_removed" if gone else "no_factor", "/factors", 200 if gone else 404)

    return [
        Route("/factors", factors),
        Route("/factors/totp", add_app, methods=["POST"]),
        Route("/factors/totp/{factor}", confirm_app, methods=["POST"]),
        Route("/factors/codes", new_codes, methods=["POST"]),
        Route("/factors/{factor}/remove", remove, methods=["POST"]),
    ]

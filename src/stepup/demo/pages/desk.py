"""What only a demo has: its outbox, and time that can be skipped. Both for this machine only."""

from __future__ import annotations

import ipaddress

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stepup.demo.clock import DAY, HOUR
from stepup.demo.site import Endpoint, Site, fields, wants_page


def routes(site: Site) -> list[Route]:
    """These pages."""

    @local
    async def outbox(request: Request) -> Response:
        """What was mailed: a page for people, a list for programs, the oldest first."""
        if wants_page(request):
            return site.page(request, "outbox.html", mails=list(reversed(site.mails.taken)))
        return JSONResponse([{"to": one.to, "subject": one.subject, "text": one.text} for one in site.mails.taken])

    @local
    async def skip(request: Request) -> Response:
        """Put the clock on by a day, and sign out: that is what a day later is like. By an hour: and stay."""
        if (await fields(request)).get("by") == "hour":
            site.clock.skip(HOUR)
            return site.answer(request, "skipped_hour")
        site.clock.skip(DAY)
        return await site.sign_out(request, site.answer(request, "skipped"))

    return [Route("/demo/outbox", outbox), Route("/demo/skip", skip, methods=["POST"])]


def local(endpoint: Endpoint) -> Endpoint:
    """*endpoint*, for callers on this machine."""

    async def wrapper(request: Request) -> Response:
        if request.client is None or not ipaddress.ip_address(request.client.host).is_loopback:
            return JSONResponse({"error": "loopback only"}, 403)
        return await endpoint(request)

    return wrapper

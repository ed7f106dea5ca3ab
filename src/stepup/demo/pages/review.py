"""Looking back: the remembered devices, what has happened, and the end of everything where it was somebody else.

stepup's elements show and change the first two, and in each stands what works without JavaScript.
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stepup import Context, StepUpError
from stepup.demo.actions import actions
from stepup.demo.site import Site, wants_page
from stepup.demo.words import OWN

MANY = 50


def routes(site: Site) -> list[Route]:
    """These pages."""
    return [*_devices(site), *_history(site)]


async def known(site: Site, request: Request) -> Context:
    """Who is signed in, as stepup has it."""
    context = await site.step_up.context(request)
    assert context is not None
    return context


def _devices(site: Site) -> list[Route]:
    gate = site.gate

    @site.signed_in
    async def devices(request: Request) -> Response:
        context = await known(site, request)
        remembered = await run_in_threadpool(gate.devices.recognise, context)
        try:
            listed = await run_in_threadpool(gate.devices.list, context)
        except StepUpError:
            listed = None  # the page is shown all the same, and asks when the person wants to see them
        return site.page(
            request, "devices.html", device=context.device, remembered=remembered is not None, devices=listed
        )

    @site.signed_in
    async def review(request: Request) -> Response:
        """Ask for what seeing the devices takes; the page has them then."""
        await run_in_threadpool(gate.devices.list, await known(site, request))
        return site.answer(request, "reviewed", "/devices")

    @site.signed_in
    async def forget(request: Request) -> Response:
        done = await run_in_threadpool(gate.devices.revoke, await known(site, request), request.path_params["device"])
        return site.answer(request, "forgotten" if done else "no_device", "/devices", 200 if done else 404)

    return [
        Route("/devices", devices),
        Route("/devices/review", review, methods=["POST"]),
        Route("/devices/{device}/forget", forget, methods=["POST"]),
    ]


def _history(site: Site) -> list[Route]:
    gate = site.gate

    @site.signed_in
    async def activity(request: Request) -> Response:
        after = request.query_params.get("after")
        page = await run_in_threadpool(gate.events, (await known(site, request)).actor, after=after, limit=MANY)
        labels = {one.id: one.label for one in actions(site.workspace)}
        return site.page(request, "activity.html", events=page.items, after=page.after, labels=labels)

    @site.signed_in
    async def alarm(request: Request) -> Response:
        """Somebody else has the session, or may have: end everything of the person, this session too. No proof."""
        context = await known(site, request)
        held = await run_in_threadpool(gate.grants, context)
        remembered = await run_in_threadpool(gate.devices.recognise, context) is not None
        labels = {**{one.id: one.label for one in actions(site.workspace)}, **OWN}
        unlocked = sorted({labels.get(one.binding.action, "Several at once") for one in held})
        await (await site.step_up.gate(request)).signal("risk_raised")
        ended = {
            "sessions": site.end_sessions(context.actor.id), "unlocked": unlocked, "remembered": remembered,
        }  # fmt: skip
        if wants_page(request):
            return await site.sign_out(request, site.page(request, "ended.html", ended=ended))
        return await site.sign_out(request, site.answer(request, "alarm", ended=ended))

    return [Route("/activity", activity), Route("/security/alarm", alarm, methods=["POST"])]

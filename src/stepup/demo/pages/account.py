"""Signing in and out, the account page, and what is done from there: the export, and turning two factors off."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stepup import Resource
from stepup.demo.actions import CUSTOMERS, EXPORT, MFA, settings_of
from stepup.demo.site import Site, fields
from stepup.demo.standing import standing
from stepup.demo.watch import Watch
from stepup.ports import Message


def routes(site: Site, watch: Watch) -> list[Route]:
    """These pages."""
    return [*_door(site), *_account(site, watch), *_deeds(site)]


def _door(site: Site) -> list[Route]:
    async def login(request: Request) -> Response:
        given = await fields(request)
        known = site.people.signing_in(given.get("email", ""), given.get("password", ""))
        if known is None:
            return site.answer(request, "wrong", status=403)
        return await site.sign_in(request, known, site.answer(request, "signed_in"))

    async def logout(request: Request) -> Response:
        return await site.sign_out(request, site.answer(request, "signed_out"))

    return [Route("/login", login, methods=["POST"]), Route("/logout", logout, methods=["POST"])]


def _account(site: Site, watch: Watch) -> list[Route]:
    async def home(request: Request) -> Response:
        if site.person(request) is None:
            return site.page(request, "signin.html", everybody=site.people.everybody)
        return site.page(request, "account.html", now=await standing(site, request))

    @site.signed_in
    async def newest_challenge(request: Request) -> Response:
        """Which challenge is the newest; what is in it is the protocol's to say."""
        known = site.person(request)
        found = watch.newest(known.actor.id) if known else None
        return JSONResponse({"challenge": found.as_dict() if found else None}, headers={"cache-control": "no-store"})

    @site.signed_in
    async def lock(request: Request) -> Response:
        """Lock again what a grant has opened; for those without JavaScript."""
        context = await site.step_up.context(request)
        assert context is not None
        await run_in_threadpool(site.gate.revoke, context, grant=request.path_params["grant"])
        return site.answer(request, "locked")

    return [
        Route("/", home),
        Route("/account/challenge", newest_challenge),
        Route("/account/grants/{grant}/lock", lock, methods=["POST"]),
    ]


def _deeds(site: Site) -> list[Route]:
    guard = site.step_up.guard

    def own_settings(connection: Request) -> Resource:
        known = site.person(connection)
        return settings_of(known.actor.id if known else "")

    @site.signed_in
    @guard(MFA, resource=own_settings)
    async def disable_mfa(request: Request) -> Response:
        site.workspace.mfa[own_settings(request).id] = False
        return site.answer(request, MFA)

    @site.signed_in
    async def enable_mfa(request: Request) -> Response:
        site.workspace.mfa[own_settings(request).id] = True
        return site.answer(request, "enable_mfa")

    @site.managing
    @guard(EXPORT, resource=CUSTOMERS)
    async def export(request: Request) -> Response:
        known = site.person(request)
        assert known is not None
        text = f"Your export of 1,284 customers is ready.\n\nFor {known.name}, made on the account page.\n"
        site.mails.send(Message(known.email, "Your customer export is ready", text))
        return site.answer(request, EXPORT)

    return [
        Route("/security/mfa/disable", disable_mfa, methods=["POST"]),
        Route("/security/mfa/enable", enable_mfa, methods=["POST"]),
        Route("/customers/export", export, methods=["POST"]),
    ]

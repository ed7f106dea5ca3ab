"""What belongs to the workspace: payouts, members, API keys, the note, and the end of it all.

The calls with something to say are read first, judged by what the workspace knows, and only then is proof asked for
just this: ``require`` with the amount, the payee, the role; ``require_bundle`` with every key that is to be rotated.
"""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stepup import Item, Resource
from stepup.demo import actions as do
from stepup.demo.site import Endpoint, Site, chosen, fields, wants_page
from stepup.demo.workspace import ID, NAME, PAYEES, ROLES, Key


def routes(site: Site) -> list[Route]:
    """These pages."""
    return [
        *[
            Route(path, _page(site, template))
            for path, template in (
                ("/billing", "billing.html"),
                ("/members", "members.html"),
                ("/keys", "keys.html"),
                ("/workspace", "workspace.html"),
            )
        ],
        *_money(site),
        *_members(site),
        *_keys(site),
        *_settings(site),
    ]


def _page(site: Site, template: str) -> Endpoint:
    @site.signed_in
    async def shown(request: Request) -> Response:
        return site.page(request, template, payees=PAYEES.values(), roles=ROLES, actions=do)

    return shown


def _money(site: Site) -> list[Route]:
    @site.managing
    async def pay(request: Request) -> Response:
        """Validate, ask for proof of this amount to this payee, and above what one person may for another's; pay."""
        given, known = await fields(request), site.person(request)
        amount, payee = do.amount_of(given.get("amount", "")), PAYEES.get(given.get("payee", ""))
        if amount is None or known is None:
            return site.answer(request, "bad_amount", "/billing", 422)
        if payee is None:
            return site.answer(request, "bad_payee", "/billing", 422)
        if amount > site.workspace.balance:
            return site.answer(request, "no_money", "/billing", 422)
        params = do.payout_params(amount, payee.id)
        if amount > do.ALONE:
            draft = site.workspace.draft(amount, payee, known.actor.id)
            about = Resource("payout", draft.id, f"{NAME} operating account")
            await site.step_up.require(request, do.LARGE, resource=about, params=params)
            site.workspace.drafts.pop(draft.id, None)
        else:
            account = Resource("balance", ID, f"{NAME} operating account")
            await site.step_up.require(request, do.PAYOUT, resource=account, params=params)
        site.workspace.pay(amount, payee, known.name)
        return site.answer(request, do.PAYOUT, "/billing")

    return [Route("/billing/payouts", pay, methods=["POST"])]


def _members(site: Site) -> list[Route]:
    members = site.workspace.members

    @site.managing
    async def change_role(request: Request) -> Response:
        """Validate, ask for proof of this role for this member, change it."""
        role = (await fields(request)).get("role", "")
        found = members.get(request.path_params["member"])
        if role not in ROLES:
            return site.answer(request, "bad_role", "/members", 422)
        if found is None:
            return site.answer(request, "no_member", "/members", 404)
        if role != "owner" and site.workspace.last_owner(found.id):
            return site.answer(request, "last_owner", "/members", 422)
        about = Resource("member", found.id, found.name)
        await site.step_up.require(request, do.ROLE, resource=about, params={"role": role})
        site.workspace.change_role(found.id, role)
        return site.answer(request, do.ROLE, "/members")

    @site.managing
    async def remove(request: Request) -> Response:
        """Ask for proof as the member's role demands it, and remove them."""
        found = members.get(request.path_params["member"])
        if found is None:
            return site.answer(request, "no_member", "/members", 404)
        if site.workspace.last_owner(found.id):
            return site.answer(request, "last_owner", "/members", 422)
        await site.step_up.require(request, do.REMOVE, resource=Resource("member", found.id, found.name))
        members.pop(found.id, None)
        return site.answer(request, do.REMOVE, "/members")

    return [
        Route("/members/{member}/role", change_role, methods=["POST"]),
        Route("/members/{member}/remove", remove, methods=["POST"]),
    ]


def _keys(site: Site) -> list[Route]:
    @site.managing
    async def rotate(request: Request) -> Response:
        """Replace the secret, and tell the new one in this answer, once: it is kept nowhere."""
        found = site.workspace.keys.get(request.path_params["key"])
        if found is None:
            return site.answer(request, "no_key", "/keys", 404)
        await site.step_up.require(request, do.ROTATE, resource=_named(found))
        secret = site.workspace.rotate(found.id)
        if wants_page(request):
            return site.page(request, "secret.html", made=[(found, secret)])
        return site.answer(request, do.ROTATE, "/keys", id=found.id, key=found.name, secret=secret)

    @site.managing
    async def rotate_several(request: Request) -> Response:
        """Ask for one proof that names every key that was chosen; then all of them are replaced, or none is."""
        names = await chosen(request, "key")
        found = [key for key in map(site.workspace.keys.get, names) if key is not None]
        if not found or len(found) < len(names):
            return site.answer(request, "no_keys", "/keys", 422)
        gate = await site.step_up.gate(request)
        await gate.require_bundle([Item(do.ROTATE, _named(key)) for key in found])
        made = [(key, site.workspace.rotate(key.id)) for key in found]
        if wants_page(request):
            return site.page(request, "secret.html", made=made)
        secrets = [{"id": key.id, "key": key.name, "secret": secret} for key, secret in made]
        return site.answer(request, "rotated", "/keys", secrets=secrets)

    return [
        Route("/keys/rotate", rotate_several, methods=["POST"]),
        Route("/keys/{key}/rotate", rotate, methods=["POST"]),
    ]


def _named(key: Key) -> Resource:
    return Resource("api_key", key.id, key.name)


def _settings(site: Site) -> list[Route]:
    guard = site.step_up.guard

    @site.managing
    @guard(do.NOTE)
    async def edit_note(request: Request) -> Response:
        given = await fields(request)
        if "note" in given:
            site.workspace.note = given["note"][:500]
        return site.answer(request, do.NOTE, "/workspace")

    @site.managing
    async def delete(request: Request) -> Response:
        """A form has to repeat the name; a program has named it in the path. The proof is for it, once."""
        if wants_page(request) and (await fields(request)).get("confirm", "").strip() != NAME:
            return site.answer(request, "not_confirmed", "/workspace", 422)
        await site.step_up.require(request, do.DELETE, resource=Resource("organization", request.path_params["org"]))
        site.workspace.deleted_at = datetime.now(UTC)
        return site.answer(request, do.DELETE, "/workspace")

    @site.managing
    async def restore(request: Request) -> Response:
        site.workspace.deleted_at = None
        return site.answer(request, "organization.restore", "/workspace")

    return [
        Route("/notes", edit_note, methods=["POST"]),
        Route("/organizations/{org}/delete", delete, methods=["POST"]),
        Route("/organizations/{org}/restore", restore, methods=["POST"]),
    ]

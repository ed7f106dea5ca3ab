"""``python -m stepup demo``, as a program and as a browser without JavaScript would use it, over real HTTP."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pyotp
import pytest
from demo_visitor import DELETE, Visitor

PAGES = (
    "/", "/factors", "/devices", "/activity", "/billing", "/approvals", "/members", "/keys", "/workspace",
    "/demo/outbox",
)  # fmt: skip


@pytest.mark.parametrize("method", ["password", "totp", "email_code", "recovery_code"])
def test_each_method_opens_the_deletion_once(demo: tuple[int, dict[str, Any]], method: str) -> None:
    """With what the seed file tells, and the outbox for what is mailed."""
    visitor = Visitor(*demo).signed_in()
    status, blocked = visitor.json("POST", DELETE)
    assert (status, blocked["code"]) == (403, "verification_required")
    assert set(blocked["methods"]) == {"totp", "recovery_code", "password", "email_code"}

    _, opened = visitor.json("POST", "/stepup/challenges", {"offer": blocked["offer"]})
    address = f"/stepup/challenges/{opened['challenge']['id']}"
    if method == "email_code":
        assert visitor.json("POST", f"{address}/methods/email_code")[0] == 200
    answers: dict[str, Callable[[], str]] = {
        "password": lambda: visitor.person["password"],
        "totp": lambda: pyotp.TOTP(visitor.person["totpSecret"]).now(),
        "email_code": visitor.mailed_code,
        "recovery_code": lambda: visitor.person["recoveryCodes"][-1],
    }
    body = {"method": method, "response": answers[method]()}
    _, proved = visitor.json("POST", f"{address}/attempts", body)
    assert proved["status"] == "verified", proved
    token = proved["grant"]["token"]

    assert visitor.json("POST", DELETE, stepup_token=token) == (
        200, {"did": "organization.delete", "message": "The workspace was deleted."},
    )  # fmt: skip
    assert visitor.json("POST", DELETE, stepup_token=token)[1]["code"] == "grant_invalid"


def test_a_browser_without_javascript_does_it_all(demo: tuple[int, dict[str, Any]]) -> None:
    """A blocked form leads to the page that asks, and back; pressing the button again deletes, once."""
    visitor = Visitor(*demo)
    assert visitor.form("/login", email=visitor.person["email"], password="wrong")[1]["location"] == "/?did=wrong"
    visitor.form("/login", email=visitor.person["email"], password=visitor.person["password"])
    assert "Delete workspace" in visitor.call("GET", "/?did=signed_in", accept="text/html")[2]

    assert visitor.form(DELETE)[1]["location"] == "/workspace?did=not_confirmed"
    assert visitor.form(DELETE, confirm="Northstar")[0] == 403
    visitor.prove_on_the_page(DELETE, confirm="Northstar")
    assert visitor.form(DELETE, confirm="Northstar")[1]["location"] == "/workspace?did=organization.delete"
    assert "This workspace is deleted" in visitor.page("/workspace")
    assert visitor.form(DELETE, confirm="Northstar")[0] == 403
    assert visitor.form("/organizations/org_7/restore")[0] == 303


def test_every_page_stands_under_a_strict_policy(demo: tuple[int, dict[str, Any]]) -> None:
    """No inline script or style, in the headers or in the page; signed out, pages lead to the sign-in."""
    visitor = Visitor(*demo)
    for path in PAGES[1:-1]:
        assert visitor.call("GET", path, accept="text/html")[1]["location"] == "/?did=sign_in", path
    visitor.signed_in()
    for path in PAGES:
        status, headers, text = visitor.call("GET", path, accept="text/html")
        assert (status, headers["cache-control"]) == (200, "no-store"), path
        policy = headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", "script-src 'self'", "style-src 'self'"} <= set(policy)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]* src=)", text), path


def test_cards_stand_as_the_protocol_says(demo: tuple[int, dict[str, Any]]) -> None:
    """What the page shows before any script runs is what ``GET /stepup/actions`` tells."""
    visitor = Visitor(*demo).signed_in()
    _, told = visitor.json("GET", "/stepup/actions")
    page = visitor.page("/")
    for action in told["actions"]:
        card = re.search(rf'<article [^>]*data-action="{action["id"]}".*?</article>', page, re.DOTALL)
        assert card is not None, action["id"]
        assert f'data-status="{action["status"]}"' in card[0]
        assert html.escape(action["confirmation"], quote=False) in card[0]
        assert f'data-risk="{action["riskLevel"]}"' in card[0]
    assert {one["id"] for one in told["actions"]} == set(re.findall(r'<article [^>]*data-action="([^"]+)"', page))
    assert "Nothing is unlocked" in page


def test_the_account_pages_own_configuration(demo: tuple[int, dict[str, Any]]) -> None:
    """Three changes with methods of their own; a proof of five minutes at most; blocked in a stranger's browser."""
    visitor = Visitor(*demo).signed_in()
    _, told = visitor.json("GET", "/stepup/actions")
    found = {one["id"]: (one["riskLevel"], one["methods"]) for one in told["actions"]}
    assert found["disable_mfa"] == ("high", ["passkey", "totp", "password"])
    assert found["export_data"] == ("medium", ["passkey", "totp"])
    assert found["rotate_key"] == ("high", ["passkey", "password"])
    _, blocked = visitor.json("POST", "/customers/export")
    assert blocked["maxAge"] == 300
    assert "password" not in blocked["methods"]
    status, stranger = visitor.json("POST", "/customers/export", user_agent="a stolen cookie")
    assert (status, stranger["code"]) == (403, "action_blocked")


def test_a_payout_is_bound_to_amount_and_payee(demo: tuple[int, dict[str, Any]]) -> None:
    """Both are shown in words; the proof for one amount pays no other, and pays once."""
    visitor = Visitor(*demo).signed_in()
    pay = "/billing/payouts"
    for amount in ("0", "-5", "1e400", "NaN", "1.999", "", "50000.01"):
        assert visitor.json("POST", pay, {"amount": amount, "payee": "payee_alder"})[0] == 422, amount
    assert visitor.json("POST", pay, {"amount": "120", "payee": "payee_nobody"})[0] == 422

    asked = {"amount": "1,000.00", "payee": "payee_alder"}
    status, blocked = visitor.json("POST", pay, asked)
    assert (status, blocked["authorization_details"][0]["params"]) == (
        403, {"amount": "1000.00", "currency": "EUR", "payee": "payee_alder"},
    )  # fmt: skip
    token, challenge = visitor.proved(blocked)
    assert {"label": "Amount", "value": "1,000.00 EUR"} in challenge["params"]
    assert {"label": "Payee", "value": "Alder & Finch Ltd"} in challenge["params"]

    tampered = {**asked, "amount": "9000"}
    assert visitor.json("POST", pay, tampered, stepup_token=token)[1]["code"] == "grant_invalid"
    assert visitor.json("POST", pay, {**asked, "payee": "payee_lumen"}, stepup_token=token)[0] == 403
    assert visitor.json("POST", pay, asked, stepup_token=token)[1]["did"] == "payout.create"
    assert visitor.json("POST", pay, asked, stepup_token=token)[0] == 403
    assert "1,000.00 EUR" in visitor.page("/billing")
    assert "47,250.00" in visitor.page("/billing")


def test_a_rotated_key_is_told_once(demo: tuple[int, dict[str, Any]]) -> None:
    """The new secret is in the one answer, and on no page; a proof for one key rotates no other."""
    visitor = Visitor(*demo).signed_in()
    _, blocked = visitor.json("POST", "/keys/key_live/rotate")
    visitor.proved(blocked)
    assert visitor.json("POST", "/keys/key_test/rotate")[0] == 403
    status, headers, text = visitor.call("POST", "/keys/key_live/rotate")
    secret = json.loads(text)["secret"]
    assert (status, headers["cache-control"], secret[:9]) == (200, "no-store", "nsk_live_")
    assert secret not in visitor.page("/keys")
    assert f'…<span data-live="ends">{secret[-4:]}' in visitor.page("/keys")
    shown = visitor.form("/keys/key_live/rotate")[2]
    assert "This is the only time it is shown" in shown


def test_removing_an_admin_takes_more_than_removing_a_member(demo: tuple[int, dict[str, Any]]) -> None:
    """A recent sign-in is enough for a member; for an admin it never is, and the last owner stays."""
    visitor = Visitor(*demo).signed_in()
    people = {one["name"]: one["id"] for one in visitor.person["people"]}
    status, blocked = visitor.json("POST", f"/members/{people['Marcus Vale']}/remove")
    assert (status, blocked["code"]) == (403, "verification_required")
    assert "password" not in blocked["methods"]
    assert visitor.json("POST", f"/members/{people['Tomas Lindqvist']}/remove")[1]["did"] == "member.remove"
    assert visitor.json("POST", f"/members/{people['Tomas Lindqvist']}/remove")[0] == 404
    assert visitor.json("POST", f"/members/{visitor.person['id']}/remove")[0] == 422
    assert visitor.json("POST", f"/members/{visitor.person['id']}/role", {"role": "member"})[0] == 422


def test_a_member_may_not_manage(demo: tuple[int, dict[str, Any]]) -> None:
    """Permission comes first: no proof is asked for what nobody lets them do."""
    visitor = Visitor(*demo)
    priya = next(one for one in visitor.person["people"] if one["name"] == "Priya Nair")
    visitor.person = {**visitor.person, "email": priya["email"], "password": priya["password"]}
    visitor.signed_in()
    for path in ("/notes", "/customers/export", "/billing/payouts", "/keys/key_live/rotate", DELETE):
        status, told = visitor.json("POST", path)
        assert (status, told["did"]) == (403, "not_allowed"), path
    assert visitor.json("POST", "/security/mfa/disable")[1]["code"] == "verification_required"
    assert re.findall(r'<article [^>]*data-action="([^"]+)"', visitor.page("/")) == ["disable_mfa"]


def test_the_other_deeds(demo: tuple[int, dict[str, Any]]) -> None:
    """Low risk passes after signing in; a role is bound; a role that is none costs nothing; signing out locks."""
    visitor = Visitor(*demo)
    assert visitor.json("POST", "/notes")[0] == 401
    visitor.signed_in()
    assert visitor.json("POST", "/notes", {"note": "Tea at four."})[0] == 200
    assert "Tea at four." in visitor.page("/workspace")
    role = "/members/usr_4096/role"
    assert visitor.json("POST", role, {"role": "king"})[0] == 422
    _, blocked = visitor.json("POST", role, {"role": "owner"})
    assert blocked["authorization_details"][0]["params"] == {"role": "owner"}
    _, challenge = visitor.proved(blocked)
    assert {"label": "New role", "value": "Owner"} in challenge["params"]
    assert visitor.json("POST", role, {"role": "member"})[0] == 403
    assert visitor.json("POST", role, {"role": "owner"})[0] == 200
    _, blocked = visitor.json("POST", role, {"role": "admin"})
    visitor.proved(blocked)
    assert visitor.json("POST", role, {"role": "admin"})[0] == 200
    assert visitor.json("POST", "/logout")[0] == 200
    assert visitor.json("POST", "/notes")[0] == 401


def test_what_was_verified_is_locked_again_without_javascript(demo: tuple[int, dict[str, Any]]) -> None:
    """The account page lists what is unlocked, with a button that locks it; two factors go off and on again."""
    visitor = Visitor(*demo).signed_in()
    off = "/security/mfa/disable"
    visitor.prove_on_the_page(off)
    page = visitor.page("/")
    lock = re.search(r'action="(/account/grants/[^"]+/lock)"', page)
    assert lock is not None
    assert 'data-proof="ready"' in page
    assert visitor.form(lock[1])[1]["location"] == "/?did=locked"
    assert "Nothing is unlocked" in visitor.page("/")
    assert visitor.form(off)[0] == 403
    visitor.prove_on_the_page(off)
    assert visitor.form(off)[1]["location"] == "/?did=disable_mfa"
    assert "Turn it on again" in visitor.page("/")
    assert visitor.form("/security/mfa/enable")[0] == 303


def test_an_authenticator_is_added_and_removed_without_javascript(demo: tuple[int, dict[str, Any]]) -> None:
    """A picture, a secret, a first code; new recovery codes; and out again, each under its own proof."""
    visitor = Visitor(*demo).signed_in()
    visitor.prove_on_the_page("/factors/totp", "recovery_code")
    _, _, text = visitor.form("/factors/totp")
    secret = re.search(r'class="secret"><code>([A-Z2-7]+)</code>', text)
    confirm = re.search(r'action="(/factors/totp/[^"]+)"', text)
    assert secret is not None
    assert confirm is not None
    assert "QR code" in text
    assert visitor.form(confirm[1], code="000000")[1]["location"] == "/factors?did=wrong_code"
    assert visitor.form(confirm[1], code=pyotp.TOTP(secret[1]).now())[1]["location"] == "/factors?did=factor_added"
    own = confirm[1].rpartition("/")[2]
    assert f"/factors/{own}/remove" in visitor.page("/factors")
    visitor.prove_on_the_page(f"/factors/{own}/remove", "recovery_code")
    assert visitor.form(f"/factors/{own}/remove")[1]["location"] == "/factors?did=factor_removed"
    assert f"/factors/{own}/remove" not in visitor.page("/factors")


def test_a_browser_is_remembered_and_forgotten(demo: tuple[int, dict[str, Any]]) -> None:
    """By the box in the dialog; the page of devices shows it, and the cookie is all that a browser has of it."""
    visitor = Visitor(*demo).signed_in()
    assert "Not remembered" in visitor.page("/devices")
    blocked = visitor.json("POST", DELETE)[1]
    opened = visitor.json("POST", "/stepup/challenges", {"offer": blocked["offer"]})[1]["challenge"]
    answer = {"method": "password", "response": visitor.person["password"], "rememberDevice": True}
    assert visitor.json("POST", f"/stepup/challenges/{opened['id']}/attempts", answer)[1]["status"] == "verified"

    assert "Not remembered" not in visitor.page("/devices")
    (device,) = visitor.json("GET", "/stepup/devices")[1]["devices"]
    assert device["current"] is True
    assert visitor.call("DELETE", f"/stepup/devices/{device['id']}")[0] == 204
    assert "Not remembered" in visitor.page("/devices")
    assert "A device was forgotten" in visitor.page("/activity")


def test_the_outbox_is_a_page_for_people(demo: tuple[int, dict[str, Any]]) -> None:
    """And a list for programs; what was mailed stands in both."""
    visitor = Visitor(*demo).signed_in()
    _, mails = visitor.json("GET", "/demo/outbox")
    page = visitor.page("/demo/outbox")
    assert f"{len(mails)} mail" in page
    assert all(html.escape(one["subject"]) in page for one in mails)


def test_another_name_for_this_machine_leads_nowhere(demo: tuple[int, dict[str, Any]]) -> None:
    """A page whose name was made to lead here reads neither the outbox nor anything else."""
    visitor = Visitor(*demo)
    for path in ("/demo/outbox", "/", "/stepup/openapi.json"):
        assert visitor.call("GET", path, host="rebind.evil.example")[0] == 400


def test_the_command_says_what_it_takes() -> None:
    """Help names the options."""
    done = subprocess.run(
        [sys.executable, "-m", "stepup", "demo", "--help"], capture_output=True, text=True, check=True
    )
    for option in ("--port", "--store", "--seed-file"):
        assert option in done.stdout

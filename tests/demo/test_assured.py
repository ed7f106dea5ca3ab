"""What the demo shows of assurance, without JavaScript: batches, risk, devices, the alarm, and a second person."""

from __future__ import annotations

import re
import secrets
from typing import Any

from demo_visitor import DELETE, Visitor

from stepup.demo.people import Mails
from stepup.demo.seed import build_gate, seeded
from stepup.stores.memory import MemoryStore


def somebody(demo: tuple[int, dict[str, Any]], name: str) -> Visitor:
    """Signed in, by their first name."""
    port, seed = demo
    return Visitor(port, next(one for one in seed["people"] if one["name"].startswith(name))).signed_in()


def test_several_keys_are_rotated_by_one_proof(demo: tuple[int, dict[str, Any]]) -> None:
    """The dialog lists each; the proof opens none that is not in the list, and each once."""
    visitor = Visitor(*demo).signed_in()
    several = "/keys/rotate"
    assert visitor.json("POST", several, {"key": []})[0] == 422
    assert visitor.json("POST", several, {"key": ["key_live", "key_none"]})[0] == 422
    status, blocked = visitor.json("POST", several, {"key": ["key_live", "key_hooks"]})
    assert (status, len(blocked["authorization_details"])) == (403, 2)
    token, _ = visitor.proved(blocked)
    for other in (["key_test"], ["key_live", "key_test"], ["key_live", "key_hooks", "key_test"]):
        assert visitor.json("POST", several, {"key": other}, stepup_token=token)[0] == 403, other
    status, told = visitor.json("POST", several, {"key": ["key_live", "key_hooks"]}, stepup_token=token)
    assert (status, [one["key"] for one in told["secrets"]]) == (200, ["Production", "Webhook signing"])
    assert visitor.json("POST", several, {"key": ["key_live"]}, stepup_token=token)[0] == 403
    assert all(one["secret"] not in visitor.page("/keys") for one in told["secrets"])


def test_the_risk_is_told_in_words_and_narrows(demo: tuple[int, dict[str, Any]]) -> None:
    """A new browser is no more than medium, so the first proof works; a stolen session loses methods, or is blocked."""
    visitor = Visitor(*demo)
    priya = next(one for one in visitor.person["people"] if one["name"] == "Priya Nair")
    visitor.person = {**visitor.person, **priya}
    visitor.signed_in()
    _, session = visitor.json("GET", "/stepup/session")
    assert (session["riskLevel"], session["riskReasons"]) == ("medium", ["new_device", "new_network"])
    page = visitor.page("/")
    for words in ("New device", "New network", "Nothing is blocked"):
        assert words in page
    visitor.prove_on_the_page("/security/mfa/disable")
    _, session = visitor.json("GET", "/stepup/session")
    assert (session["riskLevel"], session["riskReasons"]) == ("low", [])
    assert "Nothing speaks against" in visitor.page("/")

    owner = Visitor(*demo).signed_in()
    _, session = owner.json("GET", "/stepup/session", user_agent="a stolen cookie")
    assert session["riskLevel"] == "high"
    assert "unfamiliar_browser" in session["riskReasons"]
    _, blocked = owner.json("POST", DELETE, user_agent="a stolen cookie")
    assert blocked["methods"] == ["totp"]
    assert len(owner.json("POST", DELETE)[1]["methods"]) > 1
    for path in ("/security/mfa/disable", "/customers/export", "/keys/key_live/rotate"):
        assert owner.json("POST", path, user_agent="a stolen cookie")[1]["code"] == "action_blocked", path


def test_the_gate_has_nothing_to_be_warned_of() -> None:
    """Nobody is shut out by being new."""
    parts = seeded(MemoryStore(), secrets.token_bytes(32), Mails(len), "http://localhost:8000")
    found = {one.code for one in build_gate(parts).lint()}
    assert "blocks_newcomers" not in found


def test_the_alarm_ends_everything(demo: tuple[int, dict[str, Any]]) -> None:
    """Every session of the person, what was unlocked, what was handed out, and the remembered devices; it says so."""
    mine, other = Visitor(*demo).signed_in(), Visitor(*demo).signed_in()
    token, _ = mine.proved(mine.json("POST", DELETE)[1])
    other.prove_on_the_page("/security/mfa/disable")
    status, told = other.json("POST", "/security/alarm")
    assert (status, told["did"]) == (200, "alarm")
    assert told["ended"]["sessions"] >= 2
    assert told["ended"]["unlocked"] == ["Disable multi-factor authentication"]
    for visitor in (mine, other):
        assert visitor.json("POST", "/notes")[0] == 401
    mine.signed_in()
    assert mine.json("POST", DELETE, stepup_token=token)[1]["code"] == "grant_invalid"
    assert "All that was unlocked was locked again" in mine.page("/activity")
    status, _, page = mine.form("/security/alarm")
    assert status == 200
    assert "Everything has ended" in page
    assert mine.json("POST", "/notes")[0] == 401


def test_devices_are_reviewed_without_javascript(demo: tuple[int, dict[str, Any]]) -> None:
    """A remembered browser keeps its sign-in for longer; the list asks for a proof by then; it forgets one."""
    visitor, stranger = Visitor(*demo).signed_in(), Visitor(*demo).signed_in()
    blocked = visitor.json("POST", DELETE)[1]
    opened = visitor.json("POST", "/stepup/challenges", {"offer": blocked["offer"]})[1]["challenge"]
    answer = {"method": "password", "response": visitor.person["password"], "rememberDevice": True}
    assert visitor.json("POST", f"/stepup/challenges/{opened['id']}/attempts", answer)[1]["status"] == "verified"
    assert visitor.form("/demo/skip", by="hour")[1]["location"] == "/?did=skipped_hour"
    assert visitor.json("POST", "/notes", {})[0] == 200
    assert stranger.json("POST", "/notes", {})[1]["code"] == "verification_required"

    page = visitor.page("/devices")
    assert "Show them" in page
    visitor.prove_on_the_page("/devices/review")
    assert visitor.form("/devices/review")[1]["location"] == "/devices?did=reviewed"
    page = visitor.page("/devices")
    assert "This device" in page
    forget = re.search(r'action="(/devices/[^"]+/forget)"', page)
    assert forget is not None
    assert visitor.form(forget[1])[1]["location"] == "/devices?did=forgotten"
    assert visitor.form(forget[1])[1]["location"] == "/devices?did=no_device"
    visitor.form("/demo/skip", by="hour")
    assert visitor.json("POST", "/notes", {})[1]["code"] == "verification_required"


def test_a_second_person_approves_without_javascript(demo: tuple[int, dict[str, Any]]) -> None:
    """The inbox is a page, approving asks on the page of the ceremony, and the requester collects what was approved."""
    olivia, marcus, priya = (somebody(demo, name) for name in ("Olivia", "Marcus", "Priya"))
    pay, payout = "/billing/payouts", {"amount": "1000.01", "payee": "payee_lumen"}
    blocked = olivia.json("POST", pay, payout)[1]
    assert "approval" in blocked["methods"]
    opened = olivia.json("POST", "/stepup/challenges", {"offer": blocked["offer"]})[1]["challenge"]
    address = f"/stepup/challenges/{opened['id']}"
    assert olivia.json("POST", f"{address}/methods/approval")[0] == 200
    assert olivia.json("POST", pay, payout)[1]["code"] == "approval_pending"
    assert "Nothing waits for you" in olivia.page("/approvals")
    assert "Nothing waits for you" in priya.page("/approvals")

    page = marcus.page("/approvals")
    approve = re.search(r'action="(/approvals/[^"]+)/approve"', page)
    assert approve is not None
    assert "1,000.01 EUR" in page
    for other in (olivia, priya):
        assert other.json("POST", f"{approve[1]}/approve")[1]["did"] == "not_waiting"
        assert other.json("POST", f"{approve[1]}/deny", {"reason": "no"})[1]["did"] == "not_waiting"
    marcus.prove_on_the_page(f"{approve[1]}/approve")
    assert marcus.form(f"{approve[1]}/approve")[1]["location"] == "/approvals?did=approved"
    assert "You approved it" in marcus.page("/approvals")
    assert "Approved by Marcus Vale" in olivia.page("/approvals")

    early = olivia.json("POST", f"{address}/attempts", {"method": "approval", "response": None})[1]
    assert early["status"] == "open"
    assert early["remaining"] == ["totp", "password"]
    own = {"method": "password", "response": olivia.person["password"]}
    assert olivia.json("POST", f"{address}/attempts", own)[1]["remaining"] == ["approval"]
    done = olivia.json("POST", f"{address}/attempts", {"method": "approval", "response": None})[1]
    token = done["grant"]["token"]
    for changed in ({**payout, "amount": "1000.02"}, {**payout, "payee": "payee_alder"}, {**payout, "amount": "9"}):
        assert olivia.json("POST", pay, changed, stepup_token=token)[1]["code"] == "grant_invalid", changed
    assert olivia.json("POST", pay, payout, stepup_token=token)[1]["did"] == "payout.create"
    assert olivia.json("POST", pay, payout, stepup_token=token)[0] == 403
    assert "1,000.01 EUR" in olivia.page("/billing")

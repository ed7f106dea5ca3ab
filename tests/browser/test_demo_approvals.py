"""A payout of the demo that needs a second person: two browsers, of the one who asks and of the one who agrees."""

from __future__ import annotations

import re
from typing import Any

import pytest
from demo_world import LOOKS, Somebody, Visiting
from playwright.sync_api import Locator, expect


def ask(somebody: Somebody, amount: str) -> None:
    """Have a large payout asked for, and leave the dialog."""
    page = somebody.at("/billing")
    page.get_by_label("Amount in EUR").fill(amount)
    page.get_by_role("button", name="Pay").click()
    page.get_by_role("tab", name="Approval").click()
    page.get_by_role("button", name="Ask for approval").click()
    expect(page.locator("stepup-dialog [part=status]")).to_contain_text("another owner or admin")
    page.get_by_role("button", name="Cancel", exact=True).click()


def request(somebody: Somebody, amount: str) -> Locator:
    """The request on the page of approvals, by the amount it shows."""
    return somebody.page.locator("[data-request]").filter(has_text=f"{amount} EUR")


def test_a_second_person_approves_and_the_first_collects(visiting: Visiting) -> None:
    """Olivia asks and leaves; Marcus sees the same, and approves by his own proof; she comes back, proves, and pays."""
    olivia, marcus = visiting("Olivia"), visiting("Marcus")
    ask(olivia, "1,200.00")
    olivia.at("/approvals")
    own = request(olivia, "1,200.00")
    expect(own).to_contain_text("Waiting for another owner or admin")
    expect(own.get_by_role("button", name="Approve")).to_have_count(0)
    digest = own.locator(".digest code").text_content() or ""
    assert re.fullmatch("[0-9a-f]{64}", digest)

    marcus.at("/approvals")
    theirs = request(marcus, "1,200.00")
    expect(theirs).to_contain_text("Olivia Hart asks")
    expect(theirs).to_contain_text("Alder & Finch Ltd")
    expect(theirs.locator(".digest code")).to_have_text(digest)
    theirs.get_by_role("button", name="Approve").click()
    dialog = marcus.page.get_by_role("dialog", name="Confirm that it is you")
    expect(dialog.get_by_role("definition").filter(has_text="1,200.00 EUR")).to_be_visible()
    terms = ["Action", "What they ask for", "Who asks", "On", "Account", "Amount", "Payee", "Risk"]
    expect(dialog.get_by_role("term")).to_have_text([*terms, "Fresh proof", "Result"])
    expect(dialog).not_to_contain_text("stepup_")  # the id of the request, which says nothing to anybody
    marcus.by_password()
    marcus.told("Approved. Whoever asked can go on.")
    expect(theirs).to_contain_text("You approved it")
    expect(theirs.get_by_role("button", name="Approve")).to_have_count(0)

    olivia.page.reload()
    olivia.page.wait_for_function("() => globalThis.stepup")
    expect(own).to_contain_text("Approved by Marcus Vale")
    own.get_by_role("button", name="Collect and pay").click()
    olivia.by_password()
    olivia.told("The payout is on its way.")
    expect(olivia.page.get_by_role("row").nth(1)).to_contain_text("1,200.00 EUR")
    expect(olivia.at("/activity").locator("stepup-events")).to_contain_text("approv")
    mails = olivia.at("/demo/outbox").locator(".mail").filter(has_text="marcus@northstar.example")
    expect(mails.filter(has_text="/approvals").first).to_be_visible()


def test_nobody_approves_their_own(visiting: Visiting) -> None:
    """It is not in her inbox, and a call that names it is answered as for a request that is none; nor by a member."""
    olivia, priya = visiting("Olivia"), visiting("Priya")
    ask(olivia, "1,300.00")
    olivia.at("/approvals")
    expect(olivia.page.get_by_text("Nothing waits for you")).to_be_visible()
    name = request(olivia, "1,300.00").get_attribute("data-request")
    send = """name => fetch(`/approvals/${encodeURIComponent(name)}/approve`, {method: "POST"})
      .then(async r => [r.status, (await r.json()).did])"""
    for one in (olivia, priya):
        one.at("/approvals")
        assert one.page.evaluate(send, name) == [409, "not_waiting"]
    expect(request(priya, "1,300.00")).to_have_count(0)
    olivia.page.reload()
    expect(request(olivia, "1,300.00")).to_contain_text("Waiting for another owner or admin")


def test_what_is_refused_is_over_and_says_why(visiting: Visiting) -> None:
    """Marcus refuses with a reason; Olivia reads it, and has nothing left to collect."""
    olivia, marcus = visiting("Olivia"), visiting("Marcus")
    ask(olivia, "1,400.00")
    marcus.at("/approvals")
    theirs = request(marcus, "1,400.00")
    theirs.get_by_label("Why not").fill("There is no such invoice")
    theirs.get_by_role("button", name="Refuse").click()
    marcus.told("Refused. Whoever asked is told why.")
    olivia.at("/approvals")
    expect(request(olivia, "1,400.00")).to_have_count(0)
    refused = olivia.page.get_by_role("region", name="Refused lately")
    expect(refused).to_contain_text("Marcus Vale: There is no such invoice")
    expect(refused).to_contain_text("1,400.00 EUR to Alder & Finch Ltd")


def test_another_amount_is_not_what_was_approved(visiting: Visiting) -> None:
    """Approved for one amount; changed before it is collected, nothing is paid, and the other amount waits anew."""
    olivia, marcus = visiting("Olivia"), visiting("Marcus")
    ask(olivia, "1,500.00")
    marcus.at("/approvals")
    request(marcus, "1,500.00").get_by_role("button", name="Approve").click()
    marcus.by_password()
    marcus.told("Approved. Whoever asked can go on.")

    page = olivia.at("/approvals")
    own = request(olivia, "1,500.00")
    own.locator("[name=amount]").evaluate("field => (field.value = '9500.00')")
    own.get_by_role("button", name="Collect and pay").click()
    expect(page.get_by_role("definition").filter(has_text="9,500.00 EUR")).to_be_visible()
    olivia.by_password()
    expect(page.get_by_role("button", name="Ask for approval")).to_be_visible()
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(olivia.at("/billing").get_by_text("9,500.00 EUR")).to_have_count(0)
    page.evaluate(
        """() => {
          globalThis.pay = (amount, headers = {}) => fetch("/billing/payouts", {method: "POST", headers,
            body: new URLSearchParams({amount, payee: "payee_alder"})});
          pay("1500.00").then(r => r.json()).then(stepup.prove).then(proved => (globalThis.proved = proved));
        }"""
    )
    olivia.by_password()
    page.wait_for_function("() => globalThis.proved?.token")
    send = "amount => pay(amount, {'StepUp-Token': proved.token}).then(async r => [r.status, (await r.json()).code])"
    assert page.evaluate(send, "1501.00") == [403, "grant_invalid"]
    assert page.evaluate(send, "900.00") == [403, "grant_invalid"]
    assert page.evaluate(send, "1500.00")[0] == 200
    assert page.evaluate(send, "1500.00")[0] == 403


def test_a_request_is_taken_back(visiting: Visiting) -> None:
    """Whoever asked takes it back, and nobody is asked any more."""
    olivia, marcus = visiting("Olivia"), visiting("Marcus")
    ask(olivia, "1,600.00")
    marcus.at("/approvals")
    expect(request(marcus, "1,600.00")).to_have_count(1)
    olivia.at("/approvals")
    request(olivia, "1,600.00").get_by_role("button", name="Take it back").click()
    olivia.told("Your request was taken back.")
    expect(request(olivia, "1,600.00")).to_have_count(0)
    request(marcus, "1,600.00").get_by_role("button", name="Approve").click()
    marcus.told("That does not wait for you any more.")


def test_the_alarm_ends_what_waits(visiting: Visiting) -> None:
    """Requests are among what ends when somebody else may have the session."""
    olivia, marcus = visiting("Olivia"), visiting("Marcus")
    ask(olivia, "1,700.00")
    olivia.at("/activity").get_by_role("button", name="I think somebody has my session").click()
    expect(olivia.page.get_by_role("heading", name="Everything has ended")).to_be_visible()
    marcus.at("/approvals")
    expect(request(marcus, "1,700.00")).to_have_count(0)


@pytest.mark.parametrize("look", LOOKS)
def test_it_is_accessible(visiting: Visiting, look: dict[str, Any]) -> None:
    """axe finds nothing on either side, with requests and without, and nothing is wider than the screen."""
    olivia, marcus = visiting("Olivia", **look), visiting("Marcus", **look)
    ask(olivia, "2,100.00")
    for one in (olivia, marcus):
        one.at("/approvals")
        expect(request(one, "2,100.00")).to_have_count(1)
        one.looked_at()
    request(marcus, "2,100.00").get_by_role("button", name="Approve").click()
    marcus.by_password()
    marcus.told("Approved. Whoever asked can go on.")
    marcus.looked_at()
    olivia.page.reload()
    expect(request(olivia, "2,100.00")).to_contain_text("Approved by Marcus Vale")
    olivia.looked_at()
    request(olivia, "2,100.00").get_by_role("button", name="Take it back").click()
    olivia.told("Your request was taken back.")


def test_asking_and_collecting_without_javascript(visiting: Visiting) -> None:
    """Both of them by plain forms: asked, approved under a proof, found again by the same button, collected, paid."""
    olivia, marcus = (visiting(name, java_script_enabled=False) for name in ("Olivia", "Marcus"))
    page = olivia.page
    page.goto("/billing")
    page.get_by_label("Amount in EUR").fill("2,400.00")
    page.get_by_role("button", name="Pay").click()
    expect(page.get_by_role("definition").filter(has_text="2,400.00 EUR")).to_be_visible()
    page.get_by_role("button", name="Ask for approval").click()
    expect(page.get_by_role("status")).to_contain_text("another owner or admin. Nobody has approved yet.")

    marcus.page.goto("/approvals")
    request(marcus, "2,400.00").get_by_role("button", name="Approve").click()
    marcus.confirm()
    marcus.page.goto("/approvals")
    request(marcus, "2,400.00").get_by_role("button", name="Approve").click()
    marcus.told("Approved. Whoever asked can go on.")

    page.goto("/approvals")
    request(olivia, "2,400.00").get_by_role("button", name="Collect and pay").click()
    page.get_by_role("button", name="See how it stands").click()
    expect(page.get_by_role("status")).to_contain_text("It was approved.")
    olivia.confirm()
    page.get_by_role("button", name="Collect it").click()
    expect(page.get_by_role("heading", name="It is you")).to_be_visible()
    page.get_by_role("link", name="Go back").click()
    expect(page.get_by_text("You wait for nobody")).to_have_count(0)
    page.get_by_role("button", name="Pay now").click()
    olivia.told("The payout is on its way.")
    expect(page.get_by_role("row").nth(1)).to_contain_text("2,400.00 EUR")

"""Every state of the dialog, and how a person comes to it; and the looks and sizes in which it is looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from browser_visitor import Visitor, visit
from playwright.sync_api import ViewportSize, expect

from stepup import Actor, Context, Session
from stepup.limits import Limits

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "forced_colors": "none"},
    "dark": {"color_scheme": "dark", "forced_colors": "none"},
    "forced": {"color_scheme": "light", "forced_colors": "active"},
}
SIZES: dict[str, ViewportSize] = {
    "desktop": {"width": 1280, "height": 800},
    "narrow": {"width": 320, "height": 480},
    "zoomed": {"width": 320, "height": 256},  # 1280 x 1024 at 400 %
}


def chosen(visitor: Visitor, method: str) -> None:
    visitor.call()
    visitor.choose(method)


def safe(visitor: Visitor, method: str) -> None:
    visitor.apps = visitor.world.app_of(visitor.who)
    visitor.call("/do/safe.open")
    visitor.choose(method)


def passkey(visitor: Visitor) -> None:
    visitor.call()
    expect(visitor.dialog.get_by_role("tab").first).to_be_visible()


def device(visitor: Visitor) -> None:
    passkey(visitor)
    visitor.authenticator(present=False)
    visitor.primary.click()
    expect(visitor.primary).to_have_text("Waiting for your device…")


def wrong(visitor: Visitor) -> None:
    chosen(visitor, "Password")
    visitor.fill("not it")
    expect(visitor.alert).not_to_be_empty()


def sent(visitor: Visitor) -> None:
    chosen(visitor, "Code by mail")
    visitor.primary.click()
    expect(visitor.dialog.get_by_label("Code from the mail")).to_be_focused()


def resent(visitor: Visitor) -> None:
    """The time is nearly over, and more was taken: the code that was sent is no good any more."""
    sent(visitor)
    visitor.dialog.get_by_role("button", name="More time").click()
    expect(visitor.status).to_have_text("You have more time. Have a new code sent.")


def following(visitor: Visitor) -> None:
    visitor.call("/do/key.rotate")
    visitor.password()
    expect(visitor.status).to_have_text("Password: done. One more proof is needed.")


def unused(visitor: Visitor) -> None:
    passkey(visitor)
    visitor.authenticator(holds=False)
    visitor.primary.click()
    expect(visitor.alert).to_contain_text("Your passkey was not used.")


def offline(visitor: Visitor) -> None:
    chosen(visitor, "Password")
    visitor.context.set_offline(True)
    visitor.fill()
    expect(visitor.alert).to_contain_text("The server cannot be reached.")


def locked(visitor: Visitor) -> None:
    """Locked from another browser while the dialog was open here."""
    chosen(visitor, "Password")
    visitor.world.lock_password(visitor.who)
    visitor.fill()
    expect(visitor.alert).to_contain_text("Too many tries. You can try again at ")


def named(visitor: Visitor) -> None:
    visitor.world.lock_password(visitor.who)
    visitor.call()
    expect(visitor.dialog).to_contain_text("Password (locked after too many tries)")


def superseded(visitor: Visitor) -> None:
    chosen(visitor, "Password")
    second = visitor.new_page()
    visitor.call(page=second)
    expect(visitor.alert).to_contain_text("in another tab or window")
    visitor.page.bring_to_front()


def busy(visitor: Visitor) -> None:
    chosen(visitor, "Password")
    visitor.page.route("**/attempts", lambda route: None)
    visitor.fill()
    expect(visitor.primary).to_have_text("Checking…")


def unsent(visitor: Visitor) -> None:
    chosen(visitor, "Code by mail")
    problem = {"code": "delivery_failed"}
    visitor.page.route("**/methods/email_code", lambda route: route.fulfill(status=503, json=problem))
    visitor.primary.click()
    expect(visitor.alert).to_contain_text("The code could not be sent.")


def ended(visitor: Visitor) -> None:
    chosen(visitor, "Password")
    visitor.page.route("**/attempts", lambda route: route.fulfill(status=410, json={"code": "challenge_expired"}))
    visitor.fill()
    expect(visitor.alert).to_have_text("The time is over. Nothing was done.")


def nothing(visitor: Visitor) -> None:
    problem = {"code": "no_usable_method", "enrolUrl": "/enrol"}
    visitor.page.route("**/stepup/challenges", lambda route: route.fulfill(status=403, json=problem))
    visitor.call()
    expect(visitor.dialog.get_by_role("link", name="Set up a way to confirm")).to_be_visible()


def loading(visitor: Visitor) -> None:
    visitor.page.route("**/stepup/challenges", lambda route: None)
    visitor.call()
    expect(visitor.status).to_have_text("One moment…")


def approval(visitor: Visitor) -> None:
    visitor.call("/do/by.approval")
    visitor.primary.click()
    expect(visitor.status).to_contain_text("Waiting for approval")


def failed(visitor: Visitor) -> None:
    """Every try that the action allows was wrong."""
    visitor.call("/do/bad.risk")
    visitor.choose("Password")
    visitor.fill("not it")
    expect(visitor.alert).to_contain_text("1 try is left.")
    visitor.fill("nor that")
    expect(visitor.alert).to_have_text("Too many answers were wrong. Nothing was done.")


def refused(visitor: Visitor) -> None:
    """By somebody else, in another browser."""
    approval(visitor)
    browser = visitor.context.browser
    assert browser is not None
    boss = visit(visitor.world, browser, who=f"boss_{visitor.who}", enrolled=False)
    status = boss.page.evaluate(
        """async (who) => {
          const {inbox} = await (await fetch('/stepup/approvals')).json();
          const {id} = inbox.find((one) => one.requester.id === who);
          const body = JSON.stringify({decision: 'deny'});
          const headers = {'content-type': 'application/json'};
          return (await stepup.fetch(`/stepup/approvals/${id}`, {method: 'POST', headers, body})).status; }""",
        visitor.who,
    )
    boss.context.close()
    assert status == 200
    expect(visitor.alert).to_have_text("Somebody has refused this.")


def limited(visitor: Visitor) -> None:
    """Asked for more often in an hour than anybody is, from another browser."""
    elsewhere = Context(Actor(visitor.who), session=Session("elsewhere"))
    for _ in range(Limits().starts):
        visitor.world.gate.cancel(visitor.world.gate.start("member.role", elsewhere).id, elsewhere)
    visitor.call()
    expect(visitor.alert).to_contain_text("That was too often. You can try again at ")


def bundle(visitor: Visitor) -> None:
    visitor.call("/batch")
    expect(visitor.dialog).to_contain_text("These 2, each once")


def counted(visitor: Visitor) -> None:
    visitor.call("/batch?uses=25")
    expect(visitor.dialog).to_contain_text("up to 25 times")


def behalf(visitor: Visitor) -> None:
    """Somebody of the support acts in the name of another person."""
    visitor.context.add_cookies([{"name": "behalf", "value": "usr_7", "url": visitor.world.site}])
    visitor.page.reload()
    visitor.page.wait_for_function("() => globalThis.stepup")
    visitor.call("/do/note.edit")
    expect(visitor.dialog).to_contain_text("On behalf of")


def signed_out(visitor: Visitor) -> None:
    """In another tab, while the dialog was open."""
    chosen(visitor, "Password")
    visitor.context.clear_cookies(name="who")
    visitor.fill()
    expect(visitor.alert).to_have_text("For this you have to sign in again.")


def success(visitor: Visitor) -> None:
    chosen(visitor, "Password")
    visitor.page.evaluate(  # so that it stays
        "() => { const own = setTimeout; globalThis.setTimeout = (f, ms) => (ms === 800 ? 0 : own(f, ms)); }"
    )
    visitor.fill()
    expect(visitor.status).to_have_text("Confirmed.")


STATES: dict[str, Callable[[Visitor], None]] = {
    "loading": loading,
    "passkey": passkey,
    "device": device,
    "device not used": unused,
    "password": lambda visitor: chosen(visitor, "Password"),
    "code": lambda visitor: chosen(visitor, "Code by mail"),
    "sent": sent,
    "more time": resent,
    "not sent": unsent,
    "app": lambda visitor: safe(visitor, "Authenticator app"),
    "recovery code": lambda visitor: safe(visitor, "Recovery code"),
    "one more": following,
    "checking": busy,
    "wrong": wrong,
    "locked": locked,
    "named as locked": named,
    "offline": offline,
    "superseded": superseded,
    "approval": approval,
    "ended": ended,
    "nothing": nothing,
    "tries used up": failed,
    "refused": refused,
    "rate limited": limited,
    "bundle": bundle,
    "counted": counted,
    "on behalf": behalf,
    "signed out": signed_out,
    "success": success,
}

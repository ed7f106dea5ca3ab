"""Passkeys in a real browser, from ``credentials.create`` to ``credentials.get``, judged by the verifier that ships."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from browser_visitor import Visitor, visit
from browser_world import World
from playwright.sync_api import Browser, Route, expect

from stepup import evidence
from stepup.canonical import params_digest
from stepup.event import Event, EventType

ENROL = """() => {
  const send = (path, body) => stepup.fetch('/stepup/factors/passkey' + path, {
    method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify(body)});
  (async () => {
    const begun = await (await send('', {label: 'Laptop'})).json();
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(begun.options);
    const made = await navigator.credentials.create({publicKey});
    const answer = await send('/' + begun.id, {response: made.toJSON()});
    globalThis.enrolled = [answer.status, await answer.json()];
  })().catch((e) => { globalThis.enrolled = [String(e)]; });
}"""
OLDER = "{0.site}/stepup/static/older.js"
NOT_USED = "Your passkey was not used. Try again, or choose another way."
WITHOUT_JSON = {
    "both": "delete PublicKeyCredential.parseRequestOptionsFromJSON; delete PublicKeyCredential.prototype.toJSON;",
    "to": "delete PublicKeyCredential.prototype.toJSON;",
    "from": "delete PublicKeyCredential.parseRequestOptionsFromJSON;",
}


@pytest.fixture
def newcomer(world: World, browser: Browser) -> Iterator[Visitor]:
    """Somebody who has no passkey yet."""
    made = visit(world, browser, enrolled=False)
    yield made
    made.context.close()
    assert made.troubles == []


def use(visitor: Visitor) -> None:
    visitor.dialog.get_by_role("button", name="Use your passkey").click()


def attempts(visitor: Visitor) -> list[Event]:
    """The answers by passkey that were looked at, newest first."""
    found = visitor.world.events(visitor.who)
    return [one for one in found if one.type is EventType.ATTEMPT and one.method == "passkey"]


def signals(event: Event) -> str:
    return str(event.detail.get("signals", ""))


# -- from the beginning ------------------------------------------------------------------------


def test_a_passkey_is_enrolled_in_the_page_and_proves_a_day_later(newcomer: Visitor) -> None:
    """Made by the browser over HTTP, let in by a password; it waits a day, and is then the first way."""
    device = newcomer.authenticator(holds=False)
    newcomer.page.evaluate(ENROL)
    expect(newcomer.dialog).to_contain_text("Add a verification method")
    newcomer.fill()
    newcomer.page.wait_for_function("() => globalThis.enrolled")
    status, answer = newcomer.page.evaluate("enrolled")
    assert (status, answer["factor"]["label"], answer["factor"]["usable"]) == (200, "Laptop", False)
    (held,) = device.held()
    assert (held["rpId"], held["userName"]) == ("localhost", f"{newcomer.who}@northstar.example")

    newcomer.call()
    expect(newcomer.dialog).to_contain_text("Passkey (too new)")
    expect(newcomer.dialog.get_by_role("tab", name="Passkey")).to_have_count(0)
    newcomer.page.keyboard.press("Escape")
    newcomer.world.clock.advance(24 * 3600)
    newcomer.call()
    expect(newcomer.dialog.get_by_role("tab").first).to_have_text("Passkey")
    use(newcomer)
    assert newcomer.answers(2)[1]["status"] == 200
    assert attempts(newcomer)[0].result == "ok"


# -- proving -----------------------------------------------------------------------------------


@pytest.mark.parametrize("resident", [True, False])
@pytest.mark.parametrize("lacks", ["nothing", *WITHOUT_JSON])
def test_a_passkey_starts_from_a_button(visitor: Visitor, lacks: str, resident: bool) -> None:
    """It is asked for by a click; older browsers, in which we convert, and keys that do not tell whose are the same."""
    visitor.authenticator(holds=False).add(visitor.passkey, resident=resident)
    loaded: list[str] = []
    visitor.page.on("request", lambda request: loaded.append(request.url))
    visitor.page.add_init_script(WITHOUT_JSON.get(lacks, ""))
    visitor.page.reload()
    visitor.page.wait_for_function("() => globalThis.stepup")
    visitor.call()
    expect(visitor.dialog.get_by_role("tab").first).to_have_text("Passkey")
    assert [one for one in loaded if "older.js" in one] == ([] if lacks == "nothing" else [OLDER.format(visitor.world)])
    assert attempts(visitor) == []
    with visitor.page.expect_request("**/attempts") as sent:
        use(visitor)
    answer: Any = sent.value.post_data_json
    handle = answer["response"]["response"].get("userHandle")
    assert handle == (visitor.passkey.user_handle if resident else None)
    assert visitor.answers()[0]["status"] == 200
    (event,) = attempts(visitor)
    assert (event.result, event.detail.get("signals")) == ("ok", None)


@pytest.mark.parametrize("lacks", ["verification", "the passkey"])
def test_a_passkey_that_was_not_used_is_nobodys_fault(visitor: Visitor, lacks: str) -> None:
    """Refused, cancelled and none here are one text; no answer is sent, and another way is open."""
    visitor.authenticator(verified=lacks != "verification", holds=lacks != "the passkey")
    visitor.call()
    use(visitor)
    expect(visitor.alert).to_have_text(NOT_USED)
    assert attempts(visitor) == []
    visitor.password()
    assert visitor.answers()[0]["status"] == 200


def test_a_prompt_that_nobody_answers_ends_by_itself(visitor: Visitor) -> None:
    """The browser gives up when the server's time is over; then it can be tried again."""
    device = visitor.authenticator(present=False)

    def shorter(route: Route) -> None:
        answer = route.fetch()
        body = answer.json()
        assert 200_000 < body["prompt"]["options"]["timeout"] <= 300_000
        body["prompt"]["options"]["timeout"] = 300
        route.fulfill(response=answer, json=body)

    visitor.page.route("**/methods/passkey", shorter)
    visitor.call()
    use(visitor)
    expect(visitor.primary).to_have_text("Waiting for your device…")
    expect(visitor.alert).to_have_text(NOT_USED)
    visitor.page.unroute("**/methods/passkey")
    device.send("setAutomaticPresenceSimulation", enabled=True)
    use(visitor)
    assert visitor.answers()[0]["status"] == 200


def test_a_prompt_is_taken_back_when_the_time_is_over(visitor: Visitor) -> None:
    """Nothing waits for a device any more; starting again asks it anew."""
    visitor.page.clock.install()
    device = visitor.authenticator(present=False)
    visitor.page.evaluate(
        """() => { const own = navigator.credentials.get.bind(navigator.credentials);
          globalThis.prompts = [];
          navigator.credentials.get = (asked) => { prompts.push(asked.signal); return own(asked); }; }"""
    )
    visitor.call()
    use(visitor)
    expect(visitor.primary).to_have_text("Waiting for your device…")
    visitor.page.wait_for_function("() => prompts.length === 1")
    visitor.page.clock.run_for(302_000)
    expect(visitor.alert).to_have_text("The time is over. Nothing was done.")
    assert visitor.page.evaluate("prompts.map((one) => one.aborted)") == [True]
    device.send("setAutomaticPresenceSimulation", enabled=True)
    visitor.dialog.get_by_role("button", name="Start again").click()
    use(visitor)
    expect(visitor.status).to_have_text("Confirmed.")
    visitor.page.clock.run_for(1_000)
    assert visitor.answers()[0]["status"] == 200


def test_a_counter_that_went_back_is_told_to_the_audit(visitor: Visitor) -> None:
    """The device counts up, and that is as it should be; a copy that lags behind is a signal, and no refusal."""
    device = visitor.authenticator()
    for many in (1, 2):
        visitor.call()
        use(visitor)
        assert visitor.answers(many)[-1]["status"] == 200
    assert [signals(one) for one in attempts(visitor)] == ["", ""]
    device.send("clearCredentials")
    device.add(visitor.passkey, count=0)
    visitor.call()
    use(visitor)
    assert visitor.answers(3)[-1]["status"] == 200
    assert [signals(one) for one in attempts(visitor)] == ["counter", "", ""]


def test_a_browser_without_passkeys_says_so(visitor: Visitor) -> None:
    """The way is named among those that are not possible here, and the next one is open."""
    visitor.page.add_init_script("delete globalThis.PublicKeyCredential;")
    visitor.page.reload()
    visitor.page.wait_for_function("() => globalThis.stepup")
    visitor.call()
    expect(visitor.dialog).to_contain_text("Passkey (not in this browser)")
    expect(visitor.dialog.get_by_role("tab", name="Passkey")).to_have_count(0)
    visitor.password()
    assert visitor.answers()[0]["status"] == 200


def test_what_was_signed_is_evidence_of_this_call(visitor: Visitor) -> None:
    """The browser's own signature is kept, and shows offline what this passkey approved."""
    visitor.authenticator()
    visitor.call("/do/member.role?role=admin")
    use(visitor)
    assert visitor.answers()[0]["status"] == 200
    (attempt,) = attempts(visitor)
    enrolled = next(one for one in visitor.world.events(visitor.who) if one.type is EventType.FACTOR_ENROLLED)
    approval = evidence.verify(evidence.record_of(attempt), evidence.public_key_of(enrolled))
    assert (approval.actor, approval.action, approval.resource) == (
        visitor.who, "member.role", ("organization", "org_7"),
    )  # fmt: skip
    assert (approval.params, approval.origin) == (params_digest({"role": "admin"}), visitor.world.site)

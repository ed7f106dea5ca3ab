"""A page that was tampered with gains nothing: it drives the protocol by itself, and its authenticator lies for it.

Every answer by passkey that does not hold is refused with the very same words; the audit has the step that failed.
What the page gets from the browser is real: the authenticator signs, or spoils the signature, as Chromium lets it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from browser_visitor import Authenticator, Visitor, visit
from browser_world import PASSWORD, World
from playwright.sync_api import Browser

from stepup.event import Event, EventType

Json = dict[str, Any]
TAMPERED = """() => {
  globalThis.api = async (method, path, body, headers = {}) => {
    const sent = body === null ? {} : {body: JSON.stringify(body)};
    const answer = await fetch(path, {method, headers: {'content-type': 'application/json', ...headers}, ...sent});
    return {status: answer.status, body: await answer.json().catch(() => null)};
  };
  globalThis.sign = async (json) =>
    (await navigator.credentials.get({publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(json)})).toJSON();
}"""
REFUSED = {
    "type": "/stepup/problems/verification_failed", "title": "That was not right.", "status": 422,
    "code": "verification_failed",
}  # fmt: skip


@dataclass
class Page:
    """The page, as whoever has tampered with it uses it."""

    visitor: Visitor
    device: Authenticator

    def api(self, method: str, path: str, body: Json | None = None, **headers: str) -> Json:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        found: Json = self.visitor.page.evaluate("(sent) => api(...sent)", [method, path, body, sent])
        return found

    def challenge(self, path: str = "/do/org.delete") -> Json:
        """The challenge for a blocked call."""
        blocked = self.api("POST", path)
        assert blocked["status"] == 403, blocked
        opened = self.api("POST", "/stepup/challenges", {"offer": blocked["body"]["offer"]})
        assert opened["status"] == 201, opened
        challenge: Json = opened["body"]["challenge"]
        return challenge

    def options(self, challenge: Json) -> Json:
        """What the authenticator is to be asked for it."""
        prompt = self.api("POST", f"/stepup/challenges/{challenge['id']}/methods/passkey", {})
        assert prompt["status"] == 200, prompt
        options: Json = prompt["body"]["prompt"]["options"]
        return options

    def sign(self, options: Json) -> Json:
        """What the browser makes of it."""
        found: Json = self.visitor.page.evaluate("(options) => sign(options)", options)
        return found

    def attempt(self, challenge: Json, response: object, method: str = "passkey", **more: object) -> Json:
        path = f"/stepup/challenges/{challenge['id']}/attempts"
        return self.api("POST", path, {"method": method, "response": response, **more})

    def proved(self, path: str) -> str:
        """A token, had as it should be."""
        challenge = self.challenge(path)
        right = self.attempt(challenge, self.sign(self.options(challenge)))
        assert right["status"] == 200, right
        return str(right["body"]["grant"]["token"])

    def attempts(self) -> list[Event]:
        found = self.visitor.world.events(self.visitor.who)
        return [one for one in found if one.type is EventType.ATTEMPT and one.action != "stepup.factor.add"]

    def reasons(self) -> list[str | None]:
        """Why calls were refused, newest first; the audit has it, the page has not."""
        found = self.visitor.world.events(self.visitor.who)
        return [one.reason for one in found if one.type is EventType.AUTHORIZATION and one.result == "refused"]

    def gained(self) -> tuple[list[Json], list[Json]]:
        """What was done, and what is unlocked."""
        unlocked: list[Json] = self.api("GET", "/stepup/grants")["body"]["grants"]
        return self.visitor.done, unlocked

    def refused(self, challenge: Json, response: object, step: str) -> None:
        """It is refused as everything is, the audit has the *step*, and nothing came of it."""
        answer = self.attempt(challenge, response)
        left = answer["body"].pop("attemptsLeft")
        assert (answer["status"], answer["body"]) == (422, REFUSED)
        event = self.attempts()[0]
        assert (event.result, event.detail.get("signals")) == ("refused", step)
        assert left == 5 - len(self.attempts())
        assert self.gained() == ([], [])


@pytest.fixture
def tampered(visitor: Visitor) -> Page:
    visitor.page.evaluate(TAMPERED)
    return Page(visitor, visitor.authenticator())


@pytest.fixture
def marcus(world: World, browser: Browser) -> Iterator[Visitor]:
    """Somebody else, in a browser of their own."""
    made = visit(world, browser)
    yield made
    made.context.close()


def test_the_page_could_have_had_it_rightly(tampered: Page) -> None:
    """What the other tests change is what makes the difference."""
    token = tampered.proved("/do/org.delete")
    assert tampered.api("POST", "/do/org.delete", StepUp_Token=token)["status"] == 200
    assert [one["deed"] for one in tampered.visitor.done] == ["org.delete"]


# -- what the authenticator says --------------------------------------------------------------------


def unverified(page: Page, options: Json) -> Json:
    page.device.send("setUserVerified", isUserVerified=False)
    return page.sign({**options, "userVerification": "discouraged"})


def override(name: str) -> Callable[[Page, Json], Json]:
    def spoilt(page: Page, options: Json) -> Json:
        page.device.send("setResponseOverrideBits", **{name: True})
        return page.sign(options)

    return spoilt


def own_challenge(page: Page, options: Json) -> Json:
    return page.sign({**options, "challenge": "A" * 43})


def created(page: Page, options: Json) -> Json:
    """A passkey made for the purpose, with the challenge that was to be signed."""
    asked = {
        "rp": {"id": "localhost", "name": "x"}, "user": {"id": "AAAA", "name": "x", "displayName": "x"},
        "challenge": options["challenge"], "pubKeyCredParams": [{"type": "public-key", "alg": -7}],
    }  # fmt: skip
    found: Json = page.visitor.page.evaluate(
        """async (json) => (await navigator.credentials.create(
          {publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(json)})).toJSON()""",
        asked,
    )
    return found


def just_created(page: Page, options: Json) -> Json:
    """That passkey, signing as if it had been there all along."""
    page.device.send("clearCredentials")
    made = created(page, options)
    return page.sign({**options, "allowCredentials": [{"type": "public-key", "id": made["id"]}]})


def later_signature(page: Page, options: Json) -> Json:
    """The signature of one answer under the data of another."""
    one, other = page.sign(options), page.sign(options)
    return {**one, "response": {**one["response"], "signature": other["response"]["signature"]}}


@pytest.mark.parametrize(
    ("tamper", "step"),
    [
        (unverified, "user_verification"),
        (override("isBadUV"), "user_verification"),
        (override("isBadUP"), "user_presence"),
        (override("isBogusSignature"), "signature"),
        (own_challenge, "challenge"),
        (created, "encoding"),
        (just_created, "credential"),
        (later_signature, "signature"),
    ],
    ids=["verification off", "no verification", "nobody there", "bogus", "own challenge", "made", "just made", "mixed"],
)
def test_an_answer_that_does_not_hold_is_refused(
    tampered: Page, tamper: Callable[[Page, Json], Json], step: str
) -> None:
    """However it was spoilt; and the one answer to it never differs."""
    challenge = tampered.challenge()
    tampered.refused(challenge, tamper(tampered, tampered.options(challenge)), step)


@pytest.mark.parametrize(
    "response", [None, True, 7, "", "right", [], {}, {"id": "AAAA", "rawId": "AAAA", "type": "public-key"}], ids=repr
)
def test_what_is_no_answer_at_all_is_refused_alike(tampered: Page, response: object) -> None:
    """A passkey's answer of any other form."""
    challenge = tampered.challenge()
    tampered.options(challenge)
    answer = tampered.attempt(challenge, response)
    assert (answer["status"], {**answer["body"], "attemptsLeft": 0}) == (422, {**REFUSED, "attemptsLeft": 0})
    assert tampered.gained() == ([], [])


# -- whose it is --------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["as it is", "as ours", "as ours, without its owner"])
def test_another_persons_passkey_is_refused(tampered: Page, marcus: Visitor, said: str) -> None:
    """Marcus signs on this very device, rightly: his passkey proves nothing of Olivia."""
    tampered.device.send("clearCredentials")
    tampered.device.add(marcus.passkey)
    challenge = tampered.challenge()
    options = tampered.options(challenge)
    (ours,) = options["allowCredentials"]
    his = {**ours, "id": unpadded(marcus.passkey.id)}
    response = tampered.sign({**options, "allowCredentials": [his]})
    if said != "as it is":
        response |= {"id": ours["id"], "rawId": ours["id"]}
    if said == "as ours, without its owner":
        del response["response"]["userHandle"]
    steps = {"as it is": "credential", "as ours": "user_handle", "as ours, without its owner": "signature"}
    tampered.refused(challenge, response, steps[said])


def test_another_persons_challenge_and_offer_are_nobodys(tampered: Page, marcus: Visitor) -> None:
    """Answering it, looking at it, calling it off: answered as for one that never was. So is opening his offer."""
    marcus.page.evaluate(TAMPERED)
    his = Page(marcus, marcus.authenticator())
    challenge, never = his.challenge(), {"id": "stepup_" + "0" * 32}
    offer = his.api("POST", "/do/member.role")["body"]["offer"]
    every: tuple[Callable[[Json], Json], ...] = (
        lambda one: tampered.attempt(one, tampered.sign({"challenge": "AAAA", "rpId": "localhost"})),
        lambda one: tampered.attempt(one, PASSWORD, "password"),
        lambda one: tampered.api("POST", f"/stepup/challenges/{one['id']}/methods/passkey", {}),
        lambda one: tampered.api("GET", f"/stepup/challenges/{one['id']}"),
        lambda one: tampered.api("DELETE", f"/stepup/challenges/{one['id']}"),
    )
    for calls in every:
        assert calls(challenge) == calls(never)
        assert calls(never)["status"] == 404
    made = [tampered.api("POST", "/stepup/challenges", {"offer": one}) for one in (offer, offer[:-2] + "xx", "x.y")]
    assert made[0] == made[1] == made[2]
    assert (made[0]["status"], made[0]["body"]["code"]) == (400, "bad_request")
    assert his.api("GET", f"/stepup/challenges/{challenge['id']}")["body"]["challenge"]["status"] == "open"
    assert (tampered.gained(), his.gained()) == (([], []), ([], []))


# -- what it was made for ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "signed",
    ["/do/bad.risk", "/do/org.delete?org=org_8", "/do/org.delete?role=owner", "/do/org.delete"],
    ids=["another action", "another resource", "other params", "an older challenge"],
)
def test_an_answer_for_something_else_is_refused(tampered: Page, signed: str) -> None:
    """What the person saw and signed was not this."""
    other = tampered.sign(tampered.options(tampered.challenge(signed)))
    challenge = tampered.challenge()
    tampered.options(challenge)
    tampered.refused(challenge, other, "challenge")


def test_an_answer_counts_once(tampered: Page) -> None:
    """Sent again to its own challenge, and to the next for the very same."""
    challenge = tampered.challenge()
    right = tampered.sign(tampered.options(challenge))
    token = tampered.attempt(challenge, right)["body"]["grant"]["token"]
    again = tampered.attempt(challenge, right)
    assert (again["status"], again["body"]["code"]) == (404, "challenge_not_found")
    following = tampered.challenge()
    tampered.options(following)
    answer = tampered.attempt(following, right)
    assert (answer["status"], answer["body"] | {"attemptsLeft": 0}) == (422, REFUSED | {"attemptsLeft": 0})
    assert tampered.attempts()[0].detail["signals"] == "challenge"
    assert tampered.api("POST", "/do/org.delete", StepUp_Token=token)["status"] == 200
    assert tampered.api("POST", "/do/org.delete", StepUp_Token=token)["body"]["code"] == "grant_invalid"
    assert len(tampered.visitor.done) == 1


def test_two_answers_at_once_open_it_once(tampered: Page) -> None:
    """The same right answer in ten requests of one moment: one grant."""
    challenge = tampered.challenge()
    body = {"method": "passkey", "response": tampered.sign(tampered.options(challenge))}
    statuses = tampered.visitor.page.evaluate(
        """async ([path, body]) => (await Promise.all(
          Array.from({length: 10}, () => api('POST', path, body)))).map((one) => one.status)""",
        [f"/stepup/challenges/{challenge['id']}/attempts", body],
    )
    assert statuses.count(200) == 1
    assert len([one for one in tampered.attempts() if one.result == "ok"]) == 1


# -- what the page says besides ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lie",
    [
        {"now": "2001-01-01T00:00:00Z"}, {"expiresAt": "2099-01-01T00:00:00Z"}, {"userVerified": True},
        {"actor": "marcus"}, {"device": {"trusted": True}}, {"risk": "low"}, {"ip": "127.0.0.1"},
        {"allowedMethods": ["password"]}, {"action": "note.edit"},
    ],
    ids=lambda lie: next(iter(lie)),
)  # fmt: skip
def test_a_page_has_no_say_in_time_person_device_or_rules(tampered: Page, lie: Json) -> None:
    """A right answer beside which it says more is not read at all, and costs no try; nor is such an opening."""
    challenge = tampered.challenge()
    right = tampered.sign(tampered.options(challenge))
    answer = tampered.attempt(challenge, right, **lie)
    assert (answer["status"], answer["body"]["code"]) == (400, "bad_request")
    offer = tampered.api("POST", "/do/org.delete")["body"]["offer"]
    answer = tampered.api("POST", "/stepup/challenges", {"offer": offer, **lie})
    assert (answer["status"], answer["body"]["code"]) == (400, "bad_request")
    assert tampered.attempts() == []
    assert tampered.gained() == ([], [])


def test_a_right_answer_that_comes_too_late_is_refused(tampered: Page) -> None:
    """Whatever time the page, its headers and its computer say it is."""
    challenge = tampered.challenge()
    right = tampered.sign(tampered.options(challenge))
    tampered.visitor.page.clock.set_fixed_time("2001-01-01T00:00:00Z")
    tampered.visitor.world.clock.advance(301)
    path = f"/stepup/challenges/{challenge['id']}/attempts"
    body = {"method": "passkey", "response": right}
    answer = tampered.api("POST", path, body, X_Now="2001-01-01T00:00:00Z", If_Modified_Since="2001-01-01T00:00:00Z")
    assert (answer["status"], answer["body"]["code"]) == (410, "challenge_expired")
    assert tampered.gained() == ([], [])


@pytest.mark.parametrize("method", ["passkey", "email_code", "hologram", "fresh_session", "telepathy", "approval"])
def test_a_method_that_is_not_allowed_counts_for_nothing(tampered: Page, method: str) -> None:
    """The rules say password: every other is refused alike, prepared or answered, by whatever it may hold."""
    challenge = tampered.challenge("/do/note.edit")
    assert challenge["allowedMethods"] == ["password"]
    prepared = tampered.api("POST", f"/stepup/challenges/{challenge['id']}/methods/{method}", {})
    response = tampered.sign({"challenge": "A" * 43, "rpId": "localhost"}) if method == "passkey" else "123456"
    answered = tampered.attempt(challenge, response, method)
    for one in (prepared, answered):
        assert (one["status"], one["body"]["code"]) == (422, "method_not_allowed"), one
    assert set(answered["body"]) == {"type", "title", "status", "code"}
    assert tampered.attempts()[0].reason in {"method_not_allowed", "method_unknown", "approval_not_requested"}
    assert tampered.gained() == ([], [])


def test_a_device_is_not_remembered_because_a_page_says_so(tampered: Page) -> None:
    """Where the rules do not let devices be remembered, asking for it changes nothing."""
    challenge = tampered.challenge("/do/note.edit")
    assert challenge["policy"]["allowTrustedDeviceRemembering"] is False
    answer = tampered.attempt(challenge, PASSWORD, "password", rememberDevice=True)
    assert answer["status"] == 200
    assert tampered.api("GET", "/stepup/session")["body"]["device"]["trusted"] is False


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("/do/org.delete?role=admin", "action"),
        ("/do/member.role?role=admin&org=org_8", "resource"),
        ("/do/member.role?role=owner", "params"),
    ],
)
def test_a_token_opens_what_it_was_made_for(tampered: Page, where: str, reason: str) -> None:
    """For another action, resource or params it is like a forged one, and the audit has why."""
    token = tampered.proved("/do/member.role?role=admin")
    forged = tampered.api("POST", where, StepUp_Token=token[:-4] + "AAAA")
    wrong = tampered.api("POST", where, StepUp_Token=token)
    for one in (forged, wrong):
        one["body"].pop("offer")
    assert forged == wrong
    assert (wrong["status"], wrong["body"]["code"]) == (403, "grant_invalid")
    assert tampered.reasons()[:2] == [reason, "token_unknown"]
    assert tampered.visitor.done == []
    assert tampered.api("POST", "/do/member.role?role=admin", StepUp_Token=token)["status"] == 200


def test_a_token_of_another_session_opens_nothing(tampered: Page, marcus: Visitor) -> None:
    """Carried to another browser, and to another person's, it is like a forged one."""
    token = tampered.proved("/do/org.delete")
    marcus.page.evaluate(TAMPERED)
    his = Page(marcus, marcus.authenticator())
    assert his.api("POST", "/do/org.delete", StepUp_Token=token)["body"]["code"] == "grant_invalid"
    assert his.reasons()[0] == "actor,session,device"
    tampered.visitor.context.clear_cookies(name="stepup")
    assert tampered.api("POST", "/do/org.delete", StepUp_Token=token)["body"]["code"] == "grant_invalid"
    assert tampered.reasons()[0] == "session"
    assert tampered.visitor.done == his.visitor.done == []


def unpadded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")

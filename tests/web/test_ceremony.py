"""The ceremony without JavaScript, as a browser lives through it: forms, redirects, cookies, and nothing else."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit

import pytest
from ceremony_world import FORM_PAGE, GRANT, ORG, RIGHT, Browser, Page, World, both_faces, started
from web_world import MARCUS, OLIVIA, ORIGIN

from stepup import Action, Actor, Context, Item, Limits, Policy, Resource, Session
from stepup._engine import bundle
from stepup.errors import StepUpError
from stepup.stores.memory import MemoryStore
from stepup.web import WebRequest, WebResponse
from stepup.web.refusals import came_from

ELSEWHERE = (
    "", "//evil.example", "/////evil.example", "/\\evil.example", "\\\\evil.example", "https:evil.example",
    "https://evil.example", "https:/evil.example", "http:///evil.example", "javascript:alert(1)",
    "JaVaScRiPt:alert(1)", "data:text/html,x", "/\t/evil.example", "/\n/evil.example", "\t//evil.example",
    " //evil.example", "/ /evil.example\r\n", "/\u2028/evil.example", "/\x00/evil.example", "\u200b//evil.example",
    f"{ORIGIN}@evil.example", "//app.northstar.example@evil.example", f"{ORIGIN}.evil.example/", "evil.example",
    "///evil.example/%2f..", "//%2fevil.example", "?//evil.example",
)  # fmt: skip
STAYS = (
    "/%2f/evil.example",
    "/%2f%2fevil.example",
    "/%5cevil.example",
    "/%09/evil.example",
    "/@evil.example",
    "/..//evil",
)
"""What a browser takes for a path of this site, percent signs and all."""


# -- from a blocked form to its end -----------------------------------------------------------


@both_faces
def test_a_password_is_asked_for_in_one_post(face: str) -> None:
    """Blocked, the page says what is to be approved; one form, one post; then the same button works, once."""
    browser = Browser(World(face))

    asked = browser.blocked(params={"why": "closing"})
    end = browser.submit(asked.form(method="password"), RIGHT)
    done = browser.press(params={"why": "closing"})
    again = browser.press(params={"why": "closing"})

    for word in ("Delete organization", "organization", "Northstar (org_7)", "why", "closing", OLIVIA.email):
        assert str(word) in asked.text
    assert [form["typed"] for form in asked.forms] == [["response"]]
    assert end.status == 200
    assert "It is you" in end.text
    assert end.links == [FORM_PAGE]
    assert browser.addresses == ["/stepup/ceremony", "/stepup/ceremony/done?" + urlencode({"next": FORM_PAGE})]
    assert (done.status, done.body) == (200, b"deleted")
    assert again.status == 403


@both_faces
def test_a_wrong_answer_is_said_so_and_the_next_one_counts(face: str) -> None:
    """The page says what was wrong and how many tries are left, bound to the field; the right answer ends it."""
    browser = Browser(World(face))

    wrong = browser.submit(browser.blocked().form(method="password"), "no")
    right = browser.submit(wrong.form(method="password"), RIGHT)

    assert wrong.alert == "That was not right. 4 tries are left."
    (typed,) = [one for one in wrong.each("input") if one.get("name") == "response"]
    (alert,) = [given for _, given in wrong.tags if given.get("role") == "alert"]
    assert typed["aria-describedby"] == alert["id"]
    assert wrong.raw.count("<title>Error: ") == 1
    assert "You can answer until 18:08:00 UTC (in 5 minutes)." in wrong.text
    assert "It is you" in right.text
    assert browser.press().status == 200


def test_the_last_try_is_counted_in_words() -> None:
    """One try is left, and after it none: the request is closed."""
    browser = Browser(World())
    shown, _ = started(browser)

    alerts = [browser.submit(shown.form(method="password"), "no").alert for _ in range(4)]

    assert alerts[1:] == ["That was not right. 2 tries are left.", "That was not right. 1 try is left.", ""]


@both_faces
def test_a_code_is_sent_by_a_button_and_can_be_sent_again(face: str) -> None:
    """First a button without a field; then a field, and a button for another code; only the newest code counts."""
    world = World(face)
    browser = Browser(world)

    asked = browser.blocked("mail.change")
    sent = browser.submit(asked.form(method="email_code"))
    first = world.code
    at_once = browser.submit(sent.form(method="email_code", send="1"))
    mails = len(world.outbox.messages)
    world.clock.advance(61)
    resent = browser.submit(sent.form(method="email_code", send="1"))
    old = browser.submit(resent.form(method="email_code"), first)
    end = browser.submit(resent.form(method="email_code"), world.code)

    assert asked.form(method="email_code")["typed"] == []
    assert "o•••@northstar.example" in sent.text
    assert "Another one can be sent from 18:04:00 UTC (in 60 seconds)" in sent.text
    assert (mails, at_once.alert, len(world.outbox.messages)) == (1, "", 2)
    assert old.alert.startswith("That was not right.")
    assert "It is you" in end.text
    assert browser.press("mail.change").status == 200


@both_faces
def test_two_proofs_are_asked_for_one_after_the_other(face: str) -> None:
    """The first right part leaves the page with what is missing; the second ends it."""
    world = World(face)
    browser = Browser(world)

    half = browser.submit(browser.blocked("key.rotate").form(method="password"), RIGHT)
    sent = browser.submit(half.form(method="email_code", send="1"))
    end = browser.submit(sent.form(method="email_code"), world.code)

    assert "Password: done. One more proof is needed." in half.text
    assert half.alert == ""
    assert {form["hidden"].get("method") for form in half.forms} == {"email_code", None}
    assert "It is you" in end.text
    assert browser.press("key.rotate").status == 200


def test_typing_begins_where_it_was_left() -> None:
    """The cursor stands in the first field; once a code was sent, in the field for that code."""
    browser = Browser(World())
    shown, _ = started(browser, "choice")
    sent = browser.submit(shown.form(method="email_code", send="1"))

    focused = [[one["id"] for one in page.each("input") if "autofocus" in one] for page in (shown, sent)]

    assert focused == [["password-response"], ["email_code-response"]]


def test_a_challenge_can_be_called_off() -> None:
    """The button closes it, the page says so, and it takes no answer any more."""
    browser = Browser(World())
    shown, address = started(browser)

    gone = browser.submit(shown.form(cancel="1"))
    after = browser.submit(shown.form(method="password"), RIGHT)

    assert (gone.status, gone.links) == (409, [FORM_PAGE])
    assert "It was called off." in gone.text
    assert gone.forms == []
    assert urlsplit(browser.addresses[-1]).path == address
    assert "It was called off." in after.text
    assert browser.press().status == 403


@pytest.mark.parametrize(
    ("how", "status", "says"),
    [
        ("expired", 410, "The request for proof has expired."),
        ("superseded", 409, "A newer request took its place."),
        ("failed", 409, "Too many answers were wrong."),
        ("verified", 200, "It is you"),
        ("unknown", 404, "There is no such request for proof."),
    ],
)
def test_a_challenge_that_takes_no_answer_says_so(how: str, status: int, says: str) -> None:
    """Whatever became of it, the page says it, has no form, and leads back."""
    world = World()
    # Where the application cannot renew its session, a finished challenge can still be looked at.
    browser = Browser(world, context=Context(OLIVIA, session=Session("sess_1")) if how == "verified" else None)
    shown, address = started(browser)

    if how == "expired":
        world.clock.advance(3600)
    elif how == "superseded":
        browser.post("/stepup/ceremony", browser.blocked().form(method="password")["hidden"] | {"response": "no"})
    elif how == "failed":
        for _ in range(4):
            browser.submit(shown.form(method="password"), "no")
    elif how == "verified":
        browser.submit(shown.form(method="password"), RIGHT)
    else:
        address = "/stepup/ceremony/stepup_" + "0" * 32
    found = browser.get(f"{address}?next=%2Forgs%2F7")

    assert (found.status, found.forms, found.links) == (status, [], ["/orgs/7"])
    assert says in found.text


def test_ways_that_need_javascript_are_named_and_have_no_form() -> None:
    """A passkey is no form; the others are; and where there is nothing else, the page says what to do."""
    browser = Browser(World())

    some, alone = browser.blocked("choice"), browser.blocked("touch")

    assert {form["hidden"]["method"] for form in some.forms} == {"password", "email_code"}
    assert "With JavaScript it can also be confirmed with your passkey." in some.text
    assert alone.forms == []
    assert "That needs JavaScript" in alone.text


# -- the token --------------------------------------------------------------------------------


@pytest.mark.requirement("B-04")
@both_faces
def test_the_token_travels_in_a_cookie_out_of_everybodys_reach(face: str) -> None:
    """For this host, over TLS, hidden from scripts, kept from other sites' posts, and gone with the grant."""
    browser = Browser(World(face))

    browser.submit(browser.blocked().form(method="password"), RIGHT)

    (cookie,) = [one for one in browser.set if one.startswith(f"{GRANT}=")]
    value, *attributes = cookie.split("; ")
    assert re.fullmatch(rf"{GRANT}=[\w.-]{{100,}}", value)
    assert attributes == ["Path=/", "Max-Age=120", "HttpOnly", "SameSite=Lax", "Secure"]


@pytest.mark.requirement("B-04", "B-01")
@both_faces
def test_only_the_post_it_was_made_for_takes_the_cookie(face: str) -> None:
    """Another action, a look, a post of another site, a form that does not say where it is from: none takes it."""
    browser = Browser(World(face))
    browser.submit(browser.blocked().form(method="password"), RIGHT)
    held = browser.cookies[GRANT]

    others = [
        browser.press("key.rotate"),
        browser.press(method="GET"),
        browser.press(origin="https://evil.example", sec_fetch_site="cross-site"),
        browser.press(origin="null"),
        browser.press(origin="-", sec_fetch_site="-"),
        browser.press(resource=Resource("organization", "org_8"), origin="https://evil.example"),
    ]

    assert [one.status for one in others] == [403] * 6
    assert browser.cookies[GRANT] == held
    assert browser.press().status == 200


@both_faces
def test_the_cookie_is_good_once(face: str) -> None:
    """The post that takes it takes it away; whoever kept a copy is refused by the store."""
    browser = Browser(World(face))
    browser.submit(browser.blocked().form(method="password"), RIGHT)
    copy = browser.cookies[GRANT]

    first = browser.press()
    gone = GRANT not in browser.cookies
    browser.cookies[GRANT] = copy
    second = browser.press()

    assert (first.status, gone) == (200, True)
    assert f"{GRANT}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure" in browser.set
    assert second.status == 403
    assert "Delete organization" in Page(second).text


@both_faces
def test_where_no_token_is_asked_for_there_is_no_cookie(face: str) -> None:
    """The server finds the grant by the session, which has its new id by then."""
    browser = Browser(World(face))

    shown, address = started(browser, "member.role")
    before = browser.cookies["__Host-stepup"]
    browser.submit(shown.form(method="password"), RIGHT)

    assert browser.cookies["__Host-stepup"] != before
    assert browser.get(address).status == 404
    assert not [one for one in browser.set if one.startswith(GRANT)]
    assert [browser.press("member.role").status for _ in range(2)] == [200, 200]


@pytest.mark.requirement("B-06")
@both_faces
def test_no_page_and_no_address_holds_a_secret(face: str) -> None:
    """Neither the token nor the offer, a code or a password stands in an address; a token or an answer in no page."""
    world = World(face)
    browser = Browser(world)

    asked = browser.blocked()
    wrong = browser.submit(asked.form(method="password"), "my-old-password")
    browser.submit(wrong.form(method="password"), RIGHT)
    token = browser.cookies[GRANT]
    browser.press()
    sent = browser.submit(browser.blocked("mail.change").form(method="email_code"))
    browser.submit(sent.form(method="email_code"), world.code)

    offer = asked.form(method="password")["hidden"]["offer"]
    addresses, seen = "\n".join(browser.addresses), "\n".join(browser.pages)
    for secret in (token, token.rpartition(".")[2], offer, "my-old-password", quote(RIGHT), world.code):
        assert secret not in addresses
    for secret in (token, token.rpartition(".")[2], "my-old-password", "pass&lt;word&gt;", RIGHT, world.code):
        assert secret not in seen
    assert set(dict(parse_qsl(urlsplit(browser.addresses[1]).query))) == {"next", "problem"}


# -- where it leads back to -------------------------------------------------------------------


@pytest.mark.requirement("B-03")
@pytest.mark.parametrize("address", ELSEWHERE)
def test_no_way_back_leads_to_another_site(address: str) -> None:
    """In a form and in an address alike: what a browser might read as another site becomes the front page."""
    browser = Browser(World())
    hidden = browser.blocked().form(method="password")["hidden"] | {"next": address}

    opened = browser.post("/stepup/ceremony", hidden | {"response": "no"})
    challenge = urlsplit(str(opened.header("location"))).path
    posted = browser.post(challenge, {"method": "password", "response": "no", "next": address})
    seen = browser.get(f"{challenge}?{urlencode({'next': address})}")
    end = browser.get(f"/stepup/ceremony/done?{urlencode({'next': address})}")
    broken = Page(browser.post("/stepup/ceremony", {"offer": "x", "method": "password", "next": address}))
    cancelled = browser.submit(seen.form(cancel="1"))

    for location in (opened, posted):
        assert dict(parse_qsl(urlsplit(str(location.header("location"))).query))["next"] == "/"
    assert {form["hidden"]["next"] for form in seen.forms} == {"/"}
    assert [end.links, broken.links, cancelled.links] == [["/"], ["/"], ["/"]]


@pytest.mark.requirement("B-03")
@pytest.mark.parametrize("address", [*STAYS, "/orgs/7?a=1&b=//x#top", "/ä", '/"><script>'])
def test_a_path_of_this_site_is_led_back_to_as_it_is(address: str) -> None:
    """What stays on this site stays as it was written, and a browser resolves it to this site."""
    browser = Browser(World())

    end = browser.get(f"/stepup/ceremony/done?{urlencode({'next': address})}")

    assert end.links == [address]
    assert urlsplit(urljoin(ORIGIN, end.links[0])).netloc == urlsplit(ORIGIN).netloc


@pytest.mark.requirement("B-03")
@pytest.mark.parametrize(
    ("method", "referer", "back"),
    [
        ("POST", f"{ORIGIN}/orgs/7?tab=danger", "/orgs/7?tab=danger"),
        ("GET", f"{ORIGIN}/orgs/7", "/orgs/7"),
        ("GET", None, "/orgs/7%20x/delete?tab=a%20b&x=1"),
        ("HEAD", None, "/orgs/7%20x/delete?tab=a%20b&x=1"),
        ("POST", None, "/"),
        ("POST", f"{ORIGIN}", "/"),
        ("POST", f"{ORIGIN}/stepup/ceremony/done?next=%2F", "/"),
        ("POST", "https://evil.example/orgs/7", "/"),
        ("POST", f"{ORIGIN}.evil.example/orgs/7", "/"),
        ("POST", f"{ORIGIN}@evil.example/orgs/7", "/"),
        ("POST", f"{ORIGIN}:8443/orgs/7", "/"),
        ("POST", f"{ORIGIN}//evil.example", "/"),
        ("POST", f"{ORIGIN}/\\evil.example", "/"),
        ("POST", ORIGIN.replace("https", "http") + "/orgs/7", "/"),
    ],
)
def test_the_way_back_is_where_the_browser_says_it_was(method: str, referer: str | None, back: str) -> None:
    """The page with the form, if it is one of this very site; else what was looked at; else the front page."""
    headers = {} if referer is None else {"referer": referer}

    found = came_from(
        World().site.protocol, WebRequest(method, "/orgs/7 x/delete?tab=a%20b&x=1", headers, origin=ORIGIN)
    )

    assert found == back


@pytest.mark.requirement("B-03")
@pytest.mark.parametrize("path", ["//evil.example", "///evil.example", "/\\evil.example", "/\n/evil.example"])
def test_a_path_that_was_looked_at_is_led_back_to_only_if_it_is_one(path: str) -> None:
    """A server may pass on a path that a browser would read as another site."""
    found = came_from(World().site.protocol, WebRequest("GET", path, origin=ORIGIN))

    assert urlsplit(urljoin(ORIGIN, found)).netloc == urlsplit(ORIGIN).netloc


# -- other sites, and looking -----------------------------------------------------------------


@pytest.mark.requirement("B-01")
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example", "sec_fetch_site": "cross-site"},
        {"origin": "null"},
        {"origin": "-", "sec_fetch_site": "same-site"},
        {"origin": "-", "sec_fetch_site": "none"},
        {"origin": "-", "sec_fetch_site": "-"},
        {"origin": ORIGIN + ".evil.example"},
    ],
)
def test_forms_of_other_sites_do_nothing(headers: dict[str, str]) -> None:
    """A post that comes from elsewhere, or does not say, opens nothing, answers nothing and cancels nothing."""
    world = World()
    browser = Browser(world)
    hidden = browser.blocked().form(method="password")["hidden"]
    _, address = started(browser)
    before = world.events()

    answers = [
        browser.post("/stepup/ceremony", hidden | {"response": RIGHT}, **headers),
        browser.post(address, {"method": "password", "response": RIGHT, "next": "/"}, **headers),
        browser.post(address, {"cancel": "1", "next": "/"}, **headers),
    ]

    assert [one.status for one in answers] == [403] * 3
    assert all("comes from another site" in Page(one).text for one in answers)
    assert world.events() == before
    assert "tries are left" not in browser.get(address).alert
    assert browser.get(address).status == 200


@pytest.mark.requirement("B-01")
@both_faces
def test_looking_changes_nothing(face: str) -> None:
    """GET and HEAD, of every page in every state, record nothing and set no cookie."""
    world = World(face)
    browser = Browser(world)
    shown, address = started(browser)
    hidden = browser.blocked().form(method="password")["hidden"]
    before, cookies, mails = world.events(), dict(browser.cookies), len(world.outbox.messages)

    for method in ("GET", "HEAD"):
        for query in (
            "", "?next=%2F&problem=locked_out", "?cancel=1", "?method=email_code&send=1",
            f"?{urlencode({'method': 'password', 'response': RIGHT})}",
        ):  # fmt: skip
            assert browser.get(f"{address}{query}", method).status == 200
            assert browser.get(f"/stepup/ceremony/done{query}", method).status == 200
        assert browser.get(f"/stepup/ceremony?{urlencode(hidden | {'response': RIGHT})}", method).status == 405

    assert (world.events(), browser.cookies, len(world.outbox.messages)) == (before, cookies, mails)
    assert "It is you" in browser.submit(shown.form(method="password"), RIGHT).text


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/ceremony", "POST"),
        ("POST", "/ceremony/done", "GET, HEAD"),
        ("DELETE", "/ceremony/done", "GET, HEAD"),
        ("DELETE", "/ceremony/stepup_0", "GET, HEAD, POST"),
    ],
)
def test_every_address_takes_what_it_is_for(method: str, path: str, allowed: str) -> None:
    """Anything else is refused, in a page, and the answer says what is allowed."""
    answer = Browser(World()).go(method, f"/stepup{path}")

    assert (answer.status, answer.header("allow")) == (405, allowed)
    assert Page(answer).links == ["/"]


@both_faces
def test_somebody_elses_challenge_is_no_challenge(face: str) -> None:
    """Another person's, another session's, and one that never existed: the same bytes, whatever is tried."""
    world = World(face)
    owner = Browser(world)
    _, address = started(owner)
    never = "/stepup/ceremony/stepup_" + "0" * 32

    seen: set[tuple[str, str]] = set()
    for browser, one in ((Browser(world, MARCUS), address), (Browser(world), address), (owner, never)):
        for what in ({"method": "password", "response": RIGHT}, {"method": "email_code", "send": "1"}, {"cancel": "1"}):
            posted = browser.post(one, what | {"next": "/orgs"})
            assert posted.status == 303
            location = str(posted.header("location")).replace(one, "X")
            assert location in {"X?next=%2Forgs&problem=challenge_not_found", "X?next=%2Forgs"}
            assert ("problem" in location) == ("cancel" not in what)
            seen.add((location, browser.follow(posted).body.decode()))
        looked = browser.go("GET", f"{one}?next=%2Forgs")
        assert looked.status == 404
        seen.add((str(looked.status), looked.body.decode()))

    assert len(seen) == 3
    assert len({body for _, body in seen}) == 1
    assert owner.get(address).status == 200


def test_an_offer_of_another_session_opens_nothing() -> None:
    """An offer is for who was blocked, in the session in which it was, for ten minutes."""
    world = World()
    browser = Browser(world)
    hidden = browser.blocked().form(method="password")["hidden"] | {"response": RIGHT}
    world.clock.advance(601)

    for who in (Browser(world), Browser(world, MARCUS), browser):
        answer = who.post("/stepup/ceremony", hidden)
        assert (answer.status, Page(answer).links) == (400, [FORM_PAGE])
        assert who.press().status == 403


def test_nobody_signed_in_is_told_to_sign_in() -> None:
    """Every form and page says so, with the way to the login; only the end page is for everybody."""
    world = World()
    browser = Browser(world, None)

    for answer in (
        browser.post("/stepup/ceremony", {"offer": "x", "method": "password", "next": "/orgs"}),
        browser.go("GET", "/stepup/ceremony/stepup_0?next=/orgs"),
        browser.post("/stepup/ceremony/stepup_0", {"cancel": "1", "next": "/orgs"}),
    ):
        assert answer.status == 401
        assert Page(answer).links == ["/login", "/orgs"]
    here, there = browser.go("GET", "/stepup/ceremony/done"), Browser(world).go("GET", "/stepup/ceremony/done")
    assert (here.status, here.body) == (200, there.body)
    assert browser.cookies == {}


# -- forms that are no forms ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("", b"", 400),
        ("", b"offer=x&next=/", 400),
        ("", b"offer=x&method=password&extra=1", 400),
        ("", b"offer=x&method=password&method=totp", 400),
        ("", b"offer=" + b"x" * 17_000 + b"&method=password", 400),
        ("", b"offer=x&method=" + b"x" * 65, 400),
        ("", b"offer=%ff&method=password", 400),
        ("", b"offer=x&method=password&response=" + b"x" * 70_000, 413),
        ("/ONE", b"method=password", 400),
        ("/ONE", b"response=x", 400),
        ("/ONE", b"method=&response=x", 400),
        ("/ONE", b"method=password&response=a&response=b", 400),
        ("/ONE", b"method=password&response=a&send=1", 400),
        ("/ONE", b"method=email_code&send=yes", 400),
        ("/ONE", b"cancel=1&method=password", 400),
        ("/ONE", b"cancel=yes", 400),
        ("/ONE", b"offer=x&method=password&response=a", 400),
    ],
)
def test_a_form_that_means_nothing_does_nothing(path: str, body: bytes, status: int) -> None:
    """A field that is missing, twice, unknown or too long: a page that says so, and no attempt is counted."""
    world = World()
    browser = Browser(world)
    _, address = started(browser)
    before = world.events()

    answer = browser.post(address if path else "/stepup/ceremony", body)

    assert answer.status == status
    assert len(Page(answer).links) == 1
    assert world.events() == before


def test_what_cannot_be_shown_cannot_be_approved() -> None:
    """Where the application's own description fails, the page shows the action alone, and nothing can be opened."""

    def describe(resource: object, params: object) -> list[tuple[str, str]]:
        raise KeyError("amount")

    world = World(actions=(Action("odd", "Odd", policy=Policy(methods="password"), describe=describe),))
    browser = Browser(world)

    asked = browser.blocked("odd", params={"amount": "12"})
    refused = browser.submit(asked.form(method="password"), RIGHT)

    assert "amount" not in asked.text
    assert (refused.status, refused.links) == (400, [FORM_PAGE])
    assert browser.press("odd", params={"amount": "12"}).status == 403


def test_json_is_no_form() -> None:
    """What a script sends is for the protocol; here it is refused, in a page."""
    browser = Browser(World())

    answer = browser.go(
        "POST", "/stepup/ceremony", json.dumps({"offer": "x"}).encode(), content_type="application/json"
    )

    assert answer.status == 415
    assert "must be application/x-www-form-urlencoded" in Page(answer).text


# -- when something fails -------------------------------------------------------------------


class BrokenMailer:
    """Takes no mail."""

    def send(self, message: object) -> None:
        raise OSError("no route to the mail system")


@both_faces
def test_a_code_that_could_not_be_sent_can_be_asked_for_again(face: str) -> None:
    """The page says so and still has the button; nothing of the cause is told."""
    world = World(face, outbox=BrokenMailer())
    browser = Browser(world)

    failed = browser.submit(browser.blocked("mail.change").form(method="email_code"))

    assert failed.alert == "The code could not be sent. Ask for it again."
    assert failed.form(method="email_code", send="1")["typed"] == []
    assert "mail system" not in failed.raw


def test_too_many_codes_are_refused_with_the_time_to_wait() -> None:
    """The page stays, says so, and says from when another one can be sent."""
    world = World(options={"limits": Limits(sends=1)})
    browser = Browser(world)
    sent = browser.submit(browser.blocked("mail.change").form(method="email_code"))
    world.clock.advance(61)

    refused = browser.submit(sent.form(method="email_code", send="1"))

    assert refused.alert.startswith("Too many requests. Wait before you try again. You can try again from 18:13:00 UTC")
    assert len(world.outbox.messages) == 1


def test_a_lock_says_how_long_it_lasts() -> None:
    """While it lasts no answer is looked at, right or wrong, and the two look the same."""
    world = World(options={"limits": Limits(delay_after=1, delays=(30,))})
    browser = Browser(world)
    shown, _ = started(browser)

    wrong = browser.submit(shown.form(method="password"), "no")
    right = browser.submit(shown.form(method="password"), RIGHT)

    assert wrong.alert == (
        "Too many attempts. Wait before you try again. You can try again from 18:03:30 UTC (in 30 seconds)."
    )
    assert right.raw == wrong.raw
    world.clock.advance(31)
    assert "It is you" in browser.submit(shown.form(method="password"), RIGHT).text


class Failing(MemoryStore):
    """A store that can be switched off."""

    down = False

    def load(self, *given: Any, **more: Any) -> Any:
        if self.down:
            raise OSError("connection refused by 10.0.0.7")
        return super().load(*given, **more)


def test_a_store_that_fails_is_a_page_too() -> None:
    """Blocked, asked or answered: the page says that it is not possible now, and nothing of why."""
    store = Failing()
    browser = Browser(World(store=store))
    asked = browser.blocked()
    _, address = started(browser)
    store.down = True

    answers = [
        browser.press(),
        browser.post("/stepup/ceremony", asked.form(method="password")["hidden"] | {"response": RIGHT}),
        browser.post(address, {"method": "password", "response": RIGHT, "next": FORM_PAGE}),
        browser.go("GET", f"{address}?{urlencode({'next': FORM_PAGE})}"),
    ]

    for answer in answers:
        found = Page(answer)
        assert (found.status, found.links) == (503, [FORM_PAGE])
        assert "not possible at the moment" in found.text
        assert "10.0.0.7" not in found.raw


# -- remembering the device -------------------------------------------------------------------

TRUST = "__Host-stepup-trust"


@both_faces
@pytest.mark.requirement("V-01", "V-02")
def test_a_device_is_remembered_by_a_box_that_was_ticked(face: str) -> None:
    """On the first page and on the challenge's; a box that was left alone remembers nobody."""
    browser = Browser(World(face))
    browser.submit(browser.blocked("plain").form(method="password"), RIGHT)
    assert TRUST not in browser.cookies
    browser.submit(browser.blocked("org.delete").form(method="password"), RIGHT, tick="remember")
    assert browser.cookies[TRUST]

    other = Browser(World(face))
    shown, _ = started(other, "plain")
    assert TRUST not in other.cookies
    other.submit(shown.form(method="password"), RIGHT, tick="remember")
    token = other.cookies[TRUST]
    other.submit(other.blocked("org.delete").form(method="password"), RIGHT)
    assert other.cookies[TRUST] not in (token, "")
    assert token not in "".join(other.pages)


def test_no_box_where_nobody_may_be_remembered() -> None:
    """Policy says no, or the caller has no cookies; and ticking one that is not there changes nothing."""
    never = Action("never", "Never", policy=Policy(methods="password", remember=False))
    browser = Browser(World(actions=(never,)))
    form = browser.blocked("never").form(method="password")
    assert form["boxes"] == []
    browser.submit({**form, "boxes": ["remember"]}, RIGHT, tick="remember")
    assert TRUST not in browser.cookies
    assert browser.blocked("choice").form(method="email_code")["boxes"] == []


# -- several calls, and for somebody else ------------------------------------------------------


@both_faces
def test_a_bundle_is_listed_and_opened_without_javascript(face: str) -> None:
    """Every item stands on the page; the cookie opens all of them, once."""
    world = World(face)
    items = [Item("org.delete", ORG, {"keep": "<b>"}), Item("member.role")]
    browser = Browser(world)

    def press() -> WebResponse:
        visit = browser._visit(browser._request("POST", "/many", b"", FORM_PAGE, {}))
        try:
            world.run(bundle.require_bundle(world.core, items, visit.known, visit.token("stepup.bundle"), None))
        except StepUpError as error:
            return browser._took(world.site.refusal(visit, error))
        return browser._took(world.site.with_cookies(visit, WebResponse(200, (), b"done")))

    page = Page(press())
    for shown in ("Delete organization, Change role", "organization org_7 (Northstar); keep: <b>"):
        assert shown in page.text
    wrong = browser.submit(page.form(method="password"), "no")
    assert "organization org_7 (Northstar); keep: <b>" in wrong.text
    browser.submit(wrong.form(method="password"), RIGHT)
    assert GRANT in browser.cookies
    assert press().status == 200
    assert GRANT not in browser.cookies
    assert press().status == 403


@both_faces
def test_the_page_says_how_often_and_for_whom(face: str) -> None:
    """Before there is a challenge, and after."""
    many = Action("invite", "Invite", policy=Policy(methods="password", uses=25))
    world = World(face, actions=(many,))
    browser = Browser(world, Actor(OLIVIA.id, email=OLIVIA.email, on_behalf_of="usr_7"))

    page = browser.blocked("invite")
    for one in (page, browser.submit(page.form(method="password"), "no")):
        assert "up to 25 times" in one.text
        assert "On behalf of" in one.text
        assert "usr_7" in one.text
    refused = browser.blocked("org.delete")
    assert "on behalf of somebody else" in refused.text

"""The pages: whom they are for, what they say, what never gets into one, and that everybody can use them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from ceremony_world import FORM_PAGE, GRANT, RIGHT, Browser, Page, World, started
from web_world import OLIVIA, ORIGIN

from stepup import Action, Actor, Code, Policy, Resource
from stepup.approval import Standing
from stepup.decision import Decision, Outcome, Reason
from stepup.errors import Denied, StepUpError, StepUpRequired, StoreUnavailable, UnknownAction
from stepup.policy import Risk
from stepup.web import PROBLEMS, WebRequest, WebResponse
from stepup.web.asked import Asked, Sent, Subject, Waiting
from stepup.web.html import POLICY, STYLE, Markup, page, tag, web_address
from stepup.web.pages import ask
from stepup.web.refusals import wants_page
from stepup.web.site import Site

XSS = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "'><svg/onload=alert(1)>", "&lt;b&gt;", "{{7*7}}",
    "</title><script>x</script>", "</style><script>x</script>", "javascript:alert(1)", "<!--",
    '" autofocus onfocus="alert(1)',
)  # fmt: skip


# -- nothing gets into a page -----------------------------------------------------------------


@pytest.mark.parametrize("text", XSS)
def test_nothing_from_outside_becomes_markup(text: str) -> None:
    """Labels, resources, params, accounts, ways back, problems: text is text, in every place."""
    world = World(actions=(Action("bad", text, policy=Policy(methods="password")),))
    browser = Browser(world, Actor("usr_1", email=text))
    resource = Resource(text, text, label=text)

    asked = browser.blocked("bad", resource=resource, params={text: text}, referer=f"{ORIGIN}/{text}")
    wrong = browser.submit(asked.form(method="password"), text)
    path = urlsplit(browser.addresses[-1]).path
    shown = browser.get(f"{path}?{urlencode({'next': '/' + text, 'problem': text, 'until': text})}")
    end = browser.get(f"/stepup/ceremony/done?{urlencode({'next': '/' + text, 'problem': text})}")

    plain = Browser(World()).blocked("plain", params={"a": "b"})
    assert [tag for tag, _ in asked.tags] == [tag for tag, _ in plain.tags]
    assert asked.text.count(text) == 7  # label, type, label and id of the resource, name and value of params, account
    for found in (asked, wrong, shown, end):
        assert {tag for tag, _ in found.tags} <= ALLOWED_TAGS
        assert {name for _, given in found.tags for name in given} <= ALLOWED_ATTRIBUTES
        assert found.links in ([], ["/" + text])
    assert shown.alert == ""


ALLOWED_TAGS = {
    "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "dl", "dt", "dd", "bdi", "strong",
    "section", "form", "div", "label", "input", "button", "a", "time",
}  # fmt: skip
ALLOWED_ATTRIBUTES = {
    "lang", "charset", "name", "content", "id", "class", "role", "aria-labelledby", "aria-describedby", "aria-hidden",
    "type", "value", "autocomplete", "autocapitalize", "inputmode", "spellcheck", "required", "autofocus", "readonly",
    "tabindex", "for", "method", "action", "href", "datetime",
}  # fmt: skip


LOCKED = "Too many attempts. Wait before you try again."


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("problem=rate_limited", "Too many requests. Wait before you try again."),
        ("problem=RATE_LIMITED", ""),
        ("problem=allowed", ""),
        ("problem=It+is+all+right", ""),
        ("problem=", ""),
        ("until=99", ""),
        ("problem=locked_out&until=SOON", f"{LOCKED} You can try again from 18:04:00 UTC (in 60 seconds)."),
        ("problem=locked_out&until=FAR", LOCKED),
        ("problem=locked_out&until=PAST", LOCKED),
        ("problem=locked_out&until=-1", LOCKED),
        ("problem=locked_out&until=%D9%A1", LOCKED),
        ("problem=locked_out&until=" + "9" * 40, LOCKED),
    ],
)
def test_an_address_says_no_more_than_a_code_of_ours(query: str, says: str) -> None:
    """A code of the table, and a time that is near; whatever else stands in an address is not shown."""
    world = World()
    browser = Browser(world)
    _, address = started(browser)
    now = int(world.clock.now().timestamp())
    for word, seconds in (("SOON", 60), ("FAR", 86400), ("PAST", 0)):
        query = query.replace(word, str(now + seconds))

    assert browser.get(f"{address}?{query}").alert == says


def test_text_is_escaped_wherever_it_stands() -> None:
    """Between tags and in attributes; only what ``tag`` made is markup; nothing is lost for being odd."""
    assert tag("p", "<b>&\"'", Markup("<i>"), None, id="\"x'<", hidden=True, class_="a", title=None).text == (
        '<p id="&quot;x&#x27;&lt;" hidden class="a">&lt;b&gt;&amp;&quot;&#x27;<i></p>'
    )
    assert b"<title>a?b</title>" in page("a\ud800b")


@pytest.mark.parametrize(
    ("address", "known"),
    [
        ("/account/enrol", True), ("https://login.example/x", True), ("http://login.example", True),
        ("javascript:alert(1)", False), ("//evil.example", False), ("https:evil.example", False), ("", False),
        (None, False), ("https://[", False), ("data:text/html,x", False), ("account", False),
    ],
)  # fmt: skip
def test_links_lead_to_pages_only(address: object, known: bool) -> None:
    """A path of this site, or http and https; nothing that could run."""
    assert web_address(address) == (address if known else None)


# -- who is answered with a page --------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "is_page"),
    [
        ({}, True),
        ({"sec_fetch_mode": "-", "accept": "text/html,application/xhtml+xml"}, True),
        ({"sec_fetch_mode": "cors"}, False),
        ({"sec_fetch_mode": "same-origin"}, False),
        ({"sec_fetch_mode": "-", "accept": "*/*"}, False),
        ({"sec_fetch_mode": "-", "accept": "application/json, text/html"}, False),
        ({"hx_request": "true", "sec_fetch_mode": "cors"}, False),
        ({"hx_request": "true"}, False),
        ({"authorization": "Bearer abc"}, False),
    ],
)
def test_pages_are_for_people_and_documents_for_scripts(headers: dict[str, Any], is_page: bool) -> None:
    """A navigation gets the page; fetch, htmx and clients with a token get the problem document."""
    answer = Browser(World()).press(**headers)

    kind = str(answer.header("content-type"))
    assert kind == ("text/html; charset=utf-8" if is_page else "application/problem+json")
    assert answer.status == (401 if "authorization" in headers else 403)
    if not is_page:
        assert json.loads(answer.body)["code"] == "verification_required"


def test_a_request_without_a_mode_asks_for_html_first() -> None:
    """What cannot say how it was made is judged by what it would rather read."""
    assert wants_page(WebRequest("POST", "/x", {"accept": "text/html"}))
    assert not wants_page(WebRequest("POST", "/x", {"accept": "text/html", "hx-request": "true"}))
    assert not wants_page(WebRequest("POST", "/x"))


def refusal(error: StepUpError) -> WebResponse:
    """What a navigation is answered where *error* was raised."""
    browser = Browser(World())
    site = browser.world.site
    return site.refusal(site.visit(browser._request("POST", "/x", b"", FORM_PAGE, {}), OLIVIA), error)


@pytest.mark.parametrize("code", [one for one in PROBLEMS if one is not Code.VERIFICATION_REQUIRED])
def test_every_denial_is_a_page_with_its_title_and_status(code: Code) -> None:
    """Title and status are those of the problem document; causes that are not for clients are not in it."""
    at = datetime(2026, 6, 11, 18, 18, tzinfo=UTC)
    decision = Decision(
        Outcome.DENIED, code, "org.delete", Risk.CRITICAL, (Reason("secret_cause"),), retry_at=at,
        enrol_url="/account/enrol", login_url="https://login.northstar.example/",
    )  # fmt: skip

    answer = refusal(Denied(decision))
    found = Page(answer)

    assert answer.status == PROBLEMS[code].status
    assert PROBLEMS[code].title in found.text
    assert "You can try again from 18:18:00 UTC (in 15 minutes)." in found.text
    assert answer.header("retry-after") == "900"
    assert found.links == ["https://login.northstar.example/", "/account/enrol", FORM_PAGE]
    assert "secret_cause" not in found.raw


@pytest.mark.parametrize("address", ["javascript:alert(1)", "//evil.example", "data:text/html,x"])
def test_an_odd_address_in_the_configuration_is_no_link(address: str) -> None:
    """A link leads to a page or is not there."""
    decision = Decision(Outcome.DENIED, Code.LOGIN_REQUIRED, "x", 1, enrol_url=address, login_url=address)

    assert Page(refusal(Denied(decision))).links == [FORM_PAGE]


@pytest.mark.parametrize(
    ("error", "status"), [(UnknownAction("x"), 404), (StoreUnavailable("the database at 10.0.0.7"), 503)]
)
def test_what_is_not_the_persons_fault_is_not_told(error: StepUpError, status: int) -> None:
    """A page with the title, and nothing for the log."""
    answer = refusal(error)

    assert answer.status == status
    assert "10.0.0.7" not in answer.body.decode()


def test_a_site_that_answers_with_a_challenge_does_so_in_a_page_too() -> None:
    """Status and challenge are the document's (RFC 9470)."""
    world = World()
    world.site = Site(world.gate, origin=ORIGIN, answers="bearer")

    answer = Browser(world).press()

    assert answer.status == 401
    assert str(answer.header("www-authenticate")).startswith('Bearer error="insufficient_user_authentication"')
    assert len(Page(answer).forms) == 1


def test_an_offer_that_cannot_be_read_has_no_forms() -> None:
    """Nobody is asked to approve what cannot be shown."""
    made = Decision(Outcome.STEP_UP_REQUIRED, Code.VERIFICATION_REQUIRED, "org.delete", 4, methods=("password",))

    found = Page(refusal(StepUpRequired(made)))

    assert (found.status, found.forms) == (403, [])
    assert "Fresh proof is needed" in found.text


# -- the pages themselves -------------------------------------------------------------------


def every_page() -> Iterator[tuple[str, Page]]:
    """One of each."""
    world = World()
    browser = Browser(world)
    yield "blocked", browser.blocked("choice")
    shown, address = started(browser, "choice")
    yield "wrong", shown
    yield "sent", browser.submit(shown.form(method="email_code", send="1"))
    yield "locked", browser.get(f"{address}?problem=locked_out")
    yield "cancelled", browser.submit(shown.form(cancel="1"))
    yield "missing", browser.get("/stepup/ceremony/stepup_0")
    yield "done", browser.get("/stepup/ceremony/done")
    yield "malformed", Page(browser.post("/stepup/ceremony", b"x"))
    yield "nobody", Browser(world, None).get("/stepup/ceremony/stepup_0")
    hard = Decision(Outcome.DENIED, Code.NO_USABLE_METHOD, "x", 1, enrol_url="/enrol")
    yield "denied", Page(refusal(Denied(hard)))
    asked = Asked(
        "/x", "/", "o", Subject("a", ()), ("totp", "recovery_code", "password", "email_code", "passkey"),
        frozenset({"email_code"}), world.clock.now(), sent={"email_code": Sent("o", world.clock.now())},
        expires_at=world.clock.now(),
    )  # fmt: skip
    yield "all ways", Page(WebResponse(200, (), ask(asked)))
    for standing in (None, Standing.PENDING, Standing.READY, Standing.CLOSED):
        waits = replace(asked, methods=("approval", "password"), waiting=Waiting("<b>", standing, 1, 2))
        yield f"approval {standing}", Page(WebResponse(200, (), ask(waits)))


EVERY = (
    "blocked", "wrong", "sent", "locked", "cancelled", "missing", "done", "malformed", "nobody", "denied", "all ways",
    "approval None", "approval pending", "approval ready", "approval closed",
)  # fmt: skip


@pytest.fixture(scope="module")
def each() -> dict[str, Page]:
    made = dict(every_page())
    assert tuple(made) == EVERY
    return made


@pytest.mark.parametrize("name", EVERY)
def test_every_page_can_be_used_by_everybody(each: dict[str, Page], name: str) -> None:
    """A language, a title, one main part and one heading; every field has its label; ids stand once, and are there."""
    found = each[name]
    ids = [str(given["id"]) for _, given in found.tags if "id" in given]
    fields = [given for given in found.each("input") if given["type"] != "hidden"]
    labelled = [given["for"] for given in found.each("label")]

    assert found.raw.startswith("<!doctype html>\n")
    assert [given["lang"] for given in found.each("html")] == ["en"]
    assert [len(found.each(tag)) for tag in ("title", "main", "h1")] == [1, 1, 1]
    assert len(set(ids)) == len(ids)
    assert sorted(labelled, key=str) == sorted((given["id"] for given in fields), key=str)
    pointed = [
        word
        for key in ("aria-labelledby", "aria-describedby")
        for _, one in found.tags
        for word in (one.get(key) or "").split()
    ]
    assert set(pointed) <= set(ids)
    assert len([one for one in fields if "autofocus" in one]) == (1 if any("name" in one for one in fields) else 0)
    assert all(given.get("type") == "submit" for given in found.each("button"))
    assert found._open == [""], "every element is closed"


@pytest.mark.parametrize("name", EVERY)
def test_no_page_runs_or_fetches_anything(each: dict[str, Page], name: str) -> None:
    """No script, no handler, no style of an element, nothing from elsewhere: only its own tags and attributes."""
    found = each[name]

    assert {tag for tag, _ in found.tags} <= ALLOWED_TAGS
    assert {key for _, given in found.tags for key in given} <= ALLOWED_ATTRIBUTES
    assert "url(" not in found.raw
    assert "@import" not in found.raw
    assert {urlsplit(form["action"]).netloc for form in found.forms} <= {""}


@pytest.mark.requirement("B-02", "B-06")
@pytest.mark.parametrize("name", [name for name in EVERY if not name.startswith(("all ways", "approval"))])
def test_every_page_is_sent_with_what_protects_it(each: dict[str, Page], name: str) -> None:
    """Not framed, not stored, not guessed at, not told of to other sites; the policy allows its style sheet alone."""
    headers = dict(each[name].answer.headers)
    digest = base64.b64encode(
        hashlib.sha256(each[name].raw.partition("<style>")[2].partition("</style>")[0].encode()).digest()
    )

    assert headers["content-security-policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest.decode()}'; form-action 'self'; frame-ancestors 'none';"
        " base-uri 'none'"
    )
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["referrer-policy"] == "same-origin"


def test_the_policy_lets_forms_say_where_they_come_from() -> None:
    """Under ``no-referrer`` browsers send forms with ``Origin: null``, and every one of ours would be refused."""
    browser = Browser(World())

    assert browser.blocked().answer.header("referrer-policy") == "same-origin"
    assert browser.post("/stepup/ceremony", {"offer": "x"}, origin="null").status == 403
    assert "unsafe" not in POLICY
    assert "</" not in STYLE


def test_redirects_are_not_stored_either() -> None:
    """The answer that sets the cookie is in no cache."""
    browser = Browser(World())
    form = browser.blocked().form(method="password")

    answer = browser.post(form["action"], form["hidden"] | {"response": RIGHT})

    assert (answer.status, answer.header("cache-control")) == (303, "no-store")
    assert GRANT in browser.cookies


def test_fields_are_what_password_managers_and_telephones_know() -> None:
    """A password beside its account, codes as digits that can be filled in and pasted, recovery codes as text."""
    (found,) = [shown for name, shown in every_page() if name == "all ways"]
    fields = {str(one["id"]): one for one in found.each("input") if one["type"] != "hidden"}

    assert set(fields) == {
        "totp-response", "recovery_code-response", "account", "password-response", "email_code-response",
    }  # fmt: skip
    assert fields["password-response"]["type"] == "password"
    assert fields["password-response"]["autocomplete"] == "current-password"
    assert (fields["account"]["autocomplete"], fields["account"]["value"]) == ("username", "o")
    assert "readonly" in fields["account"]
    assert fields["account"]["tabindex"] == "-1"
    assert "name" not in fields["account"]
    (aside,) = found.each("div")
    assert aside["aria-hidden"] == "true"
    for code in ("totp-response", "email_code-response"):
        assert (fields[code]["type"], fields[code]["inputmode"], fields[code]["autocomplete"]) == (
            "text", "numeric", "one-time-code",
        )  # fmt: skip
    assert fields["recovery_code-response"]["type"] == "text"
    assert "inputmode" not in fields["recovery_code-response"]  # they have letters
    assert not any("maxlength" in one for one in fields.values())


def test_an_account_without_an_address_is_shown_by_its_id() -> None:
    """The person sees whose proof is asked for."""
    assert "usr_9" in Browser(World(), Actor("usr_9")).blocked("choice").text

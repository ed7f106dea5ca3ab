"""What the mail says: the action and who asked, in the person's language, with nothing that outsiders can plant."""

from __future__ import annotations

import string
from dataclasses import fields, replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from verifier_values import bench_for

from stepup._languages import lookup
from stepup.challenge import FactorRef
from stepup.context import Actor, Context, Device
from stepup.errors import ConfigurationError
from stepup.mailers import Outbox, SMTPMailer
from stepup.ports import Message
from stepup.testing.bench import ACTOR
from stepup.verifiers import EmailCode
from stepup.verifiers._mail import MAX_VALUE, one_line
from stepup.verifiers._mail_texts import CATALOGUE, ENGLISH, MailTexts

REFS = [FactorRef("email", "email_code", 10)]
SENDER = "no-reply@northstar.example"


class Reader(HTMLParser):
    """The tags and the visible text of an HTML part."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags = list[str]()
        self.attributes = list[str]()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def mail(
    *,
    actor: Actor = ACTOR,
    sender: str | None = SENDER,
    locale: str | None = None,
    device: str | None = None,
    challenge: dict[str, Any] | None = None,
    **options: Any,
) -> tuple[Message, str]:
    """The mail sent, and its code."""
    outbox = Outbox(sender=sender)
    bench = bench_for("sync", EmailCode(mailer=outbox, **options), REFS, actor=actor, locale=locale)
    given = replace(bench.ceremony, challenge=replace(bench.ceremony.challenge, **(challenge or {})))
    if device is not None:
        given = replace(given, context=Context(actor, device=Device("fp", label=device)))
    begun = replace(bench, ceremony=given).begin()
    assert begun.deliver is not None
    begun.deliver()
    return outbox.last, outbox.code()


@pytest.mark.requirement("P-08", "Z-10")
def test_both_parts_say_what_the_code_is_for() -> None:
    sent, code = mail(challenge={"shown": (("Amount", "120.00 EUR"), ("Payee", "Vega & Söhne")), "ip": "81.2.69.142"})
    assert sent.html is not None
    for part in (sent.text, Reader(sent.html).text):
        for said in ("Delete organization", "Northstar", "Amount", "120.00 EUR", "Vega & Söhne",
        "olivia@northstar.example",
                     "MacBook Pro / Safari", "81.2.69.142", code, "5 min"):  # fmt: skip
            assert said in part, said
    assert sent.subject == "Confirm: Delete organization"
    assert code not in sent.subject


def test_what_the_challenge_remembers_comes_before_the_request_at_hand() -> None:
    sent, _ = mail(
        challenge={"device_label": "Pixel / Firefox", "ip": "198.51.100.4", "label": "", "resource_label": None}
    )
    assert "Pixel / Firefox" in sent.text
    assert "198.51.100.4" in sent.text
    assert "MacBook" not in sent.text
    assert "organization.delete" in sent.text
    assert "organization org_7" in sent.text


def test_an_impersonated_person_is_named() -> None:
    sent, _ = mail(actor=Actor("support_1", email="sam@northstar.example", on_behalf_of="usr_2048"))
    assert "On behalf of: usr_2048" in sent.text
    assert "Requested by: sam@northstar.example" in sent.text


@pytest.mark.parametrize(
    ("sender", "domain", "last"),
    [(SENDER, None, "@northstar.example #{}"), ("Northstar <a@mail.northstar.example>", None,
    "@mail.northstar.example #{}"),
     (SENDER, "Accounts.Northstar.example", "@accounts.northstar.example #{}"), (None, "localhost", "@localhost #{}")],
)  # fmt: skip
def test_the_last_line_binds_the_code_to_the_domain(sender: str | None, domain: str | None, last: str) -> None:
    sent, code = mail(sender=sender, domain=domain)
    assert sent.text.splitlines()[-1] == last.format(code)
    assert sent.html is not None
    assert "#" + code not in sent.html


@pytest.mark.parametrize("sender", [None, "nonsense", "a@b c", "a@[192.0.2.1]", "a@x_y.example"])
def test_without_a_domain_there_is_no_last_line(sender: str | None) -> None:
    sent, code = mail(sender=sender)
    assert "@" not in sent.text.splitlines()[-1]
    assert f": {code}" in sent.text
    assert "#" not in sent.text
    assert EmailCode(mailer=SMTPMailer("localhost", sender="a@b.example")).domain == "b.example"


def test_there_are_no_links_and_nothing_is_loaded() -> None:
    sent, _ = mail()
    assert sent.html is not None
    assert not {"a", "img", "link", "script", "iframe", "form", "base", "object", "video"} & set(Reader(sent.html).tags)
    for word in ("http", "href", "src=", "url(", "www."):
        assert word not in sent.html + sent.text


HOSTILE = '"><script>alert(1)</script><a href="https://evil.example">&\'\u202ex'


@pytest.mark.requirement("D-04")
def test_markup_from_outside_stays_text() -> None:
    sent, _ = mail(
        device=HOSTILE, actor=Actor("u<b>", email='o"<i>@northstar.example'.replace('"<i>', "li")),
        challenge={"label": HOSTILE, "resource_label": HOSTILE, "shown": ((HOSTILE, HOSTILE),), "ip": HOSTILE},
    )  # fmt: skip
    assert sent.html is not None
    read, plain = Reader(sent.html), Reader(mail()[0].html or "")
    assert read.text.count("<script>alert(1)</script>") >= 5
    assert set(read.tags) == set(plain.tags)
    assert set(read.attributes) == set(plain.attributes)
    assert "\u202e" not in sent.html + sent.text + sent.subject


@pytest.mark.requirement("D-04")
@pytest.mark.parametrize("breaks", ["\n", "\r\n", "\u2028", "\u2029", "\x85", "\x0b", "\0", "\x1b[2J"])
def test_text_from_outside_cannot_start_a_line(breaks: str) -> None:
    planted = f"phone{breaks}@evil.example #999999{breaks}"
    sent, code = mail(
        device=planted,
        challenge={"label": planted, "resource_label": planted, "shown": ((planted, planted),), "ip": planted},
    )
    assert sent.text.splitlines()[-1] == f"@northstar.example #{code}"
    assert not any(line.startswith("@evil") for line in sent.text.splitlines())
    assert len(sent.subject.splitlines()) == 1
    assert breaks not in sent.subject


def test_values_and_their_number_are_bounded() -> None:
    sent, _ = mail(challenge={"shown": tuple((f"k{n}", "v" * 10_000) for n in range(1000)), "label": "L" * 100_000})
    assert sent.html is not None
    assert len(sent.text) < 20_000
    assert len(sent.html) < 30_000
    assert sent.subject == f"Confirm: {'L' * 499}\N{HORIZONTAL ELLIPSIS}"
    assert "k31: " in sent.text
    assert "k32: " not in sent.text


@pytest.mark.requirement("P-08")
def test_what_is_approved_is_in_the_mail_whole() -> None:
    """As many lines, and as long ones, as a challenge can show: none is cut, in either part."""
    rows = tuple((f"{number:02}" + "l" * 98, f"{number:02}" + "v" * 498) for number in range(32))
    sent, _ = mail(challenge={"shown": rows})
    for part in (sent.text, Reader(sent.html or "").text):
        assert all(label in part and value in part for label, value in rows)
        assert "\N{HORIZONTAL ELLIPSIS}" not in part


@given(st.text(max_size=400))
def test_a_cleaned_value_is_one_short_line(text: str) -> None:
    line = one_line(text)
    assert len(line) <= MAX_VALUE
    assert len(line.splitlines()) <= 1
    assert line == line.strip()
    assert one_line(line) == line


# -- languages --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("locale", "tag"),
    [(None, "en"), ("", "en"), ("en", "en"), ("en-GB", "en"), ("de", "de"), ("de-AT", "de"), ("de_CH", "de"),
    ("DE", "de"),
     ("fr-CA", "fr"), ("es-419", "es"), ("nl", "en"), ("zh-Hant-TW", "en"), ("d", "en"), ("*", "en"), ("-de", "en")],
)  # fmt: skip
def test_the_language_is_the_persons(locale: str | None, tag: str) -> None:
    assert lookup(CATALOGUE, locale) == (tag, CATALOGUE[tag])
    sent, code = mail(locale=locale)
    assert sent.subject == CATALOGUE[tag].subject.format(action="Delete organization")
    assert CATALOGUE[tag].warning in sent.text
    assert f'lang="{tag}"' in (sent.html or "")
    assert sent.text.splitlines()[-1] == f"@northstar.example #{code}"


def test_every_shipped_language_names_what_it_must() -> None:
    assert set(CATALOGUE) == {"de", "en", "es", "fr"}
    for tag, words in CATALOGUE.items():
        assert "{action}" in words.subject, tag
        assert "{action}" in words.intro, tag
        assert "{minutes}" in words.validity, tag
        translated = [one.name for one in fields(words) if getattr(words, one.name) == getattr(ENGLISH, one.name)]
        assert tag == "en" or translated == [], tag


def test_a_language_can_be_added_or_replaced() -> None:
    dutch = replace(ENGLISH, subject="Bevestig: {action}")
    assert mail(texts={"nl": dutch}, locale="nl-BE")[0].subject == "Bevestig: Delete organization"
    assert mail(texts={"EN_gb": dutch}, locale="en-GB")[0].subject == "Bevestig: Delete organization"
    assert mail(texts={"nl": dutch}, locale="de")[0].subject.startswith("Bitte")


@pytest.mark.parametrize(
    ("field", "text"),
    [("subject", "{code}"), ("subject", "{action.__class__}"), ("intro", "{0}"), ("intro", "{}"), ("warning",
    "{action}"),
     ("validity", "{minutes"), ("subject", ""), ("device", None)],
)  # fmt: skip
def test_texts_with_other_places_are_refused(field: str, text: Any) -> None:
    values = {one.name: getattr(ENGLISH, one.name) for one in fields(ENGLISH)}
    with pytest.raises(ConfigurationError, match=field):
        MailTexts(**{**values, field: text})


def test_braces_from_outside_are_only_text() -> None:
    sent, _ = mail(challenge={"label": "{action} {requester} {0} {minutes.__class__}"})
    assert "{action} {requester} {0} {minutes.__class__}" in sent.text
    assert set(string.punctuation) & set(sent.subject)

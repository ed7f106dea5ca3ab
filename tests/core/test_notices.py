"""The mails of notices: what they say in each language, what they never hold, and what can be replaced."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stepup.context import Actor
from stepup.errors import ConfigurationError, ContractBroken
from stepup.notices import CATALOGUE, DEMANDED, Notice, NoticeKind, Notices, NoticeTexts
from stepup.ports import Message
from stepup.told import Limit
from stepup.verifiers._mail_texts import CATALOGUE as CODE_MAILS

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOTICE = Notice(
    NoticeKind.LOCKED_OUT,
    Actor("usr_2048", "olivia@northstar.example"),
    NOW,
    method="totp",
    about="Delete organization",
    ip="192.0.2.7",
    device="MacBook Pro / Safari",
    challenge_id="stepup_1",
)
languages = pytest.mark.parametrize("locale", sorted(CATALOGUE))
kinds = pytest.mark.parametrize("kind", NoticeKind)


def test_there_are_the_languages_that_mailed_codes_have() -> None:
    assert set(CATALOGUE) == set(CODE_MAILS)


@languages
@kinds
@pytest.mark.requirement("D-06", "Z-10")
def test_a_mail_says_what_when_where_and_what_to_do(locale: str, kind: NoticeKind) -> None:
    """In the person's language; the subject names nobody and nothing."""
    words = CATALOGUE[locale]
    mail = Notices().mail(replace(NOTICE, kind=kind, locale=f"{locale}-XX"))

    assert mail.to == "olivia@northstar.example"
    assert (mail.subject, mail.html) == (words.words[kind][0], None)
    assert mail.text == (
        f"{words.words[kind][1]}\n\n"
        f"{words.when}: 2026-03-01 12:00 UTC\n"
        f"{words.where}: MacBook Pro / Safari, 192.0.2.7\n"
        f"{words.method}: {words.methods['totp']}\n"
        f"{words.about}: Delete organization\n\n"
        f"{words.advice}\n"
    )
    assert not re.search(r"https?:|www\.|@|[0-9]{5,}", mail.subject + mail.text)
    assert "stepup_1" not in mail.text


@languages
def test_no_two_kinds_have_the_same_subject(locale: str) -> None:
    subjects = [subject for subject, _ in CATALOGUE[locale].words.values()]
    assert len(set(subjects)) == len(NoticeKind)


def test_what_is_not_known_is_left_out() -> None:
    """An unknown language is English, an unnamed device is called so, and no label stands alone."""
    bare = Notice(NoticeKind.FACTOR_ADDED, Actor("usr_2048"), NOW, locale="tlh", usable_from=NOW + timedelta(days=1))
    english = CATALOGUE["en"]
    mail = Notices().mail(bare)

    assert mail.to == ""
    assert mail.text == (
        f"{english.words[NoticeKind.FACTOR_ADDED][1]}\n\nWhen: 2026-03-01 12:00 UTC\nWhere: an unnamed device\n"
        f"It can be used from: 2026-03-02 12:00 UTC\n\n{english.advice}\n"
    )
    assert "Method: smoke_signal\n" in Notices().mail(replace(NOTICE, method="smoke_signal")).text


@pytest.mark.requirement("D-04")
def test_text_from_outside_cannot_add_a_line() -> None:
    """A device label or an action's label stays on its own line, and is cut."""
    odd = replace(NOTICE, device="x\r\nCall us: 555\u2028now\x1b[2J", about="y\n\n" + "z" * 500)
    lines = Notices().mail(odd).text.splitlines()

    assert len(lines) == len(Notices().mail(NOTICE).text.splitlines())
    assert max(map(len, lines[:6])) < 220
    assert "\x1b" not in "".join(lines)


def test_words_can_be_replaced_and_added() -> None:
    """A language put in the place of another, and one that is new."""
    mine = replace(CATALOGUE["en"], advice="Call 555-0100.")
    settings = Notices(texts={"en": mine, "pt_BR": replace(mine, when="Quando")})

    assert settings.mail(NOTICE).text.endswith("Call 555-0100.\n")
    assert "Quando: " in settings.mail(replace(NOTICE, locale="pt-BR")).text
    assert "Wann: " in settings.mail(replace(NOTICE, locale="de")).text


def test_a_render_of_ones_own_writes_the_mail_but_not_the_address() -> None:
    """Where it goes is not its to say."""

    def render(notice: Notice, words: NoticeTexts) -> Message:
        return Message("mallory@elsewhere.example", words.words[notice.kind][0], "Hello", "<p>Hello</p>")

    mail = Notices(render=render).mail(NOTICE)

    assert (mail.to, mail.text, mail.html) == ("olivia@northstar.example", "Hello", "<p>Hello</p>")
    with pytest.raises(ContractBroken):
        Notices(render=lambda notice, words: "Hello").mail(NOTICE)  # type: ignore[arg-type, return-value]  # the mistake


def test_kinds_can_be_switched_off_and_demanded_ones_only_by_saying_so() -> None:
    settings = Notices(off={"locked_out"}, off_though_demanded=[NoticeKind.FACTOR_ADDED])

    assert [kind for kind in NoticeKind if not settings.tells(kind)] == [
        NoticeKind.FACTOR_ADDED,
        NoticeKind.LOCKED_OUT,
    ]
    for kind in DEMANDED:
        with pytest.raises(ConfigurationError, match=kind.value):
            Notices(off=[kind])
        assert not Notices(off_though_demanded=[kind]).tells(kind)


def test_limits_can_be_replaced() -> None:
    settings = Notices(limits={"locked_out": Limit(5, 60), NoticeKind.FACTOR_ADDED: Limit(1, 10)})

    assert settings.limit(NoticeKind.LOCKED_OUT) == (5, 60)
    assert settings.limit(NoticeKind.FACTOR_ADDED) == (1, 10)
    assert settings.limit(NoticeKind.CODE_REPLAYED) == (1, 3600)
    assert Notices().limit(NoticeKind.RECOVERY_CODE_USED) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"off": ["lockout"]},
        {"off": "locked_out"},
        {"off_though_demanded": ["locked_out"]},
        {"render": "text"},
        {"texts": {"en": {}}},
        {"limits": {"lockout": Limit(1, 1)}},
        {"limits": {"locked_out": Limit(0, 1)}},
        {"limits": {"locked_out": Limit(101, 1)}},
        {"limits": {"locked_out": Limit(1, 0)}},
        {"limits": {"locked_out": (1.5, 60)}},
        {"limits": {"locked_out": (True, 60)}},
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(wrong: Any) -> None:
    with pytest.raises(ConfigurationError):
        Notices(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"advice": ""}, {"when": None}, {"words": {}}, {"words": dict.fromkeys(NoticeKind, "text")}]
)
def test_a_language_is_whole_or_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError):
        replace(CATALOGUE["en"], **wrong)

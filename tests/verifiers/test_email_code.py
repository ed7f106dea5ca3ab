"""Mailed codes: uniform, short-lived, newest only, bound to challenge and address, never stored or shown."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from verifier_values import accepted, bench_for, both_faces, later, rejected

from stepup._wrapped import sync_verifier
from stepup.ceremony import Begun
from stepup.challenge import FactorRef
from stepup.context import Actor
from stepup.errors import ConfigurationError, ContractBroken, DeliveryFailed, WrongColour
from stepup.factor import Factor
from stepup.keys import KeyRing, Vault
from stepup.mailers import AsyncOutbox, Outbox
from stepup.ports import Message
from stepup.requirement import Holding, Strength
from stepup.testing.bench import ACTOR, NEVER_RIGHT, NOW, Bench
from stepup.verifiers import TOTP, EmailCode, Password
from stepup.verifiers._mail import EmailCodeMail
from stepup.verifiers.email_code import masked

REFS = [FactorRef("email", "email_code", 10)]


def mailed(
    face: str = "sync", *, actor: Actor = ACTOR, locale: str | None = None, **options: Any
) -> tuple[Bench, Outbox]:
    outbox = Outbox(sender="Northstar <no-reply@northstar.example>")
    return bench_for(face, EmailCode(mailer=outbox, **options), REFS, actor=actor, locale=locale), outbox


def sent(bench: Bench, outbox: Outbox) -> tuple[Begun, str]:
    begun = bench.begin()
    assert begun.deliver is not None
    begun.deliver()
    return begun, outbox.code()


# -- the code -------------------------------------------------------------------------------


@pytest.mark.requirement("E-01")
def test_codes_are_uniform_with_their_leading_zeros() -> None:
    codes = list[str]()

    def keep(mail: EmailCodeMail) -> Message:
        codes.append(mail.code)
        return Message(mail.to, "s", "t")

    bench, _ = mailed(render=keep)
    for _ in range(5_000):
        bench.begin()
    assert all(re.fullmatch("[0-9]{6}", code, re.ASCII) for code in codes)
    assert len(set(codes)) > 4_900, "two in 5000 are expected to meet about a dozen times"
    leading = sum(code.startswith("0") for code in codes)
    assert 350 < leading < 650, "500 expected, deviation 21: seven deviations away"


@pytest.mark.requirement("E-01")
def test_every_digit_of_every_place_is_as_likely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chi-square over 120000 codes, drawn as begin() draws them; a bound that chance passes once in 1e9 runs."""
    import secrets

    from stepup.verifiers import email_code

    drawn = list[tuple[int, int]]()

    def watching(bound: int) -> int:
        value = secrets.randbelow(bound)
        drawn.append((bound, value))
        return value

    monkeypatch.setattr(email_code, "secrets", type("Watched", (), {"randbelow": staticmethod(watching)}))
    bench, outbox = mailed()
    _, code = sent(bench, outbox)
    assert drawn == [(10**6, int(code))], "the code is one uniform draw from all of them"

    count = 120_000
    codes = [f"{secrets.randbelow(drawn[0][0]):06}" for _ in range(count)]
    for place in range(6):
        seen = Counter(code[place] for code in codes)
        assert set(seen) == set("0123456789")
        assert sum((n - count / 10) ** 2 / (count / 10) for n in seen.values()) < 65, f"place {place}, 9 degrees"


@pytest.mark.requirement("E-02")
@pytest.mark.parametrize("digits", [-1, 0, 1, 5, 11, "6", 6.0, True, None])
def test_under_20_bits_is_refused_at_start_up(digits: Any) -> None:
    with pytest.raises(ConfigurationError, match="20 bits"):
        EmailCode(mailer=Outbox(), digits=digits)


@pytest.mark.requirement("E-02")
@pytest.mark.parametrize("digits", [6, 8, 10])
def test_the_code_has_the_digits_asked_for(digits: int) -> None:
    bench, outbox = mailed(digits=digits)
    begun, code = sent(bench, outbox)
    assert len(code) == digits
    assert accepted(bench.check(begun.state, code))


@pytest.mark.requirement("E-04")
def test_it_is_the_weakest_and_a_policy_can_exclude_it() -> None:
    assert EmailCode.strength < min(Password.strength, TOTP.strength)
    assert not Holding(min_strength=Strength.PASSWORD).admits(EmailCode.method, EmailCode.strength)


# -- accepting and refusing ---------------------------------------------------------------------


@both_faces
def test_the_mailed_code_is_accepted(face: str) -> None:
    bench, outbox = mailed(face)
    begun, code = sent(bench, outbox)
    checked = bench.check(begun.state, f" {code[:3]}-{code[3:]} ")
    assert accepted(checked)
    assert checked.proof is not None
    assert (checked.proof.method, checked.proof.factor_id, checked.proof.amr) == ("email_code", "email", ("otp",))
    assert (checked.proof.at, checked.proof.strength) == (NOW, Strength.MAILED)
    (claim,) = checked.claims
    assert claim == bench.check(begun.state, code).claims[0], "the second answer collides on the claim"
    assert re.fullmatch(r"email_code\.[0-9a-f]{32}", claim)
    wrong = f"{(int(code) + 1) % 10**6:06}"
    assert rejected(bench.check(begun.state, wrong))


@both_faces
@pytest.mark.requirement("E-03")
def test_a_new_code_replaces_the_old(face: str) -> None:
    bench, outbox = mailed(face)
    first, old = sent(bench, outbox)
    second, new = sent(bench, outbox)
    while new == old:
        second, new = sent(bench, outbox)
    assert rejected(bench.check(second.state, old))
    assert accepted(bench.check(second.state, new))
    assert bench.check(first.state, old).claims != bench.check(second.state, new).claims


@pytest.mark.requirement("E-03", "C-06", "L-06")
@pytest.mark.parametrize(
    ("ttl", "seconds", "passes"),
    [(120, 0, True), (120, 119, True), (120, 119.999999, True), (120, 120, False), (120, 121, False),
     (600, 299, True), (600, 300, False)],
)  # fmt: skip
def test_a_code_ends_with_its_time_or_its_challenge(ttl: int, seconds: float, passes: bool) -> None:
    bench, outbox = mailed(ttl=ttl)
    begun, code = sent(bench, outbox)
    assert begun.prompt.expires_at == NOW + timedelta(seconds=min(ttl, 300))
    assert accepted(bench.check(begun.state, code, later(bench.ceremony, seconds))) is passes


@pytest.mark.requirement("C-02")
def test_a_code_answers_its_own_challenge_only() -> None:
    bench, outbox = mailed()
    begun, code = sent(bench, outbox)
    other = replace(bench.ceremony, challenge=replace(bench.ceremony.challenge, id="stepup_other"))
    assert rejected(bench.check(begun.state, code, other))
    assert rejected(bench.check(None, code))


@both_faces
@pytest.mark.requirement("C-12")
def test_a_code_counts_for_the_address_it_went_to(face: str) -> None:
    address: list[str | None] = ["olivia@northstar.example"]
    bench, outbox = mailed(face, address_of=lambda actor: address[0])
    begun, code = sent(bench, outbox)
    for changed in ("mallory@northstar.example", "olivia@northstar.example.", "olivia@Southstar.example", "", None):
        address[0] = changed
        assert rejected(bench.check(begun.state, code)), changed
    address[0] = "Olivia@NorthStar.example"
    assert accepted(bench.check(begun.state, code)), "the same mailbox, in other ASCII letters"


def test_another_key_ring_accepts_nothing() -> None:
    bench, outbox = mailed()
    begun, code = sent(bench, outbox)
    gone = Vault(KeyRing("another key ring altogether, 9f3b1c7d5e"))
    assert rejected(bench.check(begun.state, code, replace(bench.ceremony, vault=gone)))


@settings(max_examples=80)
@pytest.mark.requirement("T-06")
@given(
    st.one_of(st.sampled_from(NEVER_RIGHT), st.text(), st.binary(), st.integers()),
    st.dictionaries(st.sampled_from(["code", "address", "expires"]),
    st.one_of(st.text(st.characters(codec="utf-8")), st.integers(max_value=10**12), st.booleans())),
)  # fmt: skip
def test_bad_input_never_raises(response: object, state: Mapping[str, str | int | bool]) -> None:
    bench, outbox = mailed()
    begun, code = sent(bench, outbox)
    if response != code:
        assert rejected(bench.check(begun.state, response))
    assert rejected(bench.check(state, code))
    assert rejected(bench.check({**begun.state, **state}, code)) or not state


# -- where nothing may be seen ----------------------------------------------------------------------


@both_faces
@pytest.mark.requirement("E-03", "Z-08")
def test_the_code_is_in_the_mail_alone(face: str) -> None:
    bench, outbox = mailed(face)
    begun, code = sent(bench, outbox)
    stored = json.dumps(dict(begun.state))
    assert code not in stored.replace(str(begun.state["expires"]), "")
    assert "olivia" not in stored
    for shown in (begun, begun.prompt, outbox.last, outbox, bench.verifier, bench.check(begun.state, code)):
        assert code not in repr(shown)
        assert "olivia@" not in repr(shown)
    assert re.search(rf"\b{code}\b", outbox.last.text)


@pytest.mark.parametrize(
    ("address", "hint"),
    [("olivia@northstar.example", "o•••@northstar.example"), ("o@northstar.example", "•••@northstar.example"),
     ("ol@b.example", "o•••@b.example")],
)  # fmt: skip
def test_the_hint_masks_the_address(address: str, hint: str) -> None:
    assert masked(address) == hint
    bench, _ = mailed(actor=Actor("u", email=address))
    assert bench.begin().prompt.sent_to == hint


# -- the address ---------------------------------------------------------------------------------------


@both_faces
def test_begin_sends_nothing_by_itself(face: str) -> None:
    bench, outbox = mailed(face)
    begun = bench.begin()
    assert repr(outbox) == "Outbox(0 messages)"
    assert begun.deliver is not None
    begun.deliver()
    assert tuple(message.to for message in outbox.messages) == ("olivia@northstar.example",)


@both_faces
@pytest.mark.parametrize(
    "email",
    [
        "no-at-sign",
        "@x.example",
        "x@",
        "a@b@c.example",
        "a b@c.example",
        "a,b@c.example",
        "a@c.example, d",
        "x" * 250 + "@b.example",
    ],
)
def test_an_address_no_mail_can_go_to_is_unusable(face: str, email: str) -> None:
    bench, outbox = mailed(face, actor=Actor("u", email=email))
    (factor,) = bench.run(bench.verifier.enrolled(Actor("u", email=email)))  # type: ignore[misc]
    assert isinstance(factor, Factor)
    assert (factor.usable, factor.material) == (False, None)
    with pytest.raises(DeliveryFailed):
        bench.begin()
    assert outbox.messages == ()


def test_without_an_address_there_is_no_factor() -> None:
    bench, _ = mailed(actor=Actor("u"))
    assert bench.run(bench.verifier.enrolled(Actor("u"))) == ()
    with pytest.raises(DeliveryFailed):
        bench.begin()
    with_address, _ = mailed()
    with pytest.raises(DeliveryFailed):
        replace(with_address, ceremony=replace(with_address.ceremony, factors=())).begin()


def test_the_material_tells_addresses_apart() -> None:
    bench, _ = mailed()

    def material(email: str) -> bytes | None:
        (factor,) = bench.run(bench.verifier.enrolled(Actor("u", email=email)))  # type: ignore[misc]
        assert isinstance(factor, Factor)
        assert factor.material is not None
        assert factor.material.decode() not in repr(factor)
        return factor.material

    assert material("Olivia@Northstar.example") == material("olivia@northstar.example")
    lookalikes = [
        "mike@x.example",
        "mi\u212ae@x.example",
        "m\u0131ke@x.example",
        "mike@\u017f.example",
        "mike@s.example",
    ]
    assert len({material(email) for email in lookalikes}) == len(lookalikes), "folding must not merge mailboxes"


def test_async_mailers_and_hooks_are_for_the_async_face() -> None:
    async def address_of(actor: Actor) -> str:
        return "olivia@northstar.example"

    async def render(mail: EmailCodeMail) -> Message:
        return Message(mail.to, "s", mail.code)

    verifiers: list[tuple[EmailCode, str]] = [
        (EmailCode(mailer=AsyncOutbox()), "mailer"),
        (EmailCode(mailer=Outbox(), address_of=address_of), "address_of"),
        (EmailCode(mailer=Outbox(), render=render), "render"),
    ]
    for verifier, name in verifiers:
        with pytest.raises(WrongColour, match=name):
            sync_verifier(verifier)
    outbox = AsyncOutbox()
    bench = bench_for("async", EmailCode(mailer=outbox, address_of=address_of, render=render), REFS)
    begun = bench.begin()
    assert begun.deliver is not None
    delivery: Any = begun.deliver()
    asyncio.run(delivery)
    assert accepted(bench.check(begun.state, outbox.last.text))


# -- construction -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{"mailer": object()}, {"mailer": None}, {"ttl": 601}, {"ttl": 59}, {"ttl": "300"}, {"ttl": True}, {"domain": ""},
     {"domain": "a b.example"}, {"domain": "https://a.example"}, {"domain": "a.example\n#1"}, {"domain": "-a.example"},
     {"domain": "a.example:80"}, {"domain": 7}, {"render": "x"}, {"address_of": 1}, {"texts": {"nl": "Hallo"}}],
)  # fmt: skip
def test_what_cannot_be_right_is_refused_at_construction(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="EmailCode"):
        EmailCode(**{"mailer": Outbox(), **options})


@pytest.mark.parametrize("answer", [None, "mail", {"text": "x"}, object()])
def test_a_render_hook_must_make_a_message(answer: object) -> None:
    bench, _ = mailed(render=lambda mail: answer)
    with pytest.raises(ContractBroken, match="render"):
        bench.begin()


@pytest.mark.requirement("Z-10")
@pytest.mark.parametrize("form", ["{}", "Code {}!", "{:.3} {}", "{}-"])
def test_a_rendered_subject_must_not_hold_the_code(form: str) -> None:
    def render(mail: EmailCodeMail) -> Message:
        spaced = f"{mail.code[:3]} {mail.code[3:]}"
        return Message(mail.to, form.replace("{:.3} {}", spaced).replace("{}", mail.code), "t")

    bench, _ = mailed(render=render)
    with pytest.raises(ContractBroken, match="subject") as raised:
        bench.begin()
    assert not re.search(r"[0-9]{6}", str(raised.value))


@pytest.mark.requirement("C-12")
def test_a_render_hook_cannot_redirect_the_code() -> None:
    def render(mail: EmailCodeMail) -> Message:
        return Message("mallory@elsewhere.example", "Confirm", f"code: {mail.code}")

    bench, outbox = mailed(render=render)
    begun, code = sent(bench, outbox)
    assert outbox.last.to == "olivia@northstar.example"
    assert outbox.last.text == f"code: {code}"
    assert accepted(bench.check(begun.state, code))

"""The canonical form of typed codes: two separators go, nothing else is forgiven."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup.verifiers._codes import MAX_TYPED, canonical
from stepup.verifiers.recovery_code import ALPHABET, LENGTH

digits = st.text(alphabet=string.digits, min_size=6, max_size=6)


@pytest.mark.requirement("T-06")
@pytest.mark.parametrize("typed", ["123456", " 123456", "123456 ", "123 456", "123-456", "1-2-3-4-5-6", " - 123456 - "])
def test_spaces_and_hyphens_are_stripped(typed: str) -> None:
    assert canonical(typed, 6) == "123456"


@pytest.mark.requirement("T-06")
@pytest.mark.parametrize(
    "typed",
    [
        "12345", "1234567", "0123456", "+123456", "-", "", " ", "12345a", "0x1234", "1e5000", "123,456",
        "123.456", "123_456",
        "123\t456", "123456\n", "\r123456", "123\u00a0456", "123\u2011456", "123\u2212456", "\u200b123456",
        "\ufeff123456",
        "\uff11\uff12\uff13\uff14\uff15\uff16", "\u0661\u0662\u0663\u0664\u0665\u0666", "12345\u0666",
        "\u00b2\u00b2\u00b2\u00b2\u00b2\u00b2",
        "123456\0", "\U0001d7d8" * 6, "\ud800", " " * MAX_TYPED + "123456", "-" * 100_000 + "123456",
        b"123456", bytearray(b"123456"), 123456, 123456.0, None, True, ["123456"], ("123456",), {"code": "123456"},
    ],
)  # fmt: skip
def test_everything_else_is_no_code(typed: object) -> None:
    assert canonical(typed, 6) is None


@pytest.mark.requirement("T-06")
@given(st.text(max_size=80))
def test_any_text_is_refused_or_is_its_own_digits(typed: str) -> None:
    found = canonical(typed, 6)
    bare = "".join(c for c in typed if c not in " -")
    right = len(typed) <= MAX_TYPED and len(bare) == 6 and set(bare) <= set("0123456789")
    assert found == (bare if right else None)


@pytest.mark.requirement("T-06")
@given(digits, st.lists(st.tuples(st.integers(0, 6), st.sampled_from(" -")), max_size=20))
def test_separators_anywhere_mean_the_same_code(code: str, inserted: list[tuple[int, str]]) -> None:
    typed = code
    for position, separator in inserted:
        typed = typed[:position] + separator + typed[position:]
    assert canonical(typed, 6) == code
    assert canonical(canonical(typed, 6), 6) == code


def test_letters_are_not_folded() -> None:
    code = ALPHABET[:LENGTH]
    assert canonical(code, LENGTH, ALPHABET) == code
    assert canonical(code.upper(), LENGTH, ALPHABET) is None
    assert canonical("l" + code[1:], LENGTH, ALPHABET) is None

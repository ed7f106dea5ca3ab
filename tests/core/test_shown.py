"""What the person is shown of a call before approving it: all of it, or the call is refused."""

from __future__ import annotations

from typing import Any

import pytest
from core_values import RESOURCE

from stepup.decide.shown import shown
from stepup.errors import InvalidInput
from stepup.policy import Action

PLAIN = Action("payout.create", "Send a payout")


def described(*pairs: Any) -> Action:
    """An action that shows *pairs* whatever the call is."""
    return Action("payout.create", "Send a payout", describe=lambda resource, params: pairs)


@pytest.mark.requirement("P-08")
def test_params_are_shown_by_name() -> None:
    """In the order given, as text; without params nothing is shown."""
    assert shown(PLAIN, RESOURCE, {"payee": "Vega", "count": 3, "again": True}) == (
        ("payee", "Vega"), ("count", "3"), ("again", "True"),
    )  # fmt: skip
    assert shown(PLAIN, RESOURCE, None) == shown(PLAIN, None, {}) == ()


@pytest.mark.requirement("P-08")
def test_what_describe_says_is_shown_instead() -> None:
    """It is given the resource and the params, and what it answers becomes text."""
    seen: list[object] = []

    def describe(*call: object) -> list[tuple[Any, Any]]:
        seen.extend(call)
        return [("Amount", 120), (1, "Vega")]

    action = Action("payout.create", "Send a payout", describe=describe)

    assert shown(action, RESOURCE, {"amount": 120}) == (("Amount", "120"), ("1", "Vega"))
    assert seen == [RESOURCE, {"amount": 120}]


@pytest.mark.requirement("P-08", "G-12")
def test_what_would_be_cut_is_refused() -> None:
    """Thirty-two lines, labels of 100 and values of 500 characters are shown whole; one more of any is refused."""
    most = [(f"{number:02}" + "l" * 98, "v" * 500) for number in range(32)]

    assert shown(described(*most), None, None) == tuple(most)
    assert shown(PLAIN, None, dict(most)) == tuple(most)
    for pairs in ([*most, ("one", "more")], [("l" * 101, "v")], [("l", "v" * 501)], [*most[:31], ("l", "v" * 10**6)]):
        for action, params in ((described(*pairs), None), (PLAIN, dict(pairs))):
            with pytest.raises(
                InvalidInput, match=r"'payout.create': what the person would be shown .* pass describe="
            ):
                shown(action, None, params)


@pytest.mark.requirement("P-08", "D-04")
def test_what_is_shown_is_one_line_each() -> None:
    """Breaks and directions become marks: they take no line, and hide none."""
    assert shown(PLAIN, None, {"pay\u202eee": "Vega\nAmount: 1\u2028"}) == (
        ("pay\ufffdee", "Vega\ufffdAmount: 1\ufffd"),
    )


@pytest.mark.requirement("P-08")
@pytest.mark.parametrize("pairs", [("text",), (1,), (("only one",),), (("a", "b", "c"),), (None,)])
def test_an_answer_of_another_shape_is_refused(pairs: tuple[Any, ...]) -> None:
    """Nothing is approved unseen because the hook was wrong; the error says of which action, and not what was in it."""
    with pytest.raises(InvalidInput, match=r"^Action 'payout.create': describe failed with (ValueError|TypeError)\.$"):
        shown(described(*pairs), None, None)


@pytest.mark.requirement("P-08", "Z-08")
def test_a_hook_that_fails_refuses() -> None:
    """With the class of what was raised, not its text."""

    def describe(*call: object) -> list[tuple[str, str]]:
        raise LookupError("hunter2")

    with pytest.raises(InvalidInput, match=r"describe failed with LookupError\.$") as caught:
        shown(Action("payout.create", "Send a payout", describe=describe), None, None)
    assert "hunter2" not in str(caught.value)

"""Enrolment as an attacker would have it: without a fresh proof, with another one, from elsewhere, seen twice."""

from __future__ import annotations

from typing import Any

import pytest
from test_enrolment import Account, an_account, both_faces

CHANGES: tuple[tuple[str, str, Any], ...] = (
    ("POST", "/factors/totp", {}),
    ("POST", "/factors/passkey", {}),
    ("POST", "/factors/recovery_code", {}),
    ("PATCH", "/factors/{id}", {"label": "Mine"}),
    ("DELETE", "/factors/{id}", None),
)


def grown(face: str = "sync") -> tuple[Account, dict[str, str]]:
    """A person whose authenticator counts by now."""
    site = an_account(face)
    made = site.enrolled()
    site.clock.advance(25 * 3600)
    return site, made


def listed(site: Account) -> Any:
    return site.call("GET", "/factors").json["factors"]


@both_faces
def test_who_removes_a_factor_is_shown_which(face: str) -> None:
    """Its kind, its name and its id: two authenticators look the same without."""
    site, made = grown(face)
    blocked = site.call("DELETE", f"/factors/{made['id']}")
    opened = site.call("POST", "/challenges", {"offer": blocked.json["offer"]}).json["challenge"]

    assert opened["action"]["resourceId"] == made["id"]
    assert opened["params"] == [{"label": "Method", "value": "Authenticator app: Phone"}]


@both_faces
def test_who_adds_a_factor_is_shown_what(face: str) -> None:
    """In words, not by what programs call it."""
    site = an_account(face)
    for path, words in (("totp", "Authenticator app"), ("passkey", "Passkey")):
        blocked = site.call("POST", f"/factors/{path}", {})
        opened = site.call("POST", "/challenges", {"offer": blocked.json["offer"]}).json["challenge"]
        assert opened["params"] == [{"label": "Method", "value": words}]


@both_faces
@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example", "sec_fetch_site": "cross-site"},
        {"origin": "https://blog.northstar.example", "sec_fetch_site": "same-site"},
        {"origin": "null", "sec_fetch_site": "cross-site"},
        {"origin": "-", "sec_fetch_site": "cross-site"},
    ],
)
def test_another_sites_page_changes_nothing(face: str, method: str, path: str, body: Any, headers: Any) -> None:
    """Not even while the person's own proof stands: that session grant needs no token."""
    site, made = grown(face)
    site.proved(site.call("DELETE", f"/factors/{made['id']}"), "totp", site.shown(made))
    before = listed(site)

    answer = site.call(method, path.format(id=made["id"]), body, **headers)

    assert (answer.status, answer.code) == (403, "bad_request")
    assert listed(site) == before


@both_faces
def test_a_proof_for_one_change_makes_no_other(face: str) -> None:
    """To add a passkey is not to add an authenticator, to see new codes, or to remove what is there."""
    site, made = grown(face)
    site.proved(site.call("POST", "/factors/passkey", {}), "totp", site.shown(made))

    for method, path, body in (CHANGES[0], CHANGES[2], CHANGES[4]):
        answer = site.call(method, path.format(id=made["id"]), body)
        assert (answer.status, answer.code) == (403, "grant_invalid"), path
    assert site.call(*CHANGES[1]).status == 201


@both_faces
def test_one_proof_shows_one_set_of_codes(face: str) -> None:
    """The change ends the proof that allowed it: who takes the token along has no second set made."""
    site, made = grown(face)
    site.proved(site.call("POST", "/factors/recovery_code"), "totp", site.shown(made))
    first = site.call("POST", "/factors/recovery_code")
    again = site.call("POST", "/factors/recovery_code")

    assert (first.status, again.status) == (201, 403)
    assert first.header("cache-control") == "no-store"
    told = [site.call("GET", path).raw.body.decode() for path in ("/factors", "/events", "/grants", "/session")]
    assert not [code for code in first.json["codes"] if any(code in text for text in told)]


@both_faces
def test_a_page_that_is_out_of_date_confirms_nothing(face: str) -> None:
    """A secret that was made before something else was added does not count any more, right code or not."""
    site, made = grown(face)
    site.proved(site.call("POST", "/factors/totp", {}), "totp", site.shown(made))
    stale = site.call("POST", "/factors/totp", {"label": "Old page"}).json
    site.token = None
    site.clock.advance(60)
    site.proved(site.call("POST", "/factors/recovery_code"), "totp", site.shown(made))
    assert site.call("POST", "/factors/recovery_code").status == 201

    answer = site.call("POST", f"/factors/totp/{stale['id']}", {"code": site.shown(stale)})

    assert (answer.status, answer.code) == (404, "challenge_not_found")
    assert "Old page" not in {one["label"] for one in listed(site)}


@pytest.mark.parametrize("label", ["\u202e<b>Phone</b>", "a\u2066b\u2069", "\u200b", "x\r\ny", "\x1b[31m"])
def test_a_name_turns_no_text_around(label: str) -> None:
    """What would hide or reverse what stands beside it is replaced; markup is text, and stays it."""
    site, made = grown()

    assert site.call("PATCH", f"/factors/{made['id']}", {"label": label}).status == 204

    (named,) = [one["label"] for one in listed(site) if one["id"] == made["id"]]
    assert named.replace("\N{REPLACEMENT CHARACTER}", "").isprintable()
    assert ("<b>Phone</b>" in named) == ("<b>" in label)
    assert len(named) == len(label)


@both_faces
def test_after_the_last_factor_the_next_one_is_asked_for_with_what_is_left(face: str) -> None:
    """Never "no factor, so pass": the application's own are asked for, and what is gone has opened nothing else."""
    site, made = grown(face)
    site.proved(site.call("DELETE", f"/factors/{made['id']}"), "totp", site.shown(made))
    assert site.call("DELETE", f"/factors/{made['id']}").status == 204
    blocked = site.call("POST", "/factors/passkey", {})

    assert (blocked.status, blocked.code) == (403, "grant_invalid"), "the proof ended with what it removed"
    site.token = None
    assert site.call("POST", "/factors/passkey", {}).json["methods"] == ["password"]

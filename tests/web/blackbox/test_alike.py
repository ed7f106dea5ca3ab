"""One suite, four servers: the same calls, the same bytes, over real HTTP.

Each case runs against every server, states what is right, and leaves a transcript; at the end all are compared.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from blackbox_client import ORIGIN, Client

Case = Callable[[Client], None]
CASES: dict[str, Case] = {}
PASSWORD = "seven quiet herons"
BEARER = "Bearer olivia-7"


def case(function: Case) -> Case:
    CASES[function.__name__] = function
    return function


def signed_in(client: Client, name: str = "olivia") -> Client:
    assert client.call("POST", f"/login/{name}").status == 200
    return client


def offer(client: Client, path: str = "/orgs/org_7/delete", body: object = None, **headers: Any) -> str:
    """The offer of a blocked call."""
    blocked = client.call("POST", path, body, **headers)
    assert blocked.code in {"verification_required", "grant_required"}, blocked.body
    return str(blocked.json["offer"])


def challenged(client: Client, path: str = "/orgs/org_7/delete", body: object = None, **headers: Any) -> str:
    """A challenge opened for a blocked call."""
    opened = client.call("POST", "/stepup/challenges", {"offer": offer(client, path, body, **headers)}, **headers)
    assert opened.status == 201, opened.body
    return str(opened.json["challenge"]["id"])


def answered(client: Client, challenge: str, response: str = PASSWORD, method: str = "password", **headers: Any) -> str:
    """The token for a right answer."""
    body = {"method": method, "response": response}
    right = client.call("POST", f"/stepup/challenges/{challenge}/attempts", body, **headers)
    assert right.status == 200, right.body
    return str(right.json["grant"]["token"])


# -- the ceremony -------------------------------------------------------------------------


@case
def a_critical_call_is_blocked_proved_and_passes_once(client: Client) -> None:
    signed_in(client)
    blocked = client.call("POST", "/orgs/org_7/delete")
    assert (blocked.status, blocked.code) == (403, "verification_required")
    assert blocked.header("cache-control") == "no-store"
    before = client.cookies["__Host-stepup"]
    challenge = challenged(client)
    wrong = client.call(
        "POST", f"/stepup/challenges/{challenge}/attempts", {"method": "password", "response": "eight loud storks"}
    )
    assert (wrong.status, wrong.code, wrong.json["attemptsLeft"]) == (422, "verification_failed", 4)
    token = answered(client, challenge)
    assert client.cookies["__Host-stepup"] != before, "the session has a new id"

    assert client.call("POST", "/orgs/org_8/delete", stepup_token=token).code == "grant_invalid"
    assert client.call("POST", "/orgs/org_7/delete", stepup_token=token).text == "deleted org_7"
    assert client.call("POST", "/orgs/org_7/delete", stepup_token=token).code == "grant_invalid"


@case
def the_session_before_a_rotation_opens_nothing(client: Client) -> None:
    signed_in(client)
    old = client.fresh()
    challenge = challenged(client, "/members/usr_1/role", {"role": "owner"})
    old.cookies = dict(client.cookies)
    answered(client, challenge)
    assert client.call("POST", "/members/usr_1/role", {"role": "owner"}).status == 200
    assert old.call("POST", "/members/usr_1/role", {"role": "owner"}).code == "verification_required"


@case
def params_of_the_body_are_bound(client: Client) -> None:
    signed_in(client)
    answered(client, challenged(client, "/members/usr_1/role", {"role": "admin"}))
    assert client.call("POST", "/members/usr_1/role", {"role": "admin"}).text == "changed usr_1"
    assert client.call("POST", "/members/usr_1/role", {"role": "owner"}).code == "verification_required"


@case
def a_sign_in_is_fresh_only_where_it_was_recorded(client: Client) -> None:
    assert signed_in(client).call("POST", "/notes/1").text == "edited 1"
    unrecorded = client.fresh()
    unrecorded.cookies["app"] = "olivia"
    assert unrecorded.call("POST", "/notes/1").code == "verification_required"
    marcus = client.fresh()
    marcus.cookies = {**client.cookies, "app": "marcus"}
    assert marcus.call("POST", "/notes/1").code == "verification_required"


@case
def signing_out_ends_what_was_open(client: Client) -> None:
    signed_in(client)
    answered(client, challenged(client, "/members/usr_1/role", {"role": "owner"}))
    kept = client.fresh()
    kept.cookies = dict(client.cookies)
    assert kept.call("POST", "/members/usr_1/role", {"role": "owner"}).status == 200
    assert client.call("POST", "/logout").text == "out"
    assert not set(client.cookies) & {"__Host-stepup", "__Host-stepup-grant", "app"}
    assert kept.call("POST", "/members/usr_1/role", {"role": "owner"}).code == "verification_required"


@case
def signing_out_ends_it_even_if_the_application_forgot_first(client: Client) -> None:
    signed_in(client)
    answered(client, challenged(client, "/members/usr_1/role", {"role": "owner"}))
    kept = client.fresh()
    kept.cookies = dict(client.cookies)
    del client.cookies["app"]
    assert client.call("POST", "/logout").text == "out"
    assert kept.call("POST", "/members/usr_1/role", {"role": "owner"}).code == "verification_required"


@case
def two_methods_are_proved_one_by_one(client: Client) -> None:
    signed_in(client)
    challenge = challenged(client, "/keys/rotate")
    address = f"/stepup/challenges/{challenge}"
    first = client.call("POST", f"{address}/attempts", {"method": "password", "response": PASSWORD})
    assert first.json == {"status": "open", "remaining": ["email_code"]}
    prompt = client.call("POST", f"{address}/methods/email_code").json["prompt"]
    assert "olivia@" not in prompt["sentTo"]
    last = client.call("POST", f"{address}/attempts", {"method": "email_code", "response": client.mailed_code()})
    assert last.json["status"] == "verified"
    assert client.call("POST", "/keys/rotate").text == "rotated"


@case
def a_bearer_client_reads_rfc_9470_and_finishes(client: Client) -> None:
    own: dict[str, Any] = {"authorization": BEARER, "origin": "-", "sec_fetch_site": "-"}
    blocked = client.call("POST", "/orgs/org_7/delete", **own)
    assert blocked.status == 401
    assert 'error="insufficient_user_authentication"' in (blocked.header("www-authenticate") or "")
    assert 'acr_values="urn:stepup:level:4"' in (blocked.header("www-authenticate") or "")
    token = answered(client, challenged(client, **own), **own)
    assert client.call("POST", "/orgs/org_7/delete", stepup_token=token, **own).text == "deleted org_7"
    assert not client.cookies, "a bearer client gets no cookies"
    other = {**own, "authorization": "Bearer olivia-8"}
    token = answered(client, challenged(client, **own), **own)
    assert client.call("POST", "/orgs/org_7/delete", stepup_token=token, **other).code == "grant_invalid"


@case
def everything_about_the_account(client: Client) -> None:
    signed_in(client)
    actions = client.call("GET", "/stepup/actions").json["actions"]
    assert [one["status"] for one in actions] == ["needs_proof", "needs_proof", "unlocked", "needs_proof"]
    session = client.call("GET", "/stepup/session").json
    assert session["proofs"][0]["method"] == "password"
    assert session["device"] == {"label": "Mac / Safari", "trusted": False}
    answered(client, challenged(client, "/members/usr_1/role", {"role": "owner"}))
    grants = client.call("GET", "/stepup/grants").json["grants"]
    assert [one["action"] for one in grants] == ["member.role"]
    assert client.call("DELETE", f"/stepup/grants/{grants[0]['id']}").status == 204
    assert client.call("POST", "/members/usr_1/role", {"role": "owner"}).code == "verification_required"
    assert client.call("GET", "/stepup/events?limit=1").json["events"]


@case
def a_challenge_is_read_and_called_off(client: Client) -> None:
    signed_in(client)
    address = f"/stepup/challenges/{challenged(client)}"
    assert client.call("GET", address).json["challenge"]["status"] == "open"
    assert client.call("HEAD", address).body == b""
    assert client.call("DELETE", address).status == 204
    after = client.call("POST", f"{address}/attempts", {"method": "password", "response": PASSWORD})
    assert (after.status, after.code) == (409, "challenge_closed")


@case
def approvals_are_carried(client: Client) -> None:
    """Nobody here approves anything, so there is nothing to see and nothing to answer."""
    signed_in(client)
    found = client.call("GET", "/stepup/approvals?limit=1").json
    assert "inbox" in found, found
    assert (found["inbox"], found["own"], found["after"]) == ([], [], None)
    unknown = f"/stepup/approvals/stepup_{'0' * 32}.{'0' * 64}"
    for decision in ("approve", "deny"):
        answer = client.call("POST", unknown, {"decision": decision})
        assert (answer.status, answer.code) == (404, "challenge_not_found")
    assert client.call("POST", unknown, {"decision": "perhaps"}).status == 400
    assert client.call("DELETE", unknown).status == 404


# -- without JavaScript -----------------------------------------------------------------------


def hidden(page: str, name: str) -> str:
    """A hidden field of a page."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, page
    return html.unescape(found[1])


def fields(**given: str) -> str:
    return urlencode(given)


@case
def a_form_without_javascript_deletes_once(client: Client) -> None:
    signed_in(client)
    blocked = client.form("/orgs/org_7/delete", "")
    assert (blocked.status, blocked.header("content-type")) == (403, "text/html; charset=utf-8")
    back = hidden(blocked.text, "next")
    assert back == "/orgs/org_7"
    given = {"offer": hidden(blocked.text, "offer"), "next": back, "method": "password"}
    wrong = client.form("/stepup/ceremony", fields(**given, response="eight loud storks"))
    assert wrong.status == 303
    address = wrong.header("location") or ""
    shown = client.call("GET", address, sec_fetch_mode="navigate")
    assert "That was not right." in shown.text
    path = address.partition("?")[0]
    done = client.form(path, fields(next=back, method="password", response=PASSWORD))
    assert (done.status, done.header("location")) == (303, "/stepup/ceremony/done?next=%2Forgs%2Forg_7")
    assert "__Host-stepup-grant" in client.cookies
    token = client.cookies["__Host-stepup-grant"]
    assert token not in client.call("GET", done.header("location") or "").text

    other = client.form("/orgs/org_8/delete", "")
    assert other.status == 403
    assert "__Host-stepup-grant" not in client.cookies, "the cookie goes with the first post that it was shown to"
    client.cookies["__Host-stepup-grant"] = token
    assert client.form("/orgs/org_7/delete", "").text == "deleted org_7"
    client.cookies["__Host-stepup-grant"] = token
    assert client.form("/orgs/org_7/delete", "").status == 403


@case
def a_form_of_another_site_gets_nothing(client: Client) -> None:
    signed_in(client)
    offered = hidden(client.form("/orgs/org_7/delete", "").text, "offer")
    given = fields(offer=offered, next="/", method="password", response=PASSWORD)
    for headers in ({"origin": "https://evil.example"}, {"origin": "null"}, {"origin": "-", "sec_fetch_site": "-"}):
        assert client.form("/stepup/ceremony", given, **headers).status == 403
    assert client.form("/stepup/ceremony", given).status == 303
    token = client.cookies["__Host-stepup-grant"]
    assert (
        client.form("/orgs/org_7/delete", "", origin="https://evil.example", sec_fetch_site="cross-site").status == 403
    )
    client.cookies["__Host-stepup-grant"] = token
    assert client.form("/orgs/org_7/delete", "").text == "deleted org_7"


@case
def a_mailed_code_without_javascript(client: Client) -> None:
    signed_in(client, "marcus")  # Olivia has just been sent one, and time stands still
    given = {"offer": hidden(client.form("/keys/rotate", "").text, "offer"), "next": "//evil.example"}
    sent = client.form("/stepup/ceremony", fields(**given, method="email_code"))
    path = (sent.header("location") or "").partition("?")[0]
    assert "next=%2F" in (sent.header("location") or ""), "an address elsewhere is no way back"
    code = client.mailed_code()
    client.form(path, fields(next="/", method="email_code", response=f" {code[:3]} {code[3:]} "))
    client.form(path, fields(next="/", method="password", response="nine loud storks"))
    assert client.form("/keys/rotate", "").text == "rotated"


@case
def a_person_who_is_not_signed_in_is_told_so_on_a_page(client: Client) -> None:
    answer = client.form("/orgs/org_7/delete", "")
    assert (answer.status, answer.header("content-type")) == (401, "text/html; charset=utf-8")
    assert 'href="/login"' in answer.text


# -- remembered devices -------------------------------------------------------------------

TRUST = "__Host-stepup-trust"
MARCUS = "nine loud storks"


def remembered(client: Client, **headers: Any) -> str:
    """The token of a device that Marcus has just had remembered; it is in a cookie, and in no body."""
    challenge = challenged(client, "/members/usr_1/role", {"role": "owner"}, **headers)
    body = {"method": "password", "response": MARCUS, "rememberDevice": True}
    done = client.call("POST", f"/stepup/challenges/{challenge}/attempts", body, **headers)
    assert done.json["status"] == "verified"
    (cookie,) = [one for one in done.all("set-cookie") if one.startswith(TRUST)]
    assert cookie.endswith("; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure")
    token = client.cookies[TRUST]
    assert token not in done.text
    return token


def trusted(client: Client) -> bool:
    return client.call("GET", "/stepup/session").json["device"]["trusted"] is True


@case
def a_device_is_remembered_reviewed_and_forgotten(client: Client) -> None:
    signed_in(client, "marcus")
    assert client.call("GET", "/stepup/devices").json == {"devices": []}
    assert not trusted(client)
    token = remembered(client)
    assert trusted(client)
    (one,) = client.call("GET", "/stepup/devices").json["devices"]
    assert (one["label"], one["current"]) == ("Mac / Safari", True)
    address = f"/stepup/devices/{one['id']}"
    assert client.call("PATCH", address, {"label": "Desk"}).status == 204
    assert client.call("PATCH", address, {"name": "Desk"}).code == "bad_request"
    other = signed_in(client.fresh(), "marcus")
    (seen,) = other.call("GET", "/stepup/devices").json["devices"]
    assert (seen["label"], seen["current"]) == ("Desk", False)
    assert other.call("DELETE", "/stepup/devices/nothing").status == 404
    assert client.cookies[TRUST] == token
    assert client.call("DELETE", address).status == 204
    assert TRUST not in client.cookies
    assert client.call("DELETE", address).status == 404
    client.cookies[TRUST] = token
    assert not trusted(client)


@case
def all_devices_are_forgotten_at_once(client: Client) -> None:
    here, there = signed_in(client, "marcus"), signed_in(client.fresh(), "marcus")
    for one in (here, there):
        remembered(one)
    assert [one["current"] for one in here.call("GET", "/stepup/devices").json["devices"]].count(True) == 1
    assert there.call("DELETE", "/stepup/devices").status == 204
    assert TRUST not in there.cookies
    assert not trusted(here)
    assert here.call("GET", "/stepup/devices").json == {"devices": []}


@case
def a_device_gets_a_new_token_at_each_step_up(client: Client) -> None:
    signed_in(client, "marcus")
    token = remembered(client)
    answered(client, challenged(client, "/orgs/org_7/delete"), MARCUS)
    assert client.cookies[TRUST] != token
    assert trusted(client)
    client.cookies[TRUST] = token
    assert trusted(client), "the one before is good for a minute, and time stands still"
    answered(client, challenged(client, "/orgs/org_7/delete"), MARCUS)
    assert client.cookies[TRUST] == token, "another tab has got the new one"
    assert client.call("DELETE", "/stepup/devices").status == 204


@case
def a_form_without_javascript_keeps_the_device(client: Client) -> None:
    signed_in(client, "marcus")
    token = remembered(client)
    given = {"offer": hidden(client.form("/orgs/org_7/delete", "").text, "offer"), "next": "/"}
    client.form("/stepup/ceremony", fields(**given, method="password", response=MARCUS))
    assert client.cookies[TRUST] != token
    assert trusted(client)
    other = signed_in(client.fresh(), "marcus")
    blocked = other.form("/orgs/org_7/delete", "").text
    assert 'name="remember"' in blocked
    given = {"offer": hidden(blocked, "offer"), "next": "/", "remember": "1"}
    other.form("/stepup/ceremony", fields(**given, method="password", response=MARCUS))
    assert trusted(other)
    assert client.call("DELETE", "/stepup/devices").status == 204


@case
def a_device_is_one_persons(client: Client) -> None:
    signed_in(client, "marcus")
    token = remembered(client)
    signed_in(client, "olivia")
    assert client.cookies[TRUST] == token
    assert not trusted(client)
    assert client.call("GET", "/stepup/devices").json == {"devices": []}
    other = signed_in(client.fresh(), "marcus")
    other.cookies[TRUST] = token
    assert not trusted(other), "in another browser it is none"
    signed_in(client, "marcus")
    assert trusted(client)
    assert client.call("DELETE", "/stepup/devices").status == 204


@case
def reviewing_devices_takes_a_fresh_proof(client: Client) -> None:
    client.cookies["app"] = "marcus"
    assert client.call("GET", "/stepup/devices").code == "verification_required"
    assert client.call("DELETE", "/stepup/devices").code == "verification_required"
    assert client.call("DELETE", "/stepup/devices/x").code == "verification_required"
    given = client.call("PATCH", "/stepup/devices/x", {"label": "x"}).json["offer"]
    opened = client.call("POST", "/stepup/challenges", {"offer": given}).json["challenge"]["id"]
    answered(client, opened, MARCUS)
    assert client.call("GET", "/stepup/devices").json == {"devices": []}


@case
def a_bearer_client_is_not_remembered(client: Client) -> None:
    bearer: dict[str, Any] = {"authorization": "Bearer marcus-7"}
    challenge = challenged(client, "/members/usr_1/role", {"role": "owner"}, **bearer)
    body = {"method": "password", "response": MARCUS, "rememberDevice": True}
    done = client.call("POST", f"/stepup/challenges/{challenge}/attempts", body, **bearer)
    assert done.json["status"] == "verified"
    assert done.all("set-cookie") == []


@case
def a_changed_password_ends_what_was_open_and_remembered(client: Client) -> None:
    here, there = signed_in(client, "marcus"), signed_in(client.fresh(), "marcus")
    remembered(here)
    assert here.call("POST", "/members/usr_1/role", {"role": "owner"}).text == "changed usr_1"
    assert there.call("POST", "/password").text == "changed"
    assert here.call("POST", "/members/usr_1/role", {"role": "owner"}).code == "verification_required"
    assert not trusted(here)


# -- who must not ---------------------------------------------------------------------------


@case
def nobody_is_told_to_sign_in(client: Client) -> None:
    for method, path in (("POST", "/orgs/org_7/delete"), ("GET", "/stepup/actions"), ("POST", "/stepup/preflight")):
        answer = client.call(method, path, {} if method == "POST" else None)
        assert (answer.status, answer.code) == (401, "login_required"), path
        assert answer.json["loginUrl"] == "/login"
        assert "acr_values" not in (answer.header("www-authenticate") or ""), (
            "nobody learns how strong a proof is needed"
        )
    assert not client.cookies


@case
def what_is_somebody_elses_does_not_exist(client: Client) -> None:
    signed_in(client)
    challenge = challenged(client)
    answers = []
    marcus, again = signed_in(client.fresh(), "marcus"), signed_in(client.fresh())
    for who, found in ((marcus, challenge), (again, challenge), (marcus, f"stepup_{'0' * (len(challenge) - 7)}")):
        answer = who.call("GET", f"/stepup/challenges/{found}")
        tried = who.call(
            "POST", f"/stepup/challenges/{found}/attempts", {"method": "password", "response": "nine loud storks"}
        )
        answers.append((answer.status, answer.body, tried.status, tried.body))
    assert answers[0] == answers[1] == answers[2]
    stolen = offer(client)
    for who in (marcus, again):
        assert who.call("POST", "/stepup/challenges", {"offer": stolen}).code == "bad_request"


@case
def other_sites_are_refused(client: Client) -> None:
    signed_in(client)
    challenge = challenged(client)
    body = {"method": "password", "response": PASSWORD}
    elsewhere: tuple[dict[str, Any], ...] = (
        {"origin": "https://evil.example"}, {"origin": "null"}, {"origin": f"{ORIGIN}.evil.example"},
        {"origin": ORIGIN.upper()}, {"origin": "-", "sec_fetch_site": "cross-site"},
        {"origin": "-", "sec_fetch_site": "same-site"},
    )  # fmt: skip
    for headers in elsewhere:
        answer = client.call("POST", f"/stepup/challenges/{challenge}/attempts", body, **headers)
        assert (answer.status, answer.code) == (403, "bad_request"), headers
    forged = client.call("POST", f"/stepup/challenges/{challenge}/attempts", body, host="evil.example")
    assert (forged.status, forged.code) == (403, "bad_request")
    assert client.call("GET", f"/stepup/challenges/{challenge}").json["attemptsLeft"] == 5, "nothing was tried"


@case
def an_address_counts_only_from_a_declared_proxy(client: Client) -> None:
    signed_in(client)
    opened = client.call(
        "POST",
        "/stepup/challenges",
        {"offer": offer(client)},
        x_forwarded_for="203.0.113.9",
        forwarded="for=203.0.113.9",
    )
    assert opened.json["challenge"]["audit"]["ip"] == "127.0.0.1"


# -- what cannot be read ----------------------------------------------------------------------


@case
def bodies_that_cannot_be_read(client: Client) -> None:
    signed_in(client)
    for raw, status in (
        (b"", 400), (b"{", 400), (b"[]", 400), (b'"x"', 400), (b"\xff\xfe", 400), (b'{"offer":"a","offer":"b"}', 400),
        (b'{"offer":' + b"[" * 40 + b"]" * 40 + b"}", 400), (b'{"offer":NaN}', 400), (b"{" * 100_0, 400),
        (b'{"offer":"' + b"x" * 70_000 + b'"}', 413), (b"x" * 10_000_000, 413),
        (b'{"offer":1}', 400), (b'{"offer":null}', 400), (b'{"offer":""}', 400), (b'{"offer":"\\ud800"}', 400),
        (b'{"other":1}', 400), (b"{}", 400), (b'{"offer":"x","more":1}', 400),
    ):  # fmt: skip
        answer = client.call("POST", "/stepup/challenges", raw=raw)
        assert (answer.status, answer.code) == (status, "bad_request"), (raw[:40], answer.body)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "-",
                 "application/json; charset=utf-16"):  # fmt: skip
        answer = client.call("POST", "/stepup/challenges", {"offer": "x"}, content_type=kind)
        assert (answer.status, answer.code) == (415, "bad_request"), kind
    big = client.call("POST", "/stepup/challenges", raw=b"x" * 10_000_000, chunked=True)
    assert (big.status, big.code) == (413, "bad_request")


@case
def values_of_the_wrong_type(client: Client) -> None:
    signed_in(client)
    address = f"/stepup/challenges/{challenged(client)}/attempts"
    wrong: tuple[Any, ...] = (None, "", [], {}, True, 0, 1e400, {"a": {"b": []}}, "x" * 5000, "\ud800")
    for value in wrong:
        right = {"method": "password", "response": PASSWORD}
        for body in ({**right, "method": value}, {**right, "rememberDevice": value}):
            if value is True and "rememberDevice" in body:
                continue
            answer = client.call("POST", address, body)
            assert answer.status in {400, 422}, (value, answer.body)
    assert client.call("GET", address.removesuffix("/attempts")).json["attemptsLeft"] == 5


@case
def methods_and_spellings_that_lead_nowhere(client: Client) -> None:
    signed_in(client)
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"):
        answer = client.call(method, "/stepup/actions")
        assert (answer.status, answer.code, answer.header("allow")) == (405, "bad_request", "GET, HEAD"), method
    for path in (
        "/stepup", "/stepup/", "/stepup/nothing", "/stepup/actions/", "/stepup/actions.", "/stepup/Actions",
        "/stepup//actions", "/stepup/./actions", "/stepup/x/../actions", "/stepup/%61ctions", "/stepup/challenges%2fx",
        "/stepup/actions%00", "/stepup/actions;x=1", "/stepup/challenges/x%2Fattempts",
    ):  # fmt: skip
        answer = client.call("GET", path)
        assert (answer.status, answer.code) == (404, "bad_request"), path


@case
def reading_changes_nothing(client: Client) -> None:
    signed_in(client)
    challenge = challenged(client)
    seen = client.call("GET", "/stepup/events").json["events"]
    for path in (
        "/actions",
        "/session",
        "/grants",
        f"/challenges/{challenge}",
        "/problems/grant_invalid",
        "/openapi.json",
    ):
        for method in ("GET", "HEAD"):
            assert client.call(method, f"/stepup{path}").status == 200
    assert client.call("GET", f"/stepup/challenges/{challenge}/attempts").status == 405
    assert client.call("GET", "/stepup/events").json["events"] == seen


@case
def what_is_not_guarded_has_nothing_to_do_with_it(client: Client) -> None:
    client.cookies["app"] = "olivia"
    answer = client.call("GET", "/plain")
    assert answer.text == "plain"
    assert answer.all("set-cookie") == []


@case
def what_a_code_means_can_be_read_by_anybody(client: Client) -> None:
    for code in ("verification_required", "grant_invalid", "bad_request"):
        assert client.call("GET", f"/stepup/problems/{code}").status == 200
    assert client.call("GET", "/stepup/problems/nothing").status == 404


@case
def htmx_is_told_what_to_do(client: Client) -> None:
    signed_in(client)
    answer = client.call("POST", "/orgs/org_7/delete", hx_request="true")
    assert (answer.status, answer.header("hx-reswap")) == (403, "none")
    assert "stepup:required" in (answer.header("hx-trigger") or "")


@case
def cookies_are_of_this_host_alone(client: Client) -> None:
    answer = client.call("POST", "/login/olivia")
    ours = [cookie for cookie in answer.all("set-cookie") if "stepup" in cookie]
    assert sorted(cookie.partition("=")[0] for cookie in ours) == ["__Host-stepup", "__Host-stepup-device"]
    for cookie in ours:
        assert "; Path=/; " in cookie
        assert cookie.endswith("; HttpOnly; SameSite=Lax; Secure")


# -- all of them ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
@pytest.mark.requirement("B-01", "B-04", "B-06", "G-01", "G-07", "G-08", "G-12", "Z-02")
def test_every_server_answers_alike(name: str, servers: dict[str, tuple[int, Path]]) -> None:
    """The case holds on each, and each sends the same bytes, random ids apart."""
    transcripts = {}
    for server, (port, directory) in servers.items():
        client = Client(port, directory)
        CASES[name](client)
        transcripts[server] = client.transcript
    (first, expected), *others = transcripts.items()
    for server, transcript in others:
        for one, other in zip(expected, transcript, strict=True):
            assert other == one, f"{server} answers otherwise than {first}"

"""Factors over HTTP: each change is blocked until it is proved, and secrets are told once."""

from __future__ import annotations

import json
import re
import sys

import pyotp
import pytest
import segno
from web_world import MARCUS, OLIVIA, ORIGIN, Answer, Site, context

from stepup.testing import SoftPasskey
from stepup.verifiers import TOTP, Passkey, RecoveryCode
from stepup.web.enrolment import picture

both_faces = pytest.mark.parametrize("face", ["sync", "async"])


class Account(Site):
    """A site on which a person can add things."""

    def proved(self, blocked: Answer, method: str = "password", response: str = "right") -> None:
        """Prove what was asked for, and present the token from here on."""
        assert blocked.code in {"verification_required", "grant_invalid"}, blocked.json
        opened = self.call("POST", "/challenges", {"offer": blocked.json["offer"]}).json["challenge"]["id"]
        body = {"method": method, "response": response}
        self.token = self.call("POST", f"/challenges/{opened}/attempts", body).json["grant"]["token"]

    def enrolled(self) -> dict[str, str]:
        """An authenticator that was added and confirmed, under the password."""
        self.proved(self.call("POST", "/factors/totp", {"label": "Phone"}))
        made: dict[str, str] = self.call("POST", "/factors/totp", {"label": "Phone"}).json
        assert self.call("POST", f"/factors/totp/{made['id']}", {"code": self.shown(made)}).status == 200
        self.token = None
        return made

    def shown(self, made: dict[str, str]) -> str:
        return pyotp.TOTP(made["secret"]).at(self.clock.now())


def an_account(face: str = "sync") -> Account:
    passkey = Passkey(rp_id="app.northstar.example", rp_name="Northstar", origins=[ORIGIN])
    return Account(face, more=(TOTP(issuer="Northstar"), RecoveryCode(), passkey))


@both_faces
def test_an_authenticator_is_added_under_a_step_up(face: str) -> None:
    """Blocked, proved, made, confirmed; it waits a day, since the password is weaker than it is."""
    site = an_account(face)
    blocked = site.call("POST", "/factors/totp", {"label": "Phone"})
    site.proved(blocked)
    made = site.call("POST", "/factors/totp", {"label": "Phone"})
    wrong = site.call("POST", f"/factors/totp/{made.json['id']}", {"code": "00 00 00"})
    right = site.call("POST", f"/factors/totp/{made.json['id']}", {"code": site.shown(made.json)})

    assert (blocked.status, blocked.json["action"]) == (403, "stepup.factor.add")
    assert (made.status, made.header("location")) == (201, f"/stepup/factors/totp/{made.json['id']}")
    assert made.json["uri"].startswith("otpauth://totp/Northstar")
    assert (wrong.status, wrong.code, wrong.json["attemptsLeft"]) == (422, "verification_failed", 4)
    assert right.json["factor"] == {
        "id": made.json["id"], "method": "totp", "label": "Phone", "enrolledAt": "2026-06-11T18:03:00Z",
        "usable": False, "quarantinedUntil": "2026-06-12T18:03:00Z", "removable": True,
    }  # fmt: skip
    assert "added to your account" in site.outbox.messages[-1].text


@both_faces
@pytest.mark.requirement("A-W1", "A-W9")
def test_a_passkey_is_registered_and_opens_the_very_call(face: str) -> None:
    """Blocked, proved, registered; after its day it is the one that counts, and what it signs is good for one call."""
    site, device = an_account(face), SoftPasskey(ORIGIN)
    site.proved(site.call("POST", "/factors/passkey", {"label": "Laptop"}))
    begun = site.call("POST", "/factors/passkey", {"label": "Laptop"})
    answer = device.create(begun.json["options"])
    wrong = site.call("POST", f"/factors/passkey/{begun.json['id']}", {"response": {**answer, "id": "AAAA"}})
    right = site.call("POST", f"/factors/passkey/{begun.json['id']}", {"response": answer})
    named = site.call("PATCH", f"/factors/{begun.json['id']}", {"label": "My laptop"})
    site.token = None

    assert (begun.status, begun.header("location")) == (201, f"/stepup/factors/passkey/{begun.json['id']}")
    assert (wrong.status, wrong.code, wrong.json["attemptsLeft"]) == (422, "verification_failed", 4)
    assert (right.status, right.json["factor"]["label"], right.json["factor"]["removable"]) == (200, "Laptop", True)
    assert named.status == 204
    assert "My laptop" in [one["label"] for one in site.call("GET", "/factors").json["factors"]]

    site.clock.advance(25 * 3600)
    challenge = site.started("org.delete")
    assert site.call("GET", f"/challenges/{challenge}").json["challenge"]["allowedMethods"] == ["passkey"]
    other = site.started("member.role")
    options = site.call("POST", f"/challenges/{challenge}/methods/passkey").json["prompt"]["options"]
    elsewhere = site.call("POST", f"/challenges/{other}/methods/passkey")
    signed = device.get(options)
    assert elsewhere.status == 200
    moved = site.call("POST", f"/challenges/{other}/attempts", {"method": "passkey", "response": signed})
    opened = site.call("POST", f"/challenges/{challenge}/attempts", {"method": "passkey", "response": signed})
    assert (moved.status, opened.json["status"]) == (422, "verified")


@both_faces
def test_what_is_enrolled_is_listed_without_secrets(face: str) -> None:
    """What the application keeps is listed and cannot be removed here; no secret is told a second time."""
    site = an_account(face)
    made = site.enrolled()
    listed = site.call("GET", "/factors")

    assert {one["method"]: one["removable"] for one in listed.json["factors"]} == {
        "password": False, "email_code": False, "totp": True,
    }  # fmt: skip
    assert listed.json["enrollable"] == ["passkey", "totp", "recovery_code"]
    assert Site(face).call("GET", "/factors").json["enrollable"] == []
    assert made["secret"] not in listed.raw.body.decode()
    assert made["secret"] not in site.call("GET", "/events", query="limit=100").raw.body.decode()


@both_faces
def test_recovery_codes_are_replaced_as_a_set_and_told_once(face: str) -> None:
    """They need the strongest factor held or one of themselves; a change ends what was opened, and the old ones go."""
    site = an_account(face)
    made = site.enrolled()
    site.clock.advance(25 * 3600)
    blocked = site.call("POST", "/factors/recovery_code")
    assert blocked.json["methods"] == ["totp"]
    site.proved(blocked, "totp", site.shown(made))
    first = site.call("POST", "/factors/recovery_code", {})
    site.clock.advance(60)
    site.proved(site.call("POST", "/factors/recovery_code"), "recovery_code", first.json["codes"][0])
    again = site.call("POST", "/factors/recovery_code")

    assert (first.status, again.status) == (201, 201)
    assert len(set(first.json["codes"]) | set(again.json["codes"])) == 2 * len(first.json["codes"]) >= 16
    listed = [one for one in site.call("GET", "/factors").json["factors"] if one["method"] == "recovery_code"]
    assert len(listed) == 1


@both_faces
def test_a_factor_is_removed_under_a_step_up_for_it(face: str) -> None:
    """The proof is for this factor; what is not there, not this person's, or the application's is not found."""
    site = an_account(face)
    made = site.enrolled()
    site.clock.advance(25 * 3600)
    blocked = site.call("DELETE", f"/factors/{made['id']}")
    site.proved(blocked, "totp", site.shown(made))
    missing = [site.call("DELETE", f"/factors/{name}") for name in ("nothing", "password")]
    site.who = context(MARCUS)
    missing.append(site.call("DELETE", f"/factors/{made['id']}"))
    site.who = context(OLIVIA)
    gone = site.call("DELETE", f"/factors/{made['id']}")

    assert blocked.json["authorization_details"][0]["resource"] == {"type": "factor", "id": made["id"]}
    assert {(one.status, one.code) for one in missing} == {(404, "bad_request")}
    assert len({one.raw.body for one in missing}) == 1
    assert (gone.status, gone.raw.body) == (204, b"")
    assert "totp" not in {one["method"] for one in site.call("GET", "/factors").json["factors"]}


def test_a_gate_without_a_method_says_so() -> None:
    """422, whatever is sent."""
    site = Site()
    for path, body in (
        ("/factors/totp", {}),
        ("/factors/totp/x", {"code": "1"}),
        ("/factors/recovery_code", {}),
        ("/factors/passkey", {}),
        ("/factors/passkey/x", {"response": {}}),
    ):
        answer = site.call("POST", path, body)
        assert (answer.status, answer.code) == (422, "method_not_allowed")


def test_a_confirmation_belongs_to_the_session_that_made_the_secret() -> None:
    """Another session, another person, another id: not found, the same bytes."""
    site = an_account()
    site.proved(site.call("POST", "/factors/totp", {}))
    made = site.call("POST", "/factors/totp", {}).json
    code = site.shown(made)
    answers = [site.call("POST", "/factors/totp/nothing", {"code": code})]
    for who in (context(session="sess_2"), context(MARCUS)):
        site.who = who
        answers.append(site.call("POST", f"/factors/totp/{made['id']}", {"code": code}))

    assert {(one.status, one.code) for one in answers} == {(404, "challenge_not_found")}
    assert len({one.raw.body for one in answers}) == 1


@pytest.mark.parametrize(
    "body", [{"label": "x" * 65}, {"label": 7}, {"name": "x"}, {"label": "\ud800"}, [], "x", {"code": "1"}]
)
def test_what_cannot_be_read_is_refused(body: object) -> None:
    """A label of 64 characters, and nothing else."""
    site = an_account()
    site.proved(site.call("POST", "/factors/totp", {}))

    assert site.call("POST", "/factors/totp", body).status == 400


def test_the_picture_is_the_qr_code_of_the_address() -> None:
    """Drawn from its outline again, it has the very modules that the library made."""
    uri = "otpauth://totp/Northstar:olivia?secret=JBSWY3DPEHPK3PXPJBSWY3DP"
    made = picture(uri)
    assert made is not None
    size, drawn = int(str(made["size"])), str(made["path"])
    dark = {
        (x, int(y))
        for start, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\3z", drawn)
        for x in range(int(start), int(start) + int(width))
    }
    assert re.fullmatch(r"(M\d+ \d+h\d+v1h-\d+z)+", drawn)
    matrix = segno.make_qr(uri, error="m").matrix
    assert size == len(matrix)
    assert dark == {(x, y) for y, row in enumerate(matrix) for x, module in enumerate(row) if module}


def test_an_address_too_long_for_a_picture_has_none() -> None:
    """The secret is told all the same."""
    assert picture("otpauth://totp/" + "x" * 4000) is None


def test_without_the_extra_there_is_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret and its address are enough."""
    monkeypatch.setitem(sys.modules, "segno", None)
    site = an_account()
    site.proved(site.call("POST", "/factors/totp", {}))

    assert json.loads(site.call("POST", "/factors/totp", {}).raw.body)["qr"] is None

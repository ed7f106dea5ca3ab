"""The test vectors of WebAuthn Level 3, section 16, through the relying party's steps.

Those of eight credentials are here, all whose algorithm is offered; ``left_out`` in the file says what is not, and why.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stepup.verifiers import _webauthn as rp
from stepup.verifiers._webauthn_read import StepFailed, b64, read_assertion, read_registration

DOCUMENT = json.loads((Path(__file__).parents[1] / "vectors" / "webauthn_l3.json").read_text())
CREDENTIALS = DOCUMENT["credentials"]
PARTY = rp.Party(DOCUMENT["rp_id"], frozenset({DOCUMENT["origin"]}))
EMBEDDED = rp.Party(PARTY.rp_id, PARTY.origins, frozenset({DOCUMENT["top_origin"]}))
CROSS_ORIGIN = ("16.4", "16.5")

every_credential = pytest.mark.parametrize("one", CREDENTIALS, ids=lambda one: one["section"])


def answer(one: dict[str, Any], kind: str) -> dict[str, object]:
    """The vector as ``toJSON()`` writes it."""
    text = b64(bytes.fromhex(one["credential_id"]))
    inner = {name: b64(bytes.fromhex(value)) for name, value in one[kind].items() if name != "challenge"}
    return {"id": text, "rawId": text, "type": "public-key", "clientExtensionResults": {}, "response": inner}


def assertion(one: dict[str, Any], party: rp.Party) -> rp.Said:
    challenge, key = bytes.fromhex(one["assertion"]["challenge"]), bytes.fromhex(one["public_key"])
    expected = rp.Expected(challenge, key, verified=False, eligible=one["eligible"])
    return rp.check_assertion(read_assertion(answer(one, "assertion")), expected, party)


def registration(one: dict[str, Any], party: rp.Party) -> rp.Registered:
    challenge = bytes.fromhex(one["registration"]["challenge"])
    return rp.check_registration(read_registration(answer(one, "registration")), challenge, party, verified=False)


@every_credential
def test_assertions_of_the_specification_are_taken(one: dict[str, Any]) -> None:
    """Each is accepted with its own flags; in a page of another site, only where that site is expected."""
    if one["section"] in CROSS_ORIGIN:
        with pytest.raises(StepFailed, match="cross_origin"):
            assertion(one, PARTY)
    if one["section"] == "16.4":  # crossOrigin without a topOrigin: who embeds the page is not known
        with pytest.raises(StepFailed, match="top_origin"):
            assertion(one, EMBEDDED)
        return
    flags = bytes.fromhex(one["assertion"]["authenticatorData"])[32]
    said = assertion(one, EMBEDDED if one["section"] == "16.5" else PARTY)
    assert (said.verified, said.eligible, said.backed_up, said.count) == (*(bool(flags & bit) for bit in (4, 8, 16)), 0)


@every_credential
def test_registrations_of_the_specification_are_taken(one: dict[str, Any]) -> None:
    """Formats none and packed by the credential itself, with the key and the algorithm that are printed."""
    if "registration" not in one:
        assert one["section"] in {"16.7", "16.10", "16.11"}
        return
    if one["section"] in CROSS_ORIGIN:
        with pytest.raises(StepFailed, match="cross_origin"):
            registration(one, PARTY)
    if one["section"] == "16.4":
        return
    made = registration(one, EMBEDDED if one["section"] == "16.5" else PARTY)
    assert made.key.hex() == one["public_key"]
    assert rp.ALGORITHMS[made.algorithm] == one["algorithm"]
    assert made.said.eligible is one["eligible"]


@pytest.mark.requirement("A-W11")
@every_credential
def test_a_vector_is_refused_with_the_key_of_another(one: dict[str, Any]) -> None:
    """The signature of one credential is none of any other's, whatever the algorithm."""
    for other in CREDENTIALS:
        if other is not one:
            with pytest.raises(StepFailed):
                assertion({**one, "public_key": other["public_key"]}, EMBEDDED)


def test_the_file_covers_every_algorithm_that_is_offered() -> None:
    """ES256, EdDSA and RS256 each have a vector that was not made here."""
    assert {one["algorithm"] for one in CREDENTIALS} == set(rp.ALGORITHMS.values())
    assert len(CREDENTIALS) == 8

"""Evidence: an event of an accepted passkey, checked offline by the public key; whatever is changed proves nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from engine_bench import ACTOR, CONTEXT, ORG, PASSWORD, World, both_faces, right_password, world

from stepup import Action, Factor, Resource, Verified, evidence
from stepup.__main__ import main
from stepup.binding import Binding
from stepup.canonical import params_digest
from stepup.ceremony import MAX_EVIDENCE, Ceremony, Checked, State, Verdict
from stepup.codec import decode_event, encode_event
from stepup.context import Proof
from stepup.decide.enrol import ADD
from stepup.errors import ConfigurationError, InvalidInput
from stepup.event import EVIDENCE, Event, EventType
from stepup.testing import SoftPasskey
from stepup.testing.scripted import ScriptedVerifier
from stepup.verifiers import Passkey, Password
from stepup.verifiers._webauthn import challenge_for
from stepup.verifiers._webauthn_read import b64, unb64

ORIGIN = "https://northstar.example"
EVERY = ("ES256", "EdDSA", "RS256", "ES384", "ES512", "Ed448")
PARAMS = {"amount": "120.00 EUR", "payee": "Vertr\u00e4ge GmbH"}


def approved(
    face: str = "sync", algorithm: str = "ES256", *, device: SoftPasskey | None = None, **settings: Any
) -> tuple[Event, Event]:
    """The events of enrolling a passkey, and of approving a payout with it."""
    offered: dict[str, Any] = {"algorithms": [algorithm], **settings}
    passkey = Passkey(rp_id="northstar.example", rp_name="Northstar", origins=[ORIGIN], **offered)
    actions = [Action("payout.create", "Create payout", risk=4)]
    here = world(face=face, actions=actions, verifiers=[Password(check=right_password), passkey])
    device = device or SoftPasskey(ORIGIN, algorithm=algorithm)
    here.prove(ADD, CONTEXT, "password", PASSWORD, resource=Resource("factors", ACTOR.id), params={"method": "passkey"})
    begun = here.gate.factors.enrol_passkey(CONTEXT)
    made = here.gate.factors.confirm_passkey(CONTEXT, begun.factor_id, device.create(begun.options))
    assert isinstance(made, Factor)
    here.clock.advance(timedelta(hours=24))
    challenge = here.start("payout.create", params=PARAMS)
    prompt = here.gate.begin(challenge.id, "passkey", CONTEXT)
    done = here.gate.verify(challenge.id, "passkey", device.get(prompt.options), CONTEXT, rotate=lambda: "sess_new")
    assert isinstance(done, Verified)
    events = here.events()
    enrolled = next(one for one in events if one.type is EventType.FACTOR_ENROLLED)
    return enrolled, [one for one in events if one.type is EventType.ATTEMPT][-1]


@pytest.fixture(scope="module")
def both() -> tuple[dict[str, Any], str]:
    """A record and the key it holds by."""
    enrolled, attempt = approved()
    return evidence.record_of(attempt), evidence.public_key_of(enrolled)


@both_faces
@pytest.mark.parametrize("algorithm", EVERY)
def test_a_record_says_who_approved_what(face: str, algorithm: str) -> None:
    """Exactly this action, resource and parameters, with this passkey, in this page; after JSON and the codec, too."""
    enrolled, attempt = approved(face, algorithm)
    attempt = decode_event(encode_event(attempt))
    record = json.loads(json.dumps(evidence.record_of(attempt)))
    found = evidence.verify(record, evidence.public_key_of(enrolled))
    assert (found.actor, found.action, found.resource) == (ACTOR.id, "payout.create", ("organization", ORG.id))
    assert found.params == params_digest(PARAMS)
    assert found.params != params_digest({**PARAMS, "amount": "1200.00 EUR"})
    assert (found.rp_id, found.origin, found.top_origin, found.user_verified) == (
        "northstar.example",
        ORIGIN,
        None,
        True,
    )
    assert (found.organization, found.tenant, found.on_behalf_of) == ("org_7", "", None)
    assert found.session == attempt.session
    assert evidence.public_key_of(enrolled).startswith(f"{found.credential}.")


def test_anyone_can_recompute_the_challenge(both: tuple[dict[str, Any], str]) -> None:
    """From the record alone: the nonce, the binding, and the two hashes the documentation names."""
    record, _ = both
    client_data = json.loads(unb64(record["client_data"], 4096))
    nonce = unb64(record["nonce"], 32)
    assert client_data["challenge"] == b64(challenge_for(nonce, Binding(**record["binding"])))


# -- tampering ---------------------------------------------------------------------------


def turned(text: str, place: int) -> str:
    """*text* with another character at *place*."""
    return text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]


MEMBERS = ["nonce", "client_data", "authenticator_data", "signature", "public_key", "rp_id"]
FIELDS = sorted(Binding("", "").as_data())


@pytest.mark.parametrize("name", MEMBERS)
def test_every_character_of_every_member_counts(both: tuple[dict[str, Any], str], name: str) -> None:
    """Each one changed alone, and cut, and longer."""
    record, key = both
    text = record[name]
    assert evidence.verify(record, key).rp_id == record["rp_id"]
    changes = [turned(text, place) for place in range(len(text))]
    for changed in (*changes, text[:-1], f"{text}A", f"{text}=", f" {text}", "", text.lower() + "x"):
        with pytest.raises(InvalidInput):
            evidence.verify({**record, name: changed}, key)


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_of_the_binding_counts(both: tuple[dict[str, Any], str], name: str) -> None:
    """Another value, none, one where there was none, and a field that is missing."""
    record, key = both
    bound = record["binding"]
    others = {f"{bound[name] or ''}x", None if bound[name] else "x", "x"}
    for changed in [{**bound, name: one} for one in others]:
        with pytest.raises(InvalidInput):
            evidence.verify({**record, "binding": changed}, key)
    less = {key: value for key, value in bound.items() if key != name}
    for changed in (less, {**bound, "extra": None}, {**bound, name: 1}, {**bound, name: ["x"]}):
        with pytest.raises(InvalidInput):
            evidence.verify({**record, "binding": changed}, key)


@pytest.mark.parametrize("name", ["format", "kind", "binding", *MEMBERS])
def test_a_record_has_its_members_and_no_other(both: tuple[dict[str, Any], str], name: str) -> None:
    """What is missing, added or of another type proves nothing, and nothing but ``InvalidInput`` is raised."""
    record, key = both
    less = {one: value for one, value in record.items() if one != name}
    wrong: list[object] = [None, 1, True, 2.5, [], {}, b"x", "\u00e9", "\ud800"]
    for changed in (
        less,
        {**record, "more": 1},
        *({**record, name: value} for value in wrong if (name, value) != ("format", 1)),
    ):
        with pytest.raises(InvalidInput):
            evidence.verify(changed, key)


@pytest.mark.parametrize("record", [None, [], "x", 1, {}, {"format": 1}])
def test_what_is_no_record_proves_nothing(both: tuple[dict[str, Any], str], record: Any) -> None:
    """Whatever a file holds."""
    with pytest.raises(InvalidInput):
        evidence.verify(record, both[1])


def test_the_key_decides(both: tuple[dict[str, Any], str]) -> None:
    """Another passkey's key, a damaged one, another id in front of the right one; whatever the record says."""
    record, key = both
    credential, _, cose = key.partition(".")
    other = SoftPasskey(ORIGIN)
    stranger = f"{credential}.{b64(other.public_key())}"
    for wrong in (stranger, f"{b64(other.id)}.{cose}", cose, credential, "", f"{key}.", key[:-1], cast("str", None)):
        with pytest.raises(InvalidInput):
            evidence.verify(record, wrong)
    for wrong in (stranger, "", ".", f".{cose}", f"{credential}.", credential, f"{key}=", f"{credential}.AA"):
        with pytest.raises(InvalidInput):
            evidence.verify({**record, "public_key": wrong}, wrong)


@pytest.mark.parametrize("origin", [None, 1, [], ["x"], {}, {"a": 1}], ids=repr)
def test_client_data_of_another_form_proves_nothing(both: tuple[dict[str, Any], str], origin: object) -> None:
    """Refused as everything else is: nothing but ``InvalidInput`` is raised."""
    record, key = both
    said = json.loads(unb64(record["client_data"], 4096))
    for changed in ({**said, "origin": origin}, {**said, "crossOrigin": True, "topOrigin": origin}, origin):
        with pytest.raises(InvalidInput, match="proves nothing"):
            evidence.verify({**record, "client_data": b64(json.dumps(changed).encode())}, key)


def test_a_record_made_of_two_proves_nothing() -> None:
    """Parts of one approval do not vouch for another, though the same key signed both."""
    (enrolled, one), (_, two) = approved(), approved()
    first, second = evidence.record_of(one), evidence.record_of(two)
    key = evidence.public_key_of(enrolled)
    for name in ("nonce", "client_data", "signature"):
        with pytest.raises(InvalidInput):
            evidence.verify({**first, name: second[name]}, key)


# -- events --------------------------------------------------------------------------------


def test_other_events_keep_none() -> None:
    """Neither a record nor a key can be taken from an event that has none, or has another call's."""
    enrolled, attempt = approved()
    for event in (enrolled, replace(attempt, snapshot=None), replace(attempt, type=EventType.AUTHORIZATION)):
        with pytest.raises(InvalidInput, match="keeps no evidence"):
            evidence.record_of(event)
    for event in (attempt, replace(enrolled, detail={}), replace(enrolled, type=EventType.FACTOR_CHANGED)):
        with pytest.raises(InvalidInput, match="keeps no public key"):
            evidence.public_key_of(event)
    for change in ({"actor": "usr_1"}, {"action": "x"}, {"resource_id": "org_8"}, {"resource_type": "team"}):
        with pytest.raises(InvalidInput, match="another call"):
            evidence.record_of(replace(attempt, **cast("Any", change)))


def test_without_the_library_it_says_so(both: tuple[dict[str, Any], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An auditor's machine needs the extra."""
    monkeypatch.setitem(sys.modules, "webauthn", None)
    with pytest.raises(ConfigurationError, match=r"stepup-auth\[passkeys\]"):
        evidence.verify(*both)


class Embedded(SoftPasskey):
    """A passkey used in a page that a portal embeds."""

    def client_data(self, kind: str, options: Mapping[str, object]) -> bytes:
        said = json.loads(super().client_data(kind, options))
        return json.dumps({**said, "crossOrigin": True, "topOrigin": "https://portal.example"}).encode()


def test_an_embedded_approval_names_the_page_around_it() -> None:
    """Where a portal may embed the page, the record says which one did."""
    enrolled, attempt = approved(device=Embedded(ORIGIN), allowed_top_origins=["https://portal.example"])
    found = evidence.verify(evidence.record_of(attempt), evidence.public_key_of(enrolled))
    assert (found.origin, found.top_origin) == (ORIGIN, "https://portal.example")


# -- what any verifier may leave -------------------------------------------------------------


class Leaving(ScriptedVerifier):
    """Accepts, and leaves what it is told to."""

    evidence: Any = None
    signals: Any = ()
    verdict: Verdict = Verdict.ACCEPTED

    def check(self, state: State | None, response: object, context: Ceremony, /) -> Checked:
        proof = Proof(self.method, context.now, self.amr, factor_id=context.factors[0].id, strength=self.strength)
        accepted = self.verdict is Verdict.ACCEPTED
        return Checked(self.verdict, proof if accepted else None, evidence=self.evidence, signals=self.signals)


def leaving(**left: Any) -> tuple[World, object]:
    """What comes of an answer to a verifier that leaves *left*."""
    verifier = Leaving("mine", strength=20, answer="x")
    for name, value in left.items():
        setattr(verifier, name, value)
    here = world(actions=[Action("note.edit", "Edit note", methods="mine")], verifiers=[verifier])
    return here, here.gate.verify(here.start("note.edit").id, "mine", "x", CONTEXT)


GOOD: list[Any] = [None, {}, {"a": "b"}, {"a": "x" * (MAX_EVIDENCE - 1)}]
BAD: list[Any] = [
    *(
        1,
        "x",
        [],
        ["a"],
        {"a": 1},
        {"a": None},
        {1: "a"},
        {"a": b"b"},
        {"a": {"b": "c"}},
        {"\u00e9": "x"},
        {"x": "\ud800"},
    ),
    {"a": "x" * MAX_EVIDENCE},
]


@pytest.mark.parametrize("left", GOOD, ids=lambda one: repr(one)[:20])
def test_evidence_that_is_small_and_plain_is_kept(left: Any) -> None:
    """Any verifier may leave some."""
    here, done = leaving(evidence=left)
    assert isinstance(done, Verified)
    snapshot = here.events()[-1].snapshot or {}
    expected = None if left is None else {**left, "binding": done.challenge.binding.as_data()}
    assert snapshot.get(EVIDENCE) == expected


@pytest.mark.parametrize("left", BAD, ids=lambda one: repr(one)[:20])
def test_evidence_that_is_anything_else_refuses(left: Any) -> None:
    """A verifier that breaks its contract has not accepted."""
    here, done = leaving(evidence=left)
    assert not isinstance(done, Verified)
    assert here.events()[-1].reason == "verifier_error"
    assert EVIDENCE not in (here.events()[-1].snapshot or {})


SIGNALS: list[tuple[Any, str | None]] = [
    ((), None),
    (("counter",), "counter"),
    (("a", "b"), "a b"),
    (("x" * 100,), "x" * 32),
    (("a",) * 9, None),
    ((1, None, "a", "\u00e9"), "a"),
    ((1,), None),
    (["a"], None),
    ("a", None),
    (None, None),
]


@pytest.mark.parametrize(("left", "kept"), SIGNALS, ids=repr)
@pytest.mark.parametrize("verdict", [Verdict.ACCEPTED, Verdict.REJECTED])
def test_signals_are_a_few_words_for_the_audit(left: Any, kept: str | None, verdict: Verdict) -> None:
    """Of a right answer and of a wrong one; what is no word is left out, and decides nothing."""
    here, done = leaving(signals=left, verdict=verdict)
    assert isinstance(done, Verified) is (verdict is Verdict.ACCEPTED)
    assert here.events()[-1].detail.get("signals") == kept


# -- the command ---------------------------------------------------------------------------------

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """The command, its exit code and what it says."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(["evidence", "verify", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_the_command_says_what_a_record_proves(both: tuple[dict[str, Any], str], run: Run, tmp_path: Path) -> None:
    """With the key from elsewhere; without one only that the record agrees with itself, which is no success."""
    record, key = both
    file = tmp_path / "record.json"
    file.write_text(json.dumps(record), encoding="utf-8")
    code, out, err = run(str(file), "--public-key", key)
    assert (code, err) == (0, "")
    assert 'action         "payout.create"' in out
    assert 'resource       ["organization", "org_7"]' in out
    assert str(params_digest(PARAMS)) in out
    code, out, err = run(str(file))
    assert code == 3
    assert 'action         "payout.create"' in out
    assert "This proves nothing yet" in err
    assert err.endswith(f"{key}\n")


def test_a_record_made_up_as_a_whole_convinces_nobody(
    both: tuple[dict[str, Any], str], run: Run, tmp_path: Path
) -> None:
    """Signed by a key of the forger's, which it names as its own: sound in itself, and not by the enrolled passkey."""
    _, key = both
    enrolled, attempt = approved(device=SoftPasskey(ORIGIN))
    assert evidence.public_key_of(enrolled) != key
    file = tmp_path / "record.json"
    file.write_text(json.dumps(evidence.record_of(attempt)), encoding="utf-8")
    assert run(str(file))[0] == 3
    assert run(str(file), "--public-key", "")[0] == 1
    assert run(str(file), "--public-key", key)[0] == 1


def test_a_key_may_begin_with_a_hyphen(run: Run, tmp_path: Path) -> None:
    """As one in 64 does: it is no option."""
    device = SoftPasskey(ORIGIN)
    device.id = b"\xf8" * 16
    enrolled, attempt = approved(device=device)
    key = evidence.public_key_of(enrolled)
    assert key.startswith("-")
    file = tmp_path / "record.json"
    file.write_text(json.dumps(evidence.record_of(attempt)), encoding="utf-8")
    assert run(str(file), "--public-key", key)[0] == run("--public-key", key, str(file))[0] == 0
    assert run(str(file), f"--public-key={key}")[0] == 0
    with pytest.raises(SystemExit):
        run(str(file), "--public-key")


@pytest.mark.parametrize("algorithm", EVERY)
def test_the_command_checks_every_algorithm(algorithm: str, run: Run, tmp_path: Path) -> None:
    """What was signed by it holds, and with one bit turned it does not."""
    enrolled, attempt = approved(algorithm=algorithm)
    assert enrolled.detail["algorithm"] == algorithm
    record, key = evidence.record_of(attempt), evidence.public_key_of(enrolled)
    file = tmp_path / "record.json"
    file.write_text(json.dumps(record), encoding="utf-8")
    code, out, _ = run(str(file), "--public-key", key)
    assert code == 0
    assert 'action         "payout.create"' in out
    signature = str(record["signature"])
    file.write_text(json.dumps({**record, "signature": turned(signature, 20)}), encoding="utf-8")
    code, out, _ = run(str(file), "--public-key", key)
    assert (code, out) == (1, "")


def test_the_command_refuses_what_proves_nothing(both: tuple[dict[str, Any], str], run: Run, tmp_path: Path) -> None:
    """Exit code 1 and a reason: for what was changed, is no JSON, says a thing twice, or is not there."""
    record, key = both
    changed = {**record, "binding": {**record["binding"], "params": params_digest({"amount": "1.00 EUR"})}}
    texts = {
        "changed": json.dumps(changed),
        "no JSON": "{",
        "a list": "[]",
        "null": "null",
        "twice": f'{json.dumps(record)[:-1]},"nonce":"{record["nonce"]}"}}',
        "bytes": "\udc80",
    }
    for name, text in texts.items():
        file = tmp_path / f"{name}.json"
        file.write_text(text, encoding="utf-8", errors="surrogateescape")
        for more in ((), ("--public-key", key)):
            code, out, err = run(str(file), *more)
            assert (code, out) == (1, ""), name
            assert err.startswith("stepup: "), name
    assert run(str(tmp_path / "nothing.json"))[0] == 1
    other = f"{b64(bytes(16))}.{b64(SoftPasskey(ORIGIN).public_key())}"
    file = tmp_path / "right.json"
    file.write_text(json.dumps(record), encoding="utf-8")
    assert run(str(file), "--public-key", other)[0] == 1


def test_the_command_reads_standard_input(both: tuple[dict[str, Any], str]) -> None:
    """As a process of its own, without a store."""
    record, key = both
    command = [sys.executable, "-m", "stepup", "evidence", "verify", "-", "--public-key", key]
    done = subprocess.run(command, input=json.dumps(record), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert '"payout.create"' in done.stdout

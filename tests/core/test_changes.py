"""Records, batches and snapshots: what a store answered is believed only where its shape is right."""

from __future__ import annotations

from typing import Any, cast

import pytest
from core_values import NOW

from stepup.changes import (
    ACTOR_EPOCH,
    APPLIED,
    FENCE,
    FOREVER,
    KNOWN,
    ROSTER,
    THROTTLE,
    TOLD,
    Applied,
    Check,
    Epoch,
    Fence,
    Key,
    Lost,
    Record,
    Snapshot,
    challenge_key,
    claim_key,
    factor_key,
    grant_key,
    session_epoch,
    shelf_key,
)
from stepup.errors import ContractBroken
from stepup.factor import Roster
from stepup.throttle import Throttle

KEYS = [ACTOR_EPOCH, ROSTER]
EPOCH = Record(ACTOR_EPOCH, Epoch(), 3)


@pytest.mark.requirement("S-03")
@pytest.mark.parametrize("answer", [APPLIED, Lost(None), Lost(FENCE)])
def test_a_stores_answer_has_no_truth(answer: Any) -> None:
    """Asking whether an answer is true is an error, so that no answer can pass for a yes."""
    with pytest.raises(TypeError, match="is APPLIED"):
        bool(answer)
    with pytest.raises(TypeError):
        _ = not answer


def test_there_is_one_applied() -> None:
    """It is compared by identity; another object of its type is not it."""
    assert repr(APPLIED) == "APPLIED"
    assert Applied() is not APPLIED
    assert Lost(FENCE).key == FENCE
    assert Lost(None) == Lost(None)


def test_every_record_has_a_key_of_its_own() -> None:
    """No two kinds of records can meet under one key."""
    keys = [
        FENCE, ACTOR_EPOCH, THROTTLE, ROSTER, KNOWN, TOLD, session_epoch("s"), session_epoch(None), shelf_key("s"),
        shelf_key(None), challenge_key("s"), factor_key("s"), grant_key("s"), claim_key("s"),
    ]  # fmt: skip

    assert len(set(keys)) == len(keys)
    assert all(key.kind.isascii() and key.id.isascii() for key in keys)
    assert session_epoch("actor") != ACTOR_EPOCH
    assert session_epoch("") == session_epoch(None)


def test_a_snapshot_pairs_keys_with_records() -> None:
    """What exists comes with its version, what does not with version 0."""
    snapshot = Snapshot.of(KEYS, [EPOCH, None])

    assert snapshot.get(ACTOR_EPOCH, Epoch) == Epoch()
    assert snapshot.get(ROSTER, Roster) is None
    assert (snapshot.version(ACTOR_EPOCH), snapshot.version(ROSTER)) == (3, 0)
    assert snapshot.check(ACTOR_EPOCH) == Check(ACTOR_EPOCH, 3)
    assert snapshot.check(ROSTER) == Check(ROSTER, 0)
    assert Snapshot.of(KEYS, (EPOCH, None)) == snapshot
    assert Snapshot.of([], []).records == {}


def test_a_put_is_over_what_was_loaded() -> None:
    """It carries the version read, and lasts for ever unless told otherwise."""
    snapshot = Snapshot.of(KEYS, [EPOCH, None])

    assert snapshot.put(ACTOR_EPOCH, Epoch()) == Record(ACTOR_EPOCH, Epoch(), 3, FOREVER, None)
    assert snapshot.put(ROSTER, Roster(), expires_at=NOW, tag="x") == Record(ROSTER, Roster(), 0, NOW, "x")


@pytest.mark.requirement("S-03", "G-12")
@pytest.mark.parametrize(
    "answer",
    [
        None, True, 0, "", {}, {ACTOR_EPOCH: EPOCH, ROSTER: None}, iter([EPOCH, None]), [], [EPOCH],
        [EPOCH, None, None], [None, EPOCH], [EPOCH, EPOCH], [EPOCH, False], [EPOCH, ()], ["epoch", None],
        [Epoch(), None],
        [Record(ACTOR_EPOCH, Epoch(), 0), None], [Record(ACTOR_EPOCH, Epoch(), -1), None],
        [Record(Key("epoch", "other"), Epoch(), 3), None],
        *([Record(ACTOR_EPOCH, Epoch(), cast(Any, version)), None] for version in (None, "3", True, 3.0)),
    ],
)  # fmt: skip
def test_a_broken_answer_decides_nothing(answer: object) -> None:
    """Too few, too many, in another order, of another key, of no version, of another type: refused as broken."""
    with pytest.raises(ContractBroken, match=r"Store\.load\(\)"):
        Snapshot.of(KEYS, answer)


@pytest.mark.requirement("S-03")
def test_a_value_of_another_kind_decides_nothing() -> None:
    """A store that mixes up records is found out when the value is read."""
    snapshot = Snapshot.of([ROSTER], [Record(ROSTER, Throttle(), 1)])

    with pytest.raises(ContractBroken, match=r"holds a Throttle under 'roster'"):
        snapshot.get(ROSTER, Roster)


def test_asking_for_what_was_not_loaded_is_an_error() -> None:
    """A decision cannot rest on a record that nobody read."""
    snapshot = Snapshot.of(KEYS, [None, None])

    with pytest.raises(KeyError):
        snapshot.get(FENCE, Fence)
    with pytest.raises(KeyError):
        snapshot.version(FENCE)
    with pytest.raises(KeyError):
        snapshot.put(FENCE, Fence())

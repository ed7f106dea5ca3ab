"""Remembered devices as values: which of them are live, and what a presented token is among them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from stepup import Actor, Context
from stepup.binding import Binding
from stepup.changes import ACTOR_EPOCH, DEVICES, FENCE, Epoch, Fence, Key, Record, Snapshot
from stepup.decide.device import reused
from stepup.device import GRACE, UNKNOWN, DeviceSet, Presented, Remembered, Standing, find
from stepup.testing.clock import START

ONE = Remembered("dev_1", "laptop", 3, 7, START, START, START + timedelta(days=30), token="t1")
TURNED = ONE.rotated("t2", START).rotated("t3", START + timedelta(hours=1))
NOW = TURNED.rotated_at or START


@pytest.mark.requirement("V-02")
@pytest.mark.parametrize(
    ("presented", "device", "later", "expected"),
    [
        (Presented("dev_1", 3, "t3"), "laptop", 0, Standing.CURRENT),
        (Presented("dev_1", 3, "t3"), "laptop", 3600, Standing.CURRENT),
        (Presented("dev_1", 3, "t2"), "laptop", 0, Standing.UNKNOWN),
        (Presented("dev_1", 3, "t3"), "phone", 0, Standing.UNKNOWN),
        (Presented("dev_1", 3, "t3"), None, 0, Standing.UNKNOWN),
        (Presented("dev_1", 2, "t2"), "laptop", 59, Standing.PREDECESSOR),
        (Presented("dev_1", 2, "t2"), "laptop", 60, Standing.REUSED),
        (Presented("dev_1", 2, "t2"), "phone", 60, Standing.REUSED),
        (Presented("dev_1", 2, "t2"), "phone", 59, Standing.UNKNOWN),
        (Presented("dev_1", 2, "t1"), "laptop", 59, Standing.UNKNOWN),
        (Presented("dev_1", 1, "t1"), "laptop", 0, Standing.REUSED),
        (Presented("dev_1", 4, "t4"), "laptop", 0, Standing.UNKNOWN),
        (Presented("dev_2", 3, "t3"), "laptop", 0, Standing.UNKNOWN),
        (None, "laptop", 0, Standing.UNKNOWN),
    ],
)
def test_what_a_token_is(presented: Presented | None, device: str | None, later: int, expected: Standing) -> None:
    """By its number first, then by whose it is, then by its secret."""
    found = find(DeviceSet((TURNED,)), presented, device, NOW + timedelta(seconds=later))

    assert found.standing is expected
    assert found.trusted is (expected in {Standing.CURRENT, Standing.PREDECESSOR})
    assert (found.device is None) is (expected is Standing.UNKNOWN)


def test_a_token_that_was_never_replaced_has_no_predecessor() -> None:
    """A number below the first is older, whatever it says."""
    assert find(DeviceSet((ONE,)), Presented("dev_1", 0, ""), "laptop", START).standing is Standing.REUSED
    assert timedelta(seconds=60) == GRACE


@pytest.mark.requirement("V-03", "Y-11")
def test_what_is_live() -> None:
    """Until its end, and while neither the epoch nor the fence has moved."""
    held = DeviceSet((ONE,))
    assert held.live(3, 7, START) == held
    for epoch, fence, at in ((4, 7, START), (3, 8, START), (3, 7, ONE.expires_at), (2, 7, START)):
        assert held.live(epoch, fence, at) == DeviceSet()


def test_a_set_changes_by_id() -> None:
    """In its place, at the end, or not at all."""
    two = replace(ONE, id="dev_2")
    held = DeviceSet((ONE,)).replacing(two)
    assert [one.id for one in held.devices] == ["dev_1", "dev_2"]
    assert held.replacing(replace(ONE, label="Desk")).devices[0].label == "Desk"
    assert held.without("dev_1") == DeviceSet((two,))
    assert held.without("dev_3") == held
    assert held.get("dev_3") is None


def test_hashes_are_in_no_repr() -> None:
    """They are of no use, and nobody needs them."""
    assert "t3" not in repr(TURNED)
    assert "t2" not in repr(TURNED)


def test_a_device_that_has_ended_meanwhile_is_not_ended_again() -> None:
    """Somebody else has found it out, or it is current once more: nothing is written."""
    context = Context(Actor("usr_2048"))
    binding = Binding("usr_2048", "stepup.device.manage", device="laptop")

    def snapshot(held: DeviceSet) -> Snapshot:
        records: dict[Key, Record | None] = {
            DEVICES: Record(DEVICES, held, 1), ACTOR_EPOCH: Record(ACTOR_EPOCH, Epoch(), 3),
            FENCE: Record(FENCE, Fence(), 7),
        }  # fmt: skip
        return Snapshot(records)

    old, new = Presented("dev_1", 1, "t1"), Presented("dev_1", 3, "t3")
    assert reused(context, binding, old, snapshot(DeviceSet()), NOW, "e") is None
    assert reused(context, binding, new, snapshot(DeviceSet((TURNED,))), NOW, "e") is None
    changes = reused(context, binding, old, snapshot(DeviceSet((TURNED,))), NOW, "e")
    assert changes is not None
    assert changes.puts[0].value == DeviceSet()
    assert UNKNOWN.device is None

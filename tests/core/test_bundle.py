"""What a bundle is called by: digests that anyone can recompute, against the published vectors."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from stepup.binding import Binding
from stepup.bundle import Listed, bundle_digest, item_data, item_digest
from stepup.canonical import canonical_json
from stepup.policy import BINDS

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "bundle.json").read_text(encoding="utf-8")
)["vectors"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["name"]))
def test_the_published_vectors(vector: dict[str, Any]) -> None:
    """Digest of the list, and of each item, made again from what the vector says."""
    bindings = [Binding("usr_2048", **item) for item in vector["items"]]

    assert canonical_json([item_data(one) for one in bindings]).decode() == vector["canonical"]
    assert bundle_digest(bindings) == vector["digest"]
    assert [item_digest(one, BINDS) for one in bindings] == vector["item_digests"]
    by_hand = hashlib.sha256(b"stepup.bundle.v1\0" + vector["canonical"].encode()).hexdigest()
    assert by_hand == vector["digest"]


def test_an_item_is_named_by_what_its_action_binds() -> None:
    """What is left out may differ; what is bound may not. Who and where are compared apart."""
    one = Binding("usr_1", "pay", resource_type="invoice", resource_id="1", params="aa", session="s")
    other = Binding("usr_2", "pay", resource_type="invoice", resource_id="2", params="bb")

    assert item_digest(one, BINDS) != item_digest(other, BINDS)
    assert item_digest(one, BINDS - {"params"}) != item_digest(other, BINDS - {"params"})
    assert item_digest(one, BINDS - {"params", "resource"}) == item_digest(other, BINDS - {"params", "resource"})
    assert item_digest(one, BINDS) == item_digest(Binding("usr_9", "pay", **_call(one)), BINDS)


def _call(binding: Binding) -> dict[str, Any]:
    return {name: value for name, value in item_data(binding).items() if name != "action"}


def test_what_a_person_reads_of_an_item() -> None:
    """Resource with its label, then what is shown of the params; nothing where there is nothing."""
    assert Listed("pay", "Pay", 3).summary == ""
    assert Listed("pay", "Pay", 3).resource is None
    full = Listed("pay", "Pay", 3, "invoice", "inv_1", "March", None, (("amount", "10 EUR"), ("to", "Acme")))
    assert full.summary == "invoice inv_1 (March); amount: 10 EUR; to: Acme"
    assert full.resource is not None
    assert full.resource.label == "March"

r"""Bundles: one proof for a declared list of calls, of which each is opened once.

``Item`` is a call as the application names it, ``Listed`` the same in a challenge (what the person is shown of it),
``Part`` the same in a grant (its digest, and the rules it was opened under).

- ``bundle_digest`` commits to the whole list in its order. It stands where a single call has its params digest, so what
  a passkey signs covers every item. Recomputable by anyone: SHA-256 over ``b"stepup.bundle.v1\0"`` and the canonical
  JSON of the list of ``item_data``. Test vectors: ``tests/vectors/bundle.json``.
- ``item_digest`` names one item by what its action binds. A grant holds one for each item, in full: a shortened one
  could be made to collide, and then something would be opened that nobody was shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from .binding import Binding
from .canonical import canonical_json
from .context import Resource

MAX_ITEMS: Final = 32
"""How many calls one proof can open: as many as a person can be shown, and few enough for a token in a header."""

ITEM_DOMAIN: Final = b"stepup.item.v1\0"
BUNDLE_DOMAIN: Final = b"stepup.bundle.v1\0"


@dataclass(frozen=True, slots=True)
class Item:
    """One call of a bundle, named as ``require`` names it."""

    action: str
    resource: Resource | None = None
    params: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """One call of a challenge for several: what would be opened, at which level, and what the person is shown."""

    action: str
    label: str
    level: int
    resource_type: str | None = None
    resource_id: str | None = None
    resource_label: str | None = None
    params: str | None = field(default=None, repr=False)
    shown: tuple[tuple[str, str], ...] = ()

    @property
    def resource(self) -> Resource | None:
        """What it would be done to."""
        if self.resource_type is None or self.resource_id is None:
            return None
        return Resource(self.resource_type, self.resource_id, self.resource_label)

    @property
    def summary(self) -> str:
        """Resource and params in one line."""
        named = " ".join(part for part in (self.resource_type, self.resource_id) if part)
        if self.resource_label:
            named = f"{named} ({self.resource_label})"
        return "; ".join([*([named] if named else []), *(f"{label}: {value}" for label, value in self.shown)])


@dataclass(frozen=True, slots=True)
class Part:
    """One call that a grant opens, once: its ``item_digest``, and the hash of the rules it was opened under."""

    call: str
    rules: str


def item_data(binding: Binding) -> dict[str, str | None]:
    """One call of a bundle, as its digest covers it."""
    return {
        "action": binding.action,
        "params": binding.params,
        "resource_id": binding.resource_id,
        "resource_type": binding.resource_type,
    }


def item_digest(binding: Binding, binds: frozenset[str]) -> str:
    """Hex SHA-256 that names one call by its action, and by resource and params as far as *binds* has them."""
    data = item_data(binding)
    if "params" not in binds:
        data["params"] = None
    if "resource" not in binds:
        data["resource_type"] = data["resource_id"] = None
    return hashlib.sha256(ITEM_DOMAIN + canonical_json(data, name="item")).hexdigest()


def bundle_digest(bindings: Iterable[Binding]) -> str:
    """Hex SHA-256 over the domain and the canonical JSON of every call, in order."""
    listed = [item_data(binding) for binding in bindings]
    return hashlib.sha256(BUNDLE_DOMAIN + canonical_json(listed, name="bundle")).hexdigest()

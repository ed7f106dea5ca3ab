"""Which language a person gets: the one of their locale, as far as there are words in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

FALLBACK: Final = "en"
T = TypeVar("T")


def lookup(texts: Mapping[str, T], locale: str | None) -> tuple[str, T]:
    """The texts for *locale* (``de-AT``, ``de_AT``, ``de``) and their tag; English where it is not known.

    Subtags are dropped from the right, as RFC 4647 section 3.4 (lookup) does.
    """
    subtags = tag_of(locale or "").split("-")
    for end in range(len(subtags), 0, -1):
        tag = "-".join(subtags[:end])
        if tag in texts:
            return tag, texts[tag]
    return FALLBACK, texts[FALLBACK]


def tag_of(locale: str) -> str:
    """A locale as it is looked up."""
    return locale.replace("_", "-").casefold()

"""The canonical form of a typed code, made once: what is compared is what is counted.

ASCII spaces and hyphens are stripped, nothing else: no case folding, no other white space, no digits of
other scripts (``str.isdigit`` and ``int`` would take them), no signs. What does not then have exactly the
expected length and characters is no code (OpenBao CVE-2025-55000: a "trimmed" code got a counter of its own).
"""

from __future__ import annotations

from typing import Final

MAX_TYPED: Final = 64
"""The most characters of a response that are looked at, separators included."""

DIGITS: Final = "0123456789"


def canonical(response: object, length: int, alphabet: str = DIGITS) -> str | None:
    """*response* as exactly *length* characters of *alphabet*; None where it is not that."""
    if not isinstance(response, str) or not 0 < len(response) <= MAX_TYPED:
        return None
    code = str(response).replace(" ", "").replace("-", "")
    return code if len(code) == length and all(character in alphabet for character in code) else None

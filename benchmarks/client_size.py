"""What a page in English loads of the client, in bytes: every file compressed as it is sent, and all in one stream.

``python benchmarks/client_size.py``; the table in ``docs/reference/web.md`` is from it. Each line is what comes on top
of the lines that it names: the first dialog on top of the page, a part of the dialog on top of both.
"""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Sequence
from typing import Final

from stepup.web import assets

_STATIC = re.compile(r'(?:from|import) ?"\./([^"]+)"')
PAGE: Final = ("stepup.js",)
DIALOG: Final = (*PAGE, "dialog.js")
ROWS: Final = (
    ("stepup.js", ()),
    ("dialog.js", PAGE),
    ("mail.js", DIALOG),
    ("approval.js", DIALOG),
    ("terms.js", DIALOG),
    ("older.js", DIALOG),
    ("forms.js", PAGE),
    ("htmx.js", PAGE),
    ("account.js", PAGE),
)
"""The modules that something loads, and what is there by then."""


def loaded_by(*names: str) -> tuple[str, ...]:
    """The modules that loading *names* loads, themselves first; those that are loaded when they are needed left out."""
    found = list(names)
    for one in found:
        imported = _STATIC.findall(assets.asset(one).body.decode())
        found.extend(other for other in dict.fromkeys(imported) if other not in found)
    return tuple(found)


def added_by(name: str, there: Sequence[str]) -> tuple[str, ...]:
    """The modules that loading *name* loads where *there* is loaded already."""
    before = loaded_by(*there)
    return tuple(one for one in loaded_by(name) if one not in before)


def sizes(names: Sequence[str]) -> tuple[int, int]:
    """Bytes of the modules *names*: file by file, and as one stream."""
    every = [assets.asset(one) for one in names]
    return sum(len(one.zipped) for one in every), len(gzip.compress(b"".join(one.body for one in every), 9))


def main() -> int:
    """Print the table, and what there is when a passkey, a password or an app's code is asked for first."""
    rows = [(name, added_by(name, there)) for name, there in ROWS]
    rows.append(("together", loaded_by(*DIALOG)))
    for name, loaded in rows:
        files, stream = sizes(loaded)
        sys.stdout.write(f"{name:12} {len(loaded):3} files {files:7} bytes   one stream {stream:7} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

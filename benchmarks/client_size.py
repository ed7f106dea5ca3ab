"""What a page in English loads of the client, in bytes: every file compressed as it is sent, and all in one stream.

``python benchmarks/client_size.py``; the table in ``docs/reference/web.md`` is from it.
"""

from __future__ import annotations

import gzip
import re
import sys

from stepup.web import assets

_STATIC = re.compile(r'(?:from|import) ?"\./([^"]+)"')


def loaded_by(name: str) -> tuple[str, ...]:
    """The modules that loading *name* loads, itself first; those that are loaded when they are needed left out."""
    found = [name]
    for one in found:
        imported = _STATIC.findall(assets.asset(one).body.decode())
        found.extend(other for other in dict.fromkeys(imported) if other not in found)
    return tuple(found)


def sizes(name: str) -> tuple[int, int]:
    """Bytes of what *name* loads: file by file, and as one stream."""
    every = [assets.asset(one) for one in loaded_by(name)]
    return sum(len(one.zipped) for one in every), len(gzip.compress(b"".join(one.body for one in every), 9))


def main() -> int:
    """Print the table."""
    for name in sys.argv[1:] or ("stepup.js", "htmx.js", "account.js"):
        files, stream = sizes(name)
        many = len(loaded_by(name))
        sys.stdout.write(f"{name:12} {many:3} files {files:7} bytes   one stream {stream:7} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Pages: elements whose text is always escaped, one layout, and the headers that go with it.

``tag`` makes an element; a child or attribute that is text is escaped, and only what ``tag`` and ``group`` made is
taken as it is, so there is no way to write markup by hand. ``page`` lays out a whole page: one ``main``, one style
sheet inside the page, no script and nothing from elsewhere. ``html`` sends it, under a policy that allows just that.
``when`` is a moment in words.

The style sheet stands in the policy by its hash, so nothing that could ever be smuggled into a page is styled or run.
"""

from __future__ import annotations

import base64
import hashlib
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Final
from urllib.parse import urlsplit

from .http import NO_STORE, WebResponse
from .origins import safe_return

STYLE: Final = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#4d5661;--paper:#fff;--line:#767f8a;--deed:#0b4fb3;--on-deed:#fff;\
--bad:#a3121f}
@media(prefers-color-scheme:dark){:root{--ink:#e9ebee;--soft:#b3bac3;--paper:#14171b;--line:#8b949e;--deed:#a9c9ff;\
--on-deed:#07264f;--bad:#ffb1b1}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
main{max-inline-size:36rem;margin:0 auto;padding:1rem}
h1{font-size:1.5rem;line-height:1.25}
h2{font-size:1.125rem;margin:0 0 .5rem}
section{border-block-start:1px solid var(--line);padding-block:1rem}
dt{color:var(--soft)}
dt::first-letter{text-transform:uppercase}
dd{margin:0 0 .5rem;font-weight:600;white-space:pre-wrap}
label{display:block;margin-block-end:.25rem}
input,button{font:inherit;min-block-size:2.75rem;padding:.5rem .75rem;border:1px solid var(--line);\
border-radius:.375rem}
input{inline-size:100%;background:var(--paper);color:var(--ink);margin-block-end:.75rem}
.check{display:flex;align-items:center;gap:.5rem;min-block-size:2.75rem;margin-block-end:.75rem}
.check input{inline-size:1.5rem;min-block-size:1.5rem;margin:0}
button{background:var(--deed);color:var(--on-deed);border-color:var(--deed);font-weight:600;cursor:pointer}
button.quiet{background:none;color:var(--ink);border-color:var(--line)}
form+form{margin-block-start:.75rem}
a{color:var(--deed)}
.soft{color:var(--soft)}
.problem{border-inline-start:.25rem solid var(--bad);padding-inline-start:.75rem;color:var(--bad);font-weight:600}
.aside{position:absolute;inline-size:1px;block-size:1px;overflow:hidden;clip-path:inset(50%)}
:focus-visible{outline:3px solid var(--deed);outline-offset:2px}
"""
"""Narrow screens first: nothing has a width of its own, long words break, and what is pressed is 44 px high."""

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS: Final = (
    ("content-type", "text/html; charset=utf-8"),
    # Under no-referrer a browser sends a form with "Origin: null", and then nothing tells our forms from other sites'.
    *{**NO_STORE, "referrer-policy": "same-origin"}.items(),
    ("content-security-policy", POLICY),
    ("x-frame-options", "DENY"),
)
_VOID: Final = frozenset({"input", "meta"})


@dataclass(frozen=True, slots=True)
class Markup:
    """Markup that ``tag`` or ``group`` made. Text is a ``str``, and is escaped."""

    text: str


Child = Markup | str | None
Attribute = str | bool | None


def group(*children: Child) -> Markup:
    """Several children as one; None is nothing."""
    return Markup("".join(_written(child) for child in children))


def tag(name: str, /, *children: Child, **attributes: Attribute) -> Markup:
    """An element. ``class_`` is ``class`` and ``aria_hidden`` is ``aria-hidden``; what is False or None is left out."""
    given = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{group(*children).text}</{name}>")


def web_address(address: object) -> str | None:
    """*address* if a link may lead there: a path of this site, or http and https. Nothing else is ever a link."""
    if not isinstance(address, str) or safe_return(address, "") == address:
        return address if isinstance(address, str) and address else None
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return address if parts.scheme in {"http", "https"} and parts.netloc else None


def page(title: str, *content: Child) -> bytes:
    """A whole page."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Markup(STYLE)),  # the one text that is not escaped: it is ours, and a style sheet has no entities
    )
    made = tag("html", head, tag("body", tag("main", *content)), lang="en")
    return f"<!doctype html>\n{made.text}\n".encode("utf-8", "replace")


def when(at: datetime, now: datetime) -> Markup:
    """A moment: the time of day, the date where that is another one, and how far away it is."""
    seconds = max(0, math.ceil((at - now).total_seconds()))
    size, unit = (1, "second") if seconds < 120 else (60, "minute") if seconds < 120 * 60 else (3600, "hour")
    far, utc = math.ceil(seconds / size), at.astimezone(UTC)
    date = "" if utc.date() == now.astimezone(UTC).date() else f"{utc.day} {utc:%B}, "
    time = tag("time", f"{date}{utc:%H:%M:%S} UTC", datetime=f"{utc:%Y-%m-%dT%H:%M:%SZ}")
    return group(time, f" (in {far} {unit}{'' if far == 1 else 's'})")


def html(status: int, body: bytes, *more: tuple[str, str]) -> WebResponse:
    """A page as the answer."""
    return WebResponse(status, (*HEADERS, *more), body)


def _written(child: Child) -> str:
    if child is None:
        return ""
    return child.text if isinstance(child, Markup) else escape(child)


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(value)}"'

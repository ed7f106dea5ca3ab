"""Reading what a client sent, strictly: one meaning or none.

A body is JSON in UTF-8, an object, at most 64 KiB, at most 16 levels deep, with no member twice and no number that
JSON does not have. Anything else is ``BadRequest``, whose text says what was expected and never what was sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn, cast
from urllib.parse import parse_qsl

from .http import WebRequest

MAX_BODY: Final = 65_536
MAX_READ: Final = 16 * 1024 * 1024
MAX_DEPTH: Final = 16
MAX_FIELDS: Final = 32
JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"


class Intake:
    """A body as it comes in: no more of it is kept than shows that it is too large, and the rest is thrown away.

    A server that has to hang up on a client in the middle of its body cannot give it the answer, so a large one is
    read on to a limit::

        intake = Intake()
        while intake.wants and (chunk := stream.read(65_536)):
            intake.take(chunk)
        request = replace(request, body=intake.body)
    """

    def __init__(self) -> None:
        self._kept = bytearray()
        self._seen = 0

    @property
    def wants(self) -> bool:
        """Whether to read on: not beyond 16 MiB."""
        return self._seen < MAX_READ

    @property
    def body(self) -> bytes:
        """The body, or its beginning, which is too large by one byte."""
        return bytes(self._kept)

    def take(self, chunk: bytes) -> None:
        """Add what came."""
        self._seen += len(chunk)
        self._kept += chunk[: MAX_BODY + 1 - len(self._kept)]


class BadRequest(Exception):
    """The request cannot be read. ``status`` is 400, 413 or 415."""

    def __init__(self, detail: str, status: int = 400) -> None:
        self.detail = detail
        self.status = status
        super().__init__(detail)


def media_type(request: WebRequest) -> str:
    """The media type of the body, with no charset but UTF-8.

    Raises:
        BadRequest: 415 for another charset.
    """
    kind, *parameters = request.headers.get("content-type", "").lower().split(";")
    for parameter in parameters:
        name, _, value = parameter.strip().partition("=")
        if name == "charset" and value.strip('" ') not in {"utf-8", "utf8"}:
            raise BadRequest("The body must be UTF-8.", 415)
    return kind.strip()


def read_json(request: WebRequest) -> Mapping[str, object]:
    """The object in the body.

    Raises:
        BadRequest: 413 if it is too large, 415 for another media type, 400 for anything else.
    """
    _require_size(request)
    if media_type(request) != JSON:
        raise BadRequest(f"The body must be {JSON}.", 415)
    try:
        found: object = json.loads(request.body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BadRequest("The body must be a JSON object, with no member twice.")
    made = cast("Mapping[str, object]", found)
    _require_depth(made, MAX_DEPTH)
    return made


def read_form(request: WebRequest) -> Mapping[str, str]:
    """The fields of a form.

    Raises:
        BadRequest: 413, 415 or 400 as ``read_json``; also for a field given twice.
    """
    _require_size(request)
    if media_type(request) != FORM:
        raise BadRequest(f"The body must be {FORM}.", 415)
    try:
        pairs = parse_qsl(
            request.body.decode("utf-8"),
            keep_blank_values=True,
            strict_parsing=bool(request.body),
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:
        pairs = [("", ""), ("", "")]
    if len({name for name, _ in pairs}) != len(pairs):
        raise BadRequest("The form cannot be read.")
    return dict(pairs)


def _require_size(request: WebRequest) -> None:
    if len(request.body) > MAX_BODY:
        raise BadRequest(f"The body must have at most {MAX_BODY} bytes.", 413)


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a member stands twice")
    return made


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _require_depth(value: object, left: int) -> None:
    if not isinstance(value, dict | list):
        return
    if left == 0:
        raise BadRequest(f"The body must be at most {MAX_DEPTH} levels deep.")
    parts = cast("Mapping[str, object]", value).values() if isinstance(value, dict) else cast("list[object]", value)
    for part in parts:
        _require_depth(part, left - 1)

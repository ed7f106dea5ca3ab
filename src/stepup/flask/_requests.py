"""Flask's requests as ``WebRequest``, ``WebResponse`` as Flask's responses, and notes that last for one request.

Werkzeug mends addresses before it routes them: it decodes, and drops slashes at the beginning. ``spelled`` undoes that
for the protocol, which answers to one spelling only. Of a body no more is kept than the protocol's limit.
"""

from __future__ import annotations

from typing import Final, cast
from urllib.parse import quote, urlencode

from flask import Response, g, request
from werkzeug.exceptions import RequestEntityTooLarge, SecurityError
from werkzeug.routing import BaseConverter

from stepup.web.bodies import FORM, MAX_BODY, Intake
from stepup.web.http import SAFE, WebRequest, WebResponse

_PATH: Final = "/~!$&'()*+,;=:@"
"""What stands in a path as it is (RFC 3986 section 3.3), besides letters, digits and ``-._``."""

_CHUNK: Final = 65_536


class Rest(BaseConverter):
    """Whatever follows the prefix: nothing, or a slash and anything at all."""

    regex = r"(?:/[\s\S]*)?"
    part_isolating = False


def web_request() -> WebRequest:
    """The request being handled, without who makes it and without its body."""
    return WebRequest(
        method=request.method.upper(),
        path=_address(),
        headers={name.lower(): value for name, value in request.headers},
        query={name: values[-1] for name, values in request.args.lists()},
        origin=_origin(),
        peer=request.environ.get("REMOTE_ADDR"),
        root=request.root_path,
    )


def web_response(made: WebResponse) -> Response:
    """*made* for Flask."""
    return Response(made.body, made.status, list(made.headers))


def spelled(prefix: str, rest: str) -> str:
    """The path below *prefix* as the client spelt it; *rest* is what werkzeug makes of it.

    Where the spelling is another one, it is returned whole, and is no address of the protocol's.
    """
    decoded: str = request.environ.get("PATH_INFO", "")
    raw: str = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or ""
    sent = raw.partition("?")[0]
    if decoded.startswith("//"):
        return decoded
    if "%" in sent and not sent.endswith(quote(prefix, safe=_PATH) + rest):
        return sent
    return rest


def body() -> bytes:
    """The body, or more of it than the protocol's limit."""
    if request.method in SAFE:
        return b""
    try:
        found = _read()
    except RequestEntityTooLarge:  # the application's own limit, MAX_CONTENT_LENGTH
        return bytes(MAX_BODY + 1)
    return found or _read_before()


def keep(name: str, value: object) -> None:
    """Note something for the length of this request.

    An application context around several requests, as tests have, shares ``g`` among them; hence the environment.
    """
    setattr(g, name, (request.environ, value))


def kept(name: str) -> object:
    """What was noted in this request; None for nothing."""
    found = cast("tuple[object, object]", g.get(name, (None, None)))
    return found[1] if found[0] is request.environ else None


def _address() -> str:
    """The path from the root of the host, decoded, with the query as it was sent."""
    path, query = request.root_path + request.path, request.query_string.decode("latin-1")
    return f"{path}?{query}" if query else path


def _origin() -> str:
    """The server's own origin as the request names it; for a malformed host, something that no page comes from."""
    try:
        return f"{request.scheme}://{request.host}"
    except (SecurityError, ValueError):
        return ""


def _read() -> bytes:
    intake = Intake()
    while intake.wants and (more := request.stream.read(_CHUNK)):
        intake.take(more)
    return intake.body


def _read_before() -> bytes:
    """The body where something has read it before us: a log, or whatever looks at forms."""
    if request.mimetype == FORM and request.form:
        return urlencode([*request.form.items(multi=True)]).encode()
    return request.get_data()

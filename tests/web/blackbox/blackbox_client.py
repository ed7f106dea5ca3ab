"""A client that sends exactly what it is told, keeps cookies, and remembers what it was answered.

``Client.transcript`` is what two servers are compared by: status, headers and bytes, with random ids and tokens
replaced by what they are.
"""

from __future__ import annotations

import http.client
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HOST = "app.northstar.example"
ORIGIN = f"http://{HOST}"
COMPARED = (
    "content-type", "cache-control", "referrer-policy", "x-content-type-options", "content-security-policy",
    "x-frame-options", "www-authenticate", "retry-after", "allow", "location", "hx-reswap", "hx-trigger",
    "vary",
)  # fmt: skip
RANDOM = (
    (re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+"), "<signed>"),
    (re.compile(r"stepup_[\w-]{8,}"), "<challenge>"),
    (re.compile(r"sess_[0-9a-f]{12}"), "<session>"),
    (re.compile(r'"id":"[\w-]{16,}"'), '"id":"<id>"'),
    (re.compile(r"/(grants|devices)/[0-9a-f]{32}"), r"/\1/<id>"),
    (re.compile(r'"after":"[^"]+"'), '"after":"<id>"'),
)


@dataclass
class Answer:
    """A response."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def code(self) -> str:
        assert self.header("content-type") == "application/problem+json", (self.status, self.body[:300])
        return str(self.json["code"])

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


@dataclass
class Client:
    """One browser, or one program, that talks to one server."""

    port: int
    directory: Path
    cookies: dict[str, str] = field(default_factory=dict)
    transcript: list[tuple[Any, ...]] = field(default_factory=list)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        /,
        *,
        raw: bytes | None = None,
        chunked: bool = False,
        **more: Any,
    ) -> Answer:
        """One request, as a page of the site sends it; a header given as "-" is left out."""
        headers = {
            "host": HOST, "origin": ORIGIN, "sec-fetch-site": "same-origin", "content-type": "application/json",
            "user-agent": "Mozilla/5.0 (Macintosh) Safari/605", "accept": "*/*",
        }  # fmt: skip
        if self.cookies:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        data = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                if value != "-":
                    connection.putheader(name, value)
            if chunked:
                connection.putheader("transfer-encoding", "chunked")
            elif data or method in {"POST", "PUT", "PATCH"}:
                connection.putheader("content-length", str(len(data)))
            connection.endheaders(iter([data]) if chunked else data or None, encode_chunked=chunked)
            got = connection.getresponse()
            answer = Answer(got.status, [(name.lower(), value) for name, value in got.getheaders()], got.read())
        finally:
            connection.close()
        self._keep(answer)
        self.transcript.append((method, masked(path), answer.status, *self._compared(answer)))
        return answer

    def form(self, path: str, fields: str, **more: Any) -> Answer:
        """A form posted by a browser that goes to a page."""
        given = {
            "content_type": "application/x-www-form-urlencoded", "sec_fetch_mode": "navigate",
            "accept": "text/html,*/*", "referer": f"{ORIGIN}/orgs/org_7", **more,
        }  # fmt: skip
        return self.call("POST", path, raw=fields.encode(), **given)

    def mailed_code(self) -> str:
        """The code in the last mail."""
        last = (self.directory / "mails").read_text().splitlines()[-1]
        found = re.search(r"\b\d{6}\b", json.loads(last)["text"])
        assert found is not None
        return found[0]

    def fresh(self) -> Client:
        """Another browser, at the same server."""
        return Client(self.port, self.directory, transcript=self.transcript)

    def _keep(self, answer: Answer) -> None:
        for cookie in answer.all("set-cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            if not value or value == '""' or "max-age=0" in cookie.lower():
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value.strip('"')

    def _compared(self, answer: Answer) -> tuple[Any, ...]:
        headers = [(name, masked(value)) for name in COMPARED for value in answer.all(name)]
        ours = sorted(masked(value) for value in answer.all("set-cookie") if value.startswith("__Host-"))
        return headers, ours, masked(answer.text)


def masked(text: str) -> str:
    """*text* without what differs from run to run."""
    for pattern, word in RANDOM:
        text = pattern.sub(word, text)
    return text

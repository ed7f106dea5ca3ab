"""A client of the demo with cookies, as a program and as a browser without JavaScript."""

from __future__ import annotations

import http.client
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

DELETE = "/organizations/org_7/delete"


@dataclass
class Visitor:
    """A client with cookies."""

    port: int
    person: dict[str, Any]
    cookies: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, dict[str, str], str]:
        sent = {"origin": f"http://localhost:{self.port}", "content-type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection = http.client.HTTPConnection("localhost", self.port, timeout=30)
        try:
            connection.request(method, path, body.encode(), sent)
            got = connection.getresponse()
            for cookie in got.headers.get_all("set-cookie") or []:
                name, _, value = cookie.partition(";")[0].partition("=")
                self.cookies[name] = value
            return got.status, dict(got.getheaders()), got.read().decode()
        finally:
            connection.close()

    def json(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        status, _, text = self.call(method, path, "" if body is None else json.dumps(body), **headers)
        return status, json.loads(text)

    def form(self, path: str, **fields: str) -> tuple[int, dict[str, str], str]:
        kind, page = "application/x-www-form-urlencoded", f"http://localhost:{self.port}/"
        headers = {"content_type": kind, "accept": "text/html", "sec_fetch_mode": "navigate", "referer": page}
        return self.call("POST", path, urlencode(fields), **headers)

    def signed_in(self) -> Visitor:
        known = {name: self.person[name] for name in ("email", "password")}
        assert self.json("POST", "/login", known) == (200, {"did": "signed_in", "message": "Signed in."})
        return self

    def page(self, path: str) -> str:
        return self.call("GET", path, accept="text/html")[2]

    def proved(self, blocked: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The token that opens a blocked call, and the challenge document."""
        _, opened = self.json("POST", "/stepup/challenges", {"offer": blocked["offer"]})
        answer = {"method": "password", "response": self.person["password"]}
        _, proved = self.json("POST", f"/stepup/challenges/{opened['challenge']['id']}/attempts", answer)
        return proved["grant"]["token"], opened["challenge"]

    def prove_on_the_page(self, path: str, method: str = "password", **fields: str) -> None:
        """Send a form that is blocked, and answer on the page that comes back."""
        status, _, page = self.form(path, **fields)
        offer = re.search(r'name="offer" value="([^"]+)"', page)
        assert status == 403
        assert offer is not None
        codes = self.person["recoveryCodes"]
        known = self.person["password"] if method == "password" else codes.pop(0)
        status, headers, _ = self.form("/stepup/ceremony", offer=offer[1], next="/", method=method, response=known)
        assert (status, headers["location"]) == (303, "/stepup/ceremony/done?next=%2F")

    def mailed_code(self) -> str:
        _, mails = self.json("GET", "/demo/outbox")
        found = re.search(r"\b\d{6}\b", mails[-1]["text"])
        assert found is not None
        return found[0]

"""The pages of a running server, asked as a browser asks: cookie, token, referrer."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from tests.personas import PASSWORD

_COOKIE = re.compile(r"([^=;]+)=([^;]*)")


@dataclass
class Answer:
    """What the server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of the error that this is."""
        return str(self.json["code"])


class Reachable(Protocol):
    """A server that can be asked: port on localhost, and the CA to verify it with."""

    port: int

    @property
    def base_url(self) -> str: ...
    @property
    def ca_path(self) -> Path: ...


@dataclass
class Console:
    """One browser of one person."""

    server: Reachable
    host: str = "localhost"
    cookies: dict[str, str] = field(default_factory=dict)
    token: str = ""

    @classmethod
    def of(
        cls, server: Reachable, username: str, password: str = PASSWORD, host: str = "localhost"
    ) -> Self:
        """Return the browser of somebody who has signed in."""
        console = cls(server, host)
        console.look_for_token("/login")
        answer = console.post("/login", username=username, password=password)
        assert answer.status == 302, answer.body
        console.look_for_token("/console")
        return console

    def look_for_token(self, path: str) -> None:
        """Take the token that forms are sent with from a page."""
        found = re.search(r'name="csrf-token" content="([^"]+)"', self.get(path).body.decode())
        assert found, path
        self.token = found.group(1)

    @property
    def cookie(self) -> str:
        """The header that tells who this is."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def begin(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[http.client.HTTPSConnection, http.client.HTTPResponse]:
        """Send a request and return connection and answer, whose body was not read yet."""
        context = ssl.create_default_context(cafile=self.server.ca_path)
        host = f"{self.host}:{self.server.port}"
        connection = http.client.HTTPSConnection(host, timeout=60, context=context)
        sent = {
            "Cookie": self.cookie,
            "X-CSRFToken": self.token,
            "Referer": f"https://{host}/console",
            "Accept": "application/json" if path.count("/") > 2 else "text/html",
            **(headers or {}),
        }
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
        except BaseException:
            connection.close()
            raise
        for line in answer.headers.get_all("Set-Cookie", []):
            name, value = _COOKIE.match(line).groups()  # type: ignore[union-attr]
            self.cookies[name] = value
        return connection, answer

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request; underscores in the names of headers stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection, answer = self.begin(method, path, body, named)
        try:
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, headers, answer.read())
        finally:
            answer.close()
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, path: str, /, **fields: str) -> Answer:
        kind = "application/x-www-form-urlencoded"
        return self.ask("POST", path, urllib.parse.urlencode(fields).encode(), Content_Type=kind)

"""The server's API as the lab's tests look at it: from inside the lab's network."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode

from tests.lab import network
from tests.lab.wait import until

PREFIX = "/api/config/v1"
Record = dict[str, Any]


class Api:
    """One API account on one server. The server may go away and come back meanwhile."""

    def __init__(
        self, namespace: str, url: str, ca: Path, client_id: str, client_secret: str
    ) -> None:
        self._namespace = namespace
        self._url = url
        self._ca = ca
        self._basic = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode("ascii")
        self._token = ""

    def reachable(self) -> bool:
        """Return whether a server answers at all."""
        try:
            self._send("GET", "/get_mech_list", {}, None)
        except HTTPError:
            return True
        except (URLError, OSError):
            return False
        return True

    def call(self, method: str, path: str, body: object = None, **query: object) -> Any:
        """Return the decoded answer below the API's prefix; HTTPError for 4xx and 5xx."""
        text = PREFIX + path + (f"?{urlencode(query)}" if query else "")
        try:
            return self._signed(method, text, body)
        except HTTPError as error:
            if error.code != 401:
                raise
        self._token = ""
        return self._signed(method, text, body)

    def clients(self, **query: object) -> list[Record]:
        """Return the records that `query` selects, of at most one page."""
        found: list[Record] = self.call("GET", "/jump-client", **query)
        return found

    def client(self, external_id: str) -> Record | None:
        """Return the record with that declared key; AssertionError when there are several."""
        found = self.clients(external_id=external_id)
        assert len(found) <= 1, found
        return found[0] if found else None

    def tombstones(self, *, open: bool = True) -> list[Record]:
        """Return the tombstones, by default those whose host has not confirmed."""
        found: list[Record] = self.call("GET", "/jump-client/tombstone", open=str(open).lower())
        return found

    def wait_state(self, external_id: str, state: str, seconds: float = 30) -> Record:
        """Return the record once it is in `state`; TimeoutError otherwise."""
        last: list[Record | None] = [None]

        def reached() -> Record | None:
            try:
                last[0] = self.client(external_id)
            except (URLError, OSError):
                return None
            return last[0] if last[0] and last[0]["state"] == state else None

        try:
            return until(reached, "", seconds=seconds, every=0.1) or {}
        except TimeoutError:
            seen = last[0]["state"] if last[0] else "no record"
            raise TimeoutError(
                f"{external_id} is not {state} after {seconds:g} s, but {seen}"
            ) from None

    def _signed(self, method: str, path: str, body: object) -> Any:
        if not self._token:
            headers = {"Authorization": f"Basic {self._basic}"}
            answer = self._send("POST", "/oauth2/token", headers, b"grant_type=client_credentials")
            self._token = json.loads(answer)["access_token"]
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        answer = self._send(method, path, headers, content)
        return json.loads(answer) if answer else None

    def _send(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> bytes:
        request = urllib.request.Request(self._url + path, body, headers, method=method)
        context = ssl.create_default_context(cafile=str(self._ca))
        with (
            network.entered(self._namespace),
            urllib.request.urlopen(request, timeout=10, context=context) as answer,
        ):
            content: bytes = answer.read()
            return content

# SPDX-License-Identifier: Apache-2.0
# A copy of ansible_collection/plugins/module_utils/client.py, written by .ci/salt-shared.
"""The API of a Tremplin server: sign-in, requests, paging and errors.

Everything that touches the world is passed in (transport, tokens, clock, sleep), so that
the rules here run the same in a test as in a play.
"""

from __future__ import annotations

import base64
import json
import random
import time
from collections.abc import Iterator
from typing import Any, Callable
from urllib.parse import quote, urlencode

from .errors import (
    BY_STATUS,
    Busy,
    Missing,
    Refused,
    TremplinError,
    Unreachable,
    Untrusted,
)
from .tokens import MemoryTokens, Tokens
from .transport import Response, Transport

PREFIX = "/api/config/v1"
TOKEN_PATH = "/oauth2/token"  # noqa: S105 - where tokens come from
PER_PAGE = 100
PATIENCE = 60.0
"""Seconds for which a busy or restarting server is asked again."""
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0


class Client:
    """One account's view of one server.

    url: base URL of the server, without the API's prefix.
    transport: callable (method, url, headers, body) -> Response.
    tokens: keeps the access token; for this process only when None.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        client_secret: str,
        transport: Transport,
        tokens: Tokens | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._url = url.rstrip("/")
        self._credentials = f"{client_id}:{client_secret}"
        self._transport = transport
        self._tokens = tokens or MemoryTokens(clock)
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter

    def get(self, path: str, **query: Any) -> Any:
        """Return the decoded answer to GET; Missing and the other Refused errors."""
        return _decoded(self._request("GET", path, query=query))

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Yield every item of a list, page after page."""
        page, last = 1, 1
        while page <= last:
            answer = self._request(
                "GET", path, query=dict(query, per_page=PER_PAGE, current_page=page)
            )
            yield from _decoded(answer)
            last = int(answer.headers.get("x-bt-pagination-last-page", page))
            page += 1

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Return the decoded answer to POST. It is not sent twice when an answer is lost."""
        return _decoded(self._request("POST", path, body=body))

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        """Return the decoded answer to PATCH."""
        return _decoded(self._request("PATCH", path, body=body))

    def delete(self, path: str, **query: Any) -> bool:
        """Return whether DELETE found something to delete."""
        try:
            self._request("DELETE", path, query=query)
        except Missing:
            return False
        return True

    def download(self, path: str) -> Response:
        """Return the Response to GET with its bytes and headers as they came."""
        return self._request("GET", path, accept="*/*")

    def _request(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        body: dict[str, Any] | None = None,
        accept: str = "application/json",
    ) -> Response:
        given = [(name, value) for name, value in (query or {}).items() if value is not None]
        url = self._url + PREFIX + path + ("?" + urlencode(given) if given else "")
        headers = {"Accept": accept}
        if body is not None:
            headers["Content-Type"] = "application/json"
        content = None if body is None else json.dumps(body).encode("utf-8")
        return self._patiently(method, lambda: self._signed(method, url, headers, content))

    def _signed(
        self, method: str, url: str, headers: dict[str, str], content: bytes | None
    ) -> Response:
        token = self._tokens.get(self._new_token)
        answer = self._transport(
            method, url, dict(headers, Authorization="Bearer " + token), content
        )
        if answer.status == 401:
            token = self._tokens.get(self._new_token, stale=token)
            answer = self._transport(
                method, url, dict(headers, Authorization="Bearer " + token), content
            )
        return _checked(answer)

    def _new_token(self) -> tuple[str, float]:
        encoded = base64.b64encode(self._credentials.encode("utf-8")).decode("ascii")
        headers = {
            "Accept": "application/json",
            "Authorization": "Basic " + encoded,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        answer = self._transport(
            "POST", self._url + TOKEN_PATH, headers, b"grant_type=client_credentials"
        )
        body = _decoded(_checked(answer))
        return body["access_token"], float(body.get("expires_in", 3600))

    def _patiently(self, method: str, attempt: Callable[[], Response]) -> Response:
        """Return `attempt()`, again while the server is busy or, if that is safe, away."""
        until = self._clock() + PATIENCE
        pause = FIRST_PAUSE
        while True:
            try:
                return attempt()
            except Busy as error:
                wait = max(error.retry_after, pause * (0.5 + self._jitter()))
                if self._clock() + wait > until:
                    raise
            except Untrusted:
                raise
            except Unreachable:
                wait = pause * (0.5 + self._jitter())
                if method == "POST" or self._clock() + wait > until:
                    raise
            self._sleep(wait)
            pause = min(pause * 2, LONGEST_PAUSE)


def segment(value: object) -> str:
    """Return `value` as one segment of a path."""
    return quote(str(value), safe="")


def _checked(answer: Response) -> Response:
    """Return `answer`, or raise the Refused error that it stands for."""
    if 200 <= answer.status < 300:
        return answer
    try:
        body = json.loads(answer.body.decode("utf-8"))
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    kind = BY_STATUS.get(answer.status, Refused)
    raise kind(
        answer.status,
        body.get("message")
        or body.get("error_description")
        or f"the server answered HTTP {answer.status}",
        code=body.get("code") or "",
        fields=body.get("errors"),
        retry_after=_seconds(answer.headers.get("retry-after")),
    )


def _seconds(text: str | None) -> float:
    try:
        return max(0.0, float(text or 0))
    except ValueError:
        return 0.0


def _decoded(answer: Response) -> Any:
    if not answer.body:
        return None
    try:
        return json.loads(answer.body.decode("utf-8"))
    except ValueError as error:
        raise TremplinError(
            "what answered is no Tremplin server: its answer is not JSON"
        ) from error

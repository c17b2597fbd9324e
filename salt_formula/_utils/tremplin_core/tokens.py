# SPDX-License-Identifier: Apache-2.0
# A copy of ansible_collection/plugins/module_utils/tokens.py, written by .ci/salt-shared.
"""Where access tokens are kept: in this process, or for all processes of a controller.

A server lets an account hold 30 live tokens and drops the oldest. A play with many forks
runs more modules than that at once, so they share one token in a file that only its
owner can read.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Callable, Protocol

MARGIN = 60
"""Seconds before its end at which a token is not used any more."""


Obtain = Callable[[], tuple[str, float]]
"""Asks the server for a token: the token, and the seconds that it is good for."""


class Tokens(Protocol):
    """Keeps an access token."""

    def get(self, obtain: Obtain, stale: str | None = None) -> str:
        """Return a token that is not `stale`, from `obtain()` if need be."""


class MemoryTokens:
    """Keeps one token for the life of the process."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._token = ""
        self._expires = 0.0

    def get(self, obtain: Obtain, stale: str | None = None) -> str:
        """Return a token that is not `stale`, from `obtain()` if need be."""
        if self._token in ("", stale) or self._now() >= self._expires:
            self._token, seconds = obtain()
            self._expires = self._now() + seconds - MARGIN
        return self._token


class FileTokens:
    """Keeps one token for every process of this user that has the same credentials.

    directory: made with mode 0700. One process at a time asks for a new token; the others
    wait for it and use the same.
    """

    def __init__(
        self,
        directory: str,
        url: str,
        client_id: str,
        client_secret: str,
        now: Callable[[], float],
    ) -> None:
        name = hashlib.sha256(
            "\0".join((url, client_id, client_secret)).encode("utf-8")
        ).hexdigest()
        self._directory = directory
        self._path = os.path.join(directory, "token-" + name[:32])
        self._now = now

    def get(self, obtain: Obtain, stale: str | None = None) -> str:
        """Return a token that is not `stale`, from `obtain()` if need be."""
        token = self._read()
        if token not in (None, stale):
            return token
        with self._locked():
            token = self._read()
            if token not in (None, stale):
                return token
            token, seconds = obtain()
            self._write(token, self._now() + seconds - MARGIN)
            return token

    def _read(self) -> str | None:
        try:
            with open(self._path, encoding="utf-8") as file:
                kept = json.load(file)
            return kept["token"] if self._now() < kept["expires"] else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _write(self, token: str, expires: float) -> None:
        partial = f"{self._path}.{os.getpid()}"
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"token": token, "expires": expires}, file)
        os.replace(partial, self._path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        descriptor = os.open(self._path + ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

# SPDX-License-Identifier: Apache-2.0
"""The ways from a host to the server's API.

Direct       this process has an API account: a master, or a host without one
Through      the master has the account, and does what the minion asks for
Unseen       nobody has one; only the host's own half can be looked at
"""

from __future__ import annotations

from typing import Any, Callable, Protocol

from . import deeds
from .client import Client
from .errors import TremplinError

Ask = Callable[[str, dict[str, Any]], Any]
"""Has a deed done by its name; raises what went wrong as TremplinError."""


class Link(Protocol):
    """A way to the server. sees_server: whether records can be read and changed."""

    sees_server: bool

    def do(self, deed: str, **arguments: Any) -> Any:
        """Return the result of one of `deeds.BY_NAME`; TremplinError."""

    def payload(self, platform: str) -> bytes:
        """Return the generic installer of a platform; TremplinError."""


class Direct:
    """Uses an API account of its own."""

    sees_server = True

    def __init__(self, client: Client) -> None:
        self._client = client

    def do(self, deed: str, **arguments: Any) -> Any:
        """Return the result of the deed, done here."""
        return deeds.BY_NAME[deed](self._client, **arguments)

    def payload(self, platform: str) -> bytes:
        """Return the file from the server."""
        return deeds.payload(self._client, platform)


class Through:
    """Asks the master, which knows whose machine asks.

    fetch: brings a file of the master's file server; b"" when it has none.
    """

    sees_server = True

    def __init__(self, ask: Ask, fetch: Callable[[str], bytes]) -> None:
        self._ask = ask
        self._fetch = fetch

    def do(self, deed: str, **arguments: Any) -> Any:
        """Return the result of the deed, done by the master."""
        return self._ask(deed, arguments)

    def payload(self, platform: str) -> bytes:
        """Return the file that the master fetched and serves."""
        offered = self._ask("payload", {"platform": platform})
        content = self._fetch(offered["source"])
        deeds.check(content, offered["sha256"], platform)
        return content


class Unseen:
    """Believes the host, for it has nobody to ask. A key must be given for an installation.

    external_id: the host's declared key. ids: what installations of the host say of
    themselves, filled by `believe`.
    """

    sees_server = False

    def __init__(self, fetch: Callable[[str], bytes], source: str) -> None:
        self._fetch = fetch
        self._source = source

    def do(self, deed: str, **arguments: Any) -> Any:
        """Return what is known without a server."""
        if deed == "look":
            return {"clients": [], "installers": [], "tombstones": []}
        if deed in ("strangers", "confirm_gone", "drop_keys"):
            return []
        raise TremplinError(
            "nobody here may call the server's API: give tremplin:api, or let the master do it"
        )

    def payload(self, platform: str) -> bytes:
        """Return the file from where the operator put it."""
        if not self._source:
            raise TremplinError(
                f"without the server's API, say where the installer for {platform} is: "
                "tremplin:source"
            )
        return self._fetch(self._source)


def believed(host: dict[str, Any], external_id: str) -> dict[str, Any] | None:
    """Return a record as the host's own half tells it: of the enrolled installation."""
    for found in host["installations"]:
        if found["client_id"] and found["complete"] and not found["refused"]:
            return {
                "id": found["client_id"],
                "external_id": external_id,
                "state": "online" if found["running"] else "offline",
                "install_dir": found["directory"],
                "jump_group_id": None,
                "jump_group_type": None,
            }
    return None

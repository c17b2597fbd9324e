"""What Flask has allowed to be done with a host's files, for the gateway to do.

A request for files is authorised by a view, in a thread, and carried out in the gateway's
event loop: a file of many gigabytes, or somebody who reads it slowly, holds no thread.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tremplin_server.db import Work
from tremplin_server.permissions import Actor
from tremplin_server.sessions import hosts

ORDER = "tremplin.file_order"
"""Where a view leaves its order in the ASGI scope of the request."""


class Operation(StrEnum):
    """What can be done with files."""

    OPEN = "open"
    LIST = "list"
    DOWNLOAD = "download"
    UPLOAD = "upload"
    MKDIR = "mkdir"
    RENAME = "rename"
    DELETE = "delete"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class FileOrder:
    """One allowed operation. Paths are the host's bytes; errors are told in `language`.

    path: what it is about; empty for the directory that a session begins in. target: the
    new path, for RENAME. overwrite: whether UPLOAD may replace a file. reason, ticket_id,
    code: of the session, when one has to be started.
    """

    actor: Actor
    client_id: int
    operation: Operation
    language: str
    path: bytes = b""
    target: bytes = b""
    overwrite: bool = False
    reason: str = ""
    ticket_id: str = ""
    code: str = field(default="", repr=False)


def require_host(work: Work, client_id: int) -> None:
    """Raise NotFound (client.missing) or Denied unless the actor may start sessions there.

    It is asked again at every request: a connection to the host may be older than a right
    that was taken away.
    """
    hosts.require(work, client_id)


def leave(scope: dict[str, Any], order: FileOrder) -> None:
    """Leave an order for the gateway."""
    scope[ORDER] = order

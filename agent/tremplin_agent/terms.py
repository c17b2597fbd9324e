"""The terms of a session: what the server grants on a host. Agent and server share it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any, Dict, Mapping, Tuple

from tremplin_agent.wire import Grant, WireError


class Capability(str, Enum):
    """What a session may do on the host."""

    SHELL = "shell"
    EXEC = "exec"
    SFTP = "sftp"
    FORWARD = "forward"


class FileCapability(str, Enum):
    """One direction of `Capability.SFTP`; the terms of a session grant it in its place.

    An agent that knows neither name lets no files through.
    """

    DOWNLOAD = "sftp.download"
    UPLOAD = "sftp.upload"


GRANT_OF: Dict[str, Grant] = {
    Capability.SHELL.value: Grant.SHELL,
    Capability.EXEC.value: Grant.SHELL,
    Capability.FORWARD.value: Grant.SHELL,
    Capability.SFTP.value: Grant.FILES,
    FileCapability.DOWNLOAD.value: Grant.FILES,
    FileCapability.UPLOAD.value: Grant.FILES,
}
"""Which grant of a customer's a capability needs in a support session."""


@dataclass(frozen=True)
class Terms:
    """What the server grants in a session; `wire.SessionOpen.terms` is its JSON form.

    keys: OpenSSH public keys (`ssh-ed25519 AAAA…`) that may sign in. open: whoever comes
    through the tunnel is let in without a key, because the server vouches for him.
    capabilities: `Capability` and `FileCapability` values. ports: TCP ports of the host's
    loopback that may be forwarded to. targets: other machines' ports that may be forwarded to
    as well, as `tremplin_agent.targets` writes them. expires_at: seconds since 1970.
    idle_seconds: without a byte the session ends; 0 for never. record_bytes: most bytes that
    the recording of a terminal may have; 0 for none. technician: who it is, for the notice and
    the environment. notice: what to write to the terminals of the host at the start; empty for
    nothing. ends: what to tell the technician when the session ends, by the code of the end,
    in his language. warning: what to tell him `warn_seconds` before `expires_at`; empty for
    nothing.
    """

    keys: Tuple[str, ...] = ()
    open: bool = False
    capabilities: Tuple[str, ...] = ()
    ports: Tuple[int, ...] = ()
    targets: Tuple[str, ...] = ()
    expires_at: float = 0.0
    idle_seconds: int = 0
    record_bytes: int = 0
    technician: str = ""
    notice: str = ""
    ends: Dict[str, str] = field(default_factory=dict)
    warn_seconds: int = 0
    warning: str = ""

    def as_json(self) -> Dict[str, Any]:
        """Return the JSON form."""
        return {part.name: _jsonable(getattr(self, part.name)) for part in fields(self)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Terms:
        """Return the terms of a JSON form, unknown names ignored; WireError if damaged."""
        given = {part.name: body[part.name] for part in fields(cls) if part.name in body}
        plain = cls()
        for name, value in given.items():
            usual = getattr(plain, name)
            if isinstance(usual, dict):
                if not _is_texts(value):
                    raise WireError(f"{name}: wrong type")
            elif isinstance(usual, tuple):
                if not isinstance(value, list):
                    raise WireError(f"{name}: wrong type")
                given[name] = tuple(value)
            elif isinstance(usual, float):
                if isinstance(value, bool) or not isinstance(value, (int, float)):
                    raise WireError(f"{name}: wrong type")
                given[name] = float(value)
            elif type(value) is not type(usual):
                raise WireError(f"{name}: wrong type")
        return cls(**given)


def _is_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _jsonable(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value

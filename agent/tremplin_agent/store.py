"""What the agent keeps on disk, in its `var` directory.

Every write is durable and all-or-nothing: a power cut leaves the old file or the new one.

agent.key      the private key, base64; made once, before the first enrolment
key-info       what to enrol with; deleted after the welcome
state.json     `State`
settings.json  settings and properties of the last welcome
ca.pem         the server's CA, once its hash was found to be the pin
removing       marker: the installation has to go; seen by init-script at the next boot
disabled       marker: the local user switched the Jump Client off
sessions.json  the sessions that are open, for `status`
recordings/    recordings of terminals that the server does not have yet
home/          home of sessions where the agent's user has none
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Dict, List, Optional

from tremplin_agent import wire
from tremplin_agent.core.lifecycle import Phase

NO_FOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
"""Windows lets nobody but administrators make symbolic links, and has no such flag."""


class StoreError(Exception):
    """A file of the agent is missing or damaged; the text says which."""


@dataclass(frozen=True)
class State:
    """What the agent must not forget.

    server_key: base64 of the server's identity key, from the first welcome.
    last_contact: wall clock, seconds since the epoch. reason: `UninstallReason` value
    and told: whether the server knows, once the phase is `removing`. refused: the code
    with which the server last denied this agent a place; empty once it is let in.
    """

    phase: Phase = Phase.NEW
    client_id: int = 0
    server_key: str = ""
    last_contact: float = 0.0
    reason: str = ""
    told: bool = False
    refused: str = ""


def write_durably(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace `path` by `content`, so that a power cut leaves the old or the new file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | NO_FOLLOW, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the entries of a directory durable, where it can be opened for that."""
    if sys.platform == "win32":
        return
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Store:
    """The files of one agent."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def private_key(self) -> Optional[bytes]:
        """Return the 32 bytes of the key, or None before the first start."""
        text = self._text("agent.key")
        if text is None:
            return None
        try:
            return wire.b64decode(text.strip())
        except wire.WireError as error:
            raise StoreError(f"{self.directory / 'agent.key'} is damaged") from error

    def save_private_key(self, raw: bytes) -> None:
        """Keep the key."""
        self._write("agent.key", wire.b64encode(raw) + "\n")

    def key_info(self) -> Optional[wire.KeyInfo]:
        """Return what to enrol with, or None once that is over."""
        text = self._text("key-info")
        if text is None:
            return None
        try:
            return wire.KeyInfo.decode(text)
        except wire.WireError as error:
            raise StoreError(f"{self.directory / 'key-info'} is damaged") from error

    def save_key_info(self, text: str) -> None:
        """Keep what to enrol with."""
        self._write("key-info", text + "\n")

    def state(self) -> State:
        """Return the state; that of a new agent when there is none."""
        body = self._json("state.json")
        known = {part.name for part in fields(State)}
        try:
            state = State(**{key: body[key] for key in body if key in known})
            return replace(state, phase=Phase(state.phase))
        except ValueError as error:
            raise StoreError(f"{self.directory / 'state.json'} is damaged") from error

    def save_state(self, state: State) -> None:
        """Keep the state."""
        self._write("state.json", _dump({**asdict(state), "phase": state.phase.value}))

    def enrolled(self, state: State) -> None:
        """Keep the state of an agent that was let in, and drop what it enrolled with."""
        self.save_state(state)
        self._drop("key-info")

    def removing(self, state: State) -> None:
        """Keep the decision to go: from here on a power cut only delays it."""
        self.save_state(state)
        self._write("removing", "")

    @property
    def is_removing(self) -> bool:
        """Whether the installation has to go."""
        return (self.directory / "removing").exists()

    def settings(self) -> Dict[str, Any]:
        """Return settings of the last welcome, empty before."""
        found = self._json("settings.json").get("settings", {})
        return found if isinstance(found, dict) else {}

    def save_settings(self, settings: Dict[str, Any], properties: Dict[str, Any]) -> None:
        """Keep what the server said, unless that is what is kept already."""
        text = _dump({"settings": settings, "properties": properties})
        if self._text("settings.json") != text:
            self._write("settings.json", text)

    def ca(self) -> Optional[str]:
        """Return the PEM text of the server's CA, or None."""
        return self._text("ca.pem")

    def save_ca(self, pem: str) -> None:
        """Keep the server's CA."""
        self._write("ca.pem", pem)

    @property
    def is_disabled(self) -> bool:
        """Whether the local user switched the Jump Client off."""
        return (self.directory / "disabled").exists()

    def set_disabled(self, disabled: bool) -> None:
        """Switch the Jump Client off or on."""
        if disabled:
            self._write("disabled", "")
        else:
            self._drop("disabled")

    def sessions(self) -> List[Any]:
        """Return the open sessions, each with `technician` and `since`."""
        try:
            found = self._json("sessions.json").get("sessions", [])
        except StoreError:
            return []
        return found if isinstance(found, list) else []

    def save_sessions(self, found: List[Dict[str, Any]]) -> None:
        """Note the open sessions. Not durably: none of them outlives the agent."""
        path = self.directory / "sessions.json"
        if not found:
            path.unlink(missing_ok=True)
            return
        temporary = path.with_name(".sessions.json.new")
        temporary.write_text(_dump({"sessions": found}), "utf-8")
        temporary.replace(path)

    def _text(self, name: str) -> Optional[str]:
        try:
            return (self.directory / name).read_text("utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise StoreError(f"{self.directory / name} cannot be read: {error}") from error

    def _json(self, name: str) -> Dict[str, Any]:
        text = self._text(name)
        if text is None:
            return {}
        try:
            body = json.loads(text)
        except ValueError as error:
            raise StoreError(f"{self.directory / name} is damaged") from error
        if not isinstance(body, dict):
            raise StoreError(f"{self.directory / name} is damaged")
        return body

    def _write(self, name: str, text: str) -> None:
        write_durably(self.directory / name, text.encode())

    def _drop(self, name: str) -> None:
        with suppress(FileNotFoundError):
            (self.directory / name).unlink()
            sync_directory(self.directory)


def _dump(body: Dict[str, Any]) -> str:
    return json.dumps(body, indent=1, sort_keys=True) + "\n"

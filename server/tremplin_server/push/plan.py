"""What a push has to do on one host: pure, from the host's facts and the record.

The same rules as the Ansible role: host and record are in step when the installation is
complete and its client id is that of the record; a property that differs is changed in
place; another directory, user, scope or start-up means a new installation under the same
record; anything else that is found is taken away locally and installed again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tremplin_server.clients.lifecycle import State
from tremplin_server.errors import TremplinError

PLATFORMS = {
    "x86_64": "linux-64",
    "amd64": "linux-64",
    "aarch64": "linux-arm64",
    "arm64": "linux-arm64",
}
LEAVING = (State.UNINSTALLED, State.REMOVING)
"""The host's half is gone, or about to go."""
CONNECTED = (State.ONLINE, State.RESTING, State.DISABLED)
"""The agent is connected; who disabled it is on the host, and obeyed."""


class Step(StrEnum):
    """What is being done on a host, in the order in which it may come."""

    CONNECTING = "connecting"
    LOOKING = "looking"
    UNINSTALLING = "uninstalling"
    UPLOADING = "uploading"
    INSTALLING = "installing"
    ENROLLING = "enrolling"
    COMING_ONLINE = "coming_online"
    CHANGING = "changing"
    VERIFYING = "verifying"


class Outcome(StrEnum):
    """How a host stands after the push, in the words of the summary."""

    INSTALLED = "installed"
    REINSTALLED = "reinstalled"
    UPDATED = "updated"
    STARTED = "started"
    UNCHANGED = "unchanged"
    REMOVED = "removed"
    ABSENT = "absent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Installation:
    """One directory on the host, as it was found.

    owned: it holds something that an installer of ours left (install.json or uninstall).
    client_id: None when the agent has not enrolled.
    readable: whether the agent's own state could be read at all.
    removable: whether its `uninstall` is there.
    """

    directory: str
    owned: bool = True
    complete: bool = True
    client_id: int | None = None
    running: bool = True
    readable: bool = True
    removable: bool = True
    user: str = ""
    scope: str = ""
    startup: str = ""
    boot_entries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Host:
    """What was found out about a host. home is that of the user who runs the installer."""

    system: str
    machine: str
    uid: int
    default_directory: str
    installations: tuple[Installation, ...] = ()
    leftovers: tuple[str, ...] = ()
    """Directories that a cut installation left beside its target."""

    def at(self, directory: str) -> Installation | None:
        """Return what is in `directory`, None when it does not exist."""
        return next((i for i in self.installations if i.directory == directory), None)


@dataclass(frozen=True, slots=True)
class Record:
    """The server's half. properties: wire name → value, of every property that can be wanted."""

    id: int
    state: State
    install_dir: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for; None (or a property left out) takes what is there."""

    install_dir: str | None = None
    user: str | None = None
    scope: str | None = None
    startup: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Removal:
    """An installation that goes. local: the server is not told, as its record stays."""

    directory: str
    local: bool
    client_id: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps, in this order: uninstall, sweep, install or (start and change).

    uninstall: installations whose `uninstall` is run, each with whether that is to be
    local: without telling the server. sweep: directories that are simply deleted. layout: user,
    scope and startup that the new installation is told, those only that matter.
    """

    outcome: Outcome
    directory: str
    uninstall: tuple[Removal, ...] = ()
    sweep: tuple[str, ...] = ()
    install: bool = False
    layout: Mapping[str, str] = field(default_factory=dict)
    start: bool = False
    changes: Mapping[str, Any] = field(default_factory=dict)
    delete: tuple[int, ...] = ()
    """Ids of the records that go."""
    reason: str = ""

    @property
    def changed(self) -> bool:
        """Whether the push does anything at all."""
        return self.outcome not in (Outcome.UNCHANGED, Outcome.ABSENT)


def platform(host: Host) -> str:
    """Return the payload's platform for `host`; TremplinError install.platform if none fits."""
    found = PLATFORMS.get(host.machine.lower()) if host.system == "Linux" else None
    if found is None:
        wanted = ", ".join(sorted(set(PLATFORMS.values())))
        name = f"{host.system} {host.machine}".strip() or "unknown"
        raise TremplinError("install.platform", wanted=wanted, found=name)
    return found


def directories(record: Record | None, wanted: Wanted) -> tuple[str, ...]:
    """Return the directories to look at; "" stands for the host's default one."""
    recorded = record.install_dir if record else ""
    return tuple(dict.fromkeys([wanted.install_dir or "", recorded or wanted.install_dir or ""]))


def present(host: Host, record: Record | None, wanted: Wanted) -> Plan:
    """Return how to get one running installation that belongs to `record`.

    Raises TremplinError install.dir_exists when the target holds something foreign, and
    push.state_unreadable when the state of an installation cannot be read.
    """
    current = next((i for i in host.installations if _in_step(i, record)), None)
    target = wanted.install_dir or (current.directory if current else host.default_directory)
    ours = _ours(host, record, target)
    if current is None or record is None:
        outcome = Outcome.REINSTALLED if ours else Outcome.INSTALLED
        return _install(outcome, target, ours, host, wanted, _mismatch(ours, record))
    moved = layout_changes(current, wanted)
    if moved:
        reason = "changed: " + ", ".join(moved)
        return _install(Outcome.REINSTALLED, target, ours, host, wanted, reason)
    return _keep(current, host, record, wanted)


def absent(
    host: Host,
    record: Record | None,
    wanted: Wanted,
    others: Mapping[int, str | None] | None = None,
) -> Plan:
    """Return how to take both halves away; what is not ours is left alone.

    others: client id → declared key of further records that the host's installations
    belong to. One without a key was installed by hand and goes too; one with another
    machine's key stays, as this host was copied from that one.
    """
    others = {k: v for k, v in (others or {}).items() if record is None or k != record.id}
    recorded = host.at(record.install_dir) if record else None
    target = wanted.install_dir or (recorded.directory if recorded else host.default_directory)
    ours = _ours(host, record, target, strict=False)
    delete = [record.id] if record else []
    delete += [number for number, key in others.items() if key is None]
    foreign = {number for number, key in others.items() if key is not None}
    return Plan(
        outcome=Outcome.REMOVED if ours or host.leftovers or delete else Outcome.ABSENT,
        directory=target,
        uninstall=tuple(
            Removal(i.directory, i.client_id in foreign, i.client_id) for i in ours if i.removable
        ),
        sweep=_sweep(ours, host),
        delete=tuple(delete),
    )


def enrolled(host: Host) -> tuple[int, ...]:
    """Return the client ids that the host's installations have."""
    return tuple({i.client_id: None for i in host.installations if i.client_id})


def layout_changes(current: Installation, wanted: Wanted) -> tuple[str, ...]:
    """Return the names of what cannot be changed without a new installation."""
    pairs = {
        "install_dir": (wanted.install_dir, current.directory),
        "user": (wanted.user, current.user),
        "scope": (wanted.scope, current.scope),
        "startup": (None if wanted.startup == "auto" else wanted.startup, current.startup),
    }
    return tuple(name for name, (want, has) in pairs.items() if want is not None and want != has)


def property_changes(record: Record, wanted: Wanted) -> dict[str, Any]:
    """Return the wanted properties whose value in the record is another one."""
    return {
        name: value
        for name, value in wanted.properties.items()
        if record.properties.get(name) != value
    }


def _in_step(found: Installation, record: Record | None) -> bool:
    return (
        record is not None
        and found.owned
        and found.complete
        and found.client_id == record.id
        and record.state not in LEAVING
    )


def _ours(
    host: Host, record: Record | None, target: str, *, strict: bool = True
) -> tuple[Installation, ...]:
    """Return the installations that this push may take away: at the target, or the record's.

    An installation elsewhere that has enrolled as another Jump Client is somebody else's.
    """
    there = host.at(target)
    if strict and there is not None:
        if not there.owned:
            raise TremplinError("install.dir_exists", path=target)
        if there.complete and not there.readable:
            raise TremplinError("push.state_unreadable", path=target)
    recorded = host.at(record.install_dir) if record else None
    found = [there] if there is not None and there.owned else []
    if record and recorded is not None and recorded is not there and recorded.owned:
        free = not recorded.complete or recorded.client_id in (None, record.id)
        found += [recorded] if free else []
    return tuple(found)


def _mismatch(ours: tuple[Installation, ...], record: Record | None) -> str:
    if not ours:
        return ""
    if not any(found.complete for found in ours):
        return "the installation is incomplete"
    if record is None:
        return "the server has no record of it"
    if record.state in LEAVING:
        return f"the record is {record.state.value}"
    return "the record is that of another installation"


def _install(
    outcome: Outcome,
    target: str,
    ours: tuple[Installation, ...],
    host: Host,
    wanted: Wanted,
    reason: str,
) -> Plan:
    return Plan(
        outcome=outcome,
        directory=target,
        uninstall=tuple(Removal(i.directory, True, i.client_id) for i in ours if i.removable),
        sweep=_sweep(ours, host),
        install=True,
        layout=_layout(ours[0] if ours else None, host, wanted),
        reason=reason,
    )


def _sweep(ours: tuple[Installation, ...], host: Host) -> tuple[str, ...]:
    return (*(i.directory for i in ours if not i.removable), *host.leftovers)


def _layout(before: Installation | None, host: Host, wanted: Wanted) -> dict[str, str]:
    """Return what was asked for, completed by what the installation before had.

    The account of a service may have been made by the installer and gone with it, so its
    name is not handed on; only root may name a user at all.
    """
    scope = wanted.scope or (before.scope if before else "")
    startup = wanted.startup or (before.startup if before else "")
    user = wanted.user or ""
    if before and not user and host.uid == 0 and scope != "system" and before.scope != "system":
        user = before.user
    values = {"user": user, "scope": scope, "startup": startup}
    return {name: value for name, value in values.items() if value}


def _keep(current: Installation, host: Host, record: Record, wanted: Wanted) -> Plan:
    changes = property_changes(record, wanted)
    down = not current.running or record.state not in CONNECTED
    if changes or host.leftovers:
        outcome = Outcome.UPDATED
    elif down:
        outcome = Outcome.STARTED
    else:
        outcome = Outcome.UNCHANGED
    return Plan(
        outcome=outcome,
        directory=current.directory,
        sweep=host.leftovers,
        start=down,
        changes=changes,
        reason=("changed: " + ", ".join(changes)) if changes else "",
    )

"""What the owner of the code does about an update before each start of the agent.

Root runs this where root installed. It reads what the agent staged, and the agent's user
may have put anything there: only an order with the server's signature counts, the payload
is copied before it is hashed, and nothing is written or deleted in the agent's directory.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import pwd
import re
import shutil
import subprocess
import sys
import zipfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Callable, Optional

from tremplin_agent import installation, wire
from tremplin_agent.codes import Code
from tremplin_agent.core import updates
from tremplin_agent.core.identity import verify
from tremplin_agent.core.updates import Progress, Step
from tremplin_agent.installation import VERSIONS, Installation
from tremplin_agent.installer import payload
from tremplin_agent.store import Store, StoreError, sync_directory, write_durably
from tremplin_agent.updating import places

CHECK_SECONDS = 120
_PART, _COPY = ".new", ".payload"
"""Where a version is unpacked, below `versions`, and from what; it gets its name when it is
whole, and whatever has another name than the one that runs is cleared up."""
_ID = re.compile("[0-9A-Za-z-]{1,64}", re.ASCII)

log = logging.getLogger("tremplin.update")


class Fault(Exception):
    """Why an update comes to nothing."""

    def __init__(self, code: Code, detail: str = "") -> None:
        super().__init__(detail)
        self.code = code


class Settler:
    """The update of one installation, at one start of its agent."""

    def __init__(self, facts: Installation) -> None:
        self._facts = facts
        self._directory = facts.directory
        self._versions = facts.directory / VERSIONS
        self._staging = facts.var / places.STAGING
        self._link = facts.directory / "lib"
        self._progress = places.progress(facts.directory)

    def run(self) -> Progress:
        """Do what is due; return where the update stands then."""
        if not self._link.is_symlink():
            return self._progress
        before = self._progress
        self._note(updates.advance(before, self._welcomed()))
        if self._progress.step is Step.FAILED and before.step is not Step.FAILED:
            log.error("the update to %s: %s", before.version, self._progress.detail)
        self._obey()
        command = self._staged()
        if command is not None and self._progress.step in (Step.IDLE, Step.DONE, Step.FAILED):
            self._begin(command)
        if self._progress.step is Step.APPLYING:
            self._apply()
        return self._progress

    def _note(self, progress: Progress) -> None:
        if progress != self._progress:
            places.save_progress(self._directory, progress)
            self._progress = progress

    # --- what the progress asks for -----------------------------------------------------

    def _obey(self) -> None:
        """Make the installation what the progress says, as often as it takes."""
        progress = self._progress
        if progress.step is Step.IDLE or progress.settled:
            return
        self._run_version(progress.runs, progress.running_version)
        if progress.step is Step.TRIAL:
            text = f"{progress.trial_seconds} {progress.order_id}\n"
            write_durably(self._directory / places.TRIAL, text.encode(), 0o644)
        if progress.is_over:
            self._clear_up()

    def _run_version(self, name: str, version: str) -> None:
        target = f"{VERSIONS}/{name}"
        if str(self._link.readlink()) != target:
            _link(self._link, target)
        if self._facts.version != version:
            self._facts = replace(self._facts, version=version)
            path = self._directory / installation.FACTS_FILE
            write_durably(path, self._facts.dump().encode(), 0o644)

    def _clear_up(self) -> None:
        for name in (places.TRIAL, places.PREVIOUS):
            with suppress(FileNotFoundError):
                (self._directory / name).unlink()
        if self._progress.step is Step.DONE:
            self._scripts()
        for path in self._versions.iterdir():
            if path.is_file():
                path.unlink()
            elif path.name != self._progress.runs:
                shutil.rmtree(path)
        self._note(replace(self._progress, settled=True))

    def _scripts(self) -> None:
        """Have the version that proved itself write its own init-script and uninstall."""
        done = self._agent(self._link, "scripts")
        if done.returncode != 0:
            log.error("the scripts of the new version: %s", _last_line(done.stderr))

    def _welcomed(self) -> str:
        return places.read_note(self._staging / places.WELCOMED).decode("ascii", "replace").strip()

    # --- a staged order -----------------------------------------------------------------

    def _staged(self) -> Optional[wire.Command]:
        """Return the staged order if it is a new one; None otherwise."""
        raw = places.read_note(self._staging / places.ORDER)
        if not raw:
            return None
        try:
            command = places.order_of(raw)
        except wire.WireError as error:
            log.warning("%s", error)
            return None
        return None if command.id == self._progress.order_id else command

    def _begin(self, command: wire.Command) -> None:
        try:
            order = self._genuine(command)
        except wire.WireError as error:
            # Nothing is noted of it: who can't sign shall not change what is known.
            log.error("what is staged is no order of the server: %s", error)
            return
        running = self._link.readlink().name
        version = self._facts.version
        begun = updates.begun(
            self._progress, command.id, command.client_id, order, running, version
        )
        wrong = updates.fault(
            self._progress, command.client_id, order, self._facts.platform, version
        )
        if wrong is not None:
            begun = replace(begun, client_id=self._progress.client_id or command.client_id)
            self._note(updates.failed(begun, wrong))
            self._obey()
            return
        log.info("updating from %s to %s", version, order.version)
        self._note(begun)

    def _genuine(self, command: wire.Command) -> wire.UpgradeOrder:
        """Return the order of a command; WireError unless the server signed it."""
        if command.kind != wire.CommandKind.UPGRADE.value or not _ID.fullmatch(command.id):
            raise wire.WireError("another command")
        signed = wire.command_bytes(command.id, command.kind, command.client_id, command.body)
        if not verify(self._server_key(), wire.b64decode(command.signature), signed):
            raise wire.WireError("bad signature")
        return wire.UpgradeOrder.of(command.body)

    def _server_key(self) -> bytes:
        """Return the key that orders are signed with.

        That of the first welcome is good enough where one user owns code and state; root
        takes only what root's installer wrote down.
        """
        if self._facts.server_key:
            return bytes.fromhex(self._facts.server_key)
        if self._facts.installed_by != "root":
            with suppress(StoreError):
                return wire.b64decode(Store(self._facts.var).state().server_key)
        return b""

    # --- applying -----------------------------------------------------------------------

    def _apply(self) -> None:
        part = self._versions / _PART
        try:
            self._remove(part)
            self._unpack(part)
            self._check(part)
            payload.sync_tree(self._versions)
            self._remove(self._versions / self._progress.new)
            part.rename(self._versions / self._progress.new)
            sync_directory(self._versions)
            _link(self._directory / places.PREVIOUS, f"{VERSIONS}/{self._progress.old}")
        except (Fault, OSError, zipfile.BadZipFile, ValueError, KeyError) as error:
            log.error("the update to %s failed: %s", self._progress.version, error)
            self._note(updates.failed(self._progress, _code(error), str(error)))
        else:
            self._note(updates.applied(self._progress))
        self._obey()

    def _unpack(self, part: Path) -> None:
        command = places.order_of(places.read_note(self._staging / places.ORDER))
        if command.id != self._progress.order_id:
            raise Fault(Code.UPDATE_REFUSED, "another order was staged meanwhile")
        order = self._genuine(command)
        copy = self._versions / _COPY
        copy.unlink(missing_ok=True)
        _copy(self._staging / places.PAYLOAD, copy, order)
        source = payload.read(copy)
        if (source.version, source.platform) != (order.version, order.platform):
            raise Fault(Code.UPDATE_DAMAGED, f"the payload is {source.platform} {source.version}")
        payload.unpack(copy, part)
        copy.unlink()

    def _check(self, part: Path) -> None:
        """Load all of the new version: as the owner, which leaves bytecode, then as its user."""
        for become in [None, self._becoming()] if self._facts.installed_by == "root" else [None]:
            done = self._agent(part, "check", become)
            if done.returncode != 0:
                raise Fault(Code.UPDATE_CANNOT_RUN, _last_line(done.stderr))

    def _becoming(self) -> Callable[[], None]:
        user = pwd.getpwnam(self._facts.user)

        def become() -> None:
            os.initgroups(user.pw_name, user.pw_gid)
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)

        return become

    def _agent(
        self, code: Path, command: str, become: Optional[Callable[[], None]] = None
    ) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(  # noqa: S603 - our own program
                [sys.executable, "-I", "-S", str(code), command, "--dir", str(self._directory)],
                preexec_fn=become,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                cwd="/",
                timeout=CHECK_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise Fault(Code.UPDATE_CANNOT_RUN, f"`{command}` takes too long") from error

    @staticmethod
    def _remove(path: Path) -> None:
        with suppress(FileNotFoundError):
            shutil.rmtree(path)


def settle(directory: Path) -> Progress:
    """Do what is due about the update of the installation in `directory`."""
    return Settler(installation.read(directory)).run()


def _link(path: Path, target: str) -> None:
    """Make `path` a link to `target`, in one step, durably."""
    temporary = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):
        temporary.unlink()
    temporary.symlink_to(target)
    temporary.replace(path)
    sync_directory(path.parent)


def _copy(source: Path, target: Path, order: wire.UpgradeOrder) -> None:
    """Copy a payload and hold the copy against the order: the original may change."""
    digest, left = hashlib.sha256(), order.size
    with os.fdopen(places.open_foreign(source), "rb") as file, target.open("xb") as copy:
        while left > 0:
            piece = file.read(min(left, 1 << 20))
            if not piece:
                break
            digest.update(piece)
            copy.write(piece)
            left -= len(piece)
    if left or digest.hexdigest() != order.sha256:
        raise Fault(Code.UPDATE_DAMAGED, "the staged payload does not have the ordered hash")


def _code(error: Exception) -> Code:
    if isinstance(error, Fault):
        return error.code
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Code.UPDATE_NO_SPACE
    return Code.UPDATE_DAMAGED


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it gives no reason"])[-1][:300]

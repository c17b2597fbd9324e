"""The installation itself: all of it, or nothing.

Everything is first made in `DIR.partial-<random>`, which has no effect on the host. It
is renamed to DIR, and from then on DIR's own `uninstall` can undo what follows, after a
failure as well as after a power cut: account, boot entry, enrolment. `complete` in
install.json is written last.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import List, Optional

from tremplin_agent.codes import Code
from tremplin_agent.installation import FACTS_FILE, Installation
from tremplin_agent.installer import accounts, boot, payload, scripts
from tremplin_agent.installer.arguments import Arguments
from tremplin_agent.installer.checks import Plan, Runner, check_place
from tremplin_agent.installer.leftovers import LOCK, sweep, take_lock
from tremplin_agent.installer.report import Reporter
from tremplin_agent.parameters import BY_NAME
from tremplin_agent.platform.linux_boot import service_name
from tremplin_agent.refusal import Refusal, enrolment_refusal
from tremplin_agent.store import sync_directory, write_durably

ENROL_SECONDS = 90
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""They end an installation, but not its undoing."""


class Installer:
    """One run of the installer."""

    def __init__(self, plan: Plan, arguments: Arguments, source: payload.Payload) -> None:
        self._plan = plan
        self._source = source
        self._directory = plan.directory
        self._partial = plan.directory.with_name(
            f"{plan.directory.name}.partial-{secrets.token_hex(4)}"
        )
        self._made_parents: List[Path] = []
        self._boot_parents: List[Path] = []
        self._runner: Runner = plan.runner
        self._installation = self._facts(arguments)
        self._lock: Optional[int] = None

    def run(self, reporter: Reporter) -> Installation:
        """Install; return the facts. Raises Refusal, with nothing left behind."""
        sweep(self._directory)
        check_place(self._plan, self._source.size, reporter)
        try:
            self._prepare()
            self._partial.rename(self._directory)
            sync_directory(self._directory.parent)
            self._finish(reporter)
        except BaseException as error:
            self._undo()
            if isinstance(error, OSError):
                raise _refusal_of(error, self._directory) from error
            raise
        return self._installation

    def _facts(self, arguments: Arguments) -> Installation:
        plan = self._plan
        shown = {n: v for n, v in arguments.given.items() if not BY_NAME[n].secret}
        return Installation(
            install_dir=str(plan.directory),
            user=plan.runner.name,
            scope=plan.scope,
            startup=plan.managers[0],
            name=service_name(plan.directory),
            platform=self._source.platform,
            installed_by="root" if plan.is_root else "user",
            installed_at=time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
            python=plan.python,
            urls=list(plan.key_info.urls),
            ca_pin=plan.key_info.ca_pin.hex(),
            parameters=shown,
        )

    # --- without effect on the host ---------------------------------------------------

    def _prepare(self) -> None:
        self._make_parents()
        self._partial.mkdir(mode=0o755)
        self._lock = take_lock(self._partial)
        payload.unpack(self._source.path, self._partial / "lib")
        var = self._partial / "var"
        var.mkdir(mode=0o700)
        write_durably(var / "key-info", self._plan.key_text.encode() + b"\n", 0o600)
        self._choose(self._plan.managers[0], self._partial)
        self._check_agent(self._partial, as_runner=False)
        _sync_tree(self._partial)

    def _make_parents(self) -> None:
        missing = [p for p in self._directory.parents if not p.exists()]
        for parent in reversed(missing):
            parent.mkdir(mode=0o755)
            self._made_parents.insert(0, parent)

    def _choose(self, manager: str, directory: Path) -> None:
        """Take a manager, and write facts and scripts that know it."""
        plan = self._plan
        entry = boot.boot_entry(manager, self._installation.name, plan.is_root)
        if entry.startswith("/"):
            self._boot_parents += [path for path in Path(entry).parents if not path.exists()]
        self._installation = replace(
            self._installation,
            startup=manager,
            boot_entry=entry,
            made_parents=[str(path) for path in (*self._boot_parents, *self._made_parents)],
            linger_made=plan.lingers and boot.needs_linger(manager, plan.is_root, plan.runner.name),
        )
        for name in ("uninstall", "init-script"):
            text = scripts.render(f"{name}.sh", self._installation)
            write_durably(directory / name, text.encode(), 0o755)
        self._write_facts(directory)

    def _write_facts(self, directory: Path) -> None:
        write_durably(directory / FACTS_FILE, self._installation.dump().encode(), 0o644)

    # --- with effect, undone by DIR/uninstall -----------------------------------------

    def _finish(self, reporter: Reporter) -> None:
        if self._plan.needs_account:
            self._runner = accounts.ensure(self._installation.name, self._directory)
        self._hand_over()
        self._check_agent(self._directory, as_runner=True)
        self._register(reporter)
        if self._plan.online:
            self._enrol()
        self._installation = replace(self._installation, complete=True)
        self._write_facts(self._directory)
        self._start()
        self._release()

    def _hand_over(self) -> None:
        """Give the agent what is its own; all else stays the installing user's."""
        if not self._plan.is_root:
            return
        var = self._directory / "var"
        assert self._runner.uid is not None
        assert self._runner.gid is not None
        for path in (*var.iterdir(), var):
            os.chown(path, self._runner.uid, self._runner.gid)
        self._script("prepare")

    def _register(self, reporter: Reporter) -> None:
        for manager in self._plan.managers:
            if manager != self._installation.startup:
                self._choose(manager, self._directory)
            try:
                boot.register(self._installation)
            except Refusal as refusal:
                if self._plan.chosen:
                    raise
                detail = refusal.parameters.get("detail", "")
                self._script("unregister")
                reporter.warn(
                    f"warning: {manager} will not start it at boot ({detail}); trying the next way",
                    f"attention : {manager} ne le lancera pas au démarrage ({detail}) ; "
                    "essai du moyen suivant",
                )
                continue
            break
        if self._installation.startup == "none" and not self._plan.chosen:
            reporter.warn(
                "warning: nothing on this host can start the Jump Client at boot; run "
                f"{self._directory}/init-script start after each boot",
                "attention : rien sur cette machine ne peut lancer le Jump Client au démarrage ; "
                f"lancez {self._directory}/init-script start après chaque démarrage",
            )

    def _check_agent(self, directory: Path, as_runner: bool) -> None:
        """Load all that the agent needs: proof that it can run here. Leaves its bytecode."""
        result = self._agent("check", directory, as_runner)
        if result.returncode != 0:
            last = (result.stderr.strip().splitlines() or ["it gives no reason"])[-1]
            raise Refusal(Code.INSTALL_INTERNAL, detail=f"the agent cannot run here: {last}")

    def _enrol(self) -> None:
        result = self._agent("enrol", self._directory, as_runner=True)
        try:
            outcome = json.loads(result.stdout)
        except ValueError:
            last = (result.stderr.strip().splitlines() or ["it gives no reason"])[-1]
            raise Refusal(Code.INSTALL_INTERNAL, detail=f"enrolment failed: {last}") from None
        if outcome["code"]:
            raise enrolment_refusal(outcome["code"], outcome["detail"])

    def _agent(
        self, command: str, directory: Path, as_runner: bool
    ) -> subprocess.CompletedProcess[str]:
        user = self._runner if as_runner and self._plan.is_root else None
        return subprocess.run(  # noqa: S603 - our own program
            [self._plan.python, "-I", "-S", str(directory / "lib"), command],
            preexec_fn=None if user is None else _become(user),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            timeout=ENROL_SECONDS,
        )

    def _start(self) -> None:
        result = self._script("start")
        if result.returncode != 0:
            detail = result.stderr.strip() or f"exit status {result.returncode}"
            raise Refusal(Code.INSTALL_STARTUP, manager=self._installation.startup, detail=detail)

    def _script(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own program
            ["/bin/sh", str(self._directory / "init-script"), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    # --- after a failure --------------------------------------------------------------

    def _undo(self) -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        renamed = self._lock is not None and not self._partial.exists()
        if renamed and self._directory.exists():
            self._script("uninstall", "--quiet")
            shutil.rmtree(self._directory, ignore_errors=True)
        shutil.rmtree(self._partial, ignore_errors=True)
        for parent in self._made_parents:
            with suppress(OSError):
                parent.rmdir()

    def _release(self) -> None:
        with suppress(OSError):
            (self._directory / LOCK).unlink()


def _become(user: Runner):  # type: ignore[no-untyped-def]
    def change() -> None:
        assert user.uid is not None
        assert user.gid is not None
        os.initgroups(user.name, user.gid)
        os.setgid(user.gid)
        os.setuid(user.uid)

    return change


def _refusal_of(error: OSError, path: Path) -> Refusal:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Refusal(Code.INSTALL_NO_SPACE, path=path)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG):
        return Refusal(
            Code.INSTALL_DIR_NOT_WRITABLE, path=path, detail=error.strerror or str(error)
        )
    return Refusal(Code.INSTALL_INTERNAL, detail=str(error))


def _sync_tree(directory: Path) -> None:
    """Have the whole file system of `directory` written out: one call, not one per file."""
    try:
        subprocess.run(["sync", "-f", str(directory)], capture_output=True, check=True)  # noqa: S603, S607
    except (OSError, subprocess.CalledProcessError):
        os.sync()

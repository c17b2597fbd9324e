"""What must hold before anything is written: arguments and host in, a plan out."""

from __future__ import annotations

import os
import platform
import pwd
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import List, Optional, Tuple

from tremplin_agent.codes import Code
from tremplin_agent.installation import SYSTEM_DIRECTORY, USER_DIRECTORY
from tremplin_agent.installer.arguments import Arguments
from tremplin_agent.installer.report import Reporter
from tremplin_agent.platform import linux, linux_boot, macos, macos_accounts, macos_boot
from tremplin_agent.refusal import Refusal
from tremplin_agent.wire import KeyInfo, WireError

ACCOUNT = macos_accounts.ACCOUNT if sys.platform == "darwin" else "tremplin-jc"
"""Who runs the Jump Clients of `--scope system` that name no user."""

SPARE_BYTES = 8 * 1024 * 1024
"""Room that an installation leaves to the agent's own files."""

PYTHONS = (
    macos.PYTHONS
    if sys.platform == "darwin"
    else (
        "/usr/bin/python3",
        "/usr/local/bin/python3",
        "/opt/saltstack/salt/bin/python3",
        "/usr/libexec/platform-python",
    )
)
"""Where a Python is looked for, the best first."""


@dataclass(frozen=True)
class Runner:
    """Who runs the agent. uid is None for an account that is still to be made."""

    name: str
    uid: Optional[int]
    gid: Optional[int]


@dataclass(frozen=True)
class Plan:
    """An installation that can be done.

    managers: what may register it at boot, in order of preference; chosen: whether one
    was named, so that its failure is a failure. python: path of the agent's interpreter.
    lingers: a user's agent runs while that user is not signed in as well.
    """

    directory: Path
    runner: Runner
    scope: str
    is_root: bool
    managers: Tuple[str, ...]
    chosen: bool
    key_text: str = field(repr=False)
    key_info: KeyInfo = field(repr=False)
    python: str
    online: bool
    lingers: bool = True

    @property
    def needs_account(self) -> bool:
        """Whether it runs as the account that installers make and remove."""
        return self.is_root and self.runner.name == ACCOUNT


def plan(
    arguments: Arguments,
    stamped_key: str,
    wanted: str,
    reporter: Reporter,
    lingers: bool = True,
) -> Plan:
    """Return the plan, having written nothing; Refusal says why there is none.

    stamped_key: the key info in this installer, empty in a generic one. wanted: the
    platform that it is made for. lingers: see `Plan`.
    """
    check_platform(wanted)
    is_root = os.geteuid() == 0
    scope, runner = _runner(arguments, is_root, reporter)
    key_text = arguments.get("key_info") or stamped_key
    managers, chosen = _managers(arguments.get("startup", "auto"), is_root)
    directory = _directory(arguments.get("install_dir"), is_root)
    return Plan(
        directory=directory,
        runner=runner,
        scope=scope,
        is_root=is_root,
        managers=managers,
        chosen=chosen,
        key_text=key_text,
        key_info=_key_info(key_text),
        python=_python(is_root),
        online=bool(arguments.get("online_install")),
        lingers=lingers,
    )


def check_platform(wanted: str) -> None:
    """Refuse a host that the payload cannot run on."""
    found = _platform_name(sys.platform)
    if found == wanted and sys.maxsize <= 2**32:
        found = f"{wanted} with a 32-bit Python"
    elif found == wanted and "linux" in wanted and platform.libc_ver()[0] != "glibc":
        found = f"{wanted} without glibc"
    if found != wanted:
        raise Refusal(Code.INSTALL_PLATFORM, wanted=wanted, found=found)


def _platform_name(system: str) -> str:
    if system == "darwin":
        return macos.platform_name()
    return linux.platform_name() if system.startswith("linux") else system


def _key_info(text: str) -> KeyInfo:
    if not text:
        raise Refusal(Code.INSTALL_KEY_MISSING)
    try:
        return KeyInfo.decode(text)
    except WireError as error:
        raise Refusal(Code.INSTALL_KEY_DAMAGED) from error


# --- who ------------------------------------------------------------------------------


def _runner(arguments: Arguments, is_root: bool, reporter: Reporter) -> Tuple[str, Runner]:
    scope, named = arguments.get("scope", "user"), arguments.get("user")
    if not is_root:
        return "user", _installing_user(scope, named)
    if named is not None:
        return scope, _existing(named)
    if scope == "system":
        return scope, _account()
    reporter.warn(
        "warning: a Jump Client never runs as root, so that whoever reaches it still has "
        "to give credentials to become root",
        "attention : un Jump Client ne s'exécute jamais en root, afin que celui qui s'y "
        "connecte doive encore s'authentifier pour devenir root",
    )
    raise Refusal(Code.INSTALL_ROOT_NEEDS_USER)


def _installing_user(scope: str, named: Optional[str]) -> Runner:
    if scope == "system":
        raise Refusal(Code.INSTALL_NEEDS_ROOT, parameter="--scope system")
    try:
        me = pwd.getpwuid(os.geteuid())
    except KeyError:
        raise Refusal(Code.INSTALL_USER_MISSING, user=os.geteuid()) from None
    if named is not None and named != me.pw_name:
        _existing(named)
        raise Refusal(Code.INSTALL_NEEDS_ROOT, parameter="--user")
    return Runner(me.pw_name, me.pw_uid, me.pw_gid)


def _existing(name: str) -> Runner:
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise Refusal(Code.INSTALL_USER_MISSING, user=name) from None
    if found.pw_uid == 0:
        raise Refusal(
            Code.INSTALL_BAD_VALUE, parameter="--user", detail="a Jump Client never runs as root"
        )
    return Runner(found.pw_name, found.pw_uid, found.pw_gid)


def _account() -> Runner:
    try:
        return _existing(ACCOUNT)
    except Refusal:
        return Runner(ACCOUNT, None, None)


# --- where ----------------------------------------------------------------------------


def _directory(given: Optional[str], is_root: bool) -> Path:
    if given is None:
        return SYSTEM_DIRECTORY if is_root else Path.home() / USER_DIRECTORY
    # Not `resolve`: the directory keeps the name that was given, symbolic links and all.
    return Path(os.path.abspath(Path(given).expanduser()))  # noqa: PTH100


def check_place(made: Plan, size: int, reporter: Reporter) -> None:
    """Refuse a directory that exists, that cannot be made, or that the runner can't enter.

    size: bytes of what will be written.
    """
    directory = made.directory
    if os.path.lexists(directory):
        raise Refusal(Code.INSTALL_DIR_EXISTS, path=directory)
    above = _nearest(directory)
    _check_writable(directory, above)
    if made.is_root:
        _check_rights(made.runner, above, reporter)
    room = os.statvfs(above)
    if room.f_bavail * room.f_frsize < size + SPARE_BYTES:
        raise Refusal(Code.INSTALL_NO_SPACE, path=above)


def _nearest(directory: Path) -> Path:
    """Return the deepest parent that exists; Refusal when it is no directory."""
    for above in directory.parents:
        if os.path.lexists(above):
            if not above.is_dir():
                detail = f"{above} is not a directory"
                raise Refusal(Code.INSTALL_DIR_NOT_WRITABLE, path=directory, detail=detail)
            return above
    return Path("/")


def _check_writable(directory: Path, above: Path) -> None:
    detail = ""
    flags = os.statvfs(above).f_flag
    if flags & os.ST_RDONLY:
        detail = f"{above} is on a read-only file system"
    elif flags & getattr(os, "ST_NOEXEC", 0):
        detail = f"{above} is on a file system that runs no programs (noexec)"
    elif not os.access(above, os.W_OK | os.X_OK):
        detail = f"no right to write in {above}"
    if detail:
        raise Refusal(Code.INSTALL_DIR_NOT_WRITABLE, path=directory, detail=detail)


def _check_rights(runner: Runner, above: Path, reporter: Reporter) -> None:
    if not _can_enter(above, runner):
        raise Refusal(Code.INSTALL_USER_NO_RIGHTS, user=runner.name, path=above)
    owned = _owned_by_others(above)
    if owned is not None:
        reporter.warn(
            f"warning: root starts the Jump Client at boot, and whoever may change {owned} can "
            "change what it starts; a directory below /opt is safer",
            f"attention : root lance le Jump Client au démarrage, et qui peut modifier {owned} "
            "peut changer ce qu'il lance ; un répertoire sous /opt est plus sûr",
        )


def _owned_by_others(directory: Path) -> Optional[Path]:
    """Return a directory on the way in which somebody but root may rename things."""
    for place in (directory, *directory.parents):
        facts = place.stat()
        shared = facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not facts.st_mode & stat.S_ISVTX
        if facts.st_uid != 0 or shared:
            return place
    return None


def _can_enter(directory: Path, runner: Runner) -> bool:
    """Return whether the runner may pass through `directory` and all above it.

    An account that is still to be made passes where everybody does.
    """
    groups = set(os.getgrouplist(runner.name, runner.gid)) if runner.gid is not None else set()
    for place in (directory, *directory.parents):
        facts = place.stat()
        if runner.uid is not None and facts.st_uid == runner.uid:
            wanted = stat.S_IXUSR
        elif facts.st_gid in groups:
            wanted = stat.S_IXGRP
        else:
            wanted = stat.S_IXOTH
        if not facts.st_mode & wanted:
            return False
    return True


# --- with what ------------------------------------------------------------------------


def managers(system: str, is_root: bool) -> Tuple[str, ...]:
    """Return what may start it at boot here, best first. system: as `sys.platform` has it."""
    if system == "darwin":
        return macos_boot.MANAGERS
    return linux_boot.detect(Path("/"), is_root, shutil.which("crontab") is not None)


def _managers(startup: str, is_root: bool) -> Tuple[Tuple[str, ...], bool]:
    found = managers(sys.platform, is_root)
    if startup == "auto":
        return found, False
    if startup in ("sysv", "openrc") and not is_root:
        raise Refusal(Code.INSTALL_NEEDS_ROOT, parameter=f"--startup {startup}")
    missing = {
        "systemd": not Path("/run/systemd/system").is_dir(),
        "openrc": not Path("/sbin/openrc-run").exists(),
        "sysv": not linux_boot.INIT_SCRIPTS.is_dir(),
        "cron": shutil.which("crontab") is None,
        "launchd": "launchd" not in found,
    }
    if missing.get(startup, False) or (sys.platform == "darwin" and startup not in found):
        raise Refusal(
            Code.INSTALL_STARTUP, manager=startup, detail="it is not what runs on this host"
        )
    return (startup,), True


def _python(is_root: bool) -> str:
    """Return the interpreter that will run the agent.

    The system's own comes first: it stays where it is when this shell's does not. What
    root installs must be reachable, and not writable, by the user that runs it.
    """
    candidates: List[str] = [*PYTHONS, sys.executable]
    for candidate in candidates:
        reachable = os.access(candidate, os.X_OK) and (
            not is_root or _suits_root(Path(candidate).resolve(), sys.platform)
        )
        if reachable and _is_recent(candidate):
            return candidate
    raise Refusal(Code.INSTALL_PYTHON_MISSING)


def _is_recent(python: str) -> bool:
    question = (
        "import sys, ssl, zlib, asyncio, hashlib; "
        "sys.exit(sys.version_info < (3, 9) or sys.implementation.name != 'cpython')"
    )
    command = [python, "-I", "-S", "-c", question]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603


def _suits_root(path: Path, system: str) -> bool:
    """Return whether everybody can run that Python, and root may: on a Mac Homebrew's, for
    one, is a person's own, who could change what root runs."""
    return _is_public(path) and (system != "darwin" or path.stat().st_uid == 0)


def _is_public(path: Path) -> bool:
    return all(place.stat().st_mode & stat.S_IXOTH for place in (path, *path.parents))

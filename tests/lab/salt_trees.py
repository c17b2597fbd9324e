"""Salt for the hosts of the lab, which reach no network: a tree of packages for each Python.

Resolved and installed by pip with the base's own Python, in a throw-away copy of the base, so
that every dependency is the one for that Python. Compiled once, here: every start of a minion
and every one of its jobs would do it again. Kept by Salt's version and the base.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from tests.lab.bases import Bases
from tests.lab.host import Host
from tests.lab.lab import CACHE
from tests.lab.recipes import RECIPES

PLACE = "opt/salt"
LONG_TERM = "3006.28"
RELEASES = {"bullseye": LONG_TERM}
"""What a suite gets in place of the release under test: 3008 does not run on Python 3.9."""
_BUILD = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$2"
mkdir "$2/up" "$2/work" "$2/root"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/up,workdir=$2/work" "$2/root"
mkdir -p "$2/root/given" "$2/root/made" "$2/root/wheels"
mount --bind "$3" "$2/root/given"
mount --bind "$4" "$2/root/made"
[ ! -d "$5" ] || mount --bind "$5" "$2/root/wheels"
cp -L /etc/resolv.conf "$2/root/etc/resolv.conf"
[ ! -f /etc/pip.conf ] || cp -L /etc/pip.conf "$2/root/etc/pip.conf"
cp -L /etc/ssl/certs/ca-certificates.crt "$2/root/etc/ssl/certs/ca-certificates.crt"
mount -t proc proc "$2/root/proc"
mount --bind /dev "$2/root/dev"
exec chroot "$2/root" /usr/bin/env PIP_FIND_LINKS=/wheels python3 -c "$6"
"""
_PIP = """
import runpy, sys, sysconfig
# Debian's Python before 3.10 lacks the parts of distutils that pip would ask.
sysconfig._PIP_USE_SYSCONFIG = True
sys.path.insert(0, "/given/pip")
common = "install -q --only-binary=:all: --target /made --upgrade".split()
sys.argv = ["pip", *common, "-r", "/given/needed.txt", "/given/{wheel}"]
runpy.run_module("pip", run_name="__main__")
"""
_NOT_FOR_MINIONS = (
    *("apache-libcloud", "cheroot", "cherrypy", "contextvars", "gitpython", "immutables"),
    *("timelib", "virtualenv"),
)
"""What only masters, clouds and old Pythons need; some of it has no wheel for every Python."""
MINIONS = ("bookworm-systemd", "bullseye-systemd")
"""A base of each suite that a minion of the tests runs on."""
_PIP_FOR_ALL = "pip==25.2"
"""The last line of pip that runs on every base's Python."""


def tree(base: str, release: str = "") -> Path:
    """Return the tree of Salt for a base, made when it is not there."""
    suite = RECIPES[base].suite
    release = release or RELEASES.get(suite) or version("salt")
    place = CACHE / "salt" / f"{release}-{suite}"
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.is_dir():
            _make(Bases(CACHE / "bases").tree(base), place, release)
    return place


def prepare() -> list[Path]:
    """Make all that the tests need of Salt beside what is installed here."""
    return [*map(tree, MINIONS), programs(LONG_TERM)]


def programs(release: str) -> Path:
    """Return a directory of Salt's programs of a release, in an environment of its own.

    It holds what a master of the lab needs, for the Python of this process.
    """
    place = CACHE / "salt" / f"{release}-here{sys.version_info[0]}{sys.version_info[1]}"
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.is_dir():
            _make_here(place, release)
    return place / "bin"


def _make_here(place: Path, release: str) -> None:
    partial, given = (place.with_name(f"{name}-{place.name}") for name in ("partial", "given"))
    for directory in (partial, given):
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
    wheel = given / _prepare(given, release)
    common = ["install", "-q", "--only-binary=:all:", "--target", str(partial)]
    needed = ["-r", str(given / "needed.txt"), str(wheel)]
    _checked([sys.executable, "-m", "pip", *common, *needed])
    # The base's Python sees nothing of the environment of the tests.
    python = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info[1]}"
    for name in ("master", "run", "key", "call", "ssh"):
        program = partial / "bin" / f"salt-{name}"
        _write_program(program, python, f"salt_{name}")
    _write_program(partial / "bin" / "salt", python, "salt_main")
    shutil.rmtree(given)
    partial.rename(place)


def _write_program(path: Path, python: Path, function: str) -> None:
    path.parent.mkdir(exist_ok=True)
    call = f"from salt.scripts import {function}; {function}()"
    path.write_text(
        # It finds its packages from where it is: a cache may be moved.
        '#!/bin/sh\nPYTHONPATH=$(cd "$(dirname "$0")/.." && pwd)\n'
        "export PYTHONPATH PYTHONWARNINGS=ignore PYTHONDONTWRITEBYTECODE=1\n"
        f"exec {python} -s -c '{call}' \"$@\"\n"
    )
    path.chmod(0o755)


def give(host: Host, release: str = "") -> None:
    """Put Salt on the disk of a host that is off: hard links, so it costs neither room nor time.

    Nothing on a host writes to these files; `PYTHONDONTWRITEBYTECODE` keeps it so.
    """
    assert not host.powered, f"{host.name} is on"
    target = Path(host.entry.disk) / "up" / PLACE
    target.parent.mkdir(parents=True, exist_ok=True)
    made = tree(host.entry.base, release)
    done = subprocess.run(["cp", "-al", made, target], capture_output=True, check=False)
    if done.returncode:  # Another file system.
        shutil.rmtree(target, ignore_errors=True)
        subprocess.run(["cp", "-a", made, target], check=True)


def _make(base: Path, place: Path, release: str) -> None:
    names = ("partial", "scratch", "given")
    partial, scratch, given = (place.with_name(f"{name}-{place.name}") for name in names)
    for directory in (partial, scratch, given):
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
    program = _PIP.replace("{wheel}", _prepare(given, release))
    wheels = os.environ.get("PIP_FIND_LINKS", "")
    words = [base, scratch, given, partial, wheels, program]
    _checked(["unshare", "--mount", "sh", "-c", _BUILD, "sh", *map(str, words)])
    for directory in (scratch, given):
        shutil.rmtree(directory)
    partial.rename(place)


def _prepare(given: Path, release: str) -> str:
    """Get pip, Salt and the list of what it needs; return the name of Salt's wheel.

    Salt's wheel names what it needs on the Python that built it, so the wheel is made without
    that, and the list is that of the source, which knows every Python.
    """
    pip = [sys.executable, "-m", "pip"]
    _checked([*pip, "install", "-q", "--target", str(given / "pip"), _PIP_FOR_ALL])
    _checked([*pip, "download", "-q", "--no-deps", "--no-binary=:all:", "-d", str(given),
              f"salt=={release}"])  # fmt: skip
    (source,) = given.glob("salt-*.tar.gz")
    _checked(["tar", "-xzf", str(source), "-C", str(given)])
    unpacked = given / source.name.removesuffix(".tar.gz")
    (unpacked / "requirements" / "crypto.txt").touch()
    lists = [unpacked / "requirements" / f"{name}.txt" for name in ("base", "zeromq", "crypto")]
    lines = [line for file in lists for line in file.read_text("utf-8").splitlines()]
    needed = [line for line in lines if not line.lower().startswith(("-r", *_NOT_FOR_MINIONS))]
    (given / "needed.txt").write_text("\n".join(needed))
    for file in lists:
        file.write_text("")
    _checked([*pip, "wheel", "-q", "--no-deps", "-w", str(given), str(unpacked)])
    (wheel,) = given.glob("salt-*.whl")
    return wheel.name


def _checked(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{command[:6]}:\n{done.stdout[-2000:]}{done.stderr[-3000:]}"

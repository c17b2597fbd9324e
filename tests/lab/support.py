"""Whether this machine can run the lab, and what it lacks."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

PACKAGES = Path(__file__).with_name("packages.txt")
PROGRAMS = ("ip", "mmdebstrap", "nft", "nsenter", "ssh", "ssh-keygen", "systemd-nspawn", "zstd")
_TRIAL = """
set -e
mount --make-rprivate /
cd "$1"; mkdir a b c d e
mount -t overlay overlay -o lowerdir=a,upperdir=b,workdir=c d
mount -t cgroup2 cgroup2 e
"""


@cache
def missing() -> tuple[str, ...]:
    """Return what stands in the way of the lab here; nothing when it can run."""
    if os.geteuid() != 0:
        return ("it needs root",)
    programs = [name for name in PROGRAMS if shutil.which(name) is None]
    if programs:
        return (f"not installed: {', '.join(programs)} (packages in {PACKAGES.name})",)
    return _kernel()


def _kernel() -> tuple[str, ...]:
    """Try what the kernel, or the container around us, may forbid."""
    with tempfile.TemporaryDirectory(dir=_place()) as directory:
        command = ["unshare", "--mount", "--net", "sh", "-c", _TRIAL, "sh", directory]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return (f"no namespaces, overlayfs or cgroup2: {done.stderr.strip().splitlines()[-1]}",)
    return ()


def _place() -> Path:
    """Return a directory on the file system that will hold the disks."""
    from tests.lab.lab import CACHE

    CACHE.mkdir(parents=True, exist_ok=True)
    return CACHE

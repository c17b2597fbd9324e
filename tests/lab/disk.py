"""The disks of hosts: directories that overlayfs lays over a base system."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.lab.registry import Entry

ACCOUNTS = ("deploy", "plain")


def blank(entry: Entry, key: Path) -> None:
    """Make the disk of `entry` anew: its names, its identity, and who may sign in.

    key: private ssh key whose public half opens root and the accounts of the base.
    """
    disk = Path(entry.disk)
    shutil.rmtree(disk, ignore_errors=True)
    for part in ("up/etc/ssh", "work", "root"):
        (disk / part).mkdir(parents=True)
    etc = disk / "up/etc"
    (etc / "hostname").write_text(f"{entry.name}\n")
    (etc / "hosts").write_text(
        f"127.0.0.1 localhost\n127.0.1.1 {entry.name}.lab {entry.name}\n10.77.0.1 tremplin.lab\n"
    )
    (etc / "resolv.conf").write_text("")
    (etc / "machine-id").write_text(f"{entry.machine_id}\n")
    host_key = etc / "ssh/ssh_host_ed25519_key"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", entry.name, "-f", host_key],
        check=True,
    )
    _authorise(etc, key.with_suffix(".pub").read_text("ascii"))


def _authorise(etc: Path, public_key: str) -> None:
    """Let the lab's key in by sshd's own configuration: home directories stay untouched."""
    (etc / "ssh/lab_authorized_keys").write_text(public_key)
    directory = etc / "ssh/sshd_config.d"
    directory.mkdir()
    (directory / "key.conf").write_text(
        "AuthorizedKeysFile /etc/ssh/lab_authorized_keys .ssh/authorized_keys\n"
    )


def copy(source: Entry, target: Entry) -> None:
    """Make the disk of `target` a copy of the disk of `source`, which should be off."""
    shutil.rmtree(target.disk, ignore_errors=True)
    for part in ("work", "root"):
        (Path(target.disk) / part).mkdir(parents=True)
    subprocess.run(
        ["cp", "--archive", "--reflink=auto", f"{source.disk}/up", f"{target.disk}/up"], check=True
    )


def drop(entry: Entry) -> None:
    """Throw a disk away."""
    shutil.rmtree(entry.disk, ignore_errors=True)

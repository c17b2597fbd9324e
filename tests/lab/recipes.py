"""The base systems of the lab, as data, and the hash that names their cached builds."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

CUSTOMIZE = Path(__file__).with_name("customize.sh")

_COMMON = (
    "ca-certificates",
    "cron",
    "curl",
    "iproute2",
    "kmod",
    "openssh-server",
    "procps",
    "python3",
    "sudo",
)
_SYSTEMD = ("dbus", "libpam-systemd", "systemd", "systemd-sysv")
_SYSV = ("initscripts", "inetutils-syslogd", "sysvinit-core", "orphan-sysvinit-scripts")


@dataclass(frozen=True)
class Recipe:
    """One base system.

    init: "systemd", "sysv" or "openrc"; comm: what /proc/1/comm must read once booted;
    marker: a path that exists only when that init system runs the host.
    """

    name: str
    suite: str
    init: str
    packages: tuple[str, ...]
    comm: str
    marker: str

    @property
    def digest(self) -> str:
        """Hash over all that decides what the build contains, archive contents aside."""
        text = json.dumps(asdict(self), sort_keys=True) + CUSTOMIZE.read_text("utf-8")
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _systemd(suite: str, *extra: str) -> Recipe:
    packages = (*_COMMON, *_SYSTEMD, *extra)
    return Recipe(f"{suite}-systemd", suite, "systemd", packages, "systemd", "/run/systemd/system")


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        # polkitd lets a user without root switch lingering on for itself; the two other
        # systemd bases lack it, so that both situations are met.
        _systemd("bookworm", "polkitd"),
        Recipe(
            "bookworm-sysv", "bookworm", "sysv", (*_COMMON, *_SYSV, "insserv"), "init",
            "/etc/init.d/.depend.start",
        ),
        Recipe(
            "bookworm-openrc", "bookworm", "openrc", (*_COMMON, *_SYSV, "openrc"), "init",
            "/run/openrc/softlevel",
        ),
        _systemd("bullseye"),
        _systemd("trixie"),
    )
}  # fmt: skip

TOOLS = "bookworm-tools"
"""A host to work on in sessions; what is tried on every base need not be tried on it."""
RECIPES[TOOLS] = Recipe(
    TOOLS, "bookworm", "systemd", (*_COMMON, *_SYSTEMD, "git", "rsync", "vim-tiny"),
    "systemd", "/run/systemd/system",
)  # fmt: skip

"""Where Debian packages come from: this machine's own APT configuration, read at run time."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_POCKETS = ("-security", "-updates")


@dataclass(frozen=True)
class Source:
    """One archive: its address and the suite it carries."""

    uri: str
    suite: str


class NoArchiveError(RuntimeError):
    """APT on this machine has no source of Debian's main component."""


def sources_for(suite: str, directory: Path = Path("/etc/apt")) -> list[str]:
    """Return one-line APT entries for `suite`, from the archives that this machine uses.

    The main archive and the security archive are recognised by the suites they carry
    here. Raises NoArchiveError when there is no main archive.
    """
    known = list(_configured(directory))
    main = [s.uri for s in known if not s.suite.endswith(_POCKETS)]
    security = [s.uri for s in known if s.suite.endswith("-security")]
    if not main:
        raise NoArchiveError(f"no Debian archive is configured in {directory}")
    entries = [f"deb {main[0]} {suite} main"]
    entries += [f"deb {uri} {suite}-security main" for uri in security[:1]]
    return entries


def acquire_options() -> list[str]:
    """Return APT's own `Acquire` settings of this machine (proxy, dates, certificates)."""
    dump = subprocess.run(["apt-config", "dump", "Acquire"], capture_output=True, text=True)
    wanted = ("Acquire::http", "Acquire::https", "Acquire::Check-", "Acquire::Retries")
    lines = [line for line in dump.stdout.splitlines() if line.startswith(wanted)]
    return [line for line in lines if not line.endswith('"";')]


def _configured(directory: Path) -> Iterator[Source]:
    folder = directory / "sources.list.d"
    for path in sorted(folder.glob("*.sources")):
        yield from _deb822(path.read_text("utf-8"))
    for path in (directory / "sources.list", *sorted(folder.glob("*.list"))):
        if path.is_file():
            yield from _one_line(path.read_text("utf-8"))


def _deb822(text: str) -> Iterator[Source]:
    for stanza in text.split("\n\n"):
        lines = [line for line in stanza.splitlines() if ":" in line and line[0] not in "# "]
        pairs = (line.split(":", 1) for line in lines)
        values = {key.strip().lower(): value.split() for key, value in pairs}
        if "main" not in values.get("components", ()) or values.get("enabled") == ["no"]:
            continue
        if not _is_debian(values.get("suites", [])):
            continue
        for uri in values.get("uris", ()):
            yield from (Source(uri, suite) for suite in values["suites"])


def _one_line(text: str) -> Iterator[Source]:
    for line in text.splitlines():
        words = line.split("#")[0].split("]")[-1].split()
        if words[:1] == ["deb"]:
            words = words[1:]
        if len(words) >= 3 and "main" in words[2:] and _is_debian(words[1:2]):
            yield Source(words[0], words[1])


def _is_debian(suites: list[str]) -> bool:
    return any(suite.split("-")[0] == _codename() for suite in suites)


def _codename() -> str:
    """Return the running release: other vendors' archives seldom name their suites so."""
    for line in Path("/etc/os-release").read_text("utf-8").splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.split("=", 1)[1].strip('"')
    return ""

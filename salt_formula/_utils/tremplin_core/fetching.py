# SPDX-License-Identifier: Apache-2.0
# A copy of ansible_collection/plugins/module_utils/fetching.py, written by .ci/salt-shared.
"""Bringing installer files to this machine, once, whole, and with their checksum."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

from .client import Client
from .errors import TremplinError

CHECKSUM_HEADER = "x-tremplin-sha256"
CHUNK = 1024 * 1024


def generic(client: Client, platform: str, dest: str, check_mode: bool) -> dict[str, Any]:
    """Return the result of having the generic file of `platform` at `dest`.

    Processes that want the same file wait for each other, and it is fetched once.
    """
    offered = _published(client, platform)
    wanted = str(offered["sha256"])

    def result(digest: str, changed: bool) -> dict[str, Any]:
        return dict(_result(dest, digest, changed), version=offered.get("version", ""))

    if checksum(dest) == wanted:
        return result(wanted, changed=False)
    if check_mode:
        return result(wanted, changed=True)
    with _locked(dest):
        if checksum(dest) == wanted:
            return result(wanted, changed=False)
        answer = client.download(f"/jump-client/payload/{platform}")
        found = hashlib.sha256(answer.body).hexdigest()
        if found != answer.headers.get(CHECKSUM_HEADER, wanted):
            raise TremplinError(
                f"the file for {platform} was damaged on its way: its checksum is {found}"
            )
        _write(dest, answer.body, 0o644)
    return result(found, changed=True)


def stamped(client: Client, path: str, dest: str, check_mode: bool) -> dict[str, Any]:
    """Return the result of having the file of one installer, with key info, at `dest`."""
    if check_mode:
        return {
            "changed": not os.path.exists(dest),
            "dest": dest,
            "diff": {"before": {}, "after": {"dest": dest}},
        }
    answer = client.download(path)
    found = hashlib.sha256(answer.body).hexdigest()
    if found != answer.headers.get(CHECKSUM_HEADER, found):
        raise TremplinError(f"the installer was damaged on its way: its checksum is {found}")
    if checksum(dest) == found:
        return _result(dest, found, changed=False)
    _write(dest, answer.body, 0o600)
    return _result(dest, found, changed=True)


def checksum(path: str) -> str | None:
    """Return the hexadecimal SHA-256 of a file, or None when it can't be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for chunk in iter(lambda: file.read(CHUNK), b""):
                digest.update(chunk)
    except OSError:
        return None
    return digest.hexdigest()


def minutes_left(timestamp: str, now: datetime | None = None) -> float:
    """Return the minutes until an RFC 3339 time; negative when it is over."""
    end = datetime.fromisoformat(timestamp.replace("Z", "+00:00"))
    return (end - (now or datetime.now(timezone.utc))).total_seconds() / 60.0


def _published(client: Client, platform: str) -> dict[str, Any]:
    offered = {item["platform"]: item for item in client.get("/jump-client/payload")}
    if platform not in offered:
        names = ", ".join(sorted(offered)) or "none"
        raise TremplinError(f"the server has no installer for {platform} (it has: {names})")
    return dict(offered[platform])


def _result(dest: str, digest: str, changed: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {"before": {}, "after": {}}
    if changed:
        shown["after"] = {"dest": dest, "sha256": digest}
    return {"changed": changed, "dest": dest, "checksum": digest, "diff": shown}


def _write(dest: str, content: bytes, mode: int) -> None:
    """Put `content` at `dest`: at once and whole, or not at all."""
    directory = os.path.dirname(os.path.abspath(dest))
    os.makedirs(directory, mode=0o700, exist_ok=True)
    descriptor, partial = tempfile.mkstemp(dir=directory, prefix=".tremplin-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
        os.replace(partial, dest)
    except BaseException:
        os.unlink(partial)
        raise


@contextmanager
def _locked(dest: str) -> Iterator[None]:
    directory = os.path.dirname(os.path.abspath(dest))
    os.makedirs(directory, mode=0o700, exist_ok=True)
    with open(
        os.path.join(directory, "." + os.path.basename(dest) + ".lock"), "a", encoding="utf-8"
    ) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

"""What is done with a host's files, over SFTP. Memory does not grow with their size."""

from __future__ import annotations

import asyncio
import secrets
import stat
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast
from urllib.parse import quote_from_bytes

import asyncssh
from asyncssh import SFTPAttrs, SFTPClient, SFTPClientFile, SFTPName

from tremplin_server.errors import Conflict, Denied, NotFound, TremplinError

BLOCK = 1024 * 1024
AHEAD = 3
"""Blocks that are asked for before the first of them is there."""

MAX_ENTRIES = 10_000
_MAX_LINKS = 500
"""Symbolic links of a directory that are followed to see what they lead to."""

_KINDS = {
    stat.S_IFDIR: "directory",
    stat.S_IFREG: "file",
    stat.S_IFLNK: "link",
}


@contextmanager
def told(path: bytes) -> Iterator[None]:
    """Turn what SFTP says about `path` into errors of the catalogue."""
    shown = readable(path)
    try:
        yield
    except (asyncssh.SFTPNoConnection, asyncssh.SFTPConnectionLost):
        raise
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath) as error:
        raise NotFound("files.missing", path=shown) from error
    except (asyncssh.SFTPPermissionDenied, asyncssh.SFTPWriteProtect) as error:
        raise Denied("files.denied", path=shown) from error
    except asyncssh.SFTPFileAlreadyExists as error:
        raise Conflict("files.exists", path=shown) from error
    except asyncssh.SFTPError as error:
        if "No space left" in error.reason or isinstance(error, asyncssh.SFTPNoSpaceOnFilesystem):
            raise TremplinError("files.full", path=shown) from error
        raise TremplinError("files.failed", path=shown, detail=error.reason[:200]) from error


def readable(path: bytes) -> str:
    """Return a path as people read it; bytes that are no text are marked."""
    return path.decode("utf-8", "replace")


def key(path: bytes) -> str:
    """Return a path in the form that travels (see `sessions.file_pages`)."""
    return quote_from_bytes(path, safe="/")


# --- looking ----------------------------------------------------------------------------


async def listing(sftp: SFTPClient, path: bytes) -> dict[str, Any]:
    """Return what is in a directory; `path` empty for the one that the session begins in."""
    with told(path):
        place = await sftp.realpath(path or b".")
        entries: list[dict[str, Any]] = []
        links: list[tuple[dict[str, Any], bytes]] = []
        truncated = False
        async for name in sftp.scandir(place):
            if name.filename in (b".", b".."):
                continue
            if len(entries) == MAX_ENTRIES:
                truncated = True
                break
            entry = _entry(place, name)
            entries.append(entry)
            if entry["kind"] == "link" and len(links) < _MAX_LINKS:
                links.append((entry, _join(place, _bytes(name.filename))))
    await asyncio.gather(*(_follow(sftp, entry, target) for entry, target in links))
    shown = {"path": key(place), "name": readable(place), "truncated": truncated}
    return {**shown, "entries": entries}


def _entry(place: bytes, name: SFTPName) -> dict[str, Any]:
    attrs, filename = name.attrs, _bytes(name.filename)
    mode = attrs.permissions or 0
    return {
        "path": key(_join(place, filename)),
        "name": readable(filename),
        "kind": _KINDS.get(stat.S_IFMT(mode), "other"),
        "size": attrs.size or 0,
        "modified": attrs.mtime,
        "mode": stat.filemode(mode),
        "owner": _owner(name),
    }


def _owner(name: SFTPName) -> str:
    """Return who owns an entry: SFTP 3 says it in the long name only, as `ls -l` does."""
    words = readable(_bytes(name.longname or b"")).split(None, 4)
    if len(words) == 5:
        return f"{words[2]}:{words[3]}"
    known = (name.attrs.uid, name.attrs.gid)
    return ":".join(str(number) for number in known) if None not in known else ""


async def _follow(sftp: SFTPClient, entry: dict[str, Any], path: bytes) -> None:
    """Say what a link leads to: a directory can be entered, a file downloaded."""
    with suppress(asyncssh.SFTPError):
        attrs = await sftp.stat(path)
        mode = attrs.permissions or 0
        entry.update(leads_to=_KINDS.get(stat.S_IFMT(mode), "other"), size=attrs.size or 0)


def _join(place: bytes, name: bytes) -> bytes:
    return place.rstrip(b"/") + b"/" + name


def _bytes(name: bytes | str) -> bytes:
    return name if isinstance(name, bytes) else name.encode()


# --- changing ---------------------------------------------------------------------------


async def mkdir(sftp: SFTPClient, path: bytes) -> None:
    """Make a directory."""
    await _require_free(sftp, path)
    with told(path):
        await sftp.mkdir(path)


async def rename(sftp: SFTPClient, path: bytes, target: bytes) -> None:
    """Rename or move; what is there already is not replaced."""
    await _require_free(sftp, target)
    with told(path):
        await sftp.rename(path, target)


async def delete(sftp: SFTPClient, path: bytes) -> None:
    """Delete a file, or a directory with all in it; links are deleted, not followed."""
    with told(path):
        attrs = await sftp.lstat(path)
        if stat.S_ISDIR(attrs.permissions or 0):
            await sftp.rmtree(path)
        else:
            await sftp.remove(path)


async def _require_free(sftp: SFTPClient, path: bytes) -> None:
    if await _status(sftp, path) is not None:
        raise Conflict("files.exists", path=readable(path))


async def _status(sftp: SFTPClient, path: bytes) -> SFTPAttrs | None:
    try:
        with told(path):
            return await sftp.lstat(path)
    except NotFound:
        return None


# --- downloading ------------------------------------------------------------------------


async def file_status(sftp: SFTPClient, path: bytes) -> SFTPAttrs:
    """Return size and time of a file; Conflict (files.not_a_file) for anything else."""
    with told(path):
        attrs = await sftp.stat(path)
    if not stat.S_ISREG(attrs.permissions or 0):
        raise Conflict("files.not_a_file", path=readable(path))
    return attrs


async def content(
    sftp: SFTPClient, path: bytes, start: int, end: int | None
) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of a file from `start` to `end`; to its end, wherever, when None.

    Raises TremplinError (files.failed) when the file is shorter than `end`.
    """
    given = start
    with told(path):
        async with sftp.open(path, "rb") as file:
            async for data in _to_its_end(file) if end is None else _between(file, start, end):
                given += len(data)
                yield data
    if end is not None and given < end:
        detail = "the file became shorter meanwhile"
        raise TremplinError("files.failed", path=readable(path), detail=detail)


async def _to_its_end(file: SFTPClientFile) -> AsyncIterator[bytes]:
    """Yield what a file holds whose size says nothing, as those of /proc."""
    given = 0
    while data := await _piece(file, BLOCK, given):
        yield data
        given += len(data)


async def _piece(file: SFTPClientFile, size: int, offset: int) -> bytes:
    # It is opened in binary mode, which asyncssh's types do not tell.
    return cast(bytes, await file.read(size, offset))


async def _between(file: SFTPClientFile, start: int, end: int) -> AsyncIterator[bytes]:
    """Yield the bytes of a range, with some blocks on their way; it stops at a short one."""
    asked = start
    pieces: deque[tuple[int, asyncio.Task[bytes]]] = deque()
    try:
        while asked < end or pieces:
            while asked < end and len(pieces) < AHEAD:
                size = min(BLOCK, end - asked)
                pieces.append((size, asyncio.ensure_future(_piece(file, size, asked))))
                asked += size
            size, piece = pieces.popleft()
            data = await piece
            yield data
            if len(data) < size:
                return
    finally:
        for _size, piece in pieces:
            piece.cancel()
        await asyncio.gather(*(piece for _size, piece in pieces), return_exceptions=True)


# --- uploading --------------------------------------------------------------------------


async def take(
    sftp: SFTPClient,
    path: bytes,
    overwrite: bool,
    pieces: Callable[[], AsyncIterator[bytes]],
) -> int:
    """Write what `pieces` yields to `path` and return its size.

    It becomes visible under its name when it is whole: it is written beside it first, and
    removed when anything goes wrong. A file that is replaced leaves its permissions.
    """
    old = await _status(sftp, path)
    if old is not None and not overwrite:
        raise Conflict("files.exists", path=readable(path))
    if old is not None and stat.S_ISLNK(old.permissions or 0):
        with told(path):
            path = await sftp.realpath(path)
        old = await _status(sftp, path)
    if old is not None and not stat.S_ISREG(old.permissions or 0):
        raise Conflict("files.not_a_file", path=readable(path))
    partial = _partial(path)
    with told(path):
        try:
            size = await _write(sftp, partial, pieces())
            if old is not None:
                await sftp.chmod(partial, stat.S_IMODE(old.permissions or 0o600))
            await _put_in_place(sftp, partial, path, overwrite)
        except BaseException:
            await asyncio.shield(_forget(sftp, partial))
            raise
    return size


def _partial(path: bytes) -> bytes:
    """Return the name under which a file is written; never longer than a name may be."""
    place, _, name = path.rpartition(b"/")
    return place + b"/." + name[:200] + b"." + secrets.token_hex(4).encode() + b".part"


async def _write(sftp: SFTPClient, path: bytes, pieces: AsyncIterator[bytes]) -> int:
    async with sftp.open(path, "xb") as file:
        writes: deque[asyncio.Task[int]] = deque()
        size = 0
        try:
            async for block in _blocks(pieces):
                if len(writes) == AHEAD:
                    await writes.popleft()
                writes.append(asyncio.ensure_future(file.write(block, size)))
                size += len(block)
            while writes:
                await writes.popleft()
        finally:
            for write in writes:
                write.cancel()
            await asyncio.gather(*writes, return_exceptions=True)
    return size


async def _blocks(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the same bytes in pieces of about BLOCK: fewer and larger requests to the host."""
    gathered = bytearray()
    async for piece in pieces:
        gathered += piece
        if len(gathered) >= BLOCK:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


async def _put_in_place(sftp: SFTPClient, partial: bytes, path: bytes, overwrite: bool) -> None:
    if overwrite:
        await sftp.posix_rename(partial, path)
    else:
        # Plain SFTP renaming replaces nothing: somebody may have made the file meanwhile.
        await sftp.rename(partial, path)


async def _forget(sftp: SFTPClient, path: bytes) -> None:
    with suppress(asyncssh.Error, OSError):
        await sftp.remove(path)

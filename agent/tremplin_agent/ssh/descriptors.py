"""Reading and writing non-blocking descriptors of pipes and terminals in an event loop."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
from contextlib import suppress
from typing import Callable, Tuple

CHUNK = 128 * 1024
_F_SETPIPE_SZ = 1031
_PIPE_BYTES = 512 * 1024


def big_pipe() -> Tuple[int, int]:
    """Return a pipe that holds much: fewer turns for the same bytes."""
    reading, writing = os.pipe()
    with suppress(OSError):
        fcntl.fcntl(writing, _F_SETPIPE_SZ, _PIPE_BYTES)
    return reading, writing


async def read(descriptor: int) -> bytes:
    """Return what there is to read; nothing at the end, or at a terminal's hang-up."""
    while True:
        await _ready(descriptor, asyncio.get_running_loop().add_reader, _remove_reader)
        try:
            return os.read(descriptor, CHUNK)
        except BlockingIOError:
            continue
        except OSError as error:
            if error.errno == errno.EIO:
                return b""
            raise


async def write(descriptor: int, data: bytes) -> None:
    """Write all of `data`; OSError when nobody can read it any more."""
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except BlockingIOError:
            await _ready(descriptor, asyncio.get_running_loop().add_writer, _remove_writer)


def _remove_reader(descriptor: int) -> None:
    asyncio.get_running_loop().remove_reader(descriptor)


def _remove_writer(descriptor: int) -> None:
    asyncio.get_running_loop().remove_writer(descriptor)


async def _ready(
    descriptor: int,
    watch: Callable[..., object],
    forget: Callable[[int], None],
) -> None:
    ready = asyncio.get_running_loop().create_future()
    watch(descriptor, _set, ready)
    try:
        await ready
    finally:
        forget(descriptor)


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)

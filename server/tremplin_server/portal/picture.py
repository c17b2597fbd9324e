"""Which pictures may be a logo, found out from their content: PNG and JPEG, bounded.

A picture is taken apart and put together again from the parts that show it. What else a file
may carry (where a photograph was taken, a thumbnail, an animation, something appended that is
no picture) does not reach a public page. SVG is a document that can hold scripts and
addresses, so it is not taken. See decision 0180.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

MAX_BYTES = 512 * 1024
MIN_SIDE = 16
MAX_SIDE = 2000

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset(
    {b"IHDR", b"PLTE", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"pHYs", b"IDAT"}
)
_PNG_MOST_CHUNKS = 4096

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_FRAMES = (0xC0, 0xC1, 0xC2)
"""Baseline, extended and progressive: what browsers show."""
_JPEG_KEPT = frozenset({*_FRAMES, 0xC4, 0xDB, 0xDD, _SOS})
_ICC, _ADOBE = b"ICC_PROFILE\0", b"Adobe"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that may be shown: only the parts that show it."""

    mimetype: str
    content: bytes
    width: int
    height: int


def checked(data: bytes) -> Picture:
    """Return the picture that `data` holds; ValueError with the reason, for people, if none."""
    if len(data) > MAX_BYTES:
        raise ValueError(f"The picture has more than {MAX_BYTES // 1024} KB.")
    if data.startswith(PNG_SIGNATURE):
        picture = _png(data)
    elif data[:2] == bytes((0xFF, _SOI)):
        picture = _jpeg(data)
    else:
        raise ValueError("This is neither a PNG nor a JPEG picture.")
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in (picture.width, picture.height)):
        raise ValueError(f"The picture must have {MIN_SIDE} to {MAX_SIDE} pixels on each side.")
    return picture


def _damaged() -> ValueError:
    return ValueError("The picture is damaged.")


# --- PNG ------------------------------------------------------------------------------


def _png(data: bytes) -> Picture:
    kept = [PNG_SIGNATURE]
    header = b""
    for number, (kind, whole, body) in enumerate(_png_chunks(data)):
        if (number == 0) != (kind == b"IHDR") or number >= _PNG_MOST_CHUNKS:
            raise _damaged()
        if kind == b"IHDR":
            header = body
        if kind in _PNG_KEPT or kind == b"IEND":
            kept.append(whole)
    if len(header) != 13 or not any(part[4:8] == b"IDAT" for part in kept):
        raise _damaged()
    width, height = (int.from_bytes(header[at : at + 4], "big") for at in (0, 4))
    return Picture("image/png", b"".join(kept), width, height)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Give kind, whole chunk and body of each, to the end mark; what follows is left out."""
    at = len(PNG_SIGNATURE)
    while True:
        length = int.from_bytes(data[at : at + 4], "big")
        whole = data[at : at + 12 + length]
        if len(whole) < 12 or len(whole) != 12 + length:
            raise _damaged()
        kind, body = whole[4:8], whole[8:-4]
        if zlib.crc32(whole[4:-4]) != int.from_bytes(whole[-4:], "big"):
            raise _damaged()
        yield kind, whole, body
        if kind == b"IEND":
            return
        at += 12 + length


# --- JPEG -----------------------------------------------------------------------------


def _jpeg(data: bytes) -> Picture:
    kept = [data[:2]]
    size: tuple[int, int] | None = None
    scans = 0
    at = 2
    while True:
        marker, at = _marker(data, at)
        if marker == _EOI:
            break
        body, after = _segment(data, at)
        if marker in _FRAMES:
            if size is not None or len(body) < 6:
                raise _damaged()
            size = int.from_bytes(body[3:5], "big"), int.from_bytes(body[1:3], "big")
        if marker == _SOS:
            if size is None:
                raise _damaged()
            scans += 1
            after = _end_of_scan(data, after)
        if marker in _JPEG_KEPT or _shows(marker, body):
            kept.append(bytes((0xFF, marker)) + data[at:after])
        at = after
    if size is None or not scans:
        raise _damaged()
    kept.append(bytes((0xFF, _EOI)))
    return Picture("image/jpeg", b"".join(kept), *size)


def _shows(marker: int, body: bytes) -> bool:
    """Return whether a segment of an application says how the colours are meant."""
    return (
        marker == 0xE0
        or (marker == 0xE2 and body.startswith(_ICC))
        or (marker == 0xEE and body.startswith(_ADOBE))
    )


def _marker(data: bytes, at: int) -> tuple[int, int]:
    """Return the marker at `at`, which fill bytes may precede, and what follows it."""
    if data[at : at + 1] != b"\xff":
        raise _damaged()
    while data[at : at + 1] == b"\xff":
        at += 1
    if at >= len(data) or data[at] == 0:
        raise _damaged()
    return data[at], at + 1


def _segment(data: bytes, at: int) -> tuple[bytes, int]:
    """Return the body of the segment whose length stands at `at`, and where it ends."""
    length = int.from_bytes(data[at : at + 2], "big")
    end = at + length
    if length < 2 or end > len(data):
        raise _damaged()
    return data[at + 2 : end], end


def _end_of_scan(data: bytes, at: int) -> int:
    """Return where the picture's own bytes end: at the next marker that is no restart."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            raise _damaged()
        if data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7 and data[at + 1] != 0xFF:
            return at
        at += 1 if data[at + 1] == 0xFF else 2

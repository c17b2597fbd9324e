"""Which files are a logo, and what of them is kept."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from tremplin_server.field_messages import in_french
from tremplin_server.portal import picture


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int = 32, height: int = 20, *between: bytes) -> bytes:
    """Return a grey picture, with chunks of one's own before its data."""
    rows = zlib.compress((b"\0" + b"\x80" * width) * height)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + b"".join(between) + chunk(b"IDAT", rows) + chunk(b"IEND")
    return picture.PNG_SIGNATURE + body


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def jpeg(width: int = 40, height: int = 30, *before: bytes) -> bytes:
    """Return the frame of a picture: what stands where, not what it shows."""
    frame = segment(0xC0, struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00")
    scan = segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + b"\x12\xff\x00\x34\xff\xd0\x56"
    tables = segment(0xDB, bytes(65)) + segment(0xC4, bytes(20))
    return b"\xff\xd8" + b"".join(before) + tables + frame + scan + b"\xff\xd9"


def test_a_png_is_known_by_its_content() -> None:
    found = picture.checked(png())
    assert (found.mimetype, found.width, found.height) == ("image/png", 32, 20)
    assert found.content == png()


def test_a_jpeg_is_known_by_its_content() -> None:
    found = picture.checked(jpeg())
    assert (found.mimetype, found.width, found.height) == ("image/jpeg", 40, 30)
    assert found.content == jpeg()


def test_what_does_not_show_the_picture_is_left_out() -> None:
    told = chunk(b"tEXt", b"Author\0Zoe") + chunk(b"eXIf", b"48.85N 2.35E")
    assert picture.checked(png(32, 20, told) + b"<script>").content == png()
    position = segment(0xE1, b"Exif\0\0 48.85N 2.35E")
    comment = segment(0xFE, b"by Zoe")
    colours = segment(0xE2, b"ICC_PROFILE\0\x01\x01profile")
    found = picture.checked(jpeg(40, 30, position, colours, comment) + b"PK\x03\x04")
    assert found.content == jpeg(40, 30, colours)


def test_an_animation_stands_still() -> None:
    moving = chunk(b"acTL", bytes(8))
    assert picture.checked(png(32, 20, moving)).content == png()


@pytest.mark.parametrize("size", [(15, 20), (20, 15), (2001, 20), (20, 2001), (0, 0), (2**31, 20)])
def test_sides_are_bounded(size: tuple[int, int]) -> None:
    width, height = size
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    huge = picture.PNG_SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", b"x") + chunk(b"IEND")
    with pytest.raises(ValueError, match="16 to 2000 pixels"):
        picture.checked(huge)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a" + bytes(60),
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        b"RIFF\x10\0\0\0WEBPVP8 ",
        b"MZ" + bytes(100),
    ],
)
def test_nothing_else_is_a_picture(data: bytes) -> None:
    with pytest.raises(ValueError, match="neither a PNG nor a JPEG"):
        picture.checked(data)


def test_too_much_is_not_even_looked_at() -> None:
    with pytest.raises(ValueError, match="more than 512 KB"):
        picture.checked(png() + bytes(picture.MAX_BYTES))


@pytest.mark.parametrize("whole", [png(), jpeg()], ids=["png", "jpeg"])
def test_a_cut_file_is_damaged_wherever_it_is_cut(whole: bytes) -> None:
    for end in range(8, len(whole)):
        with pytest.raises(ValueError, match="is damaged"):
            picture.checked(whole[:end])


def test_a_changed_byte_of_a_png_is_noticed() -> None:
    whole = bytearray(png())
    whole[len(picture.PNG_SIGNATURE) + 20] ^= 1
    with pytest.raises(ValueError, match="damaged"):
        picture.checked(bytes(whole))


@pytest.mark.parametrize(
    "body",
    [
        chunk(b"IDAT", b"x") + chunk(b"IEND"),
        chunk(b"IHDR", bytes(13)) + chunk(b"IEND"),
        chunk(b"IHDR", bytes(12)) + chunk(b"IDAT", b"x") + chunk(b"IEND"),
        chunk(b"IHDR", bytes(13)) * 2 + chunk(b"IDAT", b"x") + chunk(b"IEND"),
    ],
)
def test_a_png_has_one_head_and_data(body: bytes) -> None:
    with pytest.raises(ValueError, match="damaged"):
        picture.checked(picture.PNG_SIGNATURE + body)


def test_reasons_are_known_in_french() -> None:
    for data in (b"", png(10, 10), png()[:-4], png() + bytes(picture.MAX_BYTES)):
        with pytest.raises(ValueError, match="picture") as caught:
            picture.checked(data)
        assert in_french(str(caught.value)), caught.value


def test_bytes_of_many_a_kind_never_surprise() -> None:
    """Whatever follows a good beginning, it is a picture or a reason."""
    for begin in (png()[:24], jpeg()[:8]):
        for seed in range(256):
            data = io.BytesIO(begin + bytes((seed * at) % 256 for at in range(64))).getvalue()
            with pytest.raises(ValueError, match="picture"):
                picture.checked(data)

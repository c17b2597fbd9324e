"""Takes out of an MSI what differs between two builds of the same: two times of day.

They stand in its summary information, a property set as [MS-OLEPS] describes it.
"""

from __future__ import annotations

import struct
from pathlib import Path

_FORMAT = bytes.fromhex("e0859ff2f94f6810ab9108002b27b3d9")
"""FMTID_SummaryInformation."""
_FILE_TIME = 64
_FIXED = 132_223_104_000_000_000
"""2020-01-01 in tenths of microseconds since 1601."""


def settle(msi: Path) -> None:
    """Set the times of `msi` to a fixed one; ValueError when it holds no such times."""
    content = bytearray(msi.read_bytes())
    named = content.index(_FORMAT)
    beginning = content.rindex(b"\xfe\xff", 0, named)
    section = beginning + struct.unpack_from("<I", content, named + len(_FORMAT))[0]
    (count,) = struct.unpack_from("<I", content, section + 4)
    settled = 0
    for number in range(count):
        (offset,) = struct.unpack_from("<I", content, section + 12 + 8 * number)
        (kind,) = struct.unpack_from("<I", content, section + offset)
        if kind == _FILE_TIME:
            struct.pack_into("<Q", content, section + offset + 4, _FIXED)
            settled += 1
    if not settled:
        raise ValueError(f"{msi} has no times in its summary information")
    msi.write_bytes(content)

"""A pseudo-terminal as a client of SSH asks for it (RFC 4254, sections 6.2 and 8)."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from typing import Any, Dict, List, Mapping, NamedTuple, Tuple

from tremplin_agent.ssh.machine import Size

_IUTF8 = 0o40000
"""Missing in Python's `termios`."""

_CHARACTERS = {
    1: termios.VINTR, 2: termios.VQUIT, 3: termios.VERASE, 4: termios.VKILL,
    5: termios.VEOF, 6: termios.VEOL, 7: termios.VEOL2, 8: termios.VSTART,
    9: termios.VSTOP, 10: termios.VSUSP, 12: termios.VREPRINT, 13: termios.VWERASE,
    14: termios.VLNEXT, 18: termios.VDISCARD,
}  # fmt: skip
_INPUT, _OUTPUT, _CONTROL, _LOCAL, _SPECIAL = 0, 1, 2, 3, 6
"""Places in the list that `termios.tcgetattr` gives."""
_FLAGS: Dict[int, Tuple[int, int]] = {
    30: (_INPUT, termios.IGNPAR), 31: (_INPUT, termios.PARMRK), 32: (_INPUT, termios.INPCK),
    33: (_INPUT, termios.ISTRIP), 34: (_INPUT, termios.INLCR), 35: (_INPUT, termios.IGNCR),
    36: (_INPUT, termios.ICRNL), 38: (_INPUT, termios.IXON), 39: (_INPUT, termios.IXANY),
    40: (_INPUT, termios.IXOFF), 41: (_INPUT, termios.IMAXBEL), 42: (_INPUT, _IUTF8),
    50: (_LOCAL, termios.ISIG), 51: (_LOCAL, termios.ICANON), 53: (_LOCAL, termios.ECHO),
    54: (_LOCAL, termios.ECHOE), 55: (_LOCAL, termios.ECHOK), 56: (_LOCAL, termios.ECHONL),
    57: (_LOCAL, termios.NOFLSH), 58: (_LOCAL, termios.TOSTOP), 59: (_LOCAL, termios.IEXTEN),
    60: (_LOCAL, termios.ECHOCTL), 61: (_LOCAL, termios.ECHOKE),
    70: (_OUTPUT, termios.OPOST), 72: (_OUTPUT, termios.ONLCR), 73: (_OUTPUT, termios.OCRNL),
    74: (_OUTPUT, termios.ONOCR), 75: (_OUTPUT, termios.ONLRET),
    92: (_CONTROL, termios.PARENB), 93: (_CONTROL, termios.PARODD),
}  # fmt: skip
_NO_CHARACTER = 255


class Terminal(NamedTuple):
    """Both ends: ours (not blocking), and that of the programs."""

    ours: int
    theirs: int


def opened(size: Size, modes: Mapping[int, int]) -> Terminal:
    """Return a new terminal; OSError when the host has none to give."""
    ours, theirs = os.openpty()
    os.set_blocking(ours, False)
    resize(theirs, size)
    attributes = termios.tcgetattr(theirs)
    apply_modes(attributes, modes)
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    return Terminal(ours, theirs)


def resize(descriptor: int, size: Size) -> None:
    """Set the size; the programs in the terminal get SIGWINCH."""
    kept = [max(0, min(value, 0xFFFF)) for value in size]
    columns, rows, width, height = kept
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, width, height))


def apply_modes(attributes: List[Any], modes: Mapping[int, int]) -> None:
    """Change what `termios.tcgetattr` gave to what the client asks for."""
    for mode, value in modes.items():
        if mode in _CHARACTERS:
            character = b"\0" if value == _NO_CHARACTER else bytes([value & 0xFF])
            attributes[_SPECIAL][_CHARACTERS[mode]] = character
        elif mode in _FLAGS:
            place, flag = _FLAGS[mode]
            if value:
                attributes[place] |= flag
            else:
                attributes[place] &= ~flag

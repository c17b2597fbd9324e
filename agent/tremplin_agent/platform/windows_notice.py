"""The notice that a session begins, to those who sit at the host."""

from __future__ import annotations

import ctypes
from typing import Any, List

from tremplin_agent.platform.windows_api import DWORD, wtsapi32

TITLE = "Tremplin"
SHOWN_SECONDS = 60
_INFORMATION = 0x40
_ACTIVE = 0


class _Session(ctypes.Structure):
    _fields_ = (("number", DWORD), ("name", ctypes.c_wchar_p), ("state", ctypes.c_int))


def show_notice(text: str) -> None:
    """Show a notice in every session that somebody uses, without waiting for an answer."""
    plain = "".join(letter for letter in text if letter.isprintable() or letter == "\n")
    answer = DWORD()
    for number in _sessions():
        wtsapi32.WTSSendMessageW(
            None, number, TITLE, len(TITLE) * 2, plain, len(plain) * 2, _INFORMATION,
            SHOWN_SECONDS, ctypes.byref(answer), 0,
        )  # fmt: skip


def _sessions() -> List[int]:
    found: Any = ctypes.POINTER(_Session)()
    count = DWORD()
    if not wtsapi32.WTSEnumerateSessionsW(None, 0, 1, ctypes.byref(found), ctypes.byref(count)):
        return []
    try:
        return [found[i].number for i in range(count.value) if found[i].state == _ACTIVE]
    finally:
        wtsapi32.WTSFreeMemory(found)

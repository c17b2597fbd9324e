"""What the agent asks of a Windows host: who it is, who sits at it."""

from __future__ import annotations

import ctypes
import hashlib
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from tremplin_agent.platform.windows_api import DWORD, kernel32, wtsapi32

PLATFORM = "windows-64"
SERVICE = "TremplinJumpClient"
PRODUCT_KEY = r"SOFTWARE\Tremplin\Jump Client"
"""Where the MSI keeps, below HKLM, what it has to find again: product code, directory."""

_FIRMWARE = 0x52534D42  # "RSMB": the SMBIOS tables as they are
_SYSTEM_INFORMATION = 1
_END_OF_TABLE = 127
_UUID = slice(8, 24)
_NO_UUIDS = (bytes(16), b"\xff" * 16)
_NO_SESSION = 0xFFFFFFFF
_USER_NAME, _DOMAIN_NAME = 5, 7


def registry_text(key: str, name: str) -> str:
    """Return a text below HKLM, of the 64-bit view, or nothing."""
    if sys.platform != "win32":
        return ""
    import winreg

    access = winreg.KEY_READ | winreg.KEY_WOW64_64KEY
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key, access=access) as opened:
            return str(winreg.QueryValueEx(opened, name)[0]).strip()
    except OSError:
        return ""


def machine_id() -> str:
    """Return the identifier that Windows' installation made for itself, or nothing."""
    return registry_text(r"SOFTWARE\Microsoft\Cryptography", "MachineGuid")


@lru_cache(maxsize=1)
def _smbios() -> bytes:
    size = kernel32.GetSystemFirmwareTable(_FIRMWARE, 0, None, 0)
    table = ctypes.create_string_buffer(size)
    return table.raw[: kernel32.GetSystemFirmwareTable(_FIRMWARE, 0, table, size)]


def hardware(directory: Path) -> str:
    """Return the hash of the board's UUID as 64 hexadecimal characters, or nothing."""
    uuid = board_uuid(_smbios())
    return hashlib.sha256(uuid).hexdigest() if uuid else ""


def board_uuid(raw: bytes) -> bytes:
    """Return the 16 bytes that identify the board, or nothing where it has none.

    raw: what GetSystemFirmwareTable gives: 8 bytes of head, then the structures of the
    SMBIOS reference (DSP0134, sections 6.1.2 and 7.2), each with its strings behind it.
    """
    table = raw[8:]
    while len(table) >= 4:
        kind, length = table[0], table[1]
        if kind == _SYSTEM_INFORMATION and min(length, len(table)) >= _UUID.stop:
            found = table[_UUID]
            return b"" if found in _NO_UUIDS else found
        end = table.find(b"\0\0", max(length, 4))
        if kind == _END_OF_TABLE or end < 0:
            break
        table = table[end + 2 :]
    return b""


def console_user() -> str:
    """Return who sits at the host's own screen, or nothing."""
    kernel32.WTSGetActiveConsoleSessionId.restype = DWORD
    session = kernel32.WTSGetActiveConsoleSessionId()
    if session == _NO_SESSION:
        return ""
    user, domain = (_session_text(session, kind) for kind in (_USER_NAME, _DOMAIN_NAME))
    return f"{domain}\\{user}" if user and domain else user


def _session_text(session: int, kind: int) -> str:
    text, size = ctypes.c_void_p(), DWORD()
    asked: Any = wtsapi32.WTSQuerySessionInformationW
    if not asked(None, session, kind, ctypes.byref(text), ctypes.byref(size)):
        return ""
    try:
        return ctypes.wstring_at(text.value).strip() if text.value else ""
    finally:
        wtsapi32.WTSFreeMemory(text)

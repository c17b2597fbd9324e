"""Directories that only SYSTEM and administrators may look into."""

from __future__ import annotations

import ctypes
from pathlib import Path

from tremplin_agent.platform.windows_api import DWORD, advapi32, check, kernel32

PRIVATE = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
"""SYSTEM and administrators may do all, nobody else anything, and nothing is inherited."""

_REVISION = 1


class _Security(ctypes.Structure):
    _fields_ = (
        ("length", DWORD),
        ("descriptor", ctypes.c_void_p),
        ("inherit", ctypes.c_int),
    )


def make_private(directory: Path) -> None:
    """Make a directory that is private from its first moment; OSError if it can't be."""
    descriptor = ctypes.c_void_p()
    convert = advapi32.ConvertStringSecurityDescriptorToSecurityDescriptorW
    check(convert(PRIVATE, _REVISION, ctypes.byref(descriptor), None), "the access list")
    try:
        security = _Security(ctypes.sizeof(_Security), descriptor.value, 0)
        made = kernel32.CreateDirectoryW(str(directory), ctypes.byref(security))
        check(made, str(directory))
    finally:
        kernel32.LocalFree(descriptor)

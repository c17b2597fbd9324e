"""Windows' own libraries, and how its functions say that they failed.

Imported on Windows only, but for its types; everything of ctypes that other systems lack
is taken from here, so that the rest can be read and checked on all of them.
"""

from __future__ import annotations

import ctypes
from typing import Any

HANDLE = ctypes.c_void_p
DWORD = ctypes.c_uint32


def _library(name: str) -> Any:
    loader: Any = getattr(ctypes, "WinDLL", None)
    return None if loader is None else loader(name, use_last_error=True)


kernel32 = _library("kernel32")
advapi32 = _library("advapi32")
ntdll = _library("ntdll")
wtsapi32 = _library("wtsapi32")


def failure(what: str) -> OSError:
    """Return the failure of the last call, whose `use_last_error` kept its number."""
    last: Any = getattr(ctypes, "get_last_error", None)
    number = last() if last else 0
    words: Any = getattr(ctypes, "FormatError", None)
    return OSError(0, f"{what}: {words(number) if words else number}".strip(), None, number)


def check(succeeded: Any, what: str) -> Any:
    """Return what a function returned; OSError when that is nothing."""
    if not succeeded:
        raise failure(what)
    return succeeded


def is_wine() -> bool:
    """Return whether this is Wine instead of Windows."""
    return ntdll is not None and hasattr(ntdll, "wine_get_version")


def reads_french() -> bool:
    """Return whether the language of Windows is French."""
    return kernel32 is not None and kernel32.GetUserDefaultUILanguage() & 0x3FF == 0x0C

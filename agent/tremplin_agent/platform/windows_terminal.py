"""Pseudo consoles (ConPTY): a console program at one end, bytes at the other.

Called directly: pywinpty brings five megabytes and an older way beside this one, asks for a
console of its own, which a service has not, and finds none under Wine.
"""

from __future__ import annotations

import ctypes
from typing import Any, Dict, Mapping, Tuple

from tremplin_agent.platform.windows_api import DWORD, HANDLE, check, is_wine, kernel32

_EXTENDED, _UNICODE_ENVIRONMENT = 0x00080000, 0x00000400
_USE_HANDLES = 0x100
_PSEUDO_CONSOLE = 0x00020016
_INFINITE = 0xFFFFFFFF
_CHUNK = 128 * 1024
_LARGEST = 0x7FFF


class _Startup(ctypes.Structure):
    _fields_ = (
        ("size", DWORD),
        ("texts", ctypes.c_void_p * 3),
        ("numbers", DWORD * 7),
        ("flags", DWORD),
        ("show", ctypes.c_uint16),
        ("reserved", ctypes.c_uint16),
        ("more", ctypes.c_void_p),
        ("handles", HANDLE * 3),
        ("attributes", ctypes.c_void_p),
    )


class _Process(ctypes.Structure):
    _fields_ = (("process", HANDLE), ("thread", HANDLE), ("pid", DWORD), ("tid", DWORD))


def _pipe() -> Tuple[Any, Any]:
    reading, writing = HANDLE(), HANDLE()
    check(kernel32.CreatePipe(ctypes.byref(reading), ctypes.byref(writing), None, 0), "a pipe")
    return reading, writing


def size(columns: int, rows: int) -> Tuple[int, int]:
    """Return a size that a console can have; a client that knows none says 0."""
    return min(columns, _LARGEST) if columns > 0 else 80, min(rows, _LARGEST) if rows > 0 else 24


def _coordinates(columns: int, rows: int) -> Any:
    kept = size(columns, rows)
    return DWORD(kept[0] | kept[1] << 16)


def environment_block(environment: Mapping[str, str]) -> str:
    """Return an environment as CreateProcess takes it: sorted, each ended by a null."""
    named: Dict[str, str] = {name.upper(): f"{name}={environment[name]}" for name in environment}
    return "".join(f"{named[name]}\0" for name in sorted(named)) + "\0"


def in_wine(command_line: str) -> str:
    """Return the line for Wine, which leaves such programs without standard handles."""
    return f'cmd.exe /d /c "{command_line} <CONIN$ >CONOUT$ 2>&1"'


class PseudoConsole:
    """A console with one program, started at once; OSError when that can't be.

    All methods but `read` and `wait` return at once; those two are for threads.
    """

    def __init__(
        self,
        command_line: str,
        environment: Mapping[str, str],
        directory: str,
        columns: int,
        rows: int,
    ) -> None:
        their_in, self._in = _pipe()
        self._out, their_out = _pipe()
        self._console = HANDLE()
        made = kernel32.CreatePseudoConsole(
            _coordinates(columns, rows), their_in, their_out, 0, ctypes.byref(self._console)
        )
        kernel32.CloseHandle(their_in)
        kernel32.CloseHandle(their_out)
        if made != 0:
            raise OSError(f"this Windows has no pseudo console: {made & 0xFFFFFFFF:#x}")
        try:
            self._process = self._start(command_line, environment, directory)
        except OSError:
            self.close()
            raise

    def _start(self, command_line: str, environment: Mapping[str, str], directory: str) -> Any:
        size = ctypes.c_size_t()
        kernel32.InitializeProcThreadAttributeList(None, 1, 0, ctypes.byref(size))
        attributes = ctypes.create_string_buffer(size.value)
        kernel32.InitializeProcThreadAttributeList(attributes, 1, 0, ctypes.byref(size))
        kernel32.UpdateProcThreadAttribute(
            attributes, 0, ctypes.c_size_t(_PSEUDO_CONSOLE), self._console,
            ctypes.c_size_t(ctypes.sizeof(HANDLE)), None, None,
        )  # fmt: skip
        # Empty handles, so that it takes the console's and not those of this process.
        startup = _Startup(
            size=ctypes.sizeof(_Startup),
            flags=_USE_HANDLES,
            attributes=ctypes.addressof(attributes),
        )
        started = _Process()
        line = in_wine(command_line) if is_wine() else command_line
        check(
            kernel32.CreateProcessW(
                None, ctypes.create_unicode_buffer(line), None, None, 0,
                _EXTENDED | _UNICODE_ENVIRONMENT,
                ctypes.create_unicode_buffer(environment_block(environment)), directory,
                ctypes.byref(startup), ctypes.byref(started),
            ),
            command_line,
        )  # fmt: skip
        kernel32.CloseHandle(HANDLE(started.thread))
        return HANDLE(started.process)

    def read(self) -> bytes:
        """Return what the console shows, as a terminal's bytes; nothing once it is closed."""
        buffer, got = ctypes.create_string_buffer(_CHUNK), DWORD()
        if not kernel32.ReadFile(self._out, buffer, _CHUNK, ctypes.byref(got), None):
            return b""
        return buffer.raw[: got.value]

    def write(self, data: bytes) -> None:
        """Type; OSError once the console is closed."""
        written = DWORD()
        check(
            kernel32.WriteFile(self._in, data, len(data), ctypes.byref(written), None),
            "the console",
        )

    def resize(self, columns: int, rows: int) -> None:
        """Change the console's size."""
        kernel32.ResizePseudoConsole(self._console, _coordinates(columns, rows))

    def wait(self) -> int:
        """Return the program's exit status, once it has ended."""
        kernel32.WaitForSingleObject(self._process, DWORD(_INFINITE))
        status = DWORD()
        kernel32.GetExitCodeProcess(self._process, ctypes.byref(status))
        return int(status.value)

    def end(self) -> None:
        """End the program."""
        kernel32.TerminateProcess(self._process, 1)

    def close(self) -> None:
        """Close the console and end what is in it. May wait for who reads: not in a loop."""
        kernel32.ClosePseudoConsole(self._console)
        for handle in (self._in, self._out):
            kernel32.CloseHandle(handle)

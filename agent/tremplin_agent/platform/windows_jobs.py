"""Job objects: what is started in one ends with it, whatever becomes of who started it."""

from __future__ import annotations

import ctypes
import os
from typing import List

from tremplin_agent.platform.windows_api import DWORD, HANDLE, check, kernel32

_KILL_ON_CLOSE = 0x2000
_LIMITS, _MEMBERS = 9, 3
_MOST_MEMBERS = 4096
_TERMINATE = 1
_ENDED = 1


class _Limits(ctypes.Structure):
    _fields_ = (
        ("times", ctypes.c_int64 * 2),
        ("flags", DWORD),
        ("working_set", ctypes.c_size_t * 2),
        ("active_processes", DWORD),
        ("affinity", ctypes.c_size_t),
        ("classes", DWORD * 2),
        ("input_and_output", ctypes.c_uint64 * 6),
        ("memory", ctypes.c_size_t * 4),
    )


class _Members(ctypes.Structure):
    _fields_ = (
        ("assigned", DWORD),
        ("count", DWORD),
        ("ids", ctypes.c_size_t * _MOST_MEMBERS),
    )


class Job:
    """A job whose processes end when it is closed, by `close` or by the end of its owner."""

    def __init__(self) -> None:
        kernel32.CreateJobObjectW.restype = HANDLE
        self._handle = HANDLE(check(kernel32.CreateJobObjectW(None, None), "a job object"))
        limits = _Limits(flags=_KILL_ON_CLOSE)
        kernel32.SetInformationJobObject(
            self._handle, _LIMITS, ctypes.byref(limits), ctypes.sizeof(limits)
        )

    def take(self, process: int) -> None:
        """Put a process into the job, by its handle, with all that it will start."""
        check(kernel32.AssignProcessToJobObject(self._handle, HANDLE(process)), "a job's process")

    def close(self) -> None:
        """End what still runs in it."""
        kernel32.TerminateJobObject(self._handle, _ENDED)
        kernel32.CloseHandle(self._handle)


def end_others() -> None:
    """End all processes of this process's own job, but not this one."""
    members = _Members()
    size = ctypes.sizeof(members)
    if not kernel32.QueryInformationJobObject(None, _MEMBERS, ctypes.byref(members), size, None):
        return
    ids: List[int] = list(members.ids[: members.count])
    for pid in ids:
        if pid != os.getpid():
            _end(pid)


def _end(pid: int) -> None:
    kernel32.OpenProcess.restype = HANDLE
    process = HANDLE(kernel32.OpenProcess(_TERMINATE, 0, DWORD(pid)))
    if process:
        kernel32.TerminateProcess(process, _ENDED)
        kernel32.CloseHandle(process)

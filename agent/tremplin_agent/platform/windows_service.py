"""The Windows service: what the service control manager starts, and how it is told to end."""

from __future__ import annotations

import ctypes
import logging
import os
import subprocess
import threading
from pathlib import Path, PurePath
from typing import Any, Callable, List

from tremplin_agent.platform.windows import SERVICE
from tremplin_agent.platform.windows_api import DWORD, HANDLE, advapi32, check

Life = Callable[[Callable[[Callable[[], None]], None]], None]
"""A service's work. It is given a function that takes what to call when the service must
stop, and may call it in another thread."""

RESTART_SECONDS = (2, 10, 60)
"""Pauses before the first, the second and every later start after a failure."""
_DAY_SECONDS = 24 * 3600
_STOP_MILLISECONDS = 30_000
_OWN_PROCESS = 0x10
_STOPPED, _START_PENDING, _STOP_PENDING, _RUNNING = 1, 2, 3, 4
_ACCEPT_STOP, _ACCEPT_SHUTDOWN = 1, 4
_STOP, _INTERROGATE, _SHUTDOWN = 1, 4, 5
_NOT_IMPLEMENTED = 120
_ALL_ACCESS = 0xF01FF
_CONNECT = 1
_FAILURE_ACTIONS = 2
_NO_CHANGE = 0xFFFFFFFF
_RESTART = 1

log = logging.getLogger("tremplin.service")
_functype: Any = getattr(ctypes, "WINFUNCTYPE", ctypes.CFUNCTYPE)
_MAIN = _functype(None, DWORD, ctypes.POINTER(ctypes.c_wchar_p))
_HANDLER = _functype(DWORD, DWORD, DWORD, ctypes.c_void_p, ctypes.c_void_p)


class _Status(ctypes.Structure):
    _fields_ = (
        ("type", DWORD),
        ("state", DWORD),
        ("accepted", DWORD),
        ("exit_code", DWORD),
        ("specific_code", DWORD),
        ("check_point", DWORD),
        ("wait_hint", DWORD),
    )


class _Entry(ctypes.Structure):
    _fields_ = (("name", ctypes.c_wchar_p), ("main", _MAIN))


class Service:
    """This process as a service. life: see `Life`; the service has stopped when it returns.

    When `life` fails the process ends without a word to the service control manager, which
    takes that for a failure and starts it again.
    """

    def __init__(self, life: Life) -> None:
        self._life = life
        self._status_handle = HANDLE()
        self._stopping = threading.Event()
        self._on_stop: List[Callable[[], None]] = []
        self._main = _MAIN(self._service_main)
        self._handler = _HANDLER(self._control)

    def serve(self) -> None:
        """Be the service until it stops; OSError when nobody started this as a service."""
        table = (_Entry * 2)(_Entry(SERVICE, self._main), _Entry(None, _MAIN()))
        check(advapi32.StartServiceCtrlDispatcherW(table), "not started as a service")

    def _service_main(self, count: int, words: Any) -> None:
        advapi32.RegisterServiceCtrlHandlerExW.restype = HANDLE
        handle = advapi32.RegisterServiceCtrlHandlerExW(SERVICE, self._handler, None)
        self._status_handle = HANDLE(handle)
        self._tell(_RUNNING)
        try:
            self._life(self._stop_with)
        except BaseException:
            log.exception("the Jump Client failed")
            os._exit(1)
        self._tell(_STOPPED)

    def _stop_with(self, stop: Callable[[], None]) -> None:
        self._on_stop.append(stop)
        if self._stopping.is_set():
            stop()

    def _control(self, control: int, kind: int, data: Any, context: Any) -> int:
        if control in (_STOP, _SHUTDOWN):
            self._tell(_STOP_PENDING)
            self._stopping.set()
            for stop in self._on_stop:
                stop()
        elif control != _INTERROGATE:
            return _NOT_IMPLEMENTED
        return 0

    def _tell(self, state: int) -> None:
        accepted = _ACCEPT_STOP | _ACCEPT_SHUTDOWN if state == _RUNNING else 0
        hint = _STOP_MILLISECONDS if state in (_START_PENDING, _STOP_PENDING) else 0
        status = _Status(_OWN_PROCESS, state, accepted, 0, 0, 0, hint)
        advapi32.SetServiceStatus(self._status_handle, ctypes.byref(status))


class _Action(ctypes.Structure):
    _fields_ = (("kind", ctypes.c_int), ("milliseconds", DWORD))


class _Actions(ctypes.Structure):
    _fields_ = (
        ("reset_seconds", DWORD),
        ("message", ctypes.c_wchar_p),
        ("command", ctypes.c_wchar_p),
        ("count", DWORD),
        ("actions", ctypes.POINTER(_Action)),
    )


def failure_actions() -> Any:
    """Return the SERVICE_FAILURE_ACTIONS: started again, sooner or later, whenever it dies."""
    actions = (_Action * len(RESTART_SECONDS))(
        *(_Action(_RESTART, seconds * 1000) for seconds in RESTART_SECONDS)
    )
    return _Actions(_DAY_SECONDS, None, None, len(actions), actions)


def command_line(directory: PurePath) -> str:
    """Return what the service runs, in quotes where there are spaces: of a path without them
    Windows would try C:\\Program first, which anybody may have put there."""
    program, library = f"{directory}\\python\\pythonw.exe", f"{directory}\\lib"
    return subprocess.list2cmdline([program, "-I", "-S", library, "service"])


def settle(directory: Path) -> None:
    """Tell the service control manager what the MSI's tables can't say; OSError if it fails."""
    advapi32.OpenSCManagerW.restype = HANDLE
    advapi32.OpenServiceW.restype = HANDLE
    manager = HANDLE(advapi32.OpenSCManagerW(None, None, _CONNECT))
    check(manager, "the service manager")
    try:
        service = HANDLE(advapi32.OpenServiceW(manager, SERVICE, _ALL_ACCESS))
        check(service, f"the service {SERVICE}")
        try:
            _configure(service, command_line(directory))
        finally:
            advapi32.CloseServiceHandle(service)
    finally:
        advapi32.CloseServiceHandle(manager)


def _configure(service: Any, command: str) -> None:
    kept, same = DWORD(_NO_CHANGE), None
    check(
        advapi32.ChangeServiceConfigW(
            service, kept, kept, kept, command, same, same, same, same, same, same
        ),
        "its command",
    )
    actions = failure_actions()
    check(
        advapi32.ChangeServiceConfig2W(service, _FAILURE_ACTIONS, ctypes.byref(actions)),
        "its failure actions",
    )

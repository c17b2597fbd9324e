"""Windows' event log: what the agent and its installer write there.

The MSI registers EventCreate.exe of Windows as the source's file of messages: its messages
1 to 1000 are the text that is given with them.
"""

from __future__ import annotations

import ctypes
import logging

from tremplin_agent.platform.windows_api import HANDLE, advapi32

SOURCE = "Tremplin Jump Client"
_ERROR, _WARNING, _INFORMATION = 1, 2, 4
_EVENT = 1
_LONGEST = 30_000


def kind_of(level: int) -> int:
    """Return the event log's kind of entry for a level of `logging`."""
    if level >= logging.ERROR:
        return _ERROR
    return _WARNING if level >= logging.WARNING else _INFORMATION


def write(text: str, level: int) -> None:
    """Write an entry; a host whose event log takes none goes without."""
    advapi32.RegisterEventSourceW.restype = HANDLE
    source = HANDLE(advapi32.RegisterEventSourceW(None, SOURCE))
    if not source:
        return
    lines = (ctypes.c_wchar_p * 1)(text[:_LONGEST])
    advapi32.ReportEventW(source, kind_of(level), 0, _EVENT, None, 1, 0, lines, None)
    advapi32.DeregisterEventSource(source)


class EventLogHandler(logging.Handler):
    """Log lines as entries of the event log. name: of the installation; it has one source."""

    def __init__(self, name: str) -> None:
        super().__init__()

    def emit(self, record: logging.LogRecord) -> None:
        write(self.format(record), record.levelno)

"""Log lines to syslog: /dev/log on Linux, the unified log on a Mac."""

from __future__ import annotations

import logging
import sys
import syslog

_LEVELS = (
    (logging.CRITICAL, syslog.LOG_CRIT),
    (logging.ERROR, syslog.LOG_ERR),
    (logging.WARNING, syslog.LOG_WARNING),
    (logging.INFO, syslog.LOG_INFO),
    (logging.NOTSET, syslog.LOG_DEBUG),
)


def priority(level: int) -> int:
    """Return syslog's priority for a level of `logging`."""
    return next(priority for floor, priority in _LEVELS if level >= floor)


def line(name: str, text: str, system: str = sys.platform) -> str:
    """Return a text as it goes to syslog: the log of a Mac keeps the program, not the name."""
    return f"{name}: {text}" if system == "darwin" else text


class SyslogHandler(logging.Handler):
    """Lines to syslog, under a name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        syslog.openlog(name, syslog.LOG_PID, syslog.LOG_DAEMON)

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record).replace("\n", " | ")
        syslog.syslog(priority(record.levelno), line(self._name, text))

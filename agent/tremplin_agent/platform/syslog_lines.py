"""Log lines to /dev/log."""

from __future__ import annotations

import logging
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


class SyslogHandler(logging.Handler):
    """Lines to /dev/log."""

    def __init__(self, name: str) -> None:
        super().__init__()
        syslog.openlog(name, syslog.LOG_PID, syslog.LOG_DAEMON)

    def emit(self, record: logging.LogRecord) -> None:
        syslog.syslog(priority(record.levelno), self.format(record).replace("\n", " | "))

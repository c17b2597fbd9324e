"""Where the agent's log lines go: the journal under systemd, syslog elsewhere.

`logging.handlers` is left out on purpose: it would bring in several megabytes.
"""

from __future__ import annotations

import logging
import os
import sys
import syslog

_LEVELS = (
    (logging.CRITICAL, syslog.LOG_CRIT),
    (logging.ERROR, syslog.LOG_ERR),
    (logging.WARNING, syslog.LOG_WARNING),
    (logging.INFO, syslog.LOG_INFO),
    (logging.NOTSET, syslog.LOG_DEBUG),
)


def _priority(level: int) -> int:
    return next(priority for floor, priority in _LEVELS if level >= floor)


class JournalHandler(logging.Handler):
    """Lines on stderr, led by their priority: what systemd reads into its journal."""

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record).replace("\n", " | ")
        sys.stderr.write(f"<{_priority(record.levelno)}>{text}\n")
        sys.stderr.flush()


class SyslogHandler(logging.Handler):
    """Lines to /dev/log."""

    def __init__(self, name: str) -> None:
        super().__init__()
        syslog.openlog(name, syslog.LOG_PID, syslog.LOG_DAEMON)

    def emit(self, record: logging.LogRecord) -> None:
        syslog.syslog(_priority(record.levelno), self.format(record).replace("\n", " | "))


def set_up(name: str, level: int = logging.INFO) -> None:
    """Send the log where this host keeps such lines; a terminal gets it too."""
    root = logging.getLogger()
    root.setLevel(level)
    logging.raiseExceptions = False
    if os.environ.get("JOURNAL_STREAM"):
        root.addHandler(JournalHandler())
        return
    root.addHandler(SyslogHandler(name))
    if sys.stderr is not None and sys.stderr.isatty():
        root.addHandler(logging.StreamHandler())

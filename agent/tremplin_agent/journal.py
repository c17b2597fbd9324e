"""Where the agent's log lines go: the journal under systemd, syslog elsewhere, and the
event log on Windows.

`logging.handlers` is left out on purpose: it would bring in several megabytes.
"""

from __future__ import annotations

import logging
import os
import sys

if sys.platform == "win32":
    from tremplin_agent.platform.windows_events import EventLogHandler as SystemHandler
else:
    from tremplin_agent.platform.syslog_lines import SyslogHandler as SystemHandler
    from tremplin_agent.platform.syslog_lines import priority


class JournalHandler(logging.Handler):
    """Lines on stderr, led by their priority: what systemd reads into its journal."""

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record).replace("\n", " | ")
        sys.stderr.write(f"<{priority(record.levelno)}>{text}\n")
        sys.stderr.flush()


def set_up(name: str, level: int = logging.INFO) -> None:
    """Send the log where this host keeps such lines; a terminal gets it too."""
    root = logging.getLogger()
    root.setLevel(level)
    logging.raiseExceptions = False
    if os.environ.get("JOURNAL_STREAM") and sys.platform != "win32":
        root.addHandler(JournalHandler())
        return
    root.addHandler(SystemHandler(name))
    if sys.stderr is not None and sys.stderr.isatty():
        root.addHandler(logging.StreamHandler())

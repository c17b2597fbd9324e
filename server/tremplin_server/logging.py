"""Logging through structlog: text for people, JSON for machines, one line per event.

Every line of a request bears its request id. Values whose name says that they are secret
are replaced before anything is written.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger, Processor

_SECRET = re.compile(r"secret|password|token|authorization|cookie|key_info|private", re.I)
HIDDEN = "[hidden]"


def configure(level: str, form: str, stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's events to `stream` (default stderr).

    level: of Config.log_level. form: `text` or `json`.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        hide_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if form == "json":
        last += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        # The default formatter would print local variables, and secrets with them.
        plain = structlog.dev.plain_traceback
        last += [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain)]
    handler: logging.Handler = logging.StreamHandler(stream) if stream else _Stderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last)
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # It would log what is done in sessions, and a command may hold a password.
    logging.getLogger("asyncssh").setLevel(logging.WARNING)


class _Stderr(logging.Handler):
    """Writes to what standard error is at that time; a test may have replaced it."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr)  # noqa: T201 - this is the log


def hide_secrets(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replace the values of an event whose names say that they are secret."""
    for name in event:
        if _SECRET.search(name):
            event[name] = HIDDEN
    return event


def logger(name: str) -> FilteringBoundLogger:
    """Return the logger of a module."""
    return cast(FilteringBoundLogger, structlog.stdlib.get_logger(name))

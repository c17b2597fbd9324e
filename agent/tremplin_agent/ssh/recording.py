"""A terminal's recording: asciicast, version 2 (what was shown and when, line by line)."""

from __future__ import annotations

import codecs
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, Optional

from tremplin_agent.recordings import OPEN_SUFFIX
from tremplin_agent.ssh.machine import Size
from tremplin_agent.store import NO_FOLLOW

MARGIN = 256
"""Bytes kept back for the line that says that the recording stops here."""
CUT = "the recording is full"
_BINARY: int = getattr(os, "O_BINARY", 0)
"""Windows would write two bytes for each end of a line."""


class Recording:
    """Writes one recording, at most `limit` bytes, each event at once: what was shown
    before a power cut or a killed process is in the file."""

    def __init__(self, path: Path, size: Size, limit: int, environment: Dict[str, str]) -> None:
        self._path = path
        self._open = path.with_name(path.name + OPEN_SUFFIX)
        self._left = limit - MARGIN
        self._began = time.monotonic()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW | _BINARY
        self._file: Optional[int] = os.open(self._open, flags, 0o600)
        head = {
            "version": 2,
            "width": size.columns,
            "height": size.rows,
            "timestamp": int(time.time()),
            "env": environment,
        }
        self._write(_line(head))

    def shown(self, output: bytes) -> None:
        """Record output of the terminal."""
        text = self._decoder.decode(output)
        if text:
            self._event("o", text)

    def resized(self, size: Size) -> None:
        """Record another size."""
        self._event("r", f"{size.columns}x{size.rows}")

    def finish(self) -> None:
        """Close the file and give it the name under which it is uploaded."""
        rest = self._decoder.decode(b"", final=True)
        if rest:
            self._event("o", rest)
        self._close()
        with suppress(OSError):
            self._open.rename(self._path)

    def _event(self, kind: str, text: str) -> None:
        if self._file is None:
            return
        line = self._event_line(kind, text)
        if len(line) > self._left:
            self._left += MARGIN
            self._write(self._event_line("m", CUT))
            self._close()
            return
        self._write(line)

    def _event_line(self, kind: str, text: str) -> bytes:
        return _line([round(time.monotonic() - self._began, 6), kind, text])

    def _write(self, line: bytes) -> None:
        """Append a line. A full disk ends the recording, not the session."""
        self._left -= len(line)
        try:
            if self._file is not None:
                os.write(self._file, line)
        except OSError:
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n"

"""Pulling the plug of a host at an exact moment."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.lab.host import Host
from tests.lab.wait import until


class CutWhen:
    """Pulls the plug of a host at the instant when a path appears on its disk, or goes.

    sign: a pattern below the host's root; `!` before it waits for the path to disappear.
    """

    def __init__(self, here: Host, sign: str) -> None:
        self._here = here
        self._sign = sign
        self._disk = Path(here.entry.disk) / "up"
        self._done = threading.Event()
        self._cut = False
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> CutWhen:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        assert self._cut, f"the moment never came: {self._sign}"

    def wait(self, seconds: float = 120) -> None:
        """Wait for the cut, which whatever was begun before the call leads to."""
        until(lambda: self._cut, f"the moment of {self._sign}", seconds=seconds)

    def _watch(self) -> None:
        def moment() -> bool:
            return self._is_there() or self._done.is_set()

        until(moment, self._sign, seconds=120, every=0.001)
        if self._is_there():
            self._here.power_cut()
            self._cut = True

    def _is_there(self) -> bool:
        gone = self._sign.startswith("!")
        found = any(
            path.is_symlink() or not path.is_char_device()
            for path in self._disk.glob(self._sign.lstrip("!"))
        )
        return found is not gone

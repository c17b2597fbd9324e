"""What a bench is given, and the errors that end one without failing the run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.figures import Figure


class Skipped(Exception):
    """This machine lacks something that the bench needs; the message says what."""


@dataclass(slots=True)
class Bench:
    """One run. directory: for everything it writes; agents: size of the large benches."""

    directory: Path
    agents: int
    say: Callable[[str], None]
    payload: Path
    _made: int = field(default=0)

    @contextmanager
    def place(self, name: str) -> Iterator[Path]:
        """Give a directory that does not exist yet; take it away at the end."""
        self._made += 1
        path = self.directory / f"{name}-{self._made}"
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)


Runner = Callable[[Bench], Iterator[Figure]]

"""The compiled catalogue, as `make` makes it: for tests that are run without make."""

from __future__ import annotations

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from tests.unit.server.test_translations import FRENCH


def compile_all() -> None:
    """Compile the French catalogue unless it is newer than its source."""
    compiled = FRENCH.with_suffix(".mo")
    if compiled.exists() and compiled.stat().st_mtime >= FRENCH.stat().st_mtime:
        return
    with FRENCH.open("rb") as source, compiled.open("wb") as target:
        write_mo(target, read_po(source, locale="fr"))

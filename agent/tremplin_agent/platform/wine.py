"""What Wine lacks of Windows, and the agent needs: lent before anything asks for it.

Rust's library, and so `cryptography`, takes its random numbers from bcryptprimitives.dll,
which Wine 8 does not have. The MSI carries one of that kind (msi/random.c) by a name that no
program looks for; on Wine alone it gets its right name, where Python's own files are. The
MSI's action `Forget` removes it.
"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from tremplin_agent.platform.windows_api import is_wine

CARRIED = "wine-random.dll"
LENT = "bcryptprimitives.dll"


def complete() -> None:
    """Give Wine what it lacks, if this is Wine and it does."""
    if is_wine():
        system = Path(os.environ.get("SYSTEMROOT", "C:\\Windows")) / "System32"
        lend(Path(sys.executable).parent, system)


def lend(python: Path, system: Path) -> None:
    """Lend the DLL, in the directory `python`, unless it is there or in the directory `system`.

    Several processes may do so at once. One that may not write here goes on: another one of
    the installation's, its `register`, has been here before.
    """
    if (system / LENT).exists() or (python / LENT).exists():
        return
    made = python / f"{LENT}.{os.getpid()}"
    with suppress(OSError):
        shutil.copyfile(python / CARRIED, made)
        made.rename(python / LENT)
    with suppress(OSError):
        made.unlink()

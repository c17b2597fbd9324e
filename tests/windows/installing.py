"""Installing on a Windows of the tests, as an administrator does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.boxes import PAYLOADS
from tests.windows.wine import Done, Machine

__all__ = ["EXE", "FAILED", "KEY", "MSI", "PAYLOADS", "SERVICE", "Windows"]

MSI = "tremplin-scc-win64.msi"
EXE = "tremplin-scc-win64.exe"
FAILED = 1603
KEY = r"HKLM\SOFTWARE\Tremplin\Jump Client"
SERVICE = "TremplinJumpClient"
_OURS = "tests"


class Windows:
    """A machine, and the installer on it: everything of the tests is in C:\\tests."""

    def __init__(self, machine: Machine, msi: Path) -> None:
        self.machine = machine
        self._place = machine.c / _OURS
        self._place.mkdir()
        self.bring(msi)

    def bring(self, path: Path, name: str = "") -> str:
        """Copy a file to the machine; return where it is there."""
        shutil.copy(path, self._place / (name or path.name))
        return f"C:\\{_OURS}\\{name or path.name}"

    def install(self, properties: str, msi: str = MSI, seconds: float = 120) -> Done:
        """Install silently; `properties` as they are typed. `log` is then what it logged."""
        line = f"msiexec /i C:\\{_OURS}\\{msi} {properties} /qn /l*v C:\\{_OURS}\\log.txt"
        return self.machine.line(line, seconds)

    def install_words(self, *words: str) -> Done:
        """Install silently with words that no console's code page stands in the way of."""
        msi, log = f"C:\\{_OURS}\\{MSI}", f"C:\\{_OURS}\\log.txt"
        return self.machine.run("msiexec", "/i", msi, *words, "/qn", "/l*v", log)

    def uninstall(self, msi: str = MSI) -> Done:
        """Uninstall silently."""
        return self.machine.line(f"msiexec /x C:\\{_OURS}\\{msi} /qn /l*v C:\\{_OURS}\\log.txt")

    @property
    def log(self) -> str:
        """The log of the last installation or removal."""
        return (self._place / "log.txt").read_bytes().decode("utf-8", "replace")

    def path(self, path: str) -> Path:
        """Return where a path of the machine is on this one."""
        return self.machine.c / path.removeprefix("C:\\").replace("\\", "/")

    def product_code(self) -> str:
        """Return the product code of what is installed, or nothing."""
        return self._value("ProductCode")

    def directory(self) -> str:
        """Return where it is installed, or nothing."""
        return self._value("InstallDir").rstrip("\\")

    def _value(self, name: str) -> str:
        for line in self.machine.registry(KEY).splitlines():
            if line.split()[:1] == [name]:
                return line.split("REG_SZ", 1)[1].strip()
        return ""

    def agent(self, words: str) -> Done:
        """Run the agent's command."""
        return self.machine.line(f'call "{self.directory()}\\tremplin-agent.cmd" {words}')

    def status(self) -> dict[str, Any]:
        """Return what the agent knows."""
        found: dict[str, Any] = json.loads(self.agent("status").output)
        return found

    def put_right(self) -> None:
        """Remove what a test left, its failure first of all."""
        code = self.product_code()
        if code:
            self.machine.line(f"msiexec /x {code} /qn")
        shutil.rmtree(self._place, ignore_errors=True)

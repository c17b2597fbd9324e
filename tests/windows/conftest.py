"""One server and one Windows for all tests here, and the installers that `make msi` builds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.integration.agent_site import Site, running_site
from tests.windows import wine
from tests.windows.installing import EXE, MSI, PAYLOADS, Windows

CHECKOUT = Path(__file__).resolve().parents[2]
OLD_VERSION = "0.0.9"
_numbers = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs programs that are not there, by name and with the reason."""
    missing = wine.missing()
    if not missing:
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=f"not installed: {', '.join(missing)}"))


def build(output: Path, *words: str) -> None:
    """Run the build of the Windows installers; AssertionError with its words if it fails."""
    command = [sys.executable, str(CHECKOUT / "msi/build.py"), "--output", str(output), *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def msi() -> Path:
    """The MSI of this checkout, built unless it is there."""
    build(PAYLOADS)
    return PAYLOADS / MSI


@pytest.fixture(scope="session")
def exe(msi: Path) -> Path:
    """The EXE of this checkout."""
    return PAYLOADS / EXE


@pytest.fixture(scope="session")
def old_msi() -> Path:
    """The same as an older version."""
    output = CHECKOUT / ".cache" / "msi-old"
    build(output, "--version", OLD_VERSION)
    return output / MSI


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server whose records of uninstalled clients go at once."""
    with running_site(tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[wine.Machine]:
    """A Windows that is on."""
    with wine.machine(tmp_path_factory.mktemp("windows") / "prefix") as made:
        yield made


@pytest.fixture(scope="session")
def known(machine: wine.Machine) -> list[set[str]]:
    """What that Windows has, as the last of the items: what one test leaves, the next finds."""
    return [machine.footprint()]


@pytest.fixture
def windows(machine: wine.Machine, msi: Path, known: list[set[str]]) -> Iterator[Windows]:
    """That Windows without a Jump Client, before and after the test."""
    made = Windows(machine, msi)
    yield made
    made.put_right()
    known.append(machine.footprint())
    assert known[-1] == known[-2]


@pytest.fixture
def name() -> str:
    """A declared key that no other test has."""
    return f"win{next(_numbers)}"

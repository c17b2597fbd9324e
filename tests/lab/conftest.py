"""Fixtures of the tests on real hosts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.lab import support
from tests.lab.api import Api
from tests.lab.controller import Controller
from tests.lab.host import Host
from tests.lab.lab import Lab, sweep
from tests.lab.recipes import RECIPES, TOOLS
from tests.lab.site import Site

_numbers = count(1)
HostFactory = Callable[..., Host]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this directory, and give them the time that hosts need."""
    for item in items:
        if "tests/lab/" in item.path.as_posix():
            item.add_marker(pytest.mark.lab)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A lab of this process's own; hosts and network end with the session."""
    missing = support.missing()
    if missing and os.environ.get("CI"):
        pytest.fail(f"the lab cannot run, and CI must run it: {'; '.join(missing)}")
    if missing:
        pytest.skip(f"lab: {'; '.join(missing)}")
    sweep()
    lab = Lab(f"t{os.getpid() % 1_000_000}", owner=os.getpid())
    lab.open()
    yield lab
    lab.close()


@pytest.fixture
def host(lab: Lab, request: pytest.FixtureRequest) -> Iterator[HostFactory]:
    """Make hosts: `host(base)`, `host(base, nat=True)`; they are gone after the test."""
    made: list[str] = []

    def make(base: str = "bookworm-systemd", *, nat: bool = False, on: bool = True) -> Host:
        name = f"h{next(_numbers)}-{base}"
        made.append(name)
        return lab.up(name, base, nat=nat) if on else lab.create(name, base, nat=nat)

    yield make
    for name in made:
        lab.down(name)


@pytest.fixture(scope="session")
def lab_server(lab: Lab) -> Iterator[Site]:
    """The server under test, shared by the tests of this process."""
    site = Site(lab)
    site.start()
    site.api().call("POST", "/jump-group", {"name": "Lab", "code_name": "lab"})
    yield site
    site.remove()


@pytest.fixture
def site(lab_server: Site) -> Site:
    """The server, running: a test before may have killed it."""
    lab_server.start()
    return lab_server


@pytest.fixture
def api(site: Site) -> Api:
    """The server's API, as an account of the tests' own."""
    return site.api()


@pytest.fixture
def controller(lab: Lab, site: Site, tmp_path: Path) -> Controller:
    """The machine that runs Ansible."""
    return Controller(lab, site, tmp_path)


@pytest.fixture(params=[name for name in RECIPES if name != TOOLS])
def base(request: pytest.FixtureRequest) -> str:
    """Each base system in turn."""
    return str(request.param)

"""The role on a Windows host: the collection's own tasks, with Windows' modules on Wine.

`ansible_windows` stands for the collection ansible.windows, whose modules need PowerShell.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.agent_site import Site
from tests.integration.ansible_plays import Controller, Play
from tests.windows.installing import Windows

DEPLOY, REMOVE = "tremplin.jump.deploy", "tremplin.jump.remove"
STANDING_IN = Path(__file__).parent / "ansible_windows"


class Line:
    """Deploying with Ansible to one Windows host."""

    def __init__(self, controller: Controller, windows: Windows, name: str) -> None:
        self.controller = controller
        self.name = name
        link = controller.directory / "collections/ansible_collections/ansible/windows"
        link.parent.mkdir(parents=True)
        link.symlink_to(STANDING_IN)
        controller.environment |= windows.machine.environment

    def play(self, playbook: str, **variables: Any) -> Play:
        """Run a playbook against the host."""
        inventory = self.controller.inventory({self.name: {}})
        group = {"tremplin_jc_jump_group": "jumpgroup:tests", "tremplin_steps": "windows/"}
        return self.controller.play(playbook, "-i", str(inventory), **group, **variables)

    def done(self, playbook: str, **variables: Any) -> int:
        """Run a playbook that must succeed; return how many tasks changed something."""
        play = self.play(playbook, **variables)
        assert play.status == 0, play.output
        return play.changes()


@pytest.fixture
def line(windows: Windows, site: Site, name: str, tmp_path: Path) -> Line:
    """A host to deploy to."""
    site.group()
    return Line(Controller(tmp_path, site), windows, name)


def test_the_line(line: Line, windows: Windows, site: Site) -> None:
    given = {"tremplin_install_dir": "C:\\by ansible", "tremplin_jc_tag": "two words"}
    assert line.done(DEPLOY, **given) > 0
    record = site.until_state(line.name, "online")
    assert (record["tag"], record["install_dir"]) == ("two words", "C:\\by ansible")
    assert line.done(DEPLOY, **given) == 0, "the second run changes nothing"

    assert windows.machine.line("net stop TremplinJumpClient").status == 0
    assert line.done(DEPLOY, **given) > 0
    assert site.until_state(line.name, "online")["id"] == record["id"]

    assert line.done(REMOVE) > 0
    assert site.record(line.name) == {}
    assert not windows.product_code()
    assert line.done(REMOVE) == 0


def test_the_reason_of_a_failure_is_shown(line: Line, windows: Windows, site: Site) -> None:
    failed = line.play(DEPLOY, tremplin_key_info="nonsense")
    assert failed.status != 0
    assert "install.key_damaged: the key info is damaged" in failed.output
    assert "exit status 1603" in failed.output
    assert not windows.product_code()
    assert not windows.path("C:\\Windows\\Temp\\tremplin-push").exists()

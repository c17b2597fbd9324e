"""The commands that people copy: what is in them, and where the key info is not."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from tremplin_server.installers.commands import Commands, commands
from tremplin_server.installers.models import Installer
from tremplin_server.installers.payload import FILES

KEY = "a-key-info"


def made(platform: str, key_info: str = KEY, group: str = "Lab d'essai") -> Commands:
    installer = Installer(
        installer_id="0" * 32, platform=platform, tag="l'atelier", comments='say "no"\nagain'
    )
    return commands(installer, group, key_info)


def texts(found: Commands) -> dict[str, str]:
    return {name: getattr(found, name) for name in Commands.__slots__ if getattr(found, name)}


@pytest.mark.parametrize("platform", FILES)
def test_every_platform_has_commands_and_keeps_the_key_out(platform: str) -> None:
    found = texts(made(platform))
    assert {"ansible", "salt"} < set(found)
    with_key = {name for name, text in found.items() if KEY in text}
    assert with_key <= {"msi"}, "msiexec takes it in no other way"
    assert not [text for text in texts(made(platform, "")).values() if "KEY_INFO= " in text]


def test_the_generic_installer_gets_it_from_who_types_it(tmp_path: Path) -> None:
    command = made("linux-64").generic
    program = tmp_path / FILES["linux-64"]
    program.write_text('echo "$# $1 $2: $(cat)"\n')
    done = subprocess.run(
        ["sh", "-c", command], input=f"{KEY}\n", cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout == f"Key info: 2 --key-info -: {KEY}\n"


def test_ansible_gets_the_properties() -> None:
    words = shlex.split(made("linux-64").ansible)
    assert words[3] == "tremplin.jump.deploy"
    assert json.loads(words[-1]) == {
        "tremplin_jc_jump_group": "Lab d'essai",
        "tremplin_jc_tag": "l'atelier",
        "tremplin_jc_comments": 'say "no"\nagain',
    }


def test_salt_gets_them_in_the_masters_pillar() -> None:
    text = made("linux-64").salt
    pillar = text.split("<<'EOF'\n")[1].split("\nEOF\n")[0]
    assert yaml.safe_load(pillar) == {
        "tremplin": {
            "scope": "system",
            "jc_jump_group": "Lab d'essai",
            "jc_tag": "l'atelier",
            "jc_comments": 'say "no"\nagain',
        }
    }
    assert text.endswith("salt 'web*' state.apply tremplin")


def test_without_a_group_nothing_manages_it() -> None:
    found = made("windows-64-msi", KEY, "")
    assert (found.ansible, found.salt) == ("", "")
    # The name under which the browser keeps it.
    name = f"tremplin-scc-{'0' * 32}.msi"
    assert found.msi == f"msiexec /i {name} KEY_INFO={KEY} /qn /l*v install.log"

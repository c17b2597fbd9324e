"""The commands that a person copies to use a new installer."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field

from tremplin_server.installers.models import Installer
from tremplin_server.installers.payload import FILES


@dataclass(frozen=True, slots=True)
class Commands:
    """What to type. Those with the key info in them are as secret as it is.

    Empty ones are for another platform.
    """

    user: str = ""
    system: str = ""
    generic: str = field(default="", repr=False)
    msi: str = field(default="", repr=False)
    exe: str = field(default="", repr=False)
    ansible: str = ""


def commands(installer: Installer, jump_group: str, key_info: str) -> Commands:
    """Return the commands for `installer`.

    Its key info goes in by standard input where that can be; Windows' installer has none.

    jump_group: as the installer parameter takes it.
    """
    stamped = f"tremplin-scc-{installer.installer_id}.bin"
    plain = FILES[installer.platform]
    if installer.platform.startswith("windows-"):
        return Commands(
            msi=f"msiexec /i {FILES['windows-64-msi']} KEY_INFO={key_info} /qn /l*v install.log",
            exe=f"{FILES['windows-64']} --key-info {key_info}",
            ansible=_ansible(installer, jump_group),
        )
    return Commands(
        user=f"sh ./{stamped}",
        system=f"sudo sh ./{stamped} --scope system",
        generic=f"printf %s {key_info} | sh ./{plain} --key-info -",
        ansible=_ansible(installer, jump_group),
    )


def _ansible(installer: Installer, jump_group: str) -> str:
    """The role gets a short-lived installer for each host; what it needs is the properties."""
    values = {
        "tremplin_jc_jump_group": jump_group,
        "tremplin_jc_tag": installer.tag,
        "tremplin_jc_comments": installer.comments,
    }
    given = json.dumps({k: v for k, v in values.items() if v}, ensure_ascii=False)
    return shlex.join(
        ["ansible-playbook", "-i", "inventory.yml", "tremplin.jump.deploy", "-e", given]
    )

"""The commands that a person copies to use an installer, on each kind of machine.

The key info stands in none of those that a shell keeps in its history: the downloaded installer
has it inside, the generic one reads it from standard input, PowerShell asks for it. cmd.exe
keeps no history on disk, and the MSI's log leaves the property out.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from tremplin_server.installers.models import Installer
from tremplin_server.installers.payload import FILES


@dataclass(frozen=True, slots=True)
class Commands:
    """What to type; empty ones are for another kind of machine, or need the key info.

    user, system: the downloaded installer, which has the key info inside. generic: the one
    without, which reads it. exe: the downloaded EXE. msi: has the key info in it and is as
    secret as it is. powershell: asks for it. ansible, salt: need no key info at all.
    """

    user: str = ""
    system: str = ""
    generic: str = ""
    exe: str = ""
    msi: str = field(default="", repr=False)
    powershell: str = ""
    ansible: str = ""
    salt: str = ""


def commands(installer: Installer, jump_group: str = "", key_info: str = "") -> Commands:
    """Return the commands for `installer`.

    jump_group: as the installer parameter takes it; empty leaves Ansible and Salt out.
    key_info: known only at its creation, and to who has the installer's link.
    """
    plain = FILES[installer.platform]
    suffix = Path(plain).suffix
    stamped = f"tremplin-scc-{installer.installer_id}{suffix}"
    managed = _managed(installer, jump_group) if jump_group else {}
    if suffix == ".msi":
        head = f"msiexec /i {stamped} KEY_INFO="
        tail = " /qn /l*v install.log"
        asking = f"$key = Read-Host 'Key info'; {head}$key{tail}"
        return Commands(
            msi=f"{head}{key_info}{tail}" if key_info else "", powershell=asking, **managed
        )
    if suffix == ".exe":
        asking = f"$key = Read-Host 'Key info'; .\\{plain} --key-info $key"
        return Commands(exe=stamped, powershell=asking, **managed)
    reading = f'read -r key; printf %s "$key" | sh ./{plain} --key-info -'
    return Commands(
        user=f"sh ./{stamped}",
        system=f"sudo sh ./{stamped} --scope system",
        generic=f"printf 'Key info: '; {reading}",
        **managed,
    )


def _managed(installer: Installer, jump_group: str) -> dict[str, str]:
    """Role and formula get a short-lived installer for each host, with these properties."""
    values = {
        "jc_jump_group": jump_group,
        "jc_tag": installer.tag,
        "jc_comments": installer.comments,
    }
    given = {name: value for name, value in values.items() if value}
    return {"ansible": _ansible(given), "salt": _salt(given)}


def _ansible(given: dict[str, str]) -> str:
    named = {f"tremplin_{name}": value for name, value in given.items()}
    text = json.dumps(named, ensure_ascii=False)
    return shlex.join(
        ["ansible-playbook", "-i", "inventory.yml", "tremplin.jump.deploy", "-e", text]
    )


def _salt(given: dict[str, str]) -> str:
    """The master believes its own pillar only, so the properties go there; YAML reads JSON."""
    lines = ["tremplin:", "  scope: system"]
    lines += [f"  {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in given.items()]
    return "\n".join(
        [
            "cat > /srv/pillar/tremplin.sls <<'EOF'",
            *lines,
            "EOF",
            "salt '*' saltutil.refresh_pillar",
            "salt 'web*' state.apply tremplin",
        ]
    )

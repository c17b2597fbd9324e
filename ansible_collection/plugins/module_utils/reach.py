# SPDX-License-Identifier: Apache-2.0
"""How Ansible reaches a Jump Client: names, groups and variables of its inventory host.

Nothing here opens a connection or a file, so that the rules can be tried with data alone.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

NAMES = ("external_id", "name", "hostname", "fqdn", "id")
"""Fields of a record that can name an inventory host."""
GROUPINGS = ("jump_group", "tag", "os", "state")
"""What hosts can be grouped by."""
RETRIES = 5
"""A server that is asked for many sessions in one instant refuses some (jump.busy)."""
KEEPALIVE_SECONDS = 30


class Way(NamedTuple):
    """The way to every host of a site.

    user: who signs in at the bastion. known_hosts: path of the file with its key and those
    of all hosts. private_key: path of the key to sign in with; ssh's own choice when empty.
    """

    host: str
    port: int
    user: str
    known_hosts: str
    private_key: str = ""


def host_name(record: Mapping[str, Any], preferences: Sequence[str]) -> str:
    """Return the first of the record's `preferences` that is not empty; its id at last."""
    for name in preferences:
        if record.get(name):
            return str(record[name])
    return str(record["id"])


def named(
    records: Iterable[Mapping[str, Any]], preferences: Sequence[str]
) -> list[tuple[str, Mapping[str, Any]]]:
    """Return each record with a name that no other has: a second one gets its id behind it."""
    taken: set[str] = set()
    found = []
    for record in sorted(records, key=lambda record: int(record["id"])):
        name = host_name(record, preferences)
        if name in taken:
            name = f"{name}-id-{record['id']}"
        taken.add(name)
        found.append((name, record))
    return found


def groups_of(record: Mapping[str, Any], groupings: Sequence[str], jump_group: str) -> list[str]:
    """Return the names, not sanitized yet, of the groups that the record belongs to.

    jump_group: what its Jump Group is called.
    """
    values = {
        "jump_group": jump_group,
        "tag": record.get("tag") or "",
        "os": operating_system(record),
        "state": "lost" if record.get("is_lost") else record["state"],
    }
    return [f"{name}_{values[name]}" for name in groupings if values[name]]


def operating_system(record: Mapping[str, Any]) -> str:
    """Return the name of the operating system without its version, such as `debian`."""
    words = str(record.get("operating_system") or "").split()
    name = []
    for word in words:
        if any(character.isdigit() for character in word) or word.startswith("("):
            break
        if word.lower() not in ("gnu/linux", "linux", "microsoft"):
            name.append(word.lower())
    return "_".join(name) or ("linux" if words else "")


def variables(record: Mapping[str, Any], way: Way | None, site: str) -> dict[str, Any]:
    """Return the variables of a host.

    way: None leaves the connection to the inventory's owner. site: the server's URL.
    """
    found: dict[str, Any] = {"jump_client": dict(record)}
    if way is None:
        return found
    found.update(
        ansible_host=f"id-{record['id']}",
        ansible_ssh_common_args=ssh_arguments(way),
        ansible_ssh_retries=RETRIES,
        # The keys come from the server that pinned them; nothing is ever trusted on first use.
        ansible_host_key_checking=True,
        # Ansible tells connections apart by host, port and user: id-12 of another site is
        # another machine.
        ansible_control_path_dir="~/.ansible/cp/" + digest(site)[:8],
    )
    if record.get("run_as"):
        # Whatever name is asked for, the agent's own account answers.
        found["ansible_user"] = record["run_as"]
    if way.private_key:
        found["ansible_ssh_private_key_file"] = way.private_key
    return found


def ssh_arguments(way: Way) -> str:
    """Return `ansible_ssh_common_args` for the way: a jump whose keys are checked at both ends.

    ssh hands no option of its command line on to a ProxyJump, hence the command.
    """
    checked = ["-o", "UserKnownHostsFile=" + _path(way.known_hosts)]
    checked += ["-o", "StrictHostKeyChecking=yes"]
    jump = ["ssh", "-o", "BatchMode=yes", "-o", f"ServerAliveInterval={KEEPALIVE_SECONDS}"]
    if way.private_key:
        jump += ["-o", "IdentityFile=" + _path(way.private_key)]
    jump += [*checked, "-p", str(way.port), "-l", way.user]
    # What stands in the command is expanded once more, by the ssh that starts it.
    words = [shlex.quote(word).replace("%", "%%") for word in [*jump, way.host]]
    command = " ".join([*words[:-1], "-W", "%h:%p", words[-1]])
    return shlex.join([*checked, "-o", "ProxyCommand=" + command])


def _path(path: str) -> str:
    """Return a path as a value of ssh's configuration."""
    escaped = path.replace("%", "%%")
    return '"' + escaped + '"' if " " in escaped else escaped


def digest(text: str) -> str:
    """Return a name for files that belong to `text`."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()

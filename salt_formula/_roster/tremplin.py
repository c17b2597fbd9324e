# SPDX-License-Identifier: Apache-2.0
"""
Targets for salt-ssh: every Jump Client that the master's API account may reach, through the
server's bastion, on whatever network it is.

.. code-block:: yaml

    # /etc/salt/master.d/tremplin.conf, beside tremplin:api
    tremplin:
      roster:
        priv: /etc/salt/pki/master/ssh/salt-ssh.rsa  # this key of salt-ssh by default
        bastion_user: technician                     # the API account by default

.. code-block:: bash

    salt-ssh --roster tremplin '*' test.ping

The public half of the key is registered on the server for that account. Targets are named by
their declared keys, else by name. The host keys are those that the server has pinned, and are
checked at both ends of the jump: nothing is trusted at first sight.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
import sys

CONNECTED = ("online", "resting")
KEEPALIVE_SECONDS = 30


def __virtual__():  # noqa: N807 - Salt's own name
    """Say where this works."""
    if sys.platform == "win32":
        return False, "tremplin: masters run on POSIX systems"
    return "tremplin"


def targets(tgt, tgt_type="glob", **_unused):
    """Return the targets that match, as salt-ssh takes them.

    tgt_type: glob, pcre, list, or grain:… is not known here. Offline ones are left out.
    """
    account = __utils__["tremplin.settings"](__opts__.get("tremplin", {}).get("api", {}))
    if account is None:
        raise ValueError("the master's configuration has no tremplin:api")
    client = __utils__["tremplin.api"](account, __opts__["cachedir"])
    wanted = __opts__.get("tremplin", {}).get("roster", {})
    records = __utils__["tremplin.pages"](client, "/jump-client")
    chosen = {
        name: record
        for name, record in named(records)
        if record["state"] in CONNECTED and _matches(name, tgt, tgt_type)
    }
    if not chosen:
        return {}
    bastion = client.get("/bastion")
    priv = wanted.get("priv") or os.path.join(__opts__["pki_dir"], "ssh", "salt-ssh.rsa")
    options = ssh_options(
        bastion["host"],
        bastion["port"],
        wanted.get("bastion_user") or bastion["user"],
        _known_hosts(__utils__["tremplin.text"](client, "/known-hosts")),
        priv,
    )
    defaults = __opts__.get("roster_defaults", {})
    return {name: dict(defaults, **entry(record, options, priv)) for name, record in chosen.items()}


def named(records):
    """Return each record with a name that no other has: a second one gets its id behind it."""
    taken = set()
    found = []
    for record in sorted(records, key=lambda record: record["id"]):
        name = record.get("external_id") or record.get("name") or str(record["id"])
        if name in taken:
            name = f"{name}-id-{record['id']}"
        taken.add(name)
        found.append((name, record))
    return found


def entry(record, options, priv):
    """Return the roster's entry of one Jump Client: its id as a host name, and the way."""
    return {
        "host": f"id-{record['id']}",
        # Whatever name is asked for, the agent's own account answers.
        "user": record.get("run_as") or "root",
        "priv": priv,
        "ssh_options": options,
    }


def ssh_options(host, port, user, known_hosts, priv):
    """Return the options of the way through the bastion, whose key is checked as well.

    ssh hands no option of its command line on to a ProxyJump, hence the command. salt-ssh
    splits its command line as a shell does, hence the quotes.
    """
    checked = [f"UserKnownHostsFile={known_hosts}", "StrictHostKeyChecking=yes"]
    jump = ["BatchMode=yes", f"ServerAliveInterval={KEEPALIVE_SECONDS}", f"IdentityFile={priv}"]
    words = ["ssh"]
    for option in [*jump, *checked]:
        words += ["-o", option]
    words += ["-p", str(port), "-l", user]
    # What stands in the command is expanded once more, by the ssh that starts it.
    command = " ".join(shlex.quote(word).replace("%", "%%") for word in words)
    command += " -W %h:%p " + shlex.quote(host).replace("%", "%%")
    return [*map(shlex.quote, checked), shlex.quote("ProxyCommand=" + command)]


def _matches(name, tgt, tgt_type):
    if tgt_type == "list":
        return name in (tgt.split(",") if isinstance(tgt, str) else tgt)
    if tgt_type == "pcre":
        return re.match(tgt + r"\Z", name) is not None
    if tgt_type != "glob":
        raise ValueError(f"the roster tremplin knows glob, pcre and list, not {tgt_type}")
    return fnmatch.fnmatchcase(name, tgt)


def _known_hosts(text):
    """Write the host keys that the server vouches for, and return the path."""
    place = os.path.join(__opts__["cachedir"], "tremplin")
    os.makedirs(place, mode=0o700, exist_ok=True)
    path = os.path.join(place, "known_hosts")
    partial = f"{path}.{os.getpid()}"
    with open(partial, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(partial, path)
    return path

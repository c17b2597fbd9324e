# SPDX-License-Identifier: Apache-2.0
"""
Targets for salt-ssh: every Jump Client that the master's API account may reach, through the
server's bastion, on whatever network it is.

.. code-block:: yaml

    # /etc/salt/master.d/tremplin.conf, beside tremplin:api
    tremplin:
      roster:
        account: salt                        # who signs in at the bastion
        priv: /etc/salt/pki/master/ssh/tremplin_ed25519
        bastion: tremplin.example.net:8022   # the host of api:url and port 8022 by default

.. code-block:: bash

    salt-ssh --roster tremplin '*' test.ping

The public half of the key is registered on the server for that account. Targets are named by
their declared keys, then by name; the host keys are the server's, so nothing is trusted at
first sight. ``-o``-options of other rosters are not needed.
"""

from __future__ import annotations

import fnmatch
import os
import re
import sys
from urllib.parse import urlsplit

PORT = 8022
REACHABLE = ("online",)
KNOWN_HOSTS = "/known-hosts"


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
        for name, record in named(records).items()
        if record["state"] in REACHABLE and _matches(name, tgt, tgt_type)
    }
    if not chosen:
        return {}
    known_hosts = _known_hosts(__utils__["tremplin.text"](client, KNOWN_HOSTS))
    way = Way(account["url"], wanted, known_hosts)
    defaults = __opts__.get("roster_defaults", {})
    return {name: dict(defaults, **way.target(record)) for name, record in chosen.items()}


class Way:
    """How salt-ssh comes to a host. known_hosts: path of a file with every host's key."""

    def __init__(self, url, wanted, known_hosts):
        bastion = urlsplit("//" + str(wanted.get("bastion") or ""))
        self.host = bastion.hostname or urlsplit(url).hostname
        self.port = bastion.port or PORT
        self.account = wanted.get("account") or ""
        self.priv = wanted.get("priv") or ""
        self.known_hosts = known_hosts

    def target(self, record):
        """Return the roster's entry of one Jump Client.

        The name in the channel is the record's id: unique, and without spaces.
        """
        entry = {
            "host": str(record["id"]),
            "port": 22,
            "user": record.get("run_as") or "root",
            "ssh_options": [
                f"ProxyCommand={quoted(self.proxy_command())}",
                f"UserKnownHostsFile={self.known_hosts}",
                "StrictHostKeyChecking=yes",
                f"HostKeyAlias={record['id']}",
            ],
        }
        if self.priv:
            entry["priv"] = self.priv
        return entry

    def proxy_command(self):
        """Return the command that leads to a host: `ssh -W` at the bastion, as the account."""
        words = ["ssh", "-W", "%h:%p", "-p", str(self.port)]
        words += ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
        words += ["-o", f"UserKnownHostsFile={self.known_hosts}"]
        if self.priv:
            words += ["-o", "IdentitiesOnly=yes", "-i", self.priv]
        return " ".join([*words, f"{self.account}@{self.host}" if self.account else self.host])


def quoted(command):
    """Return an option's value that has spaces, as salt-ssh's command line needs it."""
    return f'"{command}"'


def named(records):
    """Return name -> record: by declared key, else by name, else by id; unique."""
    found = {}
    for record in records:
        words = (record.get("external_id"), record.get("name"), str(record["id"]))
        name = next(word for word in words if word and word not in found)
        found[name] = record
    return found


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

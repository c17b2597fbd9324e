# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory: the Jump Clients of a server, reached through its bastion."""

from __future__ import annotations

DOCUMENTATION = r"""
name: jump_clients
short_description: Jump Clients of a Tremplin server, reached through its bastion
version_added: 0.2.0
author:
  - The Tremplin authors (@tremplin)
description:
  - Lists the Jump Clients of a server and says how to reach them with ssh, although no network
    leads to them.
  - The host keys come from the server, which has pinned them since the agents enrolled. They are
    kept in a file of O(known_hosts_dir) and checked at both ends of the jump.
  - Sign-in at the bastion and on the hosts is by the SSH key of the API account. Register it with
    C(tremplin api-account key add NAME KEY.pub).
  - Uses a YAML file whose name ends with V(jump_clients.yml) or V(jump_clients.yaml).
extends_documentation_fragment:
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description: Marks the file as one for this plugin.
    type: str
    required: true
    choices: [tremplin.jump.jump_clients]
  url:
    description: Base URL of the server's API, such as V(https://tremplin.example.net:8443).
    type: str
    required: true
    env:
      - name: TREMPLIN_URL
  client_id:
    description: OAuth client id of the API account.
    type: str
    required: true
    env:
      - name: TREMPLIN_CLIENT_ID
  client_secret:
    description: OAuth client secret of the API account.
    type: str
    required: true
    env:
      - name: TREMPLIN_CLIENT_SECRET
  ca_path:
    description: PEM file of the authorities to trust instead of those of the system.
    type: path
    env:
      - name: TREMPLIN_CA_PATH
  ca_pin:
    description:
      - Hexadecimal SHA-256 of the server's own CA certificate in DER form. It wins over
        O(ca_path).
    type: str
    env:
      - name: TREMPLIN_CA_PIN
  validate_certs:
    description: Whether the server's certificate is verified. Only a test should say no.
    type: bool
    default: true
    env:
      - name: TREMPLIN_VALIDATE_CERTS
  timeout:
    description: Seconds for which the server may be silent.
    type: int
    default: 30
    env:
      - name: TREMPLIN_TIMEOUT
  states:
    description: Only Jump Clients in one of these states.
    type: list
    elements: str
    choices: [pending, online, offline, disabled, uninstalled, removing]
    default: [online, offline, disabled]
  jump_groups:
    description:
      - Only Jump Clients of these Jump Groups, each as V(user:<name>), V(jumpgroup:<code name>)
        or a group's name.
    type: list
    elements: str
  tag:
    description: Only Jump Clients with this tag.
    type: str
  search:
    description: Only Jump Clients in whose texts every one of these words stands.
    type: str
  host_names:
    description:
      - Fields that name an inventory host; the first one that is not empty does.
      - A name that is taken already gets the Jump Client's id behind it.
    type: list
    elements: str
    choices: [external_id, name, hostname, fqdn, id]
    default: [external_id, name]
  group_by:
    description:
      - Groups to make. A group is named after its kind and its value, such as V(tag_web),
        V(state_online), V(os_debian) or V(jump_group_servers).
    type: list
    elements: str
    choices: [jump_group, tag, os, state]
    default: [jump_group, tag, os, state]
  bastion:
    description:
      - Whether hosts are reached through the server's bastion. If not, the inventory says nothing
        about connections.
    type: bool
    default: true
  bastion_user:
    description: Who signs in at the bastion, if not the API account that lists the hosts.
    type: str
    env:
      - name: TREMPLIN_BASTION_USER
  ssh_private_key_file:
    description: Private key to sign in with, at the bastion and on the hosts.
    type: path
    env:
      - name: TREMPLIN_SSH_KEY
  known_hosts_dir:
    description: Directory, for this user alone, of the files with the host keys.
    type: path
    default: ~/.ansible/tremplin
    env:
      - name: TREMPLIN_KNOWN_HOSTS_DIR
"""

EXAMPLES = r"""
# tremplin.jump_clients.yml
plugin: tremplin.jump.jump_clients
url: https://tremplin.example.net:8443
ssh_private_key_file: ~/.ssh/ansible

# Only what is there now, and groups of one's own:
# plugin: tremplin.jump.jump_clients
# states: [online]
# jump_groups: [jumpgroup:servers]
# keyed_groups:
#   - key: jump_client.platform
#     prefix: platform
# groups:
#   old: jump_client.needs_update
"""

import json
import os
import tempfile

from ansible.errors import AnsibleParserError
from ansible.inventory.group import to_safe_group_name
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible_collections.tremplin.jump.plugins.module_utils import lookups, reach
from ansible_collections.tremplin.jump.plugins.module_utils.client import Client
from ansible_collections.tremplin.jump.plugins.module_utils.errors import Missing, TremplinError
from ansible_collections.tremplin.jump.plugins.module_utils.transport import UrlTransport


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Fetches, or takes from the cache, and turns records into hosts."""

    NAME = "tremplin.jump.jump_clients"

    def verify_file(self, path):
        """Return whether `path` is a file for this plugin."""
        return super().verify_file(path) and path.endswith(
            ("jump_clients.yml", "jump_clients.yaml")
        )

    def parse(self, inventory, loader, path, cache=True):
        """Fill `inventory` from the server that `path` names."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        self.load_cache_plugin()
        self._fill(self._fetched(self.get_cache_key(path), cache))

    def _fetched(self, key, cache):
        """Return what the server says, from the cache when that is wanted and has it."""
        cached = self.get_option("cache")
        if cached and cache:
            try:
                return json.loads(self._cache[key])
            except KeyError:
                pass
        found = self._fetch()
        if cached:
            self._cache[key] = json.dumps(found)
        return found

    def _fetch(self):
        transport = UrlTransport(
            self.get_option("url"),
            self.get_option("ca_path"),
            self.get_option("ca_pin"),
            self.get_option("validate_certs"),
            self.get_option("timeout"),
        )
        client = Client(
            self.get_option("url"),
            self.get_option("client_id"),
            self.get_option("client_secret"),
            transport,
        )
        try:
            return self._asked(client)
        except TremplinError as error:
            raise AnsibleParserError(str(error)) from error
        finally:
            transport.close()

    def _asked(self, client):
        records = {
            record["id"]: record
            for query in self._queries(client)
            for record in client.pages("/jump-client", **query)
            if record["state"] in self.get_option("states")
        }
        found = {"records": list(records.values()), "groups": _group_names(client, records)}
        if self.get_option("bastion"):
            found["bastion"] = client.get("/bastion")
            found["known_hosts"] = client.download("/known-hosts").body.decode("utf-8")
        return found

    def _queries(self, client):
        """Yield what to ask the list for, once for each Jump Group."""
        common = {"tag": self.get_option("tag"), "search": self.get_option("search")}
        for name in self.get_option("jump_groups") or [None]:
            yield dict(common, **(lookups.jump_group(client, name) if name else {}))

    def _fill(self, found):
        way = self._way(found)
        strict = self.get_option("strict")
        for name, record in reach.named(found["records"], self.get_option("host_names")):
            self.inventory.add_host(name)
            variables = reach.variables(record, way, self.get_option("url"))
            for key, value in variables.items():
                self.inventory.set_variable(name, key, value)
            jump_group = found["groups"].get(_owner(record), str(record["jump_group_id"]))
            for group in reach.groups_of(record, self.get_option("group_by"), jump_group):
                made = self.inventory.add_group(to_safe_group_name(group.lower(), force=True))
                self.inventory.add_host(name, made)
            self._set_composite_vars(self.get_option("compose"), variables, name, strict=strict)
            self._add_host_to_composed_groups(
                self.get_option("groups"), variables, name, strict=strict
            )
            self._add_host_to_keyed_groups(
                self.get_option("keyed_groups"), variables, name, strict=strict
            )

    def _way(self, found):
        """Return the way through the bastion, its host keys written to their file."""
        if not self.get_option("bastion"):
            return None
        bastion = found["bastion"]
        return reach.Way(
            bastion["host"],
            bastion["port"],
            self.get_option("bastion_user") or bastion["user"],
            self._write_known_hosts(found["known_hosts"]),
            self.get_option("ssh_private_key_file") or "",
        )

    def _write_known_hosts(self, text):
        """Write the host keys, at once or not at all, and return where."""
        directory = self.get_option("known_hosts_dir")
        account = self.get_option("url") + "\0" + self.get_option("client_id")
        path = os.path.join(directory, "known_hosts-" + reach.digest(account)[:16])
        try:
            os.makedirs(directory, mode=0o700, exist_ok=True)
            descriptor, fresh = tempfile.mkstemp(dir=directory)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
            os.replace(fresh, path)
        except OSError as error:
            raise AnsibleParserError(f"{path} cannot be written: {error.strerror}") from error
        return path


def _owner(record):
    return f"{record['jump_group_type']} {record['jump_group_id']}"


def _group_names(client, records):
    """Return what the Jump Groups of `records` are called, by type and id."""
    owners = {(record["jump_group_type"], record["jump_group_id"]) for record in records.values()}
    names = {}
    for kind, path, field in (("shared", "/jump-group", "code_name"), ("personal", "/user", None)):
        for number in sorted(number for other, number in owners if other == kind):
            try:
                group = client.get(f"{path}/{number}")
            except Missing:
                continue
            name = group[field] if field else "user_" + group["username"]
            names[f"{kind} {number}"] = name
    return names

#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: what the server knows of Jump Clients."""

from __future__ import annotations

DOCUMENTATION = r"""
module: jump_client_info
short_description: List Jump Clients, compare them with an inventory, wait for one
version_added: 0.1.0
description:
  - Lists the records that match every filter given.
  - Compares the server with a list of declared keys, such as the inventory, and names every
    difference.
  - Can wait until records are in a state, such as online.
author:
  - The Tremplin authors (@tremplin)
extends_documentation_fragment:
  - tremplin.jump.api
options:
  ids:
    description: Ids of records. One that does not exist is left out of the answer.
    type: list
    elements: int
  external_ids:
    description: Declared keys of machines. One that has no record is left out of the answer.
    type: list
    elements: str
  name:
    description: Name of the Jump Client.
    type: str
  hostname:
    description: Host name.
    type: str
  fqdn:
    description: Fully qualified domain name.
    type: str
  tag:
    description: Tag.
    type: str
  jump_group:
    description: Jump Group, as V(user:<name>), V(jumpgroup:<code name>) or the name of a group.
    type: str
  console_user:
    description: User at the console.
    type: str
  public_ip:
    description: Address that the server sees.
    type: str
  private_ip:
    description: Address that the host has.
    type: str
  operating_system:
    description: Operating system.
    type: str
  state:
    description: State of the record.
    type: str
    choices: [pending, online, resting, offline, disabled, uninstalled, removing]
  search:
    description: Text to look for in the texts of the record.
    type: str
  installers:
    description: Whether to list the installers that were made for O(external_ids) as well.
    type: bool
    default: false
  tombstones:
    description: Whether to list the open tombstones of O(external_ids) as well.
    type: bool
    default: false
  drift:
    description: Compare the server with a list of declared keys.
    type: dict
    suboptions:
      external_ids:
        description: Declared keys of all machines that should have a Jump Client.
        type: list
        elements: str
        required: true
      jump_group:
        description: Look only at the records of this Jump Group.
        type: str
      tag:
        description: Look only at the records with this tag.
        type: str
  wait_for:
    description:
      - State that every one of O(ids) and O(external_ids) must reach before the module returns.
      - V(connected) is V(online), V(resting) of a passive one, or V(disabled) by the user of the
        host.
    type: str
    choices: [connected, online, offline, uninstalled]
  wait_timeout:
    description: Seconds to wait at most.
    type: int
    default: 60
seealso:
  - module: tremplin.jump.jump_client
"""

EXAMPLES = r"""
- name: List the offline servers
  tremplin.jump.jump_client_info:
    jump_group: jumpgroup:servers
    state: offline
  register: offline

- name: Compare the server with the inventory
  tremplin.jump.jump_client_info:
    drift:
      external_ids: "{{ groups['all'] }}"
  register: comparison
  failed_when: comparison.drift.missing or comparison.drift.unexpected

- name: Wait until a machine is back
  tremplin.jump.jump_client_info:
    external_ids: [web1.example.net]
    wait_for: connected
    wait_timeout: 120
"""

RETURN = r"""
clients:
  description: The records, ordered by id.
  returned: success
  type: list
  elements: dict
  sample: [{"id": 12, "name": "web1", "external_id": "web1.example.net", "state": "online"}]
installers:
  description: The installers that were made for the declared keys; never their key info.
  returned: when O(installers) is true
  type: list
  elements: dict
tombstones:
  description: Tombstones of the declared keys that still wait for their host.
  returned: when O(tombstones) is true
  type: list
  elements: dict
drift:
  description: Every difference between the list and the server.
  returned: when O(drift) is given
  type: dict
  contains:
    missing:
      description: Declared keys that have no record.
      type: list
      elements: str
    unexpected:
      description: Records whose declared key is not in the list, or that have none.
      type: list
      elements: dict
    not_online:
      description: Records of the list that are not online.
      type: list
      elements: dict
    uninstalled:
      description: Records whose host says that the agent is gone.
      type: list
      elements: dict
    waiting_removal:
      description: Tombstones that still wait for their host.
      type: list
      elements: dict
    unknown_keys:
      description: Agents that connect with a key which no record has.
      type: list
      elements: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tremplin.jump.plugins.module_utils import api_module, lookups, records
from ansible_collections.tremplin.jump.plugins.module_utils.errors import TimedOut
from ansible_collections.tremplin.jump.plugins.module_utils.plan import CONNECTED

FILTERS = (
    "name",
    "hostname",
    "fqdn",
    "tag",
    "console_user",
    "public_ip",
    "private_ip",
    "operating_system",
    "state",
    "search",
)
EXACT = ("name", "hostname", "fqdn", "tag", "state")


def clients(client, params):
    """Return the records that match everything that is given."""
    if params["ids"] is None and params["external_ids"] is None:
        return _filtered(client, params, {})
    found = {}
    for number in params["ids"] or []:
        record = records.find(client, "id", number)
        if record:
            found[record["id"]] = record
    for key in params["external_ids"] or []:
        for record in _filtered(client, params, {"external_id": key}):
            if (record.get("external_id") or "").lower() == key.lower():
                found[record["id"]] = record
    return [found[number] for number in sorted(found)]


def _filtered(client, params, query):
    asked = {name: params[name] for name in FILTERS if params[name] is not None}
    if params["jump_group"]:
        asked.update(lookups.jump_group(client, params["jump_group"]))
    return [
        record
        for record in client.pages("/jump-client", **dict(asked, **query))
        if all(
            str(record.get(name, "")).lower() == asked[name].lower()
            for name in EXACT
            if name in asked
        )
    ]


def drift(client, asked):
    """Return the server's comparison with the list."""
    body = {"external_ids": asked["external_ids"]}
    if asked.get("jump_group"):
        body.update(lookups.jump_group(client, asked["jump_group"]))
    if asked.get("tag"):
        body["tag"] = asked["tag"]
    return client.post("/jump-client/drift", body)


def installers(client, external_ids):
    """Return the installers that were made for one of the machines."""
    found = {}
    for key in external_ids:
        for item in client.pages("/jump-client/installer", external_id=key):
            if item.get("external_id") == key:
                found[item["id"]] = item
    return [found[number] for number in sorted(found)]


def waited(client, params):
    """Return the records once all that were named are in the state; TimedOut names the others."""
    states = CONNECTED if params["wait_for"] == "connected" else (params["wait_for"],)
    count = len(params["ids"] or []) + len(params["external_ids"] or [])
    seen = []

    def look():
        seen[:] = clients(client, params)
        return len(seen) >= count and all(record["state"] in states for record in seen)

    try:
        api_module.wait_for(look, params["wait_timeout"], "the state {}".format(params["wait_for"]))
    except TimedOut as error:
        states = ", ".join("{} is {}".format(record["name"], record["state"]) for record in seen)
        raise TimedOut(
            "{}: {}".format(error, states or "the server has no record of it")
        ) from error
    return seen


def answer(module, client):
    """Return the result of the module."""
    params = module.params
    result = {"changed": False}
    if params["drift"] is not None:
        result["drift"] = drift(client, params["drift"])
    named = params["ids"] is not None or params["external_ids"] is not None
    filtered = params["jump_group"] or any(params[name] is not None for name in FILTERS)
    if params["wait_for"]:
        result["clients"] = waited(client, params)
    elif named or filtered or params["drift"] is None:
        result["clients"] = clients(client, params)
    else:
        result["clients"] = []
    if params["installers"]:
        result["installers"] = installers(client, params["external_ids"])
    if params["tombstones"]:
        result["tombstones"] = [
            tombstone
            for key in params["external_ids"]
            for tombstone in records.open_tombstones(client, external_id=key)
        ]
    return result


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=api_module.argument_spec(
            ids=dict(type="list", elements="int"),
            external_ids=dict(type="list", elements="str"),
            name=dict(type="str"),
            hostname=dict(type="str"),
            fqdn=dict(type="str"),
            tag=dict(type="str"),
            jump_group=dict(type="str"),
            console_user=dict(type="str"),
            public_ip=dict(type="str"),
            private_ip=dict(type="str"),
            operating_system=dict(type="str"),
            state=dict(
                type="str",
                choices=[
                    "pending",
                    "online",
                    "resting",
                    "offline",
                    "disabled",
                    "uninstalled",
                    "removing",
                ],
            ),
            search=dict(type="str"),
            installers=dict(type="bool", default=False),
            tombstones=dict(type="bool", default=False),
            drift=dict(
                type="dict",
                options=dict(
                    external_ids=dict(type="list", elements="str", required=True),
                    jump_group=dict(type="str"),
                    tag=dict(type="str"),
                ),
            ),
            wait_for=dict(type="str", choices=["connected", "online", "offline", "uninstalled"]),
            wait_timeout=dict(type="int", default=60),
        ),
        required_if=[
            ["installers", True, ["external_ids"]],
            ["tombstones", True, ["external_ids"]],
        ],
        supports_check_mode=True,
    )
    if module.params["wait_for"] and not (module.params["ids"] or module.params["external_ids"]):
        module.fail_json(msg="wait_for needs ids or external_ids to wait for")
    api_module.run(module, lambda client: answer(module, client))


if __name__ == "__main__":
    main()

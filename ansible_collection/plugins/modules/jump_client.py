#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: the record of a Jump Client."""

from __future__ import annotations

DOCUMENTATION = r"""
module: jump_client
short_description: Change or delete the record of a Jump Client
version_added: 0.1.0
description:
  - Sets properties of an existing record, deletes it, or confirms that its host is gone.
  - A record is made by an agent that enrols, never by this module. Use the role
    M(tremplin.jump.jump_client) to deploy and remove both halves.
author:
  - The Tremplin authors (@tremplin)
extends_documentation_fragment:
  - tremplin.jump.api
options:
  state:
    description:
      - V(present) sets the properties that are given on a record that must exist.
      - V(absent) deletes the record. An agent that is connected is told to uninstall itself, one
        that is away uninstalls itself at its next contact.
      - V(confirmed_gone) touches no record, and closes the open tombstones of a host whose half
        is known to be gone.
    type: str
    choices: [present, absent, confirmed_gone]
    default: present
  id:
    description: Id of the record.
    type: int
  external_id:
    description:
      - Declared key of the machine. It finds the record when O(id) is not given, and is a
        property otherwise.
    type: str
  name:
    description:
      - Name of the Jump Client. It finds the record when neither O(id) nor O(external_id) is
        given, and is a property otherwise.
      - Names need not be unique. When several records have this one, the module fails and lists
        them.
    type: str
  tag:
    description: Tag, 64 characters at most.
    type: str
  comments:
    description: Comments, 1024 characters at most.
    type: str
  jump_group:
    description: Jump Group, as V(user:<name>), V(jumpgroup:<code name>) or the name of a group.
    type: str
  jump_policy:
    description: Code name of the Jump Policy; empty for none.
    type: str
  session_policy:
    description: Code name of the session policy, whether somebody is present at the host or not;
      empty for none.
    type: str
  attended_session_policy:
    description: Code name of the session policy while somebody is present; it wins over
      O(session_policy).
    type: str
  unattended_session_policy:
    description: Code name of the session policy while nobody is present; it wins over
      O(session_policy).
    type: str
  connection_type:
    description:
      - V(active) keeps a connection to the server.
      - V(passive) checks in at intervals, and listens for the server's call when a session is
        asked for.
    type: str
    choices: [active, passive]
  max_offline_minutes:
    description: Minutes offline after which the Jump Client is removed; 0 follows the site.
    type: int
  ephemeral:
    description: Whether the Jump Client is removed after 5 minutes offline.
    type: bool
  pinned_forever:
    description: Whether the Jump Client is never removed for being offline.
    type: bool
  reason:
    description: Why the record is deleted, for the audit log.
    type: str
    default: deleted by Ansible
  confirm_gone:
    description:
      - With O(state=absent), also closes the tombstone, because the host is known to have no
        agent any more.
      - Without it the tombstone waits until the host confirms.
    type: bool
    default: false
  wait:
    description: With O(state=absent), whether to wait until the host confirmed that it removed
      its half.
    type: bool
    default: false
  wait_timeout:
    description: Seconds to wait at most.
    type: int
    default: 120
seealso:
  - module: tremplin.jump.jump_client_info
"""

EXAMPLES = r"""
- name: Tag a machine by its declared key
  tremplin.jump.jump_client:
    url: https://tremplin.example.net:8443
    external_id: web1.example.net
    tag: web
    jump_group: jumpgroup:servers

- name: Delete a record by name, and wait until its host removed the agent
  tremplin.jump.jump_client:
    name: kiosk 7
    state: absent
    reason: kiosk replaced
    wait: true

- name: Delete the record of a machine that does not exist any more
  tremplin.jump.jump_client:
    external_id: old.example.net
    state: absent
    confirm_gone: true
"""

RETURN = r"""
client:
  description: The record as it is now, or as it was before it was deleted.
  returned: when there is, or was, a record
  type: dict
  sample: {"id": 12, "name": "web1", "external_id": "web1.example.net", "state": "online", "tag":
    "web"}
tombstones:
  description: Ids of the tombstones that were closed.
  returned: when O(state) is not V(present)
  type: list
  elements: int
candidates:
  description: The records that have the name.
  returned: when the name is ambiguous
  type: list
  elements: dict
code:
  description: The server's code for what went wrong.
  returned: when the server refused
  type: str
  sample: client.removing
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tremplin.jump.plugins.module_utils import api_module, differ, records
from ansible_collections.tremplin.jump.plugins.module_utils.errors import TremplinError


def present(module, client):
    """Return the result of setting the given properties on the record."""
    selector = records.selector(module.params)
    record = records.find(client, selector, module.params[selector])
    if record is None:
        raise TremplinError(
            f"there is no Jump Client whose {selector} is {module.params[selector]!r}; "
            "an agent makes its record when it enrols"
        )
    given = {name: value for name, value in module.params.items() if name != selector}
    desired = records.desired(client, given)
    changed = differ.changes(desired, record)
    diff = differ.diff(desired, record)
    if changed and not module.check_mode:
        record = client.patch(f"/jump-client/{record['id']}", changed)
    return dict(changed=bool(changed), diff=diff, client=record)


def absent(module, client):
    """Return the result of deleting the record and settling its tombstones."""
    selector = records.selector(module.params)
    record = records.find(client, selector, module.params[selector])
    keys = _tombstone_keys(module.params, record)
    deleted = record is not None
    if deleted and not module.check_mode:
        client.delete(f"/jump-client/{record['id']}", reason=module.params["reason"])
    closed = []
    if module.params["confirm_gone"] and any(keys.values()):
        closed = _close_tombstones(module, client, keys)
    elif module.params["wait"] and any(keys.values()) and not module.check_mode:
        api_module.wait_for(
            lambda: not records.open_tombstones(client, **keys),
            module.params["wait_timeout"],
            "the removal of the agent on its host",
        )
    _check_gone(module, client, record)
    result = dict(changed=bool(deleted or closed), tombstones=closed, diff=_removal(record, closed))
    return dict(result, client=record) if deleted else result


def confirmed_gone(module, client):
    """Return the result of closing the open tombstones of a host."""
    closed = _close_tombstones(module, client, _tombstone_keys(module.params, None), both=True)
    return dict(changed=bool(closed), tombstones=closed, diff=_removal(None, closed))


def _tombstone_keys(params, record):
    record = record or {}
    return dict(
        client_id=record.get("id") or params["id"],
        external_id=record.get("external_id") or params["external_id"],
    )


def _close_tombstones(module, client, keys, both=False):
    """Close the open tombstones that have one of `keys` (or `both`); return their ids."""
    found = records.open_tombstones(client, **keys)
    if both and keys["client_id"] is not None and keys["external_id"] is not None:
        found = [
            tombstone
            for tombstone in found
            if tombstone["client_id"] == keys["client_id"]
            and tombstone.get("external_id") in (None, "", keys["external_id"])
        ]
    for tombstone in found:
        if not module.check_mode:
            client.delete(f"/jump-client/tombstone/{tombstone['id']}")
    return [tombstone["id"] for tombstone in found]


def _check_gone(module, client, record):
    if record is not None and not module.check_mode and records.find(client, "id", record["id"]):
        raise TremplinError(
            "the record {} is still there after it was deleted".format(record["id"])
        )


def _removal(record, closed):
    before = {}
    if record is not None:
        before["client"] = {
            name: record.get(name) for name in ("id", "name", "external_id", "state")
        }
    if closed:
        before["open tombstones"] = closed
    return {"before": before, "after": {}}


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=api_module.argument_spec(
            state=dict(
                type="str", choices=["present", "absent", "confirmed_gone"], default="present"
            ),
            id=dict(type="int"),
            external_id=dict(type="str"),
            name=dict(type="str"),
            pinned_forever=dict(type="bool"),
            reason=dict(type="str", default="deleted by Ansible"),
            confirm_gone=dict(type="bool", default=False),
            wait=dict(type="bool", default=False),
            wait_timeout=dict(type="int", default=120),
            **records.PROPERTY_OPTIONS,
        ),
        required_one_of=[["id", "external_id", "name"]],
        required_if=[["state", "confirmed_gone", ["id", "external_id"], True]],
        supports_check_mode=True,
    )
    work = dict(present=present, absent=absent, confirmed_gone=confirmed_gone)[
        module.params["state"]
    ]
    api_module.run(module, lambda client: work(module, client))


if __name__ == "__main__":
    main()

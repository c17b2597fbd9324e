#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: shared Jump Groups and their members."""

from __future__ import annotations

DOCUMENTATION = r"""
module: jump_group
short_description: Manage shared Jump Groups and their members
version_added: 0.1.0
description:
  - Creates, changes and deletes shared Jump Groups, and says who is a member with which Jump Item
    Role.
author:
  - The Tremplin authors (@tremplin)
extends_documentation_fragment:
  - tremplin.jump.api
options:
  state:
    description:
      - Whether the group exists. The server refuses to delete one that still has Jump Clients.
    type: str
    choices: [present, absent]
    default: present
  code_name:
    description:
      - Code name of the group, which finds it when it is given.
    type: str
  name:
    description:
      - Display name. It finds the group when O(code_name) is not given, and is needed to create
        one.
    type: str
  comments:
    description: Comments.
    type: str
  members:
    description: Users who are members.
    type: list
    elements: dict
    suboptions:
      user:
        description: Name that the user signs in with.
        type: str
        required: true
      role:
        description: Name of the Jump Item Role in this group; the user's default one when it is
          left out.
        type: str
  exclusive:
    description: Whether users who are not in O(members) are taken out of the group.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Make a group for servers
  tremplin.jump.jump_group:
    name: Servers
    code_name: servers
    members:
      - user: alice
        role: Technician
      - user: bob
    exclusive: true

- name: Delete a group
  tremplin.jump.jump_group:
    code_name: kiosks
    state: absent
"""

RETURN = r"""
group:
  description: The group as it is now, or as it was before it was deleted.
  returned: when there is, or was, one
  type: dict
  sample: {"id": 3, "name": "Servers", "code_name": "servers", "comments": ""}
members:
  description: Members, as user id and role id.
  returned: when O(members) is given
  type: dict
  sample: {"4": 2, "7": null}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tremplin.jump.plugins.module_utils import api_module, differ, lookups

PROPERTIES = ("name", "code_name", "comments")


def find(client, params):
    """Return the group that code name or name finds, or None."""
    key = "code_name" if params["code_name"] else "name"
    for group in client.pages("/jump-group", **{key: params[key]}):
        if str(group.get(key, "")).lower() == params[key].lower():
            return group
    return None


def present(module, client):
    """Return the result of making the group as it is asked for."""
    group = find(client, module.params)
    desired = {name: module.params[name] for name in PROPERTIES if module.params[name] is not None}
    changed = differ.changes(desired, group or {})
    diff = differ.diff(desired, group or {})
    if group is None:
        if "name" not in desired:
            module.fail_json(
                msg="there is no Jump Group {!r}; give a name to create it".format(
                    module.params["code_name"]
                )
            )
        group = dict(desired, id=None) if module.check_mode else client.post("/jump-group", desired)
    elif changed and not module.check_mode:
        group = client.patch(f"/jump-group/{group['id']}", changed)
    result = dict(changed=bool(changed), diff=diff, group=group)
    if module.params["members"] is not None:
        _members(module, client, group, result)
    return result


def _members(module, client, group, result):
    """Bring the members to what is asked for, and say so in `result`."""
    before = {}
    if group["id"] is not None:
        before = {
            item["user_id"]: item.get("jump_item_role_id")
            for item in client.pages(f"/jump-group/{group['id']}/user")
        }
    asked = {
        lookups.user(client, member["user"]): lookups.item_role(client, member["role"])
        if member["role"]
        else None
        for member in module.params["members"]
    }
    after = asked if module.params["exclusive"] else {**before, **asked}
    if not module.check_mode:
        _write_members(client, group["id"], before, after)
    if before != after:
        result["changed"] = True
        result["diff"]["before"]["members"] = _texts(before)
        result["diff"]["after"]["members"] = _texts(after)
    result["members"] = _texts(after)


def _write_members(client, group_id, before, after):
    path = f"/jump-group/{group_id}/user"
    for user_id in after:
        if user_id not in before:
            body = {"user_id": user_id}
            if after[user_id] is not None:
                body["jump_item_role_id"] = after[user_id]
            client.post(path, body)
        elif after[user_id] != before[user_id]:
            client.patch(f"{path}/{user_id}", {"jump_item_role_id": after[user_id]})
    for user_id in before:
        if user_id not in after:
            client.delete(f"{path}/{user_id}")


def _texts(members):
    return {str(user_id): members[user_id] for user_id in sorted(members)}


def absent(module, client):
    """Return the result of deleting the group."""
    group = find(client, module.params)
    if group is None:
        return dict(changed=False, diff={"before": {}, "after": {}})
    if not module.check_mode:
        client.delete(f"/jump-group/{group['id']}")
    return dict(changed=True, group=group, diff={"before": group, "after": {}})


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=api_module.argument_spec(
            state=dict(type="str", choices=["present", "absent"], default="present"),
            code_name=dict(type="str"),
            name=dict(type="str"),
            comments=dict(type="str"),
            members=dict(
                type="list",
                elements="dict",
                options=dict(user=dict(type="str", required=True), role=dict(type="str")),
            ),
            exclusive=dict(type="bool", default=False),
        ),
        required_one_of=[["code_name", "name"]],
        supports_check_mode=True,
    )
    work = dict(present=present, absent=absent)[module.params["state"]]
    api_module.run(module, lambda client: work(module, client))


if __name__ == "__main__":
    main()

#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: installers, their key info and their files."""

from __future__ import annotations

DOCUMENTATION = r"""
module: installer
short_description: Make, fetch and revoke installers of Jump Clients
version_added: 0.1.0
description:
  - Makes installers, fetches the file to run on hosts, and revokes or deletes installers.
author:
  - The Tremplin authors (@tremplin)
extends_documentation_fragment:
  - tremplin.jump.api
options:
  state:
    description:
      - V(present) makes a new installer, because the key info of an old one can't be had again.
        With O(installer_id) it changes validity and number of uses of that installer instead.
      - V(fetched) brings a file to O(dest) on the controller, unless the same is there already.
        With O(installer_id) that is the installer with its key info inside; without, the generic
        file, which needs a key info to run.
      - V(revoked) ends the use of installers, and keeps them with their history.
      - V(absent) deletes installers.
    type: str
    choices: [present, fetched, revoked, absent]
    default: present
  installer_id:
    description: The 32 characters that name an installer.
    type: str
  external_id:
    description:
      - Declared key of the one machine that the installer is for.
      - With V(revoked) and V(absent) it finds the installers for that machine that serve only
        once, when O(installer_id) is not given.
    type: str
  supersede:
    description:
      - With O(state=present) and O(external_id), deletes earlier installers for the same machine
        that serve only once. A run that was cut off left them, and nobody has their key info.
    type: bool
    default: false
  name:
    description: Name of the Jump Clients; the host's own name when it is empty.
    type: str
  jump_group:
    description:
      - Jump Group of the Jump Clients, as V(user:<name>), V(jumpgroup:<code name>) or the name of
        a group.
      - Needed to make an installer, unless O(jump_group_id) is given.
    type: str
  jump_group_id:
    description: Id of the Jump Group, or of the user whose personal one it is, in place of
      O(jump_group).
    type: int
  jump_group_type:
    description: What O(jump_group_id) is the id of.
    type: str
    choices: [shared, personal]
    default: shared
  tag:
    description: Tag of the Jump Clients.
    type: str
  comments:
    description: Comments of the Jump Clients.
    type: str
  jump_policy:
    description: Code name of the Jump Policy.
    type: str
  session_policy:
    description: Code name of the session policy, whether somebody is present at the host or not.
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
    description: Minutes offline after which a Jump Client is removed; 0 follows the site.
    type: int
  ephemeral:
    description: Whether a Jump Client is removed after 5 minutes offline.
    type: bool
  valid_duration:
    description:
      - Minutes for which the installer can be used, 10 to 525600. The server's default is 1440.
      - With O(installer_id) it counts from now, and only changes an installer that would end
        sooner.
    type: int
  max_uses:
    description: Number of hosts that may enrol; any number when it is not given.
    type: int
  on_duplicate:
    description: What happens when a machine that has a record enrols again.
    type: str
    choices: [replace, keep_both, refuse]
  allow_takeover:
    description: Whether a machine may take over a record by a declared key that it states itself.
    type: bool
  allow_overrides:
    description: Properties that may be given at installation, such as V(tag) for C(--jc-tag).
    type: list
    elements: str
    choices: [jump_group, jump_policy, name, tag, comments, external_id, session_policy,
      max_offline_minutes]
  platform:
    description: Platform of the hosts.
    type: str
    choices: [linux-64, linux-arm64, macos-64, macos-arm64, windows-64, windows-64-msi]
    default: linux-64
  dest:
    description: With O(state=fetched), path of the file on the controller. Its directory is made
      when it is missing.
    type: path
notes:
  - The result of O(state=present) holds the key info, which lets hosts in. Set C(no_log) on the
    task.
  - A file with key info inside is written with mode 0600.
"""

EXAMPLES = r"""
- name: Make an installer for one machine, valid for ten minutes
  tremplin.jump.installer:
    jump_group: jumpgroup:servers
    external_id: web1.example.net
    valid_duration: 10
    max_uses: 1
    supersede: true
  register: key
  no_log: true

- name: Fetch the generic file
  tremplin.jump.installer:
    state: fetched
    platform: linux-64
    dest: ~/.cache/tremplin/tremplin-scc-linux-64.bin

- name: End the use of an installer
  tremplin.jump.installer:
    installer_id: 0123456789abcdef0123456789abcdef
    state: revoked
"""

RETURN = r"""
installer:
  description: The installer as the server shows it, without its key info.
  returned: when O(state) is V(present) and not in check mode
  type: dict
  sample: {"id": 5, "installer_id": "0123456789abcdef0123456789abcdef", "max_uses": 1, "uses": 0}
installer_id:
  description: The 32 characters that name the installer.
  returned: when O(state) is V(present) and not in check mode
  type: str
key_info:
  description: What a generic installer needs to enrol. A secret, and shown only now.
  returned: when an installer was made
  type: str
installers:
  description: Ids of the installers that were revoked or deleted.
  returned: when O(state) is V(revoked) or V(absent), or O(supersede) found some
  type: list
  elements: str
dest:
  description: Path of the file.
  returned: when O(state) is V(fetched)
  type: str
version:
  description: Version of the file.
  returned: O(state=fetched) without O(installer_id)
  type: str
checksum:
  description: SHA-256 of the file.
  returned: when O(state) is V(fetched), and not in check mode of an installer with key info
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tremplin.jump.plugins.module_utils import api_module, fetching, records
from ansible_collections.tremplin.jump.plugins.module_utils.client import segment
from ansible_collections.tremplin.jump.plugins.module_utils.differ import diff as differences
from ansible_collections.tremplin.jump.plugins.module_utils.errors import TremplinError

COPIED = ("max_uses", "valid_duration", "on_duplicate", "allow_takeover", "platform")
OVERRIDES = (
    "jump_group",
    "jump_policy",
    "name",
    "tag",
    "comments",
    "external_id",
    "session_policy",
    "max_offline_minutes",
)


def present(module, client):
    """Return the result of making an installer, or of changing one."""
    if module.params["installer_id"]:
        return _extended(module, client)
    body = _body(client, module.params)
    gone = []
    if module.params["supersede"] and module.params["external_id"]:
        gone = _each(
            module, client, for_machine(client, module.params["external_id"]), client_delete
        )
    shown = {"before": {}, "after": body}
    if module.check_mode:
        return dict(changed=True, diff=shown, installers=gone)
    made = client.post("/jump-client/installer", body)
    key_info = (made.pop("key_info", None) or {}).get("encodedInfo")
    if not key_info:
        raise TremplinError(
            "the server made the installer {} without showing its key info".format(
                made.get("installer_id")
            )
        )
    return dict(
        changed=True,
        diff=shown,
        installer=made,
        installer_id=made["installer_id"],
        key_info=key_info,
        installers=gone,
    )


def _body(client, params):
    body = records.desired(client, params)
    if params["jump_group_id"]:
        body.update(
            jump_group_id=params["jump_group_id"], jump_group_type=params["jump_group_type"]
        )
    if "jump_group_id" not in body:
        raise TremplinError("an installer needs a jump_group")
    body.update({name: params[name] for name in COPIED if params[name] is not None})
    body.update({"allow_override_" + name: True for name in params["allow_overrides"] or []})
    return body


def _extended(module, client):
    made = find(client, module.params["installer_id"])
    if made is None:
        raise TremplinError("there is no installer {}".format(module.params["installer_id"]))
    desired = {}
    if module.params["max_uses"] is not None:
        desired["max_uses"] = module.params["max_uses"]
    minutes = module.params["valid_duration"]
    if minutes is not None and fetching.minutes_left(made["expiration_timestamp"]) < minutes - 1:
        desired["valid_duration"] = minutes
    shown = differences(desired, made)
    if "valid_duration" in desired:
        shown["before"]["valid_duration"] = made.get("valid_duration")
        shown["after"]["valid_duration"] = minutes
    changed = dict(shown["after"])
    if changed and not module.check_mode:
        made = client.patch(f"/jump-client/installer/{made['id']}", changed)
    return dict(
        changed=bool(changed), diff=shown, installer=made, installer_id=made["installer_id"]
    )


PLATFORMS = ["linux-64", "linux-arm64", "macos-64", "macos-arm64", "windows-64", "windows-64-msi"]


def fetched(module, client):
    """Return the result of bringing the file to its place on the controller."""
    params = module.params
    if params["installer_id"]:
        path = "/jump-client/installer/{}/{}".format(
            segment(params["installer_id"]),
            params["platform"],
        )
        return fetching.stamped(client, path, params["dest"], module.check_mode)
    return fetching.generic(client, params["platform"], params["dest"], module.check_mode)


def revoked(module, client):
    """Return the result of ending the use of the installers."""
    live = [item for item in _meant(module, client) if not item.get("revoked_at")]
    ids = _each(module, client, live, client_revoke)
    return dict(changed=bool(ids), installers=ids, diff=_change(ids, "usable", "revoked"))


def absent(module, client):
    """Return the result of deleting the installers."""
    ids = _each(module, client, _meant(module, client), client_delete)
    return dict(changed=bool(ids), installers=ids, diff=_change(ids, "present", None))


def find(client, installer_id):
    """Return the installer, or None."""
    for item in client.pages("/jump-client/installer"):
        if item["installer_id"] == installer_id:
            return item
    return None


def for_machine(client, external_id):
    """Return the installers for one machine that serve only once."""
    return [
        item
        for item in client.pages("/jump-client/installer", external_id=external_id)
        if item.get("external_id") == external_id and item.get("max_uses") == 1
    ]


def client_delete(client, item):
    """Delete one installer."""
    client.delete(f"/jump-client/installer/{item['id']}")


def client_revoke(client, item):
    """End the use of one installer."""
    client.post(f"/jump-client/installer/{item['id']}/revoke", {})


def _meant(module, client):
    if not module.params["installer_id"]:
        return for_machine(client, module.params["external_id"])
    item = find(client, module.params["installer_id"])
    return [item] if item else []


def _each(module, client, items, action):
    if not module.check_mode:
        for item in items:
            action(client, item)
    return [item["installer_id"] for item in items]


def _change(ids, before, after):
    return {
        "before": {name: before for name in ids},
        "after": {name: after for name in ids} if after else {},
    }


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=api_module.argument_spec(
            state=dict(
                type="str", choices=["present", "fetched", "revoked", "absent"], default="present"
            ),
            installer_id=dict(type="str"),
            external_id=dict(type="str"),
            supersede=dict(type="bool", default=False),
            name=dict(type="str"),
            jump_group_id=dict(type="int"),
            jump_group_type=dict(type="str", choices=["shared", "personal"], default="shared"),
            valid_duration=dict(type="int"),
            max_uses=dict(type="int"),
            on_duplicate=dict(type="str", choices=["replace", "keep_both", "refuse"]),
            allow_takeover=dict(type="bool"),
            allow_overrides=dict(type="list", elements="str", choices=list(OVERRIDES)),
            platform=dict(type="str", choices=PLATFORMS, default="linux-64"),
            dest=dict(type="path"),
            **records.PROPERTY_OPTIONS,
        ),
        required_if=[
            ["state", "fetched", ["dest"]],
            ["state", "revoked", ["installer_id", "external_id"], True],
            ["state", "absent", ["installer_id", "external_id"], True],
        ],
        mutually_exclusive=[["jump_group", "jump_group_id"]],
        supports_check_mode=True,
    )
    work = dict(present=present, fetched=fetched, revoked=revoked, absent=absent)[
        module.params["state"]
    ]
    api_module.run(module, lambda client: work(module, client))


if __name__ == "__main__":
    main()

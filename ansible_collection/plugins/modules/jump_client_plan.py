#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: jump_client_plan
short_description: Decide what brings a host and its record in step
version_added: 0.1.0
description:
  - Compares both halves of a Jump Client with what is wanted, and says what has to happen. It
    does none of it.
  - It runs on the controller, and reports a change, with its diff, when something has to happen.
    So check mode says what a run would do.
author:
  - The Tremplin authors (@tremplin)
options:
  state:
    description: Whether the host should have a Jump Client.
    type: str
    choices: [present, absent]
    required: true
  host:
    description: What M(tremplin.jump.jump_client_host_info) returned.
    type: dict
    required: true
  records:
    description: Records of M(tremplin.jump.jump_client_info), of the host's declared key and of
      the ids found on it.
    type: list
    elements: dict
    required: true
  external_id:
    description: Declared key of the host.
    type: str
    required: true
  wanted:
    description: Installer parameters that were given, such as V(install_dir) and V(scope).
    type: dict
    required: true
  installers:
    description: Installers that were made for the host and are still there.
    type: list
    elements: dict
    default: []
  tombstones:
    description: Open tombstones of the declared key; they count with O(state=absent).
    type: list
    elements: dict
    default: []
  own_key:
    description: Whether the operator gave the key info, so that no installer is made.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Changes nothing by itself.
  diff_mode:
    support: full
    description: Shows both halves before and after the plan.
  action:
    support: full
    description: Runs on the controller only.
"""

EXAMPLES = r"""
- name: Decide what to do
  tremplin.jump.jump_client_plan:
    state: present
    host: "{{ host }}"
    records: "{{ server.clients }}"
    external_id: "{{ inventory_hostname }}"
    wanted:
      scope: system
  register: plan
"""

RETURN = r"""
action:
  description: What has to happen, one of C(nothing), C(tidy), C(start), C(install), C(reinstall)
    and C(remove).
  returned: success
  type: str
reason:
  description: Why.
  returned: success
  type: str
directory:
  description: Where the Jump Client is, or will be.
  returned: success
  type: str
record:
  description: The record of the declared key, or null.
  returned: success
  type: dict
uninstall:
  description: Directories whose C(uninstall) is to be run, and whether without telling the
    server.
  returned: success
  type: list
  elements: dict
forget:
  description: Ids of records that the host had and that are not its own any more.
  returned: success
  type: list
  elements: int
leftovers:
  description: Paths to delete.
  returned: success
  type: list
  elements: str
records:
  description: Ids of the records to delete.
  returned: success
  type: list
  elements: int
installers:
  description: Installers that an earlier run left behind.
  returned: success
  type: list
  elements: str
start:
  description: Whether the Jump Client has to be started.
  returned: success
  type: bool
properties:
  description: Properties of the MSI on a Windows host, without key info.
  returned: success
  type: list
  elements: str
parameters:
  description: Arguments of the installer, without key info.
  returned: success
  type: list
  elements: str
"""

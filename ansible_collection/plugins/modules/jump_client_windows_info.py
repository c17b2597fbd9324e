#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: jump_client_windows_info
short_description: Say what a Windows host has of Jump Clients
version_added: 0.1.0
description:
  - Puts together what Windows' own modules read on the host, in the form that
    M(tremplin.jump.jump_client_plan) takes, and compares the version with the one that the server
    offers.
  - It runs on the controller only and changes nothing.
author:
  - The Tremplin authors (@tremplin)
options:
  registry:
    description: What C(ansible.windows.win_reg_stat) returned for the product's key.
    type: dict
    required: true
  facts:
    description: What M(ansible.builtin.slurp) returned for C(install.json).
    type: dict
    default: {}
  state:
    description: What M(ansible.builtin.slurp) returned for the agent's C(state.json).
    type: dict
    default: {}
  services:
    description: What C(ansible.windows.win_service_info) returned for the service.
    type: list
    elements: dict
    default: []
  directory:
    description: Directory that is asked for.
    type: str
    default: ""
  exists:
    description: Whether that directory exists.
    type: bool
    default: false
  offered:
    description: Version that the server offers.
    type: str
    default: ""
  allow_downgrade:
    description: Whether an older version may replace a newer one.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Changes nothing by itself.
  diff_mode:
    support: none
    description: Changes nothing.
  action:
    support: full
    description: Runs on the controller only.
"""

EXAMPLES = r"""
- name: Put together what was read
  tremplin.jump.jump_client_windows_info:
    registry: "{{ registry }}"
    offered: 0.1.0
  register: host
"""

RETURN = r"""
installations:
  description: What is installed there, as M(tremplin.jump.jump_client_host_info) has it.
  returned: success
  type: list
  elements: dict
product_code:
  description: Product code of what is installed, or nothing.
  returned: success
  type: str
version:
  description: Version that is installed, or nothing.
  returned: success
  type: str
step:
  description: What the offered version means, one of C(same), C(upgrade) and C(downgrade).
  returned: success
  type: str
offered_product_code:
  description: Product code of the offered version.
  returned: success
  type: str
"""

#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: the host's half of a Jump Client."""

from __future__ import annotations

DOCUMENTATION = r"""
module: jump_client_host_info
short_description: Look at the host's half of a Jump Client
version_added: 0.1.0
description:
  - Says what is installed in some directories of a host, whether it runs, and what starts it at
    boot.
  - Runs on the host and needs no server. It has to run as root, or as the user who runs the Jump
    Client.
author:
  - The Tremplin authors (@tremplin)
options:
  directories:
    description:
      - Directories to look at. An empty one stands for the default of the user, which is
        C(/opt/tremplin-jump-client) for root and C(~/.local/share/tremplin-jump-client)
        otherwise.
    type: list
    elements: str
    default: [""]
requirements:
  - Python 3.9 on the host
attributes:
  check_mode:
    support: full
    description: Changes nothing.
  diff_mode:
    support: none
    description: Changes nothing.
"""

EXAMPLES = r"""
- name: Look at the default directory
  tremplin.jump.jump_client_host_info:
  register: host
"""

RETURN = r"""
system:
  description: Name of the operating system's kernel.
  returned: success
  type: str
machine:
  description: Name of the machine's architecture.
  returned: success
  type: str
platform:
  description: Platform of the installer that fits; null when none does.
  returned: success
  type: str
  sample: linux-64
uid:
  description: User id that the module ran with.
  returned: success
  type: int
user:
  description: User that the module ran as.
  returned: success
  type: str
default_directory:
  description: Where an installer goes when nothing else is said.
  returned: success
  type: str
push_directory:
  description: Directory of the user's own where an installer lies while it runs.
  returned: success
  type: str
places:
  description: O(directories), written out.
  returned: success
  type: list
  elements: str
installations:
  description: What is in those of the directories that exist.
  returned: success
  type: list
  elements: dict
  sample:
    - directory: /opt/tremplin-jump-client
      owned: true
      complete: true
      readable: true
      client_id: 12
      phase: enrolled
      refused: ""
      running: true
      version: 0.1.0
      user: tremplin
      scope: system
      startup: systemd
busy:
  description: Paths that an installer is at work in right now.
  returned: success
  type: list
  elements: str
leftovers:
  description: What a cut installation left beside the directories.
  returned: success
  type: list
  elements: str
processes:
  description: Ids of the processes that were started from the directories.
  returned: success
  type: list
  elements: int
boot_entries:
  description: What starts something in the directories at boot.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tremplin.jump.plugins.module_utils import host


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(directories=dict(type="list", elements="str", default=[""])),
        supports_check_mode=True,
    )

    def run(arguments):
        try:
            status, output, _errors = module.run_command(arguments, handle_exceptions=False)
        except OSError:
            return 127, ""
        return status, output

    module.exit_json(changed=False, **host.survey(module.params["directories"], run))


if __name__ == "__main__":
    main()

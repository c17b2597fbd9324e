#!/usr/bin/python
"""Stands for ansible.windows.win_copy: what the role needs of it, on Wine."""

from __future__ import annotations

import shutil
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ansible.windows.plugins.module_utils import wine


def act(given: dict[str, Any]) -> dict[str, Any]:
    shutil.copy(given["src"], wine.here(given["dest"]))
    return dict(changed=True)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            src=dict(type="str", required=True),
            dest=dict(type="str", required=True),
        ),
        supports_check_mode=True,
    )
    try:
        result = act(module.params)
    except OSError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()

#!/usr/bin/python
"""Stands for ansible.windows.win_file: what the role needs of it, on Wine."""

from __future__ import annotations

import shutil
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ansible.windows.plugins.module_utils import wine


def act(given: dict[str, Any]) -> dict[str, Any]:
    path = wine.here(given["path"])
    changed = path.exists() == (given["state"] == "absent")
    if given["state"] == "absent":
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.mkdir(parents=True, exist_ok=True)
    return dict(changed=changed)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            path=dict(type="str", required=True),
            state=dict(type="str"),
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

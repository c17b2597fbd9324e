#!/usr/bin/python
"""Stands for ansible.windows.win_service: what the role needs of it, on Wine."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ansible.windows.plugins.module_utils import wine


def act(given: dict[str, Any]) -> dict[str, Any]:
    return dict(changed=wine.line("net start " + given["name"]) == 0)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            name=dict(type="str", required=True),
            state=dict(type="str"),
            start_mode=dict(type="str"),
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

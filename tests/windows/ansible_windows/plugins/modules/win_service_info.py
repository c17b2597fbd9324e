#!/usr/bin/python
"""Stands for ansible.windows.win_service_info: what the role needs of it, on Wine."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ansible.windows.plugins.module_utils import wine


def act(given: dict[str, Any]) -> dict[str, Any]:
    said = wine.run("sc.exe", "query", given["name"])
    state = "started" if "RUNNING" in said else "stopped"
    return dict(services=[dict(name=given["name"], state=state)] if "STATE" in said else [])


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            name=dict(type="str", required=True),
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

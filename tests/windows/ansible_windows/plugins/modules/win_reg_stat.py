#!/usr/bin/python
"""Stands for ansible.windows.win_reg_stat: what the role needs of it, on Wine."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ansible.windows.plugins.module_utils import wine


def act(given: dict[str, Any]) -> dict[str, Any]:
    found = wine.values(given["path"].replace("HKLM:", "HKLM"))
    return dict(exists=bool(found), properties={n: dict(value=v) for n, v in found.items()})


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            path=dict(type="str", required=True),
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

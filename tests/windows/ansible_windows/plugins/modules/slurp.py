#!/usr/bin/python
"""Stands for ansible.windows.slurp: what the role needs of it, on Wine."""

from __future__ import annotations

import base64
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ansible.windows.plugins.module_utils import wine


def act(given: dict[str, Any]) -> dict[str, Any]:
    return dict(content=base64.b64encode(wine.here(given["src"]).read_bytes()).decode())


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            src=dict(type="str", required=True),
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

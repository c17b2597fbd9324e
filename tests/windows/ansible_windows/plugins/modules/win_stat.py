#!/usr/bin/python
"""Stands for ansible.windows.win_stat: what the role needs of it, on Wine."""

from __future__ import annotations

import hashlib
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ansible.windows.plugins.module_utils import wine


def act(given: dict[str, Any]) -> dict[str, Any]:
    path = wine.here(given["path"])
    stat = dict(exists=path.exists())
    if given["get_checksum"] and path.is_file():
        stat["checksum"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return dict(stat=stat)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            path=dict(type="str", required=True),
            get_checksum=dict(type="bool"),
            checksum_algorithm=dict(type="str"),
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

#!/usr/bin/python
"""Stands for ansible.windows.win_package: what the role needs of it, on Wine."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ansible.windows.plugins.module_utils import wine


def act(given: dict[str, Any]) -> dict[str, Any]:
    there = wine.values("HKLM\\SOFTWARE\\Tremplin\\Jump Client").get("ProductCode")
    wanted = given["state"] == "present"
    if (there == given["product_id"]) == wanted:
        return dict(changed=False, rc=0, reboot_required=False)
    what = f'/i "{given["path"]}"' if wanted else f"/x {given['product_id']}"
    log = f' /l*v "{given["log_path"]}"' if given["log_path"] else ""
    status = wine.line(f"msiexec {what} /qn /norestart {given['arguments']}{log}")
    failed = status not in given["expected_return_code"]
    return dict(
        changed=True, rc=status, reboot_required=status == 3010, failed=failed,
        msg=f"unexpected rc from msiexec: {status}" if failed else "",
    )  # fmt: skip


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            path=dict(type="str"),
            product_id=dict(type="str"),
            state=dict(type="str"),
            arguments=dict(type="str", default="", no_log=False),
            log_path=dict(type="str"),
            expected_return_code=dict(type="list", elements="int", default=[0, 3010]),
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

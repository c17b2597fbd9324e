#!/usr/bin/python
"""Stands for ansible.windows.win_reboot, which no test here gets to."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    AnsibleModule(argument_spec={}).fail_json(msg="nothing here needs a restart")


if __name__ == "__main__":
    main()

# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action: what a Windows host has of Jump Clients; see `module_utils/windows.py`."""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible_collections.tremplin.jump.plugins.module_utils import windows

SPEC = dict(
    registry=dict(type="dict", required=True),
    facts=dict(type="dict", default={}),
    state=dict(type="dict", default={}),
    services=dict(type="list", elements="dict", default=[]),
    directory=dict(type="str", default=""),
    exists=dict(type="bool", default=False),
    offered=dict(type="str", default=""),
    allow_downgrade=dict(type="bool", default=False),
)


class ActionModule(ActionBase):
    """Reads what Windows' own modules returned; nothing is touched."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _result, given = self.validate_argument_spec(argument_spec=SPEC)
        names = ("registry", "facts", "state", "services")
        found = windows.survey(
            *(given[name] for name in names), given["directory"], given["exists"]
        )
        try:
            step = windows.step(found["version"], given["offered"], given["allow_downgrade"])
        except windows.VersionError as error:
            return dict(result, failed=True, msg=str(error))
        code = windows.product_code(given["offered"]) if given["offered"] else ""
        result.update(found, step=step, offered_product_code=code, changed=False)
        return result

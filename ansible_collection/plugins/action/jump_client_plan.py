# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action: decide what brings a host and its record in step; see `module_utils/plan.py`."""

from __future__ import annotations

import json

from ansible.plugins.action import ActionBase
from ansible_collections.tremplin.jump.plugins.module_utils import plan

SPEC = dict(
    state=dict(type="str", choices=["present", "absent"], required=True),
    host=dict(type="dict", required=True),
    records=dict(type="list", elements="dict", required=True),
    external_id=dict(type="str", required=True),
    wanted=dict(type="dict", required=True),
    installers=dict(type="list", elements="dict", default=[]),
    tombstones=dict(type="list", elements="dict", default=[]),
    own_key=dict(type="bool", default=False),
)


class ActionModule(ActionBase):
    """Parses, plans, and says so; nothing is touched."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _result, given = self.validate_argument_spec(argument_spec=SPEC)
        key = given["external_id"].lower()
        own = next(
            (r for r in given["records"] if (r.get("external_id") or "").lower() == key), None
        )
        wanted = {name: value for name, value in given["wanted"].items() if value not in (None, "")}
        ids = [item["installer_id"] for item in given["installers"] if item.get("max_uses") == 1]
        try:
            if given["state"] == "present":
                ids = [
                    item["installer_id"]
                    for item in given["installers"]
                    if item.get("max_uses") == 1
                ]
                decided = plan.present(given["host"], own, wanted, ids)
            else:
                others = [record for record in given["records"] if record is not own]
                graves = [item["id"] for item in given["tombstones"]]
                decided = plan.absent(given["host"], own, wanted, others, ids, graves)
        except plan.PlanError as error:
            return dict(result, failed=True, msg=str(error))
        shown = decided.pop("diff")
        result.update(decided, record=own, changed=decided["action"] != plan.NOTHING)
        result["properties"] = plan.properties(wanted, decided["directory"], given["own_key"])
        result["parameters"] = plan.parameters(wanted, decided["directory"], given["own_key"])
        result["diff"] = {
            side: json.dumps(shown[side], indent=2, sort_keys=True) + "\n"
            for side in ("before", "after")
        }
        result["msg"] = (
            "{}: {}".format(decided["action"], decided["reason"])
            if decided["reason"]
            else decided["action"]
        )
        return result

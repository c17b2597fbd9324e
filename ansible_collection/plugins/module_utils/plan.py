# SPDX-License-Identifier: Apache-2.0
"""What has to happen on one host: pure, from both halves and what is wanted.

Host and record are in step when the installation is complete and its client id is that
of the record. In step, another directory, user, scope or start-up means a new
installation under the same record. Out of step, what is found is taken away on the host
alone and installed again, which takes the record over by its declared key. Properties of
the record need no plan: they are changed in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

NOTHING, TIDY, START = "nothing", "tidy", "start"
INSTALL, REINSTALL, REMOVE = "install", "reinstall", "remove"

LEAVING = ("uninstalled", "removing")
"""States of a record whose host half is gone, or about to go."""

CONNECTED = ("online", "resting", "disabled")
"""States of a record whose agent is connected, or checks in as a passive one does; who disabled
it is on the host, and obeyed."""

LAYOUT = ("user", "scope", "startup")
WINDOWS = "windows-64-msi"
SWITCHES = ("jc_ephemeral", "online_install")
HOST_PARAMETERS = ("user", "scope", "startup", "online_install")
RECORD_PARAMETERS = (
    "jc_jump_group",
    "jc_tag",
    "jc_comments",
    "jc_name",
    "jc_external_id",
    "jc_jump_policy",
    "jc_session_policy",
    "jc_max_offline_minutes",
    "jc_ephemeral",
)


class PlanError(Exception):
    """What is wanted cannot be reached, and nothing was touched."""


def present(
    host: dict[str, Any],
    record: dict[str, Any] | None,
    wanted: dict[str, Any],
    installers: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the plan that ends with one running installation that belongs to `record`.

    host: of `host.survey`. record: of the API, or None. wanted: installer parameter ->
    value, only those that were given. installers: ids of those that an earlier run made
    for this host and left behind. Raises PlanError.
    """
    if host["platform"] is None:
        raise PlanError("there is no installer for {} {}".format(host["system"], host["machine"]))
    current = next((found for found in host["installations"] if _in_step(found, record)), None)
    target = _target(host, wanted) or (
        current["directory"] if current else host["default_directory"]
    )
    ours = _ours(host, record, target)
    moved = _moved(current, target, wanted) if current else []
    if record is None or current is None or moved:
        reason = "changed: " + ", ".join(moved) if moved else _mismatch(ours, record)
        return _installation(host, record, wanted, target, ours, reason)
    return _kept(host, record, current, list(installers))


def absent(
    host: dict[str, Any],
    record: dict[str, Any] | None,
    wanted: dict[str, Any],
    others: Sequence[dict[str, Any]] = (),
    installers: Sequence[str] = (),
    tombstones: Sequence[int] = (),
) -> dict[str, Any]:
    """Return the plan that takes both halves away and leaves alone what is not ours.

    others: records, beside `record`, whose client ids were found on the host. One without
    a declared key was installed there by hand, and goes too; one with another's key is
    that of the machine which this one was copied from, and is not spoken for.
    tombstones: ids of those of the declared key that still wait for the host.
    """
    target = _target(host, wanted) or (record or {}).get("install_dir") or host["default_directory"]
    foreign = [other["id"] for other in others if other.get("external_id")]
    records = [record] if record else []
    records += [other for other in others if not other.get("external_id")]
    uninstall = [
        {"directory": found["directory"], "local": found["client_id"] in foreign}
        for found in _ours(host, record, target, strict=False)
    ]
    before = {found["directory"]: _shown(found) for found in _found(host, uninstall)}
    before.update({"record {}".format(gone["id"]): gone["state"] for gone in records})
    before.update({f"tombstone {number}": "open" for number in tombstones})
    before.update(_left_over(host, installers))
    return _plan(
        REMOVE if before else NOTHING,
        target,
        uninstall=uninstall,
        leftovers=host["leftovers"],
        records=[gone["id"] for gone in records],
        installers=list(installers),
        diff={"before": before, "after": {}},
    )


def parameters(wanted: dict[str, Any], directory: str, own_key: bool) -> list[str]:
    """Return the arguments of the installer on the host.

    own_key: True when the operator gave the key info; then the properties of the record
    are stated here too. Otherwise the installer was made with them.
    """
    names = HOST_PARAMETERS + (RECORD_PARAMETERS if own_key else ())
    arguments = ["--install-dir", directory]
    for name in names:
        value = wanted.get(name)
        if value is None or (name in SWITCHES and not value):
            continue
        arguments.append("--" + name.replace("_", "-"))
        if name not in SWITCHES:
            arguments.append(str(value))
    return arguments


def properties(wanted: dict[str, Any], directory: str, own_key: bool) -> list[str]:
    """Return the properties of the MSI on a Windows host, but the key info; see `parameters`."""
    values: dict[str, Any] = {"INSTALLDIR": directory}
    if wanted.get("online_install"):
        values["ONLINE_INSTALL"] = 1
    for name in RECORD_PARAMETERS if own_key else ():
        value = wanted.get(name)
        if value is not None and not (name in SWITCHES and not value):
            values[name.upper()] = 1 if name in SWITCHES else value
    return ['{}="{}"'.format(name, str(value).replace('"', '""')) for name, value in values.items()]


def _target(host: dict[str, Any], wanted: dict[str, Any]) -> str | None:
    """Return the directory that is asked for, as the host writes it."""
    return host["places"][0] if wanted.get("install_dir") else None


def _in_step(found: dict[str, Any], record: dict[str, Any] | None) -> bool:
    return (
        record is not None
        and found["owned"]
        and found["complete"]
        and found["client_id"] == record["id"]
        and found["phase"] != "removing"
        and not found["refused"]
        and record["state"] not in LEAVING
    )


def _ours(
    host: dict[str, Any], record: dict[str, Any] | None, target: str, strict: bool = True
) -> list[dict[str, Any]]:
    """Return the installations that may be taken away: at the target, or the record's own.

    What is elsewhere and has enrolled as another Jump Client belongs to somebody else.
    """
    ours = []
    for found in host["installations"]:
        if found["directory"] == target:
            if strict and not found["owned"]:
                raise PlanError(
                    f"{target} exists and holds no Jump Client; choose another directory"
                )
            if strict and found["complete"] and not found["readable"]:
                raise PlanError(
                    "the state in {} cannot be read by {}; use become".format(target, host["user"])
                )
            free = True
        else:
            free = record is not None and found["client_id"] in (None, record["id"])
        if found["owned"] and free:
            ours.append(found)
    return ours


def _moved(current: dict[str, Any], target: str, wanted: dict[str, Any]) -> list[str]:
    names = [] if current["directory"] == target else ["install_dir"]
    asked = dict(wanted, startup=None if wanted.get("startup") == "auto" else wanted.get("startup"))
    return names + [
        name for name in LAYOUT if asked.get(name) is not None and asked[name] != current[name]
    ]


def _mismatch(ours: list[dict[str, Any]], record: dict[str, Any] | None) -> str:
    if not ours:
        return "the host has no Jump Client"
    if not any(found["complete"] for found in ours):
        return "the installation is incomplete"
    if record is None:
        return "the server has no record of it"
    if any(found["phase"] == "removing" for found in ours):
        return "the agent is removing itself"
    refused = next((found["refused"] for found in ours if found["refused"]), None)
    if refused:
        return f"the server refuses it ({refused})"
    if record["state"] in LEAVING:
        return "the record is {}".format(record["state"])
    return "the record is that of another installation"


def _installation(
    host: dict[str, Any],
    record: dict[str, Any] | None,
    wanted: dict[str, Any],
    target: str,
    ours: list[dict[str, Any]],
    reason: str,
) -> dict[str, Any]:
    if host["uid"] == 0 and wanted.get("scope", "user") == "user" and not wanted.get("user"):
        raise PlanError(
            "root must say who runs the Jump Client: set tremplin_user, or tremplin_scope to system"
        )
    after = {name: value for name, value in wanted.items() if value is not None}
    return _plan(
        REINSTALL if ours else INSTALL,
        target,
        reason=reason,
        uninstall=[{"directory": found["directory"], "local": True} for found in ours],
        forget=sorted(
            {found["client_id"] for found in ours if found["client_id"]}
            - {(record or {}).get("id")}
        ),
        leftovers=host["leftovers"],
        diff={
            "before": {found["directory"]: _shown(found) for found in ours},
            "after": {target: dict(after, state="online")},
        },
    )


def _kept(
    host: dict[str, Any], record: dict[str, Any], current: dict[str, Any], installers: list[str]
) -> dict[str, Any]:
    down = not current["running"] or record["state"] not in CONNECTED
    before = _left_over(host, installers)
    action = TIDY if before else NOTHING
    after = {}
    if down:
        action = START
        before["state"], after["state"] = record["state"], "online"
    return _plan(
        action,
        current["directory"],
        leftovers=host["leftovers"],
        installers=installers,
        start=down,
        diff={"before": before, "after": after},
    )


def _left_over(host: dict[str, Any], installers: Sequence[str]) -> dict[str, Any]:
    names = host["leftovers"] + [f"installer {number}" for number in installers]
    return dict.fromkeys(names, "left over")


def _found(host: dict[str, Any], uninstall: list[dict[str, Any]]) -> list[dict[str, Any]]:
    wanted = [item["directory"] for item in uninstall]
    return [found for found in host["installations"] if found["directory"] in wanted]


def _shown(found: dict[str, Any]) -> dict[str, Any]:
    names = ("client_id", "complete", "running", "scope", "startup", "user", "version")
    return {name: found[name] for name in names}


def _plan(action: str, directory: str, **parts: Any) -> dict[str, Any]:
    plan = {
        "action": action,
        "directory": directory,
        "reason": "",
        "uninstall": [],
        "forget": [],
        "leftovers": [],
        "records": [],
        "installers": [],
        "start": False,
        "diff": {"before": {}, "after": {}},
    }
    plan.update(parts)
    return plan

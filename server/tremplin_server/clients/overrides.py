"""The properties that a record gets: the installer's, and what was given at installation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tremplin_agent.parameters import OVERRIDES, Parameter, check

from tremplin_server.db import Work
from tremplin_server.errors import Denied, Invalid, TremplinError
from tremplin_server.groups import service as groups
from tremplin_server.groups.service import Owner
from tremplin_server.installers.models import Installer
from tremplin_server.policies import service as policies

_SESSION_POLICIES = {
    "attended_session_policy_id": "allow_override_attended_session_policy",
    "unattended_session_policy_id": "allow_override_unattended_session_policy",
}
_STATED = (
    "name",
    "tag",
    "comments",
    "jump_policy_id",
    "attended_session_policy_id",
    "unattended_session_policy_id",
    "max_offline_minutes",
    "ephemeral",
    "public_site_address",
)
"""Properties of an installer that count as not given while they are empty."""
_COLUMNS = {"jump_policy": "jump_policy_id"}
_ALWAYS = ("connection_type", "is_quiet", "customer_client_start_mode")


def properties(work: Work, installer: Installer, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record's columns that this installation sets, its owner among them.

    given: wire name → value, as typed on the host. What neither states is left out, so
    that a record that is taken over keeps it. Raises Denied (install.override_denied) or
    TremplinError (install.bad_value), both with the `parameter`.
    """
    values: dict[str, Any] = {name: getattr(installer, name) for name in _ALWAYS}
    values.update({name: getattr(installer, name) for name in _STATED if getattr(installer, name)})
    values["shared_group_id"] = installer.shared_group_id
    values["owner_user_id"] = installer.owner_user_id
    if installer.external_id:
        values["external_id"] = installer.external_id
    for wire_name, raw in given.items():
        parameter = OVERRIDES.get(wire_name)
        if parameter is None:
            raise _bad(str(wire_name)[:64], "unknown parameter")
        values.update(_given(work, installer, parameter, raw))
    return values


def _bad(parameter: str, detail: str) -> TremplinError:
    return TremplinError("install.bad_value", parameter=parameter, detail=detail)


def _given(work: Work, installer: Installer, parameter: Parameter, raw: Any) -> dict[str, Any]:
    targets = _allowed_targets(installer, parameter)
    if not targets:
        raise Denied("install.override_denied", parameter=parameter.flag)
    try:
        value = check(parameter, raw)
    except ValueError as error:
        raise _bad(parameter.flag, str(error)) from error
    try:
        if parameter.wire_name == "jump_group":
            return _owner_columns(groups.resolve(work, value))
        if parameter.wire_name == "jump_policy":
            value = policies.jump_policy_by_code(work, value).id
        if parameter.wire_name == "session_policy":
            value = policies.session_policy_by_code(work, value).id
    except Invalid as error:
        detail = "; ".join(text for texts in error.fields.values() for text in texts)
        raise _bad(parameter.flag, detail) from error
    return dict.fromkeys(targets, value)


def _allowed_targets(installer: Installer, parameter: Parameter) -> list[str]:
    """Return the columns that this installation may set with `parameter`."""
    allowed = parameter.override is not None and bool(getattr(installer, parameter.override))
    if parameter.wire_name == "session_policy":
        return [c for c, flag in _SESSION_POLICIES.items() if allowed or getattr(installer, flag)]
    column = _COLUMNS.get(parameter.wire_name, parameter.wire_name)
    return [column] if allowed else []


def _owner_columns(owner: Owner) -> dict[str, int | None]:
    return {"shared_group_id": owner.shared_group_id, "owner_user_id": owner.owner_user_id}

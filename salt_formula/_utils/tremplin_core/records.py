# SPDX-License-Identifier: Apache-2.0
# A copy of ansible_collection/plugins/module_utils/records.py, written by .ci/salt-shared.
"""Jump Client records: how they are found, and what a task may set on them."""

from __future__ import annotations

from typing import Any, Callable

from . import lookups
from .client import Client
from .errors import Ambiguous, Missing

SELECTORS = ("id", "external_id", "name")
PLAIN = (
    "external_id",
    "name",
    "tag",
    "comments",
    "connection_type",
    "max_offline_minutes",
    "ephemeral",
    "pinned_forever",
)
"""Properties that the API takes as they are written."""

PROPERTY_OPTIONS = dict(
    tag=dict(type="str"),
    comments=dict(type="str"),
    jump_group=dict(type="str"),
    jump_policy=dict(type="str"),
    session_policy=dict(type="str"),
    attended_session_policy=dict(type="str"),
    unattended_session_policy=dict(type="str"),
    connection_type=dict(type="str", choices=["active", "passive"]),
    max_offline_minutes=dict(type="int"),
    ephemeral=dict(type="bool"),
)


def selector(params: dict[str, Any]) -> str:
    """Return the name of the option that finds the record: the first that is given."""
    return next(name for name in SELECTORS if params[name] is not None)


def find(client: Client, name: str, value: Any) -> dict[str, Any] | None:
    """Return the record whose `name` (one of SELECTORS) is `value`, or None.

    Raises Ambiguous when several have it.
    """
    if name == "id":
        try:
            record: dict[str, Any] = client.get(f"/jump-client/{value}")
            return record
        except Missing:
            return None
    found = [
        record
        for record in client.pages("/jump-client", **{name: value})
        if str(record.get(name) or "").lower() == value.lower()
    ]
    if len(found) > 1:
        exact = [record for record in found if record.get(name) == value]
        if len(exact) != 1:
            raise Ambiguous("Jump Clients", value, found)
        found = exact
    return found[0] if found else None


def desired(client: Client, params: dict[str, Any]) -> dict[str, Any]:
    """Return the properties that `params` asks for, in the API's words and with its ids."""
    wanted = {name: params[name] for name in PLAIN if params.get(name) is not None}
    if params.get("jump_group"):
        wanted.update(lookups.jump_group(client, params["jump_group"]))
    if params.get("jump_policy") is not None:
        wanted["jump_policy_id"] = _policy(lookups.jump_policy, client, params["jump_policy"])
    both = params.get("session_policy")
    for name in ("attended_session_policy", "unattended_session_policy"):
        code = both if params.get(name) is None else params[name]
        if code is not None:
            wanted[name + "_id"] = _policy(lookups.session_policy, client, code)
    return wanted


def open_tombstones(
    client: Client, client_id: int | None = None, external_id: str | None = None
) -> list[dict[str, Any]]:
    """Return the open tombstones of a record's id or of a declared key."""
    return [
        tombstone
        for tombstone in client.pages("/jump-client/tombstone", open="true")
        if (client_id is not None and tombstone["client_id"] == client_id)
        or (external_id is not None and tombstone.get("external_id") == external_id)
    ]


def _policy(lookup: Callable[[Client, str], int], client: Client, code: str) -> int | None:
    return lookup(client, code) if code else None

# SPDX-License-Identifier: Apache-2.0
# A copy of ansible_collection/plugins/module_utils/lookups.py, written by .ci/salt-shared.
"""From the names that people write to the ids that the API takes."""

from __future__ import annotations

from typing import Any

from .client import Client
from .errors import TremplinError


def jump_group(client: Client, text: str) -> dict[str, Any]:
    """Return {jump_group_id, jump_group_type} of `user:<name>`, `jumpgroup:<code>` or a name."""
    if text.startswith("user:"):
        return {"jump_group_id": user(client, text[5:]), "jump_group_type": "personal"}
    if text.startswith("jumpgroup:"):
        found = _one(client, "/jump-group", "Jump Group", "code_name", text[10:])
    else:
        found = _one(client, "/jump-group", "Jump Group", "name", text)
    return {"jump_group_id": found["id"], "jump_group_type": "shared"}


def user(client: Client, name: str) -> int:
    """Return the id of the user who signs in as `name`."""
    return int(_one(client, "/user", "user", "username", name)["id"])


def item_role(client: Client, name: str) -> int:
    """Return the id of the Jump Item Role `name`."""
    return int(_one(client, "/jump-item-role", "Jump Item Role", "name", name)["id"])


def jump_policy(client: Client, code: str) -> int:
    """Return the id of the Jump Policy whose code name is `code`."""
    return int(_one(client, "/jump-policy", "Jump Policy", "code_name", code)["id"])


def session_policy(client: Client, code: str) -> int:
    """Return the id of the session policy whose code name is `code`."""
    return int(_one(client, "/session-policy", "session policy", "code_name", code)["id"])


def _one(client: Client, path: str, what: str, key: str, text: str) -> Any:
    """Return the item whose `key` is `text`."""
    for item in client.pages(path, **{key: text}):
        if str(item.get(key, "")).lower() == text.lower():
            return item
    raise TremplinError(f"there is no {what} whose {key.replace('_', ' ')} is {text!r}")

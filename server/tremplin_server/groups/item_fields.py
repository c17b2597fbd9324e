"""Which permission of a Jump Item Role each property of a Jump Item asks for.

The contract sorts the fields: identity is how an item is found and signed in to, behavior how it
acts. What of a Jump Client has no place there is behavior as well.
"""

from __future__ import annotations

from collections.abc import Iterable

from tremplin_server.permissions import ItemPermission

NEEDS: dict[str, ItemPermission] = {
    **dict.fromkeys(
        (
            "name",
            "external_id",
            "hostname",
            "jumpoint_id",
            "rdp_username",
            "domain",
            "ignore_untrusted",
        ),
        ItemPermission.EDIT_IDENTITY,
    ),
    "tag": ItemPermission.EDIT_TAG,
    "comments": ItemPermission.EDIT_COMMENTS,
    "jump_policy_id": ItemPermission.EDIT_JUMP_POLICY,
    **dict.fromkeys(
        ("session_policy_id", "attended_session_policy_id", "unattended_session_policy_id"),
        ItemPermission.EDIT_SESSION_POLICY,
    ),
    **dict.fromkeys(
        (
            "connection_type",
            "max_offline_minutes",
            "ephemeral",
            "pinned_forever",
            "is_quiet",
            "customer_client_start_mode",
            "update_version",
            "remove_at",
            "quality",
            "console",
        ),
        ItemPermission.EDIT_BEHAVIOR,
    ),
    "public_site_address": ItemPermission.EDIT_PUBLIC_PORTAL,
    **dict.fromkeys(
        ("jump_group_type", "jump_group_id", "shared_group_id", "owner_user_id"),
        ItemPermission.ASSIGN_JUMP_GROUP,
    ),
}


def needed(fields: Iterable[str]) -> list[ItemPermission]:
    """Return the permissions that changing all of `fields` asks for, in the order of ours."""
    wanted = {NEEDS[field] for field in fields}
    return [permission for permission in ItemPermission if permission in wanted]

"""The API of group policies, and of what they add up to for one user."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from tremplin_server import rest
from tremplin_server.accounts import service as accounts
from tremplin_server.group_policies.effective import Held
from tremplin_server.groups import access, group_policies
from tremplin_server.groups.group_policy_schemas import (
    EffectiveBody,
    GroupPolicyBody,
    GroupPolicyChange,
    GroupPolicyNew,
    GroupPolicyQuery,
)

blp = rest.blueprint("group-policy", "/group-policy")
effective_blp = rest.blueprint("effective-permission", "/user")


@blp.route("")
class GroupPolicies(MethodView):
    """All group policies."""

    @blp.arguments(GroupPolicyQuery, location="query")
    @blp.response(200, GroupPolicyBody(many=True), headers=rest.PAGE_HEADERS)
    def get(self, filters: dict[str, Any]) -> Response:
        """List the group policies by priority."""
        with rest.reading() as work:
            found = group_policies.query(work, **filters)
            return rest.page(
                work, found, GroupPolicyBody, lambda row: group_policies.whole(work, row)
            )

    @blp.arguments(GroupPolicyNew)
    @blp.response(201, GroupPolicyBody)
    def post(self, values: dict[str, Any]) -> Any:
        """Add a group policy."""
        with rest.writing() as work:
            made = group_policies.whole(work, group_policies.create(work, values))
        return rest.created(made, f"/group-policy/{made.id}")


@blp.route("/<int:id>")
class OneGroupPolicy(MethodView):
    """One group policy."""

    @blp.response(200, GroupPolicyBody)
    def get(self, id: int) -> group_policies.Whole:
        """Return a group policy."""
        with rest.reading() as work:
            return group_policies.whole(work, group_policies.get(work, id))

    @blp.arguments(GroupPolicyChange)
    @blp.response(200, GroupPolicyBody)
    def patch(self, values: dict[str, Any], id: int) -> group_policies.Whole:
        """Change a group policy, for all its members."""
        with rest.writing() as work:
            return group_policies.whole(work, group_policies.update(work, id, values))

    @blp.response(204)
    def delete(self, id: int) -> None:
        """Delete a group policy; its members lose what it gave."""
        with rest.writing() as work:
            group_policies.remove(work, id)


@effective_blp.route("/<int:id>/effective-permission")
class EffectivePermissions(MethodView):
    """What a user has in the end."""

    @effective_blp.response(200, EffectiveBody)
    def get(self, id: int) -> dict[str, Any]:
        """Return what a user may do, in which Jump Groups, and why."""
        with rest.reading() as work:
            found = access.effective_of(work, accounts.get(work, id))
        return {
            "permissions": [
                {"permission": name, "allowed": held.value, **_why(held)}
                for name, held in found.permissions.items()
            ],
            "jump_groups": [
                {"jump_group_id": number, "jump_item_role_id": held.value, **_why(held)}
                for number, held in found.groups.items()
            ],
            "session_policy": {
                "session_policy_id": found.session_policy.value,
                **_why(found.session_policy),
            },
        }


def _why(held: Held[Any]) -> dict[str, Any]:
    return {"reason": held.reason, "replaced": held.replaced}

"""The API of shared Jump Groups and their members."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from tremplin_server import rest
from tremplin_server.groups import roles, service
from tremplin_server.groups.models import JumpGroup, JumpGroupMember, JumpItemRole
from tremplin_server.groups.schemas import (
    GroupBody,
    GroupChange,
    GroupNew,
    GroupQuery,
    MemberBody,
    MemberChange,
    MemberNew,
    RoleBody,
    RoleChange,
    RoleNew,
    RoleQuery,
)

blp = rest.blueprint("jump-group", "/jump-group")
roles_blp = rest.blueprint("jump-item-role", "/jump-item-role")


@roles_blp.route("")
class Roles(MethodView):
    """All Jump Item Roles."""

    @roles_blp.arguments(RoleQuery, location="query")
    @roles_blp.response(200, RoleBody(many=True), headers=rest.PAGE_HEADERS)
    def get(self, filters: dict[str, Any]) -> Response:
        """List the Jump Item Roles."""
        with rest.reading() as work:
            return rest.page(work, service.roles(work, **filters), RoleBody)

    @roles_blp.arguments(RoleNew)
    @roles_blp.response(201, RoleBody)
    def post(self, values: dict[str, Any]) -> Any:
        """Add a Jump Item Role."""
        with rest.writing() as work:
            role = roles.create(work, **values)
        return rest.created(role, f"/jump-item-role/{role.id}")


@roles_blp.route("/<int:id>")
class OneRole(MethodView):
    """One Jump Item Role."""

    @roles_blp.response(200, RoleBody)
    def get(self, id: int) -> JumpItemRole:
        """Return a Jump Item Role."""
        with rest.reading() as work:
            return roles.get(work, id)

    @roles_blp.arguments(RoleChange)
    @roles_blp.response(200, RoleBody)
    def patch(self, values: dict[str, Any], id: int) -> JumpItemRole:
        """Change a Jump Item Role, for all who have it."""
        with rest.writing() as work:
            return roles.update(work, id, values)

    @roles_blp.response(204)
    def delete(self, id: int) -> None:
        """Delete a Jump Item Role that nobody has."""
        with rest.writing() as work:
            roles.delete(work, id)


@blp.route("")
class Groups(MethodView):
    """All shared Jump Groups."""

    @blp.arguments(GroupQuery, location="query")
    @blp.response(200, GroupBody(many=True), headers=rest.PAGE_HEADERS)
    def get(self, filters: dict[str, Any]) -> Response:
        """List the Jump Groups."""
        with rest.reading() as work:
            return rest.page(work, service.query(work, **filters), GroupBody)

    @blp.arguments(GroupNew)
    @blp.response(201, GroupBody)
    def post(self, values: dict[str, Any]) -> Any:
        """Add a Jump Group."""
        with rest.writing() as work:
            group = service.create(work, **values)
        return rest.created(group, f"/jump-group/{group.id}")


@blp.route("/<int:id>")
class OneGroup(MethodView):
    """One shared Jump Group."""

    @blp.response(200, GroupBody)
    def get(self, id: int) -> JumpGroup:
        """Return a Jump Group."""
        with rest.reading() as work:
            return service.get(work, id)

    @blp.arguments(GroupChange)
    @blp.response(200, GroupBody)
    def patch(self, values: dict[str, Any], id: int) -> JumpGroup:
        """Change a Jump Group."""
        with rest.writing() as work:
            return service.update(work, id, values)

    @blp.response(204)
    def delete(self, id: int) -> None:
        """Delete a Jump Group that has no Jump Clients any more."""
        with rest.writing() as work:
            service.delete(work, id)


@blp.route("/<int:id>/user")
class Members(MethodView):
    """The members of a Jump Group."""

    @blp.arguments(rest.Query, location="query")
    @blp.response(200, MemberBody(many=True), headers=rest.PAGE_HEADERS)
    def get(self, filters: dict[str, Any], id: int) -> Response:
        """List the members."""
        with rest.reading() as work:
            return rest.page(work, service.members(work, id), MemberBody)

    @blp.arguments(MemberNew)
    @blp.response(201, MemberBody)
    def post(self, values: dict[str, Any], id: int) -> Any:
        """Add a user to the group."""
        user_id, role_id = values["user_id"], values.get("jump_item_role_id")
        with rest.writing() as work:
            member = service.add_member(work, id, user_id, role_id)
        return rest.created(member, f"/jump-group/{id}/user/{user_id}")


@blp.route("/<int:id>/user/<int:user_id>")
class OneMember(MethodView):
    """One member of a Jump Group."""

    @blp.response(200, MemberBody)
    def get(self, id: int, user_id: int) -> JumpGroupMember:
        """Return a member."""
        with rest.reading() as work:
            return service.member(work, id, user_id)

    @blp.arguments(MemberChange)
    @blp.response(200, MemberBody)
    def patch(self, values: dict[str, Any], id: int, user_id: int) -> JumpGroupMember:
        """Give a member another role; without a role in the body nothing changes."""
        with rest.writing() as work:
            if "jump_item_role_id" not in values:
                return service.member(work, id, user_id)
            return service.change_member(work, id, user_id, values["jump_item_role_id"])

    @blp.response(204)
    def delete(self, id: int, user_id: int) -> None:
        """Take a user out of the group."""
        with rest.writing() as work:
            service.remove_member(work, id, user_id)

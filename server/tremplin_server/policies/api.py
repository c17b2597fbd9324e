"""The API of policies, whose ids installers and Jump Clients refer to."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from tremplin_server import rest
from tremplin_server.permissions import Permission
from tremplin_server.policies import changes, service
from tremplin_server.policies.models import JumpPolicy, SessionPolicy
from tremplin_server.policies.schemas import (
    JumpPolicyBody,
    JumpPolicyChange,
    JumpPolicyNew,
    PolicyQuery,
    ScheduleBody,
    SessionPolicyBody,
    SessionPolicyChange,
    SessionPolicyNew,
    schedule_body,
)

jump_policies = rest.blueprint("jump-policy", "/jump-policy")
session_policies = rest.blueprint("session-policy", "/session-policy")


@jump_policies.route("")
class JumpPolicies(MethodView):
    """All Jump Policies."""

    @jump_policies.arguments(PolicyQuery, location="query")
    @jump_policies.response(200, JumpPolicyBody(many=True), headers=rest.PAGE_HEADERS)
    def get(self, filters: dict[str, Any]) -> Response:
        """List the Jump Policies."""
        rest.current_actor().require(Permission.INSTALLERS_READ)
        with rest.reading() as work:
            return rest.page(work, service.jump_policies(**filters), JumpPolicyBody)

    @jump_policies.arguments(JumpPolicyNew)
    @jump_policies.response(201, JumpPolicyBody)
    def post(self, values: dict[str, Any]) -> Any:
        """Add a Jump Policy."""
        with rest.writing() as work:
            policy = changes.create(work, JumpPolicy, values)
        return rest.created(policy, f"/jump-policy/{policy.id}")


@jump_policies.route("/<int:id>")
class OneJumpPolicy(MethodView):
    """One Jump Policy."""

    @jump_policies.response(200, JumpPolicyBody)
    def get(self, id: int) -> JumpPolicy:
        """Return a Jump Policy."""
        with rest.reading() as work:
            return changes.get(work, JumpPolicy, id)

    @jump_policies.arguments(JumpPolicyChange)
    @jump_policies.response(200, JumpPolicyBody)
    def patch(self, values: dict[str, Any], id: int) -> JumpPolicy:
        """Change a Jump Policy, for all that refer to it."""
        with rest.writing() as work:
            return changes.update(work, JumpPolicy, id, values)

    @jump_policies.response(204)
    def delete(self, id: int) -> None:
        """Delete a Jump Policy that nothing refers to."""
        with rest.writing() as work:
            changes.delete(work, JumpPolicy, id)


@jump_policies.route("/<int:id>/schedule")
class Schedule(MethodView):
    """The schedule of a Jump Policy."""

    @jump_policies.response(200, ScheduleBody)
    def get(self, id: int) -> dict[str, Any]:
        """Return when a Jump Policy is open."""
        with rest.reading() as work:
            return schedule_body(changes.get(work, JumpPolicy, id))


@session_policies.route("")
class SessionPolicies(MethodView):
    """All session policies."""

    @session_policies.arguments(PolicyQuery, location="query")
    @session_policies.response(200, SessionPolicyBody(many=True), headers=rest.PAGE_HEADERS)
    def get(self, filters: dict[str, Any]) -> Response:
        """List the session policies."""
        rest.current_actor().require(Permission.INSTALLERS_READ)
        with rest.reading() as work:
            return rest.page(work, service.session_policies(**filters), SessionPolicyBody)

    @session_policies.arguments(SessionPolicyNew)
    @session_policies.response(201, SessionPolicyBody)
    def post(self, values: dict[str, Any]) -> Any:
        """Add a session policy."""
        with rest.writing() as work:
            policy = changes.create(work, SessionPolicy, values)
        return rest.created(policy, f"/session-policy/{policy.id}")


@session_policies.route("/<int:id>")
class OneSessionPolicy(MethodView):
    """One session policy."""

    @session_policies.response(200, SessionPolicyBody)
    def get(self, id: int) -> SessionPolicy:
        """Return a session policy."""
        with rest.reading() as work:
            return changes.get(work, SessionPolicy, id)

    @session_policies.arguments(SessionPolicyChange)
    @session_policies.response(200, SessionPolicyBody)
    def patch(self, values: dict[str, Any], id: int) -> SessionPolicy:
        """Change a session policy, for all that refer to it."""
        with rest.writing() as work:
            return changes.update(work, SessionPolicy, id, values)

    @session_policies.response(204)
    def delete(self, id: int) -> None:
        """Delete a session policy that nothing refers to."""
        with rest.writing() as work:
            changes.delete(work, SessionPolicy, id)

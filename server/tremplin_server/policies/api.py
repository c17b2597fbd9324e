"""The API of policies: programs look up the ids that installers and Jump Clients refer to."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from tremplin_server import rest
from tremplin_server.permissions import Permission
from tremplin_server.policies import service
from tremplin_server.policies.schemas import PolicyBody, PolicyQuery

jump_policies = rest.blueprint("jump-policy", "/jump-policy")
session_policies = rest.blueprint("session-policy", "/session-policy")


@jump_policies.route("")
class JumpPolicies(MethodView):
    """All Jump Policies."""

    @jump_policies.arguments(PolicyQuery, location="query")
    @jump_policies.response(200, PolicyBody(many=True), headers=rest.PAGE_HEADERS)
    def get(self, filters: dict[str, Any]) -> Response:
        """List the Jump Policies."""
        rest.current_actor().require(Permission.INSTALLERS_READ)
        with rest.reading() as work:
            return rest.page(work, service.jump_policies(**filters), PolicyBody)


@session_policies.route("")
class SessionPolicies(MethodView):
    """All session policies."""

    @session_policies.arguments(PolicyQuery, location="query")
    @session_policies.response(200, PolicyBody(many=True), headers=rest.PAGE_HEADERS)
    def get(self, filters: dict[str, Any]) -> Response:
        """List the session policies."""
        rest.current_actor().require(Permission.INSTALLERS_READ)
        with rest.reading() as work:
            return rest.page(work, service.session_policies(**filters), PolicyBody)

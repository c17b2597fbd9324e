"""The API of requests for approval. A program with groups.write decides them, too."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from tremplin_server import rest
from tremplin_server.sessions import approvals
from tremplin_server.sessions.approval_schemas import (
    ApprovalBody,
    ApprovalQuery,
    DecisionNew,
    shown,
)

blp = rest.blueprint("jump-approval", "/jump-approval")


@blp.route("")
class Approvals(MethodView):
    """All requests."""

    @blp.arguments(ApprovalQuery, location="query")
    @blp.response(200, ApprovalBody(many=True), headers=rest.PAGE_HEADERS)
    def get(self, filters: dict[str, Any]) -> Response:
        """List the requests for approval, newest first."""
        with rest.reading() as work:
            now = work.now()
            return rest.page(
                work, approvals.query(work, **filters), ApprovalBody, lambda row: shown(row, now)
            )


@blp.route("/<int:id>")
class OneApproval(MethodView):
    """One request."""

    @blp.response(200, ApprovalBody)
    def get(self, id: int) -> dict[str, Any]:
        """Return a request for approval."""
        with rest.reading() as work:
            return shown(approvals.get(work, id), work.now())


@blp.route("/<int:id>/approve")
class Approve(MethodView):
    """A decision."""

    @blp.arguments(DecisionNew)
    @blp.response(200, ApprovalBody)
    def post(self, values: dict[str, Any], id: int) -> dict[str, Any]:
        """Approve a request: sessions may start for a while."""
        with rest.writing() as work:
            return shown(approvals.approve(work, id, values["comment"]), work.now())


@blp.route("/<int:id>/deny")
class Deny(MethodView):
    """A decision."""

    @blp.arguments(DecisionNew)
    @blp.response(200, ApprovalBody)
    def post(self, values: dict[str, Any], id: int) -> dict[str, Any]:
        """Deny a request."""
        with rest.writing() as work:
            return shown(approvals.deny(work, id, values["comment"]), work.now())


@blp.route("/<int:id>/withdraw")
class Withdraw(MethodView):
    """The requester's own."""

    @blp.response(200, ApprovalBody)
    def post(self, id: int) -> dict[str, Any]:
        """Take one's own request back."""
        with rest.writing() as work:
            return shown(approvals.withdraw(work, id), work.now())

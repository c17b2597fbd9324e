"""The API of the audit log: it can only be read."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from tremplin_server import rest
from tremplin_server.audit import service
from tremplin_server.audit.schemas import AuditBody, AuditQuery

blp = rest.blueprint("audit", "/audit")


@blp.route("")
class AuditLog(MethodView):
    """The audit log."""

    @blp.arguments(AuditQuery, location="query")
    @blp.response(200, AuditBody(many=True), headers=rest.PAGE_HEADERS)
    def get(self, filters: dict[str, Any]) -> Response:
        """List the events, newest first."""
        with rest.reading() as work:
            return rest.page(work, service.events(work, **filters), AuditBody)

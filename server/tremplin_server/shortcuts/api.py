"""The API of RDP Jump Shortcuts."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from tremplin_server import rest
from tremplin_server.clients.schemas import CopyAnswer, CopyNew
from tremplin_server.shortcuts import service
from tremplin_server.shortcuts.models import RdpShortcut
from tremplin_server.shortcuts.schemas import (
    RdpBody,
    RdpChange,
    RdpNew,
    RdpQuery,
)

blp = rest.blueprint("remote-rdp", "/jump-item/remote-rdp")


@blp.route("")
class Shortcuts(MethodView):
    """All RDP Jump Shortcuts."""

    @blp.arguments(RdpQuery, location="query")
    @blp.response(200, RdpBody(many=True), headers=rest.PAGE_HEADERS)
    def get(self, filters: dict[str, Any]) -> Response:
        """List the RDP Jump Shortcuts."""
        with rest.reading() as work:
            return rest.page(work, service.query(work, **filters), RdpBody)

    @blp.arguments(RdpNew)
    @blp.response(201, RdpBody)
    def post(self, values: dict[str, Any]) -> Any:
        """Add an RDP Jump Shortcut."""
        with rest.writing() as work:
            made = service.create(work, values)
        return rest.created(made, f"/jump-item/remote-rdp/{made.id}")


@blp.route("/<int:id>")
class OneShortcut(MethodView):
    """One RDP Jump Shortcut."""

    @blp.response(200, RdpBody)
    def get(self, id: int) -> RdpShortcut:
        """Return an RDP Jump Shortcut."""
        with rest.reading() as work:
            return service.get(work, id)

    @blp.arguments(RdpChange)
    @blp.response(200, RdpBody)
    def patch(self, values: dict[str, Any], id: int) -> RdpShortcut:
        """Change an RDP Jump Shortcut."""
        with rest.writing() as work:
            return service.update(work, id, values)

    @blp.response(204)
    def delete(self, id: int) -> None:
        """Delete an RDP Jump Shortcut."""
        with rest.writing() as work:
            service.delete(work, id)


@blp.route("/<int:id>/copy")
class Copy(MethodView):
    """A copy of an RDP Jump Shortcut."""

    @blp.arguments(CopyNew)
    @blp.response(200, CopyAnswer)
    def post(self, values: dict[str, Any], id: int) -> dict[str, Any]:
        """Copy an RDP Jump Shortcut."""
        with rest.writing() as work:
            made = service.copy(work, id, values)
        return {"action": "copy", "success": "1", "destId": made.id}

"""The API of support sessions: make one, look at them, end one."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView
from sqlalchemy import inspect

from tremplin_server import rest
from tremplin_server.support import service
from tremplin_server.support.models import SupportSession
from tremplin_server.support.schemas import (
    SupportBody,
    SupportCreatedBody,
    SupportNew,
    SupportQuery,
)

COLUMNS = inspect(SupportSession).column_attrs

blp = rest.blueprint("support-session", "/support-session")


@blp.route("")
class SupportSessions(MethodView):
    """All support sessions."""

    @blp.arguments(SupportQuery, location="query")
    @blp.response(200, SupportBody(many=True), headers=rest.PAGE_HEADERS)
    def get(self, filters: dict[str, Any]) -> Response:
        """List the support sessions, newest first."""
        with rest.reading() as work:
            return rest.page(work, service.query(work, **filters), SupportBody)

    @blp.arguments(SupportNew)
    @blp.response(201, SupportCreatedBody)
    def post(self, values: dict[str, Any]) -> Any:
        """Make a support session; its session key is told this once."""
        with rest.writing() as work:
            made = service.create(work, **values)
        columns = {part.key: getattr(made.session, part.key) for part in COLUMNS}
        body = {**columns, "session_key": made.key, "link": made.link}
        return rest.created(body, f"/support-session/{made.session.id}")


@blp.route("/<int:id>")
class OneSupportSession(MethodView):
    """One support session."""

    @blp.response(200, SupportBody)
    def get(self, id: int) -> SupportSession:
        """Return a support session."""
        with rest.reading() as work:
            return service.get(work, id)


@blp.route("/<int:id>/end")
class EndSupportSession(MethodView):
    """The end of a support session."""

    @blp.response(200, SupportBody)
    def post(self, id: int) -> SupportSession:
        """End a support session; one that is over stays as it is."""
        with rest.writing() as work:
            service.end(work, id)
            return service.get(work, id)

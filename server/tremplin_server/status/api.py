"""The API of the site's status, for those who watch it."""

from __future__ import annotations

from flask.views import MethodView

from tremplin_server import rest
from tremplin_server.status import service
from tremplin_server.status.schemas import StatusBody

blp = rest.blueprint("status", "/status")


@blp.route("")
class SiteStatus(MethodView):
    """How the site is."""

    @blp.response(200, StatusBody)
    def get(self) -> service.Status:
        """Return clients by state, sessions, workers, certificate, limits and version."""
        with rest.reading() as work:
            return service.status(work)

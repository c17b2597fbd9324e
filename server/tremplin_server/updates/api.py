"""The API of updates: how the fleet stands, who is outdated, ordering, results."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from tremplin_server import rest
from tremplin_server.clients.schemas import ClientBody
from tremplin_server.clients.schemas import shown as client_shown
from tremplin_server.updates import service
from tremplin_server.updates.schemas import (
    AskedBody,
    FleetBody,
    OrderNew,
    UpdateBody,
    UpdateQuery,
    shown,
)

blp = rest.blueprint("update", "/update")


@blp.route("")
class Updates(MethodView):
    """How the fleet stands."""

    @blp.response(200, FleetBody)
    def get(self) -> dict[str, Any]:
        """Return the policy of updates, the payloads, and how many agents run which version."""
        with rest.reading() as work:
            return shown(service.fleet(work), work.config.update_bandwidth)


@blp.route("/outdated")
class Outdated(MethodView):
    """Who is outdated."""

    @blp.arguments(rest.Query, location="query")
    @blp.response(200, ClientBody(many=True), headers=rest.PAGE_HEADERS)
    def get(self, filters: dict[str, Any]) -> Response:
        """List the Jump Clients that have another version than they should."""
        with rest.reading() as work:
            return rest.page(
                work, service.outdated(work), ClientBody, lambda client: client_shown(work, client)
            )


@blp.route("/client")
class Results(MethodView):
    """What became of updates."""

    @blp.arguments(UpdateQuery, location="query")
    @blp.response(200, UpdateBody(many=True), headers=rest.PAGE_HEADERS)
    def get(self, filters: dict[str, Any]) -> Response:
        """List the last update of each Jump Client that had one, newest first."""
        with rest.reading() as work:
            return rest.page(work, service.query(work, **filters), UpdateBody)


@blp.route("/order")
class Order(MethodView):
    """Updates by hand."""

    @blp.arguments(OrderNew)
    @blp.response(202, AskedBody(many=True))
    def post(self, values: dict[str, Any]) -> list[service.Asked]:
        """Order updates now; the answer says for each whether it can be."""
        with rest.writing() as work:
            if values["all_outdated"]:
                return service.order_all(work)
            return service.order_now(work, values["client_ids"])

"""The API of Jump Clients, tombstones, drift and purging."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from tremplin_server import rest
from tremplin_server.clients import copies, housekeeping, service, tombstones, wake_on_lan
from tremplin_server.clients.drift import drift
from tremplin_server.clients.models import Tombstone
from tremplin_server.clients.schemas import (
    ClientBody,
    ClientChange,
    ClientQuery,
    CopyAnswer,
    CopyNew,
    CopyQuery,
    DeleteQuery,
    DriftBody,
    DriftNew,
    PurgeBody,
    PurgeNew,
    TombstoneBody,
    TombstoneQuery,
    WokenBody,
    shown,
    shown_by_id,
    shown_copy,
)
from tremplin_server.installers.schemas import Reason

blp = rest.blueprint("jump-client", "/jump-client")


@blp.route("")
class Clients(MethodView):
    """All Jump Clients."""

    @blp.arguments(ClientQuery, location="query")
    @blp.response(200, ClientBody(many=True), headers=rest.PAGE_HEADERS)
    def get(self, filters: dict[str, Any]) -> Response:
        """List the Jump Clients."""
        with rest.reading() as work:
            query = service.query(work, **filters)
            return rest.page(work, query, ClientBody, lambda client: shown(work, client))


@blp.route("/<int:id>")
class OneClient(MethodView):
    """One Jump Client."""

    @blp.response(200, ClientBody)
    def get(self, id: int) -> dict[str, Any]:
        """Return a Jump Client."""
        with rest.reading() as work:
            return shown_by_id(work, id)

    @blp.arguments(ClientChange)
    @blp.response(200, ClientBody)
    def patch(self, values: dict[str, Any], id: int) -> dict[str, Any]:
        """Change a Jump Client; its agent is told what it should know."""
        with rest.writing() as work:
            if copies.is_copy(id):
                return shown_copy(work, copies.update(work, id, values))
            return shown(work, service.update(work, id, values))

    @blp.arguments(DeleteQuery, location="query")
    @blp.response(204)
    def delete(self, values: dict[str, Any], id: int) -> None:
        """Delete a Jump Client; its agent uninstalls itself as soon as it is reached."""
        with rest.writing() as work:
            if copies.is_copy(id):
                copies.remove(work, id, values["reason"])
            else:
                service.delete(work, id, values["reason"])


@blp.route("/<int:id>/copy")
class Copy(MethodView):
    """A Jump Client once more, in another Jump Group."""

    @blp.arguments(CopyNew)
    @blp.response(200, CopyAnswer)
    def post(self, values: dict[str, Any], id: int) -> dict[str, Any]:
        """Copy a Jump Client into another Jump Group; the host stays one."""
        with rest.writing() as work:
            made = copies.make(work, service.place(work, id), values)
        return {"action": "copy", "success": "1", "destId": made.id}


@blp.route("/copy")
class Copies(MethodView):
    """The copies of all Jump Clients."""

    @blp.arguments(CopyQuery, location="query")
    @blp.response(200, ClientBody(many=True), headers=rest.PAGE_HEADERS)
    def get(self, _filters: dict[str, Any]) -> Response:
        """List the copies; they are not in the list of Jump Clients, which counts hosts."""
        with rest.reading() as work:
            query = copies.query(work)
            return rest.page(work, query, ClientBody, lambda copy: shown_copy(work, copy))


@blp.route("/<int:id>/uninstall")
class Uninstall(MethodView):
    """The removal of an agent."""

    @blp.arguments(Reason)
    @blp.response(202, ClientBody)
    def post(self, values: dict[str, Any], id: int) -> dict[str, Any]:
        """Order the agent to uninstall itself; the record waits until it did."""
        with rest.writing() as work:
            return shown(work, service.uninstall(work, id, values["reason"]))


@blp.route("/<int:id>/wake")
class Wake(MethodView):
    """A host that is switched off."""

    @blp.response(202, WokenBody)
    def post(self, id: int) -> dict[str, Any]:
        """Have Jump Clients of the same network send what switches the host on."""
        with rest.writing() as work:
            return {"through": wake_on_lan.wake(work, id)}


@blp.route("/tombstone")
class Tombstones(MethodView):
    """What is left of deleted records."""

    @blp.arguments(TombstoneQuery, location="query")
    @blp.response(200, TombstoneBody(many=True), headers=rest.PAGE_HEADERS)
    def get(self, filters: dict[str, Any]) -> Response:
        """List the tombstones, newest first; `open` for those that wait for their host."""
        with rest.reading() as work:
            query = tombstones.query(work, open_only=filters.get("open", False))
            return rest.page(work, query, TombstoneBody)


@blp.route("/tombstone/<int:id>")
class OneTombstone(MethodView):
    """One tombstone."""

    @blp.response(200, TombstoneBody)
    def get(self, id: int) -> Tombstone:
        """Return a tombstone."""
        with rest.reading() as work:
            return tombstones.get(work, id)

    @blp.response(204)
    def delete(self, id: int) -> None:
        """Close a tombstone by hand: its host will never confirm."""
        with rest.writing() as work:
            tombstones.close(work, id)


@blp.route("/drift")
class Drift(MethodView):
    """The difference between an inventory and the server."""

    @blp.arguments(DriftNew)
    @blp.response(200, DriftBody)
    def post(self, values: dict[str, Any]) -> dict[str, Any]:
        """Compare the declared keys of an inventory with the records."""
        with rest.reading() as work:
            found = drift(work, values.pop("external_ids"), **values)
            records = ("unexpected", "not_online", "uninstalled")
            return {
                "missing": found.missing,
                "waiting_removal": found.waiting_removal,
                "unknown_keys": found.unknown_keys,
                **{name: [shown(work, c) for c in getattr(found, name)] for name in records},
            }


@blp.route("/purge")
class Purge(MethodView):
    """Records that were away for too long."""

    @blp.arguments(PurgeNew)
    @blp.response(200, PurgeBody)
    def post(self, values: dict[str, Any]) -> dict[str, Any]:
        """Delete the records that passed their offline limit, or tell which would go."""
        with rest.writing() as work:
            purged = housekeeping.purge(work, values["dry_run"])
        return {"dry_run": values["dry_run"], "purged": purged}

"""The API of installers and of the payloads that they hand out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Response, jsonify, request, send_file
from flask.views import MethodView
from sqlalchemy import false

from tremplin_server import rest
from tremplin_server.installers import payload as payloads
from tremplin_server.installers import service, uploads
from tremplin_server.installers.models import Installer
from tremplin_server.installers.payload import Payload
from tremplin_server.installers.schemas import (
    InstallerBody,
    InstallerChange,
    InstallerCreated,
    InstallerNew,
    InstallerQuery,
    PayloadBody,
    Reason,
    UseBody,
)
from tremplin_server.permissions import Permission

EXECUTABLE = "application/x-executable"
BYTES = "application/octet-stream"
_BINARY = {"type": "string", "format": "binary"}

blp = rest.blueprint("jump-client-installer", "/jump-client/installer")
payload_blp = rest.blueprint("jump-client-payload", "/jump-client/payload")


@blp.route("")
class Installers(MethodView):
    """All installers."""

    @blp.arguments(InstallerQuery, location="query")
    @blp.response(200, InstallerBody(many=True), headers=rest.PAGE_HEADERS)
    def get(self, filters: dict[str, Any]) -> Response:
        """List the installers."""
        host = [filters.pop(name, None) for name in ("hostname", "fqdn")]
        with rest.reading() as work:
            query = service.query(work, **filters)
            return rest.page(work, query.where(false()) if any(host) else query, InstallerBody)

    @blp.arguments(InstallerNew)
    @blp.response(201, InstallerCreated)
    def post(self, values: dict[str, Any]) -> Any:
        """Make an installer; its key info is told only here."""
        with rest.writing() as work:
            made = service.create(work, values)
            body = {**InstallerBody().dump(made.installer), "key_info": _key_info(made)}
        return rest.created(jsonify(body), f"/jump-client/installer/{made.installer.id}")


def _key_info(made: service.Created) -> dict[str, str]:
    name = made.installer.installer_id
    suffix = Path(payloads.FILES[made.installer.platform]).suffix
    path = f"{rest.API_PREFIX}/jump-client/installer/{name}/{made.installer.platform}"
    return {
        "encodedInfo": made.key_info,
        "filename": f"tremplin-scc-{name}{suffix}",
        "installerPath": path,
    }


@blp.route("/<int:id>")
class OneInstaller(MethodView):
    """One installer."""

    @blp.response(200, InstallerBody)
    def get(self, id: int) -> Installer:
        """Return an installer."""
        with rest.reading() as work:
            return service.get(work, id)

    @blp.arguments(InstallerChange)
    @blp.response(200, InstallerBody)
    def patch(self, values: dict[str, Any], id: int) -> Installer:
        """Extend an installer that is still valid."""
        with rest.writing() as work:
            return service.extend(work, id, **values)

    @blp.response(204)
    def delete(self, id: int) -> None:
        """Delete an installer and its history."""
        with rest.writing() as work:
            service.delete(work, id)


@blp.route("/<int:id>/revoke")
class Revoke(MethodView):
    """The end of an installer."""

    @blp.arguments(Reason)
    @blp.response(200, InstallerBody)
    def post(self, values: dict[str, Any], id: int) -> Installer:
        """End an installer now; what it deployed stays."""
        with rest.writing() as work:
            return service.revoke(work, id, values["reason"])


@blp.route("/<int:id>/usage")
class Usage(MethodView):
    """Who used an installer."""

    @blp.arguments(rest.Query, location="query")
    @blp.response(200, UseBody(many=True), headers=rest.PAGE_HEADERS)
    def get(self, filters: dict[str, Any], id: int) -> Response:
        """List the enrolments that were made or refused, newest first."""
        with rest.reading() as work:
            return rest.page(work, service.uses(work, id), UseBody)


@blp.route("/<string(length=32):installer_id>/<platform>")
class Stamped(MethodView):
    """The download of an installer."""

    @blp.response(200, _BINARY, content_type=EXECUTABLE)
    def get(self, installer_id: str, platform: str) -> Response:
        """Return the payload of a platform with the installer's key info in it."""
        with rest.writing() as work:
            download = service.download(work, installer_id, platform)
        return stamped_answer(download)


def stamped_answer(download: service.Download) -> Response:
    """Return the answer that sends a stamped payload, never to be stored on the way."""
    answer = Response(download.chunks, mimetype=EXECUTABLE)
    answer.headers["Content-Length"] = str(download.size)
    answer.headers["Content-Disposition"] = f"attachment; filename={download.filename}"
    answer.headers["Cache-Control"] = "no-store"
    return answer


@payload_blp.route("")
class Payloads(MethodView):
    """The generic payloads."""

    @payload_blp.response(200, PayloadBody(many=True))
    def get(self) -> list[Payload]:
        """List the generic payloads that the server has."""
        rest.current_actor().require(Permission.INSTALLERS_READ)
        return payloads.payloads(rest.current_database().config)


@payload_blp.route("/<platform>")
class OnePayload(MethodView):
    """One generic payload."""

    @payload_blp.response(200, _BINARY, content_type=EXECUTABLE)
    def get(self, platform: str) -> Response:
        """Return the generic payload of a platform; it holds no key info."""
        rest.current_actor().require(Permission.INSTALLERS_READ)
        found = payloads.payload(rest.current_database().config, platform)
        answer = send_file(
            found.path,
            mimetype=EXECUTABLE,
            as_attachment=True,
            download_name=found.path.name,
            etag=found.sha256,
        )
        answer.headers["X-Tremplin-SHA256"] = found.sha256
        return answer

    @payload_blp.doc(requestBody={"required": True, "content": {BYTES: {"schema": _BINARY}}})
    @payload_blp.response(200, PayloadBody)
    def post(self, platform: str) -> Payload:
        """Put the generic payload of a platform in place; `sha256` in the query guards it."""
        request.max_content_length = uploads.LARGEST
        with rest.writing() as work:
            return uploads.put(work, platform, request.stream, request.args.get("sha256", ""))

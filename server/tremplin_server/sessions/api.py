"""The API of sessions and their recordings."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from flask import Response, request
from flask.views import MethodView
from tremplin_agent.terms import Capability

from tremplin_server import rest
from tremplin_server.clients import service as clients
from tremplin_server.sessions import listing, recordings, service
from tremplin_server.sessions.host_keys import ssh_public_key
from tremplin_server.sessions.models import Front, JumpSession, SessionRecording
from tremplin_server.sessions.schemas import (
    EndNew,
    SessionBody,
    SessionNew,
    SessionQuery,
    SessionRecordingBody,
    StartedBody,
)
from tremplin_server.sessions.service import Request

STREAM_PATH = "/session/v1/stream/"
"""Followed by a session's id: the WebSocket of a program's end."""

_CHUNK = 256 * 1024
_CAST = {"type": "string"}

blp = rest.blueprint("session", "")


@blp.route("/jump-client/<int:id>/session")
class Start(MethodView):
    """Sessions of a Jump Client."""

    @blp.arguments(SessionNew)
    @blp.response(201, StartedBody)
    def post(self, values: dict[str, Any], id: int) -> Any:
        """Start a session; its WebSocket carries SSH, with the Jump Client's host key."""
        asked = Request(
            front=Front.STREAM,
            capabilities=tuple(Capability(c) for c in values.get("capabilities", Capability)),
            ports=tuple(values["ports"]) if "ports" in values else None,
            reason=values["reason"],
            ticket_id=values["ticket_id"],
            technician_ip=request.remote_addr or "",
            keys=tuple(key.strip() for key in values["public_keys"]),
        )
        with rest.writing() as work:
            started = service.start(work, id, asked)
            host_key = ssh_public_key(clients.get(work, id).public_key)
            base = work.config.effective_public_urls[0]
        body = {
            "session_id": started.session_id,
            "ticket": started.ticket,
            "stream_url": f"wss{base.removeprefix('https')}{STREAM_PATH}{started.session_id}",
            "host_key": host_key,
            "expires_at": started.expires_at,
        }
        return rest.created(body, f"/session/{started.session_id}")


@blp.route("/session")
class Sessions(MethodView):
    """All sessions."""

    @blp.arguments(SessionQuery, location="query")
    @blp.response(200, SessionBody(many=True), headers=rest.PAGE_HEADERS)
    def get(self, filters: dict[str, Any]) -> Response:
        """List the sessions, newest first."""
        with rest.reading() as work:
            return rest.page(work, listing.query(work, **filters), SessionBody)


@blp.route("/session/<string(length=32):session_id>")
class OneSession(MethodView):
    """One session."""

    @blp.response(200, SessionBody)
    def get(self, session_id: str) -> JumpSession:
        """Return a session."""
        with rest.reading() as work:
            return listing.get(work, session_id)


@blp.route("/session/<string(length=32):session_id>/end")
class End(MethodView):
    """The end of a session."""

    @blp.arguments(EndNew)
    @blp.response(200, SessionBody)
    def post(self, values: dict[str, Any], session_id: str) -> JumpSession:
        """End a session, wherever it runs; one that is over stays as it is."""
        with rest.writing() as work:
            return service.end(work, session_id, values["reason"])


@blp.route("/session/<string(length=32):session_id>/recording")
class Recordings(MethodView):
    """The recordings of a session."""

    @blp.response(200, SessionRecordingBody(many=True))
    def get(self, session_id: str) -> list[SessionRecording]:
        """List the recordings of a session's terminals."""
        with rest.reading() as work:
            return list(work.session.scalars(recordings.query(work, session_id)))


@blp.route("/session/<string(length=32):session_id>/recording/<int:number>")
class OneRecording(MethodView):
    """One recording."""

    @blp.response(200, _CAST, content_type=recordings.MIMETYPE)
    def get(self, session_id: str, number: int) -> Response:
        """Return a recording: asciicast v2."""
        with rest.writing() as work:
            path = recordings.open_file(work, session_id, number)
        return recording_answer(path)


def recording_answer(path: Path) -> Response:
    """Return the answer that sends a recording, packed when the caller takes that."""
    if request.accept_encodings.quality("gzip") > 0:
        answer = Response(_chunks(path.open, "rb"), mimetype=recordings.MIMETYPE)
        answer.headers["Content-Encoding"] = "gzip"
        answer.headers["Content-Length"] = str(path.stat().st_size)
    else:
        answer = Response(_chunks(gzip.open, path, "rb"), mimetype=recordings.MIMETYPE)
    answer.headers["Vary"] = "Accept-Encoding"
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _chunks(opened: Callable[..., Any], *args: Any) -> Iterator[bytes]:
    # Opened when the answer is sent: that of a HEAD never is.
    with opened(*args) as file:
        while chunk := file.read(_CHUNK):
            yield chunk

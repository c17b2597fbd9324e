"""The files of a host: the page, and who may do what with them; the gateway does it.

Every view but the page leaves a `FileOrder` in the request's ASGI scope and answers
nothing of its own (see `file_orders`). Paths travel percent-encoded, because the names of
files are bytes and not always text.
"""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import unquote_to_bytes

from flask import Response, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from tremplin_server import i18n, pages, rest
from tremplin_server.clients import pages as client_pages
from tremplin_server.errors import Conflict, Denied, Invalid, TremplinError
from tremplin_server.sessions import file_orders, policy_gate
from tremplin_server.sessions.checks import MAX_TICKET_ID
from tremplin_server.sessions.file_orders import FileOrder, Operation
from tremplin_server.sessions.service import MAX_REASON

MAX_PATH = 4096
MAX_NAME = 255
_OPENED = "files"
_MAX_OPENED = 8

blp = pages.blueprint("file_pages", __name__)


@blp.before_request
def same_site() -> None:
    """Let no other site's link reach into a host; forms carry a token besides."""
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise Denied("auth.denied", permission="same-origin")


@blp.get("/console/clients/<int:client_id>/files")
def index(client_id: int) -> ResponseReturnValue:
    """Show the files tab; its script asks for what is in it."""
    with rest.reading() as work:
        file_orders.require_host(work, client_id)
        shown = client_pages.shown(work, client_id)
        outlook = policy_gate.of_client(work, shown["client"], shown["host_id"])

    def address(name: str) -> str:
        return url_for(f"file_pages.{name}", client_id=client_id)

    return render_template(
        "sessions/files.html",
        opened=is_opened(client_id),
        files_address=address,
        outlook=outlook,
        **shown,
    )


@blp.post("/console/clients/<int:client_id>/files/open")
def open_(client_id: int) -> ResponseReturnValue:
    """Begin a session for files, for the reason that is given."""
    reason = _text("reason")
    if len(reason) > MAX_REASON:
        raise Invalid({"reason": [f"Longer than maximum length {MAX_REASON}."]})
    ticket_id = _text("ticket_id")
    if len(ticket_id) > MAX_TICKET_ID:
        raise Invalid({"ticket_id": [f"Longer than maximum length {MAX_TICKET_ID}."]})
    others = {number: why for number, why in _opened().items() if number != client_id}
    kept = list(others.items())[1 - _MAX_OPENED :]
    # The cookie is no place for a long text.
    mine = [client_id, reason[:200], ticket_id[:100]]
    session[_OPENED] = [[number, *why] for number, why in kept] + [mine]
    return _order(
        client_id, Operation.OPEN, reason=reason, ticket_id=ticket_id, code=_text("code")[:64]
    )


@blp.post("/console/clients/<int:client_id>/files/close")
def close(client_id: int) -> ResponseReturnValue:
    """End the session."""
    answer = _order(client_id, Operation.CLOSE)
    session[_OPENED] = [[n, *why] for n, why in _opened().items() if n != client_id]
    return answer


@blp.get("/console/clients/<int:client_id>/files/list")
def list_(client_id: int) -> ResponseReturnValue:
    """List a directory."""
    return _order(client_id, Operation.LIST, path=_path("path", empty=True))


@blp.get("/console/clients/<int:client_id>/files/content")
def download(client_id: int) -> ResponseReturnValue:
    """Send a file, or the range of it that is asked for."""
    return _order(client_id, Operation.DOWNLOAD, path=_path("path"))


@blp.put("/console/clients/<int:client_id>/files/content")
def upload(client_id: int) -> ResponseReturnValue:
    """Take a file: the body of the request."""
    overwrite = request.args.get("overwrite") == "1"
    return _order(client_id, Operation.UPLOAD, path=_path("path"), overwrite=overwrite)


@blp.post("/console/clients/<int:client_id>/files/mkdir")
def mkdir(client_id: int) -> ResponseReturnValue:
    """Make a directory."""
    return _order(client_id, Operation.MKDIR, path=_path("path"))


@blp.post("/console/clients/<int:client_id>/files/rename")
def rename(client_id: int) -> ResponseReturnValue:
    """Rename or move a file or a directory."""
    return _order(client_id, Operation.RENAME, path=_path("path"), target=_path("target"))


@blp.post("/console/clients/<int:client_id>/files/delete")
def delete(client_id: int) -> ResponseReturnValue:
    """Delete a file, or a directory with everything in it."""
    return _order(client_id, Operation.DELETE, path=_path("path"))


def _order(client_id: int, operation: Operation, **more: Any) -> ResponseReturnValue:
    with rest.reading() as work:
        file_orders.require_host(work, client_id)
    if client_id not in _opened():
        raise Conflict("files.closed")
    scope = request.environ.get("asgi.scope")
    if scope is None:
        raise TremplinError("request.internal", request_id="-")
    reason, ticket_id = _opened()[client_id]
    order = FileOrder(
        actor=rest.current_actor(),
        client_id=client_id,
        operation=operation,
        language=i18n.language(),
        **{"reason": reason, "ticket_id": ticket_id, **more},
    )
    file_orders.leave(cast("dict[str, Any]", scope), order)
    return Response(status=204)


def is_opened(client_id: int) -> bool:
    """Return whether this browser has opened the files of a host."""
    return client_id in _opened()


def _opened() -> dict[int, tuple[str, str]]:
    """Return the hosts whose files were opened here, with reason and ticket id."""
    found = {}
    for number, reason, *more in session.get(_OPENED, ()):
        # A cookie from before there were ticket ids has none.
        found[int(number)] = (str(reason), str(more[0]) if more else "")
    return found


def _text(name: str) -> str:
    return str(request.form.get(name) or request.args.get(name, "")).strip()


def _path(name: str, *, empty: bool = False) -> bytes:
    """Return an absolute path of the host; Invalid when it is none."""
    path = unquote_to_bytes(_text(name))
    if not path and empty:
        return path
    if not path.startswith(b"/") or b"\0" in path or len(path) > MAX_PATH:
        raise Invalid({name: ["Not an absolute path."]})
    if any(len(part) > MAX_NAME for part in path.split(b"/")):
        raise Invalid({name: [f"Longer than maximum length {MAX_NAME}."]})
    return path

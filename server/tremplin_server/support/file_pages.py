"""The files of a customer's computer: the pages of a Jump Client's files, for a guest."""

from __future__ import annotations

from collections.abc import Callable

from flask import render_template, url_for
from flask.typing import ResponseReturnValue

from tremplin_server import pages, rest
from tremplin_server.sessions import file_pages, policy_gate
from tremplin_server.support import guests, service

blp = pages.blueprint("support_files", __name__)
blp.before_request(file_pages.same_site)


@blp.get("/console/support/<int:support_id>/files")
def index(support_id: int) -> ResponseReturnValue:
    """Show the files; the script asks for what is in them."""
    with rest.reading() as work:
        guest = guests.guest_of(service.get(work, support_id))

    def address(name: str) -> str:
        return url_for(f"support_files.{name}", support_id=support_id)

    opened = file_pages.is_opened(guest.id)
    return render_template(
        "sessions/files.html",
        client=guest,
        state="online",
        opened=opened,
        files_address=address,
        outlook=policy_gate.Outlook(),
    )


_VIEWS: tuple[tuple[str, str, Callable[[int], ResponseReturnValue]], ...] = (
    ("open", "POST", file_pages.open_),
    ("close", "POST", file_pages.close),
    ("list", "GET", file_pages.list_),
    ("content", "GET", file_pages.download),
    ("content", "PUT", file_pages.upload),
    ("mkdir", "POST", file_pages.mkdir),
    ("rename", "POST", file_pages.rename),
    ("delete", "POST", file_pages.delete),
)


def _of_guest(view: Callable[[int], ResponseReturnValue]) -> Callable[..., ResponseReturnValue]:
    def of_guest(support_id: int) -> ResponseReturnValue:
        return view(-support_id)

    return of_guest


for _name, _method, _view in _VIEWS:
    blp.add_url_rule(
        f"/console/support/<int:support_id>/files/{_name}",
        endpoint=_view.__name__,
        view_func=_of_guest(_view),
        methods=[_method],
    )

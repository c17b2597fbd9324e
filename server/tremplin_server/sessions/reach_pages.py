"""Downloads for technicians: known hosts and a configuration for their own ssh."""

from __future__ import annotations

from flask import Response

from tremplin_server import pages, rest
from tremplin_server.sessions import reach

blp = pages.blueprint("reach_pages", __name__)


def _file(content: str, name: str) -> Response:
    answer = Response(content, mimetype="text/plain")
    answer.headers["Content-Disposition"] = f"attachment; filename={name}"
    return answer


@blp.get("/console/keys/known_hosts")
def known_hosts() -> Response:
    """Return the host keys of everything that the reader can reach."""
    with rest.writing() as work:
        return _file(reach.known_hosts(work), "tremplin_known_hosts")


@blp.get("/console/keys/ssh_config")
def ssh_config() -> Response:
    """Return an ssh configuration for everything that the reader can reach."""
    with rest.writing() as work:
        return _file(reach.ssh_config(work, reach.Wishes(work.actor.name)), "tremplin_config")

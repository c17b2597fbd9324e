"""The pages behind an installer's link: what it is, and its download. Nobody signs in."""

from __future__ import annotations

from dataclasses import replace

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue

from tremplin_server import pages, rest
from tremplin_server.installers import links, service
from tremplin_server.installers.commands import commands
from tremplin_server.installers.payload import FILES
from tremplin_server.permissions import Actor, system_actor

blp = pages.blueprint("installer_links", __name__, signed_in=False)


def _visitor() -> Actor:
    return replace(system_actor("installer link"), source_ip=request.remote_addr or "")


@blp.get(f"{links.PREFIX}<installer_id>/<token>")
def show(installer_id: str, token: str) -> ResponseReturnValue:
    """Tell what to do with the installer."""
    with rest.current_database().work(_visitor(), read_only=True) as work:
        installer = links.follow(work, installer_id, token)
        state = service.state(work, installer)
        status = 200 if state == "valid" else 410
        # An MSI cannot have its key info inside: whoever has the link gets the command with it.
        bare = state == "valid" and FILES[installer.platform].endswith(".msi")
        said = commands(installer, key_info=service.key_info(work, installer) if bare else "")
        shown = {"installer": installer, "state": state, "commands": said}
        return render_template("installers/link.html", **shown), status


@blp.post(f"{links.PREFIX}<installer_id>/<token>")
def download(installer_id: str, token: str) -> ResponseReturnValue:
    """Answer the installer."""
    with rest.current_database().work(_visitor()) as work:
        return answer(links.download(work, installer_id, token))


def answer(found: service.Download) -> Response:
    """Return a download as an answer."""
    headers = {
        "Content-Disposition": f'attachment; filename="{found.filename}"',
        "Content-Length": str(found.size),
    }
    return Response(found.chunks, mimetype="application/octet-stream", headers=headers)

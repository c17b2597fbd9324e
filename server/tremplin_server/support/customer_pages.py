"""What a customer gets who has a session key: the client for his computer. Nobody signs in."""

from __future__ import annotations

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue
from tremplin_agent.wire import normal_key

from tremplin_server import pages, rest
from tremplin_server.i18n import gettext as _
from tremplin_server.installers.visitor import platform_of
from tremplin_server.permissions import Actor, ActorKind
from tremplin_server.support import downloads, keys

blp = pages.blueprint("support_customers", __name__, signed_in=False)


def _visitor() -> Actor:
    return Actor(ActorKind.SYSTEM, "customer", source_ip=request.remote_addr or "")


@blp.get(f"{keys.LINKS}<key>")
def join(key: str) -> ResponseReturnValue:
    """Tell how to come into the session of a key."""
    with rest.current_database().work(_visitor(), read_only=True) as work:
        downloads.require(work, key)
        has = downloads.platforms(work)
    own = platform_of(request.user_agent.string)
    names = [(value, _names()[value]) for value in has]
    command = f"sh {downloads.filename(own)}"
    return render_template(
        "support/join.html", platforms=names, platform=own, command=command
    )


@blp.post(f"{keys.LINKS}<key>")
def download(key: str) -> ResponseReturnValue:
    """Answer the client, with the key in it."""
    platform = request.form.get("platform", "")
    with rest.current_database().work(_visitor()) as work:
        found = downloads.download(work, normal_key(key), platform)
    headers = {
        "Content-Disposition": f'attachment; filename="{found.filename}"',
        "Content-Length": str(found.size),
    }
    return Response(found.chunks, mimetype="application/octet-stream", headers=headers)


def _names() -> dict[str, str]:
    return {
        "linux-64": _("Linux, Intel or AMD (x86-64)"),
        "linux-arm64": _("Linux, ARM (arm64)"),
    }

"""How an update of a Jump Client ended, as its agent tells."""

from __future__ import annotations

from datetime import timedelta

from tremplin_agent.codes import Code

from tremplin_server.audit import service as audit
from tremplin_server.clients.models import ClientUpdate, JumpClient, UpdateState
from tremplin_server.db import Work

ATTEMPTS = 3
"""How often the site's policy tries one version on one host."""
_PAUSES = (timedelta(hours=1), timedelta(hours=6))


def ended(work: Work, command_id: str, client_id: int, code: str = "", detail: str = "") -> None:
    """Note how an ordered update ended; code: empty when the new version is in.

    A payload that was replaced meanwhile is nobody's failure: the update is wanted anew.
    """
    row = work.session.get(ClientUpdate, client_id)
    if row is None or row.command_id != command_id or row.state != UpdateState.ORDERED:
        return
    row.changed_at = work.now()
    row.code, row.detail = code[:64], detail[:512]
    row.retry_at = None
    if code == Code.UPDATE_GONE:
        row.state = UpdateState.WANTED
    elif code:
        row.state = UpdateState.FAILED
        row.attempts += 1
        if row.attempts < ATTEMPTS:
            row.retry_at = work.now() + _PAUSES[row.attempts - 1]
    else:
        row.state, row.attempts = UpdateState.DONE, 0
        _tell(work, row)
    work.notify("client.changed", client_id=client_id, state="")


def _tell(work: Work, row: ClientUpdate) -> None:
    client = work.session.get(JumpClient, row.client_id)
    audit.record(
        work,
        "client.updated",
        "client",
        row.client_id,
        client.name if client is not None else "",
        before=row.from_version,
        now=row.version,
    )

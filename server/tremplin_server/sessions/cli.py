"""`tremplin session`."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import click

from tremplin_server.sessions import listing, recordings, service
from tremplin_server.sessions.models import Front, SessionState
from tremplin_server.sessions.proxy import proxy
from tremplin_server.sessions.schemas import SessionRecordingBody, shown
from tremplin_server.shell import Site, json_option, pass_site, show, show_one

_COLUMNS = ["id", "client_name", "user", "front", "state", "created_at", "end_code"]
_RECORDING_COLUMNS = ["number", "duration_seconds", "columns", "rows", "size", "stored_at"]
_NEWEST = 100


@click.group("session")
def session_group() -> None:
    """Sessions: who reaches which host, and what was recorded.

    \b
    tremplin session list --state open
    tremplin session end 0123456789abcdef0123456789abcdef --reason "maintenance"
    tremplin session recording 0123456789abcdef0123456789abcdef 1 > terminal.cast
    """


@session_group.command("list")
@click.option("--client", "client_id", type=int, help="Id of a Jump Client.")
@click.option("--state", type=click.Choice([state.value for state in SessionState]))
@click.option("--user", help="Name of the technician or API account.")
@click.option("--front", type=click.Choice([front.value for front in Front]))
@click.option("--limit", type=click.IntRange(1), default=_NEWEST, show_default=True)
@json_option
@pass_site
def list_sessions(site: Site, /, limit: int, as_json: bool, **wanted: str | int | None) -> None:
    """List the sessions, newest first."""
    with site.work(read_only=True) as work:
        found = listing.query(work, **wanted).limit(limit)  # type: ignore[arg-type]
        rows = [shown(session) for session in work.session.scalars(found)]
    show(rows, _COLUMNS, as_json=as_json)


@session_group.command("show")
@click.argument("session")
@json_option
@pass_site
def show_session(site: Site, session: str, as_json: bool) -> None:
    """Show a session."""
    with site.work(read_only=True) as work:
        row = shown(listing.get(work, session))
    show_one(row, as_json=as_json)


@session_group.command("end")
@click.argument("session")
@click.option("--reason", default="", help="Kept in the audit log.")
@pass_site
def end(site: Site, session: str, reason: str) -> None:
    """End a session, wherever it runs."""
    with site.work() as work:
        code = service.end(work, session, reason).end_code
    click.echo(f"session {session} is over ({code})")


@session_group.command("recording")
@click.argument("session")
@click.argument("number", type=int, required=False)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Not standard output."
)
@json_option
@pass_site
def recording(
    site: Site, session: str, number: int | None, output: Path | None, as_json: bool
) -> None:
    """List a session's recordings, or write one as asciicast v2."""
    if number is None:
        with site.work(read_only=True) as work:
            found = work.session.scalars(recordings.query(work, session))
            rows = [SessionRecordingBody().dump(one) for one in found]
        show(rows, _RECORDING_COLUMNS, as_json=as_json)
        return
    with site.work() as work:
        path = recordings.open_file(work, session, number)
    with (
        gzip.open(path, "rb") as packed,
        click.open_file(str(output or "-"), "wb") as target,
    ):
        shutil.copyfileobj(packed, target)


session_group.add_command(proxy)

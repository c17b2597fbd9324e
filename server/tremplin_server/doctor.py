"""`tremplin doctor`: looks at everything that a site needs, and says what is wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import click
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from tremplin_server import pki
from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.models import JumpClient, Tombstone, UnknownKey, Worker
from tremplin_server.config import Config
from tremplin_server.db import Work
from tremplin_server.errors import TremplinError
from tremplin_server.first_start import revisions
from tremplin_server.gateway.housekeeping import DEAD_AFTER
from tremplin_server.installers import payload
from tremplin_server.shell import Site, json_option, language, pass_site

EXPIRY_WARNING = timedelta(days=14)
DISK_WARNING = 1024**3
DISK_FAILURE = 100 * 1024**2
_LISTED = 20


class Verdict(StrEnum):
    """How a check ended. Only `failed` makes the command fail."""

    GOOD = "ok"
    NOTE = "note"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    check: str
    verdict: Verdict
    detail: str


Findings = Iterator[Finding]


@click.command("doctor")
@json_option
@pass_site
@click.pass_context
def doctor(ctx: click.Context, site: Site, as_json: bool) -> None:
    """Check this site; the exit status is 1 when a check failed.

    \b
    tremplin doctor
    tremplin doctor --json
    """
    found = list(examine(site))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in found], indent=2))
    else:
        for finding in found:
            click.echo(f"{finding.verdict.value:6}  {finding.check:14}  {finding.detail}")
    if any(finding.verdict is Verdict.FAILED for finding in found):
        ctx.exit(1)


def examine(site: Site) -> Findings:
    """Run every check that can run: one that fails does not hide the others."""
    try:
        config = site.config
    except TremplinError as error:
        yield Finding("configuration", Verdict.FAILED, error.text(language()))
        return
    yield Finding("configuration", Verdict.GOOD, f"data in {config.data_dir}")
    for check, look in (
        ("certificate", certificate),
        ("payloads", payloads),
        ("disk", disk),
    ):
        yield from _guarded(check, lambda look=look: look(config))  # type: ignore[misc]
    database = list(_guarded("database", lambda: migrated(site)))
    yield from database
    if any(finding.verdict is Verdict.FAILED for finding in database):
        return
    for check, ask in (("workers", workers), ("differences", differences)):
        yield from _guarded(check, lambda ask=ask: _asked(site, ask))  # type: ignore[misc]


def _guarded(check: str, look: Callable[[], Findings]) -> Findings:
    try:
        yield from look()
    except TremplinError as error:
        yield Finding(check, Verdict.FAILED, error.text(language()))
    except (SQLAlchemyError, OSError, ValueError) as error:
        yield Finding(check, Verdict.FAILED, str(error).strip().partition("\n")[0])


def _asked(site: Site, ask: Callable[[Work], Findings]) -> Findings:
    with site.work(read_only=True) as work:
        yield from list(ask(work))


def certificate(config: Config, now: datetime | None = None) -> Findings:
    """Check that the certificate stays good for a while, and show what agents pin."""
    if not config.tls:
        yield Finding("certificate", Verdict.NOTE, "TLS is off: a proxy in front must do it")
        return
    path = config.tls_certificate or config.data_dir / "tls" / "server.pem"
    if not path.exists() and config.tls_certificate is None:
        yield Finding("certificate", Verdict.NOTE, "none yet: the first start makes it")
        return
    if config.tls_certificate is not None:
        pki.site_pki(config)
    expires = pki.leaf(path).not_valid_after_utc
    left = expires - (now or datetime.now(UTC))
    if left <= timedelta():
        yield Finding("certificate", Verdict.FAILED, f"{path} expired on {expires:%Y-%m-%d}")
    elif left < EXPIRY_WARNING:
        yield Finding("certificate", Verdict.NOTE, f"{path} expires on {expires:%Y-%m-%d}")
    else:
        yield Finding("certificate", Verdict.GOOD, f"good until {expires:%Y-%m-%d}")
    pinned = pki.ca_pin(config).hex()
    if pinned:
        yield Finding("authority", Verdict.GOOD, f"ca_pin {pinned}")


def payloads(config: Config) -> Findings:
    """Check that installers can be downloaded for every platform."""
    there = {found.platform: found for found in payload.payloads(config)}
    for platform in payload.PLATFORMS:
        if platform in there:
            yield Finding("payloads", Verdict.GOOD, f"{platform} {there[platform].version}")
        else:
            missing = TremplinError("installer.payload_missing", platform=platform)
            # A site that manages one kind of host needs no other payload.
            verdict = Verdict.NOTE if there else Verdict.FAILED
            yield Finding("payloads", verdict, missing.text(language()))


def disk(config: Config) -> Findings:
    """Check that the data directory has room left."""
    directory = next(p for p in (config.data_dir, *config.data_dir.parents) if p.exists())
    free = shutil.disk_usage(directory).free
    verdict = Verdict.GOOD if free >= DISK_WARNING else Verdict.NOTE
    if free < DISK_FAILURE:
        verdict = Verdict.FAILED
    yield Finding("disk", verdict, f"{free // 1024**2} MiB free in {directory}")


def migrated(site: Site) -> Findings:
    """Check that the database answers and has this program's tables."""
    assert site.database is not None, "raises when it is not initialised"
    found = revisions(site.database.engine)
    if found.current != found.newest:
        raise TremplinError(
            "server.not_migrated", current=found.current or "-", newest=found.newest or "-"
        )
    yield Finding("database", Verdict.GOOD, f"at revision {found.current}")


def workers(work: Work) -> Findings:
    """Check that somebody serves, and that nobody who died still counts."""
    alive_since = work.now() - DEAD_AFTER
    alive = work.session.scalars(select(Worker).where(Worker.heartbeat_at >= alive_since)).all()
    dead = work.session.scalars(select(Worker).where(Worker.heartbeat_at < alive_since)).all()
    names = ", ".join(f"{worker.host} ({worker.pid})" for worker in alive)
    yield Finding(
        "workers", Verdict.GOOD if alive else Verdict.NOTE, names or "the server does not run"
    )
    for worker in dead:
        since = f"{worker.heartbeat_at:%Y-%m-%d %H:%M:%S}"
        detail = f"{worker.host} ({worker.pid}) has given no sign since {since} UTC"
        yield Finding("workers", Verdict.NOTE, detail)


def differences(work: Work) -> Findings:
    """List where hosts and records are not in step, or not yet."""
    nothing = True
    for text, query in _DIFFERENCES.items():
        count = work.session.scalar(select(func.count()).select_from(query.subquery())) or 0
        if count:
            nothing = False
            names = [str(name) for name in work.session.scalars(query.limit(_LISTED))]
            more = ", …" if count > len(names) else ""
            detail = f"{count} {text}: {', '.join(names)}{more}"
            yield Finding("differences", Verdict.NOTE, detail)
    if nothing:
        yield Finding("differences", Verdict.GOOD, "hosts and records are in step")


_DIFFERENCES = {
    "deleted, their hosts not heard of since": select(Tombstone.name).where(
        Tombstone.closed_at.is_(None)
    ),
    "ordered to uninstall, not yet confirmed": select(JumpClient.name).where(
        JumpClient.state == State.REMOVING
    ),
    "enrolled, never seen online": select(JumpClient.name).where(JumpClient.state == State.PENDING),
    "gone from their hosts, records kept": select(JumpClient.name).where(
        JumpClient.state == State.UNINSTALLED
    ),
    "agents whose key no record has": select(UnknownKey.client_id),
}

"""What a state means and what can be done about it, in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from flask_babel import format_date, format_timedelta

from tremplin_server.clients import versions
from tremplin_server.clients.lifecycle import offline_limit_minutes
from tremplin_server.clients.models import ClientUpdate, JumpClient, UpdateState
from tremplin_server.db import Work
from tremplin_server.errors import Conflict
from tremplin_server.i18n import gettext as _
from tremplin_server.i18n import language
from tremplin_server.jump_items.sources import Item
from tremplin_server.updates import service as updates
from tremplin_server.updates.pages import reason


@dataclass(frozen=True, slots=True)
class Advice:
    """kind: warning, danger or info. command: what to run on the host; empty for nothing."""

    kind: str
    text: str
    command: str = ""


def advice(work: Work, item: Item, client: JumpClient) -> list[Advice]:
    """Return what to tell about a Jump Client; nothing when all is well."""
    made = _of_state(work, item.state, client)
    if item.outdated:
        made.append(_of_version(work, client))
    return made


def _of_version(work: Work, client: JumpClient) -> Advice:
    """Say what is wrong with the version, and what can be done or is being done about it."""
    text = _(
        "Its agent is version %(version)s; it should have %(current)s.",
        version=client.agent_version,
        current=versions.expected(work, client),
    )
    update = work.session.get(ClientUpdate, client.id)
    if update is not None and update.state in (UpdateState.WANTED, UpdateState.ORDERED):
        return Advice("info", text + " " + _("Its update is on its way."))
    failed = ""
    if update is not None and update.state == UpdateState.FAILED:
        failed = " " + _("The last update failed: %(reason)s.", reason=reason(update.code))
    try:
        updates.possible(work, client)
    except Conflict as error:
        return Advice("warning", f"{text}{failed} {error.text(language())}.")
    return Advice("warning", text + failed + " " + _("“Update now” orders its update."))


def _of_state(work: Work, state: str, client: JumpClient) -> list[Advice]:
    if state == "resting":
        ago = format_timedelta(work.now() - (client.last_seen or client.created_at))
        text = _("Passive: it checked in %(ago)s ago, and is woken when a session starts.", ago=ago)
        return [Advice("info", text), *_deafness(client)]
    program = f"{client.install_dir}/init-script" if client.install_dir else ""
    if state == "offline":
        text = _("It is not connected and comes back by itself once the host reaches this server.")
        return [Advice("info", text, f"{program} status" if program else "")]
    if state == "lost":
        text = _("Nothing was heard of it for a long time.") + " " + _leaves(work, client)
        return [Advice("danger", text, f"{program} start" if program else "")]
    if state == "disabled":
        text = _("Somebody switched it off on the host; it can be switched on there.")
        return [Advice("warning", text, f"{program} enable" if program else "")]
    texts = {
        "uninstalled": (
            "info",
            _("The agent is gone from the host. Delete the record, or install it again."),
        ),
        "removing": ("warning", _("The host was told to uninstall; it obeys at its next contact.")),
        "pending": ("info", _("It has enrolled and was not connected yet.")),
    }
    return [Advice(*texts[state])] if state in texts else []


def _deafness(client: JumpClient) -> list[Advice]:
    """Return why a passive client cannot be woken, if it cannot."""
    listening = client.listening or {}
    if listening.get("port"):
        return []
    fault = listening.get("fault") or _("it has not said yet where it listens")
    return [Advice("warning", _("It cannot be woken: %(fault)s.", fault=fault))]


def _leaves(work: Work, client: JumpClient) -> str:
    minutes = offline_limit_minutes(
        work.config.delete_days,
        max_offline_minutes=client.max_offline_minutes,
        ephemeral=client.ephemeral,
        pinned_forever=client.pinned_forever,
    )
    if not minutes or client.last_seen is None:
        return str(_("Delete it if the host is gone for good."))
    day = format_date(client.last_seen + timedelta(minutes=minutes))
    text = _("Delete it if the host is gone for good; it leaves by itself on %(day)s.", day=day)
    return str(text)

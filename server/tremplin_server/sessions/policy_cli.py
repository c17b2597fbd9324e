"""`tremplin jump-policy` and `tremplin approval`."""

from __future__ import annotations

import re
from typing import Any

import click

from tremplin_server.accounts import service as accounts
from tremplin_server.db import Work
from tremplin_server.errors import NotFound
from tremplin_server.permissions import Role
from tremplin_server.policies import changes, service
from tremplin_server.policies.models import JumpPolicy
from tremplin_server.policies.schemas import JumpPolicyBody
from tremplin_server.sessions import approvals
from tremplin_server.sessions.approval_schemas import STATES, ApprovalBody, shown
from tremplin_server.shell import Site, json_option, pass_site, show, show_one

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ROW = re.compile(r"([a-z]{3}) (\d\d:\d\d)-(?:([a-z]{3}) )?(\d\d:\d\d)", re.IGNORECASE)


@click.group("jump-policy")
def jump_policy_group() -> None:
    """Jump Policies: when a Jump Item may be used, and what a technician must bring.

    Whatever is not given is not asked for. A Jump Item is given its policy on its page or
    through the API (jump_policy_id).

    \b
    tremplin jump-policy add "Office hours" --schedule "mon 08:00-mon 18:00" \\
        --schedule "tue 08:00-18:00" --timezone Europe/Paris --strict
    tremplin jump-policy add Careful --ticket-id --approver zoe --approver-role administrator
    tremplin jump-policy list
    """


def _entry(text: str) -> dict[str, Any]:
    """Return a row of a schedule as the API has it; UsageError when it is none."""
    found = _ROW.fullmatch(text.strip())
    days = [day.lower() for day in (found[1], found[3] or found[1])] if found else []
    if found is None or not all(day in DAYS for day in days):
        hint = "a row is written as 'mon 08:00-mon 18:00'; days: " + ", ".join(DAYS)
        raise click.UsageError(f"{text}: {hint}")
    start, end = (DAYS.index(day) for day in days)
    return {"start_day": start, "start_time": found[2], "end_day": end, "end_time": found[4]}


def _named(work: Work, text: str) -> JumpPolicy:
    """Return the policy whose id or code name is `text`."""
    if text.isdecimal() and len(text) < 10:
        return changes.get(work, JumpPolicy, int(text))
    found = work.session.scalar(service.jump_policies(code_name=text))
    if found is None:
        raise NotFound("request.not_found", what="Jump Policy", id=text)
    return found


def _body(policy: JumpPolicy) -> dict[str, Any]:
    return dict(JumpPolicyBody().dump(policy))


def _asks(policy: JumpPolicy) -> str:
    """Return in a few words what a policy asks for."""
    asked = {
        "schedule": policy.schedule_enabled,
        "reason": policy.reason_required,
        "ticket id": policy.ticket_id_required,
        "second factor": policy.two_factor_challenge_required,
        "approval": policy.approval_required,
        f"at most {policy.max_session_minutes} min": policy.max_session_minutes,
    }
    return ", ".join(word for word, wanted in asked.items() if wanted) or "nothing"


@jump_policy_group.command("list")
@json_option
@pass_site
def list_policies(site: Site, as_json: bool) -> None:
    """List the Jump Policies and what they ask for."""
    with site.work(read_only=True) as work:
        found = work.session.scalars(service.jump_policies()).all()
        rows = [{**_body(policy), "asks_for": _asks(policy)} for policy in found]
    show(rows, ["id", "code_name", "display_name", "asks_for"], as_json=as_json)


@jump_policy_group.command("show")
@click.argument("policy")
@json_option
@pass_site
def show_policy(site: Site, policy: str, as_json: bool) -> None:
    """Show a Jump Policy, by id or code name."""
    with site.work(read_only=True) as work:
        body = _body(_named(work, policy))
    if not as_json:
        schedule = body.pop("schedule")
        rows = [
            f"{DAYS[e['start_day']]} {e['start_time']}-{DAYS[e['end_day']]} {e['end_time']}"
            for e in schedule["entries"]
        ]
        body = {**body, "timezone": schedule["timezone"], "schedule": "; ".join(rows)}
    show_one(body, as_json=as_json)


@jump_policy_group.command("add")
@click.argument("name")
@click.option("--code-name", help="Letters, digits, - and _; made of the name when not given.")
@click.option("--description", default="")
@click.option("--schedule", "rows", multiple=True, help="'mon 08:00-mon 18:00'; many times.")
@click.option("--timezone", default="UTC", show_default=True, help="As Europe/Paris.")
@click.option("--strict", is_flag=True, help="The end of an opening ends running sessions.")
@click.option("--reason", is_flag=True, help="A reason is required.")
@click.option("--ticket-id", is_flag=True, help="A ticket id is required.")
@click.option("--second-factor", is_flag=True, help="The second factor is asked again.")
@click.option("--approver", multiple=True, metavar="USERNAME", help="Wants an approval by them.")
@click.option("--approver-role", multiple=True, type=click.Choice([r.value for r in Role]))
@click.option("--max-session-minutes", type=click.IntRange(0), default=0, help="0: the site's.")
@click.option("--notify", "notify_recipients", default="", help="Addresses, with commas.")
@json_option
@pass_site
def add_policy(
    site: Site,
    /,
    name: str,
    rows: tuple[str, ...],
    strict: bool,
    reason: bool,
    ticket_id: bool,
    second_factor: bool,
    approver: tuple[str, ...],
    approver_role: tuple[str, ...],
    code_name: str | None,
    as_json: bool,
    **plain: Any,
) -> None:
    """Add a Jump Policy."""
    values = {
        **plain,
        **({"code_name": code_name} if code_name else {}),
        "display_name": name,
        "schedule_entries": [_entry(row) for row in rows],
        "schedule_strict": strict,
        "reason_required": reason,
        "ticket_id_required": ticket_id,
        "two_factor_challenge_required": second_factor,
        "approval_required": bool(approver or approver_role),
        "approver_roles": list(approver_role),
    }
    with site.work() as work:
        values["approver_user_ids"] = [accounts.named(work, one).id for one in approver]
        made = changes.create(work, JumpPolicy, values)
        body = _body(made)
    if as_json:
        show_one(body, as_json=True)
    else:
        click.echo(f"Jump Policy {made.display_name} added with id {made.id}: {_asks(made)}")


@jump_policy_group.command("delete")
@click.argument("policy")
@pass_site
def delete_policy(site: Site, policy: str) -> None:
    """Delete a Jump Policy that nothing refers to, by id or code name."""
    with site.work() as work:
        changes.delete(work, JumpPolicy, _named(work, policy).id)
    click.echo(f"Jump Policy {policy} deleted")


@click.group("approval")
def approval_group() -> None:
    """Requests to start a session, for Jump Policies that want an approval.

    \b
    tremplin approval list --state pending
    tremplin approval approve 12 --comment "until noon"
    tremplin approval deny 12 --comment "ask the owner first"
    """


@approval_group.command("list")
@click.option("--state", type=click.Choice(sorted(set(STATES))))
@json_option
@pass_site
def list_approvals(site: Site, state: str | None, as_json: bool) -> None:
    """List the requests, newest first."""
    with site.work(read_only=True) as work:
        found = work.session.scalars(approvals.query(work, state=state)).all()
        rows = [dict(ApprovalBody().dump(shown(one, work.now()))) for one in found]
    columns = ["id", "state", "requester", "item_name", "policy_name", "reason", "expires_at"]
    show(rows, columns, as_json=as_json)


@approval_group.command("approve")
@click.argument("number", type=click.IntRange(1))
@click.option("--comment", default="", help="Told to whoever asked.")
@pass_site
def approve(site: Site, number: int, comment: str) -> None:
    """Approve a request: sessions may start for as long as its policy says."""
    with site.work() as work:
        found = shown(approvals.approve(work, number, comment), work.now())
    until = ApprovalBody().dump(found)["valid_until"]
    click.echo(f"approved: {found['requester']} may start sessions on {found['item_name']}")
    click.echo(f"until {until}")


@approval_group.command("deny")
@click.argument("number", type=click.IntRange(1))
@click.option("--comment", default="", help="Told to whoever asked.")
@pass_site
def deny(site: Site, number: int, comment: str) -> None:
    """Deny a request."""
    with site.work() as work:
        found = approvals.deny(work, number, comment)
    click.echo(f"denied: {found.requester} on {found.item_name}")

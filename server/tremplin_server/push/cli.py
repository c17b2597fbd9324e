"""`tremplin push`: options, passwords, and the summary."""

from __future__ import annotations

import os
import posixpath
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
from tremplin_agent.parameters import PARAMETERS, Kind, Parameter, check

from tremplin_server.installers import payload as payloads
from tremplin_server.push import host, progress, words
from tremplin_server.push.host import Job, Order, Report
from tremplin_server.push.plan import Wanted
from tremplin_server.push.site import Site as PushSite
from tremplin_server.push.ssh import KNOWN_HOSTS, Access, Target
from tremplin_server.shell import Site, json_option, language, pass_site, show

FAILED_EXIT_STATUS = 9
PASSWORD_VARIABLE = "PUSH_PASSWORD"  # noqa: S105 - the name of a variable
SUDO_PASSWORD_VARIABLE = "PUSH_SUDO_PASSWORD"  # noqa: S105 - the name of a variable
COLUMNS = ("host", "result", "client", "state", "detail")
NOT_FOR_A_PUSH = ("key_info",)
LAYOUT = ("install_dir", "user", "scope", "startup")

_existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)


def parameter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for each installer parameter that a push can set, from the table."""
    for parameter in reversed(PARAMETERS):
        if parameter.name not in NOT_FOR_A_PUSH:
            command = _option(parameter)(command)
    return command


def _option(parameter: Parameter) -> Callable[..., Any]:
    names = [parameter.flag]
    if parameter.name == "jc_external_id":
        names.append("--external-id")
    if parameter.kind is Kind.SWITCH:
        both = f"{parameter.flag}/--no-{parameter.flag[2:]}"
        default = True if parameter.name == "online_install" else None
        return click.option(both, parameter.name, default=default, help=parameter.help)
    kind = click.Choice(parameter.choices) if parameter.kind is Kind.CHOICE else click.STRING
    return click.option(
        *names,
        parameter.name,
        type=kind,
        metavar=parameter.metavar or None,
        callback=partial(_checked, parameter),
        help=parameter.help,
    )


def _checked(parameter: Parameter, _context: Any, _option: Any, value: Any) -> Any:
    if value is None:
        return None
    try:
        good = check(parameter, value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if parameter.kind is not Kind.PATH:
        return good
    if not good.startswith("/"):
        raise click.BadParameter("must be an absolute path")
    return posixpath.normpath(good)


@click.command("push")
@click.argument("hosts", nargs=-1, required=True, metavar="[USER@]HOST[:PORT]...")
@click.option("--user-name", "-l", "login", help="User to connect as, where a host names none.")
@click.option("--port", default=22, show_default=True, type=click.IntRange(1, 65535))
@click.option("--key-file", "-i", type=_existing_file, help="Private key to connect with.")
@click.option("--passphrase-file", type=_existing_file, help="Passphrase of the private key.")
@click.option(
    "--password-file", type=_existing_file, help=f"Password; {PASSWORD_VARIABLE} holds it as well."
)
@click.option("--ask-password", "-k", is_flag=True, help="Ask for the password.")
@click.option("--no-agent", is_flag=True, help="Use neither the SSH agent nor the usual keys.")
@click.option("--sudo", is_flag=True, help="Become root with sudo on the hosts.")
@click.option(
    "--sudo-password-file",
    type=_existing_file,
    help=f"Password for sudo; {SUDO_PASSWORD_VARIABLE} holds it as well; else the other one.",
)
@click.option("--ask-sudo-password", "-K", is_flag=True, help="Ask for the password for sudo.")
@click.option(
    "--host-key-file",
    type=_existing_file,
    multiple=True,
    help="known_hosts file to check host keys with, instead of the usual ones.",
)
@click.option(
    "--accept-fingerprint",
    multiple=True,
    metavar="SHA256:...",
    help="Fingerprint of a host key that is not in known_hosts yet.",
)
@parameter_options
@click.option("--remove", is_flag=True, help="Uninstall on the hosts and delete the records.")
@click.option("--reason", default="tremplin push", help="Kept in the audit log.")
@click.option("--parallel", "-p", default=4, show_default=True, type=click.IntRange(1, 64))
@click.option(
    "--wait",
    default=60,
    show_default=True,
    type=click.IntRange(1, 3600),
    help="Seconds that a Jump Client may take to be online.",
)
@json_option
@pass_site
def push(site: Site, /, hosts: tuple[str, ...], as_json: bool, parallel: int, **given: Any) -> None:
    """Install Jump Clients on hosts over SSH, or change or remove them.

    A second push of the same changes nothing. The name of a host as given is the declared
    key of its record, unless --external-id says another.

    \b
    tremplin push web1 web2 -l root --user svc --jc-jump-group jumpgroup:web
    tremplin push ops@10.0.0.7 --sudo --scope system --jc-tag db
    tremplin push web1 -l root --remove --reason "out of service"
    """
    jobs = _jobs(hosts, given)
    access = _access(given)
    with site.work(read_only=True) as work:
        halves = PushSite(site.database, work.actor)
    order = _order(site, halves, given)
    spoken = language()
    reports = progress.run(
        jobs,
        lambda job, say: host.push(job, order, access, halves, say),
        progress.display([job.name for job in jobs], spoken),
        parallel=parallel,
        language=spoken,
    )
    show([_row(report, spoken) for report in reports], COLUMNS, as_json=as_json)
    if not all(report.ok for report in reports):
        sys.exit(FAILED_EXIT_STATUS)


def _jobs(hosts: tuple[str, ...], given: dict[str, Any]) -> list[Job]:
    if len(set(hosts)) > 1:
        for name in ("jc_external_id", "jc_name"):
            if given[name] is not None:
                raise click.UsageError(f"--{name.replace('_', '-')} fits one host only")
    jobs = []
    for text in dict.fromkeys(hosts):
        try:
            target = Target.parse(text, port=given["port"], user=given["login"])
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        jobs.append(Job(text, given["jc_external_id"] or target.host, target))
    return jobs


def _access(given: dict[str, Any]) -> Access:
    password = _password(given, "password", PASSWORD_VARIABLE, "Password")
    sudo = _password(given, "sudo_password", SUDO_PASSWORD_VARIABLE, "Password for sudo")
    phrase = given["passphrase_file"]
    return Access(
        key_file=given["key_file"],
        password=password,
        passphrase=_first_line(phrase) if phrase else None,
        agent=not given["no_agent"],
        host_key_files=given["host_key_file"] or KNOWN_HOSTS,
        accepted_fingerprints=given["accept_fingerprint"],
        sudo=given["sudo"],
        sudo_password=sudo if sudo is not None else password,
    )


def _password(given: dict[str, Any], name: str, variable: str, prompt: str) -> str | None:
    if given[f"ask_{name}"]:
        return str(click.prompt(prompt, hide_input=True, err=True))
    if given[f"{name}_file"]:
        return _first_line(given[f"{name}_file"])
    return os.environ.get(variable)


def _first_line(path: Path) -> str:
    return path.read_text("utf-8").partition("\n")[0].rstrip("\r")


def _order(site: Site, halves: PushSite, given: dict[str, Any]) -> Order:
    properties = {
        parameter.wire_name: given[parameter.name]
        for parameter in PARAMETERS
        if parameter.override
        and given.get(parameter.name) is not None
        # The declared key is what a host is found by; it is no property to change.
        and parameter.name != "jc_external_id"
    }
    wanted = Wanted(**{name: given[name] for name in LAYOUT}, properties=halves.columns(properties))
    return Order(
        wanted=wanted,
        payload=partial(payloads.payload, site.config),
        online_install=bool(given["online_install"]),
        remove=given["remove"],
        reason=given["reason"],
        wait_seconds=given["wait"],
    )


def _row(report: Report, spoken: str) -> dict[str, Any]:
    error = report.error
    return {
        "host": report.host,
        "result": report.outcome.value,
        "changed": report.changed,
        "client": report.client_id,
        "state": report.state,
        "code": error.code if error else "",
        "detail": error.text(spoken) if error else words.reason(report.reason, spoken),
    }

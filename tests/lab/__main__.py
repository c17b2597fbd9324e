"""The command `python -m tests.lab`: the lab by hand, and for molecule."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from tests.lab import salt_trees, scenarios, support
from tests.lab.bases import Bases
from tests.lab.host import Host
from tests.lab.lab import CACHE, RUN_VARIABLE, Lab, sweep
from tests.lab.recipes import RECIPES
from tests.lab.site import Site

EPILOG = f"""\
examples:
  python -m tests.lab bases                        build every base system (cached)
  python -m tests.lab salt                         fetch Salt for their Pythons (cached)
  python -m tests.lab up web1 --base trixie-systemd
  python -m tests.lab exec web1 'systemctl status' as root, without the network
  python -m tests.lab ssh web1                     as the user deploy, who has sudo
  python -m tests.lab reboot web1                  returns when another boot answers
  python -m tests.lab powercut web1 ; python -m tests.lab start web1
  python -m tests.lab cable web1 cut               … and `mend`
  python -m tests.lab inventory > hosts.json       for ansible-playbook -i
  python -m tests.lab server start                 at 10.77.0.1:8443 in the lab's network
  ip netns exec lab0 curl -k https://10.77.0.1:8443/
  python -m tests.lab molecule present             one scenario, server included
  python -m tests.lab down --all

Hosts are {{10.77.0.11, …}} on a network without any uplink; {RUN_VARIABLE}=name makes a
second lab beside the first. Users inside: root, deploy (sudo) and plain (no sudo).
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit status."""
    chosen = _parser().parse_args(arguments)
    missing = support.missing()
    if missing:
        print(f"lab: not possible here: {'; '.join(missing)}", file=sys.stderr)
        return 2
    try:
        return int(chosen.act(chosen) or 0)
    except (AssertionError, KeyError, RuntimeError, TimeoutError) as error:
        print(f"lab: {error.args[0] if error.args else error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab",
        description="Throw-away Linux hosts with their own init, network, users and sshd.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, act: object, text: str, *, host: str = "") -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(act=act)
        if host:
            sub.add_argument("name", metavar="NAME", nargs=host if host != "1" else None)
        return sub

    bases = command("bases", _bases, "build base systems, or show that they are there")
    bases.add_argument("names", metavar="BASE", nargs="*", help=", ".join(RECIPES))
    command("salt", _salt, "make what the hosts' tests need of Salt, or show that it is there")
    up = command("up", _up, "make hosts and wait until one can sign in", host="+")
    up.add_argument("--base", choices=list(RECIPES), default="bookworm-systemd")
    up.add_argument("--nat", action="store_true", help="behind a router: can only dial out")
    up.add_argument("--only-port", type=int, help="can dial nothing but this TCP port")
    down = command("down", _down, "remove hosts and all that was made for them", host="*")
    down.add_argument("--all", action="store_true", help="the whole run, its network included")
    command("list", _list, "show the hosts of this run")
    command("inventory", _inventory, "print an Ansible inventory of the run, as JSON", host="*")
    execute = command("exec", _exec, "run a shell command inside, without the network", host="1")
    execute.add_argument("--user", default="root")
    execute.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")
    ssh = command("ssh", _ssh, "open a shell inside through ssh", host="1")
    ssh.add_argument("--user", default="deploy")
    ssh.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")
    command("reboot", lambda c: _host(c).reboot(), "reboot and wait for the new boot", host="1")
    command("poweroff", lambda c: _host(c).power_off(), "shut down in good order", host="1")
    command("powercut", lambda c: _host(c).power_cut(), "pull the plug", host="1")
    command("start", _start, "switch a host on and wait until one can sign in", host="1")
    cable = command("cable", _cable, "cut or mend the network cable of a host", host="1")
    cable.add_argument("what", choices=("cut", "mend"))
    server = command("server", _server, "the server under test, at 10.77.0.1:8443 in the lab")
    server.add_argument("what", choices=("start", "stop", "kill", "log", "credentials"))
    molecule = command("molecule", _molecule, "run a molecule scenario of the collection")
    molecule.add_argument("scenario", choices=scenarios.names())
    molecule.add_argument("action", nargs="?", default="test", help="test, converge, verify, …")
    clear = command("sweep", _sweep, "remove what dead runs left behind")
    clear.add_argument("--all", action="store_true", help="every run of this machine")
    return parser


def _host(chosen: argparse.Namespace) -> Host:
    return Lab().host(chosen.name)


def _bases(chosen: argparse.Namespace) -> None:
    bases = Bases(CACHE / "bases", _say)
    bases.build(chosen.names or RECIPES)
    for name in chosen.names or RECIPES:
        print(f"{name:18} {bases.tree(name)}")


def _salt(_chosen: argparse.Namespace) -> None:
    for place in salt_trees.prepare():
        print(place)


def _up(chosen: argparse.Namespace) -> None:
    lab = Lab()
    hosts = [lab.create(name, chosen.base, nat=chosen.nat) for name in chosen.name]
    for host in hosts:
        if chosen.only_port:
            host.only_port(chosen.only_port)
        host.power_on()
    for host in hosts:
        host.wait_ssh()
        print(f"{host.name}  {host.address}  {host.entry.base}")


def _down(chosen: argparse.Namespace) -> None:
    lab = Lab()
    for name in chosen.name:
        lab.down(name)
    if chosen.all:
        lab.close()


def _list(chosen: argparse.Namespace) -> None:
    for host in Lab().hosts():
        power = "on" if host.powered else "off"
        place = "behind a router" if host.entry.nat else "in the lab"
        print(f"{host.name:16} {host.address:14} {host.entry.base:18} {power:4} {place}")


def _inventory(chosen: argparse.Namespace) -> None:
    lab = Lab()
    hosts = [h for h in lab.hosts() if not chosen.name or h.name in chosen.name]
    print(json.dumps(lab.inventory(hosts), indent=2))


def _exec(chosen: argparse.Namespace) -> int:
    done = _host(chosen).run(" ".join(chosen.command), chosen.user)
    sys.stdout.write(done.out)
    sys.stderr.write(done.err)
    return int(done.status)


def _ssh(chosen: argparse.Namespace) -> None:
    command = _host(chosen).ssh_command(chosen.user)
    os.execv(command[0], [*command, *chosen.command])


def _start(chosen: argparse.Namespace) -> None:
    host = _host(chosen)
    host.power_on()
    host.wait_ssh()


def _cable(chosen: argparse.Namespace) -> None:
    host = _host(chosen)
    host.cut_cable() if chosen.what == "cut" else host.mend_cable()


def _server(chosen: argparse.Namespace) -> None:
    lab = Lab()
    lab.open()
    site = Site(lab)
    if chosen.what == "credentials":
        print(json.dumps(site.credentials()))
    elif chosen.what == "log":
        print(site.log_end())
    else:
        {"start": site.start, "stop": site.stop, "kill": site.kill}[chosen.what]()


def _molecule(chosen: argparse.Namespace) -> None:
    lab = Lab()
    lab.open()
    site = Site(lab)
    site.start()
    scenarios.replace_this_process(lab, site, chosen.scenario, chosen.action)


def _sweep(chosen: argparse.Namespace) -> None:
    for run in sweep(everything=chosen.all):
        print(f"lab: removed run {run}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""Support sessions on real hosts: real sudo, services that boot, and two users of one host."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.console import Console
from tests.customer import stamped
from tests.lab import network
from tests.lab.api import Api, Record
from tests.lab.conftest import HostFactory
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.lab.site import PORT, Site
from tests.lab.technician import PASSWORD, Terminal
from tests.lab.wait import until

SUDO_PASSWORD = "one two three"
GRANTS = 3


@dataclass
class LabServer:
    """The lab's server as a console finds it."""

    ca_path: Path
    namespace: str
    port: int = PORT
    base_url: str = field(default=f"https://{network.SERVER_ADDRESS}:{PORT}")


class LabConsole(Console):
    """A browser in the lab's network."""

    def begin(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[http.client.HTTPSConnection, http.client.HTTPResponse]:
        """Send a request from inside the lab."""
        assert isinstance(self.server, LabServer)
        with network.entered(self.server.namespace):
            return super().begin(method, path, body, headers)


@pytest.fixture(scope="module")
def admin(lab: Lab, lab_server: Site, tmp_path_factory: pytest.TempPathFactory) -> LabConsole:
    """The administrator's browser: he may pin anywhere."""
    file = tmp_path_factory.mktemp("support") / "password"
    file.write_text(PASSWORD)
    words = ("--role", "administrator", "--password-file", str(file))
    lab_server.command("user", "add", "helper", *words)
    server = LabServer(lab_server.ca, lab.namespace)
    return LabConsole.of(server, "helper", PASSWORD, network.SERVER_ADDRESS)


@dataclass
class Case:
    """A support session: its number, and the customer's terminal."""

    api: Api
    admin: LabConsole
    number: int
    terminal: Terminal

    @property
    def path(self) -> str:
        return f"/console/support/{self.number}"

    def state(self) -> str:
        return str(self.api.call("GET", f"/support-session/{self.number}")["state"])

    def pin(self) -> str:
        """Ask to attach the computer; the page that follows."""
        groups = self.api.call("GET", "/jump-group", code_name="lab")
        asked = {"jump_group": f"shared:{groups[0]['id']}", "tag": "", "name": "", "comments": ""}
        assert self.admin.post(f"{self.path}/pin", **asked).status == 302
        return self.admin.get(self.path).body.decode()

    def attached(self) -> bool:
        side = self.admin.get(f"{self.path}/side").body.decode()
        found = re.search(r'<dd id="pin-state">(.*?)</dd>', side)
        return bool(found) and "Attached" in str(found and found.group(1))

    def agree(self, what: str) -> None:
        """The customer says yes to what he is asked."""
        self.terminal.expect(what)
        self.terminal.expect(r"\[y/N\]")
        self.terminal.type("y\r")

    def attach(self) -> None:
        """Pin, agreed to."""
        page = self.pin()
        assert "already" not in page
        self.agree("wants to install a Jump Client")
        self.terminal.expect("The Jump Client is installed")
        until(self.attached, "the Jump Client")

    def end(self) -> None:
        """The customer ends it, and nothing of the client is left."""
        self.terminal.type("/end\r")
        self.terminal.expect("Nothing of it is left")
        assert self.terminal.status() == 0


Attend = Callable[[Host, str], Case]


@pytest.fixture
def attend(api: Api, admin: LabConsole) -> Iterator[Attend]:
    """Begin a session with a customer on a host, who allows everything."""
    made: list[Terminal] = []

    def begin(host: Host, user: str) -> Case:
        session = api.call("POST", "/support-session", {})
        program = f"/srv/support-{session['id']}.bin"
        host.put(stamped(admin.server, session["session_key"]), program)
        *ssh, where = host.ssh_command(user)
        terminal = Terminal([*ssh, "-tt", where, f"sh {program}"], 24, 200)
        made.append(terminal)
        case = Case(api, admin, session["id"], terminal)
        terminal.expect("in the queue")
        until(lambda: case.state() == "waiting", "the customer in the queue")
        assert admin.post(f"{case.path}/take").status == 302
        for _ in range(GRANTS):
            case.agree("Allow")
        until(lambda: case.state() == "active", "his answer")
        return case

    yield begin
    for terminal in made:
        terminal.close()


def person(host: Host, name: str, *, sudo: bool = False) -> None:
    """Add a user of the host, with a password for sudo."""
    host.run(f"useradd -m -s /bin/bash {name} && echo {name}:{SUDO_PASSWORD} | chpasswd").checked()
    if sudo:
        host.run(f"usermod -aG sudo {name}").checked()


def records(api: Api, host: Host) -> list[Record]:
    return api.clients(hostname=host.name)


def test_with_the_administrators_rights_it_becomes_a_service_that_boots(
    host: HostFactory, api: Api, attend: Attend
) -> None:
    here = host()
    person(here, "carla", sudo=True)
    person(here, "dora")
    case = attend(here, "carla")
    for password, outcome in (("wrong", "were not given"), (SUDO_PASSWORD, "rights now")):
        assert case.admin.post(f"{case.path}/elevate").status == 302
        case.agree("administrator's rights on this computer")
        case.terminal.expect("password for carla:")
        if password == "wrong":
            # Ctrl-C after a wrong one: sudo gives up, and the session goes on without.
            case.terminal.type("wrong\r")
            case.terminal.expect("password for carla:")
            case.terminal.type("\x03")
        else:
            case.terminal.type(f"{password}\r")
        case.terminal.expect(outcome)

    def raised() -> bool:
        return bool(api.call("GET", f"/support-session/{case.number}")["elevated"])

    until(raised, "the administrator's rights")
    until(lambda: case.state() == "active", "the session to go on")
    case.attach()
    case.end()
    [record] = records(api, here)
    assert (record["install_mode"], record["run_as"]) == ("service", "tremplin-jc")
    # Whoever comes next on this computer hears that it is attached.
    other = attend(here, "dora")
    assert "attached as a Jump Client already" in other.pin()
    other.end()
    here.reboot()
    until(lambda: _online(api, record), "the Jump Client after the reboot", seconds=60)
    assert [each["id"] for each in records(api, here)] == [record["id"]]
    assert not here.run("ls -d /tmp/tremplin-support-*").out


def test_two_users_of_one_host_have_a_jump_client_each(
    host: HostFactory, api: Api, attend: Attend
) -> None:
    here = host()
    for name in ("carla", "dora"):
        person(here, name)
    first = attend(here, "carla")
    first.attach()
    [hers] = records(api, here)
    assert (hers["install_mode"], hers["run_as"]) == ("user", "carla")
    assert "attached as a Jump Client already" in first.pin()
    second = attend(here, "dora")
    second.attach()
    modes = {each["run_as"]: each["install_mode"] for each in records(api, here)}
    assert modes == {"carla": "user", "dora": "user"}
    # It is hers: it runs while she is signed in, and the other one does not take its place.
    first.end()
    until(lambda: not _online(api, hers), "the end of the user's programs", seconds=60)
    third = attend(here, "dora")
    assert "attached as a Jump Client already" in third.pin()
    third.end()
    second.end()
    assert len(records(api, here)) == 2


def _online(api: Api, record: Record) -> bool:
    return bool(api.call("GET", f"/jump-client/{record['id']}")["state"] == "online")

"""One throw-away host: power, network cable, commands and files."""

from __future__ import annotations

import os
import shlex
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from tests.lab import cgroups, disk, network
from tests.lab.recipes import RECIPES
from tests.lab.registry import Entry
from tests.lab.wait import until

BOOT = Path(__file__).with_name("boot.sh")


@dataclass(frozen=True)
class Done:
    """A finished command: its exit status and what it wrote."""

    status: int
    out: str
    err: str

    def checked(self) -> str:
        """Return what it wrote to standard output; AssertionError when it failed."""
        assert self.status == 0, f"exit status {self.status}\n{self.out}{self.err}"
        return self.out


class Host:
    """A host of the lab. `entry` tells its name, address and base; `state` is on tmpfs.

    base: the unpacked tree that its disk is laid over; lan: namespace of the lab.
    key: private ssh key that opens every account; wrapper: an `ssh` that finds the host.
    """

    def __init__(self, entry: Entry, state: Path, base: Path, lan: str, key: Path) -> None:
        self.entry = entry
        self.state = state
        self.base = base
        self._lan = lan
        self._key = key
        self._group = cgroups.root() / entry.run / entry.name

    @property
    def name(self) -> str:
        """Its name in the lab, and its host name unless the disk says otherwise."""
        return self.entry.name

    @property
    def address(self) -> str:
        """Its IP address."""
        return self.entry.address

    @property
    def init(self) -> str:
        """Its init system: systemd, sysv or openrc."""
        return RECIPES[self.entry.base].init

    @property
    def wrapper(self) -> Path:
        """A program to use in place of `ssh`: it runs ssh where the host can be reached."""
        return self.state / "ssh"

    # --- power ------------------------------------------------------------------------

    def power_on(self) -> None:
        """Start the host; `wait_ssh` tells when it is up."""
        assert not self.powered, f"{self.name} is on already"
        group = self._group / "host"
        group.mkdir(parents=True, exist_ok=True)
        entry = self.entry
        relative = group.relative_to(cgroups.root().parent)
        prefix = ["ip", "netns", "exec", entry.machine]
        arguments = [self.state, entry.disk, self.base, relative, f"{entry.address}/24"]
        with (self.state / "console.log").open("ab") as console:
            keeper = subprocess.Popen(
                [*prefix, BOOT, entry.machine, *map(str, arguments), entry.gateway],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
                env={"PATH": os.environ["PATH"]},
            )
        until(lambda: self._leader() or self._refused(keeper), f"{self.name} to start", seconds=15)
        # The keeper outlives this process on purpose: nobody is to wait for it.
        keeper.returncode = 0

    def power_off(self) -> None:
        """Shut down in good order and wait for the end."""
        self.run("/sbin/poweroff")
        until(lambda: not self.powered, f"{self.name} to power off", seconds=60)
        self._tidy()

    def power_cut(self) -> None:
        """Pull the plug: every process ends at the same instant."""
        cgroups.kill(self._group)
        self._tidy()

    def reboot(self) -> None:
        """Reboot in good order and wait until another boot answers by ssh."""
        before, leader = self.boot_id(), self._leader()
        self.run("/sbin/reboot")
        until(lambda: self._leader() not in (0, leader), f"{self.name} to reboot", seconds=60)
        until(lambda: self.boot_id() != before, f"{self.name} to boot", seconds=10)
        self.wait_ssh()

    @property
    def powered(self) -> bool:
        """Whether the host is on."""
        return cgroups.populated(self._group)

    # --- cable ------------------------------------------------------------------------

    def cut_cable(self) -> None:
        """Pull the network cable at the switch."""
        network.ip("-n", self._lan, "link", "set", f"p{self.entry.number}", "down")

    def mend_cable(self) -> None:
        """Plug the network cable in again."""
        network.ip("-n", self._lan, "link", "set", f"p{self.entry.number}", "up")

    def only_port(self, port: int) -> None:
        """Let the host dial nothing but TCP `port`."""
        network.only_port(self.entry.machine, port)

    # --- inside -----------------------------------------------------------------------

    def run(self, command: str, user: str = "root", stdin: bytes = b"") -> Done:
        """Run a shell command inside, without the network, and return how it ended."""
        leader = self._leader()
        assert leader, f"{self.name} is off"
        group = self._group / "exec"
        group.mkdir(exist_ok=True)
        enter = f"echo $$ > {group}/cgroup.procs; exec nsenter -t {leader} -a "
        inside = command if user == "root" else f"su - {user} -c {shlex.quote(command)}"
        wrapped = enter + "/usr/bin/env -i HOME=/root LANG=C.UTF-8 "
        wrapped += "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "
        wrapped += f"sh -c {shlex.quote(inside)}"
        pipe = subprocess.PIPE
        with subprocess.Popen(
            ["sh", "-c", wrapped], stdin=pipe, stdout=pipe, stderr=pipe
        ) as process:
            out, err = _communicate(process, stdin)
        return Done(
            process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")
        )

    def ssh(self, command: str, user: str = "deploy") -> Done:
        """Run a shell command inside through ssh, as `user` does it."""
        arguments = [*self.ssh_command(user), command]
        done = subprocess.run(arguments, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return Done(done.returncode, done.stdout, done.stderr)

    def ssh_command(self, user: str = "deploy") -> list[str]:
        """Return the command line that opens a shell inside."""
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": "2",
            "IdentitiesOnly": "yes",
            "LogLevel": "ERROR",
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
        }
        flags = [f"-o{name}={value}" for name, value in options.items()]
        return [
            str(self.wrapper),
            "-F/dev/null",
            f"-i{self._key}",
            *flags,
            f"{user}@{self.address}",
        ]

    def put(self, content: bytes, path: str, mode: str = "0644") -> None:
        """Write a file inside."""
        quoted = shlex.quote(path)
        self.run(f"cat > {quoted} && chmod {mode} {quoted}", stdin=content).checked()

    def read(self, path: str) -> str:
        """Return the text of a file inside; AssertionError when there is none."""
        return self.run(f"cat {shlex.quote(path)}").checked()

    def exists(self, path: str) -> bool:
        """Return whether a path is there inside."""
        return self.run(f"test -e {shlex.quote(path)}").status == 0

    def boot_id(self) -> str:
        """Return the kernel's id of this boot."""
        return self.read("/proc/sys/kernel/random/boot_id").strip()

    def wait_ssh(self, seconds: float = 60) -> None:
        """Wait until an ordinary user can sign in, and check that the right init runs."""
        until(lambda: self.ssh("true").status == 0, f"ssh to {self.name}", seconds=seconds)
        recipe = RECIPES[self.entry.base]
        comm = self.read("/proc/1/comm").strip()
        assert comm == recipe.comm, f"{self.name} runs {comm}, not {recipe.comm}"
        assert self.exists(recipe.marker), f"{self.name} has no {recipe.marker}"

    # --- disk -------------------------------------------------------------------------

    def rebuild(self, *, keep_machine_id: bool = True) -> None:
        """Give the host a new disk, as a reinstalled machine has, and leave it off."""
        if self.powered:
            self.power_cut()
        machine_id = self.entry.machine_id if keep_machine_id else uuid.uuid4().hex
        self.entry = self.entry.with_machine_id(machine_id)
        disk.blank(self.entry, self._key)

    def take_disk_of(self, other: Host) -> None:
        """Put a copy of another host's disk, identity included, into this one, which is off."""
        assert not self.powered, f"{self.name} is on"
        self.entry = self.entry.with_machine_id(other.entry.machine_id)
        disk.copy(other.entry, self.entry)

    # --- inner ------------------------------------------------------------------------

    def _leader(self) -> int:
        """Return the guest's PID 1 as this machine numbers it; 0 when it does not run."""
        try:
            nspawn = (self.state / "nspawn.pid").read_text("ascii").strip()
            children = Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text("ascii").split()
            return next((int(child) for child in children if _is_init(int(child))), 0)
        except OSError:
            return 0

    def _refused(self, keeper: subprocess.Popen[bytes]) -> bool:
        if keeper.poll() is not None:
            console = (self.state / "console.log").read_text("utf-8", "replace")
            raise AssertionError(f"{self.name} does not start:\n{console[-2000:]}")
        return False

    def _tidy(self) -> None:
        (self.state / "nspawn.pid").unlink(missing_ok=True)
        cgroups.remove(self._group)


def _communicate(process: subprocess.Popen[bytes], stdin: bytes) -> tuple[bytes, bytes]:
    """Return all that a process writes.

    A guest that shuts down stops every process before it kills them, and nsenter then
    stops itself together with its child: nobody would ever wake it.
    """
    content: bytes | None = stdin
    while True:
        try:
            return process.communicate(content, timeout=1)
        except subprocess.TimeoutExpired:
            content = None
            status = Path(f"/proc/{process.pid}/status").read_text("ascii")
            if "State:\tT" in status:
                process.kill()


def _is_init(process: int) -> bool:
    """Return whether a process is number 1 in a namespace of its own."""
    try:
        status = Path(f"/proc/{process}/status").read_text("ascii")
    except OSError:
        return False
    numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()
    return len(numbers) == 3 and numbers[2] == "1" and "State:\tZ" not in status

"""A host behind NAT, worked on with unmodified tools through the bastion."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import installing
from tests.lab.api import Api
from tests.lab.beside import another_machine
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.lab.recipes import TOOLS
from tests.lab.sessions_ansible import Ansible
from tests.lab.site import Site
from tests.lab.technician import Technician, Terminal
from tests.lab.wait import until

MEBIBYTE = 1024 * 1024
PATIENCE = 60
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def here(lab: Lab, lab_server: Site) -> Iterator[Host]:
    """A host behind a router, whose agent runs as the user deploy, who has sudo."""
    yield _deployed(lab, lab_server, "sessions")
    lab.down("sessions")


def _deployed(lab: Lab, site: Site, name: str) -> Host:
    host = lab.up(name, TOOLS, nat=True)
    api = site.api()
    key = installing.make_key(api, external_id=name, name=name)
    installing.push(host)
    words = ("--user", "deploy", "--startup", "systemd", "--online-install")
    installing.install(host, key.key_info, *words).checked()
    api.wait_state(name, "online")
    return host


@pytest.fixture(scope="module")
def zoe(
    lab: Lab, lab_server: Site, here: Host, tmp_path_factory: pytest.TempPathFactory
) -> Technician:
    """A technician who reaches the host."""
    person = Technician(lab, lab_server, tmp_path_factory.mktemp("zoe"), "zoe")
    person.configure()
    return person


@pytest.fixture(autouse=True)
def _nothing_stays(site: Site, here: Host) -> Iterator[None]:
    """Whatever a test did: no session is left, and on the host nothing that one started."""
    yield
    here.mend_cable()
    site.start()
    api = site.api()
    api.wait_state("sessions", "online", seconds=60)
    until(lambda: _unfinished(api) == [], "every session to end", seconds=60)
    until(lambda: _processes(here) == [], "the host to be quiet", seconds=30)


def _unfinished(api: Api) -> list[str]:
    sessions: list[dict[str, Any]] = api.call("GET", "/session")
    return [f"{s['id']} {s['state']}" for s in sessions if s["state"] != "ended"]


def _processes(host: Host) -> list[str]:
    """Return the processes of the agent's account that are none of the agent's own."""
    lines = host.run("ps -o args= -u deploy").out.splitlines()
    own = ("tremplin", "python", "(sd-pam)", "/lib/systemd/systemd", "ps ", "sh -c ps")
    return [line for line in lines if not any(word in line for word in own)]


def last_session(api: Api) -> dict[str, Any]:
    """Return the newest session, once it is over."""

    def newest() -> dict[str, Any]:
        found: dict[str, Any] = max(api.call("GET", "/session"), key=lambda s: s["created_at"])
        return found if found["state"] == "ended" else {}

    return until(newest, "the session to end")


# --- commands and terminals -----------------------------------------------------------


def test_nothing_leads_to_the_host_but_the_bastion(lab: Lab, here: Host, zoe: Technician) -> None:
    reachable = ["ip", "netns", "exec", lab.namespace, "timeout", "2", "bash", "-c"]
    direct = subprocess.run([*reachable, f"echo > /dev/tcp/{here.address}/22"], capture_output=True)
    assert direct.returncode != 0
    assert zoe.checked("ssh", "sessions", "hostname").strip() == b"sessions"
    identity = zoe.checked("ssh", "sessions", "id -un; pwd; echo $SHELL").split()
    assert identity == [b"deploy", b"/home/deploy", b"/bin/bash"]
    assert zoe.checked("ssh", "sessions", "sudo -n id -un").strip() == b"root"


@pytest.mark.parametrize("status", [0, 1, 77, 255])
def test_exit_codes(here: Host, zoe: Technician, status: int) -> None:
    assert zoe.run("ssh", "sessions", f"exit {status}").returncode == status


def test_a_signal_tells_its_name(here: Host, zoe: Technician) -> None:
    done = zoe.run("ssh", "-v", "sessions", "kill -TERM $$")
    assert done.returncode == 255
    assert b"exit-signal" in done.stderr


def test_binary_pipes_and_standard_error(here: Host, zoe: Technician) -> None:
    sent = os.urandom(32 * MEBIBYTE)
    summed = zoe.checked("ssh", "sessions", "sha256sum", stdin=sent)
    assert summed.split()[0].decode() == hashlib.sha256(sent).hexdigest()
    done = zoe.run("ssh", "sessions", "cat; printf '\\377\\000' >&2; exit 3", stdin=sent)
    assert (done.returncode, done.stderr) == (3, b"\xff\x00")
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(sent).digest()


def test_what_is_done_in_a_session_is_not_in_the_host_s_log(
    site: Site, here: Host, zoe: Technician
) -> None:
    zoe.checked("ssh", "sessions", "echo --password=hunter2-hunter2")
    identifier = last_session(site.api())["id"]

    def log() -> str:
        return here.run("journalctl --no-pager -t tremplin-jump-client").out

    until(lambda: f"{identifier} of zoe begins" in log(), "the log of the session")
    assert "hunter2" not in log()


def test_who_is_logged_in_on_the_host_reads_who_comes(here: Host, zoe: Technician) -> None:
    """Another user's terminal takes words of the group tty; without it the log says so."""
    here.run("useradd -m -s /bin/bash ann").checked()
    typed = "(echo mesg y; tail -f /dev/null)"
    signed_in = f"setsid sh -c '{typed} | script -qfc \"login -f ann\" /root/shown'"
    here.run(f"{signed_in} >/dev/null 2>&1 & echo $! >/root/logged-in").checked()
    try:
        until(lambda: "ann" in here.run("who").out, "the log-in")
        zoe.checked("ssh", "sessions", "true")
        refused = "journalctl -q --grep 'does not reach /dev/pts.*deploy is not in the group tty'"
        until(lambda: here.run(refused).status == 0, "the log")
        here.run(
            "usermod -aG tty deploy && /opt/tremplin-jump-client/init-script restart"
        ).checked()
        until(lambda: zoe.run("ssh", "sessions", "true").returncode == 0, "the host")
        until(lambda: "zoe has opened a session" in here.read("/root/shown"), "the notice")
    finally:
        here.run("kill -- -$(cat /root/logged-in); rm -f /root/shown /root/logged-in").checked()


def test_a_terminal_with_resize_and_control_c(here: Host, zoe: Technician) -> None:
    with zoe.terminal("sessions", rows=30, columns=100) as terminal:
        terminal.expect(r"\$ ")
        terminal.type("stty size; echo $TERM\r")
        terminal.expect(r"30 100\r\n")
        terminal.expect(r"xterm\r\n")
        terminal.resize(50, 132)
        terminal.type("stty size\r")
        terminal.expect(r"50 132\r\n")
        terminal.type("echo now; cat\r")
        terminal.expect(r"now\r\n")
        terminal.type("é½\r")
        terminal.expect("é½\r\né½\r\n")
        terminal.type("\x03")
        terminal.expect(r"\$ ")
        terminal.type("echo $?\r")
        terminal.expect(r"130\r\n")
        terminal.type("exit 9\r")
        assert terminal.status() == 9


def test_full_screen_programs(here: Host, zoe: Technician) -> None:
    with zoe.terminal("sessions") as terminal:
        terminal.expect(r"\$ ")
        terminal.type("vi -u NONE note.txt\r")
        terminal.expect("note.txt")
        terminal.type("ihello from far away\x1b:wq\r")
        terminal.expect("written")
        terminal.type("top\r")
        terminal.expect("load average")
        terminal.resize(40, 120)
        terminal.expect("PID")
        terminal.type("q")
        terminal.expect(r"\$ ")
        terminal.type("exec cat note.txt\r")
        terminal.expect("hello from far away\r\n")
        assert terminal.status() == 0
    here.run("rm /home/deploy/note.txt").checked()


# --- files ----------------------------------------------------------------------------


def test_scp_sftp_and_rsync(here: Host, zoe: Technician, tmp_path: Path) -> None:
    content = os.urandom(8 * MEBIBYTE + 1)
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(content)
    for number, old in enumerate((["-O"], [])):
        name = f"/home/deploy/copy{number}"
        zoe.checked("scp", *old, str(source), f"sessions:{name}")
        zoe.checked("scp", *old, f"sessions:{name}", str(back))
        assert back.read_bytes() == content
    batch = f"put {source} three\nrename three four\nget four {back}\nrm four\nls -l\n"
    assert b"copy1" in zoe.checked("sftp", "-b", "-", "sessions", stdin=batch.encode())
    tree = tmp_path / "tree"
    (tree / "deep").mkdir(parents=True)
    (tree / "deep" / "é name").write_bytes(content)
    for words in ([f"{tree}/", "sessions:tree/"], ["sessions:tree/", f"{tmp_path}/again/"]):
        subprocess.run(["rsync", "-a", "-e", zoe.shell, *words], check=True, capture_output=True)
    assert (tmp_path / "again" / "deep" / "é name").read_bytes() == content
    here.run("rm -r /home/deploy/copy0 /home/deploy/copy1 /home/deploy/tree").checked()


def test_git_clones_and_pushes(here: Host, zoe: Technician, tmp_path: Path) -> None:
    here.run("su - deploy -c 'git init -q --bare work.git'").checked()
    clone = tmp_path / "clone"
    environment = os.environ | {"GIT_SSH_COMMAND": zoe.shell, "GIT_CONFIG_GLOBAL": "/dev/null"}

    def git(*words: str) -> None:
        named = ["-c", "user.name=zoe", "-c", "user.email=zoe@example.net"]
        command = ["git", *named, *words]
        subprocess.run(command, env=environment, check=True, capture_output=True)

    git("clone", "-q", "sessions:work.git", str(clone))
    (clone / "file").write_bytes(os.urandom(MEBIBYTE))
    git("-C", str(clone), "add", "file")
    git("-C", str(clone), "commit", "-q", "-m", "one")
    git("-C", str(clone), "push", "-q", "origin", "HEAD:main")
    git("clone", "-q", "-b", "main", "sessions:work.git", str(tmp_path / "second"))
    assert (tmp_path / "second" / "file").read_bytes() == (clone / "file").read_bytes()
    here.run("rm -r /home/deploy/work.git").checked()


# --- ports ----------------------------------------------------------------------------


def test_a_granted_port_is_forwarded_and_no_other(lab: Lab, here: Host, zoe: Technician) -> None:
    for way in (["-W", "localhost:22", "sessions"], ["-W", "sessions:22222", "tremplin-bastion"]):
        granted = way[1] == "localhost:22"
        done = zoe.run("ssh", *way)
        assert (b"SSH-2.0-OpenSSH" in done.stdout) is granted, done.stderr
    forward = zoe.start("ssh", "-N", "-L", "127.0.0.1:2222:localhost:22", "sessions")
    try:
        ask = ["ip", "netns", "exec", lab.namespace, "bash", "-c"]
        look = [*ask, "exec 3<>/dev/tcp/127.0.0.1/2222; head -n 1 <&3"]

        def banner() -> bytes:
            return subprocess.run(look, capture_output=True).stdout

        assert until(banner, "the forwarded port").startswith(b"SSH-2.0-OpenSSH")
    finally:
        forward.terminate()
        forward.communicate()
    refused = zoe.run("ssh", "-W", "localhost:80", "sessions")
    assert refused.returncode == 255
    assert b"open failed" in refused.stderr


def test_a_shortcut_leads_to_a_machine_beside_the_host(
    lab: Lab, here: Host, zoe: Technician, site: Site
) -> None:
    """The command that the console shows, with a real ssh; and nothing else is reached."""
    api = site.api()
    (client,) = api.clients(external_id="sessions")
    body = {"jumpoint_id": client["id"], "jump_group_id": client["jump_group_id"]}
    with another_machine(here) as target:
        made = api.call(
            "POST", "/jump-item/remote-rdp", {"name": "Desk", "hostname": target, **body}
        )
        word = f"shortcut-{made['id']}"
        way = ("-o", f"HostKeyAlias=id-{client['id']}", "-J", "tremplin-bastion")
        forward = zoe.start("ssh", "-N", *way, "-L", f"127.0.0.1:33900:{target}", word)
        ask = ["ip", "netns", "exec", lab.namespace, "bash", "-c"]
        look = [*ask, "exec 3<>/dev/tcp/127.0.0.1/33900; head -n 1 <&3"]
        try:

            def said() -> bytes:
                return subprocess.run(look, capture_output=True).stdout

            assert until(said, "the desk through the forwarded port") == b"a desk\n"
        finally:
            forward.terminate()
            forward.communicate()
        # Neither another port, nor a shell, nor by the client's own name.
        for words in (("-W", "localhost:22", word), ("-W", "10.0.0.9:3389", word), (word, "id")):
            refused = zoe.run("ssh", *way, *words)
            assert refused.returncode
            assert not refused.stdout
        assert zoe.run("ssh", "-W", target, "sessions").stdout == b""
        forbidding = "/opt/tremplin-jump-client/loopback-only"
        here.run(f"touch {forbidding}").checked()
        try:
            refused = zoe.run("ssh", *way, "-W", target, word)
            assert b"does not forward to other machines" in refused.stderr
        finally:
            here.run(f"rm {forbidding}").checked()
    started = api.call("GET", "/audit", action="session.started", per_page=100)
    assert any(event["detail"].get("targets") == [target] for event in started)
    api.call("DELETE", f"/jump-item/remote-rdp/{made['id']}")


# --- many, and cut --------------------------------------------------------------------


def test_a_slow_reader_holds_the_sender_and_grows_nothing(
    here: Host, zoe: Technician, site: Site
) -> None:
    size = 256 * MEBIBYTE
    process = zoe.start("ssh", "sessions", f"head -c {size} /dev/zero")
    assert process.stdout is not None
    before = site.memory()
    digest, read = hashlib.sha256(process.stdout.read(MEBIBYTE)), MEBIBYTE
    # Nobody reads on until everything between has filled up and stands still.
    until(lambda: _stands_still(site), "the transfer to stand still", seconds=30)
    assert site.memory() - before < 40 * MEBIBYTE
    while data := process.stdout.read(MEBIBYTE):
        digest.update(data)
        read += len(data)
    assert process.wait(PATIENCE) == 0
    process.communicate()
    assert read == size
    assert site.memory() - before < 60 * MEBIBYTE
    done = zoe.run("ssh", "sessions", "sleep 2; sha256sum", stdin=bytes(size), seconds=120)
    assert done.stdout.split()[0].decode() == hashlib.sha256(bytes(size)).hexdigest()


def _stands_still(site: Site) -> bool:
    before = site.processor_time()
    threading.Event().wait(0.5)
    return site.processor_time() - before < 0.1


def test_the_21st_start_at_once_is_told_that_the_server_is_busy(
    lab: Lab, here: Host, site: Site, api: Api, zoe: Technician, tmp_path: Path
) -> None:
    luc = Technician(lab, site, tmp_path, "luc", language="fr")
    luc.configure()
    here.cut_cable()
    # The host cannot answer, so the starts stay starts.
    asked = [zoe.start("ssh", "sessions", "true") for _ in range(20)]
    until(lambda: _starting(api) == 20, "twenty starts at once", every=0.05, seconds=9)
    english = zoe.run("ssh", "sessions", "true")
    french = luc.run("ssh", "sessions", "true")
    here.mend_cable()
    assert b"the server is too busy" in english.stderr
    assert b"le serveur est trop occupe" in french.stderr
    for process in asked:
        process.communicate(timeout=PATIENCE)
    together = [zoe.start("ssh", "sessions", "sleep 3; echo $$") for _ in range(15)]
    said = {process.communicate(timeout=PATIENCE)[0] for process in together}
    assert len(said - {b""}) == 15


def _starting(api: Api) -> int:
    return len(api.call("GET", "/session", state="starting"))


CUTS = ["cable", "agent", "server", "technician"]
SSH_SAYS = ("closed by remote host", "Broken pipe", "reset by peer", "Received disconnect")


@pytest.mark.parametrize("cut", CUTS)
def test_a_cut_ends_both_sides_and_keeps_the_recording(
    here: Host, site: Site, zoe: Technician, cut: str
) -> None:
    with zoe.terminal("sessions") as terminal:
        terminal.expect(r"\$ ")
        terminal.type("echo seen-$((40+2)); nohup sleep 4321 & sleep 1234\r")
        terminal.expect("seen-42")
        assert any("sleep 4321" in line for line in _processes(here))
        _cut(cut, here, site, terminal)
        if cut != "technician":
            assert terminal.status(seconds=90) == 255
            assert any(word in terminal.shown for word in SSH_SAYS), terminal.shown
    until(lambda: _processes(here) == [], "the host to end what the session began", seconds=60)
    here.mend_cable()
    site.start()
    api = site.api()
    session = last_session(api)
    assert session["end_code"], session

    def recorded() -> str:
        found = api.call("GET", f"/session/{session['id']}/recording")
        return _cast(site, session["id"]) if found else ""

    assert "seen-42" in until(recorded, "the recording", seconds=60)


def _cut(cut: str, here: Host, site: Site, terminal: Terminal) -> None:
    if cut == "cable":
        here.cut_cable()
    elif cut == "agent":
        unit = "tremplin-jump-client*.service"
        here.run(f"systemctl kill --signal=KILL --kill-whom=main '{unit}'").checked()
    elif cut == "server":
        site.kill()
    else:
        terminal.kill()


def _cast(site: Site, session_id: str) -> str:
    return site.command("session", "recording", session_id, "1")


# --- Ansible --------------------------------------------------------------------------


def test_ansible_works_on_hosts_that_no_network_leads_to(
    lab: Lab, site: Site, here: Host, tmp_path: Path
) -> None:
    ansible = Ansible(lab, site, tmp_path)
    hosts = ["-i", str(ansible.source), "all"]
    assert "sessions | SUCCESS" in ansible.run("ansible", *hosts, "-m", "ping")
    large = tmp_path / "large"
    large.write_bytes(os.urandom(48 * MEBIBYTE))
    words = f"src={large} dest=/srv/large mode=0600 owner=root"
    assert "CHANGED" in ansible.run("ansible", *hosts, "-b", "-m", "copy", "-a", words)
    assert "SUCCESS" in ansible.run("ansible", *hosts, "-b", "-m", "copy", "-a", words)
    digest = hashlib.sha256(large.read_bytes()).hexdigest()
    assert here.run("sha256sum /srv/large").out.split()[0] == digest
    here.run("rm /srv/large").checked()


def test_ansible_on_fifty_hosts_with_twenty_five_forks(
    lab: Lab, site: Site, here: Host, tmp_path: Path
) -> None:
    second = _deployed(lab, site, "sessions2")
    try:
        ansible = Ansible(lab, site, tmp_path)
        many = ansible.many(50)
        said = ansible.run("ansible", "-i", str(many), "all", "-f", "25", "-m", "ping")
        assert said.count("| SUCCESS") == 50
        said = ansible.run("ansible", "-i", str(many), "all", "-f", "25", "-b", "-a", "id -un")
        assert said.count("\nroot") == 50
    finally:
        lab.down(second.name)

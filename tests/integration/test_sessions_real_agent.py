"""Sessions with the real agent and the real server, and a program that speaks SSH itself."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import os
import shlex
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import psutil
import pytest

from tests.boxes import Box, box
from tests.integration.agent_site import Site, running_site
from tests.integration.test_gateway import eventually, run
from tests.integration.test_sessions import state
from tests.serving import TREMPLIN, until
from tests.session_agent import Technician

pytestmark = pytest.mark.timeout(300)
LARGE = 48 * 1024 * 1024


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture(scope="module")
def host(site: Site) -> Iterator[Box]:
    """A Jump Client that is online."""
    with box() as made:
        done = made.install("--online-install", key_info=site.key_info("host"))
        assert done.returncode == 0, done.stderr
        site.until_state("host", "online")
        yield made


@pytest.fixture
def client_id(site: Site, host: Box) -> int:
    return int(site.record("host")["id"])


def test_exec_is_binary_clean_and_has_a_status(site: Site, client_id: int) -> None:
    async def scenario() -> None:
        async with Technician(site).ssh(client_id) as ssh:
            sent = bytes(range(256)) * 40_000
            done = await ssh.run("cat", input=sent, encoding=None)
            assert done.stdout == sent
            done = await ssh.run("echo out; echo err >&2; exit 7", encoding=None)
            assert (done.stdout, done.stderr, done.exit_status) == (b"out\n", b"err\n", 7)

    run(scenario())


def test_a_large_file_goes_both_ways(site: Site, client_id: int, tmp_path: Path) -> None:
    async def scenario() -> None:
        source, back = tmp_path / "source", tmp_path / "back"
        source.write_bytes(os.urandom(LARGE))
        wanted = hashlib.sha256(source.read_bytes()).hexdigest()
        async with Technician(site).ssh(client_id) as ssh, ssh.start_sftp_client() as sftp:
            name = f"/tmp/tremplin-{tmp_path.name}-{os.getpid()}"
            try:
                await sftp.put(source, name)
                done = await ssh.run(f"sha256sum < {name}", encoding=None)
                assert bytes(done.stdout or b"").decode().split()[0] == wanted
                await sftp.get(name, back)
                assert hashlib.sha256(back.read_bytes()).hexdigest() == wanted
            finally:
                await sftp.remove(name)

    run(scenario())


def test_a_terminal_is_recorded_and_the_recording_is_shown(site: Site, client_id: int) -> None:
    async def scenario() -> None:
        technician = Technician(site)
        async with (
            technician.ssh(client_id, reason="recorded") as ssh,
            ssh.create_process(term_type="xterm", term_size=(90, 31), encoding="utf-8") as terminal,
        ):
            terminal.stdin.write("stty size; echo né-$((40+2)); exit\n")
            shown = await terminal.stdout.read()
            assert "31 90" in shown
            assert "né-42" in shown
        session = site.call("GET", f"/session?client_id={client_id}")[0]
        await state(technician, session["id"], "ended")
        path = f"/session/{session['id']}/recording"
        await eventually(lambda: bool(site.call("GET", path)), "the recording")
        (listed,) = site.call("GET", path)
        assert (listed["columns"], listed["rows"]) == (90, 31)
        lines = recording(site, f"{path}/1").decode().splitlines()
        assert json.loads(lines[0])["version"] == 2
        assert "né-42" in "".join(json.loads(line)[2] for line in lines[1:])

    run(scenario())


def test_a_strict_end_and_a_session_policy_reach_the_host(site: Site, client_id: int) -> None:
    whole_week = {"start_day": 0, "start_time": "00:00", "end_day": 0, "end_time": "00:00"}
    # An hour that is two days away from now, whatever the day.
    day = (time.gmtime().tm_wday + 2) % 7
    elsewhere = {**whole_week, "start_day": day, "end_day": day, "end_time": "01:00"}
    rules = {"schedule": {"timezone": "UTC", "entries": [whole_week]}, "schedule_strict": True}
    strict = site.call("POST", "/jump-policy", {"display_name": "Strict", **rules})
    narrow = {"display_name": "Narrow", "allow_upload": False, "allow_exec": False}
    narrow = site.call("POST", "/session-policy", narrow)
    change = {
        "jump_policy_id": strict["id"],
        "attended_session_policy_id": narrow["id"],
        "unattended_session_policy_id": narrow["id"],
    }
    site.call("PATCH", f"/jump-client/{client_id}", change)

    async def scenario() -> None:
        technician = Technician(site)
        async with (
            technician.ssh(client_id) as ssh,
            ssh.create_process(term_type="xterm", encoding="utf-8") as terminal,
        ):
            done = await ssh.run("true", encoding=None)
            assert b"may not run commands" in (done.stderr or b"")
            async with ssh.start_sftp_client() as sftp:
                assert await sftp.listdir("/")
                with pytest.raises(asyncssh.SFTPPermissionDenied, match="may not upload"):
                    await sftp.mkdir("/tmp/tremplin-forbidden")
            closed = {"schedule": {"entries": [elsewhere]}}
            path = f"/jump-policy/{strict['id']}"
            await asyncio.to_thread(site.call, "PATCH", path, closed)
            await asyncio.wait_for(terminal.stdout.read(), 30)
        session = site.call("GET", f"/session?client_id={client_id}")[0]
        await state(technician, session["id"], "ended")
        (ended,) = [one for one in site.call("GET", "/session") if one["id"] == session["id"]]
        assert ended["end_code"] == "session.policy_closed"

    try:
        run(scenario())
    finally:
        site.call("PATCH", f"/jump-client/{client_id}", dict.fromkeys(change))


def recording(site: Site, path: str) -> bytes:
    """Return a recording as an asciicast."""
    site.call("GET", "/session")
    request = urllib.request.Request(
        f"{site.base_url}/api/config/v1{path}",
        headers={"Authorization": f"Bearer {site._token}", "Accept-Encoding": "gzip"},
    )
    with urllib.request.urlopen(request, context=site.tls(), timeout=20) as answer:
        return gzip.decompress(answer.read())


def test_a_session_that_is_stopped_leaves_nothing_running(
    site: Site, client_id: int, tmp_path: Path
) -> None:
    async def scenario() -> None:
        technician = Technician(site)
        word = f"tremplin-{os.getpid()}-{tmp_path.name}"
        async with technician.ssh(client_id) as ssh:
            await ssh.create_process(f"setsid sleep 987 {word} & exec sleep 987", encoding=None)
            await eventually(lambda: bool(sleepers()), "the processes")
            session = site.call("GET", f"/session?client_id={client_id}&state=open")[0]
            site.call("POST", f"/session/{session['id']}/end", {"reason": "enough"})
            await asyncio.wait_for(ssh.wait_closed(), 10)
        await eventually(lambda: not sleepers(), "the end of the processes")

    run(scenario())


def sleepers() -> list[int]:
    """Return the processes of the test above."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if "987" in (process.info["cmdline"] or [])
    ]


def test_capabilities_that_were_not_granted_are_refused(site: Site, client_id: int) -> None:
    async def scenario() -> None:
        async with Technician(site).ssh(client_id, capabilities=["sftp"]) as ssh:
            async with ssh.start_sftp_client() as sftp:
                assert await sftp.exists(".")
            done = await ssh.run("echo no", encoding=None)
            assert done.exit_status != 0
            assert done.stdout == b""
            assert b"may not run commands" in bytes(done.stderr or b"")
            with pytest.raises(asyncssh.ChannelOpenError):
                await ssh.open_connection("127.0.0.1", site.port)

    run(scenario())


def proxied(
    site: Site, directory: Path, name: str, *words: str, **changes: str
) -> subprocess.CompletedProcess[bytes]:
    """Run OpenSSH's client through `tremplin session proxy`."""
    key = directory / "key"
    if not key.exists():
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
        subprocess.run(command, check=True)
    host_key = site.call(
        "POST",
        f"/jump-client/{site.record('host')['id']}/session",
        {"public_keys": [key.with_suffix(".pub").read_text().strip()]},
    )["host_key"]
    (directory / "known_hosts").write_text(f"{name} {host_key}\n")
    proxy = shlex.join([str(TREMPLIN), "session", "proxy", "--key", str(key) + ".pub", name])
    options = {
        "ProxyCommand": proxy,
        "UserKnownHostsFile": str(directory / "known_hosts"),
        "StrictHostKeyChecking": "yes",
        "IdentityFile": str(key),
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
    }
    given = [word for pair in options.items() for word in ("-o", "=".join(pair))]
    environment = {
        **os.environ,
        "TREMPLIN_URL": site.base_url,
        "TREMPLIN_CA_PATH": str(site.ca_path),
        "TREMPLIN_CLIENT_ID": site.credentials.client_id,
        "TREMPLIN_CLIENT_SECRET": site.credentials.secret,
        **changes,
    }
    return subprocess.run(
        ["ssh", "-F", "none", *given, f"any@{name}", *words],
        env=environment,
        input=b"\0" * 300_000,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.usefixtures("client_id")
def test_ssh_goes_through_a_proxy_command(site: Site, tmp_path: Path) -> None:
    done = proxied(site, tmp_path, "host", "wc -c; exit 5")
    assert (done.stdout.strip(), done.returncode) == (b"300000", 5), done.stderr
    done = proxied(site, tmp_path, "nobody", "true")
    assert b"there is no Jump Client nobody" in done.stderr
    done = proxied(site, tmp_path, "host", "true", TREMPLIN_CLIENT_SECRET="wrong")
    assert b"the name or the secret is wrong" in done.stderr


def test_a_killed_agent_ends_the_session(site: Site) -> None:
    async def scenario(made: Box, client_id: int) -> None:
        technician = Technician(site)
        async with technician.ssh(client_id) as ssh:
            process: Any = await ssh.create_process("exec cat", encoding=None)
            process.stdin.write(b"there\n")
            assert await process.stdout.readline() == b"there\n"
            session = site.call("GET", f"/session?client_id={client_id}&state=open")[0]
            for agent in made.agents():
                psutil.Process(agent).kill()
            await asyncio.wait_for(ssh.wait_closed(), 20)
            over = await state(technician, session["id"], "ended")
            # Who comes first: the host's last word, or our own client hanging up.
            assert over["end_code"] in ("session.host_lost", "session.removed", "session.ended")

    with box() as made:
        done = made.install("--online-install", key_info=site.key_info("killed"))
        assert done.returncode == 0, done.stderr
        site.until_state("killed", "online")
        run(scenario(made, int(site.record("killed")["id"])))
        until(lambda: site.record("killed")["state"] != "pending", "a state")

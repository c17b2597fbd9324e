"""The inventory plugin, loaded by Ansible itself, against a real server."""

from __future__ import annotations

import asyncio
import json
import shlex
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tremplin_agent import __version__

from tests.control_agent import ControlAgent
from tests.integration.ansible_plays import BIN, COLLECTION, Controller
from tests.serving import Server, servers

EXAMPLE = COLLECTION / "docs" / "examples" / "tremplin.jump_clients.yml"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one Jump Client that is online and one that is not."""
    with servers(tmp_path_factory.mktemp("inventory")) as made, asyncio.Runner() as runner:
        server = made.start()
        runner.run(_enrol(server, "db1.example.net", "database", stays=False))
        ready, done = threading.Event(), asyncio.Event()
        loop = runner.get_loop()

        def serve() -> None:
            loop.run_until_complete(_online(server, ready, done))

        thread = threading.Thread(target=serve)
        thread.start()
        assert ready.wait(30)
        yield server
        loop.call_soon_threadsafe(done.set)
        thread.join()


async def _online(server: Server, ready: threading.Event, done: asyncio.Event) -> None:
    agent = await _enrol(server, "web1.example.net", "web", stays=True, version="0.0.1")
    ready.set()
    await done.wait()
    await agent.hang_up()


async def _enrol(
    server: Server, key: str, tag: str, *, stays: bool, version: str = __version__
) -> ControlAgent:
    agent = ControlAgent(server)
    agent.version = version
    await agent.enrol(server.installer(external_id=key, tag=tag))
    if not stays:
        await agent.hang_up()
    return agent


@pytest.fixture
def controller(server: Server, tmp_path: Path) -> Controller:
    return Controller(tmp_path, server)


def listed(controller: Controller, source: Path | str, *words: str) -> Any:
    """Return what `ansible-inventory --list` says."""
    done = _asked(controller, source, *words)
    assert done.returncode == 0, done.stderr
    return _plain(json.loads(done.stdout))


def _plain(value: Any) -> Any:
    """Return what Ansible printed without its marks of what is no template."""
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if not isinstance(value, dict):
        return value
    if "__ansible_unsafe" in value:
        return value["__ansible_unsafe"]
    return {name: _plain(part) for name, part in value.items()}


def _asked(
    controller: Controller, source: Path | str, *words: str
) -> subprocess.CompletedProcess[str]:
    environment = controller.environment | {
        "TREMPLIN_KNOWN_HOSTS_DIR": str(controller.directory / "known"),
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1",
    }
    return subprocess.run(
        [BIN / "ansible-inventory", "-i", str(source), "--list", *words],
        env=environment,
        cwd=controller.directory,
        # Ansible refuses one that does not block, which the workers of the tests may have.
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def written(controller: Controller, **options: object) -> Path:
    """Write an inventory source with these options."""
    path = controller.directory / "jump_clients.yml"
    path.write_text(json.dumps({"plugin": "tremplin.jump.jump_clients", **options}))
    return path


def test_jump_clients_become_hosts_with_groups_and_a_checked_way(
    server: Server, controller: Controller
) -> None:
    found = listed(controller, written(controller))
    hosts = found["_meta"]["hostvars"]
    assert set(hosts) == {"web1.example.net", "db1.example.net"}
    assert found["tag_web"]["hosts"] == ["web1.example.net"]
    assert set(found["jump_group_tests"]["hosts"]) == set(hosts)
    assert found["state_offline"]["hosts"] == ["db1.example.net"]
    web = hosts["web1.example.net"]
    number = web["jump_client"]["id"]
    assert web["ansible_host"] == f"id-{number}"
    assert web["ansible_host_key_checking"] is True
    words = shlex.split(web["ansible_ssh_common_args"])
    file = Path(next(w for w in words if w.startswith("UserKnownHostsFile=")).partition("=")[2])
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert file.read_text("ascii") == server.text("/known-hosts")
    bastion = server.api("GET", "/bastion")[1]
    command = next(w for w in words if w.startswith("ProxyCommand="))
    assert f"-p {bastion['port']} -l {bastion['user']} -W %h:%p {bastion['host']}" in command


def test_the_example_of_the_readme_lists_what_is_online(controller: Controller) -> None:
    found = listed(controller, EXAMPLE)
    assert "tag_database" not in found
    assert found["state_online"]["hosts"] == ["web1.example.net"]
    assert found["outdated"]["hosts"] == ["web1.example.net"]


def test_hosts_are_chosen_and_named_as_is_wished(server: Server, controller: Controller) -> None:
    source = written(
        controller,
        states=["online", "offline"],
        jump_groups=["jumpgroup:tests"],
        tag="database",
        host_names=["id"],
        group_by=["tag"],
        bastion=False,
        compose={"label": "jump_client.tag | upper"},
        groups={"away": "jump_client.state != 'online'"},
    )
    found = listed(controller, source)
    ((name, variables),) = found["_meta"]["hostvars"].items()
    assert name == str(variables["jump_client"]["id"])
    assert variables["label"] == "DATABASE"
    assert found["tag_database"]["hosts"] == [name]
    assert "state_offline" not in found
    assert not [key for key in variables if key.startswith("ansible_")]


def test_the_cache_answers_without_the_server(controller: Controller) -> None:
    cache = {
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(controller.directory / "facts"),
    }
    source = written(controller, **cache)
    first = listed(controller, source)
    controller.environment["TREMPLIN_CLIENT_SECRET"] = "changed meanwhile"
    assert listed(controller, source) == first
    refused = _asked(controller, source, "--flush-cache")
    assert refused.returncode != 0
    assert "the name or the secret is wrong" in refused.stderr


def test_a_group_that_is_not_there_is_an_error(controller: Controller) -> None:
    refused = _asked(controller, written(controller, jump_groups=["jumpgroup:nowhere"]))
    assert refused.returncode != 0
    assert "there is no Jump Group" in refused.stderr

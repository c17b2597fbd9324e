"""The real agent updates itself from the real server: forward, back, and not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tremplin_agent import __version__, wire
from tremplin_agent.core.identity import Identity
from tremplin_agent.platform.linux import platform_name
from tremplin_agent.updating import places

from tests import updating
from tests.boxes import Box, box, payload
from tests.integration.agent_site import HEARTBEAT_SECONDS, Site
from tests.serving import until
from tests.updating import NEW

pytestmark = pytest.mark.timeout(180)
_numbers = count(1)
OLD = __version__


@dataclass(frozen=True)
class Updating:
    """A site with a payload directory of its own."""

    site: Site
    payloads: Path

    def offer(self, content: bytes) -> None:
        updating.put(self.payloads, content)

    def order(self, client_id: object) -> Any:
        return self.site.made("/update/order", {"client_ids": [client_id]})[0]

    def result(self, client_id: object) -> dict[str, Any]:
        found = self.site.call("GET", "/update/client")
        return next((row for row in found if row["client_id"] == client_id), {})

    def until_result(self, client_id: object, state: str, seconds: float = 60) -> dict[str, Any]:
        def reached() -> dict[str, Any]:
            row = self.result(client_id)
            return row if row.get("state") == state else {}

        return until(reached, f"the update is {state}", seconds)


@pytest.fixture(scope="module")
def updates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Updating]:
    directory = tmp_path_factory.mktemp("site")
    payloads = directory / "payloads"
    payloads.mkdir()
    site = Site(
        directory,
        heartbeat_seconds=HEARTBEAT_SECONDS,
        statistics_seconds=5,
        api_requests_per_hour=1_000_000,
        payload_dir=payloads,
        update_trial_seconds=5,
    )
    shutil.copy(payload(), payloads / updating.NAME)
    site.init()
    try:
        site.start()
        yield Updating(site, payloads)
    finally:
        site.kill()


@dataclass(frozen=True)
class Host:
    """A box whose Jump Client is online."""

    place: Box
    name: str
    number: int


@pytest.fixture
def host(updates: Updating) -> Iterator[Host]:
    with box() as place:
        name = f"host-{next(_numbers)}"
        key_info = updates.site.key_info(name)
        done = place.install("--online-install", key_info=key_info)
        assert done.returncode == 0, done.stderr
        record = updates.site.until_state(name, "online")
        yield Host(place, name, record["id"])


def test_it_updates_and_keeps_what_it_is(updates: Updating, host: Host) -> None:
    directory = host.place.directory
    key = (directory / "var/agent.key").read_bytes()
    updates.offer(updating.newer())
    asked = updates.order(host.number)
    assert (asked["version"], asked.get("code", "")) == (NEW, "")
    row = updates.until_result(host.number, "done")
    assert (row["from_version"], row["version"]) == (OLD, NEW)
    record = updates.site.until_state(host.name, "online")
    assert (record["id"], record["agent_version"]) == (host.number, NEW)
    assert (directory / "var/agent.key").read_bytes() == key
    assert json.loads(host.place.agent("status").stdout)["version"] == NEW
    assert json.loads((directory / "install.json").read_text())["version"] == NEW
    # What is confirmed is settled at the next start, and then there is one version again.
    host.place.script("restart")
    until(lambda: not (directory / "previous").is_symlink(), "the end of the trial")
    updates.site.until_state(host.name, "online")
    assert [path.name[:5] for path in (directory / "versions").iterdir()] == [NEW]
    updates.site.delete(host.name)
    host.place.until_gone()
    assert host.place.contents() == []


@pytest.mark.parametrize("make", [updating.that_crashes, updating.that_hangs])
def test_a_version_that_does_not_connect_goes_back_by_itself(
    updates: Updating, host: Host, make: Any
) -> None:
    updates.offer(make())
    updates.order(host.number)
    row = updates.until_result(host.number, "failed", 120)
    assert (row["code"], row["version"], row["attempts"]) == (
        "update.rolled_back",
        updating.BROKEN,
        1,
    )
    assert row["retry_at"]
    record = updates.site.until_state(host.name, "online")
    assert record["agent_version"] == OLD
    versions = host.place.directory / "versions"
    assert [path.name for path in versions.iterdir()] == [OLD]
    # It is not ordered again by itself, and works as before.
    assert not updates.site.call("GET", "/update")["states"]["ordered"]


def test_what_cannot_run_here_is_never_started(updates: Updating, host: Host) -> None:
    content = updating.broken(
        updating.newer(updating.BROKEN),
        "tremplin_agent/ssh/host.py",
        "from __future__ import annotations",
        "from __future__ import annotations\nimport nowhere",
    )
    updates.offer(content)
    updates.order(host.number)
    row = updates.until_result(host.number, "failed")
    assert row["code"] == "update.cannot_run"
    assert "nowhere" in row["detail"]
    assert updates.site.until_state(host.name, "online")["agent_version"] == OLD


def test_root_owns_what_is_updated_and_the_agents_user_cannot_forge_it(updates: Updating) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    with box() as place:
        name = f"host-{next(_numbers)}"
        directory = place.root / "opt"
        words = ("--user", place.user, "--install-dir", str(directory), "--startup", "none")
        key_info = updates.site.key_info(name)
        done = place.run(
            "--online-install", "--key-info", "-", *words, stdin=key_info, as_root=True
        )
        assert done.returncode == 0, done.stderr
        try:
            record = updates.site.until_state(name, "online")
            _forge(directory, place.user)
            _script(directory, "restart")
            updates.site.until_state(name, "online")
            assert not (directory / "update.json").exists()
            assert str((directory / "lib").readlink()) == f"versions/{OLD}"

            updates.offer(updating.newer())
            updates.order(record["id"])
            updates.until_result(record["id"], "done")
            assert updates.site.until_state(name, "online")["agent_version"] == NEW
            assert {path.owner() for path in directory.rglob("*") if "var" not in path.parts} == {
                "root"
            }
            # The agent's user may not change what runs.
            for path in (directory, directory / "versions", *(directory / "versions").iterdir()):
                assert path.stat().st_mode & 0o022 == 0
        finally:
            subprocess.run(["sh", str(directory / "uninstall")], capture_output=True, check=True)
        assert not directory.exists()


def _script(directory: Path, *words: str) -> None:
    subprocess.run(["sh", str(directory / "init-script"), *words], check=True, capture_output=True)


def _forge(directory: Path, user: str) -> None:
    """Stage, as the agent's user could, an order that somebody else signed."""
    staging = directory / "var" / places.STAGING
    staging.mkdir()
    content = updating.newer()
    order = wire.UpgradeOrder(
        NEW, platform_name(), len(content), hashlib.sha256(content).hexdigest(), 1
    )
    mallory = Identity.generate()
    state = json.loads((directory / "var/state.json").read_text())
    # Even the server's key, as the agent's user may rewrite it, convinces root of nothing.
    state["server_key"] = wire.b64encode(mallory.public_key)
    body = order.body()
    raw = wire.command_bytes("forged", "upgrade", state["client_id"], body)
    signature = wire.b64encode(mallory.sign(raw))
    command = wire.Command("forged", "upgrade", state["client_id"], body, signature)
    (staging / places.ORDER).write_bytes(places.order_text(command))
    (staging / places.PAYLOAD).write_bytes(content)
    for path in (staging, *staging.iterdir()):
        shutil.chown(path, user)


def test_only_the_ordered_agent_gets_the_payload(updates: Updating, host: Host) -> None:
    host.place.script("stop")
    updates.site.until_state(host.name, "offline")
    updates.offer(updating.newer())
    updates.order(host.number)
    digest = hashlib.sha256(updating.newer()).hexdigest()
    path = f"/agent/v1/payload/{digest}"
    forged = wire.b64encode(Identity.generate().sign(b"x"))
    for headers in (
        {},
        {"X-Tremplin-Client": str(host.number)},
        {
            "X-Tremplin-Client": str(host.number),
            "X-Tremplin-Command": "1",
            "X-Tremplin-Signature": forged,
        },
        {"X-Tremplin-Client": "9" * 99, "X-Tremplin-Command": "é", "X-Tremplin-Signature": "é"},
    ):
        encoded = {name: value.encode().decode("latin-1") for name, value in headers.items()}
        assert updates.site.http("GET", path, headers=encoded)[0] == 401
    assert updates.site.http("POST", path, b"")[0] == 405
    # The order waited for it, and a restart of the server changes nothing.
    updates.site.kill()
    updates.site.start()
    assert updates.result(host.number)["state"] == "wanted"
    host.place.script("start")
    updates.until_result(host.number, "done")


def test_a_payload_that_is_replaced_in_the_middle_is_ordered_anew(
    updates: Updating, host: Host
) -> None:
    site = updates.site
    updates.offer(updating.newer())
    with closing(sqlite3.connect(site.directory / "tremplin.db")) as database, database:
        # So slow that a download lasts.
        database.execute(
            "INSERT OR REPLACE INTO setting VALUES ('update_bandwidth', '200000', ?, 'test')",
            ("2026-01-01 00:00:00.000000",),
        )
    until(lambda: site.call("GET", "/update")["bandwidth"] == 200000, "the setting")
    updates.order(host.number)
    staging = host.place.directory / "var/update"
    until(lambda: staging.exists() and list(staging.glob("*.part")), "the download", 30)
    # The order's payload is not there any more when it comes again, after a cut.
    updates.offer(updating.newer("0.2.1"))
    site.kill()
    site.start()
    with closing(sqlite3.connect(site.directory / "tremplin.db")) as database, database:
        database.execute("DELETE FROM setting")
    record = until(
        lambda: found if (found := site.record(host.name)).get("agent_version") != OLD else {},
        "the update",
        90,
    )
    assert record["agent_version"] == NEW or record["agent_version"] == "0.2.1"

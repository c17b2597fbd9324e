"""Passive Jump Clients with the real agent and the real server: resting, waking, leaving."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import pytest

from tests.boxes import PAYLOADS, Box, box
from tests.control_agent import ControlAgent
from tests.integration.agent_site import HEARTBEAT_SECONDS, Site
from tests.integration.test_gateway import run
from tests.serving import free_port, until
from tests.session_agent import STREAM_PATH, Technician, refusal

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(
        tmp_path_factory.mktemp("site"),
        heartbeat_seconds=HEARTBEAT_SECONDS,
        # No test waits for it: what comes in time was woken.
        check_in_seconds=3600,
        wake_port=free_port(),
        limit_active_clients=1,
        payload_dir=PAYLOADS,
    )
    made.init()
    try:
        made.start()
        yield made
    finally:
        made.kill()


@pytest.fixture(scope="module")
def host(site: Site) -> Iterator[Box]:
    """A passive Jump Client that rests."""
    with box() as made:
        done = made.install(
            "--online-install", key_info=site.key_info("host", connection_type="passive")
        )
        assert done.returncode == 0, done.stderr
        until(lambda: site.record("host").get("listening", {}).get("port"), "its first check-in")
        site.until_state("host", "resting")
        yield made


def test_it_says_where_it_listens(site: Site, host: Box) -> None:
    found = site.record("host")
    assert found["connection_type"] == "passive"
    assert found["listening"]["port"] == int(site.environment["TREMPLIN_WAKE_PORT"])
    assert found["listening"]["fault"] == ""
    assert "127.0.0.1" not in found["listening"]["addresses"]


def test_a_wake_up_leads_to_a_prompt(site: Site, host: Box) -> None:
    async def scenario() -> None:
        number = site.record("host")["id"]
        began = time.monotonic()
        async with Technician(site).ssh(number) as ssh:
            done = await ssh.run("echo here", encoding="utf-8")
            took = time.monotonic() - began
            assert done.stdout == "here\n"
        # Two seconds are the aim, and half of one is usual; a crowded machine is slower.
        print(f"wake to prompt: {took:.2f} s")
        assert took < 10

    site.until_state("host", "resting", 60)
    run(scenario())
    assert site.record("host")["state"] == "online"


def test_it_is_made_active_and_passive_again_while_it_runs(site: Site, host: Box) -> None:
    number = site.record("host")["id"]
    site.until_state("host", "resting", 60)
    site.call("PATCH", f"/jump-client/{number}", {"connection_type": "active"})
    site.until_state("host", "online")
    port = int(site.environment["TREMPLIN_WAKE_PORT"])
    until(lambda: not listens(port), "the port of an active one is closed")
    site.call("PATCH", f"/jump-client/{number}", {"connection_type": "passive"})
    found = site.until_state("host", "resting")
    assert found["listening"]["port"] == port
    assert listens(port)


def listens(port: int) -> bool:
    """Return whether somebody answers at this port of the loopback."""
    with socket.socket() as caller:
        caller.settimeout(2)
        return caller.connect_ex(("127.0.0.1", port)) == 0


def test_the_site_has_no_room_for_another_active_one(site: Site, host: Box) -> None:
    async def scenario() -> None:
        other = ControlAgent(site)
        await other.enrol(site.installer(external_id="other"))
        number = site.record("host")["id"]
        path = f"/jump-client/{number}"
        status, refused = site.api("PATCH", path, {"connection_type": "active"})
        assert (status, refused["code"]) == (409, "limit.activate")
        assert site.record("host")["connection_type"] == "passive"
        await other.hang_up()
        site.call("DELETE", f"/jump-client/{other.client_id}")

    run(scenario())


def test_nobody_answers_where_it_was_looked_for(site: Site, host: Box) -> None:
    async def scenario() -> None:
        technician = Technician(site)
        number = site.record("host")["id"]
        site.until_state("host", "resting", 60)
        assert host.script("stop").returncode == 0
        try:
            started = await technician.start(number)
            path = STREAM_PATH + started["session_id"]
            began = time.monotonic()
            status, body = await refusal(site, path, started["ticket"])
            assert time.monotonic() - began < 10
            told = json.loads(body)
            assert (status, told["code"]) == (504, "jump.timeout_connect")
            assert f"127.0.0.1:{site.environment['TREMPLIN_WAKE_PORT']}" in told["message"]
        finally:
            assert host.script("start").returncode == 0

    run(scenario())


def test_a_deleted_one_is_woken_to_go(site: Site, host: Box) -> None:
    until(lambda: listens(int(site.environment["TREMPLIN_WAKE_PORT"])), "it runs again")
    site.until_state("host", "resting", 60)
    site.delete("host")
    until(lambda: not site.waits_for("host"), "the host confirmed", 30)
    until(lambda: not host.directory.exists(), "the agent is gone", 30)

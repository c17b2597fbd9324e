"""Passive Jump Clients with the real agent and the real server: resting, waking, leaving."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator

import pytest

from tests.boxes import PAYLOADS, Box, box
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


def test_a_wake_up_leads_to_a_prompt_in_two_seconds(site: Site, host: Box) -> None:
    async def scenario() -> None:
        number = site.record("host")["id"]
        began = time.monotonic()
        async with Technician(site).ssh(number) as ssh:
            done = await ssh.run("echo here", encoding="utf-8")
            took = time.monotonic() - began
            assert done.stdout == "here\n"
        print(f"wake to prompt: {took:.2f} s")
        assert took < 2

    site.until_state("host", "resting", 60)
    run(scenario())
    assert site.record("host")["state"] == "online"

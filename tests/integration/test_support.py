"""Support sessions with a real server, the real client in a terminal, and a browser's requests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tremplin_server.app import create_app
from tremplin_server.config import load
from tremplin_server.db import Database

from tests import personas
from tests.boxes import PAYLOADS, Box, box, payload
from tests.console import Console
from tests.customer import Customer, stamped
from tests.serving import Server, servers, until
from tests.terminal_page import Page


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    payload()
    with servers(tmp_path_factory.mktemp("support")) as made:
        server = made.start(heartbeat_seconds=2, payload_dir=PAYLOADS)
        database: Database = create_app(load(server.environment)).extensions["tremplin"]
        personas.people(database)
        personas.add_user(database, "zoe")
        yield server


@pytest.fixture
def place() -> Iterator[Box]:
    with box() as made:
        yield made


@pytest.fixture
def zoe(server: Server) -> Console:
    return Console.of(server, "zoe")


@pytest.fixture
def customers(place: Box) -> Iterator[list[Customer]]:
    made: list[Customer] = []
    yield made
    for customer in made:
        customer.kill()


def program(server: Server, place: Box, key: str, name: str = "support.bin") -> Path:
    path = place.root / name
    path.write_bytes(stamped(server, key))
    return path


def new_session(server: Server, **values: object) -> tuple[int, str]:
    made = server.made("/support-session", values)
    return made["id"], made["session_key"]


def state(server: Server, support_id: int) -> str:
    return str(server.api("GET", f"/support-session/{support_id}")[1]["state"])


@pytest.fixture
def attended(
    server: Server, place: Box, zoe: Console, customers: list[Customer]
) -> tuple[int, Customer]:
    """A session that zoe has taken, whose customer allows everything."""
    support_id, key = new_session(server)
    customer = Customer(place, program(server, place, key))
    customers.append(customer)
    customer.sees("in the queue")
    until(lambda: state(server, support_id) == "waiting", "the customer in the queue")
    assert zoe.post(f"/console/support/{support_id}/take").status == 302
    for _ in range(3):
        customer.sees("[y/N]")
        customer.type("y")
    until(lambda: state(server, support_id) == "active", "the customer's answer")
    return support_id, customer


def test_a_session_from_its_key_to_its_end(
    server: Server, zoe: Console, attended: tuple[int, Customer]
) -> None:
    support_id, customer = attended

    async def shell() -> None:
        page = Page(zoe, server)
        told = await page.open(f"/console/support/{support_id}/terminal")
        assert told["type"] == "opened", told
        await page.type("echo he''llo; id -un\n")
        await page.until("hello")
        await asyncio.to_thread(customer.sees, "zoe opens a terminal")
        await page.type("exit\n")

    asyncio.run(shell())
    assert zoe.post(f"/console/support/{support_id}/say", text="good day").status == 302
    customer.sees("zoe: good day")
    customer.type("hello to you")

    def heard() -> bool:
        return b"hello to you" in zoe.get(f"/console/support/{support_id}/side").body

    until(heard, "the customer's line")
    customer.type("/end")
    assert customer.end() == 0
    assert customer.leftovers() == []
    until(lambda: state(server, support_id) == "ended", "the end")
    kept = server.api("GET", f"/support-session/{support_id}")[1]
    assert kept["end_code"] == "support.customer_ended"

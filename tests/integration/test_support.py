"""Support sessions with a real server, the real client in a terminal, and a browser's requests."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

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


# --- consent ------------------------------------------------------------------------------


def opened(zoe: Console, support_id: int) -> tuple[int, str]:
    """Ask for a terminal's ticket; status and code of the answer."""
    answer = zoe.post(f"/console/support/{support_id}/terminal", reason="")
    return answer.status, "" if answer.status == 200 else answer.code


def last_end(server: Server) -> str:
    return str(server.api("GET", "/session?front=terminal")[1][0]["end_code"])


def test_nothing_is_done_before_the_customer_says_so_nor_after_he_takes_it_back(
    server: Server, place: Box, zoe: Console, customers: list[Customer]
) -> None:
    support_id, key = new_session(server, permissions=["shell", "files"])
    assert opened(zoe, support_id) == (403, "support.not_in")
    assert zoe.post(f"/console/support/{support_id}/take").status == 302
    assert state(server, support_id) == "open"
    customer = Customer(place, program(server, place, key), language="fr_FR.UTF-8")
    customers.append(customer)
    customer.sees("file d'attente")
    until(lambda: state(server, support_id) == "waiting", "the customer in the queue")
    zoe.post(f"/console/support/{support_id}/take")
    customer.sees("[o/N]")
    assert opened(zoe, support_id) == (409, "support.no_answer")
    customer.type("o")
    customer.sees("[o/N]")
    customer.type("n")
    customer.sees("Vous autorisez : voir cet ordinateur")
    until(lambda: state(server, support_id) == "active", "the answer")

    async def shell() -> None:
        page = Page(zoe, server)
        await page.open(f"/console/support/{support_id}/terminal")
        await page.type("echo re''ady\n")
        await page.until("ready")
        await asyncio.to_thread(customer.type, "/retirer")
        await page.ending()

    asyncio.run(shell())
    # SSH says goodbye before the reason is here; what is kept has it in the end.
    until(lambda: last_end(server) == "session.withdrawn", "the reason of the end")
    assert opened(zoe, support_id) == (403, "support.not_granted")
    asked = zoe.post(f"/console/support/{support_id}/files/open", reason="")
    assert asked.code == "support.not_granted"
    customer.press(b"\x03")
    assert customer.end() == 0
    assert customer.leftovers() == []


def test_a_session_policy_holds_in_a_support_session(
    server: Server, zoe: Console, place: Box, attended: tuple[int, Customer]
) -> None:
    """What the customer allows is not all: the site keeps shells and uploads back."""
    support_id, customer = attended
    root = f"/console/support/{support_id}/files/"
    there = place.root / "there"
    there.write_bytes(b"12345")
    there.chmod(0o644)
    kept_back = {"allow_shell": False, "allow_exec": False, "allow_upload": False}
    try:
        assert server.api("PATCH", "/session-policy/2", kept_back)[0] == 200
        assert opened(zoe, support_id) == (403, "session.not_granted")
        assert zoe.post(root + "open", reason="").status == 200
        address = urlencode({"path": quote(str(there))})
        assert zoe.get(f"{root}content?{address}").body == b"12345"
        refused = zoe.ask("PUT", f"{root}content?{address}&overwrite=1", b"6")
        assert refused.status == 403, refused.body
        assert there.read_bytes() == b"12345"
        # A session of one way only is one with the customer's files: it ends with his word.
        customer.type("/stop")
        over = "/session?front=files"
        until(lambda: server.api("GET", over)[1][0]["state"] == "ended", "the end of the files")
        assert server.api("GET", over)[1][0]["end_code"] == "session.withdrawn"
    finally:
        everything = dict.fromkeys(kept_back, True)
        assert server.api("PATCH", "/session-policy/2", everything)[0] == 200


def test_a_key_is_for_one_customer_and_what_a_killed_client_leaves_is_swept(
    server: Server, place: Box, zoe: Console, customers: list[Customer]
) -> None:
    _, key = new_session(server)
    path = program(server, place, key)
    first = Customer(place, path)
    customers.append(first)
    first.sees("in the queue")
    second = Customer(place, path, language="fr")
    customers.append(second)
    second.sees("Quelqu'un d'autre")
    assert second.end() == 1
    assert len(first.leftovers()) == 1
    first.kill()
    until(lambda: not place.agents(), "the end of what was below it")
    wrong = Customer(place, program(server, place, "", "site.bin"), "--session-key", "acd efg hjk")
    customers.append(wrong)
    wrong.sees("no such session key")
    assert wrong.end() == 1
    assert wrong.leftovers() == []


def test_a_typed_key_and_a_terminated_client(
    server: Server, place: Box, customers: list[Customer]
) -> None:
    support_id, key = new_session(server)
    site = program(server, place, "", "site.bin")
    customer = Customer(place, site, "--session-key=")
    customers.append(customer)
    customer.sees("Session key:")
    customer.type(key.lower().replace("-", " "))
    customer.sees("in the queue")
    os.kill(customer.process.pid, signal.SIGTERM)
    assert customer.end() == 0
    assert customer.leftovers() == []
    until(lambda: state(server, support_id) == "ended", "the end")


def test_another_client_takes_over_when_sudo_starts_it(
    server: Server, place: Box, zoe: Console, customers: list[Customer]
) -> None:
    """This machine has no sudo: a program in its place starts what it is told to, or refuses.

    What rights the new client has is sudo's own business.
    """
    tools = place.root / "tools"
    tools.mkdir()
    sudo = tools / "sudo"
    sudo.write_text('#!/bin/sh\nread -r word\n[ "$word" = right ] || exit 1\nshift\nexec "$@"\n')
    sudo.chmod(0o755)
    support_id, key = new_session(server)
    path = {"PATH": f"{tools}:/usr/local/bin:/usr/bin:/bin"}
    customer = Customer(place, program(server, place, key), environment=path)
    customers.append(customer)
    customer.sees("in the queue")
    until(lambda: state(server, support_id) == "waiting", "the customer in the queue")
    zoe.post(f"/console/support/{support_id}/take")
    for _ in range(3):
        customer.sees("[y/N]")
        customer.type("y")
    until(lambda: state(server, support_id) == "active", "the customer's answer")
    for word, sees in (("wrong", "were not given"), ("right", "rights now")):
        zoe.post(f"/console/support/{support_id}/elevate")
        customer.sees("administrator's rights on this computer")
        customer.sees("[y/N]")
        customer.type("y")
        customer.type(word)
        customer.sees(sees)
    customer.sees("in the queue")
    assert opened(zoe, support_id)[0] == 200, "what was granted is granted still"
    zoe.post(f"/console/support/{support_id}/say", text="still there?")
    customer.sees("zoe: still there?")
    customer.type("/end")
    assert customer.end() == 0
    assert customer.leftovers() == []


# --- several technicians --------------------------------------------------------------------


def side(console: Console, support_id: int) -> str:
    return console.get(f"/console/support/{support_id}/side").body.decode()


def test_a_session_is_shared_and_handed_over(
    server: Server, zoe: Console, attended: tuple[int, Customer]
) -> None:
    support_id, customer = attended
    path = f"/console/support/{support_id}"
    max_ = Console.of(server, "technician")
    assert "support-chat" not in side(max_, support_id)
    assert max_.post(f"{path}/say", text="hi").code == "support.not_in"
    zoe.post(f"{path}/share", technician="technician", how="invite")
    max_.post(f"{path}/join")
    customer.sees("technician has come in")
    assert opened(max_, support_id)[0] == 200
    zoe.post(f"{path}/share", technician="technician", how="transfer")
    customer.sees("technician takes over")
    assert zoe.post(f"{path}/say", text="hi").code == "support.not_in"
    max_.post(f"{path}/end")
    customer.sees("over")
    assert customer.end() == 0
    assert customer.leftovers() == []
    auditor = Console.of(server, "auditor")
    assert "support-chat" in side(auditor, support_id)
    assert auditor.post(f"{path}/take").status == 403


# --- attaching ------------------------------------------------------------------------------


def pin(server: Server, console: Console, support_id: int, **values: str) -> None:
    group = f"shared:{server.group()}"
    asked = {"jump_group": group, "tag": "", "name": "", "comments": "", **values}
    assert console.post(f"/console/support/{support_id}/pin", **asked).status == 302


def flashed(console: Console, support_id: int) -> str:
    return console.get(f"/console/support/{support_id}").body.decode()


def outcome(console: Console, support_id: int) -> str:
    found = re.search(r'<dd id="pin-state">(.*?)</dd>', side(console, support_id))
    return found.group(1) if found else ""


def test_attaching_and_every_reason_why_not(
    server: Server, zoe: Console, attended: tuple[int, Customer]
) -> None:
    support_id, customer = attended
    admin = Console.of(server, "administrator")
    zoe.post(f"/console/support/{support_id}/share", technician="administrator", how="invite")
    admin.post(f"/console/support/{support_id}/join")

    early, _key = new_session(server)
    pin(server, admin, early)
    assert "no customer in the support session" in flashed(admin, early)

    pin(server, admin, support_id)
    customer.sees("wants to install a Jump Client")
    customer.sees("[y/N]")
    pin(server, admin, support_id)
    assert "waiting for the customer already" in flashed(admin, support_id)
    customer.type("n")
    until(lambda: "refused" in outcome(admin, support_id), "the refusal")

    pin(server, admin, support_id, tag="support", name="Pinned", comments="by hand")
    customer.sees("wants to install a Jump Client")
    customer.sees("[y/N]")
    customer.type("y")
    customer.sees("The Jump Client is installed", 60)
    until(lambda: "Attached" in outcome(admin, support_id), "the Jump Client")
    (client,) = [c for c in server.api("GET", "/jump-client")[1] if c["name"] == "Pinned"]
    assert (client["tag"], client["comments"]) == ("support", "by hand")
    pin(server, admin, support_id)
    assert "attached as a Jump Client already" in flashed(admin, support_id)
    customer.type("/end")
    assert customer.end() == 0
    pin(server, admin, support_id)
    assert "no customer" in flashed(admin, support_id)
    installed = customer.box.home / ".local/share/tremplin-jump-client"
    assert customer.leftovers() == [".local"]
    assert (installed / "install.json").exists()
    done = customer.box.run("--quiet", program=installed / "uninstall")
    assert done.returncode == 0, done.stderr

"""A terminal whose page comes back at another server than the one that has its shell."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from tremplin_server.app import create_app
from tremplin_server.config import load

from tests import personas, postgres
from tests.boxes import box
from tests.conftest import dispose
from tests.console import Console
from tests.integration.test_gateway import run
from tests.serving import Server, servers, until
from tests.terminal_page import Page

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def pair(
    postgres_cluster: postgres.Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Server]]:
    """Two servers of one site."""
    postgres_cluster.create("terminals")
    shared = {
        "database_url": postgres_cluster.url("terminals"),
        "heartbeat_seconds": 2,
        "secret_key": "one for all servers of a site",
    }
    with servers(tmp_path_factory.mktemp("site")) as made:
        first = made.start(**shared)
        second = made.make(**shared)
        shutil.copytree(first.directory / "tls", second.directory / "tls")
        second.start()
        app = create_app(load(first.environment))
        personas.people(app.extensions["tremplin"])
        dispose(app)
        yield [first, second]
    postgres_cluster.drop("terminals")


def test_it_comes_back_wherever_it_lands(pair: list[Server]) -> None:
    first, second = pair
    with box() as place:
        key_info = first.installer(external_id="host").encode()
        done = place.install("--online-install", key_info=key_info)
        assert done.returncode == 0, done.stderr

        def number() -> int:
            found = first.api("GET", "/jump-client?external_id=host")[1]
            return int(found[0]["id"]) if found and found[0]["state"] == "online" else 0

        address = f"/console/clients/{until(number, 'the Jump Client', 20)}/terminal"
        console = Console.of(first, "administrator")

        async def scenario() -> None:
            for began in pair:
                page = Page(console, began)
                await page.open(address)
                await page.type("stty -echo; PS1=; echo re''ady\n")
                await page.until("ready")
                for turn, server in enumerate((second, first, second)):
                    page.cut()
                    page.server = server
                    assert (await page.come_back())["type"] == "attached"
                    await page.type(f"seq 1 50000; echo turn-{turn}-$((2*21))\n")
                    await page.until(f"turn-{turn}-42")
                assert page.output.count(b"\n50000\r\n") == 3
                await page.type("exit 4\n")
                assert (await page.ending())["status"] == 4

        run(scenario())

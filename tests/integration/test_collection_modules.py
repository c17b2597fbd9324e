"""The collection's modules, run by Ansible itself against a server over TLS."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tremplin_server import pki
from tremplin_server.accounts import programs
from tremplin_server.app import create_app
from tremplin_server.clock import SystemClock
from tremplin_server.config import Config
from tremplin_server.db import Database
from tremplin_server.installers.payload import SLOT_BYTES
from tremplin_server.permissions import Role, system_actor
from werkzeug.serving import make_server

from tests.conftest import SECRET_KEY, dispose
from tests.personas import add_user
from tests.stage import Stage

CHECKOUT = Path(__file__).parents[2]
COLLECTION = CHECKOUT / "ansible_collection"
EXAMPLES = COLLECTION / "docs" / "examples"
PLAYS = Path(__file__).parent / "collection_plays"
BIN = Path(sys.executable).parent
SECONDS = 120

Play = Callable[..., str]


@dataclass(frozen=True)
class Served:
    """A server that answers over TLS, and its database."""

    config: Config
    database: Database
    environment: dict[str, str]


@pytest.fixture
def served(sqlite_url: str, tmp_path: Path) -> Iterator[Served]:
    payloads = tmp_path / "payload"
    payloads.mkdir()
    slot = b'#!/bin/sh\nTREMPLIN_KEY_INFO="' + b"@" * SLOT_BYTES + b'"\n'
    (payloads / "tremplin-scc-linux-64.bin").write_bytes(slot)
    config = Config(
        data_dir=tmp_path / "site",
        database_url=sqlite_url,
        secret_key=SECRET_KEY,
        payload_dir=payloads,
    )
    config.data_dir.mkdir()
    app = create_app(config, SystemClock())
    site = pki.site_pki(config)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(site.certificate_path, site.key_path)
    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=context)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    database: Database = app.extensions["tremplin"]
    yield Served(
        replace(config, port=server.server_port),
        database,
        {
            "TREMPLIN_URL": f"https://localhost:{server.server_port}",
            "TREMPLIN_CA_PATH": str(config.data_dir / "tls" / "ca.pem"),
            **credentials(database),
        },
    )
    server.shutdown()
    thread.join()
    server.server_close()
    dispose(app)


def credentials(database: Database) -> dict[str, str]:
    with database.work(system_actor()) as work:
        account, secret = programs.create(work, name="ansible")
        return {"TREMPLIN_CLIENT_ID": account.client_id, "TREMPLIN_CLIENT_SECRET": secret}


@pytest.fixture
def play(served: Served, tmp_path: Path) -> Play:
    link = tmp_path / "collections" / "ansible_collections" / "tremplin" / "jump"
    link.parent.mkdir(parents=True)
    link.symlink_to(COLLECTION)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TREMPLIN_", "ANSIBLE_"))}
    environment = {
        **kept,
        **served.environment,
        "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections"),
        "ANSIBLE_HOME": str(tmp_path / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
        "ANSIBLE_NOCOWS": "1",
        "ANSIBLE_FORCE_COLOR": "0",
    }

    def run(playbook: Path | str, *words: str, **variables: object) -> str:
        facts = {"directory": str(tmp_path), **variables}
        done = subprocess.run(
            [BIN / "ansible-playbook", playbook, "-e", json.dumps(facts), *words],
            env=environment,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


def test_jump_groups(play: Play, served: Served) -> None:
    add_user(served.database, "technician")
    add_user(served.database, "auditor", Role.AUDITOR)
    play(PLAYS / "groups.yml")


def test_installers(play: Play, served: Served) -> None:
    stage = Stage(served.database)
    output = play(PLAYS / "installers.yml", group=stage.group.name)
    assert "key_info" not in output


def test_jump_clients(play: Play, served: Served) -> None:
    stage = Stage(served.database)
    stage.online(stage.installer(external_id="web1"), fingerprint="1" * 64)
    for number in ("2", "3"):
        stage.online(stage.installer(name="twin"), fingerprint=number * 64)
    play(PLAYS / "clients.yml", other_group=stage.new_group().name)
    assert [record.name for record in stage.records()] == ["twin"]


def test_the_examples(play: Play, served: Served, tmp_path: Path) -> None:
    play(EXAMPLES / "groups.yml", tremplin_api_url=served.environment["TREMPLIN_URL"])
    play(EXAMPLES / "installers.yml", batch_directory=str(tmp_path))
    stage = Stage(served.database)
    agent = stage.online(stage.installer(external_id="old.example.net"))
    play(EXAMPLES / "rename.yml")
    record = stage.record(agent.client_id)
    assert record is not None
    assert record.external_id == "new.example.net"
    output = play(EXAMPLES / "drift.yml", "-i", str(EXAMPLES / "inventory.yml"))
    assert "web1.example.net" in output


def test_machines_that_are_gone_are_decommissioned(play: Play, served: Served) -> None:
    stage = Stage(served.database)
    for number, key in enumerate(("gone1", "gone2", "kept")):
        stage.online(stage.installer(external_id=key), fingerprint=str(number) * 64)
    book = "tremplin.jump.decommission"
    assert "changed=1" in play(book, external_ids="gone1,gone2")
    assert "changed=0" in play(book, external_ids="gone1,gone2")
    assert [t.closed_at for t in stage.tombstones()] == [None, None]
    assert "changed=1" in play(book, external_ids=["gone1", "gone2"], confirm_gone=True)
    assert all(t.closed_by == "hand" for t in stage.tombstones())
    assert [record.external_id for record in stage.records()] == ["kept"]

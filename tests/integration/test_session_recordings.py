"""Recordings: taken from agents, shown to who may, forgotten in time; and sessions' API."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from tremplin_agent import wire
from tremplin_server.cli import main
from tremplin_server.clients import service as clients
from tremplin_server.config import Config
from tremplin_server.db import Database
from tremplin_server.errors import Denied, NotFound
from tremplin_server.groups import service as groups
from tremplin_server.permissions import system_actor
from tremplin_server.sessions import recordings
from tremplin_server.sessions.host_keys import ssh_public_key
from werkzeug.test import TestResponse

from tests.conftest import MovableClock
from tests.integration.test_session_service import ASKED, KEY, events, join, session, start
from tests.personas import Api, People, api_of
from tests.stage import Agent, Stage

CAST = b"""{"version": 2, "width": 80, "height": 24}
[0.5, "o", "hello \\r\\n"]
[12.25, "r", "100x30"]
"""


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


@pytest.fixture
def agent(stage: Stage) -> Agent:
    return stage.online()


def upload(
    app: Flask,
    agent: Agent,
    session_id: str,
    body: bytes,
    number: int = 1,
    *,
    signed: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> TestResponse:
    digest = hashlib.sha256(body if signed is None else signed).digest()
    signature = agent.key.sign(wire.recording_bytes(session_id, number, digest))
    given = {
        "X-Tremplin-Client": str(agent.client_id),
        "X-Tremplin-Signature": wire.b64encode(signature),
    }
    path = f"{wire.RECORDING_PATH}{session_id}/{number}"
    return app.test_client().put(path, data=body, headers={**given, **(headers or {})})


def code(answer: TestResponse) -> tuple[int, str]:
    body = answer.json if answer.is_json else None
    return answer.status_code, str(body["code"]) if body else ""


def kept(config: Config) -> list[str]:
    directory = config.effective_recordings_dir
    return sorted(path.name for path in directory.iterdir()) if directory.exists() else []


def test_a_recording_is_taken_once_and_shown(
    app: Flask, api: Api, stage: Stage, agent: Agent, config: Config
) -> None:
    session_id = start(stage, agent).session_id
    packed = gzip.compress(CAST)
    assert upload(app, agent, session_id, packed).status_code == 204
    assert upload(app, agent, session_id, packed).status_code == 204
    assert kept(config) == [f"{session_id}.1.cast.gz"]
    assert (config.effective_recordings_dir / f"{session_id}.1.cast.gz").stat().st_mode & 0o77 == 0
    (listed,) = api.get(f"/session/{session_id}/recording").json
    assert listed == {
        "number": 1,
        "size": len(packed),
        "duration_seconds": 12.25,
        "columns": 80,
        "rows": 24,
        "sha256": hashlib.sha256(packed).hexdigest(),
        "stored_at": "2026-11-22T12:00:00+00:00",
    }
    path = f"/session/{session_id}/recording/1"
    plain = api.get(path)
    assert plain.data == CAST
    assert plain.mimetype == "application/x-asciicast"
    squeezed = api.get(path, headers={"Accept-Encoding": "gzip"})
    assert squeezed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(squeezed.data) == CAST
    assert code(api.get(f"/session/{session_id}/recording/2")) == (404, "session.no_recording")
    assert code(api.get(f"/session/{'f' * 32}/recording/1")) == (404, "session.missing")


def test_what_is_not_signed_by_the_session_s_host_is_refused(
    app: Flask, stage: Stage, agent: Agent, config: Config
) -> None:
    session_id = start(stage, agent).session_id
    other = stage.online(fingerprint="e" * 64)
    packed = gzip.compress(CAST)
    assert code(upload(app, agent, session_id, packed, signed=b"other"))[0] == 401
    assert code(upload(app, agent, session_id, packed, headers={"X-Tremplin-Client": "x"})) == (
        401,
        "enrol.bad_proof",
    )
    assert code(upload(app, agent, session_id, packed, headers={"X-Tremplin-Signature": ""})) == (
        401,
        "enrol.bad_proof",
    )
    assert code(upload(app, other, session_id, packed)) == (404, "session.missing")
    assert code(upload(app, agent, "f" * 32, packed)) == (404, "session.missing")
    assert code(upload(app, agent, session_id, packed, number=100)) == (404, "session.missing")
    assert kept(config) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no gzip",
        gzip.compress(b""),
        gzip.compress(b"[]\n"),
        gzip.compress(b'{"version": 1, "width": 80, "height": 24}\n'),
        gzip.compress(b'{"version": 2, "width": 0, "height": 24}\n'),
        gzip.compress(CAST)[:-9],
        gzip.compress(CAST + b"nonsense\n"),
        gzip.compress(CAST + b"cut in the mid"),
        gzip.compress(b'{"version": 2, "width": 80, "height": 24}\n' + b"x" * 100_000_000),
    ],
    ids=range(10),
)
def test_what_is_no_recording_is_refused_for_good(
    app: Flask, stage: Stage, agent: Agent, config: Config, body: bytes
) -> None:
    session_id = start(stage, agent).session_id
    assert code(upload(app, agent, session_id, body)) == (409, "session.recording_damaged")
    assert kept(config) == []


def test_a_recording_larger_than_the_limit_is_refused(
    app: Flask, stage: Stage, agent: Agent, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "_LEAST_LIMIT", 1000)
    small = Stage(replace(stage.database, config=replace(config, session_recording_mb=0)))
    app.extensions["tremplin"] = small.database
    session_id = start(small, agent).session_id
    assert code(upload(app, agent, session_id, b"x" * 70_000)) == (413, "request.too_large")
    assert kept(config) == []


def test_the_recording_of_a_client_that_is_gone_is_not_taken(
    app: Flask, stage: Stage, agent: Agent
) -> None:
    session_id = start(stage, agent).session_id
    with stage.database.work(system_actor()) as work:
        clients.delete(work, agent.client_id)
    answer = upload(app, agent, session_id, gzip.compress(CAST))
    assert code(answer) == (410, "session.recording_gone")


def test_only_its_technician_and_auditors_see_a_recording(
    app: Flask, stage: Stage, agent: Agent, people: People
) -> None:
    join(stage, people.technician)
    join(stage, people.outsider)
    session_id = start(stage, agent, people.technician).session_id
    upload(app, agent, session_id, gzip.compress(CAST))

    def look(actor: Any) -> Path:
        with stage.database.work(actor) as work:
            return recordings.open_file(work, session_id, 1)

    assert look(people.technician) == look(people.auditor) == look(people.administrator)
    readers = [e.actor_name for e in events(stage) if e.action == "session.recording_read"]
    assert readers == ["auditor", "administrator"]
    with pytest.raises(Denied):
        look(people.outsider)
    with stage.database.work(system_actor()) as work:
        groups.remove_member(work, stage.group.id, people.outsider.id)
    with pytest.raises(NotFound):
        look(people.outsider)


def test_recordings_are_forgotten_in_time(
    app: Flask, stage: Stage, agent: Agent, config: Config, clock: MovableClock
) -> None:
    session_id = start(stage, agent).session_id
    upload(app, agent, session_id, gzip.compress(CAST))
    clock.forward(days=180)
    with stage.database.work(system_actor()) as work:
        assert recordings.expire(work) == 0
    clock.forward(seconds=1)
    with stage.database.work(system_actor()) as work:
        assert recordings.expire(work) == 1
    assert kept(config) == []
    assert session(stage, session_id)


# --- the API and the command of sessions ------------------------------------------------


def test_a_session_is_started_listed_and_ended_over_the_api(
    make_app: Callable[..., Flask], stage: Stage, agent: Agent
) -> None:
    app = make_app(public_urls=("https://jump.example",), session_ports=(80,))
    api = api_of(app)
    body = {"public_keys": [KEY], "reason": "update", "capabilities": ["exec"], "ports": [80]}
    answer = api.post(f"/jump-client/{agent.client_id}/session", body)
    assert answer.status_code == 201
    made = answer.json
    assert answer.headers["Location"].endswith(f"/session/{made['session_id']}")
    assert made["stream_url"] == f"wss://jump.example/session/v1/stream/{made['session_id']}"
    assert made["host_key"] == ssh_public_key(agent.public_key)
    assert made["expires_at"] == "2026-11-22T12:00:30+00:00"
    (listed,) = api.get(f"/session?client_id={agent.client_id}&state=starting").json
    assert listed == api.get(f"/session/{made['session_id']}").json
    assert made["ticket"] not in json.dumps(listed)
    assert (
        listed.items()
        >= {
            "id": made["session_id"],
            "client_id": agent.client_id,
            "client_name": "web1",
            "user": "program",
            "user_id": None,
            "user_kind": "api_account",
            "front": "stream",
            "state": "starting",
            "reason": "update",
            "capabilities": ["exec"],
            "ports": [],
            "end_code": "",
            "opened_at": None,
            "bytes_to_host": 0,
        }.items()
    )
    ended = api.post(f"/session/{made['session_id']}/end", {"reason": "done"})
    assert (ended.json["state"], ended.json["end_code"]) == ("ended", "session.stopped")
    assert api.get("/session?state=starting").json == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "public_keys"),
        ({"public_keys": []}, "public_keys"),
        ({"public_keys": ["nothing that is a key"]}, "public_keys"),
        ({"public_keys": [KEY], "capabilities": ["root"]}, "capabilities"),
        ({"public_keys": [KEY], "ports": [0]}, "ports"),
    ],
)
def test_a_bad_body_is_told_by_field(
    api: Api, agent: Agent, body: dict[str, Any], field: str
) -> None:
    answer = api.post(f"/jump-client/{agent.client_id}/session", body)
    assert answer.status_code == 422
    assert list(answer.json["errors"]) == [field]


def test_refusals_have_their_status(api: Api, stage: Stage, agent: Agent) -> None:
    def ask(**headers: str) -> TestResponse:
        return api.post(
            f"/jump-client/{agent.client_id}/session", {"public_keys": [KEY]}, headers=headers
        )

    for _ in range(20):
        assert ask().status_code == 201
    busy = ask(**{"Accept-Language": "fr"})
    assert code(busy) == (503, "jump.busy")
    assert "trop occupé" in busy.json["message"]
    assert busy.headers["Retry-After"]
    stage.disconnect(agent)
    assert code(ask()) == (409, "client.offline")
    answer = api.post("/jump-client/999/session", {"public_keys": [KEY]})
    assert code(answer) == (404, "client.missing")


def test_the_command_lists_shows_ends_and_plays(
    app: Flask, stage: Stage, agent: Agent, config: Config, tmp_path: Path
) -> None:
    session_id = start(stage, agent, asked=replace(ASKED, reason="by hand")).session_id
    upload(app, agent, session_id, gzip.compress(CAST))
    environment = {
        "TREMPLIN_DATA_DIR": str(config.data_dir),
        "TREMPLIN_DATABASE_URL": config.database_url,
        "TREMPLIN_SECRET_KEY": config.secret_key,
    }

    def run(*words: str) -> str:
        result = CliRunner().invoke(main, ["session", *words], env=environment)
        assert result.exit_code == 0, result.output
        return result.output

    assert session_id in run("list", "--state", "starting")
    assert json.loads(run("show", session_id, "--json"))["reason"] == "by hand"
    assert json.loads(run("recording", session_id, "--json"))[0]["columns"] == 80
    target = tmp_path / "terminal.cast"
    run("recording", session_id, "1", "--output", str(target))
    assert target.read_bytes() == CAST
    assert "session.stopped" in run("end", session_id)
    assert run("list", "--state", "starting") == "none\n"

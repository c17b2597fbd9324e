"""The API of installers, their downloads and the generic payloads."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from tremplin_agent.wire import KeyInfo
from tremplin_server.config import Config
from tremplin_server.db import Database
from werkzeug.test import TestResponse

from tests.conftest import MovableClock
from tests.personas import Api, api_of
from tests.stage import Agent, Stage

PAYLOAD = b'#!/bin/sh\nTREMPLIN_KEY_INFO="' + b"@" * 1536 + b'"\n' + bytes(range(256)) * 2048


@pytest.fixture
def config(config: Config, tmp_path: Path) -> Config:
    """With the payload of one platform."""
    directory = tmp_path / "payload"
    directory.mkdir()
    (directory / "tremplin-scc-linux-64.bin").write_bytes(PAYLOAD)
    return replace(config, payload_dir=directory)


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


def test_an_installer_from_its_making_to_its_end(
    api: Api, stage: Stage, clock: MovableClock
) -> None:
    wanted = {
        "jump_group_id": stage.group.id,
        "name": "web",
        "tag": "blue",
        "valid_duration": 60,
        "max_uses": 2,
        "allow_override_tag": True,
        "max_offline_minutes": 30,
        "support_button_profile_code_name": "ignored",
    }
    answer = api.post("/jump-client/installer", wanted)
    assert answer.status_code == 201, answer.text
    made = answer.json
    where = f"/jump-client/installer/{made['id']}"
    assert answer.headers["Location"].endswith(where)
    assert re.fullmatch("[0-9a-f]{32}", made["installer_id"])
    assert made["expiration_timestamp"] == "2026-11-22T13:00:00+00:00"
    assert made["key_info"]["filename"] == f"tremplin-scc-{made['installer_id']}.bin"
    assert KeyInfo.decode(made["key_info"]["encodedInfo"]).installer_id == made["installer_id"]

    shown = api.get(where).json
    assert shown == {k: v for k, v in made.items() if k != "key_info"}, "the key is told once"
    assert (shown["uses"], shown["max_uses"], shown["created_by"]) == (0, 2, "program")
    assert "jump_policy_id" not in shown

    agent = Agent(made["key_info"]["encodedInfo"], overrides={"tag": "red"})
    stage.enrol(agent)
    [use] = api.get(f"{where}/usage").json
    assert (use["client_id"], use["code"], use["overrides"]) == (
        agent.client_id,
        "",
        {"tag": "red"},
    )
    assert api.get(where).json["uses"] == 1

    extended = api.patch(where, {"valid_duration": 120, "max_uses": 5}).json
    assert (extended["expiration_timestamp"], extended["max_uses"]) == (
        "2026-11-22T14:00:00+00:00",
        5,
    )
    revoked = api.post(f"{where}/revoke", {"reason": "leaked"}).json
    assert revoked["revoked_at"] == "2026-11-22T12:00:00+00:00"
    late = api.patch(where, {"max_uses": 9})
    assert (late.status_code, late.json["code"]) == (409, "installer.revoked")
    assert api.delete(where).status_code == 204
    assert api.get(where).status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("jump_group_id", "1"),
        ("jump_group_id", 999),
        ("valid_duration", 9),
        ("valid_duration", 525_601),
        ("valid_duration", "60"),
        ("name", "x" * 129),
        ("tag", "x" * 65),
        ("comments", "x" * 1025),
        ("attended_session_policy_id", 1),
        ("jump_policy_id", 999),
        ("allow_override_tag", "yes"),
        ("connection_type", "uninstalled"),
        ("recipients", "nobody"),
        ("max_uses", 0),
    ],
)
def test_wrong_values(api: Api, stage: Stage, field: str, value: object) -> None:
    body = {"jump_group_id": stage.group.id, field: value}
    answer = api.post("/jump-client/installer", body)
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])


def test_the_group_is_needed(api: Api) -> None:
    answer = api.post("/jump-client/installer", {"name": "web"})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["jump_group_id"])


def test_the_list_is_filtered_and_paged(api: Api, stage: Stage) -> None:
    for number in range(6):
        stage.installer(tag="blue" if number else "red")
    answer = api.get("/jump-client/installer?per_page=5")
    assert len(answer.json) == 5
    assert answer.headers["X-BT-Pagination-Total"] == "6"
    assert len(api.get("/jump-client/installer?tag=red").json) == 1
    assert len(api.get("/jump-client/installer?usable=true").json) == 6
    assert api.get("/jump-client/installer?hostname=web1").json == []
    assert api.get("/jump-client/installer?jump_group_type=x").status_code == 422


def test_a_stamped_download_holds_the_key_info(api: Api, stage: Stage) -> None:
    made = stage.installer()
    where = f"/jump-client/installer/{made.installer.installer_id}/linux-64"
    answer = api.get(where)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/x-executable"
    assert answer.headers["Cache-Control"] == "no-store"
    name = f"tremplin-scc-{made.installer.installer_id}.bin"
    assert answer.headers["Content-Disposition"] == f"attachment; filename={name}"
    assert len(answer.data) == int(answer.headers["Content-Length"]) == len(PAYLOAD)
    assert f'TREMPLIN_KEY_INFO="{made.key_info} '.encode() in answer.data
    head = api.call("HEAD", where)
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == str(len(PAYLOAD))
    assert stage.actions().count("installer.downloaded") == 2


def test_a_download_ends_with_the_installer(api: Api, stage: Stage, clock: MovableClock) -> None:
    made, revoked = stage.installer(valid_duration=10), stage.installer()
    api.post(f"/jump-client/installer/{revoked.installer.id}/revoke")
    clock.forward(minutes=10)

    def refusal(installer_id: str, platform: str = "linux-64") -> tuple[int, str]:
        answer = api.get(f"/jump-client/installer/{installer_id}/{platform}")
        return answer.status_code, answer.json["code"]

    assert refusal(made.installer.installer_id) == (409, "install.key_expired")
    assert refusal(revoked.installer.installer_id) == (409, "installer.revoked")
    assert refusal("0" * 32) == (404, "request.not_found")
    good = stage.installer().installer.installer_id
    assert refusal(good, "linux-arm64") == (503, "installer.payload_missing")
    assert refusal(good, "amiga") == (404, "request.not_found")


def test_a_download_needs_the_right_to_deploy(app: Flask, stage: Stage) -> None:
    made = stage.installer()
    where = f"/jump-client/installer/{made.installer.installer_id}/linux-64"
    assert Api(app, None).get(where).status_code == 401
    for rights in ({"perm_command": "read_only"}, {"perm_configuration": False}):
        answer = api_of(app, str(rights), **rights).get(where)
        assert answer.status_code == 403, rights


def test_another_secret_key_cannot_read_what_was_sealed(
    make_app: Callable[..., Flask], stage: Stage
) -> None:
    made = stage.installer()
    other = api_of(make_app(secret_key="another"))
    answer = other.get(f"/jump-client/installer/{made.installer.installer_id}/linux-64")
    assert (answer.status_code, answer.json["code"]) == (409, "installer.secret_lost")


def test_generic_payloads(api: Api) -> None:
    sha256 = hashlib.sha256(PAYLOAD).hexdigest()
    [found] = api.get("/jump-client/payload").json
    assert found.items() >= {"platform": "linux-64", "size": len(PAYLOAD), "sha256": sha256}.items()
    with api.get("/jump-client/payload/linux-64") as answer:
        assert (answer.status_code, answer.data) == (200, PAYLOAD)
        assert answer.headers["X-Tremplin-SHA256"] == sha256
        tag = answer.headers["ETag"]
    with api.get("/jump-client/payload/linux-64", headers={"If-None-Match": tag}) as again:
        assert again.status_code == 304
    assert api.get("/jump-client/payload/linux-arm64").status_code == 503
    assert api.get("/jump-client/payload/amiga").status_code == 404


SLOT = b'TREMPLIN_KEY_INFO="' + b"@" * 1536 + b'"\n'


def pe(signed: bool) -> bytes:
    """Return the beginnings of an EXE of ours, with or without a signature in it."""
    head = bytearray(b"MZ" + bytes(1022))
    head[60:64] = (128).to_bytes(4, "little")
    directory = 128 + 24 + 112 + 32
    head[directory : directory + 8] = b"\1" * 8 if signed else bytes(8)
    return bytes(head) + SLOT + b'\nTREMPLIN_VERSION="7.8.9"\n' + bytes(300_000)


MSI = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(262_144 - 18) + b'\nTREMPLIN_VERSION="7.8.9"\n'


def post(api: Api, platform: str, body: bytes, query: str = "") -> TestResponse:
    return api.call("POST", f"/jump-client/payload/{platform}{query}", data=body)


def test_an_upload_is_offered(api: Api, stage: Stage) -> None:
    sha256 = hashlib.sha256(MSI).hexdigest()
    answer = post(api, "windows-64-msi", MSI, f"?sha256={sha256.upper()}")
    assert answer.status_code == 200, answer.data
    assert answer.json == {
        "platform": "windows-64-msi", "version": "7.8.9", "size": len(MSI), "sha256": sha256,
    }  # fmt: skip
    assert stage.uploads() == ["windows-64-msi"]
    made = stage.installer(platform="windows-64-msi")
    where = f"/jump-client/installer/{made.installer.installer_id}/windows-64-msi"
    found = api.get(where)
    assert found.data == MSI, "an MSI is never changed: its signature would not survive it"
    assert f"{made.installer.installer_id}.msi" in found.headers["Content-Disposition"]


@pytest.mark.parametrize("signed", [False, True])
def test_only_an_unsigned_exe_is_stamped(api: Api, stage: Stage, signed: bool) -> None:
    assert post(api, "windows-64", pe(signed)).json["version"] == "7.8.9"
    made = stage.installer()
    where = f"/jump-client/installer/{made.installer.installer_id}/windows-64"
    found = api.get(where).data
    assert len(found) == len(pe(signed))
    assert (found == pe(signed)) is signed
    assert (made.key_info.encode() in found) is not signed


def test_what_is_no_installer_is_not_taken(app: Flask, api: Api, tmp_path: Path) -> None:
    before = sorted(path.name for path in (tmp_path / "payload").iterdir())
    assert post(api, "windows-64-msi", b"#!/bin/sh\n").status_code == 422
    assert post(api, "windows-64-msi", MSI, "?sha256=00").status_code == 422
    assert post(api, "amiga", MSI).status_code == 404
    lesser = api_of(app, "lesser", perm_configuration=False)
    assert post(lesser, "windows-64-msi", MSI).status_code == 403
    assert Api(app, None).call("POST", "/jump-client/payload/windows-64-msi").status_code == 401
    assert sorted(path.name for path in (tmp_path / "payload").iterdir()) == before


ENDPOINTS = [
    ("/jump-client/installer", {"GET", "POST"}),
    ("/jump-client/installer/1", {"GET", "PATCH", "DELETE"}),
    ("/jump-client/installer/1/revoke", {"POST"}),
    ("/jump-client/installer/1/usage", {"GET"}),
    ("/jump-client/payload", {"GET"}),
    ("/jump-client/payload/linux-64", {"GET", "POST"}),
    (f"/jump-client/installer/{'0' * 32}/linux-64", {"GET"}),
]


@pytest.mark.parametrize(("where", "methods"), ENDPOINTS)
def test_methods(api: Api, where: str, methods: set[str]) -> None:
    allowed = {m.strip() for m in api.call("OPTIONS", where).headers["Allow"].split(",")}
    assert allowed - {"HEAD", "OPTIONS"} == methods
    assert api.call("PUT", where).status_code == 405


@pytest.mark.parametrize(("where", "methods"), ENDPOINTS)
def test_who_is_refused(app: Flask, where: str, methods: set[str]) -> None:
    outsider = api_of(app, "outsider", perm_configuration=False)
    reader = api_of(app, "reader", perm_command="read_only")
    for method in methods:
        body = {"jump_group_id": 1}
        assert Api(app, None).call(method, where, json=body).status_code == 401
        assert outsider.call(method, where, json=body).status_code == 403
        if method != "GET":
            assert reader.call(method, where, json=body).status_code == 403

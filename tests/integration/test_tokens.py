"""OAuth2 client credentials: how programs sign in, and what stops them."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from flask import Flask
from tremplin_server.accounts import programs, tokens
from tremplin_server.accounts.models import ApiAccount
from tremplin_server.db import Database
from tremplin_server.errors import Invalid
from tremplin_server.permissions import system_actor
from werkzeug.test import TestResponse

from tests.conftest import MovableClock
from tests.personas import Api, api_of

SYSTEM = system_actor()
GRANT = {"grant_type": "client_credentials"}


@pytest.fixture
def account(database: Database) -> tuple[ApiAccount, str]:
    with database.work(SYSTEM) as work:
        return programs.create(work, name="program")


def ask(app: Flask, **options: Any) -> TestResponse:
    return app.test_client().post("/oauth2/token", **options)


def test_every_way_of_sending_the_credentials(app: Flask, account: tuple[ApiAccount, str]) -> None:
    client_id, secret = account[0].client_id, account[1]
    credentials = {"client_id": client_id, "client_secret": secret, **GRANT}
    basic = b64encode(f"{client_id}:{secret}".encode()).decode()
    for options in (
        {"auth": (client_id, secret), "data": GRANT},
        {"data": credentials},
        {"json": credentials},
        {"headers": {"Authorization": f"Basic {basic}"}, "json": GRANT},
    ):
        answer = ask(app, **options)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.json["token_type"] == "Bearer"
        assert answer.json["expires_in"] == 3600
        assert Api(app, answer.json["access_token"]).get("/jump-group").status_code == 200


@pytest.mark.parametrize(
    ("options", "status", "error"),
    [
        ({}, 400, "invalid_request"),
        ({"data": {"grant_type": "password"}}, 400, "unsupported_grant_type"),
        ({"json": [1]}, 400, "invalid_request"),
        ({"data": GRANT}, 401, "invalid_client"),
        ({"data": GRANT, "auth": ("nobody", "nothing")}, 401, "invalid_client"),
        ({"data": GRANT, "headers": {"Authorization": "Basic ???"}}, 401, "invalid_client"),
    ],
)
def test_refusals(app: Flask, options: dict[str, Any], status: int, error: str) -> None:
    answer = ask(app, **options)
    assert (answer.status_code, answer.json["error"]) == (status, error)
    assert {"message", "code"} <= answer.json.keys()


def test_a_token_ends_after_an_hour(app: Flask, clock: MovableClock) -> None:
    api = api_of(app)
    clock.forward(seconds=3599)
    assert api.get("/jump-group").status_code == 200
    clock.forward(seconds=1)
    answer = api.get("/jump-group")
    assert answer.status_code == 401
    assert answer.json["error"] == "access_denied"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_thirty_tokens_live_at_once(database: Database, account: tuple[ApiAccount, str]) -> None:
    made = []
    for _ in range(31):
        with database.work(SYSTEM) as work:
            made.append(tokens.issue(work, account[0].client_id, account[1], "").token)
    with database.work(SYSTEM) as work:
        with pytest.raises(Exception, match="valid access token"):
            tokens.actor_of_token(work, made[0], "")
        for token in made[1:]:
            assert tokens.actor_of_token(work, token, "").name == "program"


def test_wrong_secrets_lock_the_account(
    app: Flask, database: Database, account: tuple[ApiAccount, str], clock: MovableClock
) -> None:
    for _ in range(database.config.sign_in_attempts):
        assert ask(app, data=GRANT, auth=(account[0].client_id, "wrong")).status_code == 401
    good = {"data": GRANT, "auth": (account[0].client_id, account[1])}
    assert ask(app, **good).json["code"] == "auth.locked"
    clock.forward(minutes=database.config.sign_in_lock_minutes, seconds=1)
    assert ask(app, **good).status_code == 200


def test_a_new_secret_ends_the_old_one_and_its_tokens(app: Flask, api: Api) -> None:
    account = api.get("/api-account").json[0]
    renewed = api.post(f"/api-account/{account['id']}/secret")
    assert renewed.status_code == 200
    assert api.get("/jump-group").status_code == 401
    again = ask(app, data=GRANT, auth=(account["client_id"], renewed.json["client_secret"]))
    assert again.status_code == 200


def test_a_disabled_account_is_refused_at_once(database: Database, app: Flask) -> None:
    api = api_of(app)
    with database.work(SYSTEM) as work:
        programs.update(work, programs.named(work, "program").id, {"enabled": False})
    assert api.get("/jump-group").json["code"] == "auth.disabled"


def test_addresses_that_may_call(app: Flask) -> None:
    api = api_of(app, ip_addresses="127.0.0.0/8, 2001:db8::/32")
    inside = {"environ_base": {"REMOTE_ADDR": "2001:db8::7"}}
    mapped = {"environ_base": {"REMOTE_ADDR": "::ffff:127.0.0.9"}}
    outside = {"environ_base": {"REMOTE_ADDR": "192.0.2.1"}}
    assert api.get("/jump-group", **inside).status_code == 200
    assert api.get("/jump-group", **mapped).status_code == 200
    answer = api.get("/jump-group", **outside)
    assert (answer.status_code, answer.json["code"]) == (403, "auth.address")


def test_an_allow_list_must_be_one(database: Database) -> None:
    with pytest.raises(Invalid) as caught, database.work(SYSTEM) as work:
        programs.create(work, name="program", ip_addresses="10.0.0.0/8 nonsense")
    assert "ip_addresses" in caught.value.fields


def test_secrets_are_not_stored(account: tuple[ApiAccount, str]) -> None:
    assert account[1] not in repr(vars(account[0]))


def test_a_read_only_account_reads(app: Flask) -> None:
    api = api_of(app, perm_command="read_only")
    assert api.get("/jump-group").status_code == 200
    assert api.post("/jump-group", {"name": "Lab"}).status_code == 403


@pytest.mark.parametrize("rights", [{"perm_command": "deny"}, {"perm_configuration": False}])
def test_an_account_without_rights_is_refused(app: Flask, rights: dict[str, Any]) -> None:
    answer = api_of(app, **rights).get("/jump-group")
    assert (answer.status_code, answer.json["code"]) == (403, "auth.denied")

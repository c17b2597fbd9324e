"""The people and programs of the tests.

administrator, technician and auditor are what their roles say. The outsider has an account
but no place anywhere: it is there to be refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from tremplin_server.accounts import programs, service
from tremplin_server.accounts.models import User
from tremplin_server.db import Database
from tremplin_server.permissions import Actor, Role, system_actor
from tremplin_server.rest import API_PREFIX
from werkzeug.test import TestResponse

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class People:
    """Actors, each of a user with that name and PASSWORD."""

    administrator: Actor
    technician: Actor
    auditor: Actor
    outsider: Actor


def add_user(database: Database, username: str, role: Role = Role.TECHNICIAN) -> User:
    """Add a user with PASSWORD."""
    with database.work(system_actor()) as work:
        return service.create(work, username=username, password=PASSWORD, role=role)


def people(database: Database) -> People:
    """Add the four people."""
    roles = {"administrator": Role.ADMINISTRATOR, "auditor": Role.AUDITOR}
    names = ("administrator", "technician", "auditor", "outsider")
    return People(
        **{
            name: service.actor_of_user(
                add_user(database, name, roles.get(name, Role.TECHNICIAN)), "192.0.2.1"
            )
            for name in names
        }
    )


class Api:
    """Calls the API of `app` as a program. Paths are below the API's prefix."""

    def __init__(self, app: Flask, token: str | None) -> None:
        self.client: FlaskClient = app.test_client()
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def call(self, method: str, path: str, **options: Any) -> TestResponse:
        """Send a request; options as of werkzeug's test client."""
        headers = {**self.headers, **options.pop("headers", {})}
        return self.client.open(API_PREFIX + path, method=method, headers=headers, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.call("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> TestResponse:
        return self._send("POST", path, {} if body is None else body, **options)

    def patch(self, path: str, body: Any, **options: Any) -> TestResponse:
        return self._send("PATCH", path, body, **options)

    def _send(self, method: str, path: str, body: Any, **options: Any) -> TestResponse:
        # The plain json module writes even what is no valid text, which must be refused.
        options = {"data": json.dumps(body), "content_type": "application/json", **options}
        return self.call(method, path, **options)

    def delete(self, path: str, **options: Any) -> TestResponse:
        return self.call("DELETE", path, **options)


def api_of(app: Flask, name: str = "program", **rights: Any) -> Api:
    """Add an API account and return what calls the API with a token of it."""
    database: Database = app.extensions["tremplin"]
    with database.work(system_actor()) as work:
        account, secret = programs.create(work, name=name, **rights)
    answer = app.test_client().post(
        "/oauth2/token",
        auth=(account.client_id, secret),
        data={"grant_type": "client_credentials"},
    )
    assert answer.status_code == 200, answer.text
    return Api(app, answer.json["access_token"])

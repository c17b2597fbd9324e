"""The contract of the field, and a site with something in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from openapi_core import OpenAPI
from openapi_core.contrib.werkzeug import WerkzeugOpenAPIResponse
from openapi_core.testing import MockRequest
from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.models import JumpClient
from tremplin_server.db import Database
from tremplin_server.permissions import system_actor
from werkzeug.test import TestResponse

from tests.personas import Api, add_user


@dataclass(frozen=True)
class Site:
    """Ids of one of everything. bare: a client that has enrolled and said nothing yet."""

    group: int
    user: int
    installer: int
    installer_id: str
    client: int
    bare: int
    shortcut: int


class Contract:
    """Holds answers against the facts in subset.yaml."""

    def __init__(self) -> None:
        text = Path(__file__).with_name("subset.yaml").read_text("utf-8")
        self.document = yaml.safe_load(text)
        self._openapi = OpenAPI.from_dict(self.document)

    def check(self, answer: TestResponse) -> TestResponse:
        """Raise what is wrong with `answer`: status, headers, media type or body."""
        sent = answer.request
        # Only method and path count; the body of the request was read by the application.
        request = MockRequest(sent.host_url, sent.method.lower(), sent.path)
        self._openapi.validate_response(request, WerkzeugOpenAPIResponse(answer))
        return answer


@pytest.fixture(scope="session")
def contract() -> Contract:
    return Contract()


@pytest.fixture
def site(api: Api, database: Database) -> Site:
    group = api.post("/jump-group", {"name": "Lab"}).json["id"]
    user = add_user(database, "zoe").id
    api.post(f"/jump-group/{group}/user", {"user_id": user})
    installer = api.post("/jump-client/installer", {"jump_group_id": group}).json
    with database.work(system_actor()) as work:
        now = work.now()
        bare = JumpClient(
            public_key=b"b" * 32,
            fingerprint="b" * 64,
            name="bare",
            shared_group_id=group,
            created_at=now,
            updated_at=now,
        )
        full = JumpClient(
            public_key=b"f" * 32,
            fingerprint="f" * 64,
            name="full",
            owner_user_id=user,
            state=State.OFFLINE,
            external_id="host.example.org",
            tag="tag",
            comments="comments",
            jump_policy_id=1,
            attended_session_policy_id=2,
            unattended_session_policy_id=2,
            hostname="host",
            fqdn="host.example.org",
            operating_system="Debian 12",
            platform="linux-64",
            public_ip="192.0.2.7",
            private_ip="10.0.0.7",
            console_user="zoe",
            install_mode="service",
            max_offline_minutes=60,
            created_at=now,
            updated_at=now,
            last_connect=now - timedelta(days=2),
            last_disconnect=now - timedelta(days=1),
            last_seen=now - timedelta(days=1),
            last_access=now - timedelta(days=1),
        )
        work.session.add_all([bare, full])
        work.session.flush()
    shortcut = api.post(
        "/jump-item/remote-rdp",
        {
            "name": "desk",
            "hostname": "desk.example.org",
            "jumpoint_id": full.id,
            "jump_group_id": group,
            "tag": "office",
        },
    ).json["id"]
    return Site(group, user, installer["id"], installer["installer_id"], full.id, bare.id, shortcut)

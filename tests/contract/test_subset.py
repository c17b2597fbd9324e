"""Our answers, held against the field's contract by a validator."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openapi_core.exceptions import OpenAPIError
from tremplin_server.clients import copies
from tremplin_server.clients import service as clients
from tremplin_server.errors import CATALOGUE
from tremplin_server.groups import item_fields
from tremplin_server.groups.models import JumpItemRole
from tremplin_server.permissions import ItemPermission
from tremplin_server.shortcuts import service as shortcuts

from tests.contract.conftest import Contract, Site
from tests.personas import Api

LISTS = (
    "/jump-client",
    "/jump-client?per_page=5&current_page=2",
    "/jump-client?name=FULL&jump_group_type=personal",
    "/jump-client/installer",
    "/jump-group",
    "/jump-group?code_name=lab",
    "/jump-group/{group}/user",
    "/jump-item-role",
    "/jump-item-role?name=TECHNICIAN",
    "/jump-policy",
    "/jump-policy?code_name=DEFAULT",
    "/session-policy",
    "/user",
    "/user?username=zoe",
    "/api-account",
    "/jump-item/remote-rdp",
    "/jump-item/remote-rdp?name=DESK&hostname=desk.example.org&jumpoint_id={client}&tag=office",
    "/jump-item/remote-rdp?jump_group_type=shared&jump_group_id={group}&endpoint_id=1",
)
ONES = (
    "/jump-client/{client}",
    "/jump-client/{bare}",
    "/jump-client/installer/{installer}",
    "/jump-group/{group}",
    "/jump-group/{group}/user/{user}",
    "/jump-item-role/1",
    "/jump-policy/1",
    "/jump-policy/1/schedule",
    "/user/{user}",
    "/api-account/1",
    "/jump-item/remote-rdp/{shortcut}",
)
MISSING = (
    "/jump-client/999",
    "/jump-client/installer/999",
    "/jump-group/999",
    "/jump-group/999/user",
    "/jump-item-role/999",
    "/jump-policy/999",
    "/jump-policy/999/schedule",
    "/user/999",
    "/api-account/999",
    "/jump-item/remote-rdp/999",
)
CHANGES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/jump-client/{client}", {"tag": "other", "jump_policy_id": None, "comments": ""}),
    ("/jump-client/{bare}", {"name": "named", "max_offline_minutes": 0}),
    ("/jump-group/{group}", {"comments": None}),
    ("/jump-group/{group}/user/{user}", {"jump_item_role_id": 2}),
    ("/jump-group/{group}/user/{user}", {"jump_item_role_id": None}),
    ("/jump-policy/1", {"schedule_enabled": True, "schedule_strict": True}),
    ("/jump-policy/1", {"simultaneous_jumps": "join", "ticket_id_required": True}),
    ("/user/{user}", {"public_display_name": "Zoé", "failed_logins": 0}),
    ("/user/{user}", {"password_expiration": "2030-01-01T00:00:00Z"}),
    ("/jump-item/remote-rdp/{shortcut}", {"quality": "lossless", "session_policy_id": None}),
    ("/jump-item/remote-rdp/{shortcut}", {"jumpoint_id": 2, "console": True, "domain": ""}),
)
INVALID: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("PATCH", "/jump-client/{client}", {"name": ""}),
    ("PATCH", "/jump-client/{client}", {"attended_session_policy_id": 1}),
    ("PATCH", "/jump-client/{client}", {"jump_group_id": "1"}),
    ("POST", "/jump-client/installer", {}),
    ("POST", "/jump-client/installer", {"jump_group_id": 999}),
    ("POST", "/jump-client/installer", {"jump_group_id": 1, "valid_duration": 9}),
    ("POST", "/jump-client/installer", {"jump_group_id": 1, "tag": "x" * 65}),
    ("POST", "/jump-group", {}),
    ("PATCH", "/jump-group/{group}", {"code_name": "no spaces"}),
    ("POST", "/jump-group/{group}/user", {"user_id": 999}),
    ("POST", "/jump-policy", {}),
    ("PATCH", "/jump-policy/1", {"schedule_strict": True}),
    ("PATCH", "/jump-policy/1", {"simultaneous_jumps_rdp": "join"}),
    ("PATCH", "/user/{user}", {"failed_logins": 1}),
    ("POST", "/jump-item/remote-rdp", {}),
    ("POST", "/jump-item/remote-rdp", {"name": "a", "hostname": "b", "jump_group_id": 1}),
    ("PATCH", "/jump-item/remote-rdp/{shortcut}", {"jumpoint_id": 999}),
    ("PATCH", "/jump-item/remote-rdp/{shortcut}", {"hostname": "desk\r\nalternate shell:s:x"}),
    ("PATCH", "/jump-item/remote-rdp/{shortcut}", {"rdp_username": "a\nb"}),
    ("PATCH", "/jump-item/remote-rdp/{shortcut}", {"quality": "best"}),
    ("PATCH", "/jump-item/remote-rdp/{shortcut}", {"session_policy_id": 1}),
    ("POST", "/jump-item/remote-rdp/{shortcut}/copy", {"name": "copy"}),
)


def filled(path: str, site: Site) -> str:
    return path.format(**{name: getattr(site, name) for name in site.__dataclass_fields__})


@pytest.mark.parametrize("path", LISTS)
def test_lists(contract: Contract, api: Api, site: Site, path: str) -> None:
    answer = contract.check(api.get(filled(path, site)))
    assert answer.status_code == 200
    paging = [name for name in dict(answer.headers) if name.startswith("X-BT-Pagination-")]
    assert len(paging) == 4
    assert 'rel="first"' in answer.headers["Link"]
    assert 'rel="last"' in answer.headers["Link"]


def test_roles_have_the_permissions_of_the_contract(
    contract: Contract, api: Api, site: Site
) -> None:
    """The copies of the names: contract, our enumeration, API, table, words of the refusals."""
    schema = contract.document["components"]["schemas"]["JumpItemRole"]
    names = {name for name in schema["properties"] if name.startswith("perm_")}
    assert {permission.value for permission in ItemPermission} == names
    assert {name for name in api.get("/jump-item-role/1").json if name.startswith("perm_")} == names
    columns = JumpItemRole.__table__.columns.keys()
    assert {name for name in columns if name.startswith("perm_")} == names
    codes = {code.removeprefix("role.") for code in CATALOGUE if code.startswith("role.perm_")}
    assert codes == names
    made = api.post("/jump-item-role", {"name": "Nothing"}).json
    defaults = {name: schema["properties"][name]["default"] for name in names}
    assert {name: made[name] for name in names} == defaults


def test_every_property_of_a_jump_item_asks_for_a_permission() -> None:
    kept = {*clients.EDITABLE, *copies.EDITABLE, *shortcuts.EDITABLE}
    owner = {"shared_group_id", "owner_user_id"}
    assert set(item_fields.NEEDS) == kept | owner | {"jump_group_type", "jump_group_id"}


@pytest.mark.parametrize("path", ONES)
def test_one(contract: Contract, api: Api, site: Site, path: str) -> None:
    assert contract.check(api.get(filled(path, site))).status_code == 200


@pytest.mark.parametrize("path", MISSING)
def test_404(contract: Contract, api: Api, site: Site, path: str) -> None:
    assert contract.check(api.get(path)).status_code == 404


@pytest.mark.parametrize(("path", "body"), CHANGES)
def test_changes(contract: Contract, api: Api, site: Site, path: str, body: dict[str, Any]) -> None:
    answer = contract.check(api.patch(filled(path, site), body))
    assert answer.status_code == 200, answer.text
    again = contract.check(api.get(filled(path, site)))
    assert again.json == answer.json


@pytest.mark.parametrize(("method", "path", "body"), INVALID)
def test_422(
    contract: Contract, api: Api, site: Site, method: str, path: str, body: dict[str, Any]
) -> None:
    send = api.post if method == "POST" else api.patch
    answer = contract.check(send(filled(path, site), body))
    assert answer.status_code == 422, answer.text
    assert answer.json["errors"]


def test_an_installers_life(contract: Contract, api: Api, site: Site) -> None:
    everything = {
        "name": "name",
        "jump_group_id": site.group,
        "jump_group_type": "shared",
        "jump_policy_id": 1,
        "tag": "tag",
        "connection_type": "active",
        "attended_session_policy_id": 2,
        "unattended_session_policy_id": None,
        "comments": "comments",
        "valid_duration": 10,
        "elevate_install": False,
        "elevate_prompt": False,
        "customer_client_start_mode": "minimized",
        "allow_override_jump_group": True,
        "allow_override_name": True,
    }
    made = contract.check(api.post("/jump-client/installer", everything))
    assert made.status_code == 201
    assert len(made.json["installer_id"]) == 32
    assert made.json["key_info"]["encodedInfo"]
    later = contract.check(api.get(f"/jump-client/installer/{made.json['id']}"))
    assert "encodedInfo" not in later.json.get("key_info", {})
    for name, value in everything.items():
        if name != "valid_duration":
            assert later.json.get(name) == value, name
    gone = contract.check(api.delete(f"/jump-client/installer/{made.json['id']}"))
    assert (gone.status_code, gone.data) == (204, b"")


def test_a_shortcuts_life(contract: Contract, api: Api, site: Site) -> None:
    everything = {
        "name": "Accounts",
        "jumpoint_id": site.client,
        "hostname": "accounts.example.org",
        "jump_group_id": site.user,
        "jump_group_type": "personal",
        "quality": "performance",
        "console": True,
        "ignore_untrusted": True,
        "tag": "tag",
        "comments": "comments",
        "rdp_username": "zoe",
        "domain": "EXAMPLE",
        "jump_policy_id": 1,
        "session_policy_id": 2,
    }
    made = contract.check(api.post("/jump-item/remote-rdp", everything))
    assert made.status_code == 201
    assert made.headers["Location"].endswith(f"/jump-item/remote-rdp/{made.json['id']}")
    assert {name: made.json[name] for name in everything} == everything
    place = {"name": "Copy", "jump_group_id": site.group, "jump_group_type": "shared"}
    copied = contract.check(api.post(f"/jump-item/remote-rdp/{made.json['id']}/copy", place))
    assert copied.status_code == 200
    copy = api.get(f"/jump-item/remote-rdp/{copied.json['destId']}").json
    assert {name: copy[name] for name in everything} == {**everything, **place}
    gone = contract.check(api.delete(f"/jump-item/remote-rdp/{made.json['id']}"))
    assert (gone.status_code, gone.data) == (204, b"")


def test_a_shortcut_connects_directly_only_when_that_is_said(api: Api, site: Site) -> None:
    body = {"name": "Direct", "hostname": "desk", "jump_group_id": site.group}
    assert api.post("/jump-item/remote-rdp", body).json["errors"].keys() == {"jumpoint_id"}
    made = api.post("/jump-item/remote-rdp", {**body, "jumpoint_id": None})
    assert (made.status_code, made.json["jumpoint_id"]) == (201, None)


def test_deleting(contract: Contract, api: Api, site: Site) -> None:
    for path in (
        f"/jump-item/remote-rdp/{site.shortcut}",
        f"/jump-client/{site.client}",
        f"/jump-client/{site.bare}",
        f"/jump-group/{site.group}/user/{site.user}",
        f"/jump-group/{site.group}",
        f"/user/{site.user}",
    ):
        answer = contract.check(api.delete(path))
        assert (answer.status_code, answer.data) == (204, b""), answer.text
        assert contract.check(api.delete(path)).status_code == 404


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("JumpClient", "/jump-client/{client}"),
        ("JumpGroup", "/jump-group/{group}"),
        ("JumpPolicy", "/jump-policy/1"),
        ("Schedule", "/jump-policy/1/schedule"),
        ("RemoteRdpJumpItem", "/jump-item/remote-rdp/{shortcut}"),
    ],
)
def test_every_field_is_there(
    contract: Contract, api: Api, site: Site, schema: str, path: str
) -> None:
    """What scripts read must exist, except what belongs to products that this one lacks."""
    wanted = set(contract.document["components"]["schemas"][schema]["properties"])
    lacking = {name for name in wanted if name.startswith(("support_button", "public_site"))}
    assert wanted - lacking <= api.get(filled(path, site)).json.keys()


def test_every_operation_exists(contract: Contract, api: Api, site: Site) -> None:
    values = {"id": 1, "user_id": 1, "installer_id": "0" * 32, "platform": "linux-64"}
    for path, operations in contract.document["paths"].items():
        allowed = api.call("OPTIONS", path.format(**values)).headers["Allow"]
        assert {method.upper() for method in operations} <= set(allowed.split(", ")), path


@pytest.mark.parametrize(
    ("status", "body"), [(200, [{"id": "1"}]), (200, [{"name": ""}]), (200, {}), (418, [])]
)
def test_the_validator_notices(contract: Contract, api: Api, status: int, body: Any) -> None:
    answer = api.get("/jump-group")
    answer.status_code = status
    answer.set_data(json.dumps(body))
    with pytest.raises(OpenAPIError):
        contract.check(answer)

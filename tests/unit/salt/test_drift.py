"""The Salt half against the Ansible half and the table of parameters: nothing drifts apart."""

from __future__ import annotations

import ast
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible_collections.tremplin.jump.plugins.module_utils import client as ansible_client
from ansible_collections.tremplin.jump.plugins.module_utils import errors as ansible_errors
from ansible_collections.tremplin.jump.plugins.modules import installer, jump_client
from tremplin_agent.parameters import PARAMETERS
from tremplin_core import client, deeds, errors, transport

from tests.unit.salt.conftest import COLLECTION, FORMULA

URL = "https://server.test:8443"
Loader = Callable[..., ModuleType]


def test_the_shared_rules_are_the_collections() -> None:
    done = subprocess.run(
        [FORMULA.parent / ".ci" / "salt-shared", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


# --- the same requests, the same answers ------------------------------------------------------


class Server:
    """A transport that answers from a table and writes down what was asked."""

    def __init__(self, answers: dict[tuple[str, str], Any]) -> None:
        self.answers = answers
        self.seen: list[tuple[str, str, Any]] = []

    def __call__(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None = None
    ) -> transport.Response:
        if url.endswith("/oauth2/token"):
            return transport.Response(200, {}, b'{"access_token": "t", "expires_in": 3600}')
        path = url.removeprefix(URL + "/api/config/v1")
        if method != "GET":
            self.seen.append((method, path, json.loads(body) if body else None))
        answer = self.answers.get((method, path.split("?")[0]))
        if answer is None and method == "GET":
            return transport.Response(404, {}, b'{"message": "no", "code": "client.missing"}')
        return transport.Response(200, {}, json.dumps(answer).encode())


class Module:
    """What the collection's functions take of an AnsibleModule."""

    def __init__(self, **params: Any) -> None:
        names = (
            "id", "external_id", "name", "tag", "comments", "jump_group", "jump_policy",
            "session_policy", "attended_session_policy", "unattended_session_policy",
            "connection_type", "max_offline_minutes", "ephemeral", "pinned_forever",
            "jump_group_id", "jump_group_type", "valid_duration", "max_uses", "on_duplicate",
            "allow_takeover", "allow_overrides", "platform", "installer_id",
        )  # fmt: skip
        self.params = dict.fromkeys(names) | {"wait": False, "confirm_gone": False} | params
        self.check_mode = False


RECORD = {"id": 7, "external_id": "web1", "name": "web", "tag": "old", "state": "online"}
GROUP = {"id": 3, "name": "Servers", "code_name": "servers"}
TOMB = {"id": 4, "client_id": 7, "external_id": "web1"}
KEY = {"id": 9, "installer_id": "ab", "external_id": "web1", "max_uses": 1}
FOUND: dict[tuple[str, str], Any] = {
    ("GET", "/jump-client"): [RECORD],
    ("GET", "/jump-group"): [GROUP],
    ("GET", "/jump-client/tombstone"): [TOMB],
    ("GET", "/jump-client/installer"): [KEY],
    ("PATCH", "/jump-client/7"): RECORD,
    ("POST", "/jump-client/installer"): {"installer_id": "cd", "key_info": {"encodedInfo": "k"}},
}
CASES: dict[str, tuple[Any, Any]] = {
    "properties change in place": (
        lambda c: jump_client.present(Module(external_id="web1", tag="new", name="web"), c),
        lambda c: deeds.change(c, {"tag": "new", "name": "web"}, external_id="web1"),
    ),
    "a group by its code name": (
        lambda c: jump_client.present(
            Module(external_id="web1", jump_group="jumpgroup:servers"), c
        ),
        lambda c: deeds.change(c, {"jump_group": "jumpgroup:servers"}, external_id="web1"),
    ),
    "nothing differs": (
        lambda c: jump_client.present(Module(external_id="web1", tag="old"), c),
        lambda c: deeds.change(c, {"tag": "old"}, external_id="web1"),
    ),
    "deleted, and confirmed": (
        lambda c: jump_client.absent(
            Module(external_id="web1", reason="why", confirm_gone=True), c
        ),
        lambda c: deeds.delete(c, "why", confirm_gone=True, external_id="web1"),
    ),
    "what the host confirmed": (
        lambda c: jump_client.confirmed_gone(Module(id=7, external_id="web1"), c),
        lambda c: deeds.confirm_gone(c, 7, "web1"),
    ),
    "a key for one machine": (
        lambda c: installer.present(
            Module(
                external_id="web1", supersede=True, max_uses=1, on_duplicate="replace",
                valid_duration=10, platform="linux-64", jump_group="Servers", tag="t",
            ),
            c,
        ),
        lambda c: deeds.make_key(
            c, "web1", "linux-64", {"jump_group": "Servers", "tag": "t"}, None, 10
        ),
    ),
    "a key under the record's group": (
        lambda c: installer.present(
            Module(
                external_id="web1", supersede=True, max_uses=1, on_duplicate="replace",
                valid_duration=10, platform="linux-64", jump_group_id=3,
                jump_group_type="shared",
            ),
            c,
        ),
        lambda c: deeds.make_key(
            c, "web1", "linux-64", {}, {"id": 3, "type": "shared"}, 10
        ),
    ),
    "its keys go": (
        lambda c: installer.absent(Module(external_id="web1"), c),
        lambda c: deeds.drop_keys(c, "web1"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_both_halves_ask_the_same(case: str) -> None:
    theirs, ours = Server(FOUND), Server(FOUND)
    ansible, salt = CASES[case]
    answer = ansible(ansible_client.Client(URL, "id", "secret", theirs))
    result = salt(client.Client(URL, "id", "secret", ours))
    assert ours.seen == theirs.seen
    if isinstance(result, dict) and "changed" in result:
        assert result["changed"] == answer["changed"]
        assert result["diff"] == answer["diff"]


FAILURES: dict[str, tuple[Any, Any]] = {
    "no record": (
        lambda c: jump_client.present(Module(external_id="web9", tag="t"), c),
        lambda c: deeds.change(c, {"tag": "t"}, external_id="web9"),
    ),
    "no group": (
        lambda c: jump_client.present(Module(external_id="web1", jump_group="Nowhere"), c),
        lambda c: deeds.change(c, {"jump_group": "Nowhere"}, external_id="web1"),
    ),
    "no group for a key": (
        lambda c: installer.present(Module(external_id="web1", supersede=True), c),
        lambda c: deeds.make_key(c, "web1", "linux-64", {}),
    ),
}


@pytest.mark.parametrize("case", FAILURES)
def test_both_halves_say_the_same(case: str) -> None:
    ansible, salt = FAILURES[case]
    with pytest.raises(ansible_errors.TremplinError) as theirs:
        ansible(ansible_client.Client(URL, "id", "secret", Server(FOUND)))
    with pytest.raises(errors.TremplinError) as ours:
        salt(client.Client(URL, "id", "secret", Server(FOUND)))
    assert str(ours.value) == str(theirs.value)


def messages(path: Path) -> set[str]:
    """Return the texts, without what is filled in, of the errors that a module raises."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in (
            "TremplinError", "Untrusted", "Unreachable", "TimedOut",
        ):  # fmt: skip
            parts = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
            found.add(" ".join(str(part).strip() for part in parts))
    return found


def test_the_transport_says_the_same() -> None:
    theirs = messages(COLLECTION / "plugins" / "module_utils" / "transport.py")
    assert theirs <= messages(FORMULA / "_utils" / "tremplin_core" / "transport.py")


def test_waiting_says_the_same() -> None:
    theirs = messages(COLLECTION / "plugins" / "module_utils" / "api_module.py")
    assert theirs <= messages(FORMULA / "_utils" / "tremplin_core" / "converge.py")


# --- the one table of parameters --------------------------------------------------------------

NAMES = {parameter.name for parameter in PARAMETERS}
OWN = {"key_minutes", "wait_timeout", "reason", "record", "api", "config", "source", "tofs"}


def defaults() -> dict[str, Any]:
    text = (FORMULA / "tremplin" / "parameters" / "defaults.yaml").read_text("utf-8")
    found: dict[str, Any] = yaml.safe_load(text)["values"]
    return found


def test_modules_know_every_parameter(loaded: Loader) -> None:
    module = loaded("_modules/tremplin.py")
    assert {*module.PARAMETERS, "jc_external_id", "key_info"} == NAMES
    assert set(module.OPTIONS) == {"key_info", "key_minutes", "wait_timeout", "reason"}


def test_states_hand_on_every_parameter() -> None:
    text = (FORMULA / "tremplin" / "libwish.jinja").read_text("utf-8")
    listed = set(json.loads("[" + text.split("parameters = [")[1].split("]")[0] + "]"))
    assert listed == NAMES - {"jc_external_id"} | {"key_minutes", "wait_timeout", "source"}


def test_the_example_shows_every_parameter() -> None:
    shown = yaml.safe_load((FORMULA / "pillar.example").read_text("utf-8"))["tremplin"]
    assert set(shown) == NAMES | OWN | {"map_jinja"}
    text = (FORMULA / "pillar.example").read_text("utf-8")
    for parameter in PARAMETERS:
        if parameter.limit:
            assert f"{parameter.limit}" in text, parameter.name


def test_defaults_are_those_of_the_role() -> None:
    role = yaml.safe_load((COLLECTION / "roles/jump_client/defaults/main.yml").read_text("utf-8"))
    ours = defaults()
    for name in ("online_install", "scope", "startup", "key_minutes", "wait_timeout"):
        assert ours[name] == role["tremplin_" + name]


def test_the_msi_gets_its_properties_by_the_tables_rule() -> None:
    text = (FORMULA / "winrepo" / "tremplin-jump-client.sls").read_text("utf-8")
    for parameter in PARAMETERS:
        if parameter.where.value == "all" and parameter.name != "install_dir":
            assert f'"{parameter.name}"' in text
            assert parameter.msi_property == parameter.name.upper()
    assert '"INSTALLDIR"' in text


def test_every_file_names_its_licence() -> None:
    for path in FORMULA.rglob("*"):
        if path.suffix in (".py", ".sls", ".jinja", ".yaml") and "files" not in path.parts:
            assert "SPDX-License-Identifier: Apache-2.0" in path.read_text("utf-8")[:80], path


def test_the_formula_is_described() -> None:
    described = yaml.safe_load((FORMULA / "FORMULA").read_text("utf-8"))
    assert described["name"] == "tremplin"
    assert described["top_level_dir"] == "tremplin"
    assert f"## {described['version']}" in (FORMULA / "CHANGELOG.md").read_text("utf-8")

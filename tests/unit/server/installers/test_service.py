"""Installers: made with every field, extended, revoked, seen and refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update
from tremplin_agent.wire import KeyInfo
from tremplin_server import pki
from tremplin_server.audit.models import AuditEvent
from tremplin_server.errors import Denied, Invalid, NotFound, TremplinError
from tremplin_server.installers import sealing, service, usage
from tremplin_server.installers.fields import FIELDS, OVERRIDES
from tremplin_server.installers.models import Installer
from tremplin_server.permissions import Actor, system_actor

from tests.conftest import MovableClock
from tests.personas import People
from tests.stage import Stage

GIVEN: dict[str, Any] = {
    "name": "web",
    "tag": "blue",
    "comments": "two\nlines",
    "external_id": "web1",
    "connection_type": "passive",
    "valid_duration": 525_600,
    "max_uses": 3,
    "max_offline_minutes": 60,
    "ephemeral": True,
    "on_duplicate": "refuse",
    "allow_takeover": True,
    "platform": "linux-arm64",
    "recipients": "a@example.org, b@example.org",
    "elevate_install": False,
    "elevate_prompt": False,
    "is_quiet": True,
    "customer_client_start_mode": "hidden",
    "public_site_address": "help.example.org",
    **dict.fromkeys(OVERRIDES, True),
}


def get(stage: Stage, number: int) -> Installer:
    with stage.database.work(system_actor(), read_only=True) as work:
        return service.get(work, number)


def test_every_field_is_kept(stage: Stage, clock: MovableClock) -> None:
    made = stage.installer(**GIVEN)
    kept = get(stage, made.installer.id)
    assert {name: getattr(kept, name) for name in GIVEN} == GIVEN
    assert (kept.expires_at - clock.now()).days == 365
    assert (kept.created_by, kept.uses, kept.all_groups) == ("system", 0, True)
    # An allowance that no test gives would be kept by luck.
    left = {field.name for field in FIELDS} - set(GIVEN)
    assert left == {
        "jump_group_id",
        "jump_group_type",
        "jump_policy_id",
        "attended_session_policy_id",
        "unattended_session_policy_id",
    }


def test_the_key_info_finds_server_and_installer_and_only_its_hash_is_kept(stage: Stage) -> None:
    made = stage.installer()
    info = KeyInfo.decode(made.key_info)
    config = stage.database.config
    assert info.urls == config.effective_public_urls
    assert info.ca_pin == pki.ca_pin(config)
    kept = get(stage, made.installer.id)
    assert info.installer_id == kept.installer_id
    assert kept.secret_hash == usage.hash_secret(info.secret)
    assert kept.sealed_secret is not None
    assert info.secret not in kept.sealed_secret
    assert sealing.unseal(config, kept.installer_id, kept.sealed_secret) == info.secret
    assert made.key_info not in repr(made)


def test_nothing_of_the_secret_is_in_the_audit_log(stage: Stage) -> None:
    made = stage.installer(**GIVEN)
    secret = KeyInfo.decode(made.key_info).secret.hex()
    with stage.database.work(system_actor(), read_only=True) as work:
        texts = [str(event.detail) for event in work.session.query(AuditEvent)]
    assert not any(made.key_info in text or secret in text for text in texts)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("jump_group_id", 999),
        ("jump_group_id", None),
        ("jump_group_type", "secret"),
        ("valid_duration", 9),
        ("valid_duration", 525_601),
        ("valid_duration", "60"),
        ("valid_duration", True),
        ("max_uses", 0),
        ("name", "x" * 129),
        ("tag", "x" * 65),
        ("comments", "x" * 1025),
        ("name", "bell\x07"),
        ("external_id", "x" * 256),
        ("on_duplicate", "explode"),
        ("connection_type", "uninstalled"),
        ("platform", "amiga"),
        ("recipients", "nobody"),
        ("ephemeral", "yes"),
        ("jump_policy_id", 999),
        ("attended_session_policy_id", 999),
        ("customer_client_start_mode", "loud"),
        ("max_offline_minutes", -1),
        ("public_site_address", "x" * 129),
    ],
)
def test_a_wrong_value_names_its_field(stage: Stage, field: str, value: object) -> None:
    with pytest.raises(Invalid) as wrong:
        stage.installer(**{field: value})
    assert list(wrong.value.fields) == [field]


def test_all_wrong_values_are_told_at_once(stage: Stage) -> None:
    with pytest.raises(Invalid) as wrong:
        stage.installer(valid_duration=1, platform="amiga")
    assert sorted(wrong.value.fields) == ["platform", "valid_duration"]


def extend(stage: Stage, number: int, **values: int) -> Installer:
    with stage.database.work(system_actor()) as work:
        return service.extend(work, number, **values)


def test_extending(stage: Stage, clock: MovableClock) -> None:
    number = stage.installer(valid_duration=10, max_uses=2).installer.id
    clock.forward(minutes=9)
    changed = extend(stage, number, valid_duration=60, max_uses=5)
    assert ((changed.expires_at - clock.now()).seconds, changed.max_uses) == (3600, 5)
    with stage.database.work(system_actor()) as work:
        work.session.execute(update(Installer).values(uses=4))
    with pytest.raises(Invalid):
        extend(stage, number, max_uses=3)
    clock.forward(minutes=60)
    with pytest.raises(TremplinError) as late:
        extend(stage, number, valid_duration=60)
    assert late.value.code == "install.key_expired"


def test_revoking_is_final_wipes_the_secret_and_may_be_repeated(stage: Stage) -> None:
    number = stage.installer().installer.id
    for _ in range(2):
        with stage.database.work(system_actor()) as work:
            service.revoke(work, number, "leaked")
    kept = get(stage, number)
    assert (kept.sealed_secret, kept.revoked_by) == (None, "system")
    assert stage.actions().count("installer.revoked") == 1
    with pytest.raises(TremplinError) as ended:
        extend(stage, number, max_uses=9)
    assert ended.value.code == "installer.revoked"


def test_deleting_leaves_the_clients(stage: Stage) -> None:
    made = stage.installer()
    agent = stage.online(made)
    with stage.database.work(system_actor()) as work:
        service.delete(work, made.installer.id)
    record = stage.record(agent.client_id)
    assert record is not None
    assert record.installer_id is None
    with pytest.raises(NotFound):
        get(stage, made.installer.id)


def names(stage: Stage, actor: Actor | None = None, **wanted: Any) -> list[str]:
    with stage.database.work(actor or system_actor(), read_only=True) as work:
        return [found.name for found in work.session.scalars(service.query(work, **wanted))]


def test_filters(stage: Stage, clock: MovableClock) -> None:
    used = stage.installer(name="used", max_uses=1)
    stage.enrol(stage.agent(used))
    stage.installer(name="short", valid_duration=10, tag="Blue")
    clock.forward(minutes=11)
    stage.installer(name="good", external_id="web1", connection_type="passive")
    assert names(stage) == ["good", "short", "used"]
    assert names(stage, usable=True) == ["good"]
    assert names(stage, usable=False) == ["short", "used"]
    assert names(stage, tag="BLUE") == ["short"]
    assert names(stage, name="Used") == ["used"]
    assert names(stage, external_id="web1") == names(stage, connection_type="passive") == ["good"]
    assert names(stage, jump_group_id=stage.group.id) == ["good", "short", "used"]
    assert names(stage, jump_group_type="personal") == []


def test_who_may(stage: Stage, people: People) -> None:
    number = stage.installer(name="shared").installer.id
    own = {"jump_group_type": "personal", "jump_group_id": people.technician.id}
    stage.installer(people.technician, name="own", **own)
    assert names(stage, people.technician) == ["own"]
    assert names(stage, people.outsider) == []
    assert names(stage, people.auditor) == ["own", "shared"]
    for actor, refusal in ((people.auditor, Denied), (people.outsider, NotFound)):
        with pytest.raises(refusal), stage.database.work(actor) as work:
            service.revoke(work, number)
    for actor in (people.auditor, people.outsider, people.technician):
        with pytest.raises(Denied):
            stage.installer(actor)
    with pytest.raises(Denied):
        stage.installer(people.outsider, **own)


def test_key_info_that_no_payload_can_hold_is_refused(stage: Stage) -> None:
    urls = tuple(f"https://{n}.{'x' * 60}.example.org" for n in range(20))
    config = replace(stage.database.config, public_urls=urls)
    with pytest.raises(TremplinError) as wrong:
        Stage(replace(stage.database, config=config)).installer()
    assert wrong.value.code == "config.invalid"

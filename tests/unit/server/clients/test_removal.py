"""How records end: deleted, uninstalled, ordered away; and what closes a tombstone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from flask import Flask
from sqlalchemy import select
from tremplin_agent import wire
from tremplin_server.clients import service, tombstones
from tremplin_server.clients.identity import site_identity
from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.models import Command
from tremplin_server.errors import TremplinError
from tremplin_server.permissions import system_actor

from tests.stage import Agent, Stage


def delete(stage: Stage, agent: Agent, reason: str = "") -> None:
    with stage.database.work(system_actor()) as work:
        service.delete(work, agent.client_id, reason)


def order_uninstall(stage: Stage, agent: Agent) -> None:
    with stage.database.work(system_actor()) as work:
        service.uninstall(work, agent.client_id, "moved")


def commands(stage: Stage) -> list[Command]:
    with stage.database.work(system_actor(), read_only=True) as work:
        return list(work.session.scalars(select(Command)))


def test_a_deleted_client_is_told_to_go_and_its_word_closes_the_tombstone(stage: Stage) -> None:
    agent = stage.online()
    delete(stage, agent, "rack 4")
    assert stage.records() == []
    identity = stage.identity(agent)
    assert identity is not None
    assert (identity.state, identity.closed) == (State.REMOVING, False)
    [order] = stage.pending(agent)
    signed = wire.command_bytes(order.id, order.kind, order.client_id, order.body)
    with stage.database.work(system_actor()) as work:
        public = Ed25519PublicKey.from_public_bytes(site_identity(work).public_key)
    public.verify(wire.b64decode(order.signature), signed)
    assert order.body == {"reason": "rack 4"}
    stage.acknowledge(agent, order.id)
    stage.acknowledge(agent, order.id)
    [grave] = stage.tombstones()
    assert grave.closed_by == "host"
    assert stage.pending(agent) == []
    identity = stage.identity(agent)
    assert identity is not None
    assert identity.closed
    assert stage.actions().count("tombstone.closed") == 1


def test_the_farewell_of_a_deleted_client_closes_its_tombstone_too(stage: Stage) -> None:
    agent = stage.online()
    delete(stage, agent)
    stage.farewell(agent)
    assert stage.tombstones()[0].closed_by == "host"


def test_only_the_key_itself_can_close_its_tombstone(stage: Stage) -> None:
    agent = stage.online()
    delete(stage, agent)
    [order] = stage.pending(agent)
    other = stage.agent()
    other.client_id = agent.client_id
    stage.acknowledge(other, order.id)
    stage.farewell(other)
    assert stage.tombstones()[0].closed_at is None


def test_an_agent_that_cannot_go_is_audited_and_asked_again(stage: Stage) -> None:
    agent = stage.online()
    order_uninstall(stage, agent)
    [order] = stage.pending(agent)
    stage.acknowledge(agent, order.id, code="protocol.error")
    assert stage.state(agent) is State.REMOVING
    assert stage.pending(agent) == [order]
    assert stage.actions()[-1] == "client.command_failed"


def test_an_uninstall_that_was_ordered_ends_as_uninstalled(stage: Stage) -> None:
    agent = stage.online()
    order_uninstall(stage, agent)
    with pytest.raises(TremplinError) as twice:
        order_uninstall(stage, agent)
    assert twice.value.code == "client.removing"
    [order] = stage.pending(agent)
    stage.acknowledge(agent, order.id)
    assert stage.state(agent) is State.UNINSTALLED
    assert commands(stage) == []
    with pytest.raises(TremplinError) as nobody:
        order_uninstall(stage, agent)
    assert nobody.value.code == "client.uninstalled"


def test_deleting_while_an_uninstall_is_on_its_way_keeps_its_id(stage: Stage) -> None:
    agent = stage.online()
    order_uninstall(stage, agent)
    [order] = stage.pending(agent)
    delete(stage, agent)
    assert [again.id for again in stage.pending(agent)] == [order.id]
    stage.acknowledge(agent, order.id)
    assert stage.tombstones()[0].closed_by == "host"


def test_uninstalled_by_hand_keeps_the_record_and_says_so(stage: Stage) -> None:
    agent = stage.online()
    stage.farewell(agent)
    stage.farewell(agent)
    assert stage.state(agent) is State.UNINSTALLED
    assert stage.actions().count("client.uninstalled") == 1
    delete(stage, agent)
    assert stage.tombstones()[0].closed_by == "uninstalled"


def test_uninstalled_by_hand_removes_the_record_where_the_site_wants_it(
    make_app: Callable[..., Flask],
) -> None:
    stage = Stage(make_app(uninstalled_records="remove").extensions["tremplin"])
    agent = stage.online()
    stage.farewell(agent)
    assert stage.records() == []
    assert stage.tombstones()[0].closed_by == "host"


def test_a_replaced_key_has_no_say_about_its_record(stage: Stage) -> None:
    old = stage.online()
    stage.disconnect(old)
    new = stage.online()
    stage.farewell(old)
    assert stage.state(new) is State.ONLINE
    identity = stage.identity(old)
    assert identity is not None
    assert (identity.tombstone, identity.command_id) == ("replaced", "")
    stage.disconnect(new)
    delete(stage, new)
    assert [order.client_id for order in stage.pending(new)] == [new.client_id]


def test_closing_by_hand_ends_the_waiting_and_not_the_order(stage: Stage) -> None:
    agent = stage.online()
    delete(stage, agent)
    with stage.database.work(system_actor()) as work:
        tombstones.close(work, stage.tombstones()[0].id)
        assert list(work.session.scalars(tombstones.query(work, open_only=True))) == []
    [order] = stage.pending(agent)
    stage.acknowledge(agent, order.id)
    assert stage.tombstones()[0].closed_by == "host", "what the host says counts more"


def test_another_agents_acknowledgement_changes_nothing(stage: Stage) -> None:
    agent = stage.online()
    order_uninstall(stage, agent)
    [order] = stage.pending(agent)
    other = replace(stage.online(stage.installer(on_duplicate="keep_both")))
    stage.acknowledge(other, order.id)
    assert stage.state(agent) is State.REMOVING

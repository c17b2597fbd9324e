"""What connected agents tell."""

from __future__ import annotations

from tremplin_agent import wire
from tremplin_server.clients import reporting
from tremplin_server.clients.lifecycle import State

from tests.stage import AGENT, MACHINE, Stage


def test_statistics_of_a_batch_keep_what_was_not_sent(stage: Stage) -> None:
    agent = stage.online(facts={"cpu_count": 4, "operating_system": "Debian 12"})
    values = {
        agent.client_id: {"cpu_percent": 1.5, "fqdn": "web1.example", "cpu_count": "?", "x": 1},
        999: {"cpu_percent": 2},
    }
    with stage.database.work(AGENT) as work:
        reporting.statistics(work, values)
        reporting.user_changed(work, agent.client_id, "zoe")
    record = stage.record(agent.client_id)
    assert record is not None
    assert record.statistics == {"cpu_count": 4, "cpu_percent": 1.5}
    assert (record.fqdn, record.operating_system, record.console_user) == (
        "web1.example",
        "Debian 12",
        "zoe",
    )


def test_the_local_user_switches_the_client_off_and_on(stage: Stage) -> None:
    agent = stage.online()
    with stage.database.work(AGENT) as work:
        reporting.disabled(work, agent.client_id)
    stage.disconnect(agent)
    stage.connect(agent)
    assert stage.state(agent) is State.DISABLED
    with stage.database.work(AGENT) as work:
        reporting.enabled(work, agent.client_id)
    assert stage.state(agent) is State.ONLINE
    assert stage.actions()[-2:] == ["client.disabled", "client.enabled"]


def test_a_switch_out_of_turn_is_ignored(stage: Stage) -> None:
    agent = stage.online()
    stage.disconnect(agent)
    with stage.database.work(AGENT) as work:
        reporting.disabled(work, agent.client_id)
        reporting.enabled(work, 999)
    assert stage.state(agent) is State.OFFLINE


def test_a_log_line_goes_to_the_audit_log(stage: Stage) -> None:
    agent = stage.online()
    with stage.database.work(AGENT) as work:
        reporting.log(work, agent.client_id, wire.Log("error", "install.startup", "x\ny"))
        reporting.log(work, 999, wire.Log("error", "install.startup"))
    assert stage.actions()[-1] == "client.log"


def test_unknown_keys_are_listed_once_and_never_removed(stage: Stage) -> None:
    hello = wire.Hello(1, "1.0.0", "linux-64", MACHINE, client_id=77)
    with stage.database.work(AGENT) as work:
        reporting.unknown_key(work, hello, "203.0.113.9")
        reporting.unknown_key(work, hello, "203.0.113.10")
        reporting.unknown_key(work, wire.Hello(1, "1", "linux-64", MACHINE, 2**63), "")
    [key] = stage.unknown_keys()
    assert (key.client_id, key.fingerprint, key.public_ip) == (77, MACHINE, "203.0.113.10")

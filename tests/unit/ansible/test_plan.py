"""The plan as a table: what is found on both sides, what is wanted, what has to happen."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tremplin.jump.plugins.module_utils import plan

DIRECTORY = "/opt/tremplin-jump-client"
PARTIAL = DIRECTORY + ".partial-17"


def installation(**changes: Any) -> dict[str, Any]:
    return {
        "directory": DIRECTORY,
        "owned": True,
        "complete": True,
        "readable": True,
        "client_id": 7,
        "phase": "enrolled",
        "refused": "",
        "running": True,
        "version": "0.1.0",
        "user": "tremplin",
        "scope": "system",
        "startup": "systemd",
        **changes,
    }


def host(*installations: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "system": "Linux",
        "machine": "x86_64",
        "platform": "linux-64",
        "uid": 0,
        "user": "root",
        "default_directory": DIRECTORY,
        "places": [DIRECTORY],
        "installations": list(installations),
        "leftovers": [],
        **changes,
    }


def record(**changes: Any) -> dict[str, Any]:
    base = {"id": 7, "state": "online", "external_id": "web1", "install_dir": DIRECTORY}
    return {**base, **changes}


WANTED = {"scope": "system", "startup": "auto"}
HERE = {"directory": DIRECTORY, "local": True}

PRESENT = {
    "in step": (host(installation()), record(), {}, "nothing", "", []),
    "switched off by its user": (
        host(installation()), record(state="disabled"), {}, "nothing", "", []),
    "stopped": (host(installation(running=False)), record(state="offline"), {}, "start", "", []),
    "runs, but away": (host(installation()), record(state="offline"), {}, "start", "", []),
    "leftovers only": (host(installation(), leftovers=[PARTIAL]), record(), {}, "tidy", "", []),
    "first deployment": (host(), None, {}, "install", "the host has no Jump Client", []),
    "rebuilt host": (host(), record(state="offline"), {}, "install",
                     "the host has no Jump Client", []),
    "was uninstalled by hand": (host(), record(state="uninstalled"), {}, "install",
                                "the host has no Jump Client", []),
    "deleted in the API": (host(installation()), None, {}, "reinstall",
                           "the server has no record of it", [HERE]),
    "cut before it was complete": (
        host(installation(complete=False, client_id=None)), None, {}, "reinstall",
        "the installation is incomplete", [HERE]),
    "installed, never enrolled": (
        host(installation(client_id=None, phase="new")), record(), {}, "reinstall",
        "the record is that of another installation", [HERE]),
    "copied disk": (host(installation(client_id=3)), record(), {}, "reinstall",
                    "the record is that of another installation", [HERE]),
    "removing itself": (host(installation(phase="removing")), record(), {}, "reinstall",
                        "the agent is removing itself", [HERE]),
    "refused by the server": (
        host(installation(refused="enrol.key_replaced")), record(state="offline"), {}, "reinstall",
        "the server refuses it (enrol.key_replaced)", [HERE]),
    "record being removed": (host(installation()), record(state="removing"), {}, "reinstall",
                             "the record is removing", [HERE]),
    "another user": (host(installation()), record(), {"user": "alice"}, "reinstall",
                     "changed: user", [HERE]),
    "another scope": (host(installation(), uid=1000), record(), {"scope": "user"}, "reinstall",
                      "changed: scope", [HERE]),
    "another start-up": (host(installation()), record(), {"startup": "cron"}, "reinstall",
                         "changed: startup", [HERE]),
    "another directory": (
        host(installation(), places=["/srv/jump", DIRECTORY]), record(),
        {"install_dir": "/srv/jump"}, "reinstall", "changed: install_dir", [HERE]),
    "moved, but cut before the old one was gone": (
        host(installation(complete=False), places=["/srv/jump", DIRECTORY]), record(),
        {"install_dir": "/srv/jump"}, "reinstall", "the installation is incomplete", [HERE]),
    "recorded directory is another machine's now": (
        host(installation(client_id=3), places=["/srv/jump", DIRECTORY]), record(),
        {"install_dir": "/srv/jump"}, "install", "the host has no Jump Client", []),
}  # fmt: skip


@pytest.mark.parametrize("case", PRESENT)
def test_present(case: str) -> None:
    found, known, wanted, action, reason, uninstall = PRESENT[case]
    decided = plan.present(found, known, {**WANTED, **wanted})
    assert (decided["action"], decided["reason"]) == (action, reason)
    assert decided["uninstall"] == uninstall
    assert decided["directory"] == wanted.get("install_dir", DIRECTORY)


REFUSED = {
    "foreign directory": (host(installation(owned=False)), {}, "holds no Jump Client"),
    "state of another user": (host(installation(readable=False)), {}, "use become"),
    "no installer for the machine": (host(platform=None, machine="riscv64"), {}, "riscv64"),
    "root names nobody": (host(), {"scope": "user"}, "tremplin_user"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    found, wanted, words = REFUSED[case]
    with pytest.raises(plan.PlanError, match=words):
        plan.present(found, None, {**WANTED, **wanted})


def test_a_strange_client_id_is_settled_with_the_server() -> None:
    decided = plan.present(host(installation(client_id=3)), record(), WANTED)
    assert decided["forget"] == [3]
    decided = plan.present(host(installation(client_id=3)), None, WANTED)
    assert decided["forget"] == [3]


def test_installers_of_a_cut_run_are_tidied() -> None:
    decided = plan.present(host(installation()), record(), WANTED, ["ab" * 16])
    assert decided["action"] == "tidy"
    assert "installer " + "ab" * 16 in decided["diff"]["before"]


def farewell(local: bool) -> list[dict[str, Any]]:
    return [{"directory": DIRECTORY, "local": local}]


ABSENT = {
    "nothing anywhere": (host(), None, [], "nothing", [], []),
    "both halves": (host(installation()), record(), [], "remove", farewell(False), [7]),
    "host only": (host(installation()), None, [], "remove", farewell(False), []),
    "record only": (host(), record(), [], "remove", [], [7]),
    "leftovers only": (host(leftovers=[PARTIAL]), None, [], "remove", [], []),
    "incomplete": (host(installation(complete=False)), None, [], "remove", farewell(False), []),
    "foreign directory": (host(installation(owned=False)), None, [], "nothing", [], []),
    "installed by hand": (
        host(installation()), None, [record(external_id=None)], "remove", farewell(False), [7]),
    "copied disk": (
        host(installation(client_id=3)), record(), [record(id=3, external_id="web0")],
        "remove", farewell(True), [7]),
}  # fmt: skip


@pytest.mark.parametrize("case", ABSENT)
def test_absent(case: str) -> None:
    found, known, others, action, uninstall, records = ABSENT[case]
    decided = plan.absent(found, known, WANTED, others)
    assert decided["action"] == action
    assert decided["uninstall"] == uninstall
    assert decided["records"] == records


def test_a_tombstone_of_a_cut_run_is_settled() -> None:
    decided = plan.absent(host(), None, WANTED, tombstones=[4])
    assert decided["action"] == "remove"
    assert decided["diff"]["before"] == {"tombstone 4": "open"}


def test_the_diff_shows_both_sides() -> None:
    decided = plan.present(host(), None, {**WANTED, "jc_tag": "web", "user": None})
    assert decided["diff"]["before"] == {}
    assert decided["diff"]["after"] == {
        DIRECTORY: {"scope": "system", "startup": "auto", "jc_tag": "web", "state": "online"}
    }


def test_parameters_of_a_key_made_for_the_host() -> None:
    wanted = {**WANTED, "online_install": True, "jc_tag": "web", "jc_ephemeral": True}
    assert plan.parameters(wanted, DIRECTORY, own_key=False) == [
        "--install-dir", DIRECTORY, "--scope", "system", "--startup", "auto", "--online-install",
    ]  # fmt: skip


def test_parameters_of_the_operators_key() -> None:
    wanted = {"jc_tag": "web", "jc_ephemeral": True, "online_install": False}
    assert plan.parameters(wanted, DIRECTORY, own_key=True) == [
        "--install-dir", DIRECTORY, "--jc-tag", "web", "--jc-ephemeral",
    ]  # fmt: skip

"""The rules of a push, case by case."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from tremplin_server.clients.lifecycle import State
from tremplin_server.errors import TremplinError
from tremplin_server.push import plan
from tremplin_server.push.plan import Host, Installation, Outcome, Record, Removal, Wanted

DEFAULT = "/opt/tremplin-jump-client"
INSTALLED = Installation(DEFAULT, client_id=7, user="svc", scope="user", startup="systemd")
GOES = Removal(DEFAULT, local=True, client_id=7)
TELLS = replace(GOES, local=False)
NOT_SAID = Wanted()
RECORD = Record(7, State.ONLINE, install_dir=DEFAULT, properties={"tag": "web", "name": "h1"})


def a_host(*installations: Installation, leftovers: tuple[str, ...] = ()) -> Host:
    return Host("Linux", "x86_64", 0, DEFAULT, installations, leftovers)


@dataclass(frozen=True)
class Case:
    """What stands there, what is wanted, and what the plan must say."""

    name: str
    outcome: Outcome
    installed: tuple[Installation, ...] = ()
    record: Record | None = RECORD
    wanted: Wanted = NOT_SAID
    leftovers: tuple[str, ...] = ()
    expected: dict[str, Any] = field(default_factory=dict)


NOTHING: dict[str, Any] = {"install": False, "uninstall": (), "changes": {}, "start": False}
PRESENT = [
    Case("nothing anywhere", Outcome.INSTALLED, record=None, expected={"install": True}),
    Case("host was rebuilt", Outcome.INSTALLED, expected={"install": True, "uninstall": ()}),
    Case("in step", Outcome.UNCHANGED, (INSTALLED,), expected=NOTHING),
    Case(
        "in step, and what is wanted is what is there", Outcome.UNCHANGED, (INSTALLED,),
        wanted=Wanted(DEFAULT, "svc", "user", "systemd", {"tag": "web"}), expected=NOTHING,
    ),
    Case(
        "auto takes any start-up", Outcome.UNCHANGED, (INSTALLED,),
        wanted=Wanted(startup="auto"), expected=NOTHING,
    ),
    Case(
        "stopped", Outcome.STARTED, (replace(INSTALLED, running=False),),
        expected={"start": True, "install": False},
    ),
    Case(
        "running, but not seen by the server", Outcome.STARTED, (INSTALLED,),
        record=replace(RECORD, state=State.OFFLINE), expected={"start": True},
    ),
    Case(
        "disabled by its user", Outcome.UNCHANGED, (INSTALLED,),
        record=replace(RECORD, state=State.DISABLED), expected=NOTHING,
    ),
    Case(
        "cut before its uninstall was written", Outcome.REINSTALLED,
        (replace(INSTALLED, complete=False, removable=False),),
        expected={"uninstall": (), "sweep": (DEFAULT,), "install": True},
    ),
    Case(
        "a new installation is laid out as the one before", Outcome.REINSTALLED,
        (replace(INSTALLED, startup="openrc"),), wanted=Wanted("/srv/jc"),
        expected={"layout": {"user": "svc", "scope": "user", "startup": "openrc"}},
    ),
    Case(
        "the account of a service is made anew", Outcome.REINSTALLED,
        (replace(INSTALLED, scope="system"),), wanted=Wanted("/srv/jc"),
        expected={"layout": {"scope": "system", "startup": "systemd"}},
    ),
    Case(
        "another tag", Outcome.UPDATED, (INSTALLED,),
        wanted=Wanted(properties={"tag": "db", "name": "h1"}),
        expected={"changes": {"tag": "db"}, "install": False},
    ),
    Case(
        "another user", Outcome.REINSTALLED, (INSTALLED,), wanted=Wanted(user="bob"),
        expected={"install": True, "uninstall": (GOES,)},
    ),
    Case(
        "another directory", Outcome.REINSTALLED, (INSTALLED,), wanted=Wanted("/srv/jc"),
        expected={"install": True, "uninstall": (GOES,), "directory": "/srv/jc"},
    ),
    Case(
        "another scope", Outcome.REINSTALLED, (INSTALLED,), wanted=Wanted(scope="system"),
        expected={"install": True},
    ),
    Case(
        "another start-up", Outcome.REINSTALLED, (INSTALLED,), wanted=Wanted(startup="cron"),
        expected={"install": True},
    ),
    Case(
        "no record", Outcome.REINSTALLED, (INSTALLED,), record=None,
        expected={"install": True, "uninstall": (GOES,)},
    ),
    Case(
        "the record is another's", Outcome.REINSTALLED, (replace(INSTALLED, client_id=8),),
        expected={"install": True},
    ),
    Case(
        "never enrolled", Outcome.REINSTALLED, (replace(INSTALLED, client_id=None),),
        expected={"install": True},
    ),
    Case(
        "cut installation", Outcome.REINSTALLED, (replace(INSTALLED, complete=False),),
        expected={"install": True, "reason": "the installation is incomplete"},
    ),
    Case(
        "record says uninstalled", Outcome.REINSTALLED, (INSTALLED,),
        record=replace(RECORD, state=State.UNINSTALLED), expected={"install": True},
    ),
    Case(
        "record is being removed", Outcome.REINSTALLED, (INSTALLED,),
        record=replace(RECORD, state=State.REMOVING), expected={"install": True},
    ),
    Case(
        "cut unpacking beside it", Outcome.UPDATED, (INSTALLED,),
        leftovers=(DEFAULT + ".partial-1",), expected={"sweep": (DEFAULT + ".partial-1",)},
    ),
    Case(
        "the record knows a directory of its own", Outcome.UNCHANGED,
        (replace(INSTALLED, directory="/srv/jc"),), record=replace(RECORD, install_dir="/srv/jc"),
        expected={**NOTHING, "directory": "/srv/jc"},
    ),
    Case(
        "another Jump Client in the default directory is left alone", Outcome.UNCHANGED,
        (replace(INSTALLED, client_id=99), replace(INSTALLED, directory="/srv/jc")),
        record=replace(RECORD, install_dir="/srv/jc"), expected=NOTHING,
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", PRESENT, ids=lambda case: case.name)
def test_present(case: Case) -> None:
    made = plan.present(a_host(*case.installed, leftovers=case.leftovers), case.record, case.wanted)
    assert made.outcome is case.outcome
    assert {name: getattr(made, name) for name in case.expected} == case.expected


OTHER = replace(INSTALLED, directory="/srv/other", client_id=99)
ABSENT = [
    Case("nothing anywhere", Outcome.ABSENT, record=None, expected={"delete": ()}),
    Case(
        "both halves", Outcome.REMOVED, (INSTALLED,),
        expected={"uninstall": (TELLS,), "delete": (7,)},
    ),
    Case("record only", Outcome.REMOVED, expected={"uninstall": (), "delete": (7,)}),
    Case(
        "host only", Outcome.REMOVED, (INSTALLED,), record=None,
        expected={"uninstall": (TELLS,), "delete": ()},
    ),
    Case(
        "cut installation", Outcome.REMOVED, (replace(INSTALLED, complete=False),), record=None,
        expected={"uninstall": (TELLS,)},
    ),
    Case(
        "leftovers only", Outcome.REMOVED, record=None, leftovers=(DEFAULT + ".partial-1",),
        expected={"sweep": (DEFAULT + ".partial-1",)},
    ),
    Case(
        "a foreign directory stays", Outcome.ABSENT, (replace(INSTALLED, owned=False),),
        record=None, expected={"uninstall": ()},
    ),
    Case(
        "another Jump Client elsewhere stays", Outcome.REMOVED, (INSTALLED, OTHER),
        expected={"uninstall": (TELLS,)},
    ),
    Case(
        "it stands where the record says", Outcome.REMOVED,
        (replace(INSTALLED, directory="/srv/jc"),), record=replace(RECORD, install_dir="/srv/jc"),
        expected={"uninstall": (replace(TELLS, directory="/srv/jc"),)},
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", ABSENT, ids=lambda case: case.name)
def test_absent(case: Case) -> None:
    made = plan.absent(a_host(*case.installed, leftovers=case.leftovers), case.record, case.wanted)
    assert made.outcome is case.outcome
    assert {name: getattr(made, name) for name in case.expected} == case.expected


def test_absent_spares_the_machine_that_this_one_was_copied_from() -> None:
    copied = replace(INSTALLED, client_id=99)
    made = plan.absent(a_host(copied), None, Wanted(), {99: "the-original"})
    assert made.uninstall == (Removal(DEFAULT, local=True, client_id=99),)
    assert made.delete == ()


def test_absent_takes_what_was_installed_by_hand() -> None:
    by_hand = replace(INSTALLED, client_id=99)
    made = plan.absent(a_host(by_hand), None, Wanted(), {99: None})
    assert made.uninstall == (Removal(DEFAULT, local=False, client_id=99),)
    assert made.delete == (99,)


@pytest.mark.parametrize(
    ("installed", "code"),
    [
        (replace(INSTALLED, owned=False, complete=False), "install.dir_exists"),
        (replace(INSTALLED, readable=False, client_id=None), "push.state_unreadable"),
    ],
)
def test_present_refuses(installed: Installation, code: str) -> None:
    with pytest.raises(TremplinError) as caught:
        plan.present(a_host(installed), RECORD, Wanted())
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("system", "machine", "expected"),
    [
        ("Linux", "x86_64", "linux-64"),
        ("Linux", "aarch64", "linux-arm64"),
        ("Linux", "i686", None),
        ("Darwin", "arm64", None),
        ("", "", None),
    ],
)
def test_platform(system: str, machine: str, expected: str | None) -> None:
    host = Host(system, machine, 0, DEFAULT)
    if expected is not None:
        assert plan.platform(host) == expected
        return
    with pytest.raises(TremplinError) as caught:
        plan.platform(host)
    assert caught.value.code == "install.platform"


def test_directories_to_look_at() -> None:
    elsewhere = replace(RECORD, install_dir="/srv/jc")
    assert plan.directories(None, Wanted()) == ("",)
    assert plan.directories(elsewhere, Wanted()) == ("", "/srv/jc")
    assert plan.directories(elsewhere, Wanted("/a")) == ("/a", "/srv/jc")
    assert plan.directories(None, Wanted("/a")) == ("/a",)

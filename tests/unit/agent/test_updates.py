"""Updates on the host: the state machine, and every point where the power can be cut."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tremplin_agent import wire
from tremplin_agent.codes import Code
from tremplin_agent.core import updates
from tremplin_agent.core.identity import Identity
from tremplin_agent.core.updates import Progress, Step
from tremplin_agent.installation import FACTS_FILE, Installation
from tremplin_agent.updating import places, settling

SERVER = Identity.generate()
NEW = "0.2.0"
PROGRAM = """import sys
if sys.argv[1] == "check":
    sys.exit({check})
"""


def make_payload(version: str = NEW, check: int = 0) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        description = {"platform": "linux-64", "version": version}
        archive.writestr("payload.json", json.dumps(description))
        archive.writestr("lib/__main__.py", PROGRAM.format(check=check))
        archive.writestr("lib/last.py", version)
    return b"#!/bin/sh\n" + buffer.getvalue()


def ordered(content: bytes, **changes: Any) -> wire.UpgradeOrder:
    digest = sha256(content).hexdigest()
    order = wire.UpgradeOrder(NEW, "linux-64", len(content), digest, 1000)
    return replace(order, **changes)


def signed(order: wire.UpgradeOrder, command_id: str = "order-1", by: Identity = SERVER) -> Any:
    body = order.body()
    raw = wire.command_bytes(command_id, "upgrade", 7, body)
    return wire.Command(command_id, "upgrade", 7, body, wire.b64encode(by.sign(raw)))


class Host:
    """An installation that one user made, and its starts."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        old = directory / "versions" / "0.1.0"
        old.mkdir(parents=True)
        (old / "__main__.py").write_text(PROGRAM.format(check=0))
        (old / "last.py").write_text("0.1.0")
        (directory / "lib").symlink_to("versions/0.1.0")
        facts = Installation(
            str(directory),
            "somebody",
            "user",
            "none",
            "x",
            "linux-64",
            version="0.1.0",
            server_key=SERVER.public_key.hex(),
            complete=True,
        )
        (directory / FACTS_FILE).write_text(facts.dump())
        self.staging = directory / "var" / places.STAGING
        self.staging.mkdir(parents=True)

    def stage(self, command: wire.Command, content: bytes) -> None:
        (self.staging / places.PAYLOAD).write_bytes(content)
        (self.staging / places.ORDER).write_bytes(places.order_text(command))

    def start(self) -> Progress:
        return settling.settle(self.directory)

    @property
    def runs(self) -> str:
        """The version that a start would run; it is whole."""
        assert (self.directory / "lib" / "__main__.py").exists()
        return (self.directory / "lib" / "last.py").read_text()

    def let_in(self, order_id: str = "order-1") -> None:
        (self.staging / places.WELCOMED).write_text(order_id + "\n")

    def versions(self) -> list[str]:
        return sorted(path.name for path in (self.directory / "versions").iterdir())

    @property
    def told(self) -> str:
        return str(json.loads((self.directory / FACTS_FILE).read_text())["version"])


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "jc")


def test_a_good_version_stays_once_it_was_let_in(host: Host) -> None:
    content = make_payload()
    host.stage(signed(ordered(content)), content)
    assert host.start().step is Step.TRIAL
    assert (host.runs, host.told) == (NEW, NEW)
    assert (host.directory / "trial").read_text() == "180 order-1\n"
    assert (host.directory / "previous" / "last.py").read_text() == "0.1.0"
    host.let_in()
    assert host.start().step is Step.DONE
    assert host.runs == NEW
    assert host.versions() == [f"{NEW}-{sha256(content).hexdigest()[:12]}"]
    assert not (host.directory / "previous").is_symlink()
    assert not (host.directory / "trial").exists()
    assert host.start().settled


def test_a_version_that_is_never_let_in_goes_back(host: Host) -> None:
    content = make_payload()
    host.stage(signed(ordered(content)), content)
    assert [host.start().step for _ in range(updates.STARTS)] == [Step.TRIAL] * updates.STARTS
    ended = host.start()
    assert (ended.step, ended.code) == (Step.FAILED, Code.UPDATE_ROLLED_BACK.value)
    assert (host.runs, host.told) == ("0.1.0", "0.1.0")
    assert host.versions() == ["0.1.0"]
    # The same order lies there still, and is not tried again.
    assert host.start() == replace(ended, settled=True)


def test_what_cannot_be_loaded_never_runs(host: Host) -> None:
    content = make_payload(check=1)
    host.stage(signed(ordered(content)), content)
    ended = host.start()
    assert (ended.step, ended.code) == (Step.FAILED, Code.UPDATE_CANNOT_RUN.value)
    assert host.runs == "0.1.0"


def refused(host: Host, command: wire.Command, content: bytes) -> str:
    host.stage(command, content)
    ended = host.start()
    assert host.runs == "0.1.0"
    assert host.versions() == ["0.1.0"]
    return ended.code


def test_only_the_servers_signature_counts(host: Host) -> None:
    content = make_payload()
    forged = signed(ordered(content), by=Identity.generate())
    assert refused(host, forged, content) == ""
    genuine = signed(ordered(content))
    for changed in (
        replace(genuine, client_id=8),
        replace(genuine, body={**genuine.body, "size": 1}),
        replace(genuine, id="../../etc/x"),
        replace(genuine, kind="uninstall"),
        replace(genuine, signature="!"),
    ):
        assert refused(host, changed, content) == ""
    assert not (host.directory / places.PROGRESS).exists()


def test_another_payload_than_the_ordered_one_is_damaged(host: Host) -> None:
    content = make_payload()
    other = content[:-1] + b"x"
    assert refused(host, signed(ordered(content)), other) == Code.UPDATE_DAMAGED.value
    cut = signed(ordered(content), "order-2")
    assert refused(host, cut, content[:100]) == Code.UPDATE_DAMAGED.value
    lying = make_payload("0.3.0")
    named = signed(ordered(lying), "order-3")
    assert refused(host, named, lying) == Code.UPDATE_DAMAGED.value


def test_links_and_pipes_lead_nobody_astray(host: Host, tmp_path: Path) -> None:
    content = make_payload()
    (tmp_path / "real").write_bytes(content)
    host.stage(signed(ordered(content)), content)
    (host.staging / places.PAYLOAD).unlink()
    (host.staging / places.PAYLOAD).symlink_to(tmp_path / "real")
    assert host.start().step is Step.FAILED
    assert host.runs == "0.1.0"


def test_older_versions_need_an_order_that_says_so(host: Host) -> None:
    old = make_payload("0.0.9")
    order = ordered(old, version="0.0.9")
    assert refused(host, signed(order), old) == Code.UPDATE_OLDER.value
    meant = signed(replace(order, downgrade=True), "order-2")
    host.stage(meant, old)
    assert host.start().step is Step.TRIAL
    assert host.runs == "0.0.9"


def test_an_order_of_long_ago_and_one_for_another_client_are_refused(host: Host) -> None:
    content = make_payload(check=1)
    refused(host, signed(ordered(content, issued_at=5000)), content)
    again = signed(ordered(content, issued_at=4000), "order-2")
    assert refused(host, again, content) == Code.UPDATE_REFUSED.value
    body = ordered(content, issued_at=6000).body()
    raw = wire.command_bytes("order-3", "upgrade", 8, body)
    other = wire.Command("order-3", "upgrade", 8, body, wire.b64encode(SERVER.sign(raw)))
    assert refused(host, other, content) == Code.UPDATE_REFUSED.value


def test_root_takes_no_key_from_the_agents_user(host: Host) -> None:
    facts = json.loads((host.directory / FACTS_FILE).read_text())
    facts.update(installed_by="root", server_key="")
    (host.directory / FACTS_FILE).write_text(json.dumps(facts))
    (host.directory / "var/state.json").write_text(
        json.dumps({"phase": "enrolled", "server_key": wire.b64encode(SERVER.public_key)})
    )
    content = make_payload()
    assert refused(host, signed(ordered(content)), content) == ""


# --- power cuts -----------------------------------------------------------------------


class PowerCut(BaseException):
    """The end of everything, at once."""


class Power:
    """Cuts the power before the n-th step that changes the disk; halfway in the long ones."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cut_at = 0
        self._steps = count(1)
        for target, name in (
            (places, "write_durably"),
            (settling, "write_durably"),
            (settling, "_link"),
            (settling, "_copy"),
            (settling.payload, "unpack"),
            (settling.payload, "sync_tree"),
            (Path, "rename"),
            (Path, "unlink"),
            (shutil, "rmtree"),
        ):
            monkeypatch.setattr(target, name, self._wrapped(name, getattr(target, name)))

    def cut(self, at: int) -> None:
        self.cut_at, self._steps = at, count(1)

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:
            if next(self._steps) == self.cut_at:
                if name == "unpack":
                    arguments[1].mkdir()
                    (arguments[1] / "last.py").write_text("half")
                elif name == "_copy":
                    arguments[1].write_bytes(b"half")
                elif name == "rmtree":
                    (arguments[0] / "__main__.py").unlink(missing_ok=True)
                raise PowerCut
            return real(*arguments, **named)

        return step


@pytest.mark.parametrize("good", [True, False])
def test_the_power_may_be_cut_at_any_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good: bool
) -> None:
    # What is run to try a version changes nothing on the disk, and takes its time.
    fine = subprocess.CompletedProcess[str]([], 0, "", "")
    monkeypatch.setattr(settling.Settler, "_agent", lambda *_: fine)
    power = Power(monkeypatch)
    for first in count(1):
        power.cut(0)
        host = Host(tmp_path / f"{good}-{first}")
        content = make_payload()
        host.stage(signed(ordered(content)), content)
        power.cut(first)
        was_cut, ended = False, Progress()
        for _ in range(2 * updates.STARTS + 2):
            try:
                ended = host.start()
            except PowerCut:
                was_cut = True
                power.cut(0)
            assert host.runs in ("0.1.0", NEW)
            if good and host.runs == NEW:
                host.let_in()
        assert ended.settled
        assert ended.step is (Step.DONE if good else Step.FAILED)
        assert host.runs == host.told == (NEW if good else "0.1.0")
        assert len(host.versions()) == 1
        assert not (host.directory / "previous").is_symlink()
        if not was_cut:
            assert first > 10
            return


def test_an_update_that_is_cut_each_time_is_given_up(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = make_payload()
    host.stage(signed(ordered(content)), content)

    def cut(*_: object) -> None:
        raise PowerCut

    monkeypatch.setattr(settling.payload, "unpack", cut)
    for _ in range(updates.TRIES):
        with pytest.raises(PowerCut):
            host.start()
    ended = host.start()
    assert (ended.step, ended.code) == (Step.FAILED, Code.UPDATE_INTERRUPTED.value)
    assert host.runs == "0.1.0"


def test_a_full_disk_leaves_the_old_version(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    content = make_payload()
    host.stage(signed(ordered(content)), content)
    monkeypatch.setattr(settling.payload, "unpack", full)
    assert host.start().code == Code.UPDATE_NO_SPACE.value
    assert host.runs == "0.1.0"


@pytest.mark.parametrize(
    "changes",
    [
        {"version": "../x"},
        {"version": ""},
        {"sha256": "A" * 64},
        {"size": 0},
        {"size": 2**40},
        {"size": True},
        {"issued_at": "now"},
        {"downgrade": 1},
        {"trial_seconds": 1},
        {"platform": None},
    ],
)
def test_orders_with_wrong_fields_are_none(changes: dict[str, Any]) -> None:
    body = {**ordered(b"x").body(), **changes}
    with pytest.raises(wire.WireError):
        wire.UpgradeOrder.of(body)
    with pytest.raises(wire.WireError):
        wire.UpgradeOrder.of({})


def test_versions_compare_by_their_numbers() -> None:
    numbers = wire.version_numbers
    assert numbers("0.10.0") > numbers("0.9.9")
    assert numbers("1.0") == numbers("1.0.0")
    assert numbers("x") == (0, 0, 0)

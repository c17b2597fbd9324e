"""The agent's files: what a power cut can leave, and what it cannot."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tremplin_agent.core.lifecycle import Phase
from tremplin_agent.store import State, Store, StoreError, write_durably
from tremplin_agent.wire import KeyInfo

ENROLLED = State(Phase.ENROLLED, 7, "key", 1_800_000_000.5)


class PowerCut(BaseException):
    """The machine is off from here on."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_a_new_store_is_that_of_a_new_agent(store: Store) -> None:
    assert store.state() == State()
    assert store.private_key() is None
    assert store.key_info() is None
    assert store.settings() == {}
    assert store.ca() is None
    assert not store.is_removing


def test_what_is_kept_is_found_again(store: Store) -> None:
    store.save_state(ENROLLED)
    store.save_private_key(b"k" * 32)
    store.save_settings({"heartbeat_seconds": 3}, {"tag": "t"})
    store.save_ca("pem")
    again = Store(store.directory)
    assert again.state() == ENROLLED
    assert again.private_key() == b"k" * 32
    assert again.settings() == {"heartbeat_seconds": 3}
    assert again.ca() == "pem"


def test_every_file_is_private(store: Store) -> None:
    store.save_private_key(b"k" * 32)
    store.removing(ENROLLED)
    store.save_settings({}, {})
    store.set_disabled(True)
    modes = {path.name: path.stat().st_mode & 0o777 for path in store.directory.iterdir()}
    assert set(modes.values()) == {0o600}
    assert set(modes) == {"agent.key", "state.json", "removing", "settings.json", "disabled"}


def test_enrolment_material_goes_once_the_agent_is_in(store: Store) -> None:
    store.save_key_info(KeyInfo(("https://a",), b"", "a" * 32, b"s" * 16).encode())
    assert store.key_info() is not None
    store.enrolled(ENROLLED)
    assert store.key_info() is None
    assert store.state() == ENROLLED


def test_equal_settings_are_not_written_again(store: Store) -> None:
    store.save_settings({"a": 1}, {})
    before = (store.directory / "settings.json").stat().st_ino
    store.save_settings({"a": 1}, {})
    assert (store.directory / "settings.json").stat().st_ino == before


def test_the_local_switch(store: Store) -> None:
    assert not store.is_disabled
    store.set_disabled(True)
    assert store.is_disabled
    store.set_disabled(False)
    assert not store.is_disabled


@pytest.mark.parametrize("name", ["state.json", "settings.json", "agent.key", "key-info"])
@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[]"])
def test_a_damaged_file_is_named(store: Store, name: str, content: bytes) -> None:
    (store.directory / name).write_bytes(content)
    readers: dict[str, Callable[[], Any]] = {
        "state.json": store.state,
        "settings.json": store.settings,
        "agent.key": store.private_key,
        "key-info": store.key_info,
    }
    with pytest.raises(StoreError, match=name):
        readers[name]()


def test_an_unknown_phase_is_damage_and_an_unknown_field_is_not(store: Store) -> None:
    (store.directory / "state.json").write_text('{"phase": "enrolled", "novelty": 1}')
    assert store.state().phase is Phase.ENROLLED
    (store.directory / "state.json").write_text('{"phase": "asleep"}')
    with pytest.raises(StoreError):
        store.state()


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_cut_while_writing_leaves_the_old_state(
    store: Store, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    store.save_state(ENROLLED)

    def cut(*_: object) -> None:
        raise PowerCut

    target = os if call == "fsync" else Path
    monkeypatch.setattr(target, call, cut)
    with pytest.raises(PowerCut):
        store.save_state(State(Phase.REMOVING, 7))
    monkeypatch.undo()
    assert Store(store.directory).state() == ENROLLED


def test_content_is_on_disk_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(handle: int) -> None:
        done.append("fsync")
        fsync(handle)

    def noted_replace(source: Path, target: Path) -> Path:
        done.append("replace")
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    write_durably(tmp_path / "file", b"content")
    assert done == ["fsync", "replace", "fsync"]


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    directory = tmp_path / "var"
    directory.mkdir()
    (directory / f".file.{os.getpid()}.new").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        write_durably(directory / "file", b"theirs")
    assert victim.read_text() == "mine"

"""Payloads: found, hashed, stamped in place; secrets sealed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from tremplin_server.config import Config
from tremplin_server.errors import NotFound, TremplinError, Unavailable
from tremplin_server.installers import payload, sealing

HEADER = b'#!/bin/sh\nTREMPLIN_VERSION="1.2.3"\nTREMPLIN_KEY_INFO="' + b"@" * 1536 + b'"\n'
BODY = bytes(range(256)) * 4096


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(data_dir=tmp_path, payload_dir=tmp_path, secret_key="k")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tremplin-scc-linux-64.bin"
    path.write_bytes(HEADER + BODY)
    return path


def test_a_payload_is_described(config: Config, file: Path) -> None:
    [found] = payload.payloads(config)
    assert (found.platform, found.version, found.size) == ("linux-64", "1.2.3", len(HEADER + BODY))
    assert found.sha256 == hashlib.sha256(HEADER + BODY).hexdigest()
    file.write_bytes(HEADER + BODY + b"more")
    assert payload.payload(config, "linux-64").sha256 != found.sha256, "a new build is seen"


def test_stamping_fills_the_slot_and_moves_nothing(config: Config, file: Path) -> None:
    stamped = b"".join(payload.stamped(payload.payload(config, "linux-64"), "abc_-123"))
    assert len(stamped) == len(HEADER + BODY)
    assert b'TREMPLIN_KEY_INFO="abc_-123' + b" " * (1536 - 8) + b'"\n' in stamped
    assert stamped.endswith(BODY)
    assert b"@@" not in stamped[: len(HEADER)]


def test_a_full_slot_and_one_byte_too_many(config: Config, file: Path) -> None:
    source = payload.payload(config, "linux-64")
    assert b"".join(payload.stamped(source, "x" * 1536))[: len(HEADER)].count(b"x" * 1536) == 1
    with pytest.raises(TremplinError) as wrong:
        payload.stamped(source, "x" * 1537)
    assert wrong.value.code == "config.invalid"


def test_a_file_without_a_slot_is_no_payload(config: Config, file: Path) -> None:
    file.write_bytes(BODY)
    with pytest.raises(TremplinError) as wrong:
        payload.stamped(payload.payload(config, "linux-64"), "x")
    assert wrong.value.code == "config.invalid"


def test_missing_payloads_and_unknown_platforms(config: Config) -> None:
    assert payload.payloads(config) == []
    with pytest.raises(Unavailable):
        payload.payload(config, "linux-64")
    with pytest.raises(NotFound):
        payload.payload(config, "../../etc/passwd")


def test_a_sealed_secret_opens_with_the_same_key_and_for_the_same_installer(
    config: Config,
) -> None:
    sealed = sealing.seal(config, "i" * 32, b"secret")
    assert sealing.unseal(config, "i" * 32, sealed) == b"secret"
    assert sealing.seal(config, "i" * 32, b"secret") != sealed
    for other, installer_id in ((Config(secret_key="other"), "i" * 32), (config, "j" * 32)):
        with pytest.raises(TremplinError) as lost:
            sealing.unseal(other, installer_id, sealed)
        assert lost.value.code == "installer.secret_lost"
    with pytest.raises(TremplinError) as unset:
        sealing.seal(Config(), "i" * 32, b"secret")
    assert unset.value.code == "config.invalid"

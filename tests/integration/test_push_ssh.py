"""The shell of a push against a real sshd on this machine."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tremplin_server.errors import TremplinError
from tremplin_server.push import facts
from tremplin_server.push.ssh import Access, Shell, Target

from tests.integration.sshd import Sshd, start


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with start(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture
def access(sshd: Sshd) -> Access:
    return Access(key_file=sshd.user_key, agent=False, host_key_files=(sshd.known_hosts,))


@pytest.fixture
def target(sshd: Sshd) -> Target:
    return Target("127.0.0.1", sshd.port, sshd.user)


def refused(target: Target, access: Access) -> TremplinError:
    with pytest.raises(TremplinError) as caught, Shell(target, access):
        pass
    return caught.value


def test_runs_what_it_is_given_word_by_word(target: Target, access: Access) -> None:
    odd = 'it\'s $HOME; `id` "x"\n*'
    with Shell(target, access) as shell:
        answer = shell.run(["printf", "%s|", "a b", odd])
        assert (answer.status, answer.stdout) == (0, f"a b|{odd}|")


def test_hands_over_standard_input_and_status(target: Target, access: Access) -> None:
    with Shell(target, access) as shell:
        answer = shell.run(["sh", "-c", "cat; echo no >&2; exit 7"], stdin=b"secret")
        assert (answer.status, answer.stdout, answer.stderr) == (7, "secret", "no")


def test_uploads_and_compares(target: Target, access: Access, tmp_path: Path) -> None:
    source = tmp_path / "payload.bin"
    source.write_bytes(os.urandom(300_000))
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    (tmp_path / "there").mkdir()
    with Shell(target, access) as shell:
        path = shell.upload(source, str(tmp_path / "there"), digest)
        assert Path(path).read_bytes() == source.read_bytes()
        with pytest.raises(TremplinError, match="checksum"):
            shell.upload(source, str(tmp_path / "there"), "0" * 64)
        with pytest.raises(TremplinError, match="No such file"):
            shell.upload(source, str(tmp_path / "nowhere"), digest)


def test_unknown_host_key_names_its_fingerprint(
    target: Target, access: Access, sshd: Sshd, tmp_path: Path
) -> None:
    nothing = tmp_path / "known_hosts"
    nothing.touch()
    wary = replace(access, host_key_files=(nothing,))
    error = refused(target, wary)
    assert error.code == "push.host_key_unknown"
    assert f"--accept-fingerprint {sshd.fingerprint}" in error.text("en")
    with Shell(target, replace(wary, accepted_fingerprints=(sshd.fingerprint,))) as shell:
        assert shell.run(["true"]).status == 0
    assert refused(target, replace(wary, accepted_fingerprints=("SHA256:" + "A" * 43,)))


def test_changed_host_key_is_refused_even_if_another_is_accepted(
    target: Target, access: Access, sshd: Sshd
) -> None:
    wary = replace(access, host_key_files=(sshd.wrong_known_hosts,))
    error = refused(target, wary)
    assert error.code == "push.host_key_changed"
    assert sshd.fingerprint in error.text("fr")


def test_wrong_key_is_refused(target: Target, access: Access, sshd: Sshd) -> None:
    error = refused(target, replace(access, key_file=sshd.stranger_key))
    assert error.code == "push.authentication"
    assert sshd.user in error.text("en")


def test_unreachable(access: Access, sshd: Sshd) -> None:
    error = refused(Target("127.0.0.1", sshd.closed_port, sshd.user), access)
    assert error.code == "push.unreachable"
    assert "refused" in error.text("en").lower()


def test_silence_ends_the_command(target: Target, access: Access) -> None:
    with Shell(target, access) as shell, pytest.raises(TremplinError) as caught:
        shell.run(["sleep", "30"], timeout_seconds=0.2)
    assert caught.value.code == "push.connection"


def test_probe_sees_what_is_there(target: Target, access: Access, tmp_path: Path) -> None:
    there = tmp_path / "jc"
    (there / "var").mkdir(parents=True)
    (there / "install.json").write_text(
        '{\n "complete": true,\n "user": "svc", "scope": "user", "startup": "cron"}'
    )
    (there / "var" / "state.json").write_text('{"client_id": 12, "phase": "enrolled"}')
    for name, body in (("uninstall", "exit 0"), ("init-script", "exit 3")):
        (there / name).write_text(f"#!/bin/sh\n{body}\n")
        (there / name).chmod(0o755)
    (tmp_path / "jc.partial-1").mkdir()
    (tmp_path / "other").mkdir()
    with Shell(target, access) as shell:
        host = facts.probe(shell, [str(there), str(tmp_path / "other"), str(tmp_path / "missing")])
    assert (host.system, host.uid) == ("Linux", os.getuid())
    assert host.leftovers == (f"{there}.partial-1",)
    found = host.at(str(there))
    assert found is not None
    assert (found.owned, found.complete, found.client_id) == (True, True, 12)
    assert (found.user, found.scope, found.startup) == ("svc", "user", "cron")
    assert (found.running, found.readable) == (False, True)
    other = host.at(str(tmp_path / "other"))
    assert other is not None
    assert not other.owned
    assert host.at(str(tmp_path / "missing")) is None

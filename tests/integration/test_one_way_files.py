"""Files of which a session may only read, or only write, over a real SFTP connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncssh
import pytest
from tremplin_agent.ssh.files import one_way, system_files

Doing = Callable[[asyncssh.SFTPClient, Path], Awaitable[object]]


async def _put(sftp: asyncssh.SFTPClient, root: Path) -> None:
    async with sftp.open(str(root / "new"), "wb") as file:
        await file.write(b"x")


async def _append(sftp: asyncssh.SFTPClient, root: Path) -> None:
    async with sftp.open(str(root / "old"), "ab") as file:
        await file.write(b"x")


async def _get(sftp: asyncssh.SFTPClient, root: Path) -> None:
    async with sftp.open(str(root / "old"), "rb") as file:
        assert await file.read() == b"old"


READS: list[Doing] = [_get]
WRITES: list[Doing] = [
    _put,
    _append,
    lambda sftp, root: sftp.remove(str(root / "old")),
    lambda sftp, root: sftp.rename(str(root / "old"), str(root / "moved")),
    lambda sftp, root: sftp.posix_rename(str(root / "old"), str(root / "moved")),
    lambda sftp, root: sftp.mkdir(str(root / "made")),
    lambda sftp, root: sftp.rmdir(str(root / "empty")),
    lambda sftp, root: sftp.chmod(str(root / "old"), 0o600),
    lambda sftp, root: sftp.symlink("old", str(root / "link")),
    lambda sftp, root: sftp.link(str(root / "old"), str(root / "hard")),
]


def attempt(root: Path, doing: Doing, version: int, *, reads: bool, writes: bool) -> None:
    """Do something with the files of a server that lets one way through."""
    (root / "old").write_bytes(b"old")
    (root / "empty").mkdir()

    async def scenario() -> None:
        key = asyncssh.generate_private_key("ssh-ed25519")
        files = one_way(system_files(), reads=reads, writes=writes)
        async with (
            asyncssh.listen(
                "127.0.0.1",
                0,
                server_host_keys=[key],
                server_factory=_Open,
                sftp_factory=files,
                sftp_version=version,
                encoding=None,
            ) as server,
            asyncssh.connect(
                "127.0.0.1",
                server.get_port(),
                known_hosts=None,
                username="x",
                client_keys=None,
                config=None,
            ) as connection,
            connection.start_sftp_client(sftp_version=version) as sftp,
        ):
            assert "old" in await sftp.listdir(str(root))
            await doing(sftp, root)

    asyncio.run(scenario())


class _Open(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return False


@pytest.mark.parametrize("version", [3, 6])
@pytest.mark.parametrize("doing", READS)
def test_downloading(tmp_path: Path, doing: Doing, version: int) -> None:
    attempt(tmp_path, doing, version, reads=True, writes=False)


@pytest.mark.parametrize("version", [3, 6])
@pytest.mark.parametrize("doing", WRITES)
def test_what_changes_nothing_may_not_write(tmp_path: Path, doing: Doing, version: int) -> None:
    with pytest.raises(asyncssh.SFTPPermissionDenied, match="may not upload or change"):
        attempt(tmp_path, doing, version, reads=True, writes=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "old"]


@pytest.mark.parametrize("version", [3, 6])
def test_uploading_reads_nothing(tmp_path: Path, version: int) -> None:
    attempt(tmp_path, _put, version, reads=False, writes=True)
    assert (tmp_path / "new").read_bytes() == b"x"
    (tmp_path / "empty").rmdir()
    with pytest.raises(asyncssh.SFTPPermissionDenied, match="may not download"):
        attempt(tmp_path, _get, version, reads=False, writes=True)

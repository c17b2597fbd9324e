"""The SSH server of one session: who gets in, and what he may do."""

from __future__ import annotations

import logging
from typing import Any, Awaitable, List, Optional, Type, Union

import asyncssh
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tremplin_agent import __version__, targets
from tremplin_agent.core.identity import Identity
from tremplin_agent.ssh import beyond
from tremplin_agent.ssh.commands import NO_FILES, Commands, refuse
from tremplin_agent.ssh.files import one_way, system_files
from tremplin_agent.terms import Capability, FileCapability, Terms

LOOPBACK = ("localhost", "127.0.0.1", "::1")
WINDOW = 4 * 1024 * 1024
"""Bytes that a client may send ahead on a channel."""
LOGIN_SECONDS = 60
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
"""One pass in C for each packet. OpenSSH takes the first of its own list that we offer, and
would take slower ones."""

log = logging.getLogger("tremplin.session")


class Door(asyncssh.SSHServer):
    """Lets in whom the terms name, and forwards only where they say.

    loopback_only: the host forbids to forward to other machines, whatever the terms say.
    """

    def __init__(self, terms: Terms, *, loopback_only: bool = False) -> None:
        self._terms = terms
        self._loopback_only = loopback_only
        self._keys = _public_keys(terms)
        self._connection: Optional[asyncssh.SSHServerConnection] = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        """Return whether to ask for a key. The name means nothing: the agent has one user."""
        return not self._terms.open

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return key in self._keys

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> Union[bool, Awaitable[Any]]:
        if Capability.FORWARD.value in self._terms.capabilities:
            if dest_host in LOOPBACK and dest_port in self._terms.ports:
                return True
            if targets.written(dest_host, dest_port) in self._terms.targets:
                return self._beyond(dest_host, dest_port)
        raise _prohibited(f"this session may not forward to port {dest_port} of {dest_host}")

    async def _beyond(self, host: str, port: int) -> Any:
        """Return a channel's end at a port of another machine."""
        if self._loopback_only:
            raise _prohibited("this host does not forward to other machines")
        assert self._connection is not None, "channels are opened on connections"
        try:
            address = await beyond.address(host, port)
        except beyond.Refused as refused:
            log.warning("not forwarded to port %d of %s: %s", port, host, refused)
            raise _prohibited(str(refused)) from refused
        except OSError as error:
            reason = f"{host} is not known here: {error.strerror}"
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, reason) from error
        return await self._connection.forward_connection(address, port)


def _prohibited(reason: str) -> asyncssh.ChannelOpenError:
    return asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, reason)


def _public_keys(terms: Terms) -> List[asyncssh.SSHKey]:
    found = []
    for text in terms.keys:
        try:
            found.append(asyncssh.import_public_key(text))
        except asyncssh.KeyImportError as error:
            log.warning("a key of the technician's is left out: %s", error)
    return found


def _no_files(channel: asyncssh.SSHServerChannel[bytes]) -> asyncssh.SFTPServer:
    """Refuse to transfer files: a refused subsystem alone could not say why."""
    refuse(channel, NO_FILES)
    return asyncssh.SFTPServer(channel)


def _files(terms: Terms) -> Optional[Type[asyncssh.SFTPServer]]:
    """Return what serves the files that the terms allow; nothing where they allow none."""
    granted = terms.capabilities
    if Capability.SFTP.value in granted:
        return system_files()
    reads = FileCapability.DOWNLOAD.value in granted
    writes = FileCapability.UPLOAD.value in granted
    return one_way(system_files(), reads=reads, writes=writes) if reads or writes else None


def host_key(identity: Identity) -> asyncssh.SSHKey:
    """Return the agent's identity as an SSH host key."""
    key = Ed25519PrivateKey.from_private_bytes(identity.raw())
    form = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return asyncssh.import_private_key(form)


async def serve(
    tunnel: Any,
    terms: Terms,
    key: asyncssh.SSHKey,
    commands: Commands,
    *,
    loopback_only: bool = False,
) -> asyncssh.SSHServerConnection:
    """Return the SSH connection of a session, once the technician is let in.

    tunnel: has `create_connection(factory, host, port)`. loopback_only: see `Door`. Raises
    asyncssh.Error or OSError when that does not come to be.
    """
    # It would log every command, and a command may hold a password.
    logging.getLogger("asyncssh").setLevel(logging.WARNING)
    return await asyncssh.connect_reverse(
        "technician",
        22,
        tunnel=tunnel,
        config=None,
        server_factory=lambda: Door(terms, loopback_only=loopback_only),
        server_host_keys=[key],
        server_version=f"Tremplin_{__version__}",
        process_factory=commands.serve,
        sftp_factory=_files(terms) or _no_files,
        allow_scp=False,
        encoding=None,
        line_editor=False,
        agent_forwarding=False,
        x11_forwarding=False,
        gss_host=None,
        compression_algs=None,
        encryption_algs=CIPHERS,
        login_timeout=LOGIN_SECONDS,
        window=WINDOW,
    )

"""The gateway as an SSH client of a host: for the terminal and the files of the pages."""

from __future__ import annotations

import asyncssh

from tremplin_server.errors import TremplinError
from tremplin_server.gateway.stream import Stream, StreamTunnel
from tremplin_server.sessions.host_keys import ALGORITHM, ssh_public_key

LOGIN_SECONDS = 15
CIPHERS = ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com"]


async def sign_in(stream: Stream, host_key: bytes) -> asyncssh.SSHClientConnection:
    """Return an SSH connection over a session's stream.

    host_key: the raw key that the host must prove. No key of ours signs in: the session
    says that the server vouches for its technician (`Request.open`). Raises TremplinError,
    and the stream is closed then.
    """
    trusted = asyncssh.import_public_key(ssh_public_key(host_key))
    try:
        return await asyncssh.connect(
            "host",
            tunnel=StreamTunnel(stream),
            config=None,
            username="tremplin",
            client_keys=None,
            agent_path=None,
            known_hosts=([trusted], [], []),
            server_host_key_algs=[ALGORITHM],
            encryption_algs=CIPHERS,
            compression_algs=None,
            login_timeout=LOGIN_SECONDS,
        )
    except (OSError, asyncssh.Error) as error:
        code = stream.end_code or "jump.internal"
        await stream.close(code)
        raise TremplinError(code) from error
    except BaseException:
        await stream.close("jump.internal")
        raise

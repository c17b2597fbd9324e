"""`tremplin session proxy`: a Jump Client as an ssh ProxyCommand, without the bastion.

    ssh -o ProxyCommand="tremplin session proxy %h" any@web1

It asks the API for a session with the caller's public keys and carries its bytes between
standard input and output and the session's WebSocket. One layer of SSH less than through
the bastion: for programs that move much. It runs wherever the program is installed, and
needs no configuration of a server there.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import uvloop
from tremplin_agent.wire import MAX_FRAME
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from tremplin_server.errors import CATALOGUE
from tremplin_server.rest import API_PREFIX

TIMEOUT = 30.0
_CHUNK = 128 * 1024
_NAMED_BY = ("external_id", "name", "hostname")


class Refused(click.ClickException):
    """What the server answered instead; exits with the status of its code."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        super().__init__(str(body.get("message", "the server refused")))
        self._entry = CATALOGUE.get(str(body.get("code", "")))

    @property
    def exit_code(self) -> int:  # type: ignore[override] # click reads it, of the instance
        """The exit status of the code, 1 for one that is not known here."""
        return self._entry.exit_status if self._entry is not None else 1


@dataclass(frozen=True, slots=True)
class Api:
    """The API of a server, for one API account."""

    url: str
    client_id: str
    secret: str = field(repr=False)
    tls: ssl.SSLContext

    def token(self) -> str:
        """Return an access token."""
        pair = base64.b64encode(f"{self.client_id}:{self.secret}".encode()).decode()
        body = b"grant_type=client_credentials"
        answer = self._send("POST", "/oauth2/token", body, f"Basic {pair}")
        return str(answer["access_token"])

    def call(self, method: str, path: str, token: str, body: object = None) -> Any:
        """Call the API; path: below its prefix. Raises Refused."""
        content = None if body is None else json.dumps(body).encode()
        return self._send(method, API_PREFIX + path, content, f"Bearer {token}")

    def _send(self, method: str, path: str, body: bytes | None, authorization: str) -> Any:
        headers = {
            "Authorization": authorization,
            "Accept-Language": os.environ.get("LANG", "en")[:2],
        }
        request = urllib.request.Request(  # noqa: S310 - the address is the operator's
            self.url + path, body, headers, method=method
        )
        try:
            with urllib.request.urlopen(  # noqa: S310
                request, timeout=TIMEOUT, context=self.tls
            ) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(_told(error.read())) from error
        except OSError as error:
            raise click.ClickException(f"{self.url}: {error}") from error


def _told(body: bytes) -> Mapping[str, Any]:
    with suppress(ValueError):
        found = json.loads(body)
        if isinstance(found, dict):
            return found
    return {}


def find(api: Api, token: str, name: str) -> int:
    """Return the id of the Jump Client that `name` means: an id, or the only one so called."""
    if name.isdecimal():
        return int(name)
    for key in _NAMED_BY:
        found = api.call("GET", f"/jump-client?{key}={quote(name, safe='')}", token)
        if len(found) == 1:
            return int(found[0]["id"])
        if found:
            ids = ", ".join(str(one["id"]) for one in found)
            raise click.ClickException(f"several Jump Clients are called {name}; take an id: {ids}")
    raise Refused({"code": "client.missing", "message": f"there is no Jump Client {name}"})


def public_keys(files: Sequence[Path]) -> list[str]:
    """Return the keys of `files`; without files those of ssh's agent and of ~/.ssh."""
    texts = [path.read_text("utf-8") for path in files or sorted(Path.home().glob(".ssh/id_*.pub"))]
    if not files and "SSH_AUTH_SOCK" in os.environ:
        with suppress(OSError, subprocess.TimeoutExpired):
            listed = subprocess.run(
                ["ssh-add", "-L"],  # noqa: S607 - the caller's own ssh
                capture_output=True,
                text=True,
                timeout=10,
                check=False,
            )
            texts.append(listed.stdout if listed.returncode == 0 else "")
    lines = (line.strip() for text in texts for line in text.splitlines())
    found = list(dict.fromkeys(line for line in lines if line))
    if not found:
        raise click.ClickException("there is no SSH key; give one with --key")
    return found


@click.command("proxy")
@click.argument("client")
@click.option("--url", envvar="TREMPLIN_URL", required=True, help="Of the server; TREMPLIN_URL.")
@click.option(
    "--ca",
    envvar="TREMPLIN_CA_PATH",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The server's authority (PEM); TREMPLIN_CA_PATH.",
)
@click.option(
    "--key",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Public key that will sign in; the agent's and ~/.ssh's when not given.",
)
@click.option("--reason", default="", help="Kept in the audit log.")
def proxy(client: str, url: str, ca: Path | None, files: tuple[Path, ...], reason: str) -> None:
    """Carry ssh to a Jump Client without the bastion.

    The API account's TREMPLIN_CLIENT_ID and TREMPLIN_CLIENT_SECRET are in the environment.

    \b
    ssh -o ProxyCommand="tremplin session proxy %h" any@web1
    """
    try:
        account = os.environ["TREMPLIN_CLIENT_ID"], os.environ["TREMPLIN_CLIENT_SECRET"]
    except KeyError as error:
        raise click.UsageError(f"{error.args[0]} is not in the environment") from error
    tls = ssl.create_default_context(cafile=ca)
    api = Api(url.rstrip("/"), *account, tls)
    token = api.token()
    path = f"/jump-client/{find(api, token, client)}/session"
    body = {"public_keys": public_keys(files), "reason": reason}
    started = api.call("POST", path, token, body)
    # The server may call itself by a name that does not lead to it from here.
    stream = "wss" + api.url.removeprefix("https") + _path(started["stream_url"])
    code = uvloop.run(_carry(stream, started["ticket"], tls))
    if code:
        raise Refused({"code": code, "message": CATALOGUE[code].en if code in CATALOGUE else code})


def _path(url: str) -> str:
    return "/" + url.split("://", 1)[1].split("/", 1)[1]


async def _carry(url: str, ticket: str, tls: ssl.SSLContext) -> str:
    """Carry bytes until either side ends; return why the other side did."""
    try:
        async with connect(
            url,
            ssl=tls,
            additional_headers={"Authorization": f"Bearer {ticket}"},
            compression=None,
            max_size=MAX_FRAME,
            open_timeout=TIMEOUT,
            proxy=None,
        ) as stream:
            tasks = [asyncio.ensure_future(part(stream)) for part in (_outward, _inward)]
            _, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in left:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            return stream.close_reason or ""
    except InvalidStatus as error:
        raise Refused(_told(bytes(error.response.body or b""))) from error
    except (OSError, TimeoutError, InvalidHandshake) as error:
        raise click.ClickException(f"{url}: {error}") from error


async def _outward(stream: ClientConnection) -> None:
    reader = asyncio.StreamReader(limit=_CHUNK)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    with suppress(ConnectionClosed):
        while data := await reader.read(_CHUNK):
            await stream.send(data)


async def _inward(stream: ClientConnection) -> None:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, sys.stdout.buffer
    )
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    with suppress(ConnectionClosed, OSError):
        async for data in stream:
            if isinstance(data, bytes):
                writer.write(data)
                await writer.drain()
    with suppress(OSError):
        writer.close()
        await writer.wait_closed()

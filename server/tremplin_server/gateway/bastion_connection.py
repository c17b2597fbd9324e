"""One technician's connection to the bastion: who it is, and what is opened through it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import asyncssh
from tremplin_agent.terms import Capability

from tremplin_server.accounts import callers
from tremplin_server.accounts.callers import Caller
from tremplin_server.audit import service as audit
from tremplin_server.db import Work
from tremplin_server.errors import Denied, TremplinError
from tremplin_server.gateway import logins, metrics
from tremplin_server.gateway.bastion_channel import ChannelStream, Half, Notice
from tremplin_server.gateway.bastion_words import greeting, plain, say
from tremplin_server.gateway.stream import Stream, StreamTunnel
from tremplin_server.permissions import Actor, ActorKind
from tremplin_server.policies.refusal import PolicyRefusal
from tremplin_server.policies.rules import Needs
from tremplin_server.sessions import naming, reach
from tremplin_server.sessions.host_keys import ssh_public_key
from tremplin_server.sessions.models import Front
from tremplin_server.sessions.service import Request
from tremplin_server.shortcuts import connecting

if TYPE_CHECKING:
    from tremplin_server.gateway.bastion import Bastion

Session = Awaitable[ChannelStream] | Awaitable[Half]
Opened = Session | tuple[asyncssh.SSHTCPChannel[bytes], Session]

MAX_PASSWORDS = 5
MAX_KEYS = 50
"""Attempts of one connection to sign in."""

CHANNEL_WINDOW = 2 * 1024 * 1024
PACKET = 64 * 1024
_SSH = 22


class BastionConnection(asyncssh.SSHServer):
    """What asyncssh asks about one connection."""

    def __init__(self, bastion: Bastion) -> None:
        self._bastion = bastion
        self._connection: asyncssh.SSHServerConnection | None = None
        self._address = ""
        self._name = ""
        self._login = logins.Login("")
        self._known: dict[tuple[str, str], Caller | TremplinError] = {}
        self._passwords = 0
        self._refusal: TremplinError | None = None
        self._forwards: dict[int, asyncio.Task[asyncssh.SSHClientConnection]] = {}
        self._candidate: Caller | None = None
        self.caller: Caller | None = None
        """Who it is, once that is proven."""
        self._proven = False
        """Whether a code was taken at the sign-in and has opened no session yet."""

    # --- life -------------------------------------------------------------------------------

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        peer = conn.get_extra_info("peername") or ("",)
        # An IPv4 address may come in the clothes of IPv6.
        self._address = str(peer[0]).removeprefix("::ffff:")
        if not self._bastion.admit(self):
            self.hang_up("attempts")

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection = None
        for forward in self._forwards.values():
            if not forward.cancel() and _usable(forward):
                forward.result().close()
        if self.caller is None and self._refusal is not None:
            self._bastion.note_refused(self._name, self._refusal, self._address)
        self._bastion.forget(self)

    def hang_up(self, why: str) -> None:
        """End the connection with a text of `bastion_words`."""
        if self._connection is not None:
            text = plain(say(why, self._language))
            self._connection.disconnect(asyncssh.DISC_BY_APPLICATION, text)

    @property
    def _language(self) -> str:
        chosen = self.caller.language if self.caller is not None else ""
        return chosen or self._bastion.config.language

    # --- who it is --------------------------------------------------------------------------

    def begin_auth(self, username: str) -> bool:
        self._login = logins.parse(username)
        self._name = self._login.username
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Return whether the key is the user's; asked twice, before and after the proof."""
        if self._login.factor:
            # The password and a code are wanted: ssh goes on to ask for them.
            return False
        shown = (self._name, key.get_fingerprint())
        if shown not in self._known:
            if len(self._known) >= MAX_KEYS:
                self.hang_up("attempts")
                return False
            self._known[shown] = await self._holder(*shown)
        found = self._known[shown]
        if isinstance(found, TremplinError):
            self._refusal = found
            return False
        # asyncssh completes the sign-in only when the signature is right, too.
        self._candidate = found
        return True

    async def _holder(self, username: str, fingerprint: str) -> Caller | TremplinError:
        try:
            return await self._bastion.look_up(callers.by_key, username, fingerprint, self._address)
        except TremplinError as error:
            return error

    def kbdint_auth_supported(self) -> bool:
        return True

    def get_kbdint_challenge(
        self, username: str, lang: str, submethods: str
    ) -> tuple[str, str, str, Sequence[tuple[str, bool]]]:
        failed = self._refusal if self._passwords else None
        said = failed.text(self._language) if failed else say("both", self._language)
        prompts = [(say(key, self._language), False) for key in ("password", "code")]
        return "", plain(said), "", prompts

    async def validate_kbdint_response(self, username: str, responses: Sequence[str]) -> bool:
        self._passwords += 1
        if len(responses) != 2 or not all(responses):
            # A program without a terminal answers nothing: that must not lock the account.
            return False
        try:
            self._candidate = await self._bastion.call(
                callers.by_password, self._name, *responses, self._address
            )
        except TremplinError as error:
            self._refusal = error
            if self._passwords >= MAX_PASSWORDS:
                self.hang_up("attempts")
            return False
        self._proven = True
        return True

    def auth_completed(self) -> None:
        assert self._candidate is not None, "asyncssh asked for a proof"
        self.caller = self._candidate
        self._bastion.note_signed_in(self.caller)

    # --- what is opened ---------------------------------------------------------------------

    def session_requested(self) -> Notice:
        return Notice(self._greeting, self._bastion.spawn)

    async def _greeting(self) -> str:
        assert self.caller is not None, "channels come after the sign-in"
        return await self._bastion.look_up(_greeting, self.caller, self._language)

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> Opened:
        assert self._connection is not None, "channels are opened on connections"
        if dest_port != _SSH:
            return self._forward(dest_host, dest_port)
        channel = self._connection.create_tcp_channel(window=CHANNEL_WINDOW, max_pktsize=PACKET)
        return channel, self._open(dest_host)

    async def _open(self, word: str) -> ChannelStream:
        """Return the channel's end of a new session with the Jump Client `word`."""
        assert self.caller is not None, "channels come after the sign-in"
        request = Request(
            Front.BASTION,
            keys=self.caller.keys,
            open=self.caller.by_password,
            reason=self._login.reason,
            ticket_id=self._login.ticket_id,
        )
        number = connecting.number_in(word)
        try:
            if number is None:
                stream, _key = await self._connect(word, request)
            else:
                stream = await self._pass(number, request)
        except TremplinError as error:
            raise self._refused(error) from error
        return ChannelStream(stream, self._bastion.spawn)

    async def _pass(self, number: int, request: Request) -> Stream:
        """Return a stream to the Jump Client of a shortcut, to reach its computer only."""
        assert self.caller is not None, "channels come after the sign-in"
        self.caller, client_id, ports, targets = await self._called(_passage, number)
        granted = replace(request, capabilities=(Capability.FORWARD,), ports=ports, targets=targets)
        return await self._started(client_id, granted)

    async def _forward(self, word: str, port: int) -> Half:
        """Return a channel to a port of the host's loopback, through an SSH of our own."""
        try:
            client_id = await self._require_port(word, port)
            forward = self._forwards.get(client_id)
            if forward is None or (forward.done() and not _usable(forward)):
                forward = asyncio.ensure_future(self._inner(word))
                self._forwards[client_id] = forward
            inner = await asyncio.shield(forward)
            far = Half()
            await inner.create_connection(lambda: far, "127.0.0.1", port)
            return Half(far)
        except TremplinError as error:
            raise self._refused(error) from error
        except (OSError, asyncssh.Error) as error:
            if isinstance(error, asyncssh.ChannelOpenError):
                raise
            raise asyncssh.ChannelOpenError(
                asyncssh.OPEN_CONNECT_FAILED, plain(str(error))
            ) from error

    async def _require_port(self, word: str, port: int) -> int:
        """Return the id of the Jump Client; Denied (bastion.port) for a port not granted."""
        client_id, _key = await self._find(word)
        if port not in self._bastion.config.session_ports:
            raise Denied("bastion.port", port=port)
        return client_id

    async def _inner(self, word: str) -> asyncssh.SSHClientConnection:
        """Open a session that only forwards, and sign in there with a key made for it."""
        key = asyncssh.generate_private_key("ssh-ed25519")
        request = Request(
            Front.BASTION,
            capabilities=(Capability.FORWARD,),
            keys=(key.export_public_key().decode().strip(),),
            reason=self._login.reason,
            ticket_id=self._login.ticket_id,
        )
        stream, host_key = await self._connect(word, request)
        trusted = asyncssh.import_public_key(ssh_public_key(host_key))
        try:
            return await asyncssh.connect(
                "host",
                tunnel=StreamTunnel(stream),
                config=None,
                username="tremplin",
                client_keys=[key],
                known_hosts=([trusted], [], []),
                agent_path=None,
            )
        except BaseException:
            await stream.close("jump.internal")
            raise

    async def _connect(self, word: str, request: Request) -> tuple[Stream, bytes]:
        """Return a stream to the host, and the key that its SSH server must prove."""
        client_id, host_key = await self._find(word)
        return await self._started(client_id, request), host_key

    async def _started(self, client_id: int, request: Request) -> Stream:
        assert self.caller is not None, "channels come after the sign-in"
        request, self._proven = replace(request, proven=self._proven), False
        stream = await self._bastion.sessions.start_and_connect(
            self.caller.actor, client_id, request
        )
        if self._connection is None:
            await stream.close()
        return stream

    async def _find(self, word: str) -> tuple[int, bytes]:
        self.caller, client_id, host_key = await self._called(_find, word)
        return client_id, host_key

    async def _called(self, look_up: Callable[..., Any], *about: Any) -> Any:
        """Return what `look_up` finds for the caller; hang up on who is nobody any more."""
        try:
            return await self._bastion.call(look_up, self.caller, *about)
        except TremplinError as error:
            if error.code == "auth.required":
                self.hang_up("signed_out")
            raise

    def _refused(self, error: TremplinError) -> asyncssh.ChannelOpenError:
        metrics.BASTION_REFUSED.labels(error.code).inc()
        allowed = not isinstance(error, Denied)
        return asyncssh.ChannelOpenError(
            asyncssh.OPEN_CONNECT_FAILED if allowed else asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED,
            plain(error.text(self._language) + self._advice(error)),
        )

    def _advice(self, error: TremplinError) -> str:
        """Return how to bring over SSH what a Jump Policy asks for; empty for other errors."""
        if not isinstance(error, PolicyRefusal) or not isinstance(error.verdict, Needs):
            return ""
        words = logins.words_for(self._login, error.verdict.rules)
        return say("bring", self._language, login=words) if words else ""


def _usable(forward: asyncio.Task[asyncssh.SSHClientConnection]) -> bool:
    good = not forward.cancelled() and forward.exception() is None
    return good and not forward.result().is_closed()


def _find(work: Work, caller: Caller, word: str) -> tuple[Caller, int, bytes]:
    """Return the caller as of now, and id and host key of the Jump Client that is meant.

    A refusal is audited although the error ends the work.
    """
    with _refusals_audited(work, word):
        now = _again(work, caller)
        client = naming.resolve(work, word)
    return now, client.id, client.public_key


def _passage(
    work: Work, caller: Caller, number: int
) -> tuple[Caller, int, tuple[int, ...], tuple[str, ...]]:
    """Return the caller as of now, the id of a shortcut's client, and the ports and targets
    that lead to its computer. A refusal is audited although the error ends the work."""
    with _refusals_audited(work, f"shortcut-{number}"):
        now = _again(work, caller)
        way = connecting.passage(work, number)
    return now, way.client.id, way.ports, way.targets


def _again(work: Work, caller: Caller) -> Caller:
    work.actor = caller.actor
    now = callers.again(work, caller)
    work.actor = now.actor
    return now


@contextmanager
def _refusals_audited(work: Work, word: str) -> Iterator[None]:
    try:
        yield
    except TremplinError as error:
        audit.record(
            work, "session.refused", "client", 0, word[:128], code=error.code, front="bastion"
        )
        work.commit()
        raise


def _greeting(work: Work, caller: Caller, language: str) -> str:
    work.actor = caller.actor
    ports = work.config.session_ports
    hosts = naming.reachable(work)
    return greeting(language, caller.actor.name, reach.bastion(work), hosts, ports)


def unknown_actor(name: str, address: str) -> Actor:
    """Return the actor of somebody who was not let in."""
    return Actor(ActorKind.SYSTEM, name[:64], source_ip=address)

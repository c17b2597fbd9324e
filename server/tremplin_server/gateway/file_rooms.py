"""The SFTP connections of this worker: one for each technician and host, kept for a while.

A technician's tab asks many small things, over requests that any worker may get. The
first that a worker gets starts a session; it ends when nobody has asked for `IDLE_SECONDS`.
A session that was ended by somebody else is not started again until the tab is opened anew.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncssh
from tremplin_agent.terms import Capability

from tremplin_server.errors import CATALOGUE, TremplinError, Unavailable
from tremplin_server.gateway.host_ssh import sign_in
from tremplin_server.gateway.stream import Stream
from tremplin_server.permissions import ActorKind
from tremplin_server.sessions import service
from tremplin_server.sessions.file_orders import FileOrder, Operation
from tremplin_server.sessions.models import Front
from tremplin_server.sessions.service import Request

if TYPE_CHECKING:
    from tremplin_server.gateway.gateway import Gateway

IDLE_SECONDS = 600.0
MAX_AT_ONCE = 24
"""Operations of one technician on one host; each transfer holds a few megabytes."""

MAX_ENDS = 10_000

Key = tuple[ActorKind, int, int]


@dataclass(eq=False, slots=True)
class Room:
    """One connection. users: operations that run now."""

    session_id: str
    stream: Stream
    connection: asyncssh.SSHClientConnection
    sftp: asyncssh.SFTPClient
    users: int = 0
    timer: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """End the session."""
        if self.timer is not None:
            self.timer.cancel()
        self.sftp.exit()
        self.connection.close()


class FileRooms:
    """Opens rooms when they are asked for, and forgets those that ended."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._rooms: dict[Key, asyncio.Task[Room]] = {}
        self._ends: OrderedDict[Key, str] = OrderedDict()
        """Why sessions ended that were ended by others."""

    @asynccontextmanager
    async def use(self, order: FileOrder) -> AsyncIterator[Room]:
        """Lend the room of an order; it is made when there is none.

        Raises TremplinError: what starting a session raises, files.busy, and why the
        session ended when it does so meanwhile.
        """
        room = await self._room(order)
        if room.users >= MAX_AT_ONCE:
            raise Unavailable("files.busy")
        room.users += 1
        if room.timer is not None:
            room.timer.cancel()
        try:
            yield room
        except (asyncssh.ConnectionLost, asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection):
            raise _ended(room) from None
        finally:
            room.users -= 1
            if not room.users:
                loop = asyncio.get_running_loop()
                room.timer = loop.call_later(IDLE_SECONDS, room.close)

    async def leave(self, order: FileOrder) -> None:
        """End the session of an order, if it has one here."""
        task = self._rooms.get(_key(order))
        if task is not None:
            (await asyncio.shield(task)).close()

    async def _room(self, order: FileOrder) -> Room:
        key = _key(order)
        if order.operation is Operation.OPEN:
            self._ends.pop(key, None)
        elif key in self._ends:
            raise TremplinError(self._ends[key])
        task = self._rooms.get(key)
        if task is None or (task.done() and _unusable(task)):
            task = self._rooms[key] = asyncio.ensure_future(self._open(key, order))
        # Who asked first may leave while others wait for the same room.
        return await asyncio.shield(task)

    async def _open(self, key: Key, order: FileOrder) -> Room:
        try:
            room = await self._connect(order)
        except BaseException:
            del self._rooms[key]
            raise
        self._gateway.spawn(self._watch(key, room))
        return room

    async def _connect(self, order: FileOrder) -> Room:
        request = Request(
            Front.FILES,
            capabilities=(Capability.SFTP,),
            ports=(),
            reason=order.reason,
            open=True,
            ticket_id=order.ticket_id,
            code=order.code,
        )
        opening = await self._gateway.store.call_as(
            order.actor, service.start_here, order.client_id, request, self._gateway.worker_id
        )
        stream = await self._gateway.sessions.connect(opening)
        connection = await sign_in(stream, opening.host_key)
        try:
            sftp = await connection.start_sftp_client(path_encoding=None)
        except (OSError, asyncssh.Error) as error:
            connection.abort()
            raise TremplinError(stream.end_code or "jump.internal") from error
        return Room(opening.session_id, stream, connection, sftp)

    async def _watch(self, key: Key, room: Room) -> None:
        await room.connection.wait_closed()
        await room.stream.close()
        if room.stream.end_code in CATALOGUE:
            self._ends[key] = room.stream.end_code
            if len(self._ends) > MAX_ENDS:
                self._ends.popitem(last=False)
        task = self._rooms.get(key)
        if task is not None and task.done() and not task.cancelled() and task.result() is room:
            del self._rooms[key]


def _key(order: FileOrder) -> Key:
    return order.actor.kind, order.actor.id, order.client_id


def _unusable(task: asyncio.Task[Room]) -> bool:
    return task.cancelled() or task.exception() is not None or task.result().connection.is_closed()


def _ended(room: Room) -> TremplinError:
    code = room.stream.end_code
    return TremplinError(code if code in CATALOGUE else "session.ended")

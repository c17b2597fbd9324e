"""The gateway of one worker: its connections, and everything that moves them."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Coroutine, Mapping
from typing import Any

from tremplin_agent import wire
from tremplin_agent.wire import b64encode

from tremplin_server import pki
from tremplin_server.clients import commands, wake_on_lan
from tremplin_server.clients.identity import site_identity
from tremplin_server.clients.presence import Change
from tremplin_server.config import Config
from tremplin_server.db import Database, Work
from tremplin_server.errors import CATALOGUE, TremplinError, Unavailable
from tremplin_server.gateway.bastion import Bastion
from tremplin_server.gateway.bus import Bus
from tremplin_server.gateway.control import Connection, Receive
from tremplin_server.gateway.housekeeping import Housekeeping
from tremplin_server.gateway.hub import Alone, Hub
from tremplin_server.gateway.limits import TokenBucket
from tremplin_server.gateway.link import Link
from tremplin_server.gateway.live import LivePages
from tremplin_server.gateway.liveness import Sweeper
from tremplin_server.gateway.peers import BusPeers
from tremplin_server.gateway.post import Post
from tremplin_server.gateway.sessions import SessionHub
from tremplin_server.gateway.store import Store
from tremplin_server.gateway.waking import Waker
from tremplin_server.logging import logger
from tremplin_server.portal.attempts import Attempts

CATCH_UP_SECONDS = 15.0
_CATCH_UP_BATCH = 500
_DRAIN_RATE = 700
"""Agents per second that are asked to come back, a little more than a worker takes in."""

_log = logger(__name__)


class Gateway:
    """Holds what its connections share. One per worker process, made in its event loop."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self.config: Config = database.config
        self.worker_id = f"{socket.gethostname()[:32]}-{os.getpid()}-{secrets.token_hex(4)}"
        self.accepted_pins = frozenset({pki.ca_pin(self.config)})
        self.server_key = b""
        self.store = Store(database)
        self.bus = bus
        self._peers = None if self.config.sqlite else BusPeers(self.worker_id, bus)
        self.hub = Hub(self._peers or Alone())
        self.waker = Waker(self.store)
        self.live = LivePages(bus, self.config)
        self.sessions = SessionHub(self)
        self.bastion = Bastion(self.config, self.store, self.sessions, self.spawn)
        self.wrong_keys = Attempts()
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Future[Any]] = set()
        self._sweeper = Sweeper(self.config.heartbeat_seconds)
        self._housekeeping = Housekeeping(self.store, self.worker_id, self.config.sqlite)
        self._loop = asyncio.get_running_loop()
        self._bucket = TokenBucket(self.config.enrolments_per_second, self._loop.time())
        self._background: list[asyncio.Task[None]] = []

    # --- life ---------------------------------------------------------------------------------

    async def start(self, bastion_listener: socket.socket | None = None) -> None:
        """Begin: after this, connections may come.

        bastion_listener: where technicians come with ssh; None for no bastion here.
        """
        self.server_key = await self.store.call(_server_key)
        for topic in ("client.command", "client.deleted"):
            self.bus.subscribe(topic, self._look_for_commands)
        self.bus.subscribe("support.changed", self._look_at_customer)
        self.bus.subscribe("client.close", self._close)
        self.bus.subscribe("client.wake_on_lan", self._wake)
        self.bus.on_gap(lambda: self.spawn(self.catch_up()))
        if self._peers is not None:
            self._peers.listen(self.hub)
        await self.bus.start()
        await self.sessions.start()
        living = await self._housekeeping.begin(self.sessions.peer_address)
        if self._peers is not None:
            self._peers.start(living)
        self.live.start()
        if bastion_listener is not None:
            await self.bastion.start(bastion_listener)
        self._background = [
            self._loop.create_task(run())
            for run in (
                self._sweep_for_ever,
                self._keep_house_for_ever,
                self._catch_up_for_ever,
                Post(self.store, self.config).run,
                self.waker.run,
            )
        ]

    def drain(self) -> float:
        """Tell every agent to come back later; return the spread in seconds."""
        spread = max(1.0, len(self.hub) / _DRAIN_RATE)
        for connection in list(self._connections):
            connection.drain(spread)
        self.bastion.drain()
        self.sessions.drain()
        return spread

    async def stop(self) -> None:
        """End: write who left, tell the other workers, stop the bus."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self.bastion.stop()
        await self.sessions.stop()
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self._housekeeping.end()
        if self._peers is not None:
            self._peers.stop()
        await self.store.close()
        await self.bus.stop()

    # --- connections ------------------------------------------------------------------------

    async def serve(self, link: Link, public_ip: str, receive: Receive) -> None:
        """Serve one accepted control channel until it ends."""
        connection = Connection(self, link, public_ip)
        self._connections.add(connection)
        await connection.run(receive)

    def forget(self, connection: Connection) -> None:
        """Take note that a connection has ended."""
        self._connections.discard(connection)

    def take_enrolment_token(self) -> None:
        """Raise Unavailable (enrol.busy) when enrolments come too fast."""
        seconds = self._bucket.take(self._loop.time())
        if seconds:
            error = Unavailable("enrol.busy")
            error.retry_after = seconds
            raise error

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` beside its caller; what goes wrong is logged."""
        self._keep(self._loop.create_task(work))

    def write_later(self, change: Change) -> None:
        """Write a change without waiting for it; changes keep their order."""
        self._keep(self.store.arrivals.put(change))

    def _keep(self, future: asyncio.Future[Any]) -> None:
        self._tasks.add(future)
        future.add_done_callback(self._settled)

    def _settled(self, future: asyncio.Future[Any]) -> None:
        self._tasks.discard(future)
        if not future.cancelled() and (error := future.exception()) is not None:
            _log.error("gateway.background", exc_info=error)

    # --- notices ------------------------------------------------------------------------------

    def held(self, client_id: int) -> Connection | None:
        """Return the control channel of a client, if this worker holds it."""
        held = self.hub.get(client_id)
        return held if isinstance(held, Connection) else None

    def _look_for_commands(self, body: Mapping[str, Any]) -> None:
        connection = self.held(int(body["client_id"]))
        if connection is not None:
            connection.look_for_commands()
        else:
            self.waker.look()

    def _look_at_customer(self, body: Mapping[str, Any]) -> None:
        connection = self.held(-int(body["support_id"]))
        if connection is not None:
            connection.look_for_commands()

    def _close(self, body: Mapping[str, Any]) -> None:
        connection = self.held(int(body["client_id"]))
        if connection is None or body["code"] not in CATALOGUE:
            return
        # The newcomer may be here already; only the old key has to go.
        if body.get("public_key", b64encode(connection.public_key)) == b64encode(
            connection.public_key
        ):
            connection.refuse(TremplinError(body["code"]))

    def _wake(self, body: Mapping[str, Any]) -> None:
        neighbour = int(body["client_id"])
        if self.held(neighbour) is not None:
            self.spawn(self._ask_to_wake(neighbour, int(body["target"])))

    async def _ask_to_wake(self, neighbour: int, target: int) -> None:
        targets = await self.store.call(wake_on_lan.targets, target, neighbour)
        connection = self.held(neighbour)
        if connection is not None and targets:
            connection.say(wire.WakeOnLan(dict(targets)))

    async def catch_up(self) -> None:
        """Do what notices that were lost would have asked for."""
        held = [connection.client_id for connection in self.hub if connection.client_id > 0]
        for connection in self.hub:
            if connection.client_id < 0:
                self._look_at_customer({"support_id": -connection.client_id})
        for start in range(0, len(held), _CATCH_UP_BATCH):
            batch = held[start : start + _CATCH_UP_BATCH]
            for client_id in await self.store.call(commands.waiting, batch):
                self._look_for_commands({"client_id": client_id})

    # --- for ever -----------------------------------------------------------------------------

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._sweeper.tick)
            self._sweeper.sweep(list(self._connections), self._loop.time())

    async def _catch_up_for_ever(self) -> None:
        while True:
            await asyncio.sleep(CATCH_UP_SECONDS)
            try:
                await self.catch_up()
            except Exception:
                _log.exception("gateway.catch_up")

    async def _keep_house_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._housekeeping.interval)
            try:
                beat = await self._housekeeping.beat()
            except Exception:
                # The database is away; the next beat tries again.
                _log.exception("gateway.housekeeping")
                continue
            if self._peers is not None:
                self._peers.living(beat.living)
            if beat.was_buried:
                self._reassert()
                await self.sessions.reassert()

    def _reassert(self) -> None:
        """Say again who is connected here: another worker took this one for dead."""
        for connection in self.hub:
            if isinstance(connection, Connection) and not connection.visiting:
                if connection.attends:
                    self.spawn(connection.reassert())
                else:
                    self.write_later(connection.present())


def _server_key(work: Work) -> bytes:
    return site_identity(work).public_key

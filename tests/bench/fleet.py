"""A process full of simulated agents, ordered about by the bench over a pipe.

The hard limit is 20,000 open files per process on common machines, so a bench of 10,000
agents and more spreads them over several fleets; each raises its soft limit first.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import resource
import time
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from multiprocessing.connection import Connection
from pathlib import Path

import uvloop
from tremplin_agent.core.protocol import Enrolment

from tests.bench.agent import Door, SimulatedAgent

_CLONE_NEWNET = 0x40000000


class Return(StrEnum):
    """What an agent of the fleet does when its connection ends."""

    STAY = "stay"
    """Nothing: the bench gives the order to connect."""
    LIKE_AGENTS = "like_agents"
    """Come back as real agents do: at the drain's pace, else by the agent's back-off."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What one fleet is made of.

    client_ids: one per agent; an agent with id 0 enrols with `enrolment`.
    namespace: name of the network namespace that the process moves to; empty for none.
    """

    label: str
    first: int
    client_ids: tuple[int, ...]
    door: Door
    enrolment: Enrolment | None = None
    namespace: str = ""


@dataclass(slots=True)
class Tally:
    """What the bench wants to know of a fleet. Times are of the machine's monotonic clock."""

    online: int = 0
    connects: int = 0
    first_online: float = 0.0
    last_online: float = 0.0
    refused: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    client_ids: tuple[int, ...] = ()


class Fleet:
    """The agents of one process."""

    def __init__(self, orders: Orders) -> None:
        self._context = orders.door.context()
        self._tally = Tally()
        self._online: set[int] = set()
        self._return = Return.STAY
        self._gate = asyncio.Semaphore(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._agents = [
            SimulatedAgent(
                label=orders.label,
                number=orders.first + index,
                client_id=client_id,
                door=orders.door,
                report=self._reported,
                enrolment=None if client_id else orders.enrolment,
            )
            for index, client_id in enumerate(orders.client_ids)
        ]

    def connect(self, at_once: int) -> None:
        """Connect all agents that are away, at most `at_once` handshakes at a time."""
        self._gate = asyncio.Semaphore(at_once)
        self._tally.first_online = self._tally.last_online = 0.0
        for agent in self._agents:
            if agent.link is None:
                self._spawn(agent, 0.0)

    def come_back(self, how: Return) -> None:
        """Set what agents do from now on when their connection ends."""
        self._return = how

    async def tend(self) -> None:
        """Let every agent do what is due, once a second, for ever."""
        while True:
            await asyncio.sleep(1)
            now = time.monotonic()
            for agent in self._agents:
                agent.tend(now)

    def hang_up(self, count: int) -> None:
        """Cut the connections of the first `count` agents, as a killed process does."""
        self._return = Return.STAY
        for agent in self._agents[:count]:
            agent.close()

    def tally(self) -> Tally:
        """Return what happened so far."""
        self._tally.online = len(self._online)
        self._tally.client_ids = tuple(agent.client_id for agent in self._agents)
        return self._tally

    def _spawn(self, agent: SimulatedAgent, delay: float) -> None:
        task = asyncio.get_running_loop().create_task(self._dial(agent, delay))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _dial(self, agent: SimulatedAgent, delay: float) -> None:
        if delay:
            await asyncio.sleep(delay)
        gate = self._gate if self._return is Return.STAY else contextlib.nullcontext()
        async with gate:
            try:
                await agent.connect(self._context)
            except TimeoutError as error:
                self._tally.errors["too late"] += 1
                self._failed(agent, error)
            except OSError as error:
                self._tally.errors[type(error).__name__] += 1
                self._failed(agent, error)

    def _failed(self, agent: SimulatedAgent, error: Exception) -> None:
        """An open link that is too late is closed, which leads to `_come_back`."""
        if agent.link is None:
            self._come_back(agent, error)
        else:
            agent.close()

    def _reported(self, agent: SimulatedAgent, event: str) -> None:
        if event == "online":
            now = time.monotonic()
            self._online.add(agent.number)
            self._tally.connects += 1
            self._tally.first_online = self._tally.first_online or now
            self._tally.last_online = now
        elif event == "closed":
            self._online.discard(agent.number)
            self._come_back(agent, None)
        else:
            self._tally.refused[event.partition(":")[2]] += 1

    def _come_back(self, agent: SimulatedAgent, fault: Exception | None) -> None:
        if self._return is Return.LIKE_AGENTS:
            self._spawn(agent, agent.wait(fault))


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one; return it."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def enter(namespace: str) -> None:
    """Move this process to a network namespace that `ip netns` made; needs root."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/run/netns", namespace).open("rb") as handle:
        if libc.setns(handle.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter the namespace {namespace}")


def main(pipe: Connection, orders: Orders) -> None:
    """Run a fleet until the pipe ends; every order is answered with the tally."""
    raise_file_limit()
    if orders.namespace:
        enter(orders.namespace)
    uvloop.run(_serve(pipe, orders))


async def _serve(pipe: Connection, orders: Orders) -> None:
    fleet, ended = Fleet(orders), asyncio.Event()

    def read() -> None:
        try:
            name, *arguments = pipe.recv()
        except EOFError:
            ended.set()
            return
        if name != "tally":
            getattr(fleet, name)(*arguments)
        pipe.send(fleet.tally())

    asyncio.get_running_loop().add_reader(pipe.fileno(), read)
    tending = asyncio.get_running_loop().create_task(fleet.tend())
    await ended.wait()
    tending.cancel()

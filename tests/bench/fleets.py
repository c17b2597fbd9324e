"""The bench's side of its fleets: start them, give orders, add up what they tell."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType

from tremplin_agent.core.protocol import Enrolment

from tests.bench import fleet
from tests.bench.agent import Door

PER_PROCESS = 5_000
HANDSHAKES_AT_ONCE = 300


class TooSlow(Exception):
    """A condition was not reached within its bound; the bench says so in the table."""


def until(condition: Callable[[], bool], seconds: float, what: str, every: float = 0.05) -> float:
    """Wait until `condition` holds and return the monotonic time; TooSlow after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TooSlow(f"{what}: not within {seconds:g} s")
        time.sleep(every)
    return time.monotonic()


@dataclass(frozen=True, slots=True)
class _Member:
    process: BaseProcess
    pipe: Connection

    def order(self, *words: object) -> None:
        self.pipe.send(words)

    def answer(self) -> fleet.Tally:
        tally = self.pipe.recv()
        assert isinstance(tally, fleet.Tally)
        return tally


class Fleets:
    """A number of simulated agents over as many processes as they need."""

    def __init__(
        self,
        label: str,
        client_ids: Sequence[int],
        door: Door,
        *,
        enrolment: Enrolment | None = None,
        processes: int = 0,
        namespace: str = "",
    ) -> None:
        count = processes or max(2, -(-len(client_ids) // PER_PROCESS))
        share = -(-len(client_ids) // count)
        self._members = [
            self._start(
                fleet.Orders(
                    label=label,
                    first=first,
                    client_ids=tuple(client_ids[first : first + share]),
                    door=door,
                    enrolment=enrolment,
                    namespace=namespace,
                )
            )
            for first in range(0, len(client_ids), share)
        ]

    @staticmethod
    def _start(orders: fleet.Orders) -> _Member:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=fleet.main, args=(theirs, orders), daemon=True)
        process.start()
        theirs.close()
        return _Member(process, ours)

    def __enter__(self) -> Fleets:
        self.tally()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for member in self._members:
            member.pipe.close()
        for member in self._members:
            member.process.join(10)
            if member.process.is_alive():
                member.process.kill()

    def connect(self, at_once: int = HANDSHAKES_AT_ONCE) -> None:
        """Connect all agents that are away, at most about `at_once` handshakes at a time."""
        self._all("connect", max(1, at_once // len(self._members)))

    def come_back(self, how: fleet.Return) -> None:
        """Set what agents do when their connection ends."""
        self._all("come_back", how)

    def hang_up(self, count: int) -> None:
        """Cut `count` connections of each process."""
        self._all("hang_up", count)

    def tally(self) -> fleet.Tally:
        """Return the sum over all processes."""
        return self._all("tally")

    def _all(self, *words: object) -> fleet.Tally:
        for member in self._members:
            member.order(*words)
        return _sum([member.answer() for member in self._members])


def _sum(tallies: Sequence[fleet.Tally]) -> fleet.Tally:
    refused: Counter[str] = sum((t.refused for t in tallies), Counter())
    errors: Counter[str] = sum((t.errors for t in tallies), Counter())
    started = [t.first_online for t in tallies if t.first_online]
    return fleet.Tally(
        online=sum(t.online for t in tallies),
        connects=sum(t.connects for t in tallies),
        first_online=min(started, default=0.0),
        last_online=max((t.last_online for t in tallies), default=0.0),
        refused=refused,
        errors=errors,
        client_ids=tuple(i for t in tallies for i in t.client_ids),
    )

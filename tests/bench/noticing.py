"""A network that is cut without a word: how soon the server sees it, how soon all is well."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.bench import seeding, targets
from tests.bench.bench import Bench, Skipped
from tests.bench.figures import Figure, middle, spread
from tests.bench.fleet import Return
from tests.bench.fleets import Fleets, until
from tests.bench.site import site

AGENTS = 20
CUT_SECONDS = 60.0
LABEL = "cut"


@dataclass(frozen=True, slots=True)
class Cable:
    """A network namespace whose only way out is a link to this machine."""

    name: str
    near: str
    far: str

    def cut(self) -> None:
        """Lose every packet from now on, in both directions, without telling anybody."""
        self._inside("nft", "add", "table", "inet", "cut")
        for hook in ("input", "output"):
            rule = f"{{ type filter hook {hook} priority 0; policy drop; }}"
            self._inside("nft", "add", "chain", "inet", "cut", hook, rule)

    def mend(self) -> None:
        """Let packets through again."""
        self._inside("nft", "delete", "table", "inet", "cut")

    def lay(self) -> None:
        """Make the namespace and its link."""
        _run("ip", "netns", "add", self.name)
        _run("ip", "link", "add", self.name, "type", "veth", "peer", "name", "eth0",
             "netns", self.name)  # fmt: skip
        _run("ip", "addr", "add", f"{self.near}/30", "dev", self.name)
        _run("ip", "link", "set", self.name, "up")
        self._inside("ip", "addr", "add", f"{self.far}/30", "dev", "eth0")
        self._inside("ip", "link", "set", "eth0", "up")

    def take_away(self) -> None:
        """Remove the namespace; the link goes with it."""
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)

    def _inside(self, *words: str) -> None:
        _run("ip", "netns", "exec", self.name, *words)


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=30)


@contextmanager
def cable() -> Iterator[Cable]:
    """Give a cable, or skip where namespaces cannot be made."""
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("nft"):
        raise Skipped("needs root, iproute2 and nftables")
    number = os.getpid() % 250
    made = Cable(f"tb{os.getpid()}"[:15], f"10.213.{number}.1", f"10.213.{number}.2")
    try:
        made.lay()
    except subprocess.CalledProcessError as error:
        made.take_away()
        raise Skipped(f"no network namespace: {error.stderr.decode().strip()}") from error
    try:
        yield made
    finally:
        made.take_away()


def cut(bench: Bench) -> Iterator[Figure]:
    """A silent cut: seconds until the record says offline, then until online again."""
    with (
        cable() as line,
        bench.place("cut") as path,
        site(path, address=line.near) as server,
    ):
        ids = seeding.clients(server.engine, LABEL, AGENTS)
        fleets = Fleets(LABEL, ids, server.door(), processes=1, namespace=line.name)
        with fleets:
            fleets.connect()
            until(lambda: fleets.tally().online == AGENTS, 60, "agents online")
            fleets.come_back(Return.LIKE_AGENTS)
            until(
                lambda: seeding.presence(server.engine, LABEL, _EPOCH).online == AGENTS, 30,
                "agents online in the database",
            )  # fmt: skip
            bench.say(f"cut: {AGENTS} agents lose their network for {CUT_SECONDS:g} s")
            began, clock = datetime.now(UTC), time.monotonic()
            line.cut()
            until(
                lambda: seeding.presence(server.engine, LABEL, _EPOCH).online == 0, 180,
                "the cut in the database",
            )  # fmt: skip
            gone = seeding.seconds_since(server.engine, LABEL, "last_disconnect", began)
            yield Figure(
                "noticing",
                "cut network noticed",
                max(gone),
                targets.CUT_NOTICED,
                f"worst; {spread(gone)}",
            )
            until(lambda: time.monotonic() - clock >= CUT_SECONDS, CUT_SECONDS + 1, "the cut")
            mended = datetime.now(UTC)
            line.mend()
            until(
                lambda: seeding.presence(server.engine, LABEL, mended).connected_since == AGENTS,
                360, "agents online after the cut",
            )  # fmt: skip
            again = seeding.seconds_since(server.engine, LABEL, "last_connect", mended)
            yield Figure(
                "noticing",
                "online again after the cut",
                middle(again),
                targets.BACK_AFTER_CUT,
                f"{spread(again)}; cut for {CUT_SECONDS:g} s",
            )
            yield Figure(
                "noticing", "online again, slowest", max(again), targets.BACK_AFTER_CUT_WORST
            )


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

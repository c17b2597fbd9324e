"""An update of the code as a state machine, without I/O.

    IDLE ──begun──▶ APPLYING ──applied──▶ TRIAL ──welcomed──▶ DONE
                        │                   │
                        └──────failed───────┴──────▶ FAILED

A `Progress` is written durably before the link to the code follows it, and whoever starts
the agent first makes the link what the progress says. So a power cut between any two
steps leaves the old version or the new one, and the next start goes on from there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Optional

from tremplin_agent.codes import Code
from tremplin_agent.wire import UpgradeOrder, version_numbers

TRIES = 3
"""How often unpacking may be cut before the update is given up."""
STARTS = 3
"""How often a new version may start without being let in before the old one comes back."""


class Step(str, Enum):
    """Where an update stands."""

    IDLE = "idle"
    APPLYING = "applying"
    TRIAL = "trial"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Progress:
    """What is known of the last update.

    old, new: names of the versions' directories. client_id: whom the first order named;
    every later one has to. issued_at: of the last order. settled: nothing is left to do.
    """

    step: Step = Step.IDLE
    order_id: str = ""
    client_id: int = 0
    issued_at: int = 0
    version: str = ""
    old_version: str = ""
    old: str = ""
    new: str = ""
    trial_seconds: int = 0
    tries: int = 0
    starts: int = 0
    code: str = ""
    detail: str = ""
    settled: bool = False

    @property
    def is_over(self) -> bool:
        """Whether the update came to its end, a good one or a bad one."""
        return self.step in (Step.DONE, Step.FAILED)

    @property
    def runs(self) -> str:
        """The directory that has to run; empty: the one that does."""
        if self.step in (Step.TRIAL, Step.DONE):
            return self.new
        return self.old

    @property
    def running_version(self) -> str:
        """The version in `runs`."""
        return self.version if self.step in (Step.TRIAL, Step.DONE) else self.old_version


def advance(progress: Progress, welcomed: str) -> Progress:
    """Return how it goes on at a start of the agent.

    welcomed: id of the order whose version the server has let in, or nothing.
    """
    if progress.step is Step.APPLYING:
        if progress.tries >= TRIES:
            return failed(progress, Code.UPDATE_INTERRUPTED, f"cut {TRIES} times")
        return replace(progress, tries=progress.tries + 1)
    if progress.step is Step.TRIAL:
        if welcomed == progress.order_id:
            return replace(progress, step=Step.DONE)
        if progress.starts >= STARTS:
            detail = f"started {STARTS} times and was not let in"
            return failed(progress, Code.UPDATE_ROLLED_BACK, detail)
        return replace(progress, starts=progress.starts + 1)
    return progress


def begun(
    last: Progress, order_id: str, client_id: int, order: UpgradeOrder, running: str, version: str
) -> Progress:
    """Return the progress of an order that was found genuine.

    running: name of the directory that runs, with this version.
    """
    return Progress(
        step=Step.APPLYING,
        order_id=order_id,
        client_id=client_id,
        issued_at=max(last.issued_at, order.issued_at),
        version=order.version,
        old_version=version,
        old=running,
        new=f"{order.version}-{order.sha256[:12]}",
        trial_seconds=order.trial_seconds,
        tries=1,
    )


def applied(progress: Progress) -> Progress:
    """Return the progress once the new version lies beside the old one and can run."""
    return replace(progress, step=Step.TRIAL, starts=1)


def failed(progress: Progress, code: Code, detail: str = "") -> Progress:
    """Return the progress of an update that came to nothing."""
    return replace(progress, step=Step.FAILED, code=code.value, detail=detail[:500])


def fault(
    last: Progress, client_id: int, order: UpgradeOrder, platform: str, version: str
) -> Optional[Code]:
    """Return why a genuine order must not be carried out here; None if it may.

    version: the one that runs.
    """
    if last.client_id not in (0, client_id) or order.platform != platform:
        return Code.UPDATE_REFUSED
    if order.issued_at < last.issued_at:
        # An order of long ago, shown again by somebody who may write where it is staged.
        return Code.UPDATE_REFUSED
    older = version_numbers(order.version) < version_numbers(version)
    return Code.UPDATE_OLDER if older and not order.downgrade else None

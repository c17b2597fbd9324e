"""The life of an agent on its host: phases, and when it has been alone for too long."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

REMOVAL_EXIT_STATUS = 86
"""The agent ends with it to say: remove this installation. Its supervisor obeys."""

UPDATE_EXIT_STATUS = 87
"""The agent ends with it to say: an update is staged. Its supervisor starts it anew, and
before that what owns the code settles the update; see `tremplin_agent.updating`."""

PATIENCE_SECONDS = 600.0
"""How long an agent tries before it believes a clock that says it was away too long."""


class Phase(str, Enum):
    """Where an agent stands. Nothing leads back from `removing`."""

    NEW = "new"
    ENROLLED = "enrolled"
    REMOVING = "removing"


@dataclass(frozen=True)
class Solitude:
    """How long the agent has been without its server.

    last_contact: wall clock of the last contact, seconds since the epoch; it may be wrong
        after a boot without a clock, and either clock may stand still in a suspended host.
    tried: seconds on the monotonic clock for which this process has been trying since
        it lost contact or started.
    """

    last_contact: float
    tried: float

    def exceeds(self, limit_minutes: int, now: float) -> bool:
        """Return whether the agent must remove itself.

        limit_minutes: 0 means never. now: the wall clock. A host that was off or asleep
        for long first tries for PATIENCE_SECONDS (or the limit, when that is shorter).
        """
        limit = limit_minutes * 60.0
        if limit <= 0 or self.tried < min(limit, PATIENCE_SECONDS):
            return False
        return self.tried >= limit or now - self.last_contact >= limit

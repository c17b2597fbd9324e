"""The body of an `upgrade` command, which the server's identity key signs."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any, Dict, Mapping, Tuple

from tremplin_agent.wire.base import WireError

LARGEST_PAYLOAD = 64 * 1024 * 1024
"""Bytes; an agent takes nothing larger."""
SHORTEST_TRIAL, LONGEST_TRIAL = 5, 3600
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,31}", re.ASCII)
_SHA256 = re.compile("[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True)
class UpgradeOrder:
    """Which payload takes the place of what runs.

    size in bytes and sha256 (hexadecimal) are those of the payload. issued_at: seconds
    since the epoch; an order is never followed by an earlier one. downgrade: an older
    version is meant. trial_seconds: how long one start of the new version may take until
    the server lets it in.
    """

    version: str
    platform: str
    size: int
    sha256: str
    issued_at: int
    downgrade: bool = False
    trial_seconds: int = 180

    def body(self) -> Dict[str, Any]:
        """Return what stands in `Command.body`."""
        return asdict(self)

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> UpgradeOrder:
        """Return the order of a body; WireError when it is not one."""
        try:
            order = cls(**{name: body[name] for name in cls.__dataclass_fields__ if name in body})
        except TypeError as error:
            raise WireError("the order to update lacks a field") from error
        texts = (order.version, order.platform, order.sha256)
        counts = (order.size, order.issued_at, order.trial_seconds)
        good = (
            all(isinstance(text, str) for text in texts)
            and all(isinstance(count, int) and not isinstance(count, bool) for count in counts)
            and isinstance(order.downgrade, bool)
            and _VERSION.fullmatch(order.version) is not None
            and _SHA256.fullmatch(order.sha256) is not None
            and 0 < order.size <= LARGEST_PAYLOAD
            and order.issued_at >= 0
            and SHORTEST_TRIAL <= order.trial_seconds <= LONGEST_TRIAL
        )
        if not good:
            raise WireError("the order to update has a wrong field")
        return order


def version_numbers(version: str) -> Tuple[int, ...]:
    """Return the numbers of a version, for comparing; what is no number counts as 0."""
    parts = re.split(r"[.+-]", version)[:3]
    numbers = [int(part) if part.isdecimal() else 0 for part in parts]
    return (*numbers, *([0] * (3 - len(numbers))))

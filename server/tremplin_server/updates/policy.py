"""Who is updated to what, and when: the site's policy as pure values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from tremplin_server.config import Config

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = 24 * 60
FOLLOW = "follow"
"""What a host says that is held at no version."""


class Mode(StrEnum):
    """When an agent is updated without anybody asking.

    OFF: never. THIS_VERSION: to the version that the administrator names, from an older
    or a newer one. ALWAYS: to the version of the server's payload.
    """

    OFF = "off"
    THIS_VERSION = "this_version"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Window:
    """When updates may begin: on these days (0 is Monday), from minute to minute of the day.

    One that ends before it begins lasts over midnight and belongs to the day of its
    beginning. One of the same minute twice is the whole day.
    """

    days: frozenset[int]
    start: int
    end: int
    zone: ZoneInfo

    def is_open(self, now: datetime) -> bool:
        """Return whether an update may begin at `now`."""
        local = now.astimezone(self.zone)
        minute, day = local.hour * 60 + local.minute, local.weekday()
        if self.start % _DAY == self.end % _DAY:
            return day in self.days
        if self.start < self.end:
            return day in self.days and self.start <= minute < self.end
        yesterday = (day - 1) % 7
        return (day in self.days and minute >= self.start) or (
            yesterday in self.days and minute < self.end
        )

    def opens(self, now: datetime) -> datetime | None:
        """Return when it opens next, None while it is open."""
        if self.is_open(now):
            return None
        local = now.astimezone(self.zone)
        whole_days = self.start % _DAY == self.end % _DAY
        start = 0 if whole_days else self.start % _DAY
        for ahead in range(8):
            day = local.date() + timedelta(days=ahead)
            at = datetime(day.year, day.month, day.day, start // 60, start % 60, tzinfo=self.zone)
            if day.weekday() in self.days and at > local:
                return at.astimezone(now.tzinfo)
        return None


@dataclass(frozen=True, slots=True)
class Rules:
    """The site's policy. concurrent: how many agents update at once."""

    mode: Mode
    version: str
    window: Window
    concurrent: int

    @classmethod
    def of(cls, config: Config) -> Rules:
        """Return the rules of a configuration."""
        named = (day.strip() for day in config.update_days.split(","))
        window = Window(
            frozenset(DAYS.index(day) for day in named),
            _minute(config.update_from),
            _minute(config.update_until),
            ZoneInfo(config.update_zone),
        )
        return cls(
            Mode(config.update_mode), config.update_version, window, config.update_concurrent
        )

    def target(self, held_at: str, current: str, *, asked: bool = False) -> str:
        """Return the version that a host should have; empty for whatever it has.

        held_at: the host's own version, empty when it follows the site. current: that of
        the server's payload for its platform. asked: somebody wants it updated now, and a
        site that does nothing by itself means the payload's version then.
        """
        if self.mode is Mode.OFF and not asked:
            return ""
        if held_at:
            return held_at
        return self.version if self.mode is Mode.THIS_VERSION else current


def _minute(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A connected agent that has another version than it should.

    asked: somebody wants it now; neither the window nor earlier failures hold it up.
    failed: the version that came to nothing last, and how often. retry_at: when it may be
    tried again; None for never.
    """

    client_id: int
    target: str
    asked: bool = False
    failed: str = ""
    attempts: int = 0
    retry_at: datetime | None = None

    def may(self, now: datetime) -> bool:
        """Return whether earlier failures let it try."""
        if self.asked or self.failed != self.target or not self.attempts:
            return True
        return self.retry_at is not None and self.retry_at <= now


def chosen(
    rules: Rules, candidates: Iterable[Candidate], running: int, now: datetime
) -> list[Candidate]:
    """Return who is ordered to update now: those who were asked for first.

    running: how many are at it.
    """
    is_open = rules.window.is_open(now)
    able = [one for one in candidates if one.may(now) and (one.asked or is_open)]
    able.sort(key=lambda one: not one.asked)
    return able[: max(0, rules.concurrent - running)]

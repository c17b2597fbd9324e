"""Bytes that were sent over a link that may break, until the other end has confirmed them."""

from __future__ import annotations

from collections import deque


class Unconfirmed:
    """A stretch of a stream, from the first byte that is not confirmed to the last that came.

    Positions count from the beginning of the stream.
    """

    __slots__ = ("_parts", "end", "start")

    def __init__(self) -> None:
        self._parts: deque[bytes] = deque()
        self.start = 0
        self.end = 0

    def __len__(self) -> int:
        return self.end - self.start

    def put(self, data: bytes) -> None:
        """Add what came."""
        if data:
            self._parts.append(data)
            self.end += len(data)

    def confirm(self, position: int) -> bool:
        """Forget what stands before `position`; returns whether that is in the stretch."""
        if not self.start <= position <= self.end:
            return False
        while self._parts and self.start + len(self._parts[0]) <= position:
            self.start += len(self._parts.popleft())
        if position > self.start:
            self._parts[0] = self._parts[0][position - self.start :]
            self.start = position
        return True

    def after(self, position: int, size: int) -> bytes:
        """Return up to about `size` bytes that follow `position`, which is in the stretch."""
        found, at, total = [], self.start, 0
        for part in self._parts:
            past = at + len(part)
            if past > position:
                found.append(part[max(0, position - at) :])
                total += len(found[-1])
                if total >= size:
                    break
            at = past
        return b"".join(found)

"""Bytes that wait to be confirmed: none lost, none twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tremplin_server.gateway.unconfirmed import Unconfirmed

PARTS = st.lists(st.binary(max_size=20), max_size=10)


@given(PARTS, st.lists(st.integers(0, 200), max_size=10), st.integers(1, 64))
def test_whatever_is_confirmed_the_rest_is_there(
    parts: list[bytes], confirmations: list[int], size: int
) -> None:
    kept, whole = Unconfirmed(), b"".join(parts)
    for part in parts:
        kept.put(part)
    assert len(kept) == len(whole)
    for position in confirmations:
        before = kept.start
        assert kept.confirm(position) == (before <= position <= len(whole))
        assert kept.start in (before, position)
        assert len(kept) == len(whole) - kept.start
    read, at = bytearray(), kept.start
    while piece := kept.after(at, size):
        read += piece
        at += len(piece)
    assert bytes(read) == whole[kept.start :]


def test_reading_begins_anywhere() -> None:
    kept = Unconfirmed()
    for part in (b"abc", b"def", b"ghi"):
        kept.put(part)
    assert kept.after(4, 2) == b"ef"
    assert kept.after(4, 3) == b"efghi"
    assert kept.after(9, 3) == b""
    assert kept.confirm(5)
    assert kept.after(5, 100) == b"fghi"
    assert not kept.confirm(4)
    assert not kept.confirm(10)

"""Parts of files that are asked for."""

from __future__ import annotations

import pytest
from tremplin_server.gateway.file_http import _download_headers, _range


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("", (0, 1000)),
        ("bytes=0-", (0, 1000)),
        ("bytes=0-0", (0, 1)),
        ("bytes=10-19", (10, 20)),
        ("bytes=990-5000", (990, 1000)),
        ("bytes=-1", (999, 1000)),
        ("bytes=-5000", (0, 1000)),
        ("bytes=-0", (1000, 1000)),
        ("bytes=1000-", (1000, 1000)),
        ("bytes=-", (0, 1000)),
        ("bytes=0-1,3-4", (0, 1000)),
        ("lines=0-1", (0, 1000)),
    ],
)
def test_ranges(asked: str, wanted: tuple[int, int]) -> None:
    assert _range(asked, 1000) == wanted


def test_a_range_of_nothing_is_the_whole_of_it() -> None:
    assert _range("bytes=0-9", 0) == (0, 0)


def test_names_cannot_break_out_of_a_header() -> None:
    headers = dict(_download_headers(b'/x/a"\r\nSet-Cookie: b\xff%;.txt', '"1-2"'))
    disposition = headers[b"content-disposition"]
    assert disposition == (
        b'attachment; filename="a___Set-Cookie: b__;.txt"; '
        b"filename*=UTF-8''a%22%0D%0ASet-Cookie%3A%20b%FF%25%3B.txt"
    )

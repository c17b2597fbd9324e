"""Where a connection comes from, behind proxies of ours or none."""

from __future__ import annotations

import pytest
from tremplin_server.asgi import client_address


@pytest.mark.parametrize(
    ("forwarded", "trusted", "expected"),
    [
        ([], 0, "192.0.2.1"),
        (["203.0.113.9"], 0, "192.0.2.1"),
        (["203.0.113.9"], 1, "203.0.113.9"),
        (["6.6.6.6, 203.0.113.9"], 1, "203.0.113.9"),
        (["6.6.6.6", "203.0.113.9,198.51.100.4"], 2, "203.0.113.9"),
        ([], 1, "192.0.2.1"),
        (["203.0.113.9"], 2, "192.0.2.1"),
        ([" , "], 1, "192.0.2.1"),
    ],
)
def test_only_what_our_own_proxies_added_is_believed(
    forwarded: list[str], trusted: int, expected: str
) -> None:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    scope = {"client": ("192.0.2.1", 1), "headers": [(b"host", b"x"), *headers]}
    assert client_address(scope, trusted) == expected

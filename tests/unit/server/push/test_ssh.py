"""How a host is written on the command line."""

from __future__ import annotations

import pytest
from tremplin_server.push.ssh import Target


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web1", Target("web1", 22, "me")),
        ("root@web1", Target("web1", 22, "root")),
        ("web1:2222", Target("web1", 2222, "me")),
        ("ops@10.0.0.7:2222", Target("10.0.0.7", 2222, "ops")),
        ("::1", Target("::1", 22, "me")),
        ("[fe80::7]:2222", Target("fe80::7", 2222, "me")),
        ("ops@[::1]", Target("::1", 22, "ops")),
    ],
)
def test_target(text: str, expected: Target) -> None:
    assert Target.parse(text, port=22, user="me") == expected


@pytest.mark.parametrize(
    "text", ["", "@web1", "root@", "web1:", "web1:0", "web1:ssh", "[::1", "-oX"]
)
def test_not_a_target(text: str) -> None:
    with pytest.raises(ValueError, match=r"host|port|bracket"):
        Target.parse(text, port=22, user=None)

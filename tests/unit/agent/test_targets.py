"""Addresses of other machines: how they are written, and which are no plain neighbours."""

from __future__ import annotations

import asyncio

import pytest
from tremplin_agent import targets
from tremplin_agent.ssh import beyond


@pytest.mark.parametrize(
    ("host", "port", "text"),
    [
        ("Desk.Example.org", 3389, "desk.example.org:3389"),
        ("10.0.0.7", 3390, "10.0.0.7:3390"),
        ("2001:DB8::7", 3389, "[2001:db8::7]:3389"),
        ("[2001:db8:0::7]", 3389, "[2001:db8::7]:3389"),
        ("::ffff:10.0.0.7", 3389, "10.0.0.7:3389"),
    ],
)
def test_one_target_is_written_in_one_way(host: str, port: int, text: str) -> None:
    assert targets.written(host, port) == text
    assert targets.written(*targets.split(text)) == text


@pytest.mark.parametrize("text", ["", "desk", ":3389", "desk:rdp"])
def test_what_is_no_target(text: str) -> None:
    with pytest.raises(ValueError, match=r"no target|invalid literal"):
        targets.split(text)


SPECIAL = [
    "127.0.0.1",
    "127.8.0.1",
    "::1",
    "0.0.0.0",
    "::",
    "169.254.169.254",
    "fe80::1",
    "::ffff:169.254.169.254",
    "::ffff:127.0.0.1",
    "fd00:ec2::254",
    "100.100.100.200",
    "224.0.0.1",
    "255.255.255.255",
]


@pytest.mark.parametrize("text", SPECIAL)
def test_addresses_that_are_special(text: str) -> None:
    address = targets.address_in(text)
    assert address is not None
    assert targets.is_special(address)


@pytest.mark.parametrize(
    "text", ["10.0.0.7", "192.168.1.1", "203.0.113.9", "fd12::7", "2001:db8::7"]
)
def test_plain_neighbours(text: str) -> None:
    address = targets.address_in(text)
    assert address is not None
    # 203.0.113.0/24 and 2001:db8::/32 are for documentation, and reach whom they reach.
    assert not targets.is_special(address)


def test_a_name_is_no_address() -> None:
    assert targets.address_in("desk.example.org") is None
    assert targets.address_in("10.0.0") is None


def test_what_is_spelt_out_is_taken_and_a_name_does_not_lead_to_the_loopback() -> None:
    assert asyncio.run(beyond.address("127.0.0.2", 80)) == "127.0.0.2"
    with pytest.raises(beyond.Refused, match=r"localhost is 127\.0\.0\.1|localhost is ::1"):
        asyncio.run(beyond.address("localhost", 80))

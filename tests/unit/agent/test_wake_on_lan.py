"""The packet that wakes a host, and to whom it may go."""

from __future__ import annotations

import pytest
from tremplin_agent.core.wake_on_lan import (
    MOST,
    Network,
    Packet,
    mac_of,
    magic_packet,
    network_of,
    packets,
)

MAC = "02a1b2c3d4e5"


@pytest.mark.parametrize(
    ("text", "mac"),
    [
        ("02:A1:b2:c3:d4:e5", MAC),
        ("02-a1-b2-c3-d4-e5", MAC),
        ("02a1.b2c3.d4e5", MAC),
        ("00:00:00:00:00:00", ""),
        ("02:a1:b2:c3:d4", ""),
        ("nonsense", ""),
        ("", ""),
    ],
)
def test_addresses_of_network_cards(text: str, mac: str) -> None:
    assert mac_of(text) == mac


@pytest.mark.parametrize(
    ("address", "netmask", "network"),
    [
        ("10.77.0.9", "255.255.255.0", "10.77.0.0/24"),
        ("192.168.3.7", "255.255.252.0", "192.168.0.0/22"),
        ("10.0.0.1", "255.255.255.255", ""),
        ("127.0.0.1", "255.0.0.0", ""),
        ("169.254.1.1", "255.255.0.0", ""),
        ("10.0.0.1", "nonsense", ""),
    ],
)
def test_networks_that_can_be_called_as_a_whole(address: str, netmask: str, network: str) -> None:
    assert network_of(address, netmask) == network


def test_the_packet() -> None:
    content = magic_packet(MAC)
    assert len(content) == 102
    assert content == b"\xff" * 6 + bytes.fromhex(MAC) * 16


def test_a_packet_goes_to_the_network_that_both_stand_in() -> None:
    own = [Network("020000000001", "10.77.0.0/24"), Network("020000000002", "192.168.0.0/22")]
    made = packets({MAC: "192.168.0.0/22"}, own)
    assert made == [Packet(magic_packet(MAC), "192.168.3.255")]


@pytest.mark.parametrize(
    "targets",
    [
        {MAC: "10.99.0.0/24"},
        {MAC: 7},
        {MAC: ["10.77.0.0/24"]},
        {"02:A1:B2:C3:D4:E5": "10.77.0.0/24"},
        {"x": "10.77.0.0/24"},
        {},
    ],
)
def test_nothing_leaves_for_elsewhere_or_for_nonsense(targets: dict[str, object]) -> None:
    own = [Network("020000000001", "10.77.0.0/24")]
    assert packets(targets, own) == []


def test_one_order_wakes_a_few_only() -> None:
    own = [Network("020000000001", "10.77.0.0/24")]
    many = {f"02{number:010x}": "10.77.0.0/24" for number in range(MOST * 2)}
    assert len(packets(many, own)) == MOST

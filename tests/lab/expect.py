"""What must be true of a host and its record, in one call each."""

from __future__ import annotations

import json

from tests.lab import footprint
from tests.lab.api import Api, Record
from tests.lab.footprint import Footprint
from tests.lab.host import Host
from tests.lab.wait import until

DIRECTORY = "/opt/tremplin-jump-client"


def in_step(host: Host, api: Api, directory: str = DIRECTORY, seconds: float = 30) -> Record:
    """Return the record of a host that has exactly one, online, and one whole installation."""
    record = api.wait_state(host.name, "online", seconds)
    assert [r["id"] for r in api.clients(hostname=host.name)] == [record["id"]]
    state = json.loads(host.read(f"{directory}/var/state.json"))
    assert state["client_id"] == record["id"]
    assert json.loads(host.read(f"{directory}/install.json"))["complete"] is True
    files = footprint.of(host).files
    assert not [path for path in files if ".partial" in path], files
    _nothing_pending(host, api)
    return record


def gone(host: Host, api: Api, before: Footprint, seconds: float = 30) -> None:
    """Check that neither side remembers a Jump Client on this host.

    before: the footprint that the host had before it got one.
    """
    until(lambda: not api.clients(external_id=host.name), "the record to go", seconds=seconds)
    assert api.clients(hostname=host.name) == []
    _nothing_pending(host, api)
    clean(host, before)


def clean(host: Host, before: Footprint, seconds: float = 10) -> None:
    """Check that the host has nothing beyond what it had `before`."""
    try:
        until(lambda: not footprint.of(host).added_to(before), "", seconds=seconds, every=0.2)
    except TimeoutError:
        left = "\n".join(footprint.of(host).added_to(before))
        raise AssertionError(f"left on {host.name}:\n{left}") from None


def _nothing_pending(host: Host, api: Api) -> None:
    """Check that the server waits for nothing: no tombstone, no key made for the host."""

    def settled() -> bool:
        return not [t for t in api.tombstones() if t.get("external_id") == host.name]

    # The record goes at once; its tombstone closes when the host has confirmed.
    until(settled, f"the tombstone of {host.name} to close")
    keys: list[Record] = api.call("GET", "/jump-client/installer", external_id=host.name)
    assert keys == []


def log_lines(host: Host, word: str = "tremplin") -> list[str]:
    """Return the lines of the host's system log that have `word` in them."""
    if host.init == "systemd":
        command = "journalctl --no-pager --output=short"
    else:
        command = "cat /var/log/syslog"
    return [line for line in host.run(command).out.splitlines() if word in line]

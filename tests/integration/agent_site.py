"""A real server, asked about its Jump Clients by their declared keys."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests.boxes import PAYLOADS
from tests.serving import Server, until

HEARTBEAT_SECONDS = 2


class Site(Server):
    """One server whose agents' life is quick. Every test's machine is this machine, so
    each has a declared key of its own."""

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Return the API's answer; AssertionError when it is an error."""
        status, answer = self.api(method, path, body)
        assert status < 400, answer
        return answer

    def key_info(self, external_id: str, **values: object) -> str:
        """Make an installer for one machine; the text of its key info."""
        return self.installer(external_id=external_id, **values).encode()

    def record(self, external_id: str) -> dict[str, Any]:
        """Return the record of a declared key, empty when there is none."""
        found = self.call("GET", f"/jump-client?external_id={external_id}")
        assert len(found) <= 1
        return found[0] if found else {}

    def until_state(self, external_id: str, state: str, seconds: float = 30) -> dict[str, Any]:
        """Wait for a record's state; the record."""

        def reached() -> dict[str, Any]:
            found = self.record(external_id)
            return found if found.get("state") == state else {}

        return until(reached, f"{external_id} is {state}", seconds)

    def delete(self, external_id: str) -> None:
        """Delete a record as an administrator does."""
        number = self.record(external_id)["id"]
        self.call("DELETE", f"/jump-client/{number}?reason=test")

    def waits_for(self, external_id: str) -> bool:
        """Return whether a deleted record's host has not confirmed yet."""
        waiting = self.call("GET", "/jump-client/tombstone?open=true")
        return external_id in [tombstone["external_id"] for tombstone in waiting]

    def let_expire(self, external_id: str) -> None:
        """Have the validity of a machine's installer end: nobody waits ten minutes here."""
        with closing(sqlite3.connect(self.directory / "tremplin.db")) as database, database:
            database.execute(
                "UPDATE installer SET expires_at = '2020-01-01 00:00:00.000000' "
                "WHERE external_id = ?",
                (external_id,),
            )


@contextmanager
def running_site(directory: Path) -> Iterator[Site]:
    """Give a site that runs; it is killed in the end."""
    site = Site(
        directory,
        heartbeat_seconds=HEARTBEAT_SECONDS,
        statistics_seconds=5,
        api_requests_per_hour=1_000_000,
        payload_dir=PAYLOADS,
    )
    site.init()
    try:
        site.start()
        yield site
    finally:
        site.kill()

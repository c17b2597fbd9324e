"""The server's half of a push: records, short-lived installers, waiting for a state.

The command line works on the database itself, as its own actor; a running server notices
what was written through the bus or at the agent's next connection.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tremplin_server.clients import service as clients
from tremplin_server.clients import tombstones
from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.models import JumpClient
from tremplin_server.db import Database, Work
from tremplin_server.errors import Invalid, NotFound
from tremplin_server.groups import service as groups
from tremplin_server.installers import service as installers
from tremplin_server.permissions import Actor
from tremplin_server.policies import service as policies
from tremplin_server.push.plan import Record

LOOK_SECONDS = 0.25
SESSION_POLICIES = ("attended_session_policy_id", "unattended_session_policy_id")


@dataclass(frozen=True, slots=True)
class Issued:
    """An installer made for one host. key_info is a secret."""

    id: int
    key_info: str


@dataclass(frozen=True, slots=True)
class Site:
    """The server, as a push sees it. Every method is a unit of work of its own."""

    database: Database
    actor: Actor

    def record(self, external_id: str, names: tuple[str, ...] = ()) -> Record | None:
        """Return the record with that declared key, with the properties in `names`."""
        with self.database.work(self.actor, read_only=True) as work:
            client = clients.find(work, external_id=external_id)
            return _record(client, names) if client else None

    def columns(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """Return the record's columns for installer parameters (wire name → value).

        Raises Invalid when a group or a policy does not exist.
        """
        with self.database.work(self.actor, read_only=True) as work:
            columns: dict[str, Any] = {}
            for name, value in properties.items():
                columns.update(_columns(work, name, value))
            return columns

    def issue(
        self, external_id: str, platform: str, minutes: int, columns: Mapping[str, Any]
    ) -> Issued:
        """Make an installer for one machine and one use.

        columns: without a Jump Group, that of the record is taken, else the only shared
        one; Invalid when there are several.
        """
        with self.database.work(self.actor) as work:
            if "jump_group_id" not in columns:
                columns = {**columns, **_usual_group(work, external_id)}
            made = installers.create(
                work,
                {
                    **columns,
                    "external_id": external_id,
                    "platform": platform,
                    "valid_duration": minutes,
                    "max_uses": 1,
                    "on_duplicate": "replace",
                },
            )
            return Issued(made.installer.id, made.key_info)

    def refusal(self, issued: Issued) -> str:
        """Return the code with which the agent was last refused; empty when it was let in."""
        with self.database.work(self.actor, read_only=True) as work:
            last = work.session.scalar(installers.uses(work, issued.id).limit(1))
            return last.code if last else ""

    def used(self, issued: Issued) -> bool:
        """Return whether the agent was let in with this installer."""
        with self.database.work(self.actor, read_only=True) as work:
            return installers.get(work, issued.id).uses > 0

    def discard(self, issued: Issued) -> None:
        """Delete an installer, used or not: nobody shall use it again."""
        with self.database.work(self.actor) as work:
            installers.delete(work, issued.id)

    def discard_leftovers(self, external_id: str) -> None:
        """Delete what a push that was cut left behind: usable installers for this machine."""
        with self.database.work(self.actor) as work:
            found = installers.query(work, external_id=external_id, usable=True)
            for installer in work.session.scalars(found).all():
                if installer.max_uses == 1 and installer.created_by == self.actor.name:
                    installers.delete(work, installer.id)

    def update(self, client_id: int, changes: Mapping[str, Any]) -> None:
        """Change properties of a record."""
        with self.database.work(self.actor) as work:
            clients.update(work, client_id, changes)

    def declared_keys(self, client_ids: Iterable[int]) -> dict[int, str | None]:
        """Return client id → declared key, of those only that have a record."""
        with self.database.work(self.actor, read_only=True) as work:
            return {number: found.external_id for number, found in _records(work, client_ids)}

    def delete(self, client_ids: Iterable[int], reason: str) -> None:
        """Delete records; those that are gone already are no failure."""
        with self.database.work(self.actor) as work:
            for number, _record in list(_records(work, client_ids)):
                clients.delete(work, number, reason)

    def settle(self, external_id: str, client_ids: Iterable[int]) -> None:
        """Close the tombstones that wait for this host: its half is known to be gone."""
        numbers = set(client_ids)
        with self.database.work(self.actor) as work:
            for stone in work.session.scalars(tombstones.query(work, open_only=True)).all():
                if stone.external_id == external_id or stone.client_id in numbers:
                    tombstones.close(work, stone.id)


def until(done: Callable[[], bool], seconds: float) -> bool:
    """Look until `done`; False when `seconds` are over."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() >= end:
            return False
        time.sleep(LOOK_SECONDS)
    return True


def _records(work: Work, client_ids: Iterable[int]) -> Iterator[tuple[int, JumpClient]]:
    for number in client_ids:
        try:
            yield number, clients.get(work, number)
        except NotFound:
            continue


def _record(client: JumpClient, names: tuple[str, ...]) -> Record:
    return Record(
        id=client.id,
        state=State(client.state),
        install_dir=client.install_dir,
        properties={name: getattr(client, name) for name in names},
    )


def _usual_group(work: Work, external_id: str) -> dict[str, Any]:
    client = clients.find(work, external_id=external_id)
    if client is not None:
        return {"jump_group_type": client.jump_group_type, "jump_group_id": client.jump_group_id}
    shared = work.session.scalars(groups.query(work).limit(2)).all()
    if len(shared) != 1:
        raise Invalid({"jump_group": ["Say which one with --jc-jump-group."]})
    return {"jump_group_type": "shared", "jump_group_id": shared[0].id}


def _columns(work: Work, name: str, value: Any) -> dict[str, Any]:
    if name == "jump_group":
        owner = groups.resolve(work, value)
        if owner.shared_group_id is not None:
            return {"jump_group_type": "shared", "jump_group_id": owner.shared_group_id}
        return {"jump_group_type": "personal", "jump_group_id": owner.owner_user_id}
    if name == "jump_policy":
        return {"jump_policy_id": policies.jump_policy_by_code(work, value).id}
    if name == "session_policy":
        found = policies.session_policy_by_code(work, value).id
        return dict.fromkeys(SESSION_POLICIES, found)
    return {name: value}

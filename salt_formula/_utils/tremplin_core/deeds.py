# SPDX-License-Identifier: Apache-2.0
"""What the formula asks of the server, each in one call, in words that can be sent.

Arguments and results are what JSON can say, for a minion asks its master to do them. They
follow the modules of the Ansible collection, which a test holds: the same requests for the
same wish, and the same messages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Callable

from . import differ, fetching, lookups, records
from .client import Client
from .errors import TremplinError

FACTS = ("id", "external_id", "name", "hostname", "state")
MOST_STRANGERS = 20
"""Installations that one host may be asked about."""


def look(client: Client, external_id: str, tombstones: bool = False) -> dict[str, Any]:
    """Return the records, one-use installers and open tombstones of a declared key."""
    return {
        "clients": by_key(client, external_id),
        "installers": _installers(client, external_id),
        "tombstones": records.open_tombstones(client, external_id=external_id)
        if tombstones
        else [],
    }


def by_key(client: Client, external_id: str) -> list[dict[str, Any]]:
    """Return the records of a declared key; there is one at most."""
    return [
        record
        for record in client.pages("/jump-client", external_id=external_id)
        if (record.get("external_id") or "").lower() == external_id.lower()
    ]


def strangers(client: Client, ids: Iterable[int]) -> list[dict[str, Any]]:
    """Return what has to be known of other records whose ids a host has: FACTS."""
    found = [records.find(client, "id", int(number)) for number in list(ids)[:MOST_STRANGERS]]
    return [{name: record.get(name) for name in FACTS} for record in found if record]


def change(
    client: Client,
    properties: dict[str, Any],
    test: bool = False,
    id: int | None = None,
    external_id: str | None = None,
    name: str | None = None,
) -> dict[str, Any]:
    """Return {changed, diff, client} of setting properties on the record that is named.

    properties: those of `records.desired`; only those that differ are sent.
    """
    given = {"id": id, "external_id": external_id, "name": name}
    selector = records.selector(given)
    record = records.find(client, selector, given[selector])
    if record is None:
        raise TremplinError(
            f"there is no Jump Client whose {selector} is {given[selector]!r}; "
            "an agent makes its record when it enrols"
        )
    desired = records.desired(client, properties)
    changed = differ.changes(desired, record)
    diff = differ.diff(desired, record)
    if changed and not test:
        record = client.patch(f"/jump-client/{record['id']}", changed)
    return {"changed": bool(changed), "diff": diff, "client": record}


def delete(
    client: Client,
    reason: str,
    confirm_gone: bool = False,
    test: bool = False,
    id: int | None = None,
    external_id: str | None = None,
    name: str | None = None,
) -> dict[str, Any]:
    """Return {changed, diff, client, tombstones} of deleting the record that is named.

    confirm_gone: also close its tombstones, for its host is known to be clean or gone.
    """
    given = {"id": id, "external_id": external_id, "name": name}
    selector = records.selector(given)
    record = records.find(client, selector, given[selector])
    if record is not None and not test:
        client.delete(f"/jump-client/{record['id']}", reason=reason)
    found = record or {}
    keys = {
        "client_id": found.get("id") or id,
        "external_id": found.get("external_id") or external_id,
    }
    closed: list[int] = []
    if confirm_gone and any(keys.values()):
        closed = _close(client, records.open_tombstones(client, **keys), test)
    if record is not None and not test and records.find(client, "id", record["id"]):
        raise TremplinError(
            "the record {} is still there after it was deleted".format(record["id"])
        )
    before: dict[str, Any] = {}
    if record is not None:
        before["client"] = {key: record.get(key) for key in ("id", "name", "external_id", "state")}
    if closed:
        before["open tombstones"] = closed
    return {
        "changed": record is not None or bool(closed),
        "client": record,
        "tombstones": closed,
        "diff": {"before": before, "after": {}},
    }


def confirm_gone(client: Client, client_id: int, external_id: str) -> list[int]:
    """Close the tombstones of one record of a host that was seen to be clean; their ids."""
    found = [
        tombstone
        for tombstone in records.open_tombstones(
            client, client_id=client_id, external_id=external_id
        )
        if tombstone["client_id"] == client_id
        and tombstone.get("external_id") in (None, "", external_id)
    ]
    return _close(client, found, False)


def make_key(
    client: Client,
    external_id: str,
    platform: str,
    properties: dict[str, Any],
    group: dict[str, Any] | None = None,
    minutes: int = 10,
) -> dict[str, Any]:
    """Return {installer_id, key_info} of an installer for one machine and one use.

    properties: of the record, as in `change`. group: {id, type} of the Jump Group, for a
    record that stays where it is. Others that an earlier run made for the machine go.
    """
    body = records.desired(client, dict(properties, external_id=external_id))
    if group and "jump_group_id" not in body:
        body.update(jump_group_id=group["id"], jump_group_type=group["type"])
    if "jump_group_id" not in body:
        raise TremplinError("an installer needs a jump_group")
    body.update(max_uses=1, valid_duration=minutes, on_duplicate="replace", platform=platform)
    drop_keys(client, external_id)
    made = client.post("/jump-client/installer", body)
    key_info = (made.pop("key_info", None) or {}).get("encodedInfo")
    if not key_info:
        raise TremplinError(
            "the server made the installer {} without showing its key info".format(
                made.get("installer_id")
            )
        )
    return {"installer_id": made["installer_id"], "key_info": key_info}


def drop_keys(client: Client, external_id: str, installer_id: str | None = None) -> list[str]:
    """Delete the one-use installers of a machine, or one of them; their installer ids."""
    gone = [
        item
        for item in _installers(client, external_id)
        if item.get("max_uses") == 1 and installer_id in (None, item["installer_id"])
    ]
    for item in gone:
        client.delete(f"/jump-client/installer/{item['id']}")
    return [item["installer_id"] for item in gone]


def drift(
    client: Client,
    external_ids: list[str],
    jump_group: str | None = None,
    tag: str | None = None,
) -> dict[str, Any]:
    """Return the server's comparison of its records with a list of declared keys."""
    body: dict[str, Any] = {"external_ids": external_ids}
    if jump_group:
        body.update(lookups.jump_group(client, jump_group))
    if tag:
        body["tag"] = tag
    answer: dict[str, Any] = client.post("/jump-client/drift", body)
    return answer


def payload(client: Client, platform: str) -> bytes:
    """Return the generic installer of a platform, compared with its published checksum."""
    offered = {item["platform"]: item["sha256"] for item in client.get("/jump-client/payload")}
    if platform not in offered:
        names = ", ".join(sorted(offered)) or "none"
        raise TremplinError(f"the server has no installer for {platform} (it has: {names})")
    answer = client.download(f"/jump-client/payload/{platform}")
    check(
        answer.body, answer.headers.get(fetching.CHECKSUM_HEADER, str(offered[platform])), platform
    )
    return answer.body


def check(content: bytes, wanted: str, platform: str) -> None:
    """Raise TremplinError when the checksum of `content` is not the one that is wanted."""
    found = hashlib.sha256(content).hexdigest()
    if found != wanted:
        raise TremplinError(
            f"the file for {platform} was damaged on its way: its checksum is {found}"
        )


def _installers(client: Client, external_id: str) -> list[dict[str, Any]]:
    return [
        item
        for item in client.pages("/jump-client/installer", external_id=external_id)
        if item.get("external_id") == external_id
    ]


def _close(client: Client, tombstones: list[dict[str, Any]], test: bool) -> list[int]:
    for tombstone in tombstones:
        if not test:
            client.delete(f"/jump-client/tombstone/{tombstone['id']}")
    return [tombstone["id"] for tombstone in tombstones]


BY_NAME: dict[str, Callable[..., Any]] = {
    deed.__name__: deed
    for deed in (look, strangers, change, delete, confirm_gone, make_key, drop_keys, drift)
}
"""What a link can be asked for by its name."""

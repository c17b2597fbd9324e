# SPDX-License-Identifier: Apache-2.0
"""Bring both halves of one host in step: look, decide by the plan, act, verify.

The counterpart of the tasks of the Ansible role, in the same order, so that a run which was
cut off anywhere is finished by the next run, of either.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from . import plan
from .errors import TimedOut, TremplinError
from .links import Link, believed
from .machine import Machine

T = TypeVar("T")

BUSY_LOOKS, BUSY_PAUSE = 50, 2.0
"""An installer of a run that was cut off may still be at work: it ends within 90 s."""
GONE_LOOKS, GONE_PAUSE = 11, 1.0
FIRST_LOOK, SLOWEST_LOOK = 0.2, 3.0


@dataclass(frozen=True)
class Wish:
    """What one host should have.

    external_id: its declared key. parameters: installer parameter -> value, only those that
    were given. key_info: of the operator's own installer, else empty.
    """

    external_id: str
    parameters: dict[str, Any] = field(default_factory=dict)
    key_info: str = ""
    key_minutes: int = 10
    wait_timeout: int = 60
    reason: str = "removed by Salt"

    @property
    def properties(self) -> dict[str, Any]:
        """Those parameters that describe the record, in the words of the API."""
        return {
            name[3:]: value
            for name, value in self.parameters.items()
            if name in plan.RECORD_PARAMETERS and name != "jc_external_id"
        }


@dataclass(frozen=True)
class Outcome:
    """What was done, or, in a test, what would be. `before` and `after` say what differs."""

    action: str
    message: str
    before: dict[str, Any]
    after: dict[str, Any]
    directory: str = ""

    @property
    def changed(self) -> bool:
        """Whether anything differs."""
        return bool(self.before or self.after)


@dataclass(frozen=True)
class Sight:
    """Both halves as they were found, and the decision."""

    host: dict[str, Any]
    record: dict[str, Any] | None
    plan: dict[str, Any]

    @property
    def message(self) -> str:
        """The decision in words."""
        if self.plan["reason"]:
            return "{action}: {reason}".format(**self.plan)
        return str(self.plan["action"])


class Converger:
    """Works on one host through one link. Raises TremplinError and plan.PlanError."""

    def __init__(
        self,
        link: Link,
        machine: Machine,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._link = link
        self._machine = machine
        self._clock = clock
        self._sleep = sleep

    def present(self, wish: Wish, test: bool = False) -> Outcome:
        """Return the Outcome of having one running installation with its one record."""
        sight = self._look(wish, "present")
        before, after = self._properties(sight, wish, test)
        action = sight.plan["action"]
        if not test:
            if action in (plan.TIDY, plan.START):
                self._tidy(sight, wish)
            if action == plan.START:
                self._start(sight, wish)
            elif action in (plan.INSTALL, plan.REINSTALL):
                self._install(sight, wish)
        return Outcome(
            action,
            sight.message,
            dict(sight.plan["diff"]["before"], **before),
            dict(sight.plan["diff"]["after"], **after),
            sight.plan["directory"],
        )

    def absent(self, wish: Wish, test: bool = False) -> Outcome:
        """Return the Outcome of having neither half, both verified."""
        sight = self._look(wish, "absent")
        if sight.plan["action"] == plan.REMOVE and not test:
            self._remove(sight, wish)
        diff = sight.plan["diff"]
        return Outcome(
            sight.plan["action"],
            sight.message,
            diff["before"],
            diff["after"],
            sight.plan["directory"],
        )

    def running(self, wish: Wish, test: bool = False) -> Outcome:
        """Return the Outcome of starting what is installed, if it does not run."""
        sight = self._look(wish, "present")
        action = sight.plan["action"]
        if action in (plan.INSTALL, plan.REINSTALL):
            raise TremplinError(f"there is nothing to start ({sight.message})")
        if action != plan.START:
            return Outcome(plan.NOTHING, "it runs, and the server says so", {}, {})
        if not test:
            self._start(sight, wish)
        state = (sight.record or {}).get("state")
        return Outcome(action, sight.message, {"state": state}, {"state": "online"})

    def stopped(self, wish: Wish, test: bool = False) -> Outcome:
        """Return the Outcome of stopping what is installed; it starts again at the next boot."""
        host = self._survey(wish, [])
        running = [
            found["directory"]
            for found in host["installations"]
            if found["owned"] and found["running"]
        ]
        for directory in [] if test else running:
            self._command([directory + "/init-script", "stop"], "could not be stopped")
        before = dict.fromkeys(running, "running")
        after = dict.fromkeys(running, "stopped")
        return Outcome("stop" if running else plan.NOTHING, "stop", before, after)

    # --- looking --------------------------------------------------------------------------

    def _look(self, wish: Wish, state: str) -> Sight:
        found = self._link.do("look", external_id=wish.external_id, tombstones=state == "absent")
        key = wish.external_id.lower()
        own = next((r for r in found["clients"] if (r["external_id"] or "").lower() == key), None)
        host = self._survey(wish, found["clients"])
        if not self._link.sees_server:
            own = believed(host, wish.external_id)
        ids = [item["installer_id"] for item in found["installers"] if item.get("max_uses") == 1]
        wanted = {k: v for k, v in wish.parameters.items() if v not in (None, "")}
        if state == "present":
            return Sight(host, own, plan.present(host, own, wanted, ids))
        graves = [item["id"] for item in found["tombstones"]]
        others = self._others(host, found["clients"])
        return Sight(host, own, plan.absent(host, own, wanted, others, ids, graves))

    def _survey(self, wish: Wish, clients: list[dict[str, Any]]) -> dict[str, Any]:
        places = [wish.parameters.get("install_dir") or ""]
        places += [record["install_dir"] for record in clients if record.get("install_dir")]
        for look in range(BUSY_LOOKS):
            host = self._machine.survey(places)
            if not host["busy"]:
                return host
            if look + 1 < BUSY_LOOKS:
                self._sleep(BUSY_PAUSE)
        raise TimedOut("an installer is still at work in {}".format(", ".join(host["busy"])))

    def _others(self, host: dict[str, Any], clients: list[dict[str, Any]]) -> list[dict[str, Any]]:
        known = [record["id"] for record in clients]
        ids = {found["client_id"] for found in host["installations"]} - {None, *known}
        others: list[dict[str, Any]] = self._link.do("strangers", ids=sorted(ids)) if ids else []
        return others

    # --- acting ---------------------------------------------------------------------------

    def _properties(
        self, sight: Sight, wish: Wish, test: bool
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        record = sight.record
        if not self._link.sees_server or record is None or record["state"] == "removing":
            return {}, {}
        if not wish.properties:
            return {}, {}
        done = self._link.do(
            "change", external_id=wish.external_id, properties=wish.properties, test=test
        )
        return done["diff"]["before"], done["diff"]["after"]

    def _tidy(self, sight: Sight, wish: Wish) -> None:
        for path in sight.plan["leftovers"]:
            self._machine.delete(path)
        if sight.plan["installers"]:
            self._link.do("drop_keys", external_id=wish.external_id)

    def _start(self, sight: Sight, wish: Wish) -> None:
        self._command([sight.plan["directory"] + "/init-script", "start"], "could not be started")
        self._wait_online(wish)

    def _install(self, sight: Sight, wish: Wish) -> None:
        host, decided = sight.host, sight.plan
        content = self._link.payload(host["platform"])
        made: dict[str, Any] = {}
        try:
            if decided["uninstall"] or decided["leftovers"]:
                self._uninstall(decided)
            for number in decided["forget"]:
                self._link.do("confirm_gone", client_id=number, external_id=wish.external_id)
            path = self._machine.push(host["push_directory"], host["platform"], content)
            if not wish.key_info:
                made = self._make_key(sight, wish)
            self._run_installer(path, decided, wish, wish.key_info or made["key_info"])
            self._wait_online(wish)
        finally:
            self._machine.delete(host["push_directory"])
            if made:
                self._link.do(
                    "drop_keys", external_id=wish.external_id, installer_id=made["installer_id"]
                )

    def _make_key(self, sight: Sight, wish: Wish) -> dict[str, Any]:
        record = sight.record
        group = None
        if record is not None and "jump_group" not in wish.properties:
            group = {"id": record["jump_group_id"], "type": record["jump_group_type"]}
        made: dict[str, Any] = self._link.do(
            "make_key",
            external_id=wish.external_id,
            platform=sight.host["platform"],
            properties=wish.properties,
            group=group,
            minutes=wish.key_minutes,
        )
        if not made.get("key_info"):
            raise TremplinError("the server gave no key")
        return made

    def _run_installer(self, path: str, decided: dict[str, Any], wish: Wish, key_info: str) -> None:
        wanted = dict(wish.parameters, jc_external_id=wish.external_id)
        arguments = plan.parameters(wanted, decided["directory"], bool(wish.key_info))
        done = self._machine.execute(
            ["sh", path, "--key-info", "-", "--quiet", *arguments], key_info
        )
        if done.status != 0:
            reason = done.reason or "the installer could not be run"
            raise TremplinError(f"{reason} (exit status {done.status})")

    def _remove(self, sight: Sight, wish: Wish) -> None:
        told = self._uninstall(sight.plan)
        if not self._link.sees_server:
            if not told:
                raise TremplinError("the server could not be told; delete the record there")
            return
        for number in sight.plan["records"]:
            self._link.do("delete", id=number, confirm_gone=True, reason=wish.reason)
        self._link.do("delete", external_id=wish.external_id, confirm_gone=True, reason=wish.reason)
        if sight.plan["installers"]:
            self._link.do("drop_keys", external_id=wish.external_id)
        left = self._link.do("look", external_id=wish.external_id, tombstones=True)
        still = [f"record {record['id']}" for record in left["clients"]]
        still += [f"tombstone {tombstone['id']}" for tombstone in left["tombstones"]]
        if still:
            raise TremplinError("still on the server: " + ", ".join(still))

    def _uninstall(self, decided: dict[str, Any]) -> bool:
        """Take the host's half away and verify it; whether the server could be told."""
        told = True
        for item in decided["uninstall"]:
            if not self._machine.exists(item["directory"]):
                continue
            words = [item["directory"] + "/uninstall", "--quiet"]
            done = self._command(words + (["--local"] if item["local"] else []), "stays there")
            told = told and not done.errors.strip()
        for path in decided["leftovers"]:
            self._machine.delete(path)
        places = [item["directory"] for item in decided["uninstall"]] or [decided["directory"]]
        for look in range(GONE_LOOKS):
            remains = _remains(self._machine.survey(places))
            if not remains:
                return told
            if look + 1 < GONE_LOOKS:
                self._sleep(GONE_PAUSE)
        raise TremplinError("still on the host: " + ", ".join(remains))

    def _command(self, words: list[str], what: str) -> Any:
        done = self._machine.execute(words)
        if done.status != 0:
            reason = done.reason or f"{words[0]} {what}"
            raise TremplinError(f"{reason} (exit status {done.status})")
        return done

    # --- waiting --------------------------------------------------------------------------

    def _wait_online(self, wish: Wish) -> None:
        seen: list[dict[str, Any]] = []

        def connected() -> bool:
            if not self._link.sees_server:
                record = believed(self._survey(wish, []), wish.external_id)
                seen[:] = [dict(record, name=wish.external_id)] if record else []
            else:
                seen[:] = self._link.do("look", external_id=wish.external_id)["clients"]
            return bool(seen) and all(record["state"] in plan.CONNECTED for record in seen)

        try:
            self._wait(connected, wish.wait_timeout, "the state connected")
        except TimedOut as error:
            states = ", ".join("{name} is {state}".format(**record) for record in seen)
            raise TimedOut(f"{error}: {states or 'the server has no record of it'}") from error

    def _wait(self, look: Callable[[], T], seconds: float, what: str) -> T:
        until = self._clock() + seconds
        pause = FIRST_LOOK
        while True:
            found = look()
            if found:
                return found
            if self._clock() + pause > until:
                raise TimedOut(f"{what} did not happen within {seconds} s")
            self._sleep(pause)
            pause = min(pause * 1.5, SLOWEST_LOOK)


def _remains(survey: dict[str, Any]) -> list[str]:
    found = [item["directory"] for item in survey["installations"] if item["owned"]]
    return [
        *found,
        *survey["leftovers"],
        *(f"process {number}" for number in survey["processes"]),
        *survey["boot_entries"],
    ]

"""Bad input on a real host: exit status, one line, system log, and nothing left anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.lab import expect, footprint, installing
from tests.lab.api import Api
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.lab.wait import until

SYSTEM = ("--scope", "system")
ONLINE = (*SYSTEM, "--online-install")


@dataclass(frozen=True)
class Case:
    """arguments: of the installer; before: shell commands on the host; key: of the server.

    key None gives a well-made key info that no server knows.
    """

    name: str
    code: str
    status: int
    arguments: tuple[str, ...] = SYSTEM
    user: str = "root"
    before: str = "true"
    key: dict[str, Any] | None = field(default_factory=dict)
    key_text: str | None = None


def _value(flag: str, value: str, *, allowed: str = "") -> Case:
    """Return the case of a value that the installer itself refuses."""
    key = {f"allow_override_{allowed}": True} if allowed else {}
    case_name = f"{flag[2:]}={value[:12]!r}"
    return Case(case_name, "install.bad_value", 3, (*SYSTEM, flag, value), key=key)


CASES = (
    Case("unknown flag", "install.usage", 2, (*SYSTEM, "--jc-colour", "red")),
    Case("stray word", "install.usage", 2, (*SYSTEM, "here")),
    Case("value missing", "install.usage", 2, (*SYSTEM, "--jc-tag")),
    _value("--scope", "galaxy"),
    _value("--startup", "upstart"),
    _value("--online-install", "maybe"),
    _value("--install-dir", " "),
    _value("--user", ""),
    _value("--user", "u" * 33),
    _value("--jc-jump-group", "g" * 256),
    _value("--jc-tag", "t" * 65),
    _value("--jc-tag", "two\nlines"),
    _value("--jc-comments", "c" * 1025),
    _value("--jc-name", "n" * 129),
    _value("--jc-name", ""),
    _value("--jc-external-id", "e" * 256),
    _value("--jc-external-id", " "),
    _value("--jc-jump-policy", "no spaces"),
    _value("--jc-session-policy", "é"),
    _value("--jc-max-offline-minutes", "soon"),
    _value("--jc-max-offline-minutes", "-1"),
    _value("--jc-max-offline-minutes", "99999999999"),
    _value("--jc-ephemeral", "perhaps"),
    Case("root runs nothing", "install.root_needs_user", 14, ()),
    Case("root named", "install.bad_value", 3, ("--user", "root")),
    Case("no such user", "install.user_missing", 12, ("--user", "nobody-here")),
    Case(
        "user locked out", "install.user_no_rights", 13,
        ("--user", "plain", "--install-dir", "/srv/locked/jump"),
        before="mkdir -m 0700 /srv/locked",
    ),
    Case("another user without root", "install.needs_root", 15, ("--user", "deploy"), "plain"),
    Case("system scope without root", "install.needs_root", 15, SYSTEM, "plain"),
    Case("openrc without root", "install.needs_root", 15, ("--startup", "openrc"), "plain"),
    Case("not this manager", "install.startup", 43, (*SYSTEM, "--startup", "openrc")),
    Case(
        "directory exists", "install.dir_exists", 10, (*SYSTEM, "--install-dir", "/srv/here"),
        before="mkdir /srv/here",
    ),
    Case("not ours", "install.dir_not_writable", 11, ("--install-dir", "/opt/x"), "plain"),
    Case(
        "below a file", "install.dir_not_writable", 11,
        (*SYSTEM, "--install-dir", "/etc/hostname/x"),
    ),
    Case("no space", "install.no_space", 42, (*SYSTEM, "--install-dir", "/mnt/x"),
         before="mount -t tmpfs -o size=1M tmpfs /mnt"),
    Case("no key", "install.key_missing", 20, key_text=""),
    Case("damaged key", "install.key_damaged", 21, key_text="bm90IGEga2V5"),
    Case("key unknown", "install.key_unknown", 23, ONLINE, key=None),
    Case("tag not allowed", "install.override_denied", 25, (*ONLINE, "--jc-tag", "mine")),
    Case("name not allowed", "install.override_denied", 25, (*ONLINE, "--jc-name", "mine")),
    Case(
        "external id not allowed", "install.override_denied", 25,
        (*ONLINE, "--jc-external-id", "mine"),
    ),
    Case(
        "no such group", "install.bad_value", 3, (*ONLINE, "--jc-jump-group", "jumpgroup:nowhere"),
        key={"allow_override_jump_group": True},
    ),
    Case(
        "no such policy", "install.bad_value", 3, (*ONLINE, "--jc-jump-policy", "nowhere"),
        key={"allow_override_jump_policy": True},
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def here(lab: Lab) -> Iterator[Host]:
    """One host for all cases: each proves that it left nothing for the next."""
    host = lab.up("refusing", "bookworm-systemd")
    installing.push(host)
    yield host
    lab.down("refusing")


@pytest.mark.turns(2)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_refused(here: Host, api: Api, case: Case) -> None:
    here.run(case.before).checked()
    before, known = footprint.of(here), len(api.clients())
    key_info = _key(api, case)
    done = installing.install(here, key_info, *case.arguments, user=case.user)
    _undo(here, case)
    assert done.status == case.status, done
    line = done.err.strip().splitlines()[-1]
    assert line.startswith(f"tremplin-installer: {case.code}: "), done.err
    if case.code != "install.root_needs_user":
        assert len(done.err.strip().splitlines()) == 1, done.err
    reason = line.partition(": ")[2]
    until(lambda: any(reason in entry for entry in expect.log_lines(here)), f"log: {reason}")
    assert len(api.clients()) == known
    expect.clean(here, before)


def test_exhausted_and_revoked(here: Host, api: Api) -> None:
    before = footprint.of(here)
    key = installing.make_key(api, max_uses=1, on_duplicate="keep_both")
    installing.install(here, key.key_info, *ONLINE).checked()
    second = (*ONLINE, "--install-dir", "/opt/second")
    done = installing.install(here, key.key_info, *second)
    assert (done.status, "install.key_exhausted" in done.err) == (24, True), done.err
    api.call("POST", f"/jump-client/installer/{key.id}/revoke", {"reason": "test"})
    done = installing.install(here, key.key_info, *second)
    assert (done.status, "install.key_unknown" in done.err) == (23, True), done.err
    here.run(f"{expect.DIRECTORY}/uninstall").checked()
    expect.clean(here, before)


def test_duplicate_refused(here: Host, api: Api) -> None:
    before = footprint.of(here)
    key = installing.make_key(api, external_id="refusing", on_duplicate="refuse")
    installing.install(here, key.key_info, *ONLINE).checked()
    known = len(api.clients())
    second = (*ONLINE, "--install-dir", "/opt/second")
    done = installing.install(here, key.key_info, *second)
    assert (done.status, "enrol.duplicate_refused" in done.err) == (52, True), done.err
    assert len(api.clients()) == known
    here.run(f"{expect.DIRECTORY}/uninstall").checked()
    expect.clean(here, before)


def test_server_unreachable(here: Host, api: Api) -> None:
    before = footprint.of(here)
    key = installing.make_key(api)
    here.cut_cable()
    done = installing.install(here, key.key_info, *ONLINE)
    here.mend_cable()
    assert (done.status, "install.server_unreachable" in done.err) == (30, True), done.err
    expect.clean(here, before)


def test_first_start_after_the_window(here: Host, api: Api) -> None:
    """Installed in time but started too late: the agent removes itself and says why."""
    before = footprint.of(here)
    key = installing.make_key(api)
    here.cut_cable()
    installing.install(here, key.key_info, *SYSTEM).checked()
    api.call("POST", f"/jump-client/installer/{key.id}/revoke", {"reason": "test"})
    here.mend_cable()
    expect.clean(here, before, seconds=60)
    assert any("install.key_unknown" in line for line in expect.log_lines(here))


def _key(api: Api, case: Case) -> str:
    if case.key_text is not None:
        return case.key_text
    key = installing.make_key(api, **(case.key or {}))
    if case.key is None:
        api.call("DELETE", f"/jump-client/installer/{key.id}")
    return key.key_info


def _undo(here: Host, case: Case) -> None:
    here.run("umount /mnt; rm -rf /srv/here /srv/locked")

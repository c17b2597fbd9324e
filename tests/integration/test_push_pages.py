"""Pushes from the console: who may, what is written down, keys, cancelling, breaking off."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, text
from tremplin_server.audit.models import AuditEvent
from tremplin_server.db import Database
from tremplin_server.errors import Conflict, Denied, Invalid, NotFound
from tremplin_server.groups import service as groups
from tremplin_server.groups.models import JumpGroup
from tremplin_server.permissions import Actor, system_actor
from tremplin_server.push import service, ssh, words
from tremplin_server.push.models import HostState, PushHost
from tremplin_server.push.pages import RUNNER
from tremplin_server.push.plan import Outcome, Step
from tremplin_server.push.runner import Runner
from tremplin_server.push.service import Aim

from tests.conftest import MovableClock
from tests.integration.sshd import Sshd, start
from tests.integration.test_pages import BASE, Browser
from tests.integration.test_pages import translations as translations
from tests.personas import People

FORM = "/login/jump-clients/push"
SECRET = "a word that nobody else says"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with start(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture
def group(database: Database, people: People) -> JumpGroup:
    """A group in which the technician may add."""
    with database.work(system_actor()) as work:
        made = groups.create(work, name="Lab")
        groups.add_member(work, made.id, people.technician.id)
        return made


def aim(name: str = "web1") -> Aim:
    return Aim(name, f"{name}:22", name)


def wanted(group: JumpGroup) -> dict[str, object]:
    return {"jump_group_type": "shared", "jump_group_id": group.id}


def begin(database: Database, actor: Actor, group: JumpGroup, *names: str) -> int:
    with database.work(actor) as work:
        return service.start(work, [aim(name) for name in names or ("web1",)], wanted(group)).id


def host_of(database: Database, run_id: int) -> PushHost:
    with database.work(system_actor(), read_only=True) as work:
        return work.session.scalars(select(PushHost).where(PushHost.run_id == run_id)).one()


def wait_for(database: Database, run_id: int, *states: HostState) -> PushHost:
    deadline = time.monotonic() + 30
    while (host := host_of(database, run_id)).state not in states:
        assert time.monotonic() < deadline, (host.state, host.step, host.error_code)
        time.sleep(0.05)
    return host


# --- who may ------------------------------------------------------------------------------


def test_who_may_push(database: Database, people: People, group: JumpGroup) -> None:
    begin(database, people.technician, group)
    begin(database, people.administrator, group, "db1")
    for nobody in (people.auditor, people.outsider):
        with pytest.raises(Denied):
            begin(database, nobody, group, "db2")
    with database.work(people.auditor) as work, pytest.raises(Denied):
        service.query(work)


def test_a_push_is_its_owners_and_the_administrators(
    database: Database, people: People, group: JumpGroup
) -> None:
    number = begin(database, people.technician, group)
    with database.work(people.outsider) as work:
        with pytest.raises(NotFound):
            service.get(work, number)
        with pytest.raises(NotFound):
            service.cancel(work, number)
    with database.work(people.administrator) as work:
        assert service.get(work, number).created_by == "technician"
        # Whose credentials it runs with is who says which host gets them.
        with pytest.raises(NotFound):
            service.accept_key(work, number, host_of(database, number).id, "SHA256:x")


def test_what_is_not_started(database: Database, people: People, group: JumpGroup) -> None:
    with database.work(people.technician) as work:
        for aims in ([], [aim("a"), aim("A")], [aim(f"h{n}") for n in range(101)]):
            with pytest.raises(Invalid) as caught:
                service.start(work, aims, wanted(group))
            assert list(caught.value.fields) == ["hosts"]
    begin(database, people.technician, group)
    with pytest.raises(Conflict, match="web1"):
        begin(database, people.administrator, group)


# --- the life of a push --------------------------------------------------------------------


def test_without_a_sign_of_life_it_broke_off(
    database: Database, people: People, group: JumpGroup, clock: MovableClock
) -> None:
    number = begin(database, people.technician, group)
    with database.work(people.technician) as work:
        assert service.is_open(service.get(work, number), clock.now())
    clock.forward(seconds=21)
    with database.work(people.technician) as work:
        run = service.get(work, number)
        assert service.is_broken(run, clock.now())
        with pytest.raises(Conflict):
            service.accept_key(work, number, host_of(database, number).id, "")
    # And the machine is free for the push that finishes it.
    begin(database, people.technician, group)


def test_old_pushes_go(
    database: Database, people: People, group: JumpGroup, clock: MovableClock
) -> None:
    old = begin(database, people.technician, group)
    clock.forward(days=91)
    new = begin(database, people.technician, group)
    with database.work(people.administrator) as work:
        assert [run.id for run in work.session.scalars(service.query(work))] == [new]
    assert old != new


def test_words_are_there_for_all() -> None:
    for step in Step:
        assert words.step(step, "en") != words.step(step, "fr")
    for outcome in Outcome:
        assert words.outcome(outcome, "fr")
    assert words.reason("changed: user, scope", "fr") == "modifié : user, scope"
    assert words.reason("the record is uninstalled", "fr-FR").endswith("uninstalled")
    assert words.reason("the record is uninstalled", "en") == "the record is uninstalled"


# --- keys and lines that people give -------------------------------------------------------


def test_a_private_key_is_read_in_memory(sshd: Sshd) -> None:
    key = ssh.private_key(sshd.user_key.read_text(), None)
    assert key.get_name() == "ssh-ed25519"
    for bad in ("", "nonsense", sshd.known_hosts.read_text()):
        with pytest.raises(ValueError, match="Not a private SSH key"):
            ssh.private_key(bad, None)


def test_lines_of_known_hosts(sshd: Sshd) -> None:
    assert len(ssh.known_hosts(f"# mine\n\n{sshd.known_hosts.read_text()}")) == 1
    with pytest.raises(ValueError, match="Line 2"):
        ssh.known_hosts(f"{sshd.known_hosts.read_text()}web1 nonsense\n")


# --- the pages, with a real sshd -----------------------------------------------------------


@pytest.fixture
def technician(app: Flask, group: JumpGroup) -> Browser:
    app.extensions[RUNNER] = Runner(app.extensions["tremplin"], beat=0.05)
    browser = Browser(app.test_client())
    browser.sign_in("technician")
    return browser


@pytest.fixture
def send(technician: Browser, sshd: Sshd, group: JumpGroup) -> Callable[..., int]:
    """Send the form and return the number of the push."""

    def send(**changed: object) -> int:
        body: dict[str, object] = {
            "hosts": f"127.0.0.1:{sshd.port}",
            "login": sshd.user,
            "key": (io.BytesIO(sshd.user_key.read_bytes()), "key"),
            "sudo_password": SECRET,
            "jump_group": f"shared:{group.id}",
            "jump_policy_id": "0",
            "session_policy_id": "0",
            "scope": "user",
            "user": "nobody-of-that-name",
            "startup": "",
            **changed,
        }
        answer = technician.post(FORM, FORM, **body)
        assert answer.status_code == 302, answer.text
        return int(answer.headers["Location"].rpartition("/")[2])

    return send


def press(browser: Browser, number: int, path: str, **fields: str) -> None:
    page = f"{FORM}/{number}"
    assert browser.post(f"{page}/{path}", page, **fields).status_code == 302


def test_a_key_is_compared_first(
    database: Database, technician: Browser, send: Callable[..., int], sshd: Sshd
) -> None:
    number = send()
    asking = wait_for(database, number, HostState.ASKING)
    assert asking.fingerprint == sshd.fingerprint
    page = technician.get(f"{FORM}/{number}").text
    assert sshd.fingerprint in page
    accept = f"hosts/{asking.id}/accept"
    press(technician, number, accept, fingerprint="SHA256:" + "A" * 43)
    assert host_of(database, number).state == HostState.ASKING
    press(technician, number, accept, fingerprint=sshd.fingerprint)
    ended = wait_for(database, number, HostState.FAILED)
    # It was let in: the host itself lacks what an installation needs here.
    assert ended.error_code.partition(".")[0] in ("installer", "install", "push")
    assert ended.error_code not in ("push.authentication", "push.host_key_unknown")
    with database.work(system_actor()) as work:
        actions = work.session.scalars(select(AuditEvent.action)).all()
    assert {"push.started", "push.key_accepted"} <= set(actions)
    # Whoever compared a key once is not asked again.
    again = send(scope="user", user="nobody-of-that-name")
    assert wait_for(database, again, HostState.FAILED, HostState.ASKING).accepted == ""
    assert host_of(database, again).state == HostState.FAILED


def test_another_key_than_last_time_is_an_alarm(
    database: Database,
    technician: Browser,
    send: Callable[..., int],
    sshd: Sshd,
) -> None:
    number = send()
    asking = wait_for(database, number, HostState.ASKING)
    press(technician, number, f"hosts/{asking.id}/accept", fingerprint=sshd.fingerprint)
    wait_for(database, number, HostState.FAILED)
    with database.work(system_actor()) as work:
        work.session.get_one(PushHost, asking.id).accepted = "SHA256:" + "B" * 43
    again = send()
    wait_for(database, again, HostState.ASKING)
    text = technician.get(f"{FORM}/{again}", Accept_Language="fr").text
    assert "vous avez accepté une autre clé" in text
    press(technician, again, "cancel")
    assert wait_for(database, again, HostState.CANCELLED).error_code == "push.cancelled"


def test_known_hosts_that_are_given(
    database: Database, technician: Browser, send: Callable[..., int], sshd: Sshd
) -> None:
    number = send(known_hosts=sshd.known_hosts.read_text())
    host = wait_for(database, number, HostState.FAILED, HostState.ASKING)
    assert host.state == HostState.FAILED
    number = send(known_hosts=sshd.wrong_known_hosts.read_text())
    host = wait_for(database, number, HostState.FAILED, HostState.ASKING)
    assert host.error_code == "push.host_key_changed"
    page = technician.get(f"{FORM}/{number}", Accept_Language="fr").text
    assert "La clé de la machine n&#39;est pas celle de known_hosts" in page


def test_several_hosts_of_which_one_is_not_there(
    database: Database, technician: Browser, send: Callable[..., int], sshd: Sshd
) -> None:
    number = send(
        hosts=f"127.0.0.1:{sshd.closed_port}\nlocalhost:{sshd.closed_port}",
        known_hosts=sshd.known_hosts.read_text(),
    )
    deadline = time.monotonic() + 20
    while "Hosts that failed: 2 of 2" not in technician.get(f"{FORM}/{number}").text:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    again = technician.get(f"{FORM}?again={number}").text
    assert f"localhost:{sshd.closed_port}" in again
    assert "nobody-of-that-name" in again


def test_no_secret_is_left_anywhere(
    database: Database,
    technician: Browser,
    send: Callable[..., int],
    sshd: Sshd,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    number = send(password=SECRET, known_hosts=sshd.known_hosts.read_text(), sudo="y")
    wait_for(database, number, HostState.FAILED, HostState.DONE)
    key = sshd.user_key.read_text().splitlines()[2]
    with database.work(system_actor(), read_only=True) as work:
        for table in ("push_run", "push_host", "audit_event"):
            rows = str(work.session.execute(text(f"SELECT * FROM {table}")).all())
            assert SECRET not in rows
            assert key not in rows
    page = technician.get(f"{FORM}/{number}").text + technician.get(f"{FORM}?again={number}").text
    said = "".join(capfd.readouterr()) + caplog.text + page
    assert SECRET not in said
    assert key not in said


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"hosts": ""}, "This field is required"),
        ({"hosts": "web1:99999"}, "Not a host: web1:99999"),
        ({"hosts": "-oProxyCommand=x"}, "Not a host"),
        ({"login": ""}, "Say as whom to connect"),
        ({"key": (io.BytesIO(b"nonsense"), "key")}, "Not a private SSH key"),
        ({"key": (io.BytesIO(b""), "")}, "A password or a private key is needed"),
        ({"known_hosts": "nonsense"}, "Line 1 is not one of a known_hosts file"),
        ({"install_dir": "relative"}, "Not an absolute path"),
    ],
)
def test_what_the_form_refuses(
    technician: Browser, sshd: Sshd, group: JumpGroup, changed: dict[str, object], said: str
) -> None:
    body = {
        "hosts": "web1",
        "login": "root",
        "key": (io.BytesIO(sshd.user_key.read_bytes()), "key"),
        "jump_group": f"shared:{group.id}",
        "jump_policy_id": "0",
        "session_policy_id": "0",
        "scope": "system",
        "startup": "",
        **changed,
    }
    answer = technician.post(FORM, FORM, **body)
    assert answer.status_code == 422
    assert said in answer.text


@pytest.mark.parametrize("username", ["auditor", "outsider"])
def test_others_are_refused(
    app: Flask, database: Database, people: People, group: JumpGroup, username: str
) -> None:
    number = begin(database, people.technician, group)
    other = Browser(app.test_client())
    other.sign_in(username)
    for path in (f"{FORM}/{number}", f"{FORM}?again={number}"):
        assert other.get(path).status_code in (403, 404)
    host = host_of(database, number).id
    for path in (f"{FORM}/{number}/cancel", f"{FORM}/{number}/hosts/{host}/accept"):
        answer = other.post(path, "/login/password", fingerprint="x")
        assert answer.status_code in (302, 403, 404)
    refused = other.post(
        FORM,
        "/login/password",
        hosts="web9",
        login="root",
        password="x",
        jump_group=f"shared:{group.id}",
        jump_policy_id="0",
        session_policy_id="0",
    )
    assert refused.status_code in (403, 422)
    with database.work(system_actor(), read_only=True) as work:
        assert len(work.session.scalars(select(PushHost)).all()) == 1
    assert host_of(database, number).accepted == ""
    assert other.client.post(FORM, base_url=BASE).status_code == 400


def test_the_files_of_known_hosts_are_not_the_servers_own() -> None:
    from tremplin_server.push.forms import SYSTEM_KNOWN_HOSTS

    assert (Path("/etc/ssh/ssh_known_hosts"),) == SYSTEM_KNOWN_HOSTS

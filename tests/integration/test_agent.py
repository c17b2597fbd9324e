"""The real agent and the real server: in, back again, and gone on both sides."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from tremplin_agent.codes import FAILURES, Code
from tremplin_agent.wire import KeyInfo

from tests.boxes import Box, box
from tests.integration.agent_site import Site, running_site
from tests.serving import until

pytestmark = pytest.mark.timeout(180)
LARGEST_RESIDENT_KIB = 40 * 1024
_numbers = count(1)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture
def place() -> Iterator[Box]:
    with box() as made:
        yield made


@pytest.fixture
def name() -> str:
    """A declared key of its own: all the tests' machines are this machine."""
    return f"host-{next(_numbers)}"


@pytest.fixture
def online(site: Site, place: Box, name: str) -> Box:
    """A box whose Jump Client is online."""
    done = place.install("--online-install", key_info=site.key_info(name))
    assert done.returncode == 0, done.stderr
    site.until_state(name, "online")
    return place


def state(place: Box) -> dict[str, object]:
    found: dict[str, object] = json.loads((place.directory / "var/state.json").read_text())
    return found


def test_it_comes_online_and_reports(site: Site, online: Box, name: str) -> None:
    def reported() -> dict[str, object]:
        record = site.record(name)
        return record if record.get("statistics") else {}

    record = until(reported, "statistics")
    assert record["id"] == state(online)["client_id"]
    assert record["install_dir"] == str(online.directory)
    assert record["run_as"] == online.user
    assert record["startup"] == "none"
    assert record["hostname"]
    assert not (online.directory / "var/key-info").exists()


def test_it_stays_small(online: Box) -> None:
    (agent,) = online.agents()
    status = Path(f"/proc/{agent}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    assert int(resident.split()[1]) <= LARGEST_RESIDENT_KIB


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_it_comes_back_when_the_server_does(site: Site, online: Box, name: str, end: str) -> None:
    getattr(site, end)()
    site.start()
    # Enrolled once, it is let in by its key alone.
    site.until_state(name, "online", seconds=10)


def test_a_killed_agent_is_seen_at_once_and_comes_back(site: Site, online: Box, name: str) -> None:
    online.script("stop")
    site.until_state(name, "offline", seconds=5)
    online.script("start")
    site.until_state(name, "online", seconds=10)


def test_deleted_while_online_it_removes_itself(site: Site, online: Box, name: str) -> None:
    site.delete(name)
    assert site.record(name) == {}
    online.until_gone()
    assert online.contents() == []
    until(lambda: not site.waits_for(name), "the confirmation")


def test_deleted_while_away_it_removes_itself_at_its_next_contact(
    site: Site, online: Box, name: str
) -> None:
    online.script("stop")
    site.delete(name)
    assert site.waits_for(name)
    online.script("start")
    online.until_gone()
    until(lambda: not site.waits_for(name), "the confirmation")


def test_ordered_to_uninstall_it_goes_and_the_record_says_so(
    site: Site, online: Box, name: str
) -> None:
    record = site.record(name)
    site.call("POST", f"/jump-client/{record['id']}/uninstall", {"reason": "test"})
    online.until_gone()
    site.until_state(name, "uninstalled")


def test_uninstalled_by_hand_the_record_says_so(site: Site, online: Box, name: str) -> None:
    done = online.uninstall()
    assert (done.returncode, done.stderr) == (0, "")
    assert online.contents() == []
    site.until_state(name, "uninstalled", seconds=5)


def test_uninstall_succeeds_without_the_server_and_says_so(
    site: Site, online: Box, name: str
) -> None:
    site.kill()
    try:
        done = online.uninstall()
        assert done.returncode == 0
        assert "the server could not be told" in done.stderr
        assert online.contents() == []
    finally:
        site.start()
    site.until_state(name, "offline")


def test_local_uninstall_does_not_tell(site: Site, online: Box, name: str) -> None:
    assert online.uninstall("--local").returncode == 0
    site.until_state(name, "offline")


def test_properties_reach_the_host(site: Site, online: Box, name: str) -> None:
    record = site.record(name)
    site.call("PATCH", f"/jump-client/{record['id']}", {"max_offline_minutes": 77})
    settings = online.directory / "var/settings.json"
    until(lambda: "77" in settings.read_text(), "the new limit")
    site.until_state(name, "online")


def test_the_local_switch_is_seen(site: Site, online: Box, name: str) -> None:
    for word, expected in (("disable", "disabled"), ("enable", "online")):
        assert online.agent(word).returncode == 0
        site.until_state(name, expected)


def test_a_copied_disk_does_not_take_the_place_of_the_original(
    site: Site, online: Box, name: str
) -> None:
    with box() as other:
        other.install(key_info=site.key_info(f"{name}-copy"))
        other.script("stop")
        shutil.rmtree(other.directory / "var")
        shutil.copytree(online.directory / "var", other.directory / "var")
        for path in (other.directory / "var", *(other.directory / "var").iterdir()):
            shutil.chown(path, other.user)
        (other.directory / "var/supervisor.pid").unlink(missing_ok=True)
        other.script("start")
        until(lambda: "clone_refused" in json.dumps(site.call("GET", "/audit")), "the refusal")
        assert site.record(name)["state"] == "online"
        assert len(online.agents()) == 1


def test_a_restored_old_disk_says_that_the_server_has_no_place_for_it(
    site: Site, online: Box, name: str
) -> None:
    """Who looks at such a host must see why its record is that of another installation."""
    assert state(online)["refused"] == ""
    with box() as rebuilt:
        assert rebuilt.install("--online-install", key_info=site.key_info(name)).returncode == 0
        site.until_state(name, "online")
        until(lambda: state(online)["refused"] == "enrol.key_replaced", "the refusal")
        assert json.loads(online.agent("status").stdout)["refused"] == "enrol.key_replaced"
        assert state(rebuilt)["refused"] == ""


# --- first starts that fail -------------------------------------------------------------


def _expired(site: Site, name: str) -> str:
    text = site.key_info(name)
    site.let_expire(name)
    return text


def _revoked(site: Site, name: str) -> str:
    text = site.key_info(name)
    number = KeyInfo.decode(text).installer_id
    found = site.call("GET", "/jump-client/installer")
    (record,) = [each for each in found if each["installer_id"] == number]
    site.call("POST", f"/jump-client/installer/{record['id']}/revoke")
    return text


def _foreign(site: Site, name: str) -> str:
    made = KeyInfo.decode(site.key_info(name))
    return KeyInfo(made.urls, b"x" * 32, made.installer_id, made.secret).encode()


FIRST_STARTS = [
    (_expired, [], Code.INSTALL_KEY_EXPIRED),
    (_revoked, [], Code.INSTALL_KEY_UNKNOWN),
    (_foreign, [], Code.INSTALL_SERVER_UNTRUSTED),
    (Site.key_info, ["--jc-tag", "mine"], Code.INSTALL_OVERRIDE_DENIED),
]


@pytest.mark.parametrize(("make", "words", "code"), FIRST_STARTS)
def test_an_online_installation_that_is_refused_leaves_nothing(
    site: Site, place: Box, name: str, make: object, words: list[str], code: Code
) -> None:
    done = place.install("--online-install", *words, key_info=make(site, name))  # type: ignore[operator]
    assert done.returncode == FAILURES[code].exit_status, done.stderr
    assert done.stderr.count("\n") == 1
    assert code.value in done.stderr
    assert [word for word in words if word.startswith("--") and word not in done.stderr] == []
    assert place.contents() == []
    assert site.record(name) == {}


@pytest.mark.parametrize(
    ("make", "words", "code"), [case for case in FIRST_STARTS if case[0] is not _foreign]
)
def test_a_first_start_that_is_refused_removes_the_installation(
    site: Site, place: Box, name: str, make: object, words: list[str], code: Code
) -> None:
    done = place.install(*words, key_info=make(site, name))  # type: ignore[operator]
    assert done.returncode == 0, done.stderr
    place.until_gone()
    assert place.contents() == []
    assert site.record(name) == {}


def test_a_use_too_many_is_refused(site: Site, place: Box, name: str) -> None:
    key_info = site.key_info(name, max_uses=1)
    assert place.install("--online-install", key_info=key_info).returncode == 0
    with box() as other:
        done = other.install("--online-install", key_info=key_info)
        assert done.returncode == FAILURES[Code.INSTALL_KEY_EXHAUSTED].exit_status
        assert other.contents() == []


def test_installing_again_after_a_cut_makes_no_second_record(
    site: Site, online: Box, name: str
) -> None:
    before = site.record(name)
    assert online.uninstall("--local").returncode == 0
    done = online.install("--online-install", key_info=site.key_info(name))
    assert done.returncode == 0, done.stderr
    after = site.until_state(name, "online")
    assert after["id"] == before["id"]

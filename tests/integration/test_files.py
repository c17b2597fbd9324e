"""A host's files through the pages: the real server, the real agent, and who may not."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from urllib.parse import quote, quote_from_bytes, urlencode

import psutil
import pytest
from tremplin_server.app import create_app
from tremplin_server.config import load
from tremplin_server.permissions import Role

from tests import personas
from tests.boxes import Box, box
from tests.console import Answer, Console
from tests.integration.agent_site import Site, running_site
from tests.serving import until

pytestmark = pytest.mark.timeout(300)
MIB = 1024 * 1024
LARGE = 192 * MIB
MEMORY = 48 * MIB
"""What a transfer may cost the server: blocks on their way, whatever the size."""

_numbers = count(1)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as made:
        personas.people(create_app(load(made.environment)).extensions["tremplin"])
        yield made


@pytest.fixture(scope="module")
def host(site: Site) -> Iterator[Box]:
    with box() as made:
        done = made.install("--online-install", key_info=site.key_info("host"))
        assert done.returncode == 0, done.stderr
        site.until_state("host", "online")
        yield made


@pytest.fixture(scope="module")
def root(site: Site, host: Box) -> str:
    """The address of the host's files."""
    return f"/console/clients/{site.record('host')['id']}/files/"


@pytest.fixture
def console(site: Site, root: str) -> Console:
    """An administrator who has opened the files."""
    console = Console.of(site, "administrator")
    assert console.post(root + "open", reason="tests").status == 200
    return console


@pytest.fixture
def place(host: Box) -> Path:
    """A directory of the agent's user."""
    made = host.home / f"files-{next(_numbers)}"
    made.mkdir()
    _give(host, made)
    return made


def _give(host: Box, path: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(path, host.user)


def travelling(path: Path | bytes) -> str:
    """Return a path as it stands in a query: percent-encoded, then encoded for the query."""
    return quote_from_bytes(os.fsencode(path), safe="/")


def at(root: str, view: str, path: Path | bytes, **more: str) -> str:
    return f"{root}{view}?{urlencode({'path': travelling(path), **more})}"


def put(console: Console, root: str, path: Path, body: bytes, overwrite: str = "0") -> Answer:
    return console.ask("PUT", at(root, "content", path, overwrite=overwrite), body)


# --- what it does -----------------------------------------------------------------------


def test_a_listing_tells_everything(console: Console, root: str, place: Path) -> None:
    (place / "file").write_bytes(b"12345")
    (place / "dir").mkdir()
    (place / "to dir").symlink_to("dir")
    (place / "to nothing").symlink_to("nowhere")
    (place / os.fsdecode(b"\xff\xfe")).write_bytes(b"odd")
    os.mkfifo(place / "pipe")
    listing = console.get(at(root, "list", place)).json
    assert listing["path"] == str(place)
    found = {entry["name"]: entry for entry in listing["entries"]}
    assert found["file"]["size"] == 5
    assert found["file"]["kind"] == "file"
    assert found["file"]["mode"].startswith("-rw")
    assert found["dir"]["kind"] == "directory"
    assert (found["to dir"]["kind"], found["to dir"]["leads_to"]) == ("link", "directory")
    assert "leads_to" not in found["to nothing"]
    assert found["pipe"]["kind"] == "other"
    odd = next(entry for entry in listing["entries"] if entry["path"].endswith("%FF%FE"))
    again = console.get(f"{root}content?{urlencode({'path': odd['path']})}")
    assert again.body == b"odd"


def test_up_and_down(console: Console, root: str, place: Path) -> None:
    content = random.Random(1).randbytes(5 * MIB + 13)
    path = place / "été 50% #1?.bin"
    assert put(console, root, path, content).json["size"] == len(content)
    assert path.read_bytes() == content
    got = console.get(at(root, "content", path))
    assert got.body == content
    assert got.headers["content-disposition"].endswith(f"filename*=UTF-8''{quote(path.name)}")
    assert got.headers["content-type"] == "application/octet-stream"
    assert "default-src 'none'" in got.headers["content-security-policy"]
    assert put(console, root, place / "empty", b"").status == 200
    assert console.get(at(root, "content", place / "empty")).body == b""


def test_a_file_that_is_there_is_replaced_only_when_that_is_said(
    console: Console, root: str, place: Path
) -> None:
    path = place / "script"
    put(console, root, path, b"old")
    path.chmod(0o750)
    refused = put(console, root, path, b"new")
    assert (refused.status, refused.code) == (409, "files.exists")
    assert path.read_bytes() == b"old"
    assert put(console, root, path, b"new", overwrite="1").status == 200
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o750


def test_parts_of_a_file(console: Console, root: str, place: Path) -> None:
    content = random.Random(2).randbytes(3 * MIB)
    put(console, root, place / "file", content)
    address = at(root, "content", place / "file")
    for asked, start, end in (
        ("bytes=100-199", 100, 200),
        (f"bytes={2 * MIB}-", 2 * MIB, len(content)),
        ("bytes=-500", len(content) - 500, len(content)),
    ):
        got = console.get(address, Range=asked)
        assert got.status == 206
        assert got.body == content[start:end]
        assert got.headers["content-range"] == f"bytes {start}-{end - 1}/{len(content)}"
    assert console.get(address, Range=f"bytes={len(content)}-").status == 416
    assert console.get(address, Range="bytes=0-99", If_Range='"another"').status == 200
    etag = console.ask("HEAD", address).headers["etag"]
    assert console.get(address, Range="bytes=0-99", If_Range=etag).status == 206


def test_files_whose_size_says_nothing(console: Console, root: str) -> None:
    assert b"MemTotal" in console.get(at(root, "content", b"/proc/meminfo")).body


def test_directories_names_and_the_end_of_things(console: Console, root: str, place: Path) -> None:
    def path(name: str) -> str:
        return travelling(place / name)

    assert console.post(root + "mkdir", path=path("a")).status == 200
    assert console.post(root + "mkdir", path=path("a")).code == "files.exists"
    put(console, root, place / "a" / "x", b"1")
    (place / "outside").mkdir()
    (place / "outside" / "kept").touch()
    (place / "a" / "link").symlink_to(place / "outside")
    _give_all(place)
    assert console.post(root + "rename", path=path("a"), target=path("b")).status == 200
    assert console.post(root + "rename", path=path("b"), target=path("outside")).status == 409
    assert console.post(root + "rename", path=path("none"), target=path("c")).code == (
        "files.missing"
    )
    assert console.post(root + "delete", path=path("b")).status == 200
    assert sorted(entry.name for entry in place.iterdir()) == ["outside"]
    assert (place / "outside" / "kept").exists()
    assert console.post(root + "delete", path=path("b")).code == "files.missing"


def _give_all(place: Path) -> None:
    owner = place.stat()
    for found in place.rglob("*"):
        os.chown(found, owner.st_uid, owner.st_gid, follow_symlinks=False)


def test_what_the_host_does_not_allow(console: Console, root: str, place: Path) -> None:
    assert console.get(at(root, "list", place / "none")).code == "files.missing"
    assert console.get(at(root, "content", place)).code == "files.not_a_file"
    assert console.get(at(root, "content", b"/dev/zero")).code == "files.not_a_file"
    if os.geteuid() == 0:
        assert console.get(at(root, "content", b"/etc/shadow")).code == "files.denied"
        assert put(console, root, Path("/etc/tremplin-test"), b"x").code == "files.denied"
    french = console.get(at(root, "list", place / "none"), Accept_Language="fr")
    assert french.json["message"].startswith("il n'y a ni fichier")


@pytest.mark.parametrize("path", ["", "relative", "/nul%00", "/" + "x" * 256])
def test_paths_that_are_none(console: Console, root: str, path: str) -> None:
    answer = console.get(f"{root}content?{urlencode({'path': path})}")
    assert (answer.status, answer.code) == (422, "request.invalid")


def test_what_is_done_is_audited(site: Site, console: Console, root: str, place: Path) -> None:
    put(console, root, place / "audited", b"12")
    console.get(at(root, "content", place / "audited"))
    console.post(root + "delete", path=travelling(place / "audited"))
    events = site.call("GET", "/audit?per_page=100")
    told = [e for e in events if e["detail"].get("path") == str(place / "audited")]
    assert [e["action"] for e in told] == ["file.deleted", "file.downloaded", "file.uploaded"]
    assert all(e["actor_name"] == "administrator" and e["detail"]["session_id"] for e in told)


# --- large, slow, broken ----------------------------------------------------------------


def worker(site: Site) -> psutil.Process:
    """Return the process of the server that does the work."""
    return psutil.Process(site.pid).children()[0]


def _blocks(size: int) -> Iterator[bytes]:
    block = random.Random(3).randbytes(MIB)
    for _number in range(size // MIB):
        yield block


def test_memory_does_not_grow_with_a_file(
    site: Site, console: Console, root: str, place: Path
) -> None:
    put(console, root, place / "first", b"so that everything is loaded")
    process = worker(site)
    before, highest = process.memory_info().rss, 0
    stop = threading.Event()

    def watch() -> None:
        nonlocal highest
        while not stop.wait(0.05):
            highest = max(highest, process.memory_info().rss)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        address = at(root, "content", place / "large")
        length = {"Content-Length": str(LARGE)}
        connection, answer = console.begin("PUT", address, _blocks(LARGE), length)
        told = answer.read()
        assert answer.status == 200, told
        answer.close()
        connection.close()
        connection, answer = console.begin("GET", address)
        digest = hashlib.sha256()
        while data := answer.read(MIB):
            digest.update(data)
        answer.close()
        connection.close()
    finally:
        stop.set()
        watching.join()
    wanted = hashlib.sha256()
    for block in _blocks(LARGE):
        wanted.update(block)
    assert digest.digest() == wanted.digest()
    assert highest - before < MEMORY


def test_whoever_reads_slowly_costs_nothing(
    site: Site, console: Console, root: str, place: Path
) -> None:
    with (place / "large").open("wb") as file:
        file.truncate(4 * 1024 * MIB)
    (place / "large").chmod(0o644)
    process = worker(site)
    before = process.memory_info().rss
    stalled = [console.begin("GET", at(root, "content", place / "large")) for _ in range(4)]
    # More than all threads of the server together could serve if each held one.
    for _number in range(30):
        assert console.get(at(root, "list", place)).status == 200
    assert process.memory_info().rss - before < MEMORY
    for connection, answer in stalled:
        answer.close()
        connection.close()

    def rests() -> bool:
        before = process.io_counters().read_chars
        for _number in range(20):
            assert console.get(at(root, "list", place)).status == 200
        return bool(process.io_counters().read_chars - before < 8 * MIB)

    # Nobody reads on from the host for a browser that has gone.
    until(rests, "the reading to stop", 20)


def test_an_upload_that_breaks_leaves_nothing(console: Console, root: str, place: Path) -> None:
    length = {"Content-Length": str(8 * MIB)}

    def half() -> Iterator[bytes]:
        yield bytes(4 * MIB)
        until(lambda: list(place.iterdir()), "the beginning of the file", 10)
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        console.begin("PUT", at(root, "content", place / "half"), half(), length)
    until(lambda: not list(place.iterdir()), "what was written to go", 10)


def test_a_session_that_was_ended_is_not_begun_again_by_itself(
    site: Site, console: Console, root: str, place: Path
) -> None:
    session = console.get(at(root, "list", place)).json["session_id"]
    site.call("POST", f"/session/{session}/end", {"reason": "enough"})

    def over() -> bool:
        return site.call("GET", f"/session/{session}")["state"] == "ended"

    until(over, "its end", 10)
    refused = until(
        lambda: next((a for a in [console.get(at(root, "list", place))] if a.status != 200), None),
        "the refusal",
        10,
    )
    assert refused.code == "session.stopped"
    again = console.post(root + "open", reason="anew")
    assert again.json["session_id"] != session


def test_one_session_serves_many_requests(
    site: Site, console: Console, root: str, place: Path
) -> None:
    sessions = {console.get(at(root, "list", place)).json["session_id"] for _ in range(3)}
    assert len(sessions) == 1
    told = site.call("GET", f"/session/{sessions.pop()}")
    assert (told["front"], told["capabilities"], told["user"]) == (
        "files",
        ["sftp"],
        "administrator",
    )
    assert console.post(root + "close").status == 200
    assert console.get(at(root, "list", place)).code == "files.closed"


# --- who may not ------------------------------------------------------------------------


def test_nobody_else_gets_near(site: Site, host: Box, root: str, place: Path) -> None:
    stranger = Console(site)
    assert stranger.get(at(root, "list", place)).status == 302
    outsider = Console.of(site, "outsider")
    assert outsider.post(root + "open").code == "client.missing"
    assert outsider.get(at(root, "content", b"/etc/hostname")).code == "client.missing"
    auditor = Console.of(site, "auditor")
    assert auditor.post(root + "open").code == "auth.denied"


def test_another_site_cannot_ask_for_somebody(console: Console, root: str, place: Path) -> None:
    address = at(root, "content", b"/etc/hostname")
    assert console.get(address, Sec_Fetch_Site="cross-site").status == 403
    console.token = "wrong"
    assert console.post(root + "mkdir", path=travelling(place / "x")).status == 400
    assert put(console, root, place / "x", b"x").status == 400
    assert not list(place.iterdir())


def test_files_must_be_opened_first(site: Site, root: str, place: Path) -> None:
    console = Console.of(site, "administrator")
    refused = console.get(at(root, "list", place))
    assert (refused.status, refused.code) == (409, "files.closed")


def test_a_right_that_was_taken_away_counts_at_once(site: Site, root: str, place: Path) -> None:
    database = create_app(load(site.environment)).extensions["tremplin"]
    user = personas.add_user(database, "leaver", Role.TECHNICIAN)
    group = site.group()
    site.made(f"/jump-group/{group}/user", {"user_id": user.id})
    leaver = Console.of(site, "leaver")
    assert leaver.post(root + "open").status == 200
    site.call("DELETE", f"/jump-group/{group}/user/{user.id}")
    assert leaver.get(at(root, "list", place)).code == "client.missing"

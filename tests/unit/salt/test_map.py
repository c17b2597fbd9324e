"""The parameters as they come out for every kind of host, rendered by Salt itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.salt_calls import Minion

HOSTS: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "Debian on amd64": (
        {"os_family": "Debian", "osarch": "amd64"}, {"platform": "linux-64", "supported": True}),
    "Debian on arm64": (
        {"os_family": "Debian", "osarch": "arm64"}, {"platform": "linux-arm64"}),
    "RedHat on x86_64": (
        {"os_family": "RedHat", "os": "Rocky", "osarch": "x86_64"}, {"platform": "linux-64"}),
    "RedHat on aarch64": (
        {"os_family": "RedHat", "os": "Rocky", "osarch": "aarch64"},
        {"platform": "linux-arm64"}),
    "Suse": ({"os_family": "Suse", "osarch": "x86_64"}, {"supported": True}),
    "Arch": ({"os_family": "Arch", "osarch": "x86_64"}, {"supported": True}),
    "Debian on i386": ({"os_family": "Debian", "osarch": "i386"}, {"supported": False}),
    "Alpine": ({"os_family": "Alpine", "osarch": "x86_64"}, {"supported": False}),
    "MacOS": ({"os_family": "MacOS", "osarch": "x86_64"}, {"supported": False}),
    "FreeBSD": ({"os_family": "FreeBSD", "osarch": "amd64"}, {"supported": False}),
    "Windows": (
        {"os_family": "Windows", "osarch": "AMD64", "kernel": "Windows"}, {"supported": True}),
}  # fmt: skip
PILLAR = {"jc_tag": "web", "scope": "system", "record": {"pinned_forever": True}}
SHOW = """
{%- from tpldir ~ "/map.jinja" import mapdata with context %}
shown:
  test.nop:
    - mapdata: {{ mapdata | json }}
"""


def shown(minion: Minion) -> Any:
    """Return the parameters as the states of the formula see them."""
    place = minion.directory / "states" / "tremplin"
    place.mkdir(parents=True, exist_ok=True)
    (place / "show.sls").write_text(SHOW)
    call = minion.call("state.show_low_sls", "tremplin.show")
    assert call.answer, call.output
    return call.answer[0]["mapdata"]


@pytest.mark.parametrize("host", HOSTS)
def test_the_map(tmp_path: Path, host: str) -> None:
    grains, wanted = HOSTS[host]
    minion = Minion(tmp_path, "web1", PILLAR, grains)
    found = shown(minion)
    assert found == found | wanted
    assert (found["jc_tag"], found["scope"], found["startup"]) == ("web", "system", "auto")
    assert found["record"] == {"pinned_forever": True}


def test_where_parameters_come_from_can_be_chosen(tmp_path: Path) -> None:
    own = {"map_jinja": {"sources": ["Y:G@os_family", "Y:G@roles", "G@tremplin"]}}
    grains = {"os_family": "Debian", "roles": ["kiosk"], "tremplin": {"jc_tag": "grain"}}
    minion = Minion(tmp_path, "web1", {"jc_tag": "pillar", **own}, grains)
    place = minion.directory / "states" / "tremplin" / "parameters" / "roles"
    place.mkdir(parents=True)
    (place / "kiosk.yaml").write_text("values: {jc_comments: kiosk}\n")
    found = shown(minion)
    assert (found["jc_tag"], found["jc_comments"]) == ("grain", "kiosk")
    assert "platform" not in found, "osarch was left out"


STATES: dict[str, tuple[dict[str, str], dict[str, list[str]]]] = {
    "Linux": ({}, {
        "tremplin": ["tremplin.jump_client_installed", "tremplin.jump_client_running",
                     "tremplin.record_present"],
        "tremplin.clean": ["tremplin.jump_client_absent", "tremplin.record_absent"],
        "tremplin.service.clean": ["tremplin.jump_client_dead"]}),
    "Windows": ({"os_family": "Windows", "kernel": "Windows"}, {
        "tremplin": ["pkg.installed", "tremplin.record_present"],
        "tremplin.package.clean": ["pkg.removed"]}),
    "i386": ({"osarch": "i386"}, {
        "tremplin": ["test.fail_without_changes"], "tremplin.clean": []}),
}  # fmt: skip


@pytest.mark.parametrize("host", STATES)
def test_the_states(tmp_path: Path, host: str) -> None:
    grains, wanted = STATES[host]
    base = {"os_family": "Debian", "osarch": "amd64"}
    pillar = PILLAR | {"api": {"client_id": "x"}}
    minion = Minion(tmp_path, "web1", pillar, base | grains)
    for part, functions in wanted.items():
        low = minion.call("state.show_low_sls", part).answer or []
        assert [f"{item['state']}.{item['fun']}" for item in low] == functions, part


def test_a_file_of_ones_own_comes_first(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    pillar = {"config": {"ca": "from the pillar", "ca_file": str(ca)}}
    minion = Minion(tmp_path, "web1", pillar)
    minion.done("tremplin.config")
    assert ca.read_text() == "from the pillar\n"
    place = minion.directory / "states" / "tremplin" / "files" / "web1"
    place.mkdir(parents=True)
    (place / "ca.pem.jinja").write_text("from a file of web1's\n")
    assert minion.done("tremplin.config").changed() == ["tremplin-config-file"]
    assert ca.read_text() == "from a file of web1's\n"
    minion.done("tremplin.config.clean")
    assert not ca.exists()

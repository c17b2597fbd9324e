"""What a minion may ask of its master, and what it may not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Loader = Callable[..., ModuleType]


class Refused(Exception):
    pass


@pytest.fixture
def runner(loaded: Loader, tmp_path: Path) -> ModuleType:
    records = {7: "web1", 8: "web2", 9: ""}
    utils = {
        "tremplin.failure": Refused,
        "tremplin.do": lambda client, deed, ids: [{"external_id": records[i]} for i in ids],
    }
    module = loaded("_runners/tremplin.py", utils=utils, opts={"pki_dir": str(tmp_path)})
    module.declared_key = {"web1": "web1", "minion2": "web2"}.get
    return module


ALLOWED: list[tuple[str, str, dict[str, Any]]] = [
    ("web1", "look", {"external_id": "web1"}),
    ("minion2", "look", {"external_id": "web2"}),
    ("web1", "strangers", {"ids": [1]}),
    ("web1", "payload", {"platform": "linux-64"}),
    ("web1", "delete", {"id": 7, "reason": "r", "confirm_gone": True}),
]
FORBIDDEN: list[tuple[str, str, dict[str, Any]]] = [
    ("web1", "look", {"external_id": "web2"}),
    ("web1", "make_key", {"external_id": "web2", "platform": "linux-64", "properties": {}}),
    ("web1", "change", {"id": 8, "properties": {}}),
    ("web1", "change", {"properties": {}}),
    ("web1", "drift", {"external_ids": []}),
    ("web1", "delete", {"name": "x", "reason": "r"}),
    ("web1", "payload", {"platform": "../../etc"}),
    ("web1", "__class__", {}),
]


@pytest.mark.parametrize(("minion", "deed", "arguments"), ALLOWED)
def test_allowed(runner: ModuleType, minion: str, deed: str, arguments: dict[str, Any]) -> None:
    runner._check_allowed(minion, deed, arguments)


@pytest.mark.parametrize(("minion", "deed", "arguments"), FORBIDDEN)
def test_forbidden(runner: ModuleType, minion: str, deed: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        runner._check_allowed(minion, deed, arguments)


def test_a_record_of_another_machine_stays(runner: ModuleType) -> None:
    runner._check_own("web1", None, {"id": 7})
    runner._check_own("web1", None, {"id": 9})
    with pytest.raises(Refused, match="that of another machine"):
        runner._check_own("web1", None, {"id": 8})


def test_a_key_is_short_lived_whatever_is_asked(runner: ModuleType) -> None:
    arguments = {"external_id": "web1", "minutes": 525600}
    runner._check_allowed("web1", "make_key", arguments)
    assert arguments["minutes"] == runner.LONGEST_KEY_MINUTES


@pytest.mark.parametrize("minion", ["../master", "", "a/b", "nobody"])
def test_a_minion_without_an_accepted_key_is_nobody(runner: ModuleType, minion: str) -> None:
    with pytest.raises(Refused, match="has not accepted"):
        runner._public_key(minion)

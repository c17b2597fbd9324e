"""The role on Windows hosts: what is read there becomes a survey, and a survey a plan."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tremplin.jump.plugins.module_utils import plan, windows

sys.path.insert(0, str(Path(__file__).parents[3] / "msi"))
import package

CODE = windows.product_code("0.1.0")
WANTED = {"online_install": True, "jc_external_id": "win1", "jc_tag": "servers"}
RECORD = {"id": 7, "external_id": "win1", "state": "online", "install_dir": "C:\\x"}


def slurped(body: object) -> dict[str, str]:
    return {"content": base64.b64encode(json.dumps(body).encode()).decode()}


def host(
    client_id: int | None = 7, state: str = "started", directory: str = "C:\\x\\", wanted: str = "",
    exists: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Return a survey of a host; without a client id nothing is installed."""
    values = {"ProductCode": CODE, "Version": "0.1.0", "InstallDir": directory}
    registry = {"properties": {k: {"value": v} for k, v in values.items()}} if client_id else {}
    return windows.survey(
        registry,
        slurped({"complete": True, "scope": "system", "user": "SYSTEM", "startup": "service"}),
        slurped({"client_id": client_id, "phase": "enrolled"}),
        [{"state": state}],
        wanted,
        exists,
    )


def test_a_host_in_step_needs_nothing() -> None:
    assert plan.present(host(), RECORD, WANTED)["action"] == plan.NOTHING


def test_a_clean_host_is_installed() -> None:
    decided = plan.present(host(None), None, WANTED)
    assert (decided["action"], decided["uninstall"]) == (plan.INSTALL, [])
    assert decided["directory"] == windows.DEFAULT_DIRECTORY


def test_a_stopped_service_is_started() -> None:
    assert plan.present(host(state="stopped"), RECORD, WANTED)["action"] == plan.START


def test_another_directory_reinstalls_on_the_host_alone() -> None:
    wanted = {**WANTED, "install_dir": "D:\\y"}
    decided = plan.present(host(wanted="D:\\y"), RECORD, wanted)
    assert decided["action"] == plan.REINSTALL
    assert decided["uninstall"] == [{"directory": "C:\\x", "local": True}]
    assert decided["directory"] == "D:\\y"


def test_somebody_elses_directory_is_refused() -> None:
    found = host(None, wanted="C:\\theirs", exists=True)
    with pytest.raises(plan.PlanError, match="holds no Jump Client"):
        plan.present(found, None, {**WANTED, "install_dir": "C:\\theirs"})


def test_absent_takes_both_halves() -> None:
    decided = plan.absent(host(), RECORD, {})
    assert (decided["action"], decided["records"]) == (plan.REMOVE, [7])
    assert decided["uninstall"] == [{"directory": "C:\\x", "local": False}]
    assert plan.absent(host(None), None, {})["action"] == plan.NOTHING


def test_damaged_facts_are_an_incomplete_installation() -> None:
    registry = {"properties": {"InstallDir": {"value": "C:\\x"}, "ProductCode": {"value": CODE}}}
    found = windows.survey(registry, {"content": "e30"}, {"msg": "no such file"}, [], "", False)
    [installation] = found["installations"]
    assert (installation["complete"], installation["running"]) == (False, False)
    assert plan.present(found, RECORD, WANTED)["action"] == plan.REINSTALL


def test_properties_of_the_msi() -> None:
    given = {**WANTED, "jc_ephemeral": True, "jc_comments": 'say "so"'}
    assert plan.properties(given, "C:\\a b", own_key=False) == [
        'INSTALLDIR="C:\\a b"',
        'ONLINE_INSTALL="1"',
    ]
    assert plan.properties(given, "C:\\a b", own_key=True)[2:] == [
        'JC_TAG="servers"',
        'JC_COMMENTS="say ""so"""',
        'JC_EXTERNAL_ID="win1"',
        'JC_EPHEMERAL="1"',
    ]


@pytest.mark.parametrize(
    ("installed", "offered", "step"),
    [
        ("", "0.1.0", "same"),
        ("0.1.0", "", "same"),
        ("0.1.0", "0.1.0", "same"),
        ("0.9.0", "0.10.0", "upgrade"),
    ],
)
def test_versions(installed: str, offered: str, step: str) -> None:
    assert windows.step(installed, offered, downgrade=False) == step


def test_nobody_goes_back_by_accident() -> None:
    assert windows.step("0.10.0", "0.9.0", downgrade=True) == "downgrade"
    with pytest.raises(windows.VersionError, match="tremplin_allow_downgrade"):
        windows.step("0.10.0", "0.9.0", downgrade=False)


def test_product_codes_are_those_of_the_msi() -> None:
    assert windows.product_code("1.2.3") == f"{{{package.product_code('1.2.3')}}}"

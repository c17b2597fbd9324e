"""The role's variables against the one table of installer parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tremplin_agent.parameters import PARAMETERS, Kind, Parameter

COLLECTION = Path(__file__).parents[2] / "ansible_collection"
ROLE = COLLECTION / "roles" / "jump_client"
SPECS: dict[str, Any] = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())
OPTIONS: dict[str, dict[str, Any]] = SPECS["argument_specs"]["main"]["options"]
DEFAULTS: dict[str, Any] = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
README = (ROLE / "README.md").read_text()
TYPES = {Kind.INTEGER: "int", Kind.SWITCH: "bool"}


def option(parameter: Parameter) -> dict[str, Any]:
    return OPTIONS["tremplin_" + parameter.name]


def description(option: dict[str, Any]) -> str:
    text = option["description"]
    return " ".join(text) if isinstance(text, list) else text


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.name)
def test_every_parameter_is_a_variable_of_the_role(parameter: Parameter) -> None:
    spec = option(parameter)
    assert spec["type"] == TYPES.get(parameter.kind, "str")
    assert spec.get("choices", []) == list(parameter.choices)
    if parameter.limit:
        assert f"{parameter.limit}" in description(spec), "the limit is in the description"
    assert f"`tremplin_{parameter.name}`" in README


def test_the_role_knows_no_parameter_that_the_table_lacks() -> None:
    own = {
        "tremplin_state",
        "tremplin_allow_downgrade",
        "tremplin_allow_reboot",
        "tremplin_connection_type",
        "tremplin_key_minutes",
        "tremplin_wait_timeout",
        "tremplin_reason",
        "tremplin_cache_dir",
    }
    named = {"tremplin_" + parameter.name for parameter in PARAMETERS}
    api = {name for name in OPTIONS if name.startswith("tremplin_api_")}
    assert set(OPTIONS) == own | named | api


def test_defaults_are_those_that_the_specification_tells() -> None:
    told = {name: spec["default"] for name, spec in OPTIONS.items() if "default" in spec}
    assert told == DEFAULTS


def test_every_given_parameter_reaches_the_plan() -> None:
    wanted = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["tremplin_wanted"]
    assert set(wanted) == {p.name for p in PARAMETERS if not p.secret}
    for name, template in wanted.items():
        assert f"tremplin_{name} " in template

"""The definition for Salt's package manager on Windows, rendered as a minion renders it."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from tremplin_agent import __version__

CHECKOUT = Path(__file__).parents[3]
SOURCE = CHECKOUT / "salt_formula/winrepo/tremplin-jump-client.sls"

sys.path.insert(0, str(CHECKOUT / "msi"))
import package  # noqa: E402


def rendered(pillar: dict[str, Any]) -> dict[str, Any]:
    """Return the one version of the one package. pillar: what is below `tremplin`."""
    values = {"tremplin": pillar}
    environment = jinja2.Environment(extensions=["jinja2.ext.do"], autoescape=False)
    environment.filters["json"] = json.dumps
    text = environment.from_string(SOURCE.read_text("utf-8")).render(
        salt={"pillar.get": lambda key, default: values.get(key, default)},
        grains={"id": "desk7"},
    )
    found = yaml.safe_load(text)
    assert list(found) == ["tremplin-jump-client"]
    versions: dict[str, dict[str, Any]] = found["tremplin-jump-client"]
    assert list(versions) == [__version__]
    return versions[__version__]


def properties(flags: str) -> dict[str, str]:
    """Return the properties of a line, as msiexec reads them: quotes are doubled."""
    found = re.findall(r'([A-Z_]+)="((?:[^"]|"")*)"', flags)
    return {name: value.replace('""', '"') for name, value in found}


def test_it_names_the_msi_as_windows_lists_it() -> None:
    made = rendered({})
    assert made["full_name"] == package.NAME
    assert made["msiexec"] is True
    assert made["installer"].endswith("/tremplin-scc-win64.msi")
    assert made["install_flags"].startswith("/qn /norestart ")


def test_the_declared_key_is_the_minions() -> None:
    assert properties(rendered({})["install_flags"]) == {"JC_EXTERNAL_ID": "desk7"}
    given = properties(rendered({"jc_external_id": "asset 9"})["install_flags"])
    assert given == {"JC_EXTERNAL_ID": "asset 9"}


@pytest.mark.parametrize(
    ("pillar", "name", "value"),
    [
        ({"jc_comments": 'so & "done": 100%'}, "JC_COMMENTS", 'so & "done": 100%'),
        ({"jc_tag": "été à l'œuvre"}, "JC_TAG", "été à l'œuvre"),
        ({"jc_max_offline_minutes": 0}, "JC_MAX_OFFLINE_MINUTES", "0"),
        ({"jc_ephemeral": True}, "JC_EPHEMERAL", "1"),
        ({"online_install": False}, "ONLINE_INSTALL", "0"),
        ({"install_dir": r"C:\a b\c"}, "INSTALLDIR", r"C:\a b\c"),
        ({"key_info": "abc_-9"}, "KEY_INFO", "abc_-9"),
        ({"jc_tag": ""}, "JC_TAG", None),
    ],
)
def test_values_reach_the_msi(pillar: dict[str, Any], name: str, value: str | None) -> None:
    assert properties(rendered(pillar)["install_flags"]).get(name) == value

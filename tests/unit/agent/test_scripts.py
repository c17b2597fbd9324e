"""The shell scripts: rendered with odd facts they are still shell, and clean."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tremplin_agent.core.lifecycle import REMOVAL_EXIT_STATUS
from tremplin_agent.installation import Installation
from tremplin_agent.installer import scripts

TEMPLATES = Path(scripts.__file__).parent
FACTS = Installation(
    install_dir='/srv/o\'dd $(dir) "x"',
    user="tremplin-jc",
    scope="system",
    startup="sysv",
    name="tremplin-jump-client-01234567",
    platform="linux-64",
    installed_by="root",
)


@pytest.mark.parametrize("template", ["init-script.sh", "uninstall.sh"])
def test_facts_reach_the_shell_unharmed(template: str, tmp_path: Path) -> None:
    text = scripts.render(template, FACTS)
    assignments = text[text.index("NAME=") : text.index("forget_parents()")]
    program = assignments + '\nprintf \'%s|%s|%s\' "$DIR" "$RUN_AS" "$ACCOUNT"'
    shown = subprocess.run(["sh", "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout == f"{FACTS.install_dir}|tremplin-jc|tremplin-jc"
    path = tmp_path / "script"
    path.write_text(text)
    subprocess.run(["sh", "-n", str(path)], check=True)


def test_an_account_that_was_there_before_is_not_ours() -> None:
    assert "ACCOUNT=''" in scripts.facts(replace(FACTS, user="deploy"))
    assert "ACCOUNT=''" in scripts.facts(replace(FACTS, installed_by="user"))


def test_the_removal_status_is_one_and_the_same() -> None:
    text = (TEMPLATES / "init-script.sh").read_text()
    assert f"REMOVE_ME={REMOVAL_EXIT_STATUS}\n" in text


@pytest.mark.parametrize("template", sorted(path.name for path in TEMPLATES.glob("*.sh")))
def test_shellcheck_finds_nothing(template: str) -> None:
    checker = Path(sys.executable).with_name("shellcheck")
    found = subprocess.run(
        [str(checker), str(TEMPLATES / template)], capture_output=True, text=True, check=False
    )
    assert found.stdout == ""


@pytest.mark.parametrize("template", sorted(path.name for path in TEMPLATES.glob("*.sh")))
def test_no_bashism(template: str) -> None:
    text = (TEMPLATES / template).read_text()
    assert text.startswith("#!/bin/sh\n")
    assert not re.search(r"\[\[|\blocal [a-z]|\bfunction\b", text)

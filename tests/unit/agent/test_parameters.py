"""The table of installer parameters: its rules, and every bad value of every parameter."""

from __future__ import annotations

from typing import Any

import pytest
from tremplin_agent.codes import FAILURES, Code
from tremplin_agent.installer.arguments import parse
from tremplin_agent.parameters import BY_NAME, OVERRIDES, PARAMETERS, Kind, check
from tremplin_agent.refusal import Refusal

BAD_VALUES: list[tuple[str, str]] = [
    ("install_dir", ""),
    ("install_dir", "a\nb"),
    ("user", ""),
    ("user", "u" * 33),
    ("jc_jump_group", "g" * 256),
    ("jc_tag", "t" * 65),
    ("jc_tag", "bell\a"),
    ("jc_comments", "c" * 1025),
    ("jc_comments", "nul\0"),
    ("jc_name", "n" * 129),
    ("jc_name", " "),
    ("jc_external_id", ""),
    ("jc_external_id", "e" * 256),
    ("jc_jump_policy", "with space"),
    ("jc_session_policy", "p" * 65),
    ("jc_max_offline_minutes", "-1"),
    ("jc_max_offline_minutes", "soon"),
    ("jc_max_offline_minutes", "2147483648"),
    ("jc_ephemeral", "perhaps"),
    ("key_info", "k" * 4097),
    ("online_install", "maybe"),
    ("scope", "world"),
    ("startup", "upstart"),
]


def test_every_parameter_has_a_bad_value() -> None:
    assert {name for name, _ in BAD_VALUES} == set(BY_NAME)


@pytest.mark.parametrize(("name", "value"), BAD_VALUES)
def test_a_bad_value_is_refused_without_being_repeated(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        check(BY_NAME[name], value)
    if len(value) > 4:
        assert value not in str(caught.value)


@pytest.mark.parametrize(("name", "value"), BAD_VALUES)
@pytest.mark.parametrize("joined", [True, False])
def test_the_command_line_names_the_parameter(name: str, value: str, joined: bool) -> None:
    flag = BY_NAME[name].flag
    words = [f"{flag}={value}"] if joined else [flag, value]
    with pytest.raises(Refusal) as caught:
        parse(words, "x.bin", "linux-64")
    if caught.value.code is Code.INSTALL_BAD_VALUE:
        assert caught.value.parameters["parameter"] == flag
    else:
        assert caught.value.code is Code.INSTALL_USAGE


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ([], {}),
        (["--jc-tag", "web"], {"jc_tag": "web"}),
        (["--jc-tag=web"], {"jc_tag": "web"}),
        (["--jc-comments", "a b\nc"], {"jc_comments": "a b\nc"}),
        (["--jc-ephemeral"], {"jc_ephemeral": True}),
        (["--jc-ephemeral=no"], {}),
        (["--online-install", "--scope", "system"], {"online_install": True, "scope": "system"}),
        (["--jc-max-offline-minutes", "90"], {"jc_max_offline_minutes": 90}),
    ],
)
def test_what_is_given_is_read(words: list[str], given: dict[str, Any]) -> None:
    assert parse(words, "x.bin", "linux-64").given == given


@pytest.mark.parametrize(
    "words", [["--bogus"], ["word"], ["--jc-tag"], ["--jc-ta", "x"], ["--quiet=1"]]
)
def test_what_cannot_be_read_is_a_usage_error(words: list[str]) -> None:
    with pytest.raises(Refusal) as caught:
        parse(words, "x.bin", "linux-64")
    assert caught.value.code is Code.INSTALL_USAGE


def test_names_follow_the_rules() -> None:
    for parameter in PARAMETERS:
        assert parameter.flag == "--" + parameter.name.replace("_", "-")
        expected = "INSTALLDIR" if parameter.name == "install_dir" else parameter.name.upper()
        assert parameter.msi_property == expected
        assert parameter.help.endswith(".")
        assert bool(parameter.choices) == (parameter.kind is Kind.CHOICE)
    assert all(parameter.name.startswith("jc_") for parameter in OVERRIDES.values())


def test_every_failure_has_an_exit_status_of_its_own_and_both_languages() -> None:
    statuses = [failure.exit_status for failure in FAILURES.values()]
    assert len(set(statuses)) == len(statuses)
    assert all(0 < status < 126 and status != 86 for status in statuses)
    for failure in FAILURES.values():
        assert failure.en != failure.fr

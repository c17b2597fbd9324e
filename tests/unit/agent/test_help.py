"""`--help` of the installer: the same in both languages."""

from __future__ import annotations

import pytest
from tremplin_agent.installer import arguments
from tremplin_agent.installer import help as texts
from tremplin_agent.parameters import PARAMETERS


def test_every_parameter_is_explained_in_french() -> None:
    assert list(texts.FRENCH.parameters) == [parameter.name for parameter in PARAMETERS]
    for parameter in PARAMETERS:
        assert texts.FRENCH.of(parameter) != parameter.help


@pytest.mark.parametrize(
    ("language", "title", "last"),
    [
        ("C.UTF-8", "usage: x.bin", "exit status"),
        ("fr_FR.UTF-8", "usage : x.bin", "code de retour"),
    ],
)
def test_the_help_speaks_the_reader_s_language(
    monkeypatch: pytest.MonkeyPatch, language: str, title: str, last: str
) -> None:
    monkeypatch.delenv("LC_MESSAGES", raising=False)
    monkeypatch.setenv("LC_ALL", language)
    text = arguments.parser("x.bin", "linux-64").format_help()
    assert text.startswith(title)
    assert last in text
    assert all(parameter.flag in text for parameter in PARAMETERS)
    assert "show this help" not in text

"""Every string of the pages has its French, and every string goes through the catalogue."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from tremplin_server.errors import CATALOGUE

SERVER = Path(__file__).parents[3] / "server" / "tremplin_server"
FRENCH = SERVER / "translations" / "fr" / "LC_MESSAGES" / "messages.po"
TEMPLATES = sorted((SERVER / "console" / "templates").rglob("*.html"))
NAMES = {"Tremplin", "UTC"}
"""Words of a template that are the same in every language."""


@pytest.fixture(scope="module")
def used() -> set[str]:
    methods = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
    keywords = {"_": None, "_l": None, "gettext": None, "lazy_gettext": None}
    found = extract_from_dir(str(SERVER), methods, keywords=keywords)
    return {str(message) for _file, _line, message, _comments, _context in found}


@pytest.fixture(scope="module")
def french() -> Catalog:
    with FRENCH.open("rb") as file:
        return read_po(file, locale="fr")


def test_every_string_is_in_the_french_catalogue(used: set[str], french: Catalog) -> None:
    missing = {text for text in used if text not in french or not french[text].string}
    assert not missing


def test_the_catalogue_has_nothing_that_nobody_says(used: set[str], french: Catalog) -> None:
    assert {str(message.id) for message in french if message.id} == used


def test_nothing_is_left_to_doubt(french: Catalog) -> None:
    assert not [message.id for message in french if message.id and message.fuzzy]


def test_placeholders_are_the_same(french: Catalog) -> None:
    pattern = re.compile(r"%\(\w+\)s")
    for message in french:
        said, translated = str(message.id), str(message.string)
        assert sorted(pattern.findall(said)) == sorted(pattern.findall(translated)), said


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_errors_say_the_same_in_both_languages(code: str) -> None:
    entry = CATALOGUE[code]
    assert entry.en != entry.fr
    assert _fields(entry.en) == _fields(entry.fr)


def _fields(template: str) -> set[str]:
    return {
        name for _text, name, _format, _conversion in string.Formatter().parse(template) if name
    }


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_templates_say_nothing_outside_the_catalogue(template: Path) -> None:
    text = template.read_text()
    for pattern in (r"\{#.*?#\}", r"\{%.*?%\}", r"\{\{.*?\}\}"):
        text = re.sub(pattern, " ", text, flags=re.DOTALL)
    spoken = re.findall(r'(?:alt|title|placeholder|aria-label)="([^"]*)"', text)
    spoken += re.sub(r"<[^>]*>", " ", text, flags=re.DOTALL).split()
    words = {word for part in spoken for word in re.findall(r"[^\W\d_]{2,}", part)}
    assert words <= NAMES

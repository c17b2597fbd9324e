"""Every sentence about a field that the program can say has its French."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tremplin_server
from marshmallow import fields, validate
from tremplin_agent import parameters
from tremplin_server.errors import Invalid
from tremplin_server.field_messages import in_french, translated

SERVER = Path(tremplin_server.__file__).parent


def text_of(node: ast.AST) -> str | None:
    """Return the sentence of a string or f-string, its values written as 7."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or "7" for part in node.values)
    if isinstance(node, ast.BinOp):
        return (text_of(node.left) or "a") + (text_of(node.right) or "a")
    return None


def sentences() -> Iterator[str]:
    """Yield what stands in the lists of `Invalid({field: [sentence]})` anywhere."""
    for path in SERVER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Invalid":
                for part in ast.walk(node):
                    if isinstance(part, ast.List):
                        yield from filter(None, map(text_of, part.elts))


def of_parameters() -> Iterator[str]:
    for path in (Path(parameters.__file__), SERVER / "installers/fields.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                yield from filter(None, map(text_of, node.exc.args))


def of_marshmallow() -> Iterator[str]:
    for field in (fields.Integer, fields.Boolean, fields.List, fields.Dict, fields.Nested):
        for kind in field.__mro__:
            yield from vars(kind).get("default_error_messages", {}).values()
    yield fields.DateTime.default_error_messages["invalid"].format(obj_type="datetime")
    for check in (validate.Length(min=1), validate.Length(max=7), validate.Length(1, 7)):
        yield refusal(check, "x" * 9 if check.max else "")
    for bound in (validate.Range(min=1), validate.Range(max=7), validate.Range(1, 7)):
        yield refusal(bound, 0 if bound.min else 9)
    yield refusal(validate.OneOf(["a", "b"]), "c")
    yield refusal(validate.Equal(0), 1)
    yield refusal(validate.Regexp("a"), "b")


def refusal(check: validate.Validator, value: object) -> str:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - only its words count
        check(value)
    return str(caught.value.messages[0])  # type: ignore[attr-defined]


def test_all_sentences_are_found() -> None:
    assert "There is no such Jump Group." in set(sentences())
    assert "must not be empty" in set(of_parameters())


def test_every_sentence_has_its_french() -> None:
    said = {*sentences(), *of_parameters(), *of_marshmallow()}
    assert {sentence for sentence in said if in_french(sentence) is None} == set()


@pytest.mark.parametrize(
    ("english", "french"),
    [
        ("Length must be between 1 and 64.", "De 1 à 64 caractères."),
        ("Must be one of: shared, personal.", "Un des choix suivants : shared, personal."),
        ("Nobody says this.", "Nobody says this."),
    ],
)
def test_values_stay_in_the_sentence(english: str, french: str) -> None:
    assert translated(english, "fr-FR") == french
    assert translated(english, "en") == english


def test_an_error_tells_its_fields_in_both_languages() -> None:
    error = Invalid({"name": ["Missing data for required field."]})
    assert error.text("en").endswith("(name: Missing data for required field.)")
    assert re.search(r"\(name: Ce champ est obligatoire\.\)$", error.text("fr"))

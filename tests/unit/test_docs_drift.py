"""The documentation holds what the program says: tables, commands, links, decisions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

import click
import pytest
from flask import Flask
from tremplin_agent.codes import FAILURES
from tremplin_agent.parameters import PARAMETERS, Kind, Parameter
from tremplin_server.cli import main
from tremplin_server.config import Config
from tremplin_server.errors import CATALOGUE

CHECKOUT = Path(__file__).parents[2]
DOCS = CHECKOUT / "docs"
_PLACES = (CHECKOUT, DOCS, DOCS / "decisions", CHECKOUT / "ansible_collection")
PAGES = sorted(page for place in _PLACES for page in place.glob("*.md"))


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    lines = [list(headings), *(list(row) for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _takes(parameter: Parameter) -> str:
    if parameter.kind is Kind.CHOICE:
        return ", ".join(f"`{choice}`" for choice in parameter.choices)
    if parameter.kind is Kind.SWITCH:
        return "switch"
    if parameter.kind is Kind.INTEGER:
        return f"0 to {parameter.limit}"
    return f"≤ {parameter.limit} characters" if parameter.limit else parameter.kind.value


def parameters() -> str:
    """Return the table of installer parameters."""
    return table(
        ("flag", "Ansible variable", "MSI property", "takes", "meaning", "override"),
        (
            (
                f"`{p.flag}`",
                f"`tremplin_{p.name}`",
                f"`{p.msi_property}`",
                _takes(p),
                p.help.replace("|", "\\|"),
                f"`{p.override}`" if p.override else "–",
            )
            for p in PARAMETERS
        ),
    )


def exit_statuses() -> str:
    """Return the table of the installer's failures."""
    rows = sorted(
        (failure.exit_status, code.value, failure.en) for code, failure in FAILURES.items()
    )
    return table(
        ("exit status", "code", "says"),
        ((str(status), f"`{code}`", text) for status, code, text in rows),
    )


def errors() -> str:
    """Return the table of the errors that the API tells."""
    return table(
        ("code", "HTTP status", "exit status", "message"),
        (
            (f"`{code}`", str(entry.status), str(entry.exit_status), entry.en)
            for code, entry in sorted(CATALOGUE.items())
        ),
    )


def settings() -> dict[str, str]:
    """Return each configuration key with its default as the documentation writes it."""
    return {field.name: _default(getattr(Config(), field.name)) for field in fields(Config)}


def _default(value: object) -> str:
    if value is None or value in ("", ()):
        return "–"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("deploying.md", parameters()),
        ("deploying.md", exit_statuses()),
        ("api.md", errors()),
    ],
    ids=["parameters", "exit statuses", "errors"],
)
def test_a_table_says_what_the_program_says(page: str, expected: str) -> None:
    text = (DOCS / page).read_text("utf-8")
    missing = [line for line in expected.splitlines() if line not in text]
    assert expected in text, (
        "the table should be:\n" + expected + "\ndiffers in:\n" + "\n".join(missing)
    )


def test_every_configuration_key_is_documented_with_its_default() -> None:
    text = (DOCS / "operating.md").read_text("utf-8")
    found = re.findall(r"^\| `([a-z_]+)` \| (.+?) \| .+ \|$", text, re.MULTILINE)
    assert dict(found) == settings()
    assert len(found) == len(settings())


def test_every_path_of_the_api_is_documented(app: Flask) -> None:
    text = (DOCS / "api.md").read_text("utf-8")
    spec = app.view_functions["openapi_json"]()
    assert isinstance(spec, dict)
    wanted = {
        f"{method.upper()} {path.removeprefix('/api/config/v1')}"
        for path, operations in spec["paths"].items()
        for method in operations
        if method in ("get", "post", "patch", "put", "delete")
    }
    listed = set()
    for methods, path in re.findall(r"^\| ([A-Z, ]+) \| `(/\S+)` \|", text, re.MULTILINE):
        listed |= {f"{method} {path}" for method in methods.split(", ")}
    assert listed == wanted


def _commands(group: click.Group, words: str) -> Iterable[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield f"{words} {name}"
        if isinstance(command, click.Group):
            yield from _commands(command, f"{words} {name}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    known = set(_commands(main, "tremplin"))
    groups = {command for command in known if any(k.startswith(f"{command} ") for k in known)}
    # `state.apply tremplin` is a line of Salt.
    named = r"(?<!state\.apply )\btremplin ([a-z][a-z-]+)(?: ([a-z][a-z-]+))?"
    for first, second in re.findall(named, _code(page)):
        command = f"tremplin {first}"
        assert command in known, f"{page.name} names {command}"
        if command in groups and second:
            assert f"{command} {second}" in known, f"{page.name} names {command} {second}"


def _code(page: Path) -> str:
    """Return what a page shows as code."""
    text = page.read_text("utf-8")
    blocks = re.findall(r"^```.*?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    return "\n".join([*blocks, *spans])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_index_of_decisions_is_complete() -> None:
    pages = {path.name for path in (DOCS / "decisions").glob("[0-9]*.md")}
    index = (DOCS / "decisions" / "README.md").read_text("utf-8")
    assert set(re.findall(r"\]\((\d{4}-[a-z0-9-]+\.md)\)", index)) == pages

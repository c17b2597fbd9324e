"""What a name at the bastion carries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tremplin_server.gateway.logins import Login, parse, words_for
from tremplin_server.policies.rules import Rule


@pytest.mark.parametrize(
    ("name", "login"),
    [
        ("tech", Login("tech")),
        ("tech+ticket=INC-7", Login("tech", ticket_id="INC-7")),
        ("tech+reason=new=20disk+ticket=7", Login("tech", "7", "new disk")),
        ("tech+factor", Login("tech", factor=True)),
        ("tech+factor+ticket=a=2Bb", Login("tech", "a+b", factor=True)),
        ("a+b@example.org", Login("a+b@example.org")),
        ("a+b@example.org+ticket=1", Login("a+b@example.org", "1")),
        ("tech+Factor", Login("tech+Factor")),
        ("tech+ticket=1+ticket=2", Login("tech", "2")),
        ("tech+ticket=", Login("tech")),
        ("+factor", Login("", factor=True)),
    ],
)
def test_names(name: str, login: Login) -> None:
    assert parse(name) == login


@given(st.text())
def test_any_name_is_read(name: str) -> None:
    assert name.startswith(parse(name).username)


def test_what_to_say() -> None:
    wanted = words_for(Login("tech"), (Rule.TICKET, Rule.FACTOR, Rule.APPROVAL))
    assert wanted == "tech+ticket=ID+factor"
    assert words_for(Login("tech"), (Rule.APPROVAL,)) == ""

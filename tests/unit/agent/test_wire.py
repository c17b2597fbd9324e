"""Frames and key info: what goes in comes out, and nothing else gets through."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tremplin_agent import wire

_BY_ANNOTATION: dict[str, st.SearchStrategy[Any]] = {
    "str": st.text(max_size=30),
    "int": st.integers(0, 2**53),
    "float": st.floats(0, 1e6),
    "Dict[str, Any]": st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5)),
}


@st.composite
def messages(draw: st.DrawFn) -> wire.Message:
    kind = draw(st.sampled_from(wire.AGENT_MESSAGES + wire.SERVER_MESSAGES))
    values = {part.name: draw(_BY_ANNOTATION[str(part.type)]) for part in fields(kind)}
    message: wire.Message = kind(**values)
    return message


@given(messages())
def test_a_message_survives_the_wire(message: wire.Message) -> None:
    assert wire.decode(wire.encode(message)) == message


@given(messages(), st.data())
def test_a_missing_or_mistyped_field_is_an_error_or_a_default(
    message: wire.Message, data: st.DataObject
) -> None:
    body = json.loads(wire.encode(message))
    names = sorted(set(body) - {"type"})
    if not names:
        return
    name = data.draw(st.sampled_from(names))
    with pytest.raises(wire.WireError):
        wire.decode(json.dumps({**body, name: [1]}))


@given(
    st.lists(st.sampled_from(["https://a", "https://b:8443", "https://[::1]:1/x"]), min_size=1),
    st.sampled_from([b"", b"p" * 32]),
    st.binary(min_size=16, max_size=16),
)
def test_key_info_survives_a_command_line(urls: list[str], pin: bytes, secret: bytes) -> None:
    key_info = wire.KeyInfo(tuple(urls), pin, "a1" * 16, secret)
    text = key_info.encode()
    assert wire.KeyInfo.decode(f" {text}\n") == key_info
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert repr(secret) not in repr(key_info)


@given(st.integers(1, 60))
def test_key_info_that_was_cut_is_refused(cut: int) -> None:
    text = wire.KeyInfo(("https://a",), b"p" * 32, "a1" * 16, b"s" * 16).encode()
    with pytest.raises(wire.WireError):
        wire.KeyInfo.decode(text[:-cut])


@pytest.mark.parametrize(
    "change",
    [{"u": []}, {"u": ["http://a"]}, {"u": "https://a"}, {"p": "AA"}, {"i": "short"}, {"s": ""},
     {"v": 2}, {"i": 7}],
)  # fmt: skip
def test_foreign_key_info_is_refused(change: dict[str, Any]) -> None:
    text = wire.KeyInfo(("https://a",), b"p" * 32, "a1" * 16, b"s" * 16).encode()
    body = {**json.loads(wire.b64decode(text)), **change}
    with pytest.raises(wire.WireError):
        wire.KeyInfo.decode(wire.b64encode(json.dumps(body).encode()))

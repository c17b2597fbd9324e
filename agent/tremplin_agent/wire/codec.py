"""Messages to text frames and back, checked."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any, Dict, Mapping, Optional, Type, TypeVar

from tremplin_agent.wire.base import MAX_FRAME, WireError
from tremplin_agent.wire.messages import AGENT_MESSAGES, SERVER_MESSAGES, Message

_BY_TYPE: Dict[str, Type[Any]] = {m.TYPE: m for m in AGENT_MESSAGES + SERVER_MESSAGES}


def encode(message: Message) -> str:
    """Return the text frame of `message`."""
    body: Dict[str, Any] = {"type": message.TYPE}
    for part in fields(message):
        body[part.name] = getattr(message, part.name)
    return json.dumps(body, separators=(",", ":"))


_PLAIN: Dict[str, Type[Any]] = {"str": str, "int": int}
_M = TypeVar("_M")


def decode(frame: str) -> Optional[Message]:
    """Return the message of a text frame, or None when its type is unknown.

    Raises WireError when the frame is no JSON object, lacks a field or has one of
    another type.
    """
    if len(frame) > MAX_FRAME:
        raise WireError("the frame is too large")
    try:
        body = json.loads(frame)
    except ValueError as error:
        raise WireError("the frame is not JSON") from error
    if not isinstance(body, dict) or not isinstance(body.get("type"), str):
        raise WireError("the frame has no type")
    kind = _BY_TYPE.get(body["type"])
    return None if kind is None else _build(kind, body)


def _build(kind: Type[_M], body: Mapping[str, Any]) -> _M:
    values: Dict[str, Any] = {}
    for part in fields(kind):  # type: ignore[arg-type]
        if part.name in body:
            values[part.name] = _checked(part.name, str(part.type), body[part.name])
    try:
        return kind(**values)
    except TypeError as error:
        raise WireError(f"{body['type']}: a field is missing") from error


def _checked(name: str, annotation: str, value: Any) -> Any:
    plain = _PLAIN.get(annotation)
    if plain is not None:
        good = isinstance(value, plain) and not isinstance(value, bool)
    elif annotation == "float":
        good = isinstance(value, (int, float)) and not isinstance(value, bool)
    else:
        good = isinstance(value, dict)
    if not good:
        raise WireError(f"{name}: wrong type")
    return value

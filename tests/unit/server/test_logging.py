"""The log: one line per event, and never a secret."""

from __future__ import annotations

import io
import json
import logging as standard
from collections.abc import Iterator

import pytest
import structlog
from tremplin_server import logging


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = standard.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.contextvars.clear_contextvars()


def written(form: str, level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    logging.configure(level, form, stream)
    return stream


def test_json_has_one_object_per_event() -> None:
    stream = written("json")
    structlog.contextvars.bind_contextvars(request_id="abc")
    logging.logger("a").info("first", path="/x")
    standard.getLogger("b").warning("second")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert first["event"] == "first"
    assert (first["request_id"], first["path"], first["level"]) == ("abc", "/x", "info")
    assert (second["event"], second["logger"]) == ("second", "b")


@pytest.mark.parametrize(
    "name", ["password", "client_secret", "token", "Authorization", "key_info", "secret_key"]
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_secrets_are_hidden(form: str, name: str) -> None:
    stream = written(form)
    logging.logger("a").info("event", **{name: "hunter2"})
    assert "hunter2" not in stream.getvalue()
    assert logging.HIDDEN in stream.getvalue()


@pytest.mark.parametrize("form", ["text", "json"])
def test_local_variables_are_not_printed_with_an_exception(form: str) -> None:
    stream = written(form)
    password = "".join(["hun", "ter2"])
    try:
        raise ValueError(len(password))
    except ValueError as error:
        logging.logger("a").error("event", exc_info=error)
    assert "ValueError" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


def test_the_level_is_kept() -> None:
    stream = written("text", "warning")
    logging.logger("a").info("quiet")
    assert stream.getvalue() == ""


def test_without_a_stream_it_is_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    logging.configure("info", "text")
    logging.logger("a").info("event")
    assert "event" in capsys.readouterr().err

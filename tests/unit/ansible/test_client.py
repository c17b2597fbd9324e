"""The client's rules: sign-in, retries, paging, errors. Its transport is a list of answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tremplin.jump.plugins.module_utils import errors
from ansible_collections.tremplin.jump.plugins.module_utils.client import PATIENCE, Client
from ansible_collections.tremplin.jump.plugins.module_utils.tokens import FileTokens
from ansible_collections.tremplin.jump.plugins.module_utils.transport import Response

URL = "https://server.test:8443"


def answer(status: int = 200, body: Any = None, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, named, b"" if body is None else json.dumps(body).encode())


class Script:
    """A transport that gives its answers in order, and one token after another."""

    def __init__(self, *answers: Response | Exception) -> None:
        self.answers = list(answers)
        self.seen: list[tuple[str, str, dict[str, str], bytes | None]] = []
        self.tokens = 0

    def __call__(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None = None
    ) -> Response:
        if url.endswith("/oauth2/token"):
            self.tokens += 1
            return answer(200, {"access_token": f"t{self.tokens}", "expires_in": 3600})
        self.seen.append((method, url, headers, body))
        given = self.answers.pop(0)
        if isinstance(given, Exception):
            raise given
        return given


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def make(script: Script, time: Time, tokens: Any = None) -> Client:
    return Client(URL + "/", "id", "secret", script, tokens, time.clock, time.sleep, lambda: 0.5)


def test_one_token_serves_many_requests() -> None:
    script = Script(answer(200, {"id": 1}), answer(200, {"id": 2}))
    client = make(script, Time())
    assert client.get("/jump-client/1") == {"id": 1}
    assert client.get("/jump-client/2") == {"id": 2}
    assert script.tokens == 1
    assert script.seen[0][1] == URL + "/api/config/v1/jump-client/1"
    assert script.seen[0][2]["Authorization"] == "Bearer t1"


def test_a_token_that_was_dropped_is_renewed_once() -> None:
    refused = answer(401, {"error": "access_denied", "message": "no", "code": "auth.required"})
    script = Script(refused, answer(200, []))
    assert list(make(script, Time()).pages("/jump-client")) == []
    assert script.tokens == 2
    script = Script(refused, refused)
    with pytest.raises(errors.Denied) as caught:
        make(script, Time()).get("/jump-client/1")
    assert caught.value.code == "auth.required"


def test_every_page_is_read() -> None:
    script = Script(
        answer(200, [1, 2], x_bt_pagination_last_page="2"),
        answer(200, [3], x_bt_pagination_last_page="2"),
    )
    assert list(make(script, Time()).pages("/jump-client", tag="a b", name=None)) == [1, 2, 3]
    assert script.seen[1][1].endswith("/jump-client?tag=a+b&per_page=100&current_page=2")


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again_when_it_says(status: int) -> None:
    time = Time()
    script = Script(answer(status, {"message": "busy"}, retry_after="7"), answer(200, {}))
    make(script, time).post("/jump-client/installer", {})
    assert time.slept == [7.0]


def test_a_busy_server_is_not_asked_for_ever() -> None:
    time = Time()
    script = Script(*[answer(429, {"message": "busy"}) for _ in range(100)])
    with pytest.raises(errors.Busy):
        make(script, time).get("/jump-client/1")
    assert PATIENCE - 20 < time.now <= PATIENCE


def test_a_restarting_server_is_waited_for_but_nothing_is_made_twice() -> None:
    away = errors.Unreachable("away")
    assert make(Script(away, away, answer(200, {"id": 1})), Time()).get("/jump-client/1")
    with pytest.raises(errors.Unreachable):
        make(Script(away), Time()).post("/jump-client/installer", {})


def test_a_wrong_certificate_is_no_reason_to_try_again() -> None:
    with pytest.raises(errors.Untrusted):
        make(Script(errors.Untrusted("other")), Time()).get("/jump-client/1")


def test_delete_says_whether_there_was_something() -> None:
    missing = answer(404, {"message": "no", "code": "client.missing"})
    client = make(Script(answer(204), missing), Time())
    assert client.delete("/jump-client/1", reason="why") is True
    assert client.delete("/jump-client/1") is False


REFUSALS: dict[str, tuple[Response, type[errors.Refused], str]] = {
    "field errors": (
        answer(422, {"message": "wrong", "errors": {"tag": ["Too long."]}, "code": "c"}),
        errors.Invalid,
        "wrong (tag: Too long.)",
    ),
    "conflict": (answer(409, {"message": "busy", "code": "c"}), errors.Conflict, "busy"),
    "no JSON": (Response(502, {}, b"<html>"), errors.Refused, "the server answered HTTP 502"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals_are_typed(case: str) -> None:
    given, kind, text = REFUSALS[case]
    with pytest.raises(kind) as caught:
        make(Script(given), Time()).get("/jump-client/1")
    assert str(caught.value) == text
    assert type(caught.value) is kind


def test_something_else_that_answers_is_told() -> None:
    with pytest.raises(errors.TremplinError, match="no Tremplin server"):
        make(Script(Response(200, {}, b"<html>")), Time()).get("/jump-client/1")


@pytest.fixture
def shared(tmp_path: Path) -> Callable[[Time], FileTokens]:
    return lambda time: FileTokens(str(tmp_path / "cache"), URL, "id", "secret", time.clock)


def test_processes_share_a_token(shared: Callable[[Time], FileTokens], tmp_path: Path) -> None:
    time = Time()
    script = Script(answer(200, {}), answer(200, {}))
    make(script, time, shared(time)).get("/jump-client/1")
    make(script, time, shared(time)).get("/jump-client/1")
    assert script.tokens == 1
    kept = [path for path in (tmp_path / "cache").iterdir() if path.suffix != ".lock"]
    assert [path.stat().st_mode & 0o777 for path in kept] == [0o600]
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700


def test_a_shared_token_that_was_dropped_is_renewed_once_for_all(
    shared: Callable[[Time], FileTokens],
) -> None:
    time = Time()
    refused = answer(401, {"error": "access_denied", "message": "no"})
    script = Script(answer(200, {}), refused, answer(200, {}), answer(200, {}))
    for _ in range(3):
        make(script, time, shared(time)).get("/jump-client/1")
    assert script.tokens == 2


def test_a_shared_token_is_not_used_to_its_last_second(
    shared: Callable[[Time], FileTokens],
) -> None:
    time = Time()
    script = Script(answer(200, {}), answer(200, {}))
    make(script, time, shared(time)).get("/jump-client/1")
    time.now = 3599.0
    make(script, time, shared(time)).get("/jump-client/1")
    assert script.tokens == 2

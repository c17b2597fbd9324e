"""The installer's words: one line, the reader's language, the catalogue's status."""

from __future__ import annotations

import pytest
from tremplin_agent.codes import FAILURES, Code
from tremplin_agent.installer.arguments import parse
from tremplin_agent.installer.report import Reporter, is_french
from tremplin_agent.parameters import BY_NAME
from tremplin_agent.refusal import Refusal, enrolment_refusal, in_french

from tests.unit.agent.test_parameters import BAD_VALUES


@pytest.mark.parametrize("code", list(FAILURES))
@pytest.mark.parametrize("language", ["C.UTF-8", "fr_FR.UTF-8"])
def test_a_failure_is_one_line_with_its_code(
    code: Code, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    reporter = Reporter(environment={"LANG": language})
    assert reporter.fail(Refusal(code, detail="two\nlines")) == FAILURES[code].exit_status
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert code.value in said.err


@pytest.mark.parametrize(
    ("environment", "french"),
    [
        ({}, False),
        ({"LANG": "fr_FR.UTF-8"}, True),
        ({"LANG": "en_GB.UTF-8"}, False),
        ({"LANG": "fr_FR", "LC_ALL": "C"}, False),
        ({"LANG": "C", "LC_MESSAGES": "fr_CA"}, True),
        ({"LC_ALL": "", "LANG": "fr"}, True),
    ],
)
def test_language(environment: dict[str, str], french: bool) -> None:
    assert is_french(environment) is french


@pytest.mark.parametrize(("name", "value"), BAD_VALUES)
def test_every_reason_for_a_bad_value_exists_in_french(name: str, value: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse([f"{BY_NAME[name].flag}={value}"], "x.bin", "linux-64")
    detail = caught.value.parameters["detail"]
    assert in_french(detail) != detail


@pytest.mark.parametrize("words", [["--bogus"], ["--jc-tag"], ["--quiet=1"]])
def test_what_cannot_be_read_is_said_in_french_too(words: list[str]) -> None:
    with pytest.raises(Refusal) as caught:
        parse(words, "x.bin", "linux-64")
    detail = caught.value.parameters["detail"]
    assert in_french(detail) != detail


def test_quiet_says_failures_only(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = Reporter(quiet=True, environment={})
    reporter.say("a", "b")
    reporter.warn("a", "b")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")


@pytest.mark.parametrize(
    ("code", "detail", "expected", "parameter"),
    [
        ("install.override_denied", "not allowed: --jc-tag here", Code.INSTALL_OVERRIDE_DENIED,
         "--jc-tag"),
        ("install.bad_value", "--jc-jump-group: no such group", Code.INSTALL_BAD_VALUE,
         "--jc-jump-group"),
        ("limit.total", "full", Code.LIMIT_TOTAL, "?"),
        ("enrol.busy", "later", Code.INSTALL_SERVER_UNREACHABLE, None),
        ("novelty", "", Code.INSTALL_INTERNAL, "?"),
    ],
)  # fmt: skip
def test_what_the_server_answers_becomes_a_failure(
    code: str, detail: str, expected: Code, parameter: str | None
) -> None:
    refusal = enrolment_refusal(code, detail)
    assert refusal.code is expected
    assert refusal.parameters.get("parameter") == parameter

"""What all of the API has in common: methods, bodies, paging, errors, limits."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from tremplin_server.rest import API_PREFIX

from tests.personas import PASSWORD, Api, api_of


def test_head_is_get_without_a_body(api: Api) -> None:
    head, get = api.call("HEAD", "/jump-group"), api.get("/jump-group")
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["X-BT-Pagination-Total"] == get.headers["X-BT-Pagination-Total"]


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/jump-group", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/jump-group/7", {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH"}),
        ("/audit", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_options_and_405_tell_the_methods(api: Api, path: str, methods: set[str]) -> None:
    options = api.call("OPTIONS", path)
    assert options.status_code == 200
    assert set(options.headers["Allow"].split(", ")) == methods
    wrong = api.call("PUT", path)
    assert (wrong.status_code, wrong.json["code"]) == (405, "request.method")
    assert set(wrong.headers["Allow"].split(", ")) == methods


@pytest.mark.parametrize("path", ["/nothing", "/user/0", "/user/2147483648", "/user/x"])
def test_404(api: Api, path: str) -> None:
    answer = api.get(path)
    assert answer.status_code == 404
    assert answer.json.keys() == {"message", "code"}


def test_without_a_token_nothing_is_told(app: Flask) -> None:
    for path in ("/jump-group", "/nothing", "/openapi.yaml"):
        answer = Api(app, None).get(path)
        assert answer.status_code == 401
        assert answer.json["error"] == "access_denied"


@pytest.mark.parametrize("content_type", [None, "application/json", "text/plain", "x/y"])
def test_json_is_read_whatever_its_content_type(api: Api, content_type: str | None) -> None:
    answer = api.call(
        "POST", "/jump-group", data=json.dumps({"name": "Lab"}), content_type=content_type
    )
    assert answer.status_code == 201


@pytest.mark.parametrize("body", ["{", "[]", '"text"', "null", b"\xff"])
def test_a_body_that_is_no_json_object(api: Api, body: str | bytes) -> None:
    answer = api.call("POST", "/jump-group", data=body)
    assert (answer.status_code, answer.json["code"]) == (400, "request.malformed")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": 7}, "name"),
        ({"name": None}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "a\ud800b"}, "name"),
        ({"name": "Lab", "code_name": "a b"}, "code_name"),
        ({"name": "Lab", "code_name": "lab\n"}, "code_name"),
        ({"name": "Lab", "comments": "x" * 4097}, "comments"),
    ],
)
def test_422_says_which_field_is_wrong(api: Api, body: dict[str, Any], field: str) -> None:
    answer = api.post("/jump-group", body)
    assert answer.status_code == 422
    assert answer.json["code"] == "request.invalid"
    assert list(answer.json["errors"]) == [field]
    assert all(isinstance(text, str) for text in answer.json["errors"][field])


@pytest.mark.parametrize("value", ["1", 1.5, True, 0, 2**31])
def test_integers_are_numbers_in_range(api: Api, value: object) -> None:
    group = api.post("/jump-group", {"name": "Lab"}).json
    answer = api.post(f"/jump-group/{group['id']}/user", {"user_id": value})
    assert list(answer.json["errors"]) == ["user_id"]


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("2027-01-31T10:00:00Z", True),
        ("2027-01-31T10:00:00.250+00:00", True),
        (None, True),
        ("2027-01-31T10:00:00", False),
        ("2027-01-31T10:00:00+02:00", False),
        ("2027-02-31T10:00:00Z", False),
        ("tomorrow", False),
        (1_800_000_000, False),
    ],
)
def test_times(api: Api, text: object, good: bool) -> None:
    new = {"username": "zoe", "password": PASSWORD}
    names = {"public_display_name": "Zoé", "private_display_name": "Zoé"}
    answer = api.post("/user", {**new, **names, "password_expiration": text})
    if not good:
        assert list(answer.json["errors"]) == ["password_expiration"]
        return
    assert answer.json["password_expiration"] in (None, "2027-01-31T10:00:00+00:00")
    assert answer.json["created_at"].endswith("+00:00")


def test_unknown_fields_are_ignored_unless_the_site_is_strict(
    make_app: Callable[..., Flask],
) -> None:
    lenient = api_of(make_app())
    assert lenient.post("/jump-group", {"name": "Lab", "color": "red"}).status_code == 201
    assert lenient.get("/jump-group?color=red").status_code == 200
    strict = api_of(make_app(strict=True), "strict")
    assert strict.post("/jump-group", {"name": "B", "color": "red"}).json["errors"].keys() == {
        "color"
    }
    assert strict.get("/jump-group?color=red").status_code == 422
    assert strict.get("/jump-group?per_page=5&current_page=1&name=Lab").status_code == 200


def test_paging(api: Api) -> None:
    for number in range(12):
        api.post("/jump-group", {"name": f"Group {number}"})
    answer = api.get("/jump-group?per_page=5&current_page=2")
    assert [group["name"] for group in answer.json] == [f"Group {n}" for n in range(5, 10)]
    headers = answer.headers
    assert headers["X-BT-Pagination-Current-Page"] == "2"
    assert headers["X-BT-Pagination-Last-Page"] == "3"
    assert headers["X-BT-Pagination-Per-Page"] == "5"
    assert headers["X-BT-Pagination-Total"] == "12"
    base = f"http://localhost{API_PREFIX}/jump-group?per_page=5&current_page="
    assert headers["Link"] == ", ".join(
        f'<{base}{number}>; rel="{rel}"'
        for rel, number in (("first", 1), ("previous", 1), ("next", 3), ("last", 3))
    )


def test_the_only_page_links_to_itself(api: Api) -> None:
    answer = api.get("/jump-group?name=a%20b%26c")
    assert answer.json == []
    assert answer.headers["X-BT-Pagination-Last-Page"] == "1"
    url = f"http://localhost{API_PREFIX}/jump-group?name=a+b%26c&per_page=100&current_page=1"
    assert answer.headers["Link"] == f'<{url}>; rel="first", <{url}>; rel="last"'


def test_past_the_last_page_is_nothing(api: Api) -> None:
    answer = api.get("/jump-group?current_page=2147483647")
    assert (answer.status_code, answer.json) == (200, [])
    assert 'rel="next"' not in answer.headers["Link"]


@pytest.mark.parametrize("query", ["per_page=4", "per_page=101", "per_page=x", "current_page=0"])
def test_paging_out_of_bounds(api: Api, query: str) -> None:
    answer = api.get(f"/jump-group?{query}")
    assert (answer.status_code, list(answer.json["errors"])) == (422, [query.partition("=")[0]])


def test_text_filters_match_exactly_whatever_the_case(api: Api) -> None:
    api.post("/jump-group", {"name": "Été"})
    assert len(api.get("/jump-group?name=éTÉ").json) == 1
    assert api.get("/jump-group?name=Ét").json == []
    assert api.get("/jump-group?name=%25").json == []


def test_a_creation_says_where_the_new_thing_is(api: Api) -> None:
    made = api.post("/jump-group", {"name": "Lab"})
    path = made.headers["Location"]
    assert path == f"{API_PREFIX}/jump-group/{made.json['id']}"
    assert api.get(path.removeprefix(API_PREFIX)).json == made.json


@pytest.mark.parametrize(
    ("language", "text"), [("fr", "une ou plusieurs"), ("en", "one or more"), ("de", "one or more")]
)
def test_errors_speak_the_callers_language(api: Api, language: str, text: str) -> None:
    answer = api.post("/jump-group", {}, headers={"Accept-Language": language})
    assert answer.json["message"].startswith(text)


def test_the_hourly_budget_is_told_and_kept(make_app: Callable[..., Flask]) -> None:
    api = api_of(make_app(api_requests_per_hour=3))
    for left in ("2", "1", "0"):
        answer = api.get("/jump-group")
        assert answer.headers["X-RateLimit-Limit"] == "3"
        assert answer.headers["X-RateLimit-Remaining"] == left
    refused = api.get("/jump-group")
    assert (refused.status_code, refused.json["code"]) == (429, "request.too_many")
    assert int(refused.headers["Retry-After"]) >= 1


def test_the_budget_is_each_accounts_own(make_app: Callable[..., Flask]) -> None:
    app = make_app(api_requests_per_second=1)
    one, other = api_of(app, "one"), api_of(app, "other")
    answers = [one.get("/jump-group").status_code for _ in range(3)]
    assert answers[0] == 200
    assert 429 in answers
    assert other.get("/jump-group").status_code == 200


def test_a_body_that_is_too_large(api: Api) -> None:
    answer = api.call("POST", "/jump-group", data=b" " * 2_000_000)
    assert (answer.status_code, answer.json["code"]) == (413, "request.too_large")


def test_what_goes_wrong_inside_is_logged_not_told(
    app: Flask, api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(*_: object, **__: object) -> None:
        raise RuntimeError("a detail that stays inside")

    monkeypatch.setattr("tremplin_server.groups.service.query", break_down)
    answer = api.get("/jump-group")
    assert (answer.status_code, answer.json["code"]) == (500, "request.internal")
    assert "inside" not in answer.text
    assert answer.headers["X-Request-Id"] in answer.json["message"]


def test_openapi_is_served_and_valid(api: Api) -> None:
    import yaml
    from openapi_spec_validator import validate

    document = api.get("/openapi.json")
    validate(document.json)
    text = api.get("/openapi.yaml")
    assert text.mimetype == "application/yaml"
    assert yaml.safe_load(text.text) == document.json


def test_get_mech_list_answers_at_the_root_to_anyone(app: Flask) -> None:
    answer = app.test_client().get("/get_mech_list")
    assert answer.json["default_mech"] in answer.json["mechs"]

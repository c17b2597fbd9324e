"""Every endpoint there is, found by walking the routes, refuses who has no business there."""

from __future__ import annotations

import pytest
from flask import Flask
from tremplin_server.rest import API_PREFIX
from werkzeug.routing import Rule

from tests.personas import Api, api_of

PUBLIC = {
    "/get_mech_list",
    "/oauth2/token",
    "/healthz",
    "/readyz",
    "/metrics",
    "/agent/v1/ca.pem",
    "/static/<path:filename>",
    "/support",
}
"""Told to anyone, on purpose."""
SIGN_IN = "/login"
HANDS_OUT_A_KEY = f"{API_PREFIX}/jump-client/installer/{'1' * 32}/linux-64"
"""A GET that who may only read is refused: what it returns can enrol machines."""


def path_of(rule: Rule) -> str:
    values = {name: "1" * 32 if "installer" in name else 1 for name in rule.arguments}
    if "platform" in values:
        values["platform"] = "linux-64"
    _, path = rule.build(values) or ("", "")
    return path


def calls(app: Flask) -> list[tuple[str, str]]:
    """Return method and path of every operation of the API."""
    found = [
        (method, path_of(rule))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(API_PREFIX)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]
    assert len(found) > 20
    return found


def call(api: Api, method: str, path: str) -> tuple[int, str]:
    answer = api.call(method, path.removeprefix(API_PREFIX), data="{}")
    body = answer.json if answer.is_json else None
    answer.close()
    return answer.status_code, body.get("code", "") if isinstance(body, dict) else ""


@pytest.mark.parametrize("token", [None, "forged", "x" * 5000])
def test_without_a_good_token_everything_is_refused(app: Flask, token: str | None) -> None:
    api = Api(app, token)
    for method, path in calls(app):
        assert call(api, method, path) == (401, "auth.required"), (method, path)


def test_an_account_without_rights_is_refused_everything(app: Flask) -> None:
    outsider = api_of(app, "outsider", perm_command="deny")
    for method, path in calls(app):
        assert call(outsider, method, path) == (403, "auth.denied"), (method, path)


def test_an_account_that_only_reads_changes_nothing(app: Flask) -> None:
    reader = api_of(app, "reader", perm_command="read_only")
    for method, path in calls(app):
        status, code = call(reader, method, path)
        if path == HANDS_OUT_A_KEY:
            assert status == 403
        elif method == "GET":
            assert status < 500, path
            assert status != 403, path
        else:
            assert (status, code) == (403, "auth.denied"), (method, path)


def test_pages_show_nothing_to_who_is_not_signed_in(app: Flask) -> None:
    """Whatever the page: its answer is a refusal, or leads to the sign-in."""
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(API_PREFIX) or rule.rule in PUBLIC:
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            answer = client.open(path_of(rule), method=method, follow_redirects=True)
            where = (method, rule.rule, answer.status_code)
            if answer.status_code == 200:
                assert answer.request.path == SIGN_IN, where
            else:
                assert answer.status_code in (400, 401, 403, 404, 405), where

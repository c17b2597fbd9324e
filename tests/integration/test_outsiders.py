"""Every endpoint there is, found by walking the routes, refuses who has no business there."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from tremplin_server.app import PROGRAM_PATHS
from tremplin_server.rest import API_PREFIX
from werkzeug.routing import Rule

from tests.integration.test_pages import BASE, Browser
from tests.personas import Api, People, api_of

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
    values = {
        name: "1" * 32 if "installer" in name or f"length=32):{name}" in rule.rule else 1
        for name in rule.arguments
    }
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


WRITING = {"POST", "PUT", "PATCH", "DELETE"}


@pytest.mark.parametrize("forged", [None, "x" * 40, "other"])
def test_no_form_is_taken_without_the_readers_own_token(
    app: Flask, people: People, forged: str | None
) -> None:
    """Whatever writes on behalf of a cookie needs the token of that cookie, found by walking."""
    browser = Browser(app.test_client())
    browser.sign_in("administrator")
    if forged == "other":
        other = Browser(app.test_client())
        other.sign_in("technician")
        found = re.search(r'name="csrf-token" content="([^"]+)"', other.get("/console").text)
        assert found
        forged = found[1]
    refused = 0
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(PROGRAM_PATHS):
            continue
        for method in sorted(WRITING & (rule.methods or set())):
            body = {"csrf_token": forged} if forged else {}
            answer = browser.client.open(
                path_of(rule),
                method=method,
                base_url=BASE,
                data=body,
                headers={"Referer": f"{BASE}/console", "Accept": "application/json"},
            )
            told = (answer.status_code, answer.text)
            assert told[0] == 400, (method, rule.rule, told[0])
            assert "request.form_expired" in told[1], (method, rule.rule)
            refused += 1
    assert refused > 30
    assert browser.get("/console").status_code == 200, "nothing of it signed out or deleted"


def test_every_page_is_protected_by_its_headers(app: Flask, people: People) -> None:
    """Found by walking: no inline script, no frame of another site, nothing kept."""
    browser = Browser(app.test_client())
    browser.sign_in("administrator")
    seen = 0
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(PROGRAM_PATHS) or "GET" not in (rule.methods or set()):
            continue
        answer = browser.client.get(path_of(rule), base_url=BASE)
        if answer.mimetype != "text/html" or answer.status_code >= 300:
            continue
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy, rule.rule
        assert "unsafe-inline" not in policy, rule.rule
        assert "'unsafe-eval'" not in policy, rule.rule
        assert answer.headers["X-Content-Type-Options"] == "nosniff", rule.rule
        assert "no-store" in answer.headers["Cache-Control"], rule.rule
        page = answer.text
        assert not re.search(r"<[^>]+\son[a-z]+=", page), rule.rule
        assert not re.search(r"<[^>]+\sstyle=", page), rule.rule
        for script in re.findall(r"<script\b[^>]*>", page):
            assert "src=" in script or 'type="application/json"' in script, (rule.rule, script)
        seen += 1
    assert seen > 15

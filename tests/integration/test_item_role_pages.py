"""What the console shows and takes of whose Jump Item Role allows a part of it."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from tremplin_server.clients.models import JumpClient
from tremplin_server.db import Database
from tremplin_server.groups import roles, service
from tremplin_server.permissions import system_actor
from tremplin_server.shortcuts import service as shortcuts

from tests import translations as catalogues
from tests.integration.test_pages import BASE, Browser
from tests.personas import People

SYSTEM = system_actor()


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Pages; the service's own tests take both databases."""
    return sqlite_url


@pytest.fixture
def items(database: Database, people: People) -> tuple[int, int]:
    """A Jump Client and a shortcut where the technician may change tags alone."""
    catalogues.compile_all()
    with database.work(SYSTEM) as work:
        role = roles.create(work, name="Tagger", perm_edit_tag=True)
        group = service.create(work, name="Lab")
        service.add_member(work, group.id, people.technician.id, role.id)
        client = JumpClient(
            public_key=b"k" * 32,
            fingerprint="f" * 64,
            name="web1",
            comments="kept",
            jump_policy_id=1,
            shared_group_id=group.id,
            created_at=work.now(),
            updated_at=work.now(),
        )
        work.session.add(client)
        work.session.flush()
        values = {"name": "desk", "hostname": "desk", "jumpoint_id": None, "comments": "kept"}
        desk = shortcuts.create(work, {**values, "jump_group_id": group.id})
    return client.id, desk.id


@pytest.fixture
def browser(app: Flask, people: People) -> Browser:
    made = Browser(app.test_client())
    made.sign_in("technician")
    return made


def disabled(page: str) -> set[str]:
    tags = re.findall(r"<(?:input|select|textarea)[^>]*>", page)
    names = {found[1]: tag for tag in tags if (found := re.search(r'name="(\w+)"', tag))}
    return {name for name, tag in names.items() if re.search(r"\sdisabled[\s>]", tag)}


def test_a_form_takes_what_the_role_allows(
    database: Database, browser: Browser, items: tuple[int, int]
) -> None:
    client_page, desk_page = f"/console/clients/{items[0]}", f"/console/shortcuts/{items[1]}/edit"
    page = browser.get(client_page).text
    held = {"name", "jump_group", "comments", "external_id", "jump_policy_id", "connection_type"}
    assert held <= disabled(page)
    assert "tag" not in disabled(page)
    assert "only what is not greyed out" in page
    assert "Delete…" not in page
    assert "Uninstall…" not in page
    assert {"hostname", "through", "quality"} <= disabled(browser.get(desk_page).text)
    # What a browser would not send is not taken from somebody who sends it all the same.
    sent = browser.post(client_page, page=client_page, tag="new", name="stolen", comments="gone")
    assert sent.status_code == 302
    sent = browser.post(desk_page, page=desk_page, tag="new", hostname="elsewhere")
    assert sent.status_code == 302
    with database.work(SYSTEM) as work:
        client = work.session.get_one(JumpClient, items[0])
        assert (client.name, client.tag, client.comments) == ("web1", "new", "kept")
        assert client.jump_policy_id == 1
        desk = shortcuts.get(work, items[1])
        assert (desk.hostname, desk.tag, desk.comments) == ("desk", "new", "kept")


def test_the_panel_has_no_buttons_that_would_be_refused(
    browser: Browser, items: tuple[int, int]
) -> None:
    panel = browser.get(f"/console/panel/client:{items[0]}").text
    acts = set(re.findall(r'data-act="(\w+)"', panel))
    assert acts == {"properties"}


def test_many_are_refused_with_the_permission_that_is_missing(
    browser: Browser, items: tuple[int, int]
) -> None:
    page = f"/console/clients/{items[0]}"
    refused = browser.post(f"{page}/delete", page=page, reason="none")
    assert refused.status_code == 403
    assert "(perm_remove)" in refused.text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', browser.get(page).text)
    assert token is not None
    answer = browser.client.post(
        f"{page}/delete",
        base_url=BASE,
        data={"csrf_token": token[1], "reason": "none"},
        headers={"Referer": BASE + page, "HX-Request": "true", "Accept-Language": "fr"},
    )
    assert (answer.status_code, answer.json["code"]) == (403, "role.perm_remove")
    assert "votre rôle dans ce Jump Group" in answer.json["message"]

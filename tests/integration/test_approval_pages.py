"""Approvals on pages: two technicians, one who asks and one who decides."""

from __future__ import annotations

import pytest
from flask import Flask
from tremplin_server.clients import service as clients
from tremplin_server.db import Database
from tremplin_server.groups import service as groups
from tremplin_server.permissions import system_actor
from tremplin_server.policies import changes
from tremplin_server.policies.models import JumpPolicy

from tests.integration.test_pages import Browser
from tests.personas import People, add_user
from tests.stage import Stage


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What pages ask of a database, the services' own tests ask of both."""
    return sqlite_url


def signed_in(app: Flask, name: str) -> Browser:
    browser = Browser(app.test_client())
    assert browser.sign_in(name).status_code == 302
    return browser


def test_a_start_asks_and_a_colleague_decides(
    app: Flask, people: People, database: Database
) -> None:
    stage = Stage(database)
    agent = stage.online()
    colleague = add_user(database, "colleague")
    technician = signed_in(app, "technician")
    assert "/console/approvals" not in technician.get("/console").text
    with database.work(system_actor()) as work:
        groups.add_member(work, stage.group.id, people.technician.id, 2)
        rules = {"approval_required": True, "approver_user_ids": [colleague.id]}
        policy = changes.create(work, JumpPolicy, {"display_name": "Asks", **rules})
        clients.update(work, agent.client_id, {"jump_policy_id": policy.id})
    terminal = f"/console/clients/{agent.client_id}/terminal"
    shown = technician.get(terminal).text
    assert "data-hold" in shown
    assert "/console/approvals" in shown
    refused = technician.post(terminal, page=terminal, reason="<disk>", Accept="application/json")
    assert refused.status_code == 409
    decider = signed_in(app, "colleague")
    assert ">1<" in decider.get("/console/approvals/count").text.replace(" ", "").replace("\n", "")
    page = decider.get("/console/approvals").text
    assert "technician asks for a session on" in page
    assert "&lt;disk&gt;" in page
    assert "style=" not in page
    own = technician.get("/console/approvals").text
    assert "Withdraw" in own
    assert "/approve" not in own
    outsider = signed_in(app, "outsider")
    assert "&lt;disk&gt;" not in outsider.get("/console/approvals").text
    assert (
        outsider.post("/console/approvals/1/approve", page="/console/approvals").status_code == 404
    )
    done = decider.post("/console/approvals/1/approve", page="/console/approvals", comment="ok")
    assert done.status_code == 302
    again = decider.post("/console/approvals/1/deny", page="/console/approvals")
    assert again.status_code == 302
    assert "colleague has decided this request already" in decider.get("/console/approvals").text
    started = technician.post(terminal, page=terminal, reason="disk")
    assert started.status_code == 200
    assert "data-hold" not in technician.get(terminal).text


def test_the_form_of_a_policy_names_approvers(
    app: Flask, people: People, database: Database
) -> None:
    administrator = signed_in(app, "administrator")
    new = "/login/users/policies/jump/new"
    fields = {
        "display_name": "Asks",
        "code_name": "asks",
        "simultaneous_jumps": "global",
        "approval_required": "y",
    }
    refused = administrator.post(new, page=new, **fields).text
    assert "name approvers" in refused
    named = {**fields, "approver_roles": "auditor", "approver_user_ids": str(people.technician.id)}
    assert administrator.post(new, page=new, **named).status_code == 302
    with database.work(system_actor(), read_only=True) as work:
        policy = work.session.query(JumpPolicy).filter_by(code_name="asks").one()
        assert policy.approver_roles == ["auditor"]
        assert policy.approver_user_ids == [people.technician.id]

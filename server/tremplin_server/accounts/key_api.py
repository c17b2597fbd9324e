"""The API of SSH keys, second factors and the browsers in which people are signed in."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from tremplin_server import rest
from tremplin_server.accounts import programs, service, ssh_keys, totp, web_sessions
from tremplin_server.accounts.api import api_accounts, users
from tremplin_server.accounts.models import SshKey
from tremplin_server.accounts.schemas import SshKeyBody, SshKeyNew, WebSessionBody
from tremplin_server.accounts.ssh_keys import Owner
from tremplin_server.db import Work

own_keys = rest.blueprint("ssh-key", "/ssh-key")


def _list(work: Work, owner: Owner) -> Response:
    return rest.page(work, ssh_keys.query(work, owner), SshKeyBody)


def _add(work: Work, owner: Owner, values: dict[str, Any]) -> SshKey:
    return ssh_keys.add(work, owner, values["public_key"], values["comment"])


@own_keys.route("")
class OwnKeys(MethodView):
    """The SSH keys of the calling account."""

    @own_keys.arguments(rest.Query, location="query")
    @own_keys.response(200, SshKeyBody(many=True), headers=rest.PAGE_HEADERS)
    def get(self, _filters: dict[str, Any]) -> Response:
        """List the SSH keys of the calling account."""
        with rest.reading() as work:
            return _list(work, ssh_keys.acting_owner(work))

    @own_keys.arguments(SshKeyNew)
    @own_keys.response(201, SshKeyBody)
    def post(self, values: dict[str, Any]) -> Any:
        """Register an SSH key for the calling account."""
        with rest.writing() as work:
            made = _add(work, ssh_keys.acting_owner(work), values)
        return rest.created(made, f"/ssh-key/{made.id}")


@own_keys.route("/<int:id>")
class OwnKey(MethodView):
    """One SSH key of the calling account."""

    @own_keys.response(200, SshKeyBody)
    def get(self, id: int) -> SshKey:
        """Return an SSH key of the calling account."""
        with rest.reading() as work:
            return ssh_keys.get(work, ssh_keys.acting_owner(work), id)

    @own_keys.response(204)
    def delete(self, id: int) -> None:
        """Remove an SSH key of the calling account."""
        with rest.writing() as work:
            ssh_keys.remove(work, ssh_keys.acting_owner(work), id)


@users.route("/<int:id>/ssh-key")
class UserKeys(MethodView):
    """The SSH keys of a user."""

    @users.arguments(rest.Query, location="query")
    @users.response(200, SshKeyBody(many=True), headers=rest.PAGE_HEADERS)
    def get(self, _filters: dict[str, Any], id: int) -> Response:
        """List the SSH keys of a user."""
        with rest.reading() as work:
            return _list(work, service.get(work, id))

    @users.arguments(SshKeyNew)
    @users.response(201, SshKeyBody)
    def post(self, values: dict[str, Any], id: int) -> Any:
        """Register an SSH key for a user."""
        with rest.writing() as work:
            made = _add(work, service.get(work, id), values)
        return rest.created(made, f"/user/{id}/ssh-key/{made.id}")


@users.route("/<int:id>/ssh-key/<int:key_id>")
class UserKey(MethodView):
    """One SSH key of a user."""

    @users.response(200, SshKeyBody)
    def get(self, id: int, key_id: int) -> SshKey:
        """Return an SSH key of a user."""
        with rest.reading() as work:
            return ssh_keys.get(work, service.get(work, id), key_id)

    @users.response(204)
    def delete(self, id: int, key_id: int) -> None:
        """Remove an SSH key of a user."""
        with rest.writing() as work:
            ssh_keys.remove(work, service.get(work, id), key_id)


@users.route("/<int:id>/second-factor")
class UserFactor(MethodView):
    """The second factor of a user."""

    @users.response(204)
    def delete(self, id: int) -> None:
        """Take away the second factor of somebody who lost it."""
        with rest.writing() as work:
            totp.remove(work, service.get(work, id).id)


@users.route("/<int:id>/web-session")
class WebSessions(MethodView):
    """The browsers in which a user is signed in."""

    @users.arguments(rest.Query, location="query")
    @users.response(200, WebSessionBody(many=True), headers=rest.PAGE_HEADERS)
    def get(self, _filters: dict[str, Any], id: int) -> Response:
        """List the browsers in which a user is signed in, the last seen first."""
        with rest.reading() as work:
            return rest.page(
                work, web_sessions.query(work, service.get(work, id).id), WebSessionBody
            )

    @users.response(204)
    def delete(self, id: int) -> None:
        """Sign a user out everywhere, at once."""
        with rest.writing() as work:
            web_sessions.end_all(work, service.get(work, id).id)


@users.route("/<int:id>/web-session/<int:session_id>")
class OneWebSession(MethodView):
    """One browser in which a user is signed in."""

    @users.response(204)
    def delete(self, id: int, session_id: int) -> None:
        """Sign a user out of one browser, at once."""
        with rest.writing() as work:
            web_sessions.end(work, service.get(work, id).id, session_id)


@api_accounts.route("/<int:id>/ssh-key")
class AccountKeys(MethodView):
    """The SSH keys of an API account."""

    @api_accounts.arguments(rest.Query, location="query")
    @api_accounts.response(200, SshKeyBody(many=True), headers=rest.PAGE_HEADERS)
    def get(self, _filters: dict[str, Any], id: int) -> Response:
        """List the SSH keys of an API account."""
        with rest.reading() as work:
            return _list(work, programs.get(work, id))

    @api_accounts.arguments(SshKeyNew)
    @api_accounts.response(201, SshKeyBody)
    def post(self, values: dict[str, Any], id: int) -> Any:
        """Register an SSH key for an API account."""
        with rest.writing() as work:
            made = _add(work, programs.get(work, id), values)
        return rest.created(made, f"/api-account/{id}/ssh-key/{made.id}")


@api_accounts.route("/<int:id>/ssh-key/<int:key_id>")
class AccountKey(MethodView):
    """One SSH key of an API account."""

    @api_accounts.response(200, SshKeyBody)
    def get(self, id: int, key_id: int) -> SshKey:
        """Return an SSH key of an API account."""
        with rest.reading() as work:
            return ssh_keys.get(work, programs.get(work, id), key_id)

    @api_accounts.response(204)
    def delete(self, id: int, key_id: int) -> None:
        """Remove an SSH key of an API account."""
        with rest.writing() as work:
            ssh_keys.remove(work, programs.get(work, id), key_id)

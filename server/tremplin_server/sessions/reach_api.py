"""The API of what an ssh client needs: the bastion, known hosts, a configuration."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response
from flask.views import MethodView
from marshmallow import fields, validate

from tremplin_server import rest
from tremplin_server.sessions import reach

known_hosts = rest.blueprint("known-hosts", "/known-hosts")
ssh_config = rest.blueprint("ssh-config", "/ssh-config")
bastion = rest.blueprint("bastion", "/bastion")

TEXT = "text/plain"
_TEXT = {"type": "string"}


class ConfigQuery(ma.Schema):
    """Whose configuration it is, and where host keys and private key are kept."""

    user = fields.String(validate=validate.Length(min=1, max=255))
    known_hosts_file = fields.String(validate=validate.Length(min=1, max=1024))
    identity_file = fields.String(validate=validate.Length(min=1, max=1024))


class BastionBody(ma.Schema):
    """Where technicians and programs connect with ssh."""

    host = fields.String()
    port = fields.Integer()
    host_key = fields.String()
    known_host = fields.String()
    user = fields.String()


def _text(content: str) -> Response:
    return Response(content, mimetype=TEXT)


@known_hosts.route("")
class KnownHosts(MethodView):
    """The host keys."""

    @known_hosts.response(200, _TEXT, content_type=TEXT)
    def get(self) -> Response:
        """Return a known_hosts file: the bastion and every Jump Client."""
        with rest.writing() as work:
            return _text(reach.known_hosts(work))


@ssh_config.route("")
class SshConfig(MethodView):
    """The configuration of ssh."""

    @ssh_config.arguments(ConfigQuery, location="query")
    @ssh_config.response(200, _TEXT, content_type=TEXT)
    def get(self, values: dict[str, Any]) -> Response:
        """Return an ssh_config file: every Jump Client by all its names, through the bastion."""
        with rest.writing() as work:
            wishes = reach.Wishes(**{"user": work.actor.name, **values})
            return _text(reach.ssh_config(work, wishes))


@bastion.route("")
class OneBastion(MethodView):
    """The bastion."""

    @bastion.response(200, BastionBody)
    def get(self) -> dict[str, Any]:
        """Return where the bastion is, its host key, and the caller's name there."""
        with rest.writing() as work:
            found = reach.bastion(work)
            return {
                "host": found.host,
                "port": found.port,
                "host_key": found.host_key,
                "known_host": found.known_host,
                "user": work.actor.name,
            }

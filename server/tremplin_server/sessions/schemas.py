"""What sessions look like in the API."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate
from tremplin_agent.terms import Capability, FileCapability

from tremplin_server.installers.fields import MAX_INTEGER
from tremplin_server.installers.schemas import choice, text
from tremplin_server.rest import Boolean, Integer, Query, Timestamp
from tremplin_server.sessions.checks import MAX_TICKET_ID
from tremplin_server.sessions.models import Front, JumpSession, SessionState
from tremplin_server.sessions.service import MAX_KEYS, MAX_REASON

_CAPABILITIES = tuple(capability.value for capability in Capability)
_GRANTED = (*_CAPABILITIES, *(way.value for way in FileCapability))
_MAX_PORT = 65535
_LONGEST_KEY = 20_000


class SessionNew(ma.Schema):
    """A session to start.

    capabilities: everything, when not given. ports: of the host's loopback, to forward to;
    all that the site allows, when not given. public_keys: in OpenSSH's form; who holds one
    of them signs in on the host. ticket_id: of what it is for; a Jump Policy may want one.
    """

    reason = text(0, MAX_REASON, load_default="")
    ticket_id = text(0, MAX_TICKET_ID, load_default="")
    capabilities = fields.List(choice(*_CAPABILITIES), validate=validate.Length(min=1, max=4))
    ports = fields.List(Integer(maximum=_MAX_PORT), validate=validate.Length(max=100))
    public_keys = fields.List(
        text(16, _LONGEST_KEY), required=True, validate=validate.Length(min=1, max=MAX_KEYS)
    )


class StartedBody(ma.Schema):
    """A session that waits for its program.

    ticket: Bearer token of the WebSocket `stream_url`, good once and until `expires_at`.
    """

    session_id = text(32, 32)
    ticket = fields.String()
    stream_url = fields.String()
    host_key = fields.String()
    expires_at = Timestamp()


class SessionQuery(Query):
    """Filters of the list of sessions."""

    client_id = fields.Integer(validate=validate.Range(min=1, max=MAX_INTEGER))
    state = choice(*(state.value for state in SessionState))
    user = text(1, 255)
    front = choice(*(front.value for front in Front))


class SessionBody(ma.Schema):
    """A session. client_id and user_id are null once the record or the account is gone."""

    id = text(32, 32)
    client_id = Integer(allow_none=True)
    client_name = fields.String()
    client_external_id = fields.String(allow_none=True)
    user_id = Integer(allow_none=True)
    user = fields.String(attribute="actor")
    user_kind = choice("user", "api_account", "cli", "system", attribute="actor_kind")
    front = choice(*(front.value for front in Front))
    state = choice(*(state.value for state in SessionState))
    reason = fields.String()
    ticket_id = fields.String()
    jump_policy_id = Integer(allow_none=True)
    technician_ip = fields.String()
    capabilities = fields.List(choice(*_GRANTED))
    session_policy_id = Integer(allow_none=True)
    recorded = Boolean()
    ports = fields.List(Integer())
    created_at = Timestamp()
    opened_at = Timestamp(allow_none=True)
    ended_at = Timestamp(allow_none=True)
    expires_at = Timestamp()
    end_code = fields.String()
    bytes_to_host = Integer(minimum=0, maximum=2**63 - 1)
    bytes_from_host = Integer(minimum=0, maximum=2**63 - 1)


class EndNew(ma.Schema):
    """Why a session is ended: kept in the audit log."""

    reason = text(0, MAX_REASON, load_default="")


class SessionRecordingBody(ma.Schema):
    """A recording of a terminal; size is that of the file as it is kept, packed."""

    number = Integer()
    size = Integer(minimum=0, maximum=2**63 - 1)
    duration_seconds = fields.Float()
    columns = Integer()
    rows = Integer()
    sha256 = fields.String()
    stored_at = Timestamp()


def shown(session: JumpSession) -> dict[str, Any]:
    """Return what `SessionBody` makes of a session."""
    return dict(SessionBody().dump(session))

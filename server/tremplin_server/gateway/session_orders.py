"""What is said about sessions on the agents' control channels, whichever worker holds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tremplin_agent import wire

from tremplin_server.errors import Conflict
from tremplin_server.sessions import service
from tremplin_server.sessions.service import Opening

if TYPE_CHECKING:
    from tremplin_server.gateway.gateway import Gateway

OPEN, CLOSE, REFUSED = "session.open", "session.close", "session.refused"
_MAX_DETAIL = 256

Refused = Callable[[int, str, str, str], bool]
"""Gets client id, session id, code and detail; returns False when it is not of this worker."""


class Orders:
    """Orders to agents, and their answers.

    token: makes the token of a session's socket. refused: hears what agents say.
    """

    def __init__(self, gateway: Gateway, token: Callable[[str], str], refused: Refused) -> None:
        self._gateway = gateway
        self._token, self._refused = token, refused
        self._alone = gateway.config.sqlite

    def start(self) -> None:
        """Listen to the other workers."""
        bus = self._gateway.bus
        bus.subscribe(OPEN, self._asked_to_open)
        bus.subscribe(CLOSE, self._asked_to_close)
        bus.subscribe(REFUSED, self._heard)

    # --- orders -----------------------------------------------------------------------------

    def open(self, opening: Opening) -> bool:
        """Let the agent dial; return whether somebody could be asked.

        Nobody is asked for a passive client that is away: it is waited for. Raises Conflict
        (jump.not_connected) for an active one.
        """
        holder = opening.holder
        if self._open_here(opening):
            return True
        if holder not in (None, self._gateway.worker_id):
            names = {"session_id": opening.session_id, "client_id": opening.client_id}
            self._gateway.bus.publish(OPEN, {**names, "worker": holder})
            return True
        if not opening.passive:
            raise Conflict("jump.not_connected")
        return False

    def close(self, client_id: int, session_id: str, code: str) -> None:
        """Let the agent end a session now."""
        connection = self._gateway.held(client_id)
        if connection is not None:
            connection.say(wire.SessionClose(session_id, code))
        elif not self._alone:
            names = {"session_id": session_id, "client_id": client_id}
            self._gateway.bus.publish(CLOSE, {**names, "code": code})

    def _open_here(self, opening: Opening) -> bool:
        connection = self._gateway.held(opening.client_id)
        if connection is None or connection.visiting:
            return False
        token = self._token(opening.session_id)
        connection.say(wire.SessionOpen(opening.session_id, token, opening.terms.as_json()))
        return True

    # --- for the other workers ----------------------------------------------------------------

    def _asked_to_open(self, body: Mapping[str, Any]) -> None:
        if body["worker"] == self._gateway.worker_id:
            self._gateway.spawn(self._open_for_another(str(body["session_id"])))

    async def _open_for_another(self, session_id: str) -> None:
        opening = await self._gateway.store.call(service.opening, session_id)
        if opening is not None and not self._open_here(opening):
            self._tell(opening.client_id, session_id, "jump.not_connected", "")

    def _asked_to_close(self, body: Mapping[str, Any]) -> None:
        connection = self._gateway.held(int(body["client_id"]))
        if connection is not None:
            connection.say(wire.SessionClose(str(body["session_id"]), str(body["code"])))

    # --- answers ------------------------------------------------------------------------------

    def agent_ended(self, client_id: int, message: wire.SessionEnded) -> None:
        """Take an agent's word that a session of its own is over, or was refused."""
        said = (client_id, message.session_id, message.code, message.detail)
        if not self._refused(*said) and not self._alone:
            self._tell(*said)

    def _tell(self, client_id: int, session_id: str, code: str, detail: str) -> None:
        body = {"client_id": client_id, "session_id": session_id[:64], "code": code[:64]}
        self._gateway.bus.publish(REFUSED, {**body, "detail": detail[:_MAX_DETAIL]})

    def _heard(self, body: Mapping[str, Any]) -> None:
        self._refused(
            int(body["client_id"]), str(body["session_id"]), str(body["code"]), str(body["detail"])
        )

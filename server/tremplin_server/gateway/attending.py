"""The control channel of a customer's client: what is special about it.

Everything else is `control.Connection`'s. In the hub it stands under the negative id of its
support session, so that sessions find it as they find an agent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from tremplin_agent import wire

from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.presence import Identity
from tremplin_server.errors import NotFound
from tremplin_server.gateway.protocol import NORMAL, AttendHost
from tremplin_server.permissions import Actor, ActorKind
from tremplin_server.support import customer
from tremplin_server.support.customer import Attending, AttendRequest, Position

if TYPE_CHECKING:
    from tremplin_server.gateway.gateway import Gateway

Post = Callable[[wire.ServerMessage], None]
End = Callable[[int], None]


async def admitted(gateway: Gateway, action: AttendHost, public_ip: str) -> Attending:
    """Return who came with a session key; TremplinError says why nobody did."""
    gateway.wrong_keys.check(public_ip)
    request = AttendRequest(action.hello, action.attend, action.nonce, public_ip)
    actor = Actor(ActorKind.AGENT, "customer", 0, public_ip)
    try:
        return await gateway.store.call_as(actor, customer.attend, request, gateway.accepted_pins)
    except NotFound:
        # Whoever tries keys out is soon too slow for that; who has one loses nothing.
        gateway.wrong_keys.spend(public_ip)
        raise


def identity_of(attending: Attending) -> Identity:
    """Return the identity of a customer's client, in the terms of the control channel."""
    return Identity(
        client_id=-attending.support_id,
        public_key=attending.public_key,
        state=State.ONLINE,
        fingerprint=attending.fingerprint,
        max_offline_minutes=0,
        ephemeral=True,
    )


class Customer:
    """One customer's client that is in. post: sends a message. end: closes the channel."""

    def __init__(
        self, gateway: Gateway, attending: Attending, public_ip: str, post: Post, end: End
    ) -> None:
        self._gateway, self._post, self._end = gateway, post, end
        self._support_id = attending.support_id
        self._position = Position(line=attending.seen)
        self._one_at_a_time = asyncio.Lock()
        self._actor = Actor(ActorKind.AGENT, f"support {self._support_id}", 0, public_ip)

    async def arrive(self) -> bool:
        """Note that the client is here; False when its session is over."""
        return bool(await self._call(customer.arrived, self._gateway.worker_id))

    async def leave(self) -> None:
        """Note that the client has gone."""
        await self._call(customer.departed, self._gateway.worker_id)

    async def look(self) -> None:
        """Send what the client has not heard yet."""
        async with self._one_at_a_time:
            said: Iterable[wire.ToCustomer]
            said, self._position = await self._call(customer.outgoing, self._position)
            for message in said:
                self._post(message)
                if isinstance(message, wire.SupportEnd):
                    self._end(NORMAL)

    async def hear(self, message: wire.AgentMessage) -> None:
        """Write down what the client says."""
        if isinstance(message, wire.SessionEnded):
            self._gateway.sessions.agent_ended(-self._support_id, message)
        elif isinstance(message, wire.Answer):
            await self._call(customer.answered, message)
        elif isinstance(message, wire.Chat):
            await self._call(customer.said, message.text)
        elif isinstance(message, wire.PinAnswer):
            await self._call(customer.pinned, message)
        elif isinstance(message, wire.SupportEnd):
            await self._call(customer.ended)

    async def _call(self, service: Callable[..., Any], *args: Any) -> Any:
        return await self._gateway.store.call_as(self._actor, service, self._support_id, *args)

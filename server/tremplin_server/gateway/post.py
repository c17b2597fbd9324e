"""A worker's share of sending e-mail: take what is due, carry it, note what became of it."""

from __future__ import annotations

import asyncio

from tremplin_server.config import Config
from tremplin_server.db import Work
from tremplin_server.gateway.store import Store
from tremplin_server.logging import logger
from tremplin_server.mail import service, smtp

INTERVAL_SECONDS = 5.0

_log = logger(__name__)


class Post:
    """Sends in a thread of its own, so that a slow mail server holds nobody up."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._config = config

    async def run(self) -> None:
        """Send for ever; returns at once when the site has no mail server."""
        while self._config.smtp_host:
            try:
                await self.deliver()
            except Exception:
                # The database is away; what was claimed comes up again.
                _log.exception("gateway.post")
            await asyncio.sleep(INTERVAL_SECONDS)

    async def deliver(self) -> int:
        """Send what is due now; return how many messages the mail server took."""
        count = 0
        for outgoing in await self._store.call(service.claim):
            try:
                await asyncio.to_thread(smtp.send, self._config, outgoing)
            except smtp.Refused as refused:
                _log.warning("mail.refused", mail=outgoing.id, error=str(refused))
                await self._store.call(_failed, outgoing.id, refused)
            else:
                await self._store.call(service.sent, outgoing.id)
                count += 1
        return count


def _failed(work: Work, number: int, refused: smtp.Refused) -> None:
    service.failed(work, number, str(refused), for_good=refused.for_good)

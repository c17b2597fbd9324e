"""Which bus a configuration asks for."""

from __future__ import annotations

from pathlib import Path

from tremplin_server.config import Config
from tremplin_server.db import Publisher
from tremplin_server.gateway.bus import Bus, LocalBus, SocketPublisher

# PostgreSQL's driver is imported where it is used: SQLite needs none of its memory.


def bus_socket(config: Config) -> Path:
    """Return where a server on SQLite takes notices from the `tremplin` command."""
    return config.data_dir / "run" / "bus.sock"


def bus_for(config: Config) -> Bus:
    """Return the bus of a worker."""
    if config.sqlite:
        return LocalBus(bus_socket(config))
    from tremplin_server.gateway.postgres_bus import PostgresBus

    return PostgresBus(config.effective_database_url)


def command_publisher(config: Config) -> Publisher:
    """Return where a command leaves notices for the workers that run, if any do."""
    if config.sqlite:
        return SocketPublisher(bus_socket(config))
    from tremplin_server.gateway.postgres_bus import NotifyPublisher

    return NotifyPublisher(config.effective_database_url)

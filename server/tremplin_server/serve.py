"""`tremplin serve`: gunicorn with uvicorn workers, TLS, one port for everything."""

from __future__ import annotations

import errno
import fcntl
import gc
import logging as std_logging
import os
import socket
import ssl
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from prometheus_client import multiprocess
from tremplin_agent import wire
from uvicorn.server import Server
from uvicorn_worker import UvicornWorker

from tremplin_server import logging, pki
from tremplin_server.asgi import Application
from tremplin_server.config import Config
from tremplin_server.errors import TremplinError
from tremplin_server.first_start import revisions
from tremplin_server.gateway.http import MULTIPROCESS_VARIABLE
from tremplin_server.gateway.tls import TlsListener
from tremplin_server.gateway.websocket import ControlWebSocket
from tremplin_server.shell import Site, pass_site

BACKLOG = 4096
"""A restarted server is dialled by all its agents within seconds."""

GRACEFUL_SECONDS = 30
CLOSE_SECONDS = 5
_GC_THRESHOLDS = (20_000, 20, 20)
WORKER_SILENCE_SECONDS = 60
LOCK_SECONDS = 10.0
_TICKS_PER_CHECK = 600
_PARENT_TICKS = 10
_SILENT_TICKS = 100
"""Ticks of uvicorn's main loop are a tenth of a second."""


@click.command("serve")
@click.option("--bind", help="Address to listen on; setting `bind` when not given.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port; setting `port`.")
@click.option("--workers", type=click.IntRange(1), help="Worker processes; setting `workers`.")
@pass_site
def serve(site: Site, bind: str | None, port: int | None, workers: int | None) -> None:
    """Run the server until it is told to stop.

    \b
    tremplin serve
    tremplin serve --workers 4
    """
    given = {"bind": bind, "port": port, "workers": workers}
    changes = {name: value for name, value in given.items() if value is not None}
    config = replace(site.config, **changes)  # type: ignore[arg-type]
    if config.workers > 1 and config.sqlite:
        raise TremplinError("server.sqlite_workers")
    _require_ready(site)
    _share_metrics(config)
    os.umask(0o077)
    logging.configure(config.log_level, config.log_format)
    lock = _lock(config) if config.sqlite else None
    _require_address(config)
    GunicornApplication(config).run()
    if lock is not None:
        os.close(lock)


def _require_ready(site: Site) -> None:
    """Raise TremplinError unless the database has this program's tables."""
    database = site.database
    found = revisions(database.engine)
    if found.current != found.newest:
        raise TremplinError(
            "server.not_migrated", current=found.current or "-", newest=found.newest or "-"
        )
    # The workers are forks: none may inherit a connection.
    database.engine.dispose()


def _share_metrics(config: Config) -> None:
    """Let several workers answer /metrics as one.

    prometheus-client looks for the directory when it is imported, hence the fresh start.
    """
    if config.workers > 1 and MULTIPROCESS_VARIABLE not in os.environ:
        os.environ[MULTIPROCESS_VARIABLE] = tempfile.mkdtemp(prefix="tremplin-metrics-")
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - ourselves


def _lock(config: Config) -> int:
    """Keep a second server off an SQLite database; its workers could not hear this one's."""
    run = config.data_dir / "run"
    run.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(run / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TremplinError("server.running", path=config.data_dir) from None
            # The workers of a server that was killed need a moment to notice.
            time.sleep(0.1)


def _require_address(config: Config) -> None:
    """Raise TremplinError when the address to listen on is not to be had."""
    family = socket.AF_INET6 if ":" in config.bind else socket.AF_INET
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            with socket.create_server((config.bind, config.port), family=family):
                return
        except OSError as error:
            # The workers of a server that was killed need a moment to notice.
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                address, detail = f"{config.bind}:{config.port}", os.strerror(error.errno or 0)
                raise TremplinError("server.address", address=address, detail=detail) from error
            time.sleep(0.1)


class GunicornApplication(BaseApplication):  # type: ignore[misc] # gunicorn has no types
    """gunicorn, configured by us alone: no file and no variable of its own is read."""

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__()

    def load_config(self) -> None:
        config = self.config
        host = f"[{config.bind}]" if ":" in config.bind else config.bind
        ports = (config.port, config.bastion_port) if config.bastion else (config.port,)
        settings = {
            "bind": [f"{host}:{port}" for port in ports],
            "workers": config.workers,
            "worker_class": TremplinWorker,
            "backlog": BACKLOG,
            "timeout": WORKER_SILENCE_SECONDS,
            "graceful_timeout": GRACEFUL_SECONDS,
            "logger_class": RootLogger,
            "loglevel": "warning",
            "control_socket_disable": True,
            "proc_name": "tremplin",
            "pre_fork": _pre_fork,
            "child_exit": _child_exit,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Application:
        return Application(self.config)


def _pre_fork(_arbiter: Arbiter, _worker: TremplinWorker) -> None:
    settle_memory()


def settle_memory() -> None:
    """Spare Python's collector what is there now: it lives as long as the process.

    Frozen, the collector of a worker does not touch it, its pages stay shared with the
    master, and no request waits for a walk through all of it.
    """
    gc.collect()
    gc.freeze()
    # Connections come by thousands and stay: looking through all of them at the usual rate
    # takes a twentieth of the processor while everybody comes back.
    gc.set_threshold(*_GC_THRESHOLDS)


def _child_exit(_arbiter: Arbiter, worker: TremplinWorker) -> None:
    if MULTIPROCESS_VARIABLE in os.environ:
        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


class RootLogger(Logger):  # type: ignore[misc] # gunicorn has no types
    """Leaves writing to our own logging."""

    def setup(self, cfg: Any) -> None:
        self.error_log.handlers[:] = []
        self.error_log.propagate = True
        self.error_log.setLevel(std_logging.WARNING)
        self.access_log.propagate = False


class TremplinWorker(UvicornWorker):  # type: ignore[misc] # uvicorn-worker has no types
    """A uvicorn worker whose WebSockets can be pinged, and that drains before it goes."""

    CONFIG_KWARGS: dict[str, Any] = {  # noqa: RUF012 - the parent's own form
        "loop": "uvloop",
        "http": "auto",
        "ws": ControlWebSocket,
        "ws_per_message_deflate": False,
        "ws_ping_interval": None,
        "ws_max_size": wire.MAX_FRAME,
        "lifespan": "on",
        "proxy_headers": False,
        "server_header": False,
        "access_log": False,
        "timeout_graceful_shutdown": CLOSE_SECONDS,
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("uvicorn.error", "uvicorn.access"):
            logger = std_logging.getLogger(name)
            logger.handlers[:] = []
            logger.propagate = True
            logger.setLevel(std_logging.WARNING)
        config: Config = self.app.config
        if config.tls:
            self.config.ssl_context_factory = lambda *_: self._tls(config)
        self._certificate: Path | None = None
        self._context: ssl.SSLContext | None = None

    async def _serve(self) -> None:
        self.config.app = self.wsgi
        self._take_over_tls()
        server = TremplinServer(self.config, self.wsgi, self._ready, self._renew)
        self._install_sigquit_handler()
        await server.serve(sockets=self._without_bastion())
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)

    def _without_bastion(self) -> list[Any]:
        """Return the listeners of HTTPS; the bastion's goes to the gateway.

        The master holds both, so that a second server on a taken port is refused, and a
        worker that follows another finds the connections that came in between.
        """
        config: Config = self.app.config
        if not config.bastion:
            return list(self.sockets)
        https, ssh = self.sockets
        self.wsgi.bastion_listener = socket.socket(fileno=os.dup(ssh.fileno()))
        return [https]

    def _ready(self) -> None:
        if self.age == 1:
            urls = " ".join(self.app.config.effective_public_urls)
            click.echo(f"Tremplin is ready at {urls}")
            sys.stdout.flush()

    def _take_over_tls(self) -> None:
        """Put our own TLS, made for thousands of idle agents, below uvicorn's HTTP."""
        self.config.load()
        self._context, self.config.ssl = self.config.ssl, None
        if self._context is not None:
            http, listener = self.config.http_protocol_class, TlsListener(self._context)
            self.config.http_protocol_class = lambda **state: listener(partial(http, **state))

    def _tls(self, config: Config) -> ssl.SSLContext:
        made = pki.site_pki(config)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(made.certificate_path, made.key_path)
        self._certificate = made.certificate_path
        self._loaded = made.certificate_path.stat().st_mtime_ns
        return context

    def _renew(self) -> None:
        """Renew a certificate that is due; use one that was replaced for new connections."""
        if self._certificate is None:
            return
        made = pki.site_pki(self.app.config)
        changed = made.certificate_path.stat().st_mtime_ns
        if changed != self._loaded and self._context is not None:
            self._context.load_cert_chain(made.certificate_path, made.key_path)
            self._loaded = changed


class TremplinServer(Server):
    """uvicorn's server, with a beginning, an end and a pulse of our own."""

    def __init__(
        self,
        config: Any,
        application: Application,
        ready: Callable[[], None],
        renew: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._application = application
        self._ready = ready
        self._renew = renew
        self._parent = os.getppid()
        self._silent: set[Any] = set()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def on_tick(self, counter: int) -> bool:
        if counter % _PARENT_TICKS == 0 and os.getppid() != self._parent:
            # The master was killed: nobody would restart or stop this worker.
            return True
        if counter % _SILENT_TICKS == _SILENT_TICKS - 1:
            self._end_silent()
        if counter % _TICKS_PER_CHECK == _TICKS_PER_CHECK - 1:
            with suppress(TremplinError, OSError, ssl.SSLError):
                # A certificate that is being replaced just now is read at the next check.
                self._renew()
        return await super().on_tick(counter)

    def _end_silent(self) -> None:
        """Close connections that asked for nothing since the last look, ten seconds ago.

        uvicorn ends idle connections after a request only; `cycle` is the last request.
        """
        silent = {c for c in self.server_state.connections if getattr(c, "cycle", c) is None}
        for connection in silent & self._silent:
            connection.transport.close()
        self._silent = silent - self._silent

    async def shutdown(self, sockets: Any = None) -> None:
        self._application.drain()
        await super().shutdown(sockets)

"""The gateway's few plain HTTP addresses: health, metrics, the CA, live tickets."""

from __future__ import annotations

import os
from ipaddress import ip_address

from flask import Blueprint, Flask, Response, current_app, request
from flask.typing import ResponseReturnValue
from flask_login import current_user
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from tremplin_agent.wire import CA_PATH

from tremplin_server import pages, pki, rest
from tremplin_server.errors import Denied, NotFound
from tremplin_server.gateway import live

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

probes = Blueprint("probes", __name__)
tickets = pages.blueprint("live", __name__)


def register(app: Flask) -> None:
    """Add these addresses to `app`."""
    app.register_blueprint(probes)
    app.register_blueprint(tickets)


@probes.get("/healthz")
def healthz() -> ResponseReturnValue:
    """Say that this process answers."""
    return {"status": "ok"}


@probes.get("/readyz")
def readyz() -> ResponseReturnValue:
    """Say whether this process can do its work: 200, or 503 without the database."""
    try:
        with rest.current_database().engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return {"status": "the database does not answer"}, 503
    return {"status": "ok"}


@probes.get("/metrics")
def metrics() -> ResponseReturnValue:
    """Answer Prometheus, from this machine only: who is here is nobody else's business."""
    address = request.remote_addr or ""
    if not address or not ip_address(address).is_loopback:
        raise Denied("auth.address", address=address)
    return Response(generate_latest(_registry()), content_type=CONTENT_TYPE_LATEST)


def _registry() -> CollectorRegistry:
    if MULTIPROCESS_VARIABLE not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


@probes.get(CA_PATH)
def ca() -> ResponseReturnValue:
    """Give the authority that agents pin; they check it against their key info."""
    config = rest.current_database().config
    if config.tls_certificate is None and not config.tls:
        raise NotFound("request.no_path", path=CA_PATH)
    pem = pki.site_pki(config).ca_pem
    if not pem:
        raise NotFound("request.no_path", path=CA_PATH)
    return Response(pem, mimetype="application/x-pem-file")


@tickets.post("/console/live-ticket")
def live_ticket() -> ResponseReturnValue:
    """Give the page of a signed-in user a ticket for the live WebSocket."""
    secret_key = str(current_app.config["SECRET_KEY"])
    return {"ticket": live.issue_ticket(secret_key, current_user.web_session)}

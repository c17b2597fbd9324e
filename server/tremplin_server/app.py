"""The composition root: makes the Flask application out of the features."""

from __future__ import annotations

import secrets
import time
from datetime import timedelta

import structlog
from flask import Flask, Response, g, request
from flask.typing import ResponseReturnValue
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_migrate import Migrate
from limits import RateLimitItemPerHour, RateLimitItemPerSecond
from tremplin_agent import __version__
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from tremplin_server import console, i18n, opening, pages, rest
from tremplin_server.accounts import api as accounts
from tremplin_server.accounts import key_api, tokens
from tremplin_server.audit import api as audit
from tremplin_server.clients import bulk_api as clients
from tremplin_server.clock import Clock, SystemClock
from tremplin_server.config import Config
from tremplin_server.db import Publisher, SilentPublisher, db
from tremplin_server.errors import Denied, TremplinError, Unavailable
from tremplin_server.gateway import http as probes
from tremplin_server.groups import api as groups
from tremplin_server.installers import api as installers
from tremplin_server.installers.links import PREFIX as LINKS
from tremplin_server.logging import logger
from tremplin_server.permissions import READ_PERMISSIONS, Actor, ActorKind, system_actor
from tremplin_server.policies import api as policies
from tremplin_server.sessions import api as sessions
from tremplin_server.sessions import approval_api, reach_api
from tremplin_server.sessions.upload import uploads
from tremplin_server.settings import api as settings
from tremplin_server.settings.overlay import EXTENSION as OVERLAY
from tremplin_server.shortcuts import api as shortcuts
from tremplin_server.status import api as status
from tremplin_server.support import api as support
from tremplin_server.support.keys import LINKS as SUPPORT_LINKS
from tremplin_server.updates import api as updates

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
MAX_BODY = 1024 * 1024
PROGRAM_PATHS = (rest.API_PREFIX, "/oauth2/", "/agent/", "/get_mech_list")
"""Below these an error is answered as a problem body, elsewhere as a page."""

_log = logger(__name__)


def create_app(
    config: Config, clock: Clock | None = None, publisher: Publisher | None = None
) -> Flask:
    """Return the application; its `Database` is `app.extensions["tremplin"]`.

    config: its secret key may be in the data directory instead. publisher: where notices go
    after a commit.
    """
    config = opening.with_secret_key(config)
    app = Flask("tremplin_server")
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.config.update(
        SECRET_KEY=config.secret_key or None,
        MAX_CONTENT_LENGTH=MAX_BODY,
        SQLALCHEMY_DATABASE_URI=opening.database_uri(config),
        SQLALCHEMY_ENGINE_OPTIONS=opening.engine_options(config),
        # Behind a proxy of ours it is the proxy that speaks TLS.
        SESSION_COOKIE_SECURE=config.tls or config.trusted_proxies > 0,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(hours=config.sign_in_hours),
    )
    if config.trusted_proxies:
        hops = config.trusted_proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops
        )
    _open_database(app, config, clock or SystemClock(), publisher or SilentPublisher())
    i18n.register(app, config.language)
    _register_request_hooks(app, config)
    _register_error_handlers(app)
    _register_features(app)
    return app


def _register_features(app: Flask) -> None:
    api = rest.make_api(app, __version__)
    for blueprint in (
        accounts.users,
        accounts.api_accounts,
        key_api.own_keys,
        groups.blp,
        groups.roles_blp,
        policies.jump_policies,
        policies.session_policies,
        installers.blp,
        installers.payload_blp,
        clients.blp,
        updates.blp,
        shortcuts.blp,
        sessions.blp,
        reach_api.known_hosts,
        reach_api.ssh_config,
        reach_api.bastion,
        approval_api.blp,
        settings.blp,
        audit.blp,
        status.blp,
        support.blp,
    ):
        api.register_blueprint(blueprint)
    app.register_blueprint(accounts.oauth)
    app.register_blueprint(uploads)
    console.register(app)
    probes.register(app)


def _open_database(app: Flask, config: Config, clock: Clock, publisher: Publisher) -> None:
    db.init_app(app)
    Migrate(app, db, directory=f"{app.root_path}/migrations", render_as_batch=True)
    with app.app_context():
        engine = db.engine
    database = opening.database_on(engine, config, clock, publisher)
    app.extensions[OVERLAY] = database.overlay
    app.extensions[rest.EXTENSION] = database


# --- every request --------------------------------------------------------------------


def _register_request_hooks(app: Flask, config: Config) -> None:
    budget = _Budget(app, config)

    @app.before_request
    def _start() -> None:
        g.request_id = secrets.token_hex(8)
        g.started = time.monotonic()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.before_request
    def _authenticate() -> None:
        if request.path.startswith(rest.API_PREFIX):
            _set_actor_from_bearer()
            budget.spend()

    @app.after_request
    def _finish(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.get("request_id", "")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        if config.tls_certificate is not None:
            # Not with our own authority: a browser that does not know it could not go on.
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        if request.path.startswith(rest.API_PREFIX):
            response.headers.setdefault("Cache-Control", "no-store")
            budget.tell(response)
        elapsed = round((time.monotonic() - g.get("started", time.monotonic())) * 1000, 1)
        _log.info(
            "request",
            method=request.method,
            path=_loggable_path(),
            status=response.status_code,
            milliseconds=elapsed,
        )
        return response


def _loggable_path() -> str:
    # The path of an installer's link, or of a session key's, is its secret.
    for secret in (LINKS, SUPPORT_LINKS):
        if request.path.startswith(secret):
            return f"{secret}…"
    return request.path


def _set_actor_from_bearer() -> None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise TremplinError("auth.required")
    with rest.current_database().work(system_actor("sign-in"), read_only=True) as work:
        actor = tokens.actor_of_token(work, token.strip(), request.remote_addr or "")
    rest.set_actor(actor)
    _require_api_rights(actor)


def _require_api_rights(actor: Actor) -> None:
    """Refuse at the door an account without rights, and a read_only one that would write."""
    if not actor.permissions:
        raise Denied("auth.denied", permission="configuration API")
    if request.method not in SAFE_METHODS and actor.permissions <= READ_PERMISSIONS:
        raise Denied("auth.denied", permission="configuration API, write")


class _Budget:
    """How many requests an API account may make; counted in this process."""

    def __init__(self, app: Flask, config: Config) -> None:
        limiter = Limiter(
            get_remote_address, app=app, storage_uri="memory://", strategy="moving-window"
        )
        self._strategy = limiter.limiter
        self._second = RateLimitItemPerSecond(config.api_requests_per_second)
        self._hour = RateLimitItemPerHour(config.api_requests_per_hour)

    def spend(self) -> None:
        """Count one request of the caller; Unavailable (request.too_many) when none is left."""
        for item in (self._second, self._hour):
            if not self._strategy.hit(item, *self._key()):
                reset = self._strategy.get_window_stats(item, *self._key()).reset_time
                error = Unavailable("request.too_many", seconds=max(1, int(reset - time.time())))
                error.retry_after = max(1, int(reset - time.time()))
                raise error

    def tell(self, response: Response) -> None:
        """Add the rate limit headers, when the caller is known."""
        if "tremplin_actor" not in g:
            return
        left = self._strategy.get_window_stats(self._hour, *self._key()).remaining
        response.headers["X-RateLimit-Limit"] = str(self._hour.amount)
        response.headers["X-RateLimit-Remaining"] = str(left)

    @staticmethod
    def _key() -> tuple[str, str]:
        actor = rest.current_actor()
        assert actor.kind is ActorKind.API_ACCOUNT, "only API accounts hold tokens"
        return actor.kind.value, str(actor.id)


# --- errors ---------------------------------------------------------------------------


def _register_error_handlers(app: Flask) -> None:
    @app.errorhandler(TremplinError)
    def _known(error: TremplinError) -> ResponseReturnValue:
        if error.entry.status >= 500:
            _log.error("error", code=error.code, detail=str(error))
        return rest.problem(error) if _for_program() else console.error_page(error)

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> ResponseReturnValue:
        if error.code is not None and error.code < 400:
            return error
        if _for_program():
            return rest.http_problem(error)
        known = rest.of_http(error)
        return console.error_page(known) if known else error

    @app.errorhandler(Exception)
    def _unknown(error: Exception) -> ResponseReturnValue:
        _log.error("unhandled", exc_info=error)
        told = TremplinError("request.internal", request_id=g.get("request_id", ""))
        return rest.problem(told) if _for_program() else console.error_page(told)


def _for_program() -> bool:
    # The scripts of our own pages ask for JSON.
    asks_for_json = request.accept_mimetypes.best == "application/json" or pages.is_part()
    return asks_for_json or request.path.startswith(PROGRAM_PATHS)

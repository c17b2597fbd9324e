"""Signing in at an OpenID provider: authorization code with PKCE, state and nonce.

Authlib speaks the protocol. What it found out is handed to `identities`, which decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import OAuth
from flask import (
    Flask,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_login import current_user
from joserfc.errors import JoseError

from tremplin_server import i18n, pages, rest
from tremplin_server.accounts import identities
from tremplin_server.accounts import pages as accounts
from tremplin_server.accounts.access_models import Way
from tremplin_server.accounts.identities import Told
from tremplin_server.config import Config
from tremplin_server.errors import Denied, NotFound, TremplinError
from tremplin_server.i18n import gettext as _
from tremplin_server.logging import logger

_CLIENT = "tremplin.oidc"
_TIMEOUT_SECONDS = 10
_NEXT = "oidc_next"
_CONNECT = "oidc_connect"
_FAILURES = (AuthlibBaseError, JoseError, KeyError, TypeError, ValueError, RuntimeError)
"""What Authlib raises when an answer of the provider is not as it must be."""

_log = logger(__name__)

blp = pages.blueprint("oidc_pages", __name__, signed_in=False)


def register(app: Flask, config: Config) -> None:
    """Make `app` a client of the site's provider, if there is one."""
    if not config.oidc_issuer:
        return
    app.extensions[_CLIENT] = OAuth(app).register(
        "site",
        client_id=config.oidc_client_id,
        client_secret=config.oidc_client_secret or None,
        server_metadata_url=f"{config.oidc_issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={
            "scope": " ".join(config.oidc_scopes),
            "code_challenge_method": "S256",
            "default_timeout": _TIMEOUT_SECONDS,
            "verify": str(config.oidc_ca) if config.oidc_ca else True,
        },
    )


def provider_name() -> str:
    """Return what the site calls its provider; empty without one."""
    return _config().oidc_name if _CLIENT in current_app.extensions else ""


def _config() -> Config:
    return rest.current_database().config


def _client() -> Any:
    found = current_app.extensions.get(_CLIENT)
    if found is None:
        raise NotFound("oidc.off")
    return found


@blp.get("/login/oidc")
def start() -> ResponseReturnValue:
    """Send the browser to the provider: to sign in, or to connect the account that is."""
    client = _client()
    connecting = "connect" in request.args and current_user.is_authenticated
    if connecting and not _asked_here():
        raise TremplinError("request.form_expired")
    if current_user.is_authenticated and not connecting:
        return redirect(accounts.local_path(request.args.get("next", "")))
    try:
        _check_issuer(client)
        answer = client.authorize_redirect(url_for("oidc_pages.back", _external=True))
    except (requests.RequestException, *_FAILURES) as error:
        return _refused(_told("oidc.unreachable", error))
    session[_NEXT] = request.args.get("next", "")
    session[_CONNECT] = current_user.actor.id if connecting else 0
    return cast(ResponseReturnValue, answer)


@blp.get("/login/oidc/back")
def back() -> ResponseReturnValue:
    """Take what the provider sends along, and let in whoever it recognised."""
    client = _client()
    connecting = session.pop(_CONNECT, 0)
    wanted = session.pop(_NEXT, "")
    try:
        told = _ask(client)
    except requests.RequestException as error:
        return _refused(_told("oidc.unreachable", error))
    except _FAILURES as error:
        return _refused(_told("oidc.refused", error))
    try:
        if connecting:
            return _connect(told, connecting)
        with accounts.asking(f"oidc {told.subject}"[:64]) as work:
            return accounts.go_on(work, identities.recognised(work, told), Way.OIDC, wanted)
    except TremplinError as error:
        return _refused(error)


def _connect(told: Told, user_id: int) -> ResponseReturnValue:
    """Bind the account that started this; nobody else may have signed in meanwhile."""
    if not current_user.is_authenticated or current_user.actor.id != user_id:
        raise Denied("auth.required")
    with rest.current_database().work(current_user.actor) as work:
        identities.connect(work, told)
    flash(_("Your account is connected."), "good")
    return redirect(url_for("own_pages.index"))


def _asked_here() -> bool:
    """Return whether a page of ours asked for this, not one of somebody else's."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    return (request.referrer or "").startswith(request.host_url)


def _check_issuer(client: Any) -> str:
    """Return the issuer; ValueError when it is not the one that the site trusts."""
    issuer = str(client.load_server_metadata()["issuer"])
    if issuer.rstrip("/") != _config().oidc_issuer.rstrip("/"):
        raise ValueError(f"the provider calls itself {issuer}")
    return _config().oidc_issuer


def _ask(client: Any) -> Told:
    """Redeem the code and return what the provider says, checked."""
    issuer = _check_issuer(client)
    token = client.authorize_access_token()
    claims: dict[str, Any] = dict(token["userinfo"])
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= identities.MAX_SUBJECT:
        raise ValueError("the subject cannot be kept")
    return Told(issuer, subject, {**_more_claims(client, token, subject), **claims})


def _more_claims(client: Any, token: Mapping[str, Any], subject: str) -> dict[str, Any]:
    """Return what the provider says only when it is asked again, such as roles."""
    if not client.load_server_metadata().get("userinfo_endpoint"):
        return {}
    more: dict[str, Any] = dict(client.userinfo(token=token))
    if more.get("sub") != subject:
        raise ValueError("the provider's two answers are about two people")
    return more


def _told(code: str, error: Exception) -> TremplinError:
    _log.warning("oidc", code=code, why=type(error).__name__, detail=str(error)[:500])
    return TremplinError(code, name=_config().oidc_name)


def _refused(error: TremplinError) -> ResponseReturnValue:
    """Say it where the person can go on: the account that is signed in, or the sign-in."""
    if current_user.is_authenticated:
        flash(error.text(i18n.language()), "wrong")
        return redirect(url_for("own_pages.index"))
    form, message = accounts.SignInForm(formdata=None), error.text(i18n.language())
    page = render_template("accounts/sign_in.html", form=form, message=message)
    return page, error.entry.status

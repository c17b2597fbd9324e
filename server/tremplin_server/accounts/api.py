"""The API of users and API accounts, and the OAuth2 token endpoint."""

from __future__ import annotations

from typing import Any

from flask import Blueprint as FlaskBlueprint
from flask import Response, jsonify, request
from flask.typing import ResponseReturnValue
from flask.views import MethodView

from tremplin_server import rest
from tremplin_server.accounts import programs, service, tokens
from tremplin_server.accounts.models import ApiAccount, User
from tremplin_server.accounts.schemas import (
    ApiAccountBody,
    ApiAccountChange,
    ApiAccountNew,
    ApiAccountQuery,
    ApiAccountSecret,
    UserBody,
    UserChange,
    UserNew,
    UserQuery,
)
from tremplin_server.errors import TremplinError
from tremplin_server.permissions import Actor, ActorKind

users = rest.blueprint("user", "/user")
api_accounts = rest.blueprint("api-account", "/api-account")
oauth = FlaskBlueprint("oauth", __name__)


@users.route("")
class Users(MethodView):
    """All users."""

    @users.arguments(UserQuery, location="query")
    @users.response(200, UserBody(many=True), headers=rest.PAGE_HEADERS)
    def get(self, filters: dict[str, Any]) -> Response:
        """List the users."""
        with rest.reading() as work:
            return rest.page(work, service.query(work, **filters), UserBody)

    @users.arguments(UserNew)
    @users.response(201, UserBody)
    def post(self, values: dict[str, Any]) -> Any:
        """Add a user."""
        values.pop("failed_logins", None)
        with rest.writing() as work:
            user = service.create(work, **values)
        return rest.created(user, f"/user/{user.id}")


@users.route("/<int:id>")
class OneUser(MethodView):
    """One user."""

    @users.response(200, UserBody)
    def get(self, id: int) -> User:
        """Return a user."""
        with rest.reading() as work:
            return service.get(work, id)

    @users.arguments(UserChange)
    @users.response(200, UserBody)
    def patch(self, values: dict[str, Any], id: int) -> User:
        """Change a user."""
        with rest.writing() as work:
            return service.update(work, id, values)

    @users.response(204)
    def delete(self, id: int) -> None:
        """Delete a user who is no administrator."""
        with rest.writing() as work:
            service.delete(work, id)


@api_accounts.route("")
class ApiAccounts(MethodView):
    """All API accounts."""

    @api_accounts.arguments(ApiAccountQuery, location="query")
    @api_accounts.response(200, ApiAccountBody(many=True), headers=rest.PAGE_HEADERS)
    def get(self, filters: dict[str, Any]) -> Response:
        """List the API accounts."""
        with rest.reading() as work:
            return rest.page(work, programs.query(work, **filters), ApiAccountBody)

    @api_accounts.arguments(ApiAccountNew)
    @api_accounts.response(201, ApiAccountSecret)
    def post(self, values: dict[str, Any]) -> Any:
        """Add an API account; its secret is told only here."""
        with rest.writing() as work:
            account, secret = programs.create(work, **values)
        return rest.created(_with_secret(account, secret), f"/api-account/{account.id}")


@api_accounts.route("/<int:id>")
class OneApiAccount(MethodView):
    """One API account."""

    @api_accounts.response(200, ApiAccountBody)
    def get(self, id: int) -> ApiAccount:
        """Return an API account."""
        with rest.reading() as work:
            return programs.get(work, id)

    @api_accounts.arguments(ApiAccountChange)
    @api_accounts.response(200, ApiAccountBody)
    def patch(self, values: dict[str, Any], id: int) -> ApiAccount:
        """Change an API account."""
        with rest.writing() as work:
            return programs.update(work, id, values)

    @api_accounts.response(204)
    def delete(self, id: int) -> None:
        """Delete an API account and its tokens."""
        with rest.writing() as work:
            programs.remove(work, id)


@api_accounts.route("/<int:id>/secret")
class ApiAccountRenewal(MethodView):
    """The secret of an API account."""

    @api_accounts.response(200, ApiAccountSecret)
    def post(self, id: int) -> dict[str, Any]:
        """Replace the secret; the old one and all tokens end at once."""
        with rest.writing() as work:
            return _with_secret(*programs.renew_secret(work, id))


def _with_secret(account: ApiAccount, secret: str) -> dict[str, Any]:
    columns = {column.key: getattr(account, column.key) for column in ApiAccount.__mapper__.columns}
    return {**columns, "client_secret": secret}


# --- OAuth2, RFC 6749 section 4.4 -----------------------------------------------------


@oauth.post("/oauth2/token")
def token() -> ResponseReturnValue:
    """Exchange client credentials, in Basic, form or JSON, for a Bearer token."""
    sent = _sent()
    if sent.get("grant_type") != "client_credentials":
        wrong = TremplinError("request.malformed", detail="grant_type=client_credentials")
        return _refusal(wrong, "unsupported_grant_type" if sent.get("grant_type") else None)
    client_id, secret = _credentials(sent)
    asking = Actor(ActorKind.SYSTEM, "sign-in", source_ip=request.remote_addr or "")
    try:
        with rest.current_database().work(asking) as work:
            issued = tokens.issue(work, client_id, secret, asking.source_ip)
    except TremplinError as error:
        return _refusal(error, "invalid_client")
    body = {"access_token": issued.token, "token_type": "Bearer", "expires_in": issued.expires_in}
    answer = jsonify(body)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _sent() -> dict[str, Any]:
    if request.form:
        return dict(request.form)
    body = request.get_json(force=True, silent=True)
    return body if isinstance(body, dict) else {}


def _credentials(sent: dict[str, Any]) -> tuple[str, str]:
    basic = request.authorization
    if basic is not None and basic.type == "basic":
        return basic.username or "", basic.password or ""
    return str(sent.get("client_id", "")), str(sent.get("client_secret", ""))


def _refusal(error: TremplinError, name: str | None) -> Response:
    answer = rest.problem(error)
    body = answer.get_json()
    answer.set_data(rest.to_json({**body, "error": name or "invalid_request"}))
    if error.entry.status == 401:
        answer.headers["WWW-Authenticate"] = 'Basic realm="tremplin"'
    return answer


@oauth.get("/get_mech_list")
def mechanisms() -> ResponseReturnValue:
    """Tell, without sign-in, how people sign in here; programs know the product by it."""
    return {
        "mechs": ["local"],
        "default_mech": "local",
        "company": request.host.partition(":")[0],
        "product": "ingredi",
    }

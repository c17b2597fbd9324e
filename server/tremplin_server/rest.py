"""The edge of the API: how requests are read, and how answers and errors are written.

Features make a blueprint with `blueprint`, open a unit of work with `reading` or
`writing`, and page their lists with `page`. This module imports no feature; `app.py` says
who the caller is (`set_actor`) before a view runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from http import HTTPStatus
from math import ceil
from threading import Lock
from typing import Any, cast
from urllib.parse import urlencode

import flask_smorest
import marshmallow as ma
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from flask import Flask, Response, current_app, g, jsonify, request
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate
from sqlalchemy import Select, func, select
from webargs.flaskparser import FlaskParser
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.routing import IntegerConverter

from tremplin_server.clock import rfc3339
from tremplin_server.db import Database, Work
from tremplin_server.errors import Invalid, TremplinError, Unavailable
from tremplin_server.i18n import language
from tremplin_server.permissions import Actor

API_PREFIX = "/api/config/v1"
MAX_ID = 2**31 - 1
DEFAULT_PER_PAGE = 100
EXTENSION = "tremplin"


# --- the request's surroundings -------------------------------------------------------


def current_database() -> Database:
    """Return the database of the running application."""
    return cast(Database, current_app.extensions[EXTENSION])


def set_actor(actor: Actor) -> None:
    """Say who makes this request; called once, before the view."""
    g.tremplin_actor = actor


def current_actor() -> Actor:
    """Return who makes this request; TremplinError (auth.required) when nobody is known."""
    actor = g.get("tremplin_actor")
    if actor is None:
        raise TremplinError("auth.required")
    return cast(Actor, actor)


@contextmanager
def reading() -> Iterator[Work]:
    """Open a unit of work of the caller that only reads."""
    with current_database().work(current_actor(), read_only=True) as work:
        yield work


@contextmanager
def writing() -> Iterator[Work]:
    """Open a unit of work of the caller; it commits when the block ends well."""
    with current_database().work(current_actor()) as work:
        yield work


# --- reading requests -----------------------------------------------------------------


class IdConverter(IntegerConverter):
    """`<int:…>` in a path: the ids that exist, 1 to 2^31 - 1; anything else is a 404."""

    def __init__(
        self,
        map: Any,
        fixed_digits: int = 0,
        min: int | None = 1,
        max: int | None = MAX_ID,
        signed: bool = False,
    ) -> None:
        super().__init__(map, fixed_digits, min, max, signed)


_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def _check_texts(data: Mapping[str, Any]) -> None:
    """Refuse what no database can store as text: NUL and lone surrogates."""
    wrong = [name for name, value in data.items() if _unstorable(value)]
    if wrong:
        raise Invalid({_printable(name): ["Not a valid string."] for name in wrong})


def _unstorable(value: Any) -> bool:
    if isinstance(value, str):
        return _UNSTORABLE.search(value) is not None
    if isinstance(value, Mapping):
        return any(_unstorable(part) for pair in value.items() for part in pair)
    if isinstance(value, list):
        return any(_unstorable(part) for part in value)
    return False


def _printable(name: str) -> str:
    return name.encode("ascii", "backslashreplace").decode()


class _Parser(FlaskParser):
    """Reads JSON whatever its Content-Type, and unknown fields as the site wants."""

    def parse(
        self,
        argmap: Any,
        req: Any = None,
        *,
        location: str | None = None,
        unknown: str | None = None,
        **options: Any,
    ) -> Any:
        strict = current_database().config.strict
        return super().parse(
            argmap, req, location=location, unknown=ma.RAISE if strict else ma.EXCLUDE, **options
        )

    def load_json(self, req: Any, schema: ma.Schema) -> Any:
        body = req.get_data(cache=True)
        if not body.strip():
            return {}
        data = req.get_json(force=True, silent=True)
        if data is None:
            raise TremplinError("request.malformed", detail="JSON")
        if not isinstance(data, dict):
            raise TremplinError("request.malformed", detail="JSON object")
        _check_texts(data)
        return data

    def load_querystring(self, req: Any, schema: ma.Schema) -> MultiDict[str, str]:
        _check_texts(req.args)
        return cast("MultiDict[str, str]", super().load_querystring(req, schema))

    def handle_error(self, error: ma.ValidationError, req: Any, schema: ma.Schema, **_: Any) -> Any:
        messages = _messages(error)
        # webargs groups the messages by location; the API's error bag is flat.
        flat = {k: v for part in messages.values() for k, v in part.items()}
        raise Invalid({name: _texts(value) for name, value in flat.items()})


def _messages(error: ma.ValidationError) -> dict[str, Any]:
    return cast(dict[str, Any], error.normalized_messages())  # type: ignore[no-untyped-call]


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [f"{key}: {text}" for key, part in value.items() for text in _texts(part)]
    return [str(text) for text in value]


class Integer(fields.Integer):
    """An integer of a JSON body: a number, never a string with a number in it."""

    def __init__(self, *, minimum: int = 1, maximum: int = MAX_ID, **options: Any) -> None:
        checks = options.pop("validate", None) or validate.Range(min=minimum, max=maximum)
        super().__init__(strict=True, validate=checks, **options)


class Boolean(fields.Boolean):
    """A truth value of a JSON body: true or false, nothing that looks like it."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> Any:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Timestamp(fields.DateTime):
    """RFC 3339 with `Z` or `+00:00`; written to the second with `+00:00`."""

    _FORM = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|\+00:00)", re.ASCII)

    def _serialize(self, value: Any, attr: Any, obj: Any, **options: Any) -> Any:
        return rfc3339(value)

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> datetime:
        if not isinstance(value, str) or not self._FORM.fullmatch(value):
            raise self.make_error("invalid", input=value, obj_type="datetime")
        try:
            moment = datetime.fromisoformat(value.upper())
        except ValueError as error:
            raise self.make_error("invalid", input=value, obj_type="datetime") from error
        if moment.utcoffset() != timedelta(0):
            raise self.make_error("invalid", input=value, obj_type="datetime")
        return moment


class FullMatch(validate.Regexp):
    """The whole text matches. marshmallow's own lets a line feed pass before `$`."""

    def __call__(self, value: Any) -> Any:
        if not isinstance(value, str) or re.fullmatch(str(self.regex.pattern), value) is None:
            raise ma.ValidationError(self._format_error(value))
        return value


class Query(ma.Schema):
    """Base of every list's filters: paging is documented here and read by `page`.

    The loaded dictionary holds the filters only, ready to be a service's keywords.
    """

    per_page = fields.Integer(validate=validate.Range(min=5, max=100))
    current_page = fields.Integer(validate=validate.Range(min=1, max=MAX_ID))

    @ma.post_load
    def _without_paging(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {k: v for k, v in data.items() if k not in ("per_page", "current_page")}


class ErrorBody(ma.Schema):
    """What an error looks like; `errors` stands in a 422 only."""

    message = fields.String(required=True)
    code = fields.String(required=True)
    errors = fields.Dict(keys=fields.String(), values=fields.List(fields.String()))


def _document_errors(doc: dict[str, Any], _info: Any, **_: Any) -> dict[str, Any]:
    """Say in the documentation what every operation may answer besides its success."""
    answers = doc.setdefault("responses", {})
    for status in ("401", "403", "404", "405", "409", "422", "429"):
        answers.setdefault(status, HTTPStatus(int(status)).name)
    return doc


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc] # the package has no types
    """A feature's part of the API."""

    ARGUMENTS_PARSER = _Parser()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._prepare_doc_cbks.append(_document_errors)


class _Converter(OpenAPIConverter):
    """Documents schemas as open: unknown fields are ignored, unless the site is strict."""

    def schema2jsonschema(self, schema: ma.Schema) -> dict[str, Any]:
        found: dict[str, Any] = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call]
        if found.get("additionalProperties") is False:
            del found["additionalProperties"]
        return found


class _Plugin(MarshmallowPlugin):
    Converter = _Converter


class Api(flask_smorest.Api):  # type: ignore[misc] # the package has no types
    """Collects the blueprints; errors are the application's.

    Their documentation is written when it is asked for first: it takes longer than all the rest
    of an application's start, and neither a command nor most servers are ever asked.
    """

    ERROR_SCHEMA = ErrorBody

    def __init__(self, *args: Any, **options: Any) -> None:
        self._undocumented: list[Blueprint] = []
        self._writing = Lock()
        super().__init__(*args, **options)

    def _register_error_handlers(self) -> None:
        return None

    def register_blueprint(self, blp: Blueprint) -> None:
        """Serve a feature's part of the API."""
        self._app.extensions["flask-smorest"]["blp_name_to_api"][blp.name] = self
        self._app.register_blueprint(blp)
        self._undocumented.append(blp)

    def documentation(self) -> APISpec:
        """Return the OpenAPI document of all that is served."""
        with self._writing:
            while self._undocumented:
                blp = self._undocumented[0]
                blp.register_views_in_doc(
                    self, self._app, self.spec, name=blp.name, parameters=None
                )
                self.spec.tag({"name": blp.name, "description": blp.description})
                del self._undocumented[0]
        found: APISpec = self.spec
        return found


def blueprint(name: str, url: str) -> Blueprint:
    """Return a blueprint of the API. url: below API_PREFIX, such as `/user`."""
    return Blueprint(name, name, url_prefix=API_PREFIX + url)


def make_api(app: Flask, version: str) -> Api:
    """Attach the API to `app`: paths' ids are bounded and OpenAPI 3 is served."""
    app.url_map.converters["int"] = IdConverter
    app.config.update(API_TITLE="Tremplin", API_VERSION=version, OPENAPI_VERSION="3.0.3")
    bearer = {
        "type": "oauth2",
        "flows": {"clientCredentials": {"tokenUrl": "/oauth2/token", "scopes": {}}},
    }
    api = Api(
        app,
        spec_kwargs={
            "marshmallow_plugin": _Plugin(),
            "components": {"securitySchemes": {"api_account_auth": bearer}},
            "security": [{"api_account_auth": []}],
        },
    )
    app.add_url_rule(
        f"{API_PREFIX}/openapi.json", "openapi_json", lambda: api.documentation().to_dict()
    )
    app.add_url_rule(
        f"{API_PREFIX}/openapi.yaml",
        "openapi_yaml",
        lambda: Response(api.documentation().to_yaml(), mimetype="application/yaml"),
    )
    return api


def to_json(body: Any) -> str:
    """Return `body` as the JSON text of an answer."""
    return current_app.json.dumps(body)


# --- writing answers ------------------------------------------------------------------

PAGE_HEADERS = {
    "Link": {"schema": {"type": "string"}},
    "X-BT-Pagination-Current-Page": {"schema": {"type": "integer", "minimum": 1}},
    "X-BT-Pagination-Last-Page": {"schema": {"type": "integer", "minimum": 1}},
    "X-BT-Pagination-Per-Page": {"schema": {"type": "integer", "minimum": 5, "maximum": 100}},
    "X-BT-Pagination-Total": {"schema": {"type": "integer", "minimum": 0}},
}
"""For `@blp.response(200, Schema(many=True), headers=rest.PAGE_HEADERS)`."""


def page(
    work: Work,
    query: Select[Any],
    schema: ma.Schema | type[ma.Schema],
    present: Callable[[Any], Any] | None = None,
) -> Response:
    """Answer one page of `query` as a bare JSON array with the paging headers.

    query: of one entity, in a definite order. present: turns a row into what `schema`
    dumps. Raises Invalid when per_page or current_page is wrong.
    """
    per_page, current = _paging()
    counted = select(func.count()).select_from(query.order_by(None).subquery())
    total = work.session.scalar(counted) or 0
    rows = work.session.scalars(query.limit(per_page).offset((current - 1) * per_page)).all()
    made = schema() if isinstance(schema, type) else schema
    answer = jsonify(made.dump([present(row) if present else row for row in rows], many=True))
    last = max(1, ceil(total / per_page))
    answer.headers["Link"] = _links(per_page, current, last)
    answer.headers["X-BT-Pagination-Current-Page"] = str(current)
    answer.headers["X-BT-Pagination-Last-Page"] = str(last)
    answer.headers["X-BT-Pagination-Per-Page"] = str(per_page)
    answer.headers["X-BT-Pagination-Total"] = str(total)
    return answer


def _paging() -> tuple[int, int]:
    wanted = {k: request.args[k] for k in ("per_page", "current_page") if k in request.args}
    try:
        values = _PAGING.load(wanted)
    except ma.ValidationError as error:
        messages = _messages(error)
        raise Invalid({name: _texts(value) for name, value in messages.items()}) from error
    return values.get("per_page", DEFAULT_PER_PAGE), values.get("current_page", 1)


_PAGING = ma.Schema.from_dict(
    {name: Query._declared_fields[name] for name in ("per_page", "current_page")}
)()


def _links(per_page: int, current: int, last: int) -> str:
    def link(number: int, rel: str) -> str:
        args = [
            (k, v) for k, v in request.args.items(True) if k not in ("per_page", "current_page")
        ]
        args += [("per_page", str(per_page)), ("current_page", str(number))]
        return f'<{request.base_url}?{urlencode(args)}>; rel="{rel}"'

    parts = [link(1, "first")]
    if current > 1:
        parts.append(link(min(current - 1, last), "previous"))
    if current < last:
        parts.append(link(current + 1, "next"))
    return ", ".join([*parts, link(last, "last")])


def created(body: Any, url: str) -> tuple[Any, int, dict[str, str]]:
    """Return what a view answers after a creation: 201 and where the new thing is.

    url: below API_PREFIX.
    """
    return body, 201, {"Location": API_PREFIX + url}


# --- errors ---------------------------------------------------------------------------


def problem(error: TremplinError) -> Response:
    """Return the answer that tells `error` to a program."""
    body: dict[str, Any] = {
        "message": error.text(language()),
        "code": error.code,
        **error.details(),
    }
    headers: dict[str, str] = {}
    if error.entry.status == 401:
        body = {"error": "access_denied", **body}
        headers["WWW-Authenticate"] = 'Bearer realm="tremplin"'
    if isinstance(error, Invalid):
        body["message"] = error.entry.fr if language() == "fr" else error.entry.en
        body["errors"] = error.fields_in(language())
    if isinstance(error, Unavailable):
        headers["Retry-After"] = str(error.retry_after)
    answer = jsonify(body)
    answer.status_code = error.entry.status
    answer.headers.update(headers)
    return answer


_HTTP_CODES = {
    400: "request.malformed",
    404: "request.no_path",
    405: "request.method",
    413: "request.too_large",
}


def of_http(error: HTTPException) -> TremplinError | None:
    """Return the catalogue's error for one that Flask or Werkzeug raised, if there is one."""
    code = _HTTP_CODES.get(error.code or 500)
    if code is None:
        return None
    return TremplinError(code, path=request.path, detail=error.description or "")


def http_problem(error: HTTPException) -> ResponseReturnValue:
    """Answer an error of Flask or Werkzeug, with the headers it brings (Allow)."""
    known = of_http(error)
    if known is None:
        body = {"message": error.description or "", "code": "request.invalid"}
        return body, error.code or 500
    answer = problem(known)
    for name, value in error.get_headers():
        if name == "Allow":
            answer.headers[name] = value
    return answer

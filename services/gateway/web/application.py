"""The Flask application: routes, refusals, headers, log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import orjson
import structlog
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask, Response, g, request
from flask.json.provider import JSONProvider
from flask_smorest import Api
from marshmallow import Schema
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter
from werkzeug.wrappers import Response as AnyResponse

from services.gateway.http.refusals import InternalError
from services.gateway.ports import EXTENSION, Ports
from services.gateway.web.pages.documents import documents
from services.gateway.web.pages.mail_pages import mail_pages
from services.gateway.web.responses.answers import API_HEADERS, NOT_STORED, Verification, request_id_of
from services.gateway.web.responses.flask_responses import flask_response
from services.gateway.web.responses.problems import HTTP_CODES, problem_response
from services.gateway.web.routes import AUDIENCES, desk
from services.gateway.web.schemas.problem import Problem
from shared.eventstore.context import caused_by
from shared.kernel.errors import DomainError
from shared.kernel.identifiers import MAX_NUMBER
from shared.observability import metrics

log = structlog.get_logger()

MAX_BODY = 1024 * 1024
_DESCRIPTION = """The platform of the culture pass: apps, cultural actors, ticketing software, staff, finance.

Every refusal of `/v1` is a problem document (RFC 9457); its `code` is listed with each route and explained under
`/problems`. Lists are `{items, nextCursor}`. Amounts are integer cents, instants UTC, days civil days in Paris.
Writes take an `Idempotency-Key`; resources that carry a version answer with an `ETag`.
"""


def up_to(most: int) -> str:
    """A pattern of the positive integers up to ``most``, without leading zeros."""
    digits = str(most)
    smaller = [f"{digits[:at]}[{int(at == 0)}-{int(digit) - 1}][0-9]{{{len(digits) - at - 1}}}"
               for at, digit in enumerate(digits) if int(digit) > int(at == 0)]  # fmt: skip
    return "|".join([f"[1-9][0-9]{{0,{len(digits) - 2}}}", *smaller, digits])


class Number(BaseConverter):
    """A positive integer in a path; anything else is an unknown address.

    The pattern is exact: a value refused later would answer 405 instead of 404 to other methods.
    """

    regex = f"(?:{up_to(MAX_NUMBER)})"

    def to_python(self, value: str) -> int:
        return int(value)


class Word(BaseConverter):
    """A name, a code or an identifier that is not a number."""

    regex = "[A-Za-z0-9._~-]{1,100}"


class FastJson(JSONProvider):
    def dumps(self, obj: Any, **_: Any) -> str:
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> Response:
        return Response(orjson.dumps(self._prepare_response_obj(args, kwargs)), mimetype="application/json")


class Application(Flask):
    """Gives every request an id, which is the correlation id of all events and messages that follow from it."""

    def wsgi_app(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request_id = request_id_of(environ)
        environ["passculture.request_id"] = request_id
        with caused_by(request_id, request_id):
            return super().wsgi_app(environ, start_response)


class Interface(Api):
    """flask-smorest's OpenAPI, with problem documents for its errors."""

    DEFAULT_ERROR_RESPONSE_NAME = None
    ERROR_SCHEMA = Problem

    def _register_error_handlers(self) -> None:
        """The application's own handlers answer every error."""


def create_application(ports: Ports, *, verify_answers: Verification = "off") -> Flask:
    """All routes over one set of ports. ``verify_answers``: see ``endpoints.audience``."""
    app = Application("services.gateway", static_folder=None)
    app.json = FastJson(app)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.url_map.converters.update(number=Number, word=Word)
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_BODY,
        API_TITLE="Culture pass",
        API_VERSION="1",
        OPENAPI_VERSION="3.1.0",
        API_SPEC_OPTIONS={"info": {"description": _DESCRIPTION}, "servers": [{"url": "/"}]},
        PROPAGATE_EXCEPTIONS=False,
        VERIFY_ANSWERS=verify_answers,
    )
    app.extensions[EXTENSION] = ports
    interface = Interface(app, spec_kwargs={"marshmallow_plugin": MarshmallowPlugin(schema_name_resolver=_schema_name)})
    describe(interface)
    for audience in AUDIENCES:
        interface.register_blueprint(audience)
    app.register_blueprint(documents(interface.spec.to_dict()))
    app.register_blueprint(mail_pages())
    answer_errors(app)
    app.before_request(_begin)
    app.after_request(_finish)
    return app


def describe(interface: Interface) -> None:
    interface.register_converter(Number, lambda _: {"type": "integer", "minimum": 1, "maximum": MAX_NUMBER})
    interface.register_converter(Word, lambda _: {"type": "string", "pattern": f"^{Word.regex}$"})
    # Problem itself is registered already: flask-smorest documents every status with ERROR_SCHEMA
    interface.spec.components.security_scheme(
        "token",
        {
            "type": "http",
            "scheme": "bearer",
            "description": "The access token of a sign-in; at the desk also an API key of the structure.",
        },
    )


def _schema_name(schema: type[Schema]) -> str:
    """The class's name in the document; empty, for a schema without a class of its own, inlines it."""
    cls = schema if isinstance(schema, type) else type(schema)  # apispec also passes instances
    return "" if cls.__name__ in ("GeneratedSchema", "Empty") else cls.__name__


def answer_errors(app: Flask) -> None:
    """Every refusal becomes a problem document, or an error of the partners' format at the desk."""

    @app.errorhandler(DomainError)
    def refused(error: DomainError) -> Response:
        return refusal_response(error)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> AnyResponse:
        if error.code is None or error.code < 400:
            return error.get_response()
        response = refusal_response(_as_refusal(error))
        for name, value in error.get_headers():
            if name in ("Allow", "Retry-After"):
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        log.error("request failed", method=request.method, path=request.path, error=repr(error), exc_info=error)
        return refusal_response(InternalError())


class _HttpRefusal(DomainError):
    def __init__(self, status: int, code: str) -> None:
        super().__init__()
        self.status = status  # type: ignore[misc]  # Flask's status, known at run time only
        self.code = code  # type: ignore[misc]


def _as_refusal(error: HTTPException) -> DomainError:
    status = error.code or 500
    code = HTTP_CODES.get(status, "bad-request" if status < 500 else "internal-error")
    return _HttpRefusal(status, code)


def refusal_response(error: DomainError) -> Response:
    if desk.is_desk_path(request.path):
        return flask_response(desk.refusal_response(error, request.path))
    return flask_response(problem_response(error))


def _begin() -> None:
    g.started = time.perf_counter()
    g.replayed = False
    g.idempotency_key = None
    g.caller = None


def _finish(response: Response) -> Response:
    """Adds the headers of every answer, and writes one line of the log."""
    request_id = request.environ["passculture.request_id"]
    response.headers["X-Request-Id"] = request_id
    for name, value in API_HEADERS.items():
        response.headers.setdefault(name, value)
    if g.get("replayed"):
        response.headers["Idempotency-Replayed"] = "true"
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = NOT_STORED
    _record(response.status_code)
    return response


def _record(status: int) -> None:
    """The log has the path; the metric has the route, of which there are few."""
    seconds = time.perf_counter() - g.started
    route = request.url_rule.rule if request.url_rule else "none"
    metrics.requests.labels(request.method if route != "none" else "any", route, status).observe(seconds)
    milliseconds = round(seconds * 1000, 1)
    log.info("request", method=request.method, path=request.path, status=status, milliseconds=milliseconds)

"""How a route says what it takes, answers and refuses with; the OpenAPI document is made of the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ContextDecorator
from dataclasses import replace
from functools import wraps
from http import HTTPStatus
from typing import Any, TypedDict, Unpack

import orjson
from flask import Response, current_app, g, request
from flask_smorest import Blueprint
from marshmallow import Schema

from services.gateway.web.answers import said, verify
from services.gateway.web.calls import ask, send
from services.gateway.web.cursors import page_of
from services.gateway.web.fields import Nothing
from services.gateway.web.inputs import IF_MATCH, NOTHING_SUPPLIED, Supplied, query_fields, reading
from services.gateway.web.parser import StrictParser
from services.gateway.web.problems import MEDIA_TYPE, PROBLEMS, response_of
from services.gateway.web.security import admit
from shared.contracts.calls.contract import ANYONE, Authority, Command, Contract, Data, Query
from shared.kernel.errors import Invalid, PreconditionFailed
from shared.kernel.identifiers import MAX_NUMBER

View = Callable[..., Any]


class RouteOptions(TypedDict, total=False):
    """Those of ``endpoint`` that ``forwards`` passes on."""

    access: Authority | None
    answers: tuple[int, type[Schema] | None]
    refuses: Sequence[str]
    key_required: bool


class Sending(TypedDict, total=False):
    batched: bool
    seconds: float


_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_ETAG = re.compile(r'"([0-9]{1,18})"')

MOST_PARTS = 4
"""Of a form with a file: one more than any takes, so that what is too much is named."""

EVERY_ROUTE = ("bad-request", "internal-error", "unavailable")
WITH_BODY = ("bad-json", "unsupported-media-type", "too-large", "invalid")
WITH_KEY = ("idempotency-key-invalid", "idempotency-key-reused", "request-in-progress", "outcome-pending")

KEY_PARAMETER = {
    "in": "header",
    "name": "Idempotency-Key",
    "description": "The same key and body give the same answer for ever, with `Idempotency-Replayed: true`.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
}
IF_MATCH_PARAMETER = {
    "in": "header",
    "name": "If-Match",
    "description": "The `ETag` of the version that was read; an older one is refused with 412.",
    "required": False,
    "schema": {"type": "string"},
}
IF_NONE_MATCH_PARAMETER = {
    "in": "header",
    "name": "If-None-Match",
    "description": "The `ETag` of what is kept: 304 while it still holds.",
    "required": False,
    "schema": {"type": "string"},
}
FIELD_ERRORS = {
    "type": "object",
    "description": "Field → what is wrong with it.",
    "additionalProperties": {"type": "array", "items": {"type": "string"}},
}
"""In the partners' format, of the query."""


class KeyRequired(Invalid):
    code = "idempotency-key-required"


class KeyInvalid(Invalid):
    code = "idempotency-key-invalid"


class Stale(PreconditionFailed):
    code = "precondition-failed"


class Audience(Blueprint):
    """The routes that one kind of client uses."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, name: str, description: str) -> None:
        super().__init__(name, __name__, description=description)
        self._prepare_doc_cbks.append(self._prepare_headers_doc)

    def endpoint(
        self,
        method: str,
        rule: str,
        *,
        command: type[Command] | None = None,
        query: type[Query] | type[Data] | type[Schema] | None = None,
        body: type[Data] | type[Schema] | None = None,
        supplied: Supplied = NOTHING_SUPPLIED,
        access: Authority | None = None,
        answers: tuple[int, type[Schema] | None] = (200, None),
        media_type: str | None = None,
        refuses: Sequence[str] = (),
        key_required: bool = False,
        if_match: bool = False,
        kept: str | None = None,
        upload: int | None = None,
    ) -> Callable[[View], View]:
        """Registers a view: who may come, what it takes, what it answers, and the codes of its own refusals.

        ``command`` or ``query`` is the contract of the call that the view makes: its fields are the path's arguments,
        the body or the query string, and ``If-Match``; its authority and its refusals are the route's. The view gets
        one instance of it. ``body`` and ``query`` may be other data, where a route and a call differ. ``supplied``:
        fields that the gateway fills in itself, and no client sees. ``access`` narrows the contract's authority.

        Anyone's POST accepts an Idempotency-Key and ignores it; a signed-in caller's writes pass it on.
        ``media_type`` is for answers that are not JSON. ``kept``: the Cache-Control of an answer that clients may keep
        and revalidate. ``upload``: the body is a form with a file, of at most so many bytes in all.
        """
        contract = command or (query if query is not None and issubclass(query, Contract) else None)
        access = _narrowed(access, contract)
        if contract is not None:
            refuses = (*contract.REFUSES, *refuses)
            if_match = if_match or any(bound.name == IF_MATCH for bound in contract.FIELDS)
        writes = method != "GET"
        keyed = writes and not access.anyone
        takes_body = writes and method != "DELETE"
        form = body if body is not None and issubclass(body, Schema) else None
        in_body = command if takes_body and command is not None else body
        in_query = query if query is not None else None if takes_body else command

        def register(view: View) -> View:
            decorated = view
            if form is not None or (takes_body and in_body is None):
                schema = form or Nothing
                location = "json" if upload is None else "files"
                needed = any(field.required for field in schema().fields.values())
                decorated = self.arguments(schema, required=needed, location=location)(_drop_empty(decorated, form))
            elif takes_body and in_body is not None and issubclass(in_body, Data):
                decorated = reading(decorated, in_body, "json", rule, supplied)
            if in_query is not None and issubclass(in_query, Schema):
                decorated = self.arguments(in_query, location="query")(decorated)
            elif in_query is not None:
                decorated = reading(decorated, in_query, "query", rule, supplied)
            status, schema_out = answers
            decorated = self._answering(decorated, status, schema_out, media_type)
            if kept is not None:
                decorated = _kept(decorated, kept)
                _also_answers(decorated, 304, "Not Modified")
            takes_query = in_query is not None and bool(query_fields(in_query, rule, supplied))
            codes = _codes(refuses, access, takes_body, takes_query, keyed, key_required, if_match, rule)
            headers = [
                *([{**KEY_PARAMETER, "required": key_required}] if keyed else []),
                *([IF_MATCH_PARAMETER] if if_match else []),
                *([IF_NONE_MATCH_PARAMETER] if kept is not None else []),
            ]
            decorated = self._described(decorated, access, headers)
            self._refusing(decorated, codes)
            decorated = _admitting(decorated, access, keyed, key_required, if_match, upload)
            routed: View = self.route(rule, methods=[method], endpoint=view.__name__)(decorated)
            return routed

        return register

    def forwards(
        self,
        method: str,
        rule: str,
        call: type[Command] | type[Query],
        *,
        summary: str = "",
        operation: str = "",
        keyed: bool = True,
        batched: bool = False,
        seconds: float | None = None,
        supplied: Supplied = NOTHING_SUPPLIED,
        **options: Unpack[RouteOptions],
    ) -> None:
        """Registers a route that only passes one call on. A query with a cursor becomes a list of pages.

        ``summary`` replaces the contract's own sentence, ``operation`` its name, where two routes make one call.
        ``keyed=False``: the outcome is not stored under the caller's key, because it holds a secret.
        """
        sending = Sending(batched=batched) if seconds is None else Sending(batched=batched, seconds=seconds)
        lists = any(bound.name == "cursor" for bound in call.FIELDS)

        def view(made: Any) -> Any:
            if not keyed:
                g.idempotency_key = None
            if isinstance(made, Command):
                return send(made, **sending) or {}
            if lists:
                shown = query_fields(call, rule, supplied)
                return page_of(made, shown, lambda query: ask(query, **sending))
            return ask(made, **sending)

        view.__name__ = operation or call.NAME.replace("-", "_")
        view.__doc__ = summary or call.__doc__
        if issubclass(call, Command):
            self.endpoint(method, rule, command=call, supplied=supplied, **options)(view)
        else:
            options["refuses"] = [*options.get("refuses", ()), *(["cursor-invalid"] if lists else [])]
            self.endpoint(method, rule, query=call, supplied=supplied, **options)(view)

    def desk_endpoint(
        self,
        method: str,
        rule: str,
        *,
        answers: tuple[int, type[Schema] | None],
        refuses: Mapping[int, str],
        error: type[Schema],
        admits: ContextDecorator,
        query: type[Data] | None = None,
    ) -> Callable[[View], View]:
        """Registers a view of the partners' format: ``refuses`` says the keys of the error for each status.

        ``admits`` finds out who asks, and counts failures of that; a body is of no account.
        """

        def register(view: View) -> View:
            status, schema_out = answers
            decorated = view if query is None else reading(view, query, "query", rule, NOTHING_SUPPLIED)
            decorated = admits(self._answering(decorated, status, schema_out, None))
            decorated = self.doc(security=[{"token": []}])(decorated)
            for refused, keys in {**refuses, 500: "global", 503: "global"}.items():
                description = f"{HTTPStatus(refused).phrase}: key {keys}"
                _also_answers(decorated, refused, description, FIELD_ERRORS if refused == 400 else error())
            routed: View = self.route(rule, methods=[method], endpoint=view.__name__)(decorated)
            return routed

        return register

    def _answering(self, view: View, status: int, schema: type[Schema] | None, media_type: str | None) -> View:
        described: View
        if media_type is not None:
            described = self.response(status, {"type": "string"}, content_type=media_type)(view)
        elif schema is None:
            described = self.response(status)(_empty(view, status))
        else:
            described = self.response(status, schema)(_answered(view, status, schema))
        return described

    @staticmethod
    def _refusing(view: View, codes: Sequence[str]) -> None:
        by_status: dict[int, list[str]] = {}
        for code in codes:
            by_status.setdefault(PROBLEMS[code].status, []).append(code)
        for status, listed in sorted(by_status.items()):
            description = f"{HTTPStatus(status).phrase}: " + ", ".join(f"`{code}`" for code in listed)
            _also_answers(view, status, description, problem_schema(listed), MEDIA_TYPE)

    def _described(self, view: View, access: Authority, headers: list[dict[str, Any]]) -> View:
        described: dict[str, Any] = {"security": [] if access.anyone else [{"token": []}]}
        if access.roles:
            described["x-role"] = " ".join(sorted(access.roles))
        view = self.doc(**described)(view)
        view._apidoc["headers"] = headers  # type: ignore[attr-defined]  # flask-smorest keeps what it documents there
        return view

    def _prepare_headers_doc(self, doc: dict[str, Any], info: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Request headers stand beside the parameters of the query."""
        if info.get("headers"):
            doc["parameters"] = [*doc.get("parameters", []), *info["headers"]]
        return doc


def _also_answers(
    view: View,
    status: int,
    description: str,
    schema: Schema | dict[str, Any] | None = None,
    media_type: str | None = None,
) -> None:
    """Documents an answer. flask-smorest's own decorator copies all that was documented before, and stays in the way of
    each request: with eight a route, that was a seventh of the process's start."""
    answer = {"description": description, "content_type": media_type} | ({} if schema is None else {"schema": schema})
    view._apidoc["response"]["responses"].setdefault(status, []).append(answer)  # type: ignore[attr-defined]


def problem_schema(codes: Sequence[str]) -> dict[str, Any]:
    """A problem document whose code is one of these."""
    return {
        "allOf": [{"$ref": "#/components/schemas/Problem"}, {"properties": {"code": {"enum": list(codes)}}}],
    }


def _narrowed(access: Authority | None, contract: type[Contract] | None) -> Authority:
    """The route's authority: the contract's without its services and API keys, or less. Anyone's without a contract."""
    if contract is None:
        return access or ANYONE
    if access is None:
        access = replace(contract.BY, platform=False, api_keys=False)
        assert len(access.roles) <= 1, f"{contract.NAME} has several roles: say which one comes this way"
    allowed = contract.BY
    assert allowed.anyone or (allowed.accounts and not access.anyone) or access.roles <= allowed.roles, contract.NAME
    assert access.anyone or access.accounts or access.roles, f"nobody may make {contract.NAME} over HTTP"
    return access


def _codes(
    refuses: Sequence[str],
    access: Authority,
    takes_body: bool,
    takes_query: bool,
    keyed: bool,
    key_required: bool,
    if_match: bool,
    rule: str,
) -> list[str]:
    """What a route can be refused with, by what it takes; no code twice."""
    codes = [*EVERY_ROUTE, *refuses]
    codes += [] if access.anyone else ["unauthorized", "token-invalid"]
    codes += ["forbidden"] if access.roles else []
    codes += WITH_BODY if takes_body else []
    codes += ["invalid"] if takes_query else []
    codes += WITH_KEY if keyed else []
    codes += ["idempotency-key-required"] if key_required else []
    codes += ["precondition-failed"] if if_match else []
    codes += ["not-found"] if "<" in rule else []
    return list(dict.fromkeys(codes))


def _admitting(
    view: View, access: Authority, keyed: bool, key_required: bool, if_match: bool, upload: int | None
) -> View:
    """Before anything is parsed: who asks, the key, the version; only who may send a large body may send it."""

    @wraps(view)
    def admitting(**path: Any) -> Any:
        g.replayed, g.idempotency_key, g.if_match = False, None, None
        admit(access)
        if keyed:
            g.idempotency_key = idempotency_key(required=key_required)
        if if_match:
            g.if_match = if_match_version()
        if upload is not None:
            request.max_content_length, request.max_form_parts = upload, MOST_PARTS
        return view(**path)

    return admitting


def _kept(view: View, cache_control: str) -> View:
    @wraps(view)
    def kept(*args: Any, **path: Any) -> Any:
        response = view(*args, **path)
        response.headers["Cache-Control"] = cache_control
        return unless_known(response)

    return kept


def idempotency_key(*, required: bool) -> str | None:
    """Raises KeyRequired or KeyInvalid."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        if required:
            raise KeyRequired("send an Idempotency-Key, a new one for each new request")
        return None
    if not is_key(key.strip()):
        raise KeyInvalid("an Idempotency-Key has 1 to 200 visible ASCII characters")
    return key.strip()


def is_key(text: str) -> bool:
    """Whether it can be an Idempotency-Key."""
    return _KEY.fullmatch(text) is not None


def if_match_version() -> int | None:
    """The version that ``If-Match`` names; None without one or with ``*``. Raises Stale for what is none of ours."""
    header = request.headers.get("If-Match", "").strip()
    if header in ("", "*"):
        return None
    found = _ETAG.fullmatch(header)
    version = int(found.group(1)) if found else 0
    if not 1 <= version <= MAX_NUMBER:
        raise Stale("If-Match is not the ETag of this resource")
    return version


def version_read() -> dict[str, int]:
    """What a command of a route with ``if_match`` is told: the version that the caller read, when it named one."""
    return {} if g.if_match is None else {"ifMatch": g.if_match}


def _drop_empty(view: View, body: type[Schema] | None) -> View:
    """A route without a body of its own does not get the empty one."""
    if body is not None:
        return view

    @wraps(view)
    def without(_nothing: dict[str, Any], *args: Any, **path: Any) -> Any:
        return view(*args, **path)

    return without


def _empty(view: View, status: int) -> View:
    @wraps(view)
    def empty(*args: Any, **path: Any) -> Response:
        view(*args, **path)
        return Response(status=status)

    return empty


def _answered(view: View, status: int, schema: type[Schema]) -> View:
    """The owner's answer as it came, with its version as a strong ETag.

    Answers are not copied through their schema, which would cost more than the rest of a request: the schema is what
    is documented, and ``VERIFY_ANSWERS`` compares (every unit test: an error; a simulated clock: a line of the log).
    """

    @wraps(view)
    def answered(*args: Any, **path: Any) -> Any:
        answer = view(*args, **path)
        verification = current_app.config["VERIFY_ANSWERS"]
        if isinstance(answer, Response):
            if verification != "off" and answer.status_code == status:
                verify(schema, orjson.loads(answer.data), verification, request.path)
            return answer
        verify(schema, answer, verification, request.path)
        return response_of(said(answer, status))

    return answered


def ready(json: bytes) -> Response:
    """An answer that was kept as it is sent."""
    return Response(json, mimetype="application/json")


def unless_known(response: Response) -> Response:
    """304 where ``If-None-Match`` has the response's tag. ``If-Match`` is for writes, and of no account here."""
    response.add_etag()
    asked = {name: value for name, value in request.environ.items() if name != "HTTP_IF_MATCH"}
    response.make_conditional(asked)
    response.headers.pop("Date", None)  # werkzeug's; the server says it of every answer
    return response

"""How a route declares what it takes, answers and refuses with. The OpenAPI document is made of the same."""

from __future__ import annotations

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

from services.gateway.web.endpoints.calls import DEFAULT_SECONDS, ask, send
from services.gateway.web.endpoints.documentation import (
    FIELD_ERRORS,
    IF_MATCH_PARAMETER,
    IF_NONE_MATCH_PARAMETER,
    KEY_PARAMETER,
    Takes,
    View,
    document_answer,
    document_refusals,
    refusal_codes,
)
from services.gateway.web.requests.headers import idempotency_key, if_match_version
from services.gateway.web.requests.inputs import (
    IF_MATCH,
    NOTHING_SUPPLIED,
    Location,
    Supplied,
    query_fields,
    reading,
)
from services.gateway.web.requests.security import admit
from services.gateway.web.responses.answers import json_response, verify
from services.gateway.web.responses.cursors import page_of
from services.gateway.web.responses.flask_responses import conditional, flask_response
from services.gateway.web.schemas.bodies import Empty
from services.gateway.web.schemas.desk import DeskError
from shared.contracts.calls.contract import ANYONE, Authority, Command, Contract, Data, Query


class RouteOptions(TypedDict, total=False):
    """Options of ``endpoint`` that ``forwards`` passes on."""

    supplied: Supplied
    access: Authority | None
    answers: tuple[int, type[Schema] | None]


MAX_FORM_PARTS = 4
"""Of a form with a file: one more than any form has, so that the refusal names the part that is too much."""


class Audience(Blueprint):
    """The routes that one kind of client uses."""

    def __init__(self, name: str, description: str) -> None:
        super().__init__(name, __name__, description=description)
        self._prepare_doc_cbks.append(self._prepare_headers_doc)

    def endpoint(
        self,
        method: str,
        rule: str,
        *,
        command: type[Command] | None = None,
        query: type[Query] | type[Data] | None = None,
        body: type[Data] | None = None,
        supplied: Supplied = NOTHING_SUPPLIED,
        access: Authority | None = None,
        answers: tuple[int, type[Schema] | None] = (200, None),
        media_type: str | None = None,
        refuses: Sequence[str] = (),
        key_required: bool = False,
        cache_control: str | None = None,
        upload: int | None = None,
    ) -> Callable[[View], View]:
        """Registers a view: who may call it, what it takes, what it answers, and the codes of its own refusals.

        ``command`` or ``query`` is the contract of the call that the view makes. Its fields come from the path, the
        body or the query string, and ``If-Match``; its authority and its refusals are the route's. The view gets one
        instance of it. ``body`` and ``query`` may be other data, where a route and a call differ. ``supplied``: fields
        that the gateway fills in itself, hidden from clients. ``access`` narrows the contract's authority.

        Routes that need no token accept an Idempotency-Key and ignore it; the others pass it on with their writes.
        ``media_type``: of answers that are not JSON. ``cache_control``: of answers that clients may store and
        revalidate. ``upload``: the body is a form with a file, of at most so many bytes in all.
        """
        contract = command or (query if query is not None and issubclass(query, Contract) else None)
        access = _narrowed(access, contract)
        refuses = (*contract.REFUSES, *refuses) if contract is not None else refuses
        if query is not None and query.has_field("cursor"):
            refuses = (*refuses, "cursor-invalid")
        writes = method != "GET"
        takes_key = writes and not access.anyone
        takes_body = writes and method != "DELETE"
        in_query = query if query is not None else None if takes_body else command

        def register(view: View) -> View:
            decorated = view
            if takes_body:
                location: Location = "json" if upload is None else "files"
                decorated = reading(decorated, command or body or Empty, location, rule, supplied)
            if in_query is not None:
                decorated = reading(decorated, in_query, "query", rule, supplied)
            status, schema_out = answers
            decorated = self._answering(decorated, status, schema_out, media_type)
            if cache_control is not None:
                decorated = _cacheable(decorated, cache_control)
                document_answer(decorated, 304, "Not Modified")
            takes = Takes(
                body=takes_body,
                query=in_query is not None and bool(query_fields(in_query, rule, supplied)),
                key=takes_key,
                key_required=key_required,
                if_match=contract is not None and contract.has_field(IF_MATCH),
            )
            headers = [
                *([{**KEY_PARAMETER, "required": key_required}] if takes.key else []),
                *([IF_MATCH_PARAMETER] if takes.if_match else []),
                *([IF_NONE_MATCH_PARAMETER] if cache_control is not None else []),
            ]
            decorated = self._described(decorated, access, headers)
            document_refusals(decorated, refusal_codes(refuses, access, takes, rule))
            decorated = _admitting(decorated, access, takes, upload)
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
        seconds: float = DEFAULT_SECONDS,
        **options: Unpack[RouteOptions],
    ) -> None:
        """Registers a route that only forwards one call. A query with a cursor becomes a list of pages.

        ``summary`` replaces the contract's docstring, ``operation`` its name, where two routes make one call.
        ``keyed=False``: the outcome is not stored under the caller's key, because it holds a secret.
        """

        def view(made: Any) -> Any:
            if not keyed:
                g.idempotency_key = None
            if isinstance(made, Command):
                return send(made, seconds=seconds) or {}
            if call.has_field("cursor"):
                shown = query_fields(call, rule, options.get("supplied", NOTHING_SUPPLIED))
                return page_of(made, shown, lambda query: ask(query, seconds=seconds))
            return ask(made, seconds=seconds)

        view.__name__ = operation or call.NAME.replace("-", "_")
        view.__doc__ = summary or call.__doc__
        if issubclass(call, Command):
            self.endpoint(method, rule, command=call, **options)(view)
        else:
            self.endpoint(method, rule, query=call, **options)(view)

    def desk_endpoint(
        self,
        method: str,
        rule: str,
        *,
        answers: tuple[int, type[Schema] | None],
        refuses: Mapping[int, str],
        admits: ContextDecorator,
        query: type[Data] | None = None,
    ) -> Callable[[View], View]:
        """Registers a view in the partners' format. ``refuses`` lists the keys of the error for each status.

        ``admits`` authenticates the caller and limits guessing. A body is ignored.
        """

        def register(view: View) -> View:
            status, schema_out = answers
            decorated = view if query is None else reading(view, query, "query", rule, NOTHING_SUPPLIED)
            decorated = admits(self._answering(decorated, status, schema_out, None))
            decorated = self.doc(security=[{"token": []}])(decorated)
            for refused, keys in {**refuses, 500: "global", 503: "global"}.items():
                description = f"{HTTPStatus(refused).phrase}: key {keys}"
                document_answer(decorated, refused, description, FIELD_ERRORS if refused == 400 else DeskError())
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

    def _described(self, view: View, access: Authority, headers: list[dict[str, Any]]) -> View:
        described: dict[str, Any] = {"security": [] if access.anyone else [{"token": []}]}
        if access.roles:
            described["x-role"] = " ".join(sorted(access.roles))
        view = self.doc(**described)(view)
        view._apidoc["headers"] = headers  # type: ignore[attr-defined]  # where flask-smorest keeps documentation
        return view

    def _prepare_headers_doc(self, doc: dict[str, Any], info: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Lists request headers beside the parameters of the query."""
        if info.get("headers"):
            doc["parameters"] = [*doc.get("parameters", []), *info["headers"]]
        return doc


def _narrowed(access: Authority | None, contract: type[Contract] | None) -> Authority:
    """The authority of a route: the contract's, without services and API keys, or less; anyone's without a contract."""
    if contract is None:
        return access or ANYONE
    if access is None:
        access = replace(contract.BY, platform=False, api_keys=False)
        assert len(access.roles) <= 1, f"{contract.NAME} has several roles: name one with access="
    allowed = contract.BY
    assert allowed.anyone or (allowed.accounts and not access.anyone) or access.roles <= allowed.roles, contract.NAME
    assert access.anyone or access.accounts or access.roles, f"nobody may make {contract.NAME} over HTTP"
    return access


def _admitting(view: View, access: Authority, takes: Takes, upload: int | None) -> View:
    """Authenticates the caller and reads the headers before the body: only a permitted caller may send a large one."""

    @wraps(view)
    def admitting(**path: Any) -> Any:
        g.replayed, g.idempotency_key, g.if_match = False, None, None
        admit(access)
        if takes.key:
            g.idempotency_key = idempotency_key(required=takes.key_required)
        if takes.if_match:
            g.if_match = if_match_version()
        if upload is not None:
            request.max_content_length, request.max_form_parts = upload, MAX_FORM_PARTS
        return view(**path)

    return admitting


def _cacheable(view: View, cache_control: str) -> View:
    @wraps(view)
    def cacheable(*args: Any, **path: Any) -> Any:
        response = view(*args, **path)
        response.headers["Cache-Control"] = cache_control
        return conditional(response)

    return cacheable


def _empty(view: View, status: int) -> View:
    @wraps(view)
    def empty(*args: Any, **path: Any) -> Response:
        view(*args, **path)
        return Response(status=status)

    return empty


def _answered(view: View, status: int, schema: type[Schema]) -> View:
    """The owner's answer unchanged, with its version as a strong ETag.

    Answers are not serialised through their schema, which would cost more than the rest of a request. Instead
    ``VERIFY_ANSWERS`` compares both: a difference is an error in unit tests, and is logged with a simulated clock.
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
        return flask_response(json_response(answer, status))

    return answered

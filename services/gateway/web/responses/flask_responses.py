"""Responses for Flask."""

from __future__ import annotations

from flask import Response, request

from services.gateway.web.responses.answers import RawResponse


def flask_response(raw: RawResponse) -> Response:
    return Response(raw.body, status=raw.status, mimetype=raw.media_type, headers=dict(raw.headers))


def json_body(body: bytes) -> Response:
    """A response of JSON that is encoded already."""
    return Response(body, mimetype="application/json")


def file_response(content: str | bytes, media_type: str, name: str) -> Response:
    """A file to download."""
    response = Response(content.encode() if isinstance(content, str) else content, mimetype=media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def conditional(response: Response) -> Response:
    """Adds an ETag, and becomes 304 where ``If-None-Match`` has it. ``If-Match`` is for writes: it is ignored."""
    response.add_etag()
    environ = {name: value for name, value in request.environ.items() if name != "HTTP_IF_MATCH"}
    response.make_conditional(environ)
    response.headers.pop("Date", None)  # werkzeug's: the server adds its own to every response
    return response

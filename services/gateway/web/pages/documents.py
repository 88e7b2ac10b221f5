"""The documents of the HTTP API and of the messages, their pages, and a page for each problem code.

The pages load nothing from other hosts.
"""

from __future__ import annotations

from html import escape
from importlib.resources import files
from typing import Any

import orjson
from flask import Blueprint, Response, abort

from services.gateway.web.responses.flask_responses import conditional
from services.gateway.web.responses.problems import PROBLEMS, Problem

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGES = files("services.gateway.web.pages")
_MEDIA_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css", "json": "application/json"}


def documents(openapi: dict[str, Any]) -> Blueprint:
    """``/openapi.json``, ``/asyncapi.json``, their pages under ``/docs``, ``/problems`` and ``/problems/<code>``."""
    blueprint = Blueprint("documents", __name__)
    document = orjson.dumps(with_operation_ids(openapi))

    @blueprint.get("/openapi.json")
    def openapi_json() -> Response:
        return _cacheable(Response(document, mimetype="application/json"))

    @blueprint.get("/asyncapi.json")
    def asyncapi_json() -> Response:
        return _page("asyncapi.json")

    @blueprint.get("/")
    def front() -> Response:
        return Response(status=302, headers={"Location": "/docs"})

    @blueprint.get("/docs")
    def docs() -> Response:
        return _page("docs.html")

    @blueprint.get("/docs/messages")
    def messages() -> Response:
        return _page("messages.html")

    @blueprint.get("/docs/<any('docs.js', 'docs.css'):name>")
    def part(name: str) -> Response:
        return _page(name)

    @blueprint.get("/problems")
    def problems() -> Response:
        return _html("Problems", "".join(_row(problem) for problem in sorted(PROBLEMS.values(), key=_by_status)))

    @blueprint.get("/problems/<code>")
    def problem(code: str) -> Response:
        known = PROBLEMS.get(code)
        if known is None:
            abort(404)
        return _html(known.title, _explanation(known, openapi))

    return blueprint


def with_operation_ids(openapi: dict[str, Any]) -> dict[str, Any]:
    """Adds operation ids, from which client generators name their functions."""
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            if isinstance(operation, dict) and "responses" in operation:
                words = [word for word in path.replace(".", "/").split("/") if word]
                operation["operationId"] = "-".join([method, *(word.strip("{}<>").replace("_", "-") for word in words)])
    return openapi


def _by_status(problem: Problem) -> tuple[int, str]:
    return problem.status, problem.code


def _row(problem: Problem) -> str:
    return (
        f'<p><code>{problem.status}</code> <a href="{problem.uri}"><code>{escape(problem.code)}</code></a> '
        f"{escape(problem.title)}</p>"
    )


def _explanation(problem: Problem, openapi: dict[str, Any]) -> str:
    met = "".join(f"<li><code>{escape(route)}</code></li>" for route in routes_refusing_with(problem.code, openapi))
    where = f"<h2>Where it occurs</h2><ul>{met}</ul>" if met else ""
    return (
        f"<p><code>{problem.status}</code> <code>{escape(problem.code)}</code></p>"
        f"<p>{escape(problem.meaning)}</p>{where}<p><a href='/problems'>All problems</a></p>"
    )


def routes_refusing_with(code: str, openapi: dict[str, Any]) -> list[str]:
    """``METHOD path`` of the routes whose documentation lists the code."""
    return [
        f"{method.upper()} {path}"
        for path, operations in openapi["paths"].items()
        for method, operation in operations.items()
        if isinstance(operation, dict) and code in documented_codes(operation)
    ]


def documented_codes(operation: dict[str, Any]) -> set[str]:
    """The problem codes of all the responses of an operation."""
    codes: set[str] = set()
    for response in operation.get("responses", {}).values():
        for content in response.get("content", {}).values():
            for part in content.get("schema", {}).get("allOf", []):
                codes.update(part.get("properties", {}).get("code", {}).get("enum", []))
    return codes


def _page(name: str) -> Response:
    content = _PAGES.joinpath(name).read_bytes()
    media_type = _MEDIA_TYPES[name.rsplit(".", 1)[1]]
    return _cacheable(Response(content, mimetype=media_type))


def _html(title: str, body: str) -> Response:
    page = _PAGES.joinpath("page.html").read_text("utf-8").replace("{title}", escape(title)).replace("{body}", body)
    return _cacheable(Response(page, content_type="text/html; charset=utf-8"))


def _cacheable(response: Response) -> Response:
    """Its content changes with a release only."""
    response.headers["Cache-Control"] = "public, max-age=300"
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return conditional(response)

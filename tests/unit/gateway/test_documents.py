"""The documentation matches the application: routes, statuses, codes, pages."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from typing import Any

import pytest

import docs.generate
import services
from docs import asyncapi
from services.gateway.web.pages.documents import documented_codes
from services.gateway.web.responses.problems import HTTP_CODES, PROBLEMS
from shared.kernel.errors import DomainError

DOCUMENTS = {"/openapi.json", "/asyncapi.json"}
MAIL_PAGES = {"/confirmer", "/mot-de-passe"}
UNDOCUMENTED = {
    *DOCUMENTS,
    *MAIL_PAGES,
    "/",
    "/docs",
    "/docs/messages",
    "/docs/{name}",
    "/problems",
    "/problems/{code}",
}
"""Pages for people, and the documents themselves."""


@pytest.fixture
def document(platform: Any) -> dict[str, Any]:
    answer = platform.client.get("/openapi.json")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    return json.loads(answer.data)


def test_the_served_asyncapi_document_is_the_generated_one(platform: Any) -> None:
    answer = platform.client.get("/asyncapi.json")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.data == (docs.generate.DOCS / "asyncapi.json").read_bytes()
    assert json.loads(answer.data) == asyncapi.document()


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if isinstance(operation, dict) and "responses" in operation
    ]


def as_template(rule: str) -> str:
    return re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule)


def test_the_openapi_document_lists_exactly_the_routes(platform: Any, document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    served = {
        (method.lower(), as_template(rule.rule))
        for rule in platform.app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    documented = {(method, path) for method, path, _ in operations(document)}
    assert documented == {(method, path) for method, path in served if path not in UNDOCUMENTED}


def test_the_promised_routes_are_documented(document: dict[str, Any]) -> None:
    promised = {
        "post": "/v1/accounts /v1/accounts/confirm-email /v1/auth/sign-in /v1/auth/refresh /v1/auth/sign-out "
        "/v1/auth/password-reset /v1/auth/password-reset/confirm /v1/me/phone-code /v1/me/phone-code/confirm "
        "/v1/me/identity-check /v1/bookings /v1/me/bookings/{booking_id}/cancel /v1/pro/accounts "
        "/v1/pro/offerers/{offerer_id}/venues /v1/pro/offerers/{offerer_id}/bank-details "
        "/v1/pro/venues/{venue_id}/bank-details /v1/pro/venues/{venue_id}/offers /v1/pro/offers/{offer_id}/stocks "
        "/v1/finance/payouts/preview /v1/finance/payouts /v1/finance/payouts/{batch_id}/sent /v1/ops/clock "
        "/v1/finance/payouts/{batch_id}/rejections /v1/ops/settle /v1/staff/offerers/{offerer_id}/validate",
        "get": "/v1/me /v1/me/credit /v1/me/credit/entries /v1/offers /v1/offers/{offer_id} /v1/subcategories "
        "/v1/settings /v1/me/bookings /v1/me/bookings/{booking_id} /v1/me/bookings/{booking_id}/qr.svg "
        "/v1/pro/offerers /v1/pro/reimbursements /v1/pro/reimbursements.csv /v1/pro/bookings /v1/pro/bookings.csv "
        "/v2/bookings/token/{token} /public/bookings/v1/token/{token} /v1/staff/offerers /v1/staff/attachments "
        "/v1/staff/offers /v1/staff/bank-details /v1/staff/identity-checks /v1/finance/events "
        "/v1/finance/payouts/{batch_id}/transfers.xml /v1/finance/payouts/{batch_id}/details.csv "
        "/v1/finance/establishments/{establishment}/years/{year} /v1/finance/reconciliation /health/ready",
        "patch": "/v1/me/profile /v1/pro/venues/{venue_id} /v1/pro/offers/{offer_id} /v1/pro/stocks/{stock_id} "
        "/v2/bookings/use/token/{token} /v2/bookings/keep/token/{token} /v2/bookings/cancel/token/{token}",
        "delete": "/v1/me /v1/pro/stocks/{stock_id}",
    }
    missing = {
        (method, path)
        for method, paths in promised.items()
        for path in paths.split()
        if method not in document["paths"].get(path, {})
    }
    assert missing == set()


def test_every_route_documents_its_summary_and_statuses(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        where = f"{method} {path}"
        assert operation["summary"].endswith((".", ".")), where
        assert any(status.startswith("2") for status in operation["responses"]), where
        assert "500" in operation["responses"], where
        if operation["security"] and path.startswith("/v1"):
            assert "401" in operation["responses"], where
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= operation["responses"].keys(), where
        if "{" in path:
            assert "404" in operation["responses"], where
        if "x-role" in operation:
            assert "forbidden" in documented_codes(operation), where


def test_every_refusal_of_v1_documents_its_codes(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        for status, response in operation["responses"].items():
            if path.startswith(("/v2", "/public")) or int(status) < 400:
                continue
            assert list(response["content"]) == ["application/problem+json"], f"{method} {path} {status}"
            codes = documented_codes({"responses": {status: response}})
            assert codes, f"{method} {path} {status}"
            assert {PROBLEMS[code].status for code in codes} == {int(status)}, f"{method} {path} {status}"


def test_every_error_code_has_a_page(platform: Any) -> None:
    for module in pkgutil.walk_packages(services.__path__, "services."):
        if ".migrations" not in module.name:
            importlib.import_module(module.name)
    errors = [kind for kind in descendants(DomainError) if kind.__module__.startswith(("services.", "shared."))]
    codes = {kind.code for kind in errors if isinstance(kind.__dict__.get("code"), str)}
    assert codes - PROBLEMS.keys() == set()
    for code in codes:
        # the routes of the desk may answer the same code with another status
        assert PROBLEMS[code].status in {kind.status for kind in errors if kind.__dict__.get("code") == code}, code
    assert set(HTTP_CODES.values()) <= PROBLEMS.keys()
    assert platform.client.get("/problems/no-such-code").status_code == 404
    for problem in PROBLEMS.values():
        page = platform.client.get(problem.uri)
        assert page.status_code == 200 and problem.code in page.text, problem.code


def descendants(kind: type) -> set[type]:
    return {kind, *(found for child in kind.__subclasses__() for found in descendants(child))}


def test_the_pages_load_nothing_from_other_hosts(platform: Any) -> None:
    for path in ("/docs", "/docs/messages", "/docs/docs.js", "/docs/docs.css", "/problems", "/problems/not-found"):
        page = platform.client.get(path)
        assert page.status_code == 200
        assert "://" not in page.text.replace("http://www.w3.org", ""), path
        assert "'unsafe" not in page.headers["Content-Security-Policy"]
        again = platform.client.get(path, headers={"If-None-Match": page.headers["ETag"]})
        assert again.status_code == 304


def test_every_reference_of_the_document_resolves(document: dict[str, Any]) -> None:
    for reference in re.findall(r'"\$ref":\s*"#/([^"]+)"', json.dumps(document)):
        found: Any = document
        for part in reference.split("/"):
            found = found[part]
        assert found, reference


def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))

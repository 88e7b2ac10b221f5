"""Uploads of documents (multipart/form-data): validated, limited in size, passed to payout as bytes."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from shared.kernel.errors import Refused
from tests.french import objection

PATH = "/v1/pro/bank-details/4/documents"
PDF = b"%PDF-1.7 statement %%EOF"
DOCUMENT = {
    "documentId": 9,
    "bankDetailsId": 4,
    "kind": "rib",
    "mediaType": "application/pdf",
    "size": len(PDF),
    "sha256": "0" * 64,
    "addedAt": "2021-11-02T09:00:00Z",
}


def post(platform: Any, parts: dict[str, Any], headers: dict[str, str], path: str = PATH) -> Any:
    boundary, body = encode_multipart(parts)
    media_type = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return platform.client.post(path, data=body, headers={**headers, **media_type})


def form(content: bytes = PDF, **more: Any) -> dict[str, Any]:
    return {"kind": "rib", "file": FileStorage(io.BytesIO(content), "relevé.pdf"), **more}


def test_a_document_reaches_payout_as_base64(platform: Any, signed_in: Any) -> None:
    platform.answers("payout", "add-document", DOCUMENT)
    answer = post(platform, form(), signed_in("pro"))
    assert (answer.status_code, answer.json) == (201, DOCUMENT)
    assert platform.called("add-document") == [
        {"bankDetailsId": 4, "kind": "rib", "content": base64.b64encode(PDF).decode()}
    ]


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"kind": "rib"}, "file"),
        ({"kind": "rib", "file": "not a file"}, "file"),
        (form(kind="passport"), "kind"),
        (form(name="x"), "name"),
        (form(kind=["rib", "kbis"]), "body"),
        ({"kind": "rib", "file": [FileStorage(io.BytesIO(PDF), "a"), FileStorage(io.BytesIO(PDF), "b")]}, "body"),
    ],
    ids=["no file", "text for a file", "kind", "unknown part", "kind twice", "file twice"],
)
def test_an_invalid_form_is_refused(platform: Any, signed_in: Any, sent: dict[str, Any], field: str) -> None:
    answer = post(platform, sent, signed_in("pro"))
    assert (answer.status_code, answer.json["code"]) == (422, "invalid")
    assert list(answer.json["errors"]) == [field]
    assert [objection(text) for text in answer.json["errors"][field]] == [None]


def test_another_media_type_is_refused(platform: Any, signed_in: Any) -> None:
    answer = platform.client.post(PATH, json={"kind": "rib"}, headers=signed_in("pro"))
    assert (answer.status_code, answer.json["code"]) == (415, "unsupported-media-type")


def test_a_file_above_ten_megabytes_is_refused(platform: Any, signed_in: Any) -> None:
    platform.answers("payout", "add-document", DOCUMENT)
    assert post(platform, form(b"x" * 10_000_000), signed_in("pro")).status_code == 201
    for size in (10_000_001, 11_000_000):
        answer = post(platform, form(b"x" * size), signed_in("pro"))
        assert (answer.status_code, answer.json["code"]) == (413, "too-large")
    many = {f"part{number}": "x" for number in range(10)}
    answer = post(platform, many, signed_in("pro"))
    assert (answer.status_code, answer.json["code"]) == (413, "too-large")


def test_other_routes_and_roles_refuse_a_large_body(platform: Any, signed_in: Any) -> None:
    large = b" " * 2_000_000
    answer = platform.client.post("/v1/pro/offerers/5/venues", data=large, headers=signed_in("pro"))
    assert (answer.status_code, answer.json["code"]) == (413, "too-large")
    answer = post(platform, form(large), signed_in("staff"))
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")


def test_staff_download_a_document(platform: Any, signed_in: Any) -> None:
    platform.answers("payout", "document", {**DOCUMENT, "content": base64.b64encode(PDF).decode()})
    platform.answers("payout", "documents", {"items": [DOCUMENT], "nextCursor": None})
    path = "/v1/staff/bank-details/4/documents"
    assert platform.client.get(path, headers=signed_in("staff")).json["items"] == [DOCUMENT]
    answer = platform.client.get(f"{path}/9", headers=signed_in("staff"))
    assert answer.data == PDF
    assert answer.headers["Content-Disposition"] == 'attachment; filename="rib-9.pdf"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert platform.client.get(f"{path}/9", headers=signed_in("pro")).status_code == 403


def test_a_refusal_of_payout_is_passed_on(platform: Any, signed_in: Any) -> None:
    refusal = {"code": "too-many-documents", "status": 409, "detail": "10", "errors": {}, "extra": {}}
    platform.answers("payout", "add-document", Refused(refusal))
    answer = post(platform, form(), signed_in("pro"))
    assert (answer.status_code, answer.json["code"]) == (409, "too-many-documents")

"""Documents of bank details: their types, that each is stored once, and who may see them."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import sqlalchemy as sa

from services.payout.domain.documents import MAX_DOCUMENTS, media_type_of
from services.payout.storage.tables import document_contents
from shared.contracts.calls.payout import MAX_DOCUMENT_BYTES
from shared.kernel.callers import Caller
from shared.kernel.errors import Refused
from tests.unit.payout.stage import SARAH, STRANGER, Stage

PDF = b"%PDF-1.7\nstatement\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\x00" * 17 + b"\x00\x00\x00\x00IEND\xaeB`\x82"
JPEG = b"\xff\xd8\xff\xe0 picture \xff\xd9"
STAFF = Caller(0, frozenset({"staff"}))


def add(stage: Stage, details: int, content: bytes = PDF, kind: str = "rib", caller: Caller | None = SARAH) -> Any:
    return stage.add_document(details, content, kind, caller)


def refused(stage: Stage, *arguments: Any, **more: Any) -> tuple[int, str]:
    with pytest.raises(Refused) as refusal:
        add(stage, *arguments, **more)
    return refusal.value.status, refusal.value.code


def stored_files(stage: Stage) -> int:
    with stage.engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(document_contents)).scalar_one()


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (PDF, "application/pdf"),
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (PDF[:-8], None),
        (PNG[:-12], None),
        (JPEG[:-1], None),
        (b"<html>%PDF-1.7 %%EOF", None),
        (b"PK\x03\x04 a spreadsheet", None),
        (b"", None),
    ],
)
def test_the_bytes_of_a_document_decide_its_type(content: bytes, media_type: str | None) -> None:
    assert media_type_of(content) == media_type


def test_a_document_is_added_listed_and_read_unchanged(stage: Stage) -> None:
    details = stage.submitted()
    added = [add(stage, details, PDF), add(stage, details, PNG, "kbis"), add(stage, details, JPEG, "sirene")]
    assert [one["mediaType"] for one in added] == ["application/pdf", "image/png", "image/jpeg"]
    for caller in (SARAH, STAFF):
        assert stage.query("documents", {"bankDetailsId": details}, caller=caller)["items"] == added
    read = stage.query("document", {"bankDetailsId": details, "documentId": added[1]["documentId"]}, caller=STAFF)
    assert base64.b64decode(read.pop("content")) == PNG
    assert read == added[1]
    (waiting,) = stage.query("pending-bank-details")["items"]
    assert waiting["documents"] == added
    stage.balanced()


def test_the_same_file_is_stored_once(stage: Stage) -> None:
    one, other = stage.submitted(), stage.submitted(6)
    first = add(stage, one)
    assert add(stage, one) == first
    assert add(stage, one, kind="kbis")["documentId"] != first["documentId"]
    assert add(stage, other)["sha256"] == first["sha256"]
    assert stored_files(stage) == 1


def test_a_refused_document_is_not_stored(stage: Stage) -> None:
    details = stage.submitted()
    assert refused(stage, details, b"MZ\x90") == (422, "document-invalid")
    assert refused(stage, details, b"") == (422, "document-invalid")
    assert refused(stage, details, kind="passport") == (422, "invalid")
    assert refused(stage, details, b"%PDF-" + b" " * MAX_DOCUMENT_BYTES + b"%%EOF") == (422, "invalid")
    assert refused(stage, details + 1) == (404, "bank-details-not-found")
    assert refused(stage, details, caller=STRANGER) == (404, "bank-details-not-found")
    assert refused(stage, details, caller=STAFF) == (403, "forbidden")
    with pytest.raises(Refused) as refusal:
        stage.command("add-document", {"bankDetailsId": details, "kind": "rib", "content": "é"}, caller=SARAH)
    assert refusal.value.errors == {"content": ["Le contenu du fichier n’est pas en base64."]}
    assert stage.query("documents", {"bankDetailsId": details}, caller=STAFF)["items"] == []
    assert stored_files(stage) == 0


def test_a_document_of_the_maximum_size_is_accepted(stage: Stage) -> None:
    content = b"%PDF-" + b" " * (MAX_DOCUMENT_BYTES - 10) + b"%%EOF"
    assert add(stage, stage.submitted(), content)["size"] == MAX_DOCUMENT_BYTES


def test_ten_documents_at_most_and_none_after_the_decision(stage: Stage) -> None:
    details = stage.submitted()
    for number in range(MAX_DOCUMENTS):
        add(stage, details, PDF.replace(b"1.7", str(number).encode()))
    assert refused(stage, details, JPEG) == (409, "too-many-documents")
    other = stage.submitted(6)
    first = add(stage, other)
    stage.command("accept-bank-details", {"bankDetailsId": other})
    assert refused(stage, other, JPEG) == (409, "bank-details-already-decided")
    assert add(stage, other) == first, "a repetition gets the same answer"


def test_only_staff_and_the_structures_people_see_documents(stage: Stage) -> None:
    details = stage.submitted()
    document = {"bankDetailsId": details, "documentId": add(stage, details)["documentId"]}
    for name, data in (("documents", {"bankDetailsId": details}), ("document", document)):
        for caller, code in ((STRANGER, "bank-details-not-found"), (None, "unauthorized")):
            with pytest.raises(Refused) as refusal:
                stage.query(name, data, caller=caller)
            assert refusal.value.code == code
    elsewhere = {**document, "bankDetailsId": stage.submitted(6)}
    with pytest.raises(Refused) as refusal:
        stage.query("document", elsewhere, caller=STAFF)
    assert refusal.value.code == "document-not-found"

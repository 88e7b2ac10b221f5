"""Documents that prove bank details: an account statement, an extract of a register. Their bytes decide their type."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from services.payout.refusals import BadDocument

MAX_DOCUMENTS = 10
"""Per submission of bank details."""

_END = 1024
"""The last bytes of a PDF in which its end mark is: some writers append more after the mark."""


@dataclass(frozen=True, slots=True)
class Document:
    kind: str
    media_type: str
    size: int
    sha256: str


def document(kind: str, content: bytes) -> Document:
    """Raises BadDocument for content that is not a whole PDF, PNG or JPEG file."""
    media_type = media_type_of(content)
    if media_type is None:
        raise BadDocument(
            "Ce fichier n’est pas accepté : envoyez un fichier PDF, PNG ou JPEG complet.",
            errors={"file": ["Envoyez un fichier PDF, PNG ou JPEG complet."]},
        )
    return Document(kind, media_type, len(content), hashlib.sha256(content).hexdigest())


def media_type_of(content: bytes) -> str | None:
    """The type by a file's first and last bytes; None for any other type and for a truncated file."""
    if content.startswith(b"%PDF-") and b"%%EOF" in content[-_END:]:
        return "application/pdf"
    if content.startswith(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR") and b"IEND" in content[-12:]:
        return "image/png"
    if content.startswith(b"\xff\xd8\xff") and content.endswith(b"\xff\xd9"):
        return "image/jpeg"
    return None

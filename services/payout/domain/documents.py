"""What proves bank details: an account statement, an extract of the register. Told by its bytes, not by its name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from services.payout.domain.refusals import BadDocument

KINDS = ("rib", "kbis", "sirene")
MAX_BYTES = 10_000_000
MAX_DOCUMENTS = 10
"""Of one submission."""

_END = 1024
"""A PDF's end mark stands within its last bytes; writers may put some more behind it."""


@dataclass(frozen=True, slots=True)
class Document:
    kind: str
    media_type: str
    size: int
    sha256: str


def document(kind: str, content: bytes) -> Document:
    """Raises BadDocument naming the field that is wrong."""
    if kind not in KINDS:
        raise _bad("kind", f"one of {', '.join(KINDS)}")
    if not 0 < len(content) <= MAX_BYTES:
        raise _bad("file", f"1 to {MAX_BYTES} bytes")
    media_type = media_type_of(content)
    if media_type is None:
        raise _bad("file", "a whole PDF, PNG or JPEG file is needed")
    return Document(kind, media_type, len(content), hashlib.sha256(content).hexdigest())


def media_type_of(content: bytes) -> str | None:
    """By how the file begins and ends; None for anything else, and for one that was cut off."""
    if content.startswith(b"%PDF-") and b"%%EOF" in content[-_END:]:
        return "application/pdf"
    if content.startswith(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR") and b"IEND" in content[-12:]:
        return "image/png"
    if content.startswith(b"\xff\xd8\xff") and content.endswith(b"\xff\xd9"):
        return "image/jpeg"
    return None


def _bad(field: str, message: str) -> BadDocument:
    return BadDocument(f"{field}: {message}", errors={field: [message]})

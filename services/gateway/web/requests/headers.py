"""The headers Idempotency-Key and If-Match."""

from __future__ import annotations

import re

from flask import request

from shared.kernel.errors import Invalid, PreconditionFailed
from shared.kernel.identifiers import MAX_NUMBER

_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_ETAG = re.compile(r'"([0-9]{1,18})"')


class KeyRequired(Invalid):
    code = "idempotency-key-required"


class KeyInvalid(Invalid):
    code = "idempotency-key-invalid"


class Stale(PreconditionFailed):
    code = "precondition-failed"


def idempotency_key(*, required: bool) -> str | None:
    """Raises KeyRequired, KeyInvalid."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        if required:
            raise KeyRequired("Envoyez un en-tête Idempotency-Key, différent pour chaque nouvelle demande.")
        return None
    if not is_key(key.strip()):
        raise KeyInvalid("Un en-tête Idempotency-Key compte de 1 à 200 caractères ASCII visibles.")
    return key.strip()


def is_key(text: str) -> bool:
    """Whether it can be an Idempotency-Key."""
    return _KEY.fullmatch(text) is not None


def if_match_version() -> int | None:
    """The version in ``If-Match``; None without one or with ``*``. Raises Stale for what is no ETag of a version."""
    header = request.headers.get("If-Match", "").strip()
    if header in ("", "*"):
        return None
    found = _ETAG.fullmatch(header)
    version = int(found.group(1)) if found else 0
    if not 1 <= version <= MAX_NUMBER:
        raise Stale("L’en-tête If-Match n’est pas l’ETag de cette ressource.")
    return version

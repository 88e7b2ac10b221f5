"""Bodies that no contract describes: an empty one, and a file in a form."""

from __future__ import annotations

from typing import Any

from flask_smorest.fields import Upload
from marshmallow import ValidationError
from werkzeug.datastructures import FileStorage

from services.gateway.http.refusals import TooLarge
from shared.contracts.calls.contract import Data


class Empty(Data):
    """The body of a route that needs none: ``{}`` or nothing at all."""


class UploadedFile(Upload):
    """A part of a form that is a file: its bytes. Raises TooLarge."""

    def __init__(self, max_bytes: int, **options: Any) -> None:
        super().__init__(**options)
        self._max_bytes = max_bytes

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> bytes:
        if not isinstance(value, FileStorage):
            raise ValidationError("Envoyez un fichier.")
        content: bytes = value.read()
        if len(content) > self._max_bytes:
            raise TooLarge(f"Un document compte au plus {self._max_bytes // 1_000_000} Mo.")
        return content

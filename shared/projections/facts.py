"""Facts that a read model keeps whole, as JSON: rows of an older release are read as those of today."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from shared.contracts.messages import completed, newest
from shared.eventstore.sql import Json


class Facts(Json):
    """The data of a message, as a column.

    A row that was written before a version of the message added a field has the field when it is read: readers need no
    case for it, and a rebuild finds no difference.
    """

    cache_ok = True

    def __init__(self, source: str, message: str) -> None:
        super().__init__()
        self.source = source
        self.message = message
        self._schema = newest(source, message)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:
        return completed(self._schema, super().process_result_value(value, dialect))

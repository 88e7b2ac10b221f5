"""The JSON of answers: like the fields of contracts, attributes are ``snake_case`` and keys ``camelCase``."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from shared.contracts.calls.contract import json_key
from shared.kernel.time import instant_text


def json_of(record: Any, *attributes: str) -> dict[str, Any]:
    """These attributes of a row or a record as JSON: instants become text in UTC, days ``YYYY-MM-DD``."""
    return {json_key(name): _json_value(getattr(record, name)) for name in attributes}


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant_text(value)
    return value.isoformat() if isinstance(value, date) else value

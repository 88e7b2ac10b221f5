"""The lines of a person's ledger, now or as of an instant, page by page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.wallet import answers
from services.wallet.application.access import check_visible
from services.wallet.domain.entries import Entry, entries
from services.wallet.storage import entries as stored
from shared.contracts.calls import wallet as calls
from shared.contracts.calls.contract import CursorInvalid, number_after
from shared.contracts.fields import NOT_A_CURSOR
from shared.eventstore import Connection, Store
from shared.eventstore.outcomes import Call
from shared.kernel.errors import Invalid
from shared.kernel.identifiers import stream_id
from shared.kernel.time import instant_text, parse_optional_instant


class Entries:
    def __init__(self, store: Store) -> None:
        self._store = store

    def entries(self, connection: Connection, call: Call[calls.Entries]) -> dict[str, Any]:
        person_id, limit = call.body.person_id, call.body.limit
        check_visible(person_id, call.caller)
        after, as_of = _read_cursor(call.body)
        if as_of is None:
            found = stored.entries_of(connection, person_id, after, limit + 1)
        else:
            events = self._store.log.streams(connection, [stream_id("wallet", person_id)], recorded_until=as_of)
            found = [line for line in entries(events) if line.entry_id > after][: limit + 1]
        page = found[:limit]
        return {
            "items": [answers.entry(line) for line in page],
            "nextCursor": _cursor(page[-1], as_of) if len(found) > limit else None,
        }


def _cursor(last: Entry, as_of: datetime | None) -> str:
    """The last line of the page, and the ``asOf`` of the list: ``5~2021-11-02T09:00:00Z``."""
    return str(last.entry_id) if as_of is None else f"{last.entry_id}~{instant_text(as_of)}"


def _read_cursor(query: calls.Entries) -> tuple[int, datetime | None]:
    """After which line, and as of when: a cursor brings its ``asOf`` along. Raises CursorInvalid, and Invalid for a
    cursor of another ``asOf``."""
    if query.cursor is None:
        return 0, query.as_of
    after, _, text = query.cursor.partition("~")
    try:
        as_of = parse_optional_instant(text or None)
    except (ValueError, OverflowError):
        raise CursorInvalid.of_field("cursor", NOT_A_CURSOR) from None
    if query.as_of not in (None, as_of):
        raise Invalid.of_field("cursor", "Ce curseur vient d’une liste à un autre instant : gardez le même.")
    return number_after(after) or 0, as_of

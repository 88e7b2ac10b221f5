"""The reimbursements of cultural actors: the lines of the caller's structures, as a list and as a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from typing import Any

from services.payout import answers
from services.payout.application import access
from services.payout.domain.bank_details import BankDetails
from services.payout.domain.batches import PayoutBatch
from services.payout.domain.periods import Period, PeriodKind, period_of
from services.payout.domain.records import LineStatus, PaidLine
from services.payout.files.reimbursements_csv import reimbursements_csv
from services.payout.neighbours import Identity, Name
from services.payout.storage import bank_details, references, reimbursements
from services.payout.storage.replay import replayed
from shared.contracts.calls import payout as calls
from shared.contracts.calls.contract import number_after
from shared.eventstore import Connection, Store
from shared.eventstore.outcomes import Call
from shared.kernel.errors import Invalid
from shared.kernel.money import Cents
from shared.kernel.time import paris_midnight

_PAGE = 1_000
_MAX_FILE_LINES = 200_000
Reading = Call[calls.Reimbursements] | Call[calls.ReimbursementsCsv]


class Reimbursements:
    def __init__(self, store: Store, identity: Identity, period: PeriodKind) -> None:
        self._store = store
        self._identity = identity
        self._period = period

    def page(self, call: Call[calls.Reimbursements]) -> dict[str, Any]:
        """A page of the lines, newest first, now or as recorded up to ``asOf``."""
        limit = call.body.limit
        with self._store.snapshot() as connection:
            with self._tables(connection, call) as seen:
                rows = _lines(connection, seen, call, number_after(call.body.cursor), limit)
                statuses = _statuses(seen, rows)
                revenues = reimbursements.open_revenues(seen, rows)
            venues = references.venues_named(connection, [row.venue_id for row in rows])
        items = [
            answers.line(
                row,
                venues.get(row.venue_id),
                statuses[row.line_id],
                revenues.get(row.line_id, Cents(row.revenue_cents)),
            )
            for row in rows
        ]
        return {"items": items, "nextCursor": str(rows[-1].line_id) if len(rows) == limit else None}

    def file(self, call: Call[calls.ReimbursementsCsv]) -> dict[str, Any]:
        """The same lines except those that wait for their first batch, with people's names as identity has them now."""
        with self._store.snapshot() as connection, self._tables(connection, call) as seen:
            rows = list(islice(_all_lines(connection, seen, call), _MAX_FILE_LINES + 1))
            if len(rows) > _MAX_FILE_LINES:
                raise Invalid(
                    f"Ce fichier aurait plus de {_MAX_FILE_LINES} lignes : choisissez une période plus courte.",
                    errors={"periodFrom": [f"Choisissez une période d’au plus {_MAX_FILE_LINES} lignes."]},
                )
            statuses = _statuses(seen, rows)
            venues = references.venues_named(connection, [row.venue_id for row in rows])
            accounts = bank_details.accounts_of(seen, {row.venue_id: row.offerer_id for row in rows})
        shown = [row for row in rows if statuses[row.line_id] != "waiting"]
        names = self._identity.names({row.person_id for row in shown})
        paid = [
            self._paid_line(row, statuses[row.line_id], venues.get(row.venue_id), accounts.get(row.venue_id), names)
            for row in shown
        ]
        return {"text": reimbursements_csv(paid, 14 if call.body.columns == 14 else 16)}

    @contextmanager
    def _tables(self, connection: Connection, call: Reading) -> Iterator[Connection]:
        """A connection to the live tables, or to those of the call's ``asOf``."""
        if call.body.as_of is None:
            yield connection
            return
        years = reimbursements.years_of_offerers(connection, access.own_offerers(connection, call))
        kinds = [kind for kind in self._store.mapper.kinds() if issubclass(kind, PayoutBatch.Event | BankDetails.Event)]
        with replayed(self._store, connection, recorded_until=call.body.as_of, kinds=kinds, streams=years) as past:
            yield past

    def _paid_line(
        self, row: Any, status: LineStatus, venue: Any | None, account: Any | None, names: Mapping[int, Name]
    ) -> PaidLine:
        period = Period(self._period, row.cutoff) if row.cutoff else period_of(_eligible_from(row), self._period)
        name = names.get(row.person_id, Name())
        return PaidLine(
            year=period.last.year,
            transfer_label=period.transfer_label,
            venue_name=venue.name if venue else "",
            siret=venue.siret if venue else None,
            address=(venue.address or venue.offerer_address) if venue else "",
            iban=row.iban or (account.iban if account else None),
            offer_name=row.offer_name,
            last_name=name.last,
            first_name=name.first,
            countermark=row.countermark,
            used_at=row.used_at,
            amount=Cents(row.amount_cents),
            rate=row.rate,
            reimbursed=Cents(row.reimbursed_cents),
            status=status,
        )


def _lines(connection: Connection, seen: Connection, call: Reading, before: int | None, limit: int) -> Sequence[Any]:
    first, last = call.body.period_from, call.body.period_to
    return reimbursements.of_offerers(
        seen,
        access.own_offerers(connection, call),
        used_from=None if first is None else paris_midnight(first),
        used_until=None if last is None else paris_midnight(last + timedelta(days=1)),
        venue_id=call.body.venue_id,
        before=before,
        limit=limit,
    )


def _all_lines(connection: Connection, seen: Connection, call: Reading) -> Iterator[Any]:
    before: int | None = None
    while True:
        page = _lines(connection, seen, call, before, _PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        before = page[-1].line_id


def _statuses(connection: Connection, rows: Sequence[Any]) -> dict[int, LineStatus]:
    """The status that each line shows: one that waits and that no account can pay is ``no-bank-details``."""
    accounts = bank_details.accounts_of(connection, {row.venue_id: row.offerer_id for row in rows})

    def shown(row: Any) -> LineStatus:
        unpayable = row.status == "waiting" and row.reimbursed_cents != 0 and row.venue_id not in accounts
        return "no-bank-details" if unpayable else row.status

    return {row.line_id: shown(row) for row in rows}


def _eligible_from(row: Any) -> Any:
    """The instant that decides in which period a line falls due (decision 4)."""
    return max(row.used_at, row.begins_at) if row.begins_at else row.used_at

"""What finance and cultural actors read: batches and their files, reimbursements, establishments' years."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

import sqlalchemy as sa

from services.payout.application import requests, shapes
from services.payout.domain.bank_details import BankDetails
from services.payout.domain.batches import PayoutBatch
from services.payout.domain.establishment_year import EstablishmentYear
from services.payout.domain.periods import Period, PeriodKind, period_of
from services.payout.domain.pricing import tier
from services.payout.domain.records import BatchLine, LineStatus, PaidLine, VenuePaid, WalletBalance
from services.payout.domain.refusals import BadRequest, NoBalances, NoTransfers
from services.payout.files.finance_tables import details_csv, venues_csv, wallets_csv
from services.payout.files.reimbursements_csv import reimbursements_csv
from services.payout.files.transfers_xml import transfers_xml
from services.payout.storage import batches, details, lines, references
from services.payout.storage.replay import replayed
from services.payout.storage.tables import establishment_years
from shared.eventstore import Store
from shared.kernel.errors import Forbidden
from shared.kernel.money import Cents
from shared.kernel.time import PARIS, instant_text, paris_midnight
from shared.messaging.bus import Bus
from shared.messaging.calls import Call

_ASK_SECONDS = 30.0
_PEOPLE_AT_ONCE = 500
_CSV_PAGE = 1000
_CSV_LINES = 200_000
_MAX_YEAR = 9000


class Reading:
    def __init__(self, store: Store, bus: Bus, period: PeriodKind) -> None:
        self._store = store
        self._bus = bus
        self._period = period

    def payouts(self, connection: sa.Connection, call: Call) -> dict[str, Any]:
        """Closed batches, newest first."""
        before, limit = requests.page(call.data)
        rows = batches.newest_first(connection, before, limit)
        answers = batches.answers(connection, [row.batch_id for row in rows])
        more = str(rows[-1].batch_id) if len(rows) == limit else None
        return {"items": [shapes.batch(row, answers.get(row.batch_id, set())) for row in rows], "nextCursor": more}

    def payout(self, connection: sa.Connection, call: Call) -> dict[str, Any]:
        """One batch, with its transfers. Raises NoSuchBatch."""
        number = requests.number(call.data, "batchId")
        found = shapes.batch_by_id(connection, number)
        return found | {"transferList": [_transfer(row) for row in batches.transfer_rows(connection, number)]}

    def transfers_xml(self, connection: sa.Connection, call: Call) -> dict[str, Any]:
        """The bank's file: the bytes whose checksum the close wrote down. Raises NoSuchBatch, NoTransfers."""
        row = shapes.closed_batch(connection, requests.number(call.data, "batchId"))
        transfers = batches.transfer_records(connection, row.batch_id)
        if not transfers:
            raise NoTransfers(f"batch {row.batch_id} transfers nothing")
        content = transfers_xml(batches.record(row), transfers)
        assert hashlib.sha256(content).hexdigest() == row.checksum, f"the file of batch {row.batch_id} has changed"
        return {"text": content.decode("utf-8")}

    def details_csv(self, connection: sa.Connection, call: Call) -> dict[str, Any]:
        """Every line of a batch. Raises NoSuchBatch."""
        row = shapes.closed_batch(connection, requests.number(call.data, "batchId"))
        return {"text": details_csv(batches.record(row), _batch_lines(connection, row.batch_id))}

    def venues_csv(self, connection: sa.Connection, call: Call) -> dict[str, Any]:
        """Every venue of a batch. Raises NoSuchBatch."""
        row = shapes.closed_batch(connection, requests.number(call.data, "batchId"))
        return {"text": venues_csv(batches.record(row), batches.venues_paid(connection, row.batch_id))}

    def wallets_csv(self, call: Call) -> dict[str, Any]:
        """``{batchId, cursor?}`` → ``{text, nextCursor}``: what each young person had left at the close, in parts, as
        wallet tells it. Raises NoSuchBatch, NoBalances."""
        with self._store.reading() as connection:
            row = shapes.closed_batch(connection, requests.number(call.data, "batchId"))
        if row.wallet_position is None:
            raise NoBalances(f"where wallet's log stood at the close of batch {row.batch_id} was not noted")
        cursor = call.data.get("cursor")
        asked = {"position": row.wallet_position, "cursor": cursor}
        page = self._bus.query("wallet", "balances", asked, timeout=_ASK_SECONDS)
        balances = [
            WalletBalance(one["personId"], Cents(one["theoreticalCents"]), Cents(one["actualCents"]))
            for one in page["items"]
        ]
        return {"text": wallets_csv(balances, begins=cursor is None), "nextCursor": page["nextCursor"]}

    def reimbursements(self, call: Call) -> dict[str, Any]:
        """The lines of the caller's structures, newest first; ``asOf``: as they stood then."""
        before, limit = requests.page(call.data)
        with self._store.snapshot() as connection:
            with self._as_of(connection, call) as seen:
                rows = self._lines(connection, seen, call, before, limit)
                statuses = _statuses(seen, rows)
                revenues = lines.open_revenues(seen, rows)
            named = references.venues_named(connection, [row.venue_id for row in rows])
        more = str(rows[-1].line_id) if len(rows) == limit else None
        return {
            "items": [
                _line(row, named.get(row.venue_id), statuses[row.line_id], revenues.get(row.line_id, row.revenue_cents))
                for row in rows
            ],
            "nextCursor": more,
        }

    def reimbursements_csv(self, call: Call) -> dict[str, Any]:
        """The same lines, but those that wait for their first batch, with the names that identity shows now."""
        columns = call.data.get("columns") or 16
        if columns not in (14, 16):
            raise BadRequest("columns: 14 or 16", errors={"columns": ["14 or 16"]})
        with self._store.snapshot() as connection, self._as_of(connection, call) as seen:
            rows = list(islice(self._all_lines(connection, seen, call), _CSV_LINES + 1))
            if len(rows) > _CSV_LINES:
                raise BadRequest(f"more than {_CSV_LINES} lines: choose a period", errors={"periodFrom": ["too many"]})
            statuses = _statuses(seen, rows)
            named = references.venues_named(connection, [row.venue_id for row in rows])
            accounts = details.accounts_of(seen, {row.venue_id: row.offerer_id for row in rows})
        shown = [row for row in rows if statuses[row.line_id] != "waiting"]
        people = self._people({row.person_id for row in shown})
        paid = [
            self._paid_line(row, statuses[row.line_id], named.get(row.venue_id), accounts.get(row.venue_id), people)
            for row in shown
        ]
        return {"text": reimbursements_csv(paid, columns)}

    def establishment_year(self, connection: sa.Connection, call: Call) -> dict[str, Any]:
        """Revenue, tier, paid and pending; ``asOf``: as it stood then. A year without a booking is all zeros."""
        establishment = requests.text(call.data, "establishment", at_most=40)
        year = requests.number(call.data, "year", at_least=2000, at_most=_MAX_YEAR)
        as_of = requests.optional_instant(call.data, "asOf")
        stream = EstablishmentYear.stream(establishment, year)
        if as_of is None:
            row = _year_row(connection, stream)
        else:
            with replayed(self._store, connection, recorded_until=as_of, streams=[stream]) as past:
                row = _year_row(past, stream)
        return _year(establishment, year, row, as_of or self._store.clock.now())

    @contextmanager
    def _as_of(self, connection: sa.Connection, call: Call) -> Iterator[sa.Connection]:
        """The live tables, or those of the instant asked for."""
        as_of = requests.optional_instant(call.data, "asOf")
        if as_of is None:
            yield connection
            return
        years = lines.years_of_offerers(connection, references.offerers_of(connection, _account(call)))
        topics = [
            self._store.mapper.name(kind)
            for kind in self._store.mapper.kinds()
            if kind.__qualname__.startswith((PayoutBatch.__name__, BankDetails.__name__))
        ]
        with replayed(self._store, connection, recorded_until=as_of, streams=years, topics=topics) as past:
            yield past

    def _lines(
        self, connection: sa.Connection, seen: sa.Connection, call: Call, before: int | None, limit: int
    ) -> Sequence[Any]:
        first, last = requests.optional_day(call.data, "periodFrom"), requests.optional_day(call.data, "periodTo")
        return lines.of_offerers(
            seen,
            references.offerers_of(connection, _account(call)),
            used_from=None if first is None else paris_midnight(first),
            used_until=None if last is None else paris_midnight(last + timedelta(days=1)),
            venue_id=requests.optional_number(call.data, "venueId"),
            before=before,
            limit=limit,
        )

    def _all_lines(self, connection: sa.Connection, seen: sa.Connection, call: Call) -> Iterator[Any]:
        before: int | None = None
        while True:
            page = self._lines(connection, seen, call, before, _CSV_PAGE)
            yield from page
            if len(page) < _CSV_PAGE:
                return
            before = page[-1].line_id

    def _people(self, numbers: set[int]) -> dict[str, dict[str, str]]:
        """Names from identity, in bulk, as they are shown now."""
        wanted, people = sorted(numbers), {}
        for begin in range(0, len(wanted), _PEOPLE_AT_ONCE):
            asked = {"accountIds": wanted[begin : begin + _PEOPLE_AT_ONCE]}
            people.update(self._bus.query("identity", "people", asked)["people"])
        return people

    def _paid_line(
        self, row: Any, status: LineStatus, named: Any, account: Any, people: dict[str, dict[str, str]]
    ) -> PaidLine:
        period = Period(self._period, row.cutoff) if row.cutoff else period_of(_eligible_from(row), self._period)
        person = people.get(str(row.person_id), {})
        return PaidLine(
            line_id=row.line_id,
            corrects=row.corrects,
            year=period.last.year,
            transfer_label=period.transfer_label,
            venue_name=named.name if named else "",
            siret=named.siret if named else None,
            address=(named.address or named.offerer_address) if named else "",
            iban=row.iban or (account.iban if account else None),
            offer_name=row.offer_name,
            last_name=person.get("lastName", ""),
            first_name=person.get("firstName", ""),
            countermark=row.countermark,
            used_at=row.used_at,
            amount=Cents(row.amount_cents),
            rate=row.rate,
            reimbursed=Cents(row.reimbursed_cents),
            status=status,
        )


def _account(call: Call) -> int:
    if call.caller is None:
        raise Forbidden("only people of a structure read its reimbursements")
    return call.caller.account_id


def _statuses(connection: sa.Connection, rows: Sequence[Any]) -> dict[int, LineStatus]:
    """As shown: what waits and cannot be paid says so."""
    accounts = details.accounts_of(connection, {row.venue_id: row.offerer_id for row in rows})

    def shown(row: Any) -> LineStatus:
        unpayable = row.status == "waiting" and row.reimbursed_cents != 0 and row.venue_id not in accounts
        return "no-bank-details" if unpayable else row.status

    return {row.line_id: shown(row) for row in rows}


def _eligible_from(row: Any) -> datetime:
    """The instant that decides in which period a line falls due (decision 4)."""
    return max(row.used_at, row.begins_at) if row.begins_at else row.used_at


def _line(row: Any, named: Any, status: LineStatus, revenue: Cents) -> dict[str, Any]:
    assert row.reimbursed_cents + row.contribution_cents == row.amount_cents, f"line {row.line_id} does not add up"
    return {
        "lineId": row.line_id,
        "corrects": row.corrects,
        "bookingId": row.booking_id,
        "countermark": row.countermark,
        "establishment": row.establishment,
        "venueId": row.venue_id,
        "venueName": named.name if named else "",
        "offerId": row.offer_id,
        "offerName": row.offer_name,
        "usedAt": instant_text(row.used_at),
        "quantity": row.quantity,
        "amountCents": row.amount_cents,
        "revenueCents": revenue,
        "rate": row.rate,
        "rule": row.rule,
        "reimbursedCents": row.reimbursed_cents,
        "contributionCents": row.contribution_cents,
        "status": status,
        "batchId": row.batch_id,
    }


def _transfer(row: Any) -> dict[str, Any]:
    return {
        "endToEndId": row.end_to_end_id,
        "amountCents": row.amount_cents,
        "iban": row.iban,
        "bic": row.bic,
        "holder": row.holder,
        "siren": row.siren,
        "status": row.status,
        "reason": row.reason,
        "answeredAt": instant_text(row.answered_at),
    }


def _batch_lines(connection: sa.Connection, batch_id: int) -> list[BatchLine]:
    venues = {(one.venue_id, one.iban, one.bic): one for one in batches.venues_paid(connection, batch_id)}
    names = {(row.iban, row.bic): row.end_to_end_id for row in batches.accounts(connection, batch_id)}
    return [_batch_line(row, venues, names) for row in lines.of_batch(connection, batch_id)]


def _batch_line(row: Any, venues: dict[Any, VenuePaid], names: dict[Any, str | None]) -> BatchLine:
    return BatchLine(
        line_id=row.line_id,
        corrects=row.corrects,
        booking_id=row.booking_id,
        booking_type="PC",
        establishment=row.establishment,
        venue=venues[row.venue_id, row.paid_iban, row.paid_bic],
        offer_id=row.offer_id,
        offer_name=row.offer_name,
        subcategory=row.subcategory,
        quantity=row.quantity,
        unit_price=Cents(row.unit_price_cents),
        booked_at=row.booked_at,
        used_at=row.used_at,
        amount=Cents(row.amount_cents),
        revenue=Cents(row.revenue_cents),
        rate=row.rate,
        rule=row.rule,
        reimbursed=Cents(row.reimbursed_cents),
        contribution=Cents(row.contribution_cents),
        end_to_end_id=names.get((row.paid_iban, row.paid_bic)),
        counted_from=row.counted_from,
    )


def _year_row(connection: sa.Connection, stream: Any) -> Any | None:
    query = sa.select(establishment_years).where(establishment_years.c.year_id == stream)
    return connection.execute(query).one_or_none()


def _year(establishment: str, year: int, row: Any | None, at: datetime) -> dict[str, Any]:
    revenue = Cents(row.revenue_cents if row else 0)
    end = datetime.combine(date(year, 12, 31), datetime.max.time(), PARIS)
    step = tier(revenue, min(at, end))
    return {
        "establishment": establishment,
        "year": year,
        "revenueCents": revenue,
        "rate": step.rate,
        "nextThresholdCents": step.next_threshold,
        "leftBeforeNextCents": None if step.next_threshold is None else step.next_threshold - revenue,
        "reimbursedCents": row.reimbursed_cents if row else 0,
        "contributionCents": row.contribution_cents if row else 0,
        "paidCents": row.paid_cents if row else 0,
        "pendingCents": row.reimbursed_cents - row.paid_cents if row else 0,
    }

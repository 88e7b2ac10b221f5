"""An establishment's civil year, as the finance team reads it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from services.payout import answers
from services.payout.domain.establishment_year import EstablishmentYear
from services.payout.domain.pricing import tier
from services.payout.storage import years
from services.payout.storage.replay import replayed
from shared.contracts.calls import payout as calls
from shared.eventstore import Connection, Store
from shared.eventstore.outcomes import Call
from shared.kernel.money import Cents
from shared.kernel.time import PARIS


class EstablishmentYears:
    def __init__(self, store: Store) -> None:
        self._store = store

    def one(self, connection: Connection, call: Call[calls.EstablishmentYear]) -> dict[str, Any]:
        """Revenue, tier, paid and pending, now or as recorded up to ``asOf``. A year without a booking is all zeros."""
        establishment, year, as_of = call.body.establishment, call.body.year, call.body.as_of
        stream = EstablishmentYear.stream(establishment, year)
        if as_of is None:
            row = years.by_id(connection, stream)
        else:
            with replayed(self._store, connection, recorded_until=as_of, streams=[stream]) as past:
                row = years.by_id(past, stream)
        end_of_year = datetime.combine(date(year, 12, 31), datetime.max.time(), PARIS)
        at = min(as_of or self._store.clock.now(), end_of_year)
        return answers.establishment_year(establishment, year, row, tier(Cents(row.revenue_cents if row else 0), at))

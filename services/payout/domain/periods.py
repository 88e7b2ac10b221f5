"""The periods that batches close: fortnights (1st–15th, 16th–end), or weeks (Monday–Sunday); decisions 7 and 8."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from services.payout.refusals import EndsNoPeriod
from shared.kernel.time import paris_day, paris_midnight

PeriodKind = Literal["fortnight", "week"]
_MONTHS: tuple[str, ...] = ("Janvier", "Février", "Mars", "Avril", "Mai", "Juin")
_MONTHS += ("Juillet", "Août", "Septembre", "Octobre", "Novembre", "Décembre")


_ENDS: dict[PeriodKind, str] = {"fortnight": "un 15 ou un dernier jour du mois", "week": "un dimanche"}


@dataclass(frozen=True, slots=True)
class Period:
    """A span of civil days in Paris, known by its last one."""

    kind: PeriodKind
    last: date

    @property
    def cutoff(self) -> datetime:
        """The first instant after the period."""
        return paris_midnight(self.last + timedelta(days=1))

    @property
    def label(self) -> str:
        """``Novembre 2021 : remboursement 1ère quinzaine``."""
        return f"{_MONTHS[self.last.month - 1]} {self.last.year} : {self._what}"

    @property
    def transfer_label(self) -> str:
        """``Novembre : remboursement 1ère quinzaine``, for files with a column for the year."""
        return f"{_MONTHS[self.last.month - 1]} : {self._what}"

    @property
    def _what(self) -> str:
        if self.kind == "week":
            return f"remboursement semaine {self.last.isocalendar().week}"
        return f"remboursement {'1ère' if self.last.day == 15 else '2nde'} quinzaine"


def period_ending(last: date, kind: PeriodKind) -> Period:
    """The period with this last day. Raises EndsNoPeriod."""
    if last.year < 2000 or period_with(last, kind).last != last:
        detail = f"Le {last:%d/%m/%Y} ne termine aucune période : indiquez {_ENDS[kind]}."
        raise EndsNoPeriod.of_field("cutoff", detail)
    return Period(kind, last)


def period_with(day: date, kind: PeriodKind) -> Period:
    """The period that holds a civil day."""
    if kind == "week":
        return Period(kind, day + timedelta(days=6 - day.weekday()))
    last = 15 if day.day <= 15 else calendar.monthrange(day.year, day.month)[1]
    return Period(kind, day.replace(day=last))


def period_of(instant: datetime, kind: PeriodKind) -> Period:
    """The period that holds an instant."""
    return period_with(paris_day(instant), kind)

"""The bookings of a venue as the files its actors know (domain.md §6.2): 13 columns, as CSV (commas, text in
quotes) and for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

from xlsxwriter import Workbook

from shared.kernel.time import PARIS, parse_instant

HEADER = (
    "Lieu",
    "Nom de l’offre",
    "Date de l'évènement",
    "ISBN",
    "Nom et prénom du bénéficiaire",
    "Email du bénéficiaire",
    "Téléphone du bénéficiaire",
    "Date et heure de réservation",
    "Date et heure de validation",
    "Contremarque",
    "Prix de la réservation",
    "Statut de la contremarque",
    "Date et heure de remboursement",
)
STATUSES = {
    "booked": "réservé",
    "confirmed": "confirmé",
    "validated": "validé",
    "cancelled": "annulé",
    "reimbursed": "remboursé",
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def bookings_csv(rows: Iterable[dict[str, Any]]) -> str:
    """Rows of the recap, in their order; instants on the clocks of their venue, prices in euros of one place."""
    output = io.StringIO()
    writer = csv.writer(output, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow(HEADER)
    writer.writerows(_cells(row, _never_run) for row in rows)
    return output.getvalue()


def bookings_xlsx(rows: Iterable[dict[str, Any]], made_at: datetime) -> bytes:
    """The same cells: a text is a text for the spreadsheet whatever it begins with, a price is a number. No more than a
    row at a time is held beside the file itself."""
    output = io.BytesIO()
    with Workbook(output, {"constant_memory": True}) as book:
        # what the format knows of a document's making is the clock's, or the same rows would be other bytes each time
        book.set_properties({"created": made_at.astimezone(UTC).replace(tzinfo=None)})
        price, sheet = book.add_format({"num_format": "0.00"}), book.add_worksheet("Réservations")
        sheet.freeze_panes(1, 0)
        for number, cells in enumerate(chain([HEADER], (_cells(row, _as_it_is) for row in rows))):
            for column, cell in enumerate(cells):
                if isinstance(cell, str):
                    sheet.write_string(number, column, cell)
                else:
                    sheet.write_number(number, column, cell, price)
    return output.getvalue()


def _cells(row: dict[str, Any], said: Callable[[str | None], str]) -> Sequence[Any]:
    zone = ZoneInfo(row["timezone"]) if row["timezone"] else PARIS
    return [
        said(row["venueName"]),
        said(row["offerName"]),
        _local(row["beginningAt"], zone),
        "",
        said(f"{row['lastName']} {row['firstName']}".strip()),
        said(row["email"]),
        row["phoneNumber"] or "",
        _local(row["bookedAt"], zone),
        _local(row["usedAt"], zone),
        row["countermark"] or "",
        Decimal(row["unitPriceCents"]).scaleb(-2),
        STATUSES[row["status"]],
        _local(row["reimbursedAt"], zone),
    ]


def _as_it_is(text: str | None) -> str:
    return text or ""


def _never_run(text: str | None) -> str:
    """What somebody typed must not become a formula in whoever's spreadsheet."""
    return f"'{text}" if text and text.startswith(_FORMULA) else text or ""


def _local(instant: str | None, zone: ZoneInfo) -> str:
    return "" if instant is None else str(parse_instant(instant).astimezone(zone))

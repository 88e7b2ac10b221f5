"""The bookings of venues as files of 13 columns (docs/domain.md): CSV with commas, and a spreadsheet."""

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
    """The rows in their order; instants in the time zone of the venue, prices of one place in euros."""
    output = io.StringIO()
    writer = csv.writer(output, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow(HEADER)
    writer.writerows(_cells(row, _without_formula) for row in rows)
    return output.getvalue()


def bookings_xlsx(rows: Iterable[dict[str, Any]], made_at: datetime) -> bytes:
    """The same cells: every text is a text cell, whatever it begins with; prices are numbers. One row at a time is in
    memory beside the file."""
    output = io.BytesIO()
    with Workbook(output, {"constant_memory": True}) as book:
        # the creation date comes from the clock: the same rows give the same bytes
        book.set_properties({"created": made_at.astimezone(UTC).replace(tzinfo=None)})
        price, sheet = book.add_format({"num_format": "0.00"}), book.add_worksheet("Réservations")
        sheet.freeze_panes(1, 0)
        for number, cells in enumerate(chain([HEADER], (_cells(row, _unchanged) for row in rows))):
            for column, cell in enumerate(cells):
                if isinstance(cell, str):
                    sheet.write_string(number, column, cell)
                else:
                    sheet.write_number(number, column, cell, price)
    return output.getvalue()


def _cells(row: dict[str, Any], text: Callable[[str | None], str]) -> Sequence[Any]:
    zone = ZoneInfo(row["timezone"]) if row["timezone"] else PARIS
    return [
        text(row["venueName"]),
        text(row["offerName"]),
        _local(row["beginningAt"], zone),
        "",
        text(f"{row['lastName']} {row['firstName']}".strip()),
        text(row["email"]),
        row["phoneNumber"] or "",
        _local(row["bookedAt"], zone),
        _local(row["usedAt"], zone),
        row["countermark"] or "",
        Decimal(row["unitPriceCents"]).scaleb(-2),
        STATUSES[row["status"]],
        _local(row["reimbursedAt"], zone),
    ]


def _unchanged(text: str | None) -> str:
    return text or ""


def _without_formula(text: str | None) -> str:
    """Text that would be a formula in a spreadsheet gets a leading apostrophe."""
    return f"'{text}" if text and text.startswith(_FORMULA) else text or ""


def _local(instant: str | None, zone: ZoneInfo) -> str:
    return "" if instant is None else str(parse_instant(instant).astimezone(zone))

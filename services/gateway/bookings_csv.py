"""The bookings of a venue as the file its actors know (domain.md §6.2): 13 columns, commas, text in quotes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

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
    writer.writerows(_cells(row) for row in rows)
    return output.getvalue()


def _cells(row: dict[str, Any]) -> list[Any]:
    zone = ZoneInfo(row["timezone"]) if row["timezone"] else PARIS
    return [
        _said(row["venueName"]),
        _said(row["offerName"]),
        _local(row["beginningAt"], zone),
        "",
        _said(f"{row['lastName']} {row['firstName']}".strip()),
        _said(row["email"]),
        row["phoneNumber"] or "",
        _local(row["bookedAt"], zone),
        _local(row["usedAt"], zone),
        row["countermark"] or "",
        Decimal(row["unitPriceCents"]).scaleb(-2),
        STATUSES[row["status"]],
        _local(row["reimbursedAt"], zone),
    ]


def _said(text: str | None) -> str:
    """What somebody typed must not become a formula in whoever's spreadsheet."""
    return f"'{text}" if text and text.startswith(_FORMULA) else text or ""


def _local(instant: str | None, zone: ZoneInfo) -> str:
    return "" if instant is None else str(parse_instant(instant).astimezone(zone))

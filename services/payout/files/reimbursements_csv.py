"""A cultural actor's file ``remboursements_pass_culture.csv``: 16 columns, or the 14 of April 2021."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal

from services.payout.domain.records import LineStatus, PaidLine
from services.payout.files.table import amount, instant, integer_percent, table, typed

Columns = Literal[14, 16]
HEADER = (
    "Année",
    "Virement",
    "Créditeur",
    "SIRET créditeur",
    "Adresse créditeur",
    "IBAN",
    "Raison sociale du lieu",
    "Nom de l'offre",
    "Nom utilisateur",
    "Prénom utilisateur",
    "Contremarque",
    "Date de validation de la réservation",
    "Montant de la réservation",
    "Barème",
    "Montant remboursé",
    "Statut du remboursement",
)
ADDED_IN_JUNE_2021 = ("Montant de la réservation", "Barème")
OLDER_HEADER = tuple(name for name in HEADER if name not in ADDED_IN_JUNE_2021)

STATUS_LABELS: Mapping[LineStatus, str] = MappingProxyType(
    {
        "waiting": "Remboursement en cours",
        "in-batch": "Remboursement en cours",
        # a debt is set off in the account's next transfer: nobody has to act
        "carried-forward": "Remboursement en cours",
        "sent": "Remboursement envoyé",
        "rejected": "Remboursement rejeté",
        "no-bank-details": "Remboursement impossible : IBAN et BIC manquants sur l'offreur",
    }
)
"""The words of the real file; the last one is decision 12."""


def reimbursements_csv(lines: Iterable[PaidLine], columns: Columns = 16) -> str:
    """The lines in the given order. Amounts have a decimal comma in 16 columns, a point in 14 (decision 13)."""
    header = HEADER if columns == 16 else OLDER_HEADER
    point = "," if columns == 16 else "."
    shown = [HEADER.index(name) for name in header]
    return table(header, ([row[index] for index in shown] for row in (_row(line, point) for line in lines)))


def _row(line: PaidLine, point: str) -> tuple[str, ...]:
    return (
        str(line.year),
        line.transfer_label,
        typed(line.venue_name),
        line.siret or "",
        typed(line.address),
        line.iban or "",
        typed(line.venue_name),
        typed(line.offer_name),
        typed(line.last_name),
        typed(line.first_name),
        line.countermark,
        instant(line.used_at),
        amount(line.amount, point),
        integer_percent(line.rate),
        amount(line.reimbursed, point),
        STATUS_LABELS[line.status],
    )

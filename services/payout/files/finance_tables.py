"""The finance team's tables beside the transfer file: venues, details and wallets.

The headers are those of the real files of December 2021.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services.payout.domain.records import Batch, BatchLine, VenuePaid, WalletBalance
from services.payout.files.table import amount, exact_percent, instant, lines, table, typed
from services.payout.refusals import FileNotValid
from shared.contracts.subcategories import SUBCATEGORIES
from shared.kernel.money import Cents

VENUES_HEADER = (
    "ID lieu",
    "SIREN",
    "Raison sociale de la structure",
    "SIRET",
    "Raison sociale du lieu",
    "Libellé fournisseur",
    "IBAN",
    "BIC",
    "Montant total",
)
DETAILS_HEADER = (
    "Libellé fournisseur",
    "Raison sociale de la structure",
    "SIREN",
    "Raison sociale du lieu",
    "SIRET",
    "ID du lieu",
    "ID de l'offre",
    "Nom de l'offre",
    "Sous-catégorie de l'offre",
    "Date de la réservation",
    "Prix de la réservation",
    "Type de réservation",
    "Date de validation",
    "IBAN",
    "Paiement ID",
    "Taux de remboursement",
    "Montant remboursé à l'offreur",
    "Marge",
)
DELAY = "Délai de paiement (jours)"
"""The last column since format 2: days from the event, else from the validation, to the execution of the transfer."""
BOOKING_TYPE = "PC"
"""A young person's booking: the platform takes no other."""
WALLETS_HEADER = ("ID de l'utilisateur", "Solde théorique", "Solde réel")


def venues_csv(batch: Batch, venues: Sequence[VenuePaid]) -> str:
    """The amount and the account of each venue. Raises FileNotValid when the rows do not sum to the batch's total."""
    _check_total(batch, sum(venue.total for venue in venues), "venues.csv")
    return table(VENUES_HEADER, (_venue_row(venue) for venue in venues))


def details_csv(batch: Batch, lines: Sequence[BatchLine]) -> str:
    """Every line of the batch. Raises FileNotValid when the lines are not those that the batch was closed with.

    On each row, price = reimbursed + margin (``Marge``); the price is that of all booked places. The delay is empty for
    a correction. Batches of the first format never get this column.
    """
    closed = batch.totals.lines
    if len(lines) != closed:
        raise FileNotValid(f"details.csv : {len(lines)} lignes, et {closed} à la clôture du lot {batch.number}")
    _check_total(batch, sum(line.reimbursed for line in lines), "details.csv")
    if batch.form is None:
        return table(DETAILS_HEADER, (_detail_row(line) for line in lines))
    return table((*DETAILS_HEADER, DELAY), ((*_detail_row(line), _delay(batch, line)) for line in lines))


def wallets_csv(balances: Iterable[WalletBalance], *, has_header: bool = True) -> str:
    """The balances of young people. Only its first part has the header."""
    rows = ((str(one.person_id), amount(one.theoretical), amount(one.actual)) for one in balances)
    return table(WALLETS_HEADER, rows) if has_header else lines(rows)


def _check_total(batch: Batch, total: int, name: str) -> None:
    closed = batch.totals.total
    if total != closed:
        raise FileNotValid(f"{name} : {total} centimes, et {closed} à la clôture du lot {batch.number}")


def _venue_row(venue: VenuePaid) -> tuple[str, ...]:
    return (
        str(venue.venue_id),
        venue.siren,
        typed(venue.offerer_name),
        venue.siret or "",
        typed(venue.venue_name),
        _supplier(venue),
        venue.iban or "",
        venue.bic or "",
        amount(venue.total),
    )


def _detail_row(line: BatchLine) -> tuple[str, ...]:
    if line.reimbursed + line.contribution != line.amount:
        raise FileNotValid(
            f"details.csv, ligne {line.line_id} : le prix n’est pas la somme du remboursé et de la marge"
        )
    venue = line.venue
    return (
        _supplier(venue),
        typed(venue.offerer_name),
        venue.siren,
        typed(venue.venue_name),
        venue.siret or "",
        str(venue.venue_id),
        str(line.offer_id),
        typed(line.offer_name),
        _subcategory(line.subcategory),
        instant(line.booked_at),
        amount(line.amount),
        BOOKING_TYPE,
        instant(line.used_at),
        venue.iban or "",
        str(line.line_id),
        exact_percent(line.rate),
        amount(line.reimbursed),
        amount(Cents(line.contribution)),
    )


def _delay(batch: Batch, line: BatchLine) -> str:
    return "" if line.counted_from is None else str((batch.execution_date - line.counted_from).days)


def _supplier(venue: VenuePaid) -> str:
    return typed(f"{venue.offerer_name}-{venue.venue_name}")


def _subcategory(identifier: str) -> str:
    known = SUBCATEGORIES.get(identifier)
    return known.label if known else identifier

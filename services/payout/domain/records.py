"""The records that the files of a batch are written from: plain values, and a file is a pure function of them.

Money is integer euro cents, instants are in UTC, days are civil days in Paris.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from shared.kernel.money import Cents

FORM = 2
"""The format of the files of a batch that opens now.

Format 2 adds the batch's number to the message's identifier, and the payment delay to the details.
"""
LineStatus = Literal["waiting", "no-bank-details", "in-batch", "carried-forward", "sent", "rejected"]


@dataclass(frozen=True, slots=True)
class Debtor:
    """The account that pays the transfers, and its holder."""

    name: str
    iban: str
    bic: str


def batch_number(batch_id: int) -> str:
    """``VIR12``."""
    return f"VIR{batch_id}"


@dataclass(frozen=True, slots=True)
class Totals:
    """The figures of a batch; ``carried`` is what it adds to the debts of its accounts (less than 0: more debt)."""

    lines: int
    transfers: int
    total: Cents
    contribution: Cents
    transferred: Cents
    carried: Cents
    without_bank_details_lines: int
    without_bank_details_total: Cents


@dataclass(frozen=True, slots=True)
class Batch:
    """A closed period, as recorded at the close: it never changes afterwards."""

    batch_id: int
    closed_at: datetime
    execution_date: date
    """The next bank working day."""
    totals: Totals
    debtor: Debtor
    form: int | None
    """The format of its files (``FORM``); None for batches closed before the format was recorded."""

    @property
    def number(self) -> str:
        return batch_number(self.batch_id)


@dataclass(frozen=True, slots=True)
class Transfer:
    """One credit transfer: all that one (IBAN, BIC) receives from a batch. ``amount`` is positive."""

    end_to_end_id: str
    """At most 35 characters of the SEPA character set."""
    amount: Cents
    iban: str
    bic: str
    holder: str
    siren: str
    remittance: str
    """The text that the payee reads: the batch's label."""


@dataclass(frozen=True, slots=True)
class VenuePaid:
    """The part of a batch that one account receives for one venue: a row of venues.csv. Names are those of the close.

    ``iban`` and ``bic`` are None when all lines are of 0 euros and the venue has no bank details.
    """

    venue_id: int
    venue_name: str
    siret: str | None
    address: str
    """On one line: street, postal code, city; may be empty."""
    offerer_id: int
    offerer_name: str
    siren: str
    iban: str | None
    bic: str | None
    lines: int
    total: Cents


@dataclass(frozen=True, slots=True)
class BatchLine:
    """One line of a batch: a row of details.csv. ``reimbursed + contribution = amount``.

    The ``amount`` of a correction is the change of the price: negative, or 0 when only the reimbursed amount was wrong.
    """

    line_id: int
    venue: VenuePaid
    offer_id: int
    offer_name: str
    subcategory: str
    booked_at: datetime
    used_at: datetime
    amount: Cents
    rate: str | None
    """A decimal text (``0.95``), None for a fixed amount and for a correction."""
    reimbursed: Cents
    contribution: Cents
    counted_from: date | None
    """The day of its event, else of its validation; None for a correction."""


@dataclass(frozen=True, slots=True)
class PaidLine:
    """One line for its cultural actor: a row of the reimbursements CSV, of 16 or 14 columns.

    Year and label are those of its batch, or of the period in which it falls due while it is in none.
    """

    year: int
    """``Année``: the civil year of the period's last day."""
    transfer_label: str
    """``Virement``: ``Novembre : remboursement 1ère quinzaine``."""
    venue_name: str
    """``Créditeur`` and ``Raison sociale du lieu``."""
    siret: str | None
    address: str
    iban: str | None
    offer_name: str
    last_name: str
    first_name: str
    countermark: str
    used_at: datetime
    amount: Cents
    rate: str | None
    reimbursed: Cents
    status: LineStatus


@dataclass(frozen=True, slots=True)
class WalletBalance:
    """The balances of one young person: a row of wallets.csv.

    ``theoretical`` is the credit minus all live bookings, ``actual`` the credit minus the used ones.
    """

    person_id: int
    theoretical: Cents
    actual: Cents

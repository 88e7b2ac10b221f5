"""What the files of a batch are written from: plain values, so that a file is a function of them and nothing else.

Money is integer euro cents, instants are in UTC, days are civil days in Paris.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from shared.kernel.money import Cents

FORM = 2
"""How the files of a batch that opens now are written: since 2, its number is in the message's identifier and the delay
in the details."""
LineStatus = Literal["waiting", "no-bank-details", "in-batch", "carried-forward", "sent", "rejected"]


@dataclass(frozen=True, slots=True)
class Debtor:
    """Whose account the transfers leave."""

    name: str
    iban: str
    bic: str


@dataclass(frozen=True, slots=True)
class Batch:
    """A closed period, as it was at the close: it never changes afterwards.

    ``lines`` sum to ``total``, and ``total = transferred + carried`` (``carried`` is what this batch adds to what its
    accounts have carried forward: negative when an account owes, positive when an earlier debt was taken off).
    """

    batch_id: int
    number: str
    """``VIR12``."""
    label: str
    """``Novembre 2021 : remboursement 1ère quinzaine`` (decision 7)."""
    cutoff: date
    """The last day of the period."""
    closed_at: datetime
    execution_date: date
    """The next bank working day."""
    lines: int
    transfers: int
    total: Cents
    contribution: Cents
    transferred: Cents
    carried: Cents
    debtor: Debtor
    form: int | None
    """Of its files (``FORM``): what was handed out once keeps its bytes. None for a batch of before it was noted."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """One credit transfer: everything that one (IBAN, BIC) receives from a batch. ``amount`` is positive."""

    end_to_end_id: str
    """At most 35 characters of the SEPA set."""
    amount: Cents
    iban: str
    bic: str
    holder: str
    siren: str
    remittance: str
    """The text that the receiver reads: the batch's label."""


@dataclass(frozen=True, slots=True)
class VenuePaid:
    """What one venue receives from a batch on one account, named as it was at the close: a row of venues.csv.

    ``iban`` and ``bic`` are None where every line was of 0 euros and the venue has no bank details.
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
    """One line of a batch: a row of details.csv.

    ``corrects`` names the line that a correction corrects; its ``amount`` is what it takes from the price (negative,
    or 0 when only the reimbursed amount was wrong). ``reimbursed + contribution = amount``.
    """

    line_id: int
    corrects: int | None
    booking_id: int
    booking_type: Literal["PC", "EACI"]
    establishment: str
    """The SIRET, or ``venue-<venueId>``."""
    venue: VenuePaid
    offer_id: int
    offer_name: str
    subcategory: str
    quantity: int
    unit_price: Cents
    booked_at: datetime
    used_at: datetime
    amount: Cents
    revenue: Cents
    rate: str | None
    """A decimal text (``0.95``), None for a fixed amount and for a correction."""
    rule: str
    reimbursed: Cents
    contribution: Cents
    end_to_end_id: str | None
    counted_from: date | None
    """The day of its event, or of its validation where there is no event; None for a correction."""


@dataclass(frozen=True, slots=True)
class PaidLine:
    """One line as its cultural actor reads it: a row of the reimbursements CSV, 16 columns or 14.

    Its year and label are those of its batch, or of the period that it falls into while it is in none.
    """

    line_id: int
    corrects: int | None
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
    """What one young person has left: a row of wallets.csv.

    ``theoretical`` is the credit less every live booking, ``actual`` the credit less what has been used.
    """

    person_id: int
    theoretical: Cents
    actual: Cents

"""Payout's calls: bank details and their documents, batches and their files, reimbursements, reconciliation."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

from shared.contracts.calls.contract import (
    FINANCE,
    OPERATOR,
    PLATFORM,
    PRO,
    STAFF,
    AtMost,
    Command,
    Data,
    NotNull,
    Query,
)
from shared.contracts.calls.types import CivilDay, Id, Instant, NextPage, PageSize, Pending, Reason
from shared.contracts.fields import Base64, Date, OneOf, Pattern, Price, Text, Whole
from shared.contracts.subcategories import SUBCATEGORIES
from shared.kernel.errors import Invalid
from shared.kernel.money import Cents

DOCUMENT_KINDS = ("rib", "kbis", "sirene")
MAX_DOCUMENT_BYTES = 10_000_000
MAX_TRANSFERS = 100_000
MAX_AGREED_CENTS = 100_000_000
FIRST_YEAR, LAST_YEAR = 2000, 9000
CSV_COLUMNS = (14, 16)

_DECIDES = ("bank-details-not-found", "bank-details-already-decided")
_ANSWERS = ("batch-not-found", "batch-not-closed", "transfer-not-found", "transfer-already-answered")
_FORESEES = ("cutoff-ends-no-period", "earlier-than-last-batch")
_RATE = re.compile(r"(0|1|0\.[0-9]{1,6}|1\.0{1,6})")

Rate = Annotated[
    str,
    Pattern(_RATE, "Indiquez un taux entre 0 et 1, par exemple 0.95.", metadata={"description": "0 to 1, as text."}),
]
EndToEndId = Annotated[str, Text(1, 35)]
"""The identifier of a transfer in its batch's file."""


class NewBankDetails(Data):
    """An account and its holder."""

    iban: Annotated[str, Text(1, 50)]
    bic: Annotated[str, Text(1, 20)]
    holder: Annotated[str, Text(1, 140)]


class SubmitBankDetails(NewBankDetails, Command, by=PRO, refuses=("bank-details-invalid", "offerer-closed")):
    """Submits the account of a structure, or of one of its venues; staff decide on it."""

    offerer_id: Annotated[Id | None, NotNull] = None
    venue_id: Annotated[Id | None, NotNull] = None

    def check(self) -> None:
        self.check_one_given("offerer_id", "venue_id")


class AcceptBankDetails(Command, by=STAFF, refuses=_DECIDES):
    """Accepts bank details."""

    bank_details_id: Id


class RejectBankDetails(Command, by=STAFF, refuses=_DECIDES):
    """Rejects bank details; ones accepted earlier stay in force."""

    bank_details_id: Id
    reason: Reason = ""


class PendingBankDetails(Pending, Query, by=STAFF):
    """Bank details that await a decision, oldest first, with their documents."""


class AddDocument(
    Command,
    by=PRO,
    refuses=(*_DECIDES, "document-invalid", "too-many-documents", "offerer-closed"),
):
    """Adds a document that proves bank details: the account statement, or an extract of a register."""

    bank_details_id: Id
    kind: Annotated[str, OneOf(DOCUMENT_KINDS)]
    content: Annotated[bytes, Base64(MAX_DOCUMENT_BYTES)]


class Documents(Query, by=PRO | STAFF | OPERATOR, refuses=("bank-details-not-found",)):
    """The documents that prove bank details."""

    bank_details_id: Id


class Document(Query, by=PRO | STAFF | OPERATOR, refuses=("bank-details-not-found", "document-not-found")):
    """One document, with its bytes as ``content`` in base64."""

    bank_details_id: Id
    document_id: Id


class AddCustomRule(
    Command,
    by=FINANCE,
    refuses=("custom-rule-invalid", "custom-rule-owner-unknown", "custom-rule-overlaps"),
):
    """Agrees a rule for an offer or a structure from an instant on."""

    offer_id: Annotated[Id | None, NotNull] = None
    offerer_id: Annotated[Id | None, NotNull] = None
    amount: Annotated[Annotated[Cents, Whole(0, MAX_AGREED_CENTS, data_key="amountCents")] | None, NotNull] = None
    rate: Annotated[Rate | None, NotNull] = None
    subcategories: Annotated[tuple[Annotated[str, OneOf(SUBCATEGORIES)], ...], AtMost(len(SUBCATEGORIES))] = ()
    start: Instant
    end: Instant | None = None

    def check(self) -> None:
        self.check_one_given("offer_id", "offerer_id")
        self.check_one_given("rate", "amount")


class CustomRules(Query, by=FINANCE):
    """Reimbursement rules agreed for single offers or structures."""


class OfferRule(Query, by=PLATFORM):
    """Whether a rule was ever agreed for the offer itself: ``{agreed}``."""

    offer_id: Id


class Correct(Command, by=STAFF, refuses=("line-not-found", "line-not-in-a-batch")):
    """Sets what a line in a batch should have reimbursed; the difference is a line of the next batch."""

    booking_id: Id
    reason: Reason
    reimbursed: Annotated[
        Cents, Price(data_key="reimbursedCents", metadata={"description": "The line's right amount."})
    ]


class Cutoff(Data):
    """The period that a batch closes."""

    cutoff: Annotated[date, Date(metadata={"description": "The last day of the period, in Paris."})]


class Preview(Cutoff, Query, by=FINANCE, refuses=_FORESEES):
    """The figures that a batch would have if its period closed now; changes nothing."""


class Close(
    Cutoff,
    Command,
    by=FINANCE,
    refuses=(*_FORESEES, "not-caught-up", "cutoff-in-the-future", "batch-not-closed", "file-not-valid"),
):
    """Closes the period, after any earlier close that was interrupted: one batch per cut-off, also when repeated."""


class Payouts(Query, by=FINANCE):
    """The batches, newest first."""

    cursor: NextPage | None = None
    limit: PageSize = 100


class Batch(Data):
    """One batch."""

    batch_id: Id


class Payout(Batch, Query, by=FINANCE, refuses=("batch-not-found",)):
    """One batch, with its transfers."""


class TransfersXml(Batch, Query, by=FINANCE, refuses=("batch-not-found", "no-transfers", "file-not-valid")):
    """The transfers of a batch as pain.001: ``{text}``."""


class DetailsCsv(Batch, Query, by=FINANCE, refuses=("batch-not-found", "file-not-valid")):
    """Every line of a batch: ``{text}``."""


class VenuesCsv(Batch, Query, by=FINANCE, refuses=("batch-not-found", "file-not-valid")):
    """The amount of each venue in a batch: ``{text}``."""


class WalletsCsv(Batch, Query, by=FINANCE, refuses=("batch-not-found", "balances-not-noted")):
    """The balance of each young person at the close of a batch, in parts: ``{text, nextCursor}``."""

    cursor: NextPage | None = None


class MarkSent(Batch, Command, by=FINANCE, refuses=_ANSWERS):
    """The bank has executed transfers: their bookings are reimbursed.

    Without ``transfers``: all those of the batch that the bank has not rejected.
    """

    transfers: Annotated[tuple[EndToEndId, ...], AtMost(MAX_TRANSFERS)] = ()


class RejectedTransfer(Data):
    """A transfer that the bank has rejected, and why."""

    end_to_end_id: EndToEndId
    reason: Annotated[str, Text(1, 255)]


class MarkRejected(Batch, Command, by=FINANCE, refuses=_ANSWERS):
    """The bank has rejected transfers."""

    transfers: Annotated[tuple[RejectedTransfer, ...], AtMost(MAX_TRANSFERS, minimum=1)]


class ReimbursementFilters(Data):
    """Which lines; days are those of use in Paris. ``as_of``: as recorded up to that instant."""

    period_from: CivilDay | None = None
    period_to: CivilDay | None = None
    venue_id: Id | None = None
    as_of: Instant | None = None


class Reimbursements(ReimbursementFilters, Query, by=PRO):
    """The priced bookings of the caller's structures, with their reimbursement status, newest first."""

    cursor: NextPage | None = None
    limit: Annotated[int, Whole(1, 1_000)] = 100


class ReimbursementsCsv(ReimbursementFilters, Query, by=PRO):
    """The lines that are paid, being paid or impossible to pay, as CSV: ``{text}``."""

    columns: Annotated[int, Whole(14, 16, metadata={"description": "16, or 14 for the format before June 2021."})] = 16

    def check(self) -> None:
        if self.columns not in CSV_COLUMNS:
            raise Invalid(errors={"columns": ["Choisissez 14 ou 16 colonnes."]})


class EstablishmentYear(Query, by=FINANCE):
    """An establishment's revenue, tier and payments of a civil year, now or as of an instant."""

    establishment: Annotated[str, Text(1, 100)]
    year: Annotated[int, Whole(FIRST_YEAR, LAST_YEAR)]
    as_of: Instant | None = None


class Reconciliation(Query, by=FINANCE | PLATFORM):
    """The identities between the sums of all services, per day, with every difference."""

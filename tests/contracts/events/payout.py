"""An example of every event of payout."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from services.payout.bootstrap import AGGREGATES
from services.payout.domain.bank_details import Account, BankDetails
from services.payout.domain.batches import AccountDue, NetAccount, PayoutBatch
from services.payout.domain.custom_rules import Agreement, CustomRule
from services.payout.domain.documents import Document
from services.payout.domain.establishment_year import Correction, EstablishmentYear, Validation
from services.payout.domain.pricing import Price
from services.payout.domain.records import Debtor, Totals, VenuePaid
from shared.kernel.money import Cents

AT = datetime(2021, 11, 16, 9, tzinfo=UTC)
STREAM = UUID("3f0c5a0e-9d1f-4f6a-8c1b-7e110000bbbb")
IBAN, BIC = "FR7630001007941234567890185", "BDFEFRPPCCT"
BOOKING = Validation(
    booking_id=17,
    attempt=1,
    person_id=7,
    stock_id=8,
    offer_id=5,
    offer_name="Le Chant du loup",
    venue_id=3,
    offerer_id=1,
    subcategory="SEANCE_CINE",
    countermark="ABC234",
    quantity=2,
    unit_price=Cents(1000),
    booked_at=datetime(2021, 11, 1, 9, tzinfo=UTC),
    begins_at=datetime(2021, 11, 8, 19, tzinfo=UTC),
    used_at=datetime(2021, 11, 10, 19, tzinfo=UTC),
)
PRICE = Price(Cents(2001000), "0.95", "ReimbursementRateByVenueBetween20000And40000", Cents(1900), Cents(100))
FIX = Correction(32, 31, Cents(-2000), Cents(-1900), Cents(-2000), "invalidated")
VENUE = VenuePaid(
    venue_id=3,
    venue_name="Cinéma Municipal Nestor Burma",
    siret="21340172200011",
    address="2 rue Marcellin Albert, 34000 Montpellier",
    offerer_id=1,
    offerer_name="COMMUNE DE MONTPELLIER",
    siren="213401722",
    iban=IBAN,
    bic=BIC,
    lines=1,
    total=Cents(1900),
)
DUE = AccountDue(IBAN, BIC, "Trésor public", "213401722", 1, Cents(1900), Cents(-100))
NET = NetAccount(DUE, Cents(1800), Cents(0), "VIR1-000001", "Novembre 2021 : remboursement 1ère quinzaine")
TOTALS = Totals(1, 1, Cents(1900), Cents(100), Cents(1800), Cents(100), 2, Cents(500))
LABEL = {"label": "Novembre 2021 : remboursement 1ère quinzaine", "cutoff": date(2021, 11, 15)}
RULE = CustomRule(start=AT, end=None, offerer_id=1, rate="0.80", subcategories=("LIVRE_PAPIER",), rule_id=4)
YEAR = {"establishment": "21340172200011", "year": 2021}
ENTERED = {"line_id": 31, "booking_id": 17, "batch_id": 1, "iban": IBAN, "bic": BIC}
PAID = {"line_id": 31, "booking_id": 17, "batch_id": 1, "reimbursed": Cents(1900)}
TRANSFER = {"batch_id": 1, "end_to_end_id": "VIR1-000001", "amount": Cents(1800)}
CHECKSUM = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
DOMAIN = "services.payout.domain"


def event(kind: type, **fields: Any) -> Any:
    return kind(originator_id=STREAM, originator_version=2, timestamp=AT, **fields)


__all__ = ["AGGREGATES", "EVENTS"]

EVENTS = [
    event(EstablishmentYear.Opened, **YEAR, originator_topic=f"{DOMAIN}.establishment_year:EstablishmentYear"),
    event(EstablishmentYear.Priced, **YEAR, line_id=31, booking=BOOKING, price=PRICE),
    event(
        EstablishmentYear.Voided,
        **YEAR,
        line_id=31,
        booking_id=17,
        amount=Cents(2000),
        entering=Cents(2000),
        reimbursed=Cents(1900),
        reason="repriced",
    ),
    event(EstablishmentYear.BookingEntered, **YEAR, **ENTERED, entering=Cents(2000), counted_from=date(2021, 11, 8)),
    event(EstablishmentYear.CorrectionEntered, **YEAR, **ENTERED),
    event(EstablishmentYear.Corrected, **YEAR, booking=BOOKING, correction=FIX),
    event(EstablishmentYear.BookingReimbursed, **YEAR, **PAID),
    event(EstablishmentYear.CorrectionReimbursed, **YEAR, **PAID),
    event(
        PayoutBatch.Opened,
        **LABEL,
        batch_id=1,
        last_line_id=31,
        debtor=Debtor("pass Culture", IBAN, BIC),
        originator_topic=f"{DOMAIN}.batches:PayoutBatch",
    ),
    event(PayoutBatch.BalancesNoted, batch_id=1, wallet_position=77),
    event(PayoutBatch.FormNoted, batch_id=1, form=2),
    event(PayoutBatch.DebtMoved, batch_id=1, iban=IBAN, bic=BIC, to_iban=IBAN, to_bic="AGRIFRPP", amount=Cents(-100)),
    event(PayoutBatch.VenueListed, batch_id=1, venue=VENUE),
    event(PayoutBatch.AccountListed, batch_id=1, account=NET),
    event(PayoutBatch.Closed, **LABEL, batch_id=1, execution_date=date(2021, 11, 17), totals=TOTALS, checksum=CHECKSUM),
    event(PayoutBatch.TransferSent, **TRANSFER),
    event(PayoutBatch.TransferRejected, **TRANSFER, reason="AC04"),
    event(
        BankDetails.Submitted,
        bank_details_id=2,
        offerer_id=1,
        venue_id=None,
        account=Account(IBAN, BIC, "Trésor public"),
        originator_topic=f"{DOMAIN}.bank_details:BankDetails",
    ),
    event(
        BankDetails.DocumentAdded,
        bank_details_id=2,
        document_id=5,
        document=Document("rib", "application/pdf", 48213, CHECKSUM),
    ),
    event(BankDetails.Accepted, bank_details_id=2),
    event(BankDetails.Rejected, bank_details_id=2, reason="not legible"),
    event(Agreement.Agreed, rule=RULE, originator_topic=f"{DOMAIN}.custom_rules:Agreement"),
]

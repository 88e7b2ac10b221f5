"""A batch of November 2021, small enough to be checked by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from services.payout.domain.records import FORM, Batch, BatchLine, Debtor, PaidLine, Totals, Transfer, VenuePaid
from shared.kernel.money import Cents

LABEL = "Novembre 2021 : remboursement 1ère quinzaine"
IBAN = "FR443000100572E340000000010"
BIC = "BDFEFRPPCCT"

CINEMA = VenuePaid(
    venue_id=12,
    venue_name="Cinéma Municipal Nestor Burma",
    siret="21340172200128",
    address="2 rue Marcellin Albert 34080 Montpellier",
    offerer_id=3,
    offerer_name="COMMUNE DE MONTPELLIER",
    siren="213401722",
    iban=IBAN,
    bic=BIC,
    lines=2,
    total=Cents(2_400),
)
MUSEUM = replace(
    CINEMA, venue_id=11, venue_name="Musée du Vieux Montpellier", siret="21340172200110", lines=1, total=Cents(1_240)
)

LINE = BatchLine(
    line_id=501,
    venue=CINEMA,
    offer_id=40,
    offer_name="Ciné-club : Adieu les cons",
    subcategory="SEANCE_CINE",
    booked_at=datetime(2021, 11, 1, 10, 0, 0, 120, tzinfo=UTC),
    used_at=datetime(2021, 11, 7, 18, 30, tzinfo=UTC),
    amount=Cents(2_000),
    rate="0.95",
    reimbursed=Cents(1_900),
    contribution=Cents(100),
    counted_from=date(2021, 11, 7),
)
LINES = (
    LINE,
    replace(
        LINE,
        line_id=502,
        amount=Cents(500),
        rate="1",
        reimbursed=Cents(500),
        contribution=Cents(0),
    ),
    replace(
        LINE,
        line_id=503,
        venue=MUSEUM,
        offer_name="Visite du Vieux Montpellier",
        subcategory="VISITE_GUIDEE",
        amount=Cents(1_240),
        rate="1",
        reimbursed=Cents(1_240),
        contribution=Cents(0),
    ),
)
TRANSFER = Transfer(
    end_to_end_id="a" * 32,
    amount=Cents(3_640),
    iban=IBAN,
    bic=BIC,
    holder="Trésorerie de Montpellier",
    siren="213401722",
    remittance=LABEL,
)
BATCH = Batch(
    batch_id=1,
    closed_at=datetime(2021, 11, 16, 9, 0, 0, 123_456, tzinfo=UTC),
    execution_date=date(2021, 11, 17),
    totals=Totals(
        lines=3,
        transfers=1,
        total=Cents(3_640),
        contribution=Cents(100),
        transferred=Cents(3_640),
        carried=Cents(0),
        without_bank_details_lines=0,
        without_bank_details_total=Cents(0),
    ),
    debtor=Debtor("pass Culture", "FR7630001007941234567890185", "BDFEFRPP"),
    form=FORM,
)
PAID_LINE = PaidLine(
    year=2021,
    transfer_label="Avril : remboursement 1ère quinzaine",
    venue_name="ACTES SUD",
    siret="34086387700015",
    address="47 RUE DU DOCTEUR FANTON",
    iban=None,
    offer_name="Livre trop sympa",
    last_name="93 HCA 1",
    first_name="PC Test Jeune",
    countermark="0E3344",
    used_at=datetime(2021, 4, 7, 11, 34, 0, 497_113, tzinfo=UTC),
    amount=Cents(2_600),
    rate="1.00",
    reimbursed=Cents(2_600),
    status="no-bank-details",
)

"""Payout's composition root."""

from __future__ import annotations

from typing import cast

import sqlalchemy as sa

from services.payout.application import bank_details, custom_rules, documents
from services.payout.application.bank_answers import BankAnswers
from services.payout.application.closing import Closing, Terms
from services.payout.application.custom_rules import CustomRules
from services.payout.application.pricing import Pricing
from services.payout.application.reading import Reading
from services.payout.application.reconciling import Reconciling
from services.payout.domain.bank_details import BankDetails
from services.payout.domain.batches import PayoutBatch
from services.payout.domain.custom_rules import Agreement
from services.payout.domain.establishment_year import EstablishmentYear
from services.payout.domain.periods import PeriodKind
from services.payout.domain.records import Debtor
from services.payout.files.character_set import sepa_text
from services.payout.files.transfers_xml import LONGEST_NAME
from services.payout.projections import projections
from services.payout.publishing import publication
from services.payout.reactions import FOLLOWED, reactions
from services.payout.storage import batches, lines
from services.payout.storage.years import Years
from shared.eventstore import Store
from shared.kernel.time import Clock
from shared.messaging.bus import Bus
from shared.messaging.calls import calling, one, read, saga
from shared.runtime.service import Service, Task
from shared.runtime.settings import BadSettings, Settings

RESUME_SECONDS = 5.0
AGGREGATES = (EstablishmentYear, PayoutBatch, BankDetails, Agreement)


def build(settings: Settings, clock: Clock, bus: Bus, engine: sa.Engine) -> Service:
    """Payout asks booking for its due validations and, with wallet, for its ledger; identity for names; catalog whether
    there is an offer."""
    store = Store(engine, clock=clock, aggregates=AGGREGATES, publication=publication, projections=projections())
    debtor = _debtor(settings)
    period = cast(PeriodKind, settings.payout_period)
    years = Years()
    pricing, closing = Pricing(years), Closing(store, bus, years, Terms(period, debtor))
    answers, reading = BankAnswers(store, closing), Reading(store, bus, period)
    reconciling = Reconciling(store, bus)
    return Service(
        name="payout",
        store=store,
        commands={
            "submit-bank-details": one(bank_details.submit),
            "accept-bank-details": one(bank_details.accept),
            "reject-bank-details": one(bank_details.reject),
            "add-document": one(documents.add),
            "add-custom-rule": saga(CustomRules(store, bus).add),
            "correct": one(pricing.correct),
            "close": saga(closing.close),
            "mark-sent": saga(answers.mark_sent),
            "mark-rejected": one(answers.mark_rejected),
        },
        queries={
            "pending-bank-details": read(bank_details.pending),
            "documents": read(documents.listed),
            "document": read(documents.read),
            "custom-rules": read(custom_rules.listed),
            "offer-rule": read(custom_rules.of_offer),
            "preview": read(closing.preview),
            "payouts": read(reading.payouts),
            "payout": read(reading.payout),
            "transfers-xml": read(reading.transfers_xml),
            "details-csv": read(reading.details_csv),
            "venues-csv": read(reading.venues_csv),
            "wallets-csv": calling(reading.wallets_csv),
            "reimbursements": calling(reading.reimbursements),
            "reimbursements-csv": calling(reading.reimbursements_csv),
            "establishment-year": read(reading.establishment_year),
            "reconciliation": calling(reconciling.reconcile),
        },
        reactions=reactions(pricing),
        followed=[FOLLOWED],
        tasks=[Task("finish-payouts", RESUME_SECONDS, closing.resume)],
        open_work=_open_work,
    )


def _debtor(settings: Settings) -> Debtor:
    """Raises BadSettings for a name of which a transfer file would have nothing."""
    if not sepa_text(settings.debtor.name, at_most=LONGEST_NAME):
        raise BadSettings(f"DEBTOR_NAME: nothing of {settings.debtor.name!r} can be written for a bank")
    return Debtor(settings.debtor.name, settings.debtor.iban, settings.debtor.bic)


def _open_work(connection: sa.Connection) -> int:
    """Closes under way, and reimbursements that are still to be announced."""
    return len(batches.closing(connection)) + lines.count_to_announce(connection)

"""Payout's composition root."""

from __future__ import annotations

from typing import cast

from services.payout import calls
from services.payout.application.bank_answers import BankAnswers
from services.payout.application.closing import Closing, Terms
from services.payout.application.custom_rules import AddingRules
from services.payout.application.establishment_years import EstablishmentYears
from services.payout.application.payouts import BalancesFile
from services.payout.application.reconciling import Reconciling
from services.payout.application.reimbursements import Reimbursements
from services.payout.domain.bank_details import BankDetails
from services.payout.domain.batches import PayoutBatch
from services.payout.domain.custom_rules import Agreement
from services.payout.domain.establishment_year import EstablishmentYear
from services.payout.domain.periods import PeriodKind
from services.payout.domain.records import Debtor
from services.payout.files.character_set import sepa_text
from services.payout.files.transfers_xml import MAX_NAME_LENGTH
from services.payout.neighbours import Catalog, Identity, Ledgers, Wallet
from services.payout.projections import projections
from services.payout.publishing import publication
from services.payout.reactions import followed, reactions
from services.payout.storage import batches, lines
from shared.eventstore import Connection, Engine, Store
from shared.kernel.time import Clock
from shared.messaging.bus import Bus
from shared.messaging.calls import by_name
from shared.runtime.service import Service, Task
from shared.runtime.settings import BadSettings, Settings

RESUME_SECONDS = 5.0
AGGREGATES = (EstablishmentYear, PayoutBatch, BankDetails, Agreement)


def build(settings: Settings, clock: Clock, bus: Bus, engine: Engine) -> Service:
    store = Store(engine, clock=clock, aggregates=AGGREGATES, publication=publication, projections=projections())
    debtor, period = _debtor(settings), cast(PeriodKind, settings.payout_period)
    closing = Closing(store, bus, Terms(period, debtor))
    return Service(
        name="payout",
        store=store,
        commands=by_name(calls.commands(AddingRules(store, Catalog(bus)), closing, BankAnswers(store))),
        queries=by_name(
            calls.queries(
                closing,
                BalancesFile(store, Wallet(bus)),
                Reimbursements(store, Identity(bus), period),
                EstablishmentYears(store),
                Reconciling(store, Ledgers(bus)),
            )
        ),
        reactions=reactions(),
        followed=[followed()],
        tasks=[Task("finish-payouts", RESUME_SECONDS, closing.resume)],
        open_work=_open_work,
    )


def _debtor(settings: Settings) -> Debtor:
    """Raises BadSettings for a name that leaves nothing in the SEPA character set."""
    if not sepa_text(settings.debtor.name, at_most=MAX_NAME_LENGTH):
        raise BadSettings(f"DEBTOR_NAME: {settings.debtor.name!r} has no character that every bank accepts")
    return Debtor(settings.debtor.name, settings.debtor.iban, settings.debtor.bic)


def _open_work(connection: Connection) -> int:
    """Closes under way, and reimbursements to announce."""
    return len(batches.closing(connection)) + lines.count_to_announce(connection)

"""Which use case handles which call of payout."""

from __future__ import annotations

from services.payout.application import bank_answers, bank_details, custom_rules, documents, payouts, pricing
from services.payout.application.bank_answers import BankAnswers
from services.payout.application.closing import Closing
from services.payout.application.custom_rules import AddingRules
from services.payout.application.establishment_years import EstablishmentYears
from services.payout.application.payouts import BalancesFile
from services.payout.application.reconciling import Reconciling
from services.payout.application.reimbursements import Reimbursements
from shared.contracts.calls import payout as calls
from shared.messaging.calls import CommandHandler, QueryHandler, calling, one, read, saga


def commands(rules: AddingRules, closing: Closing, answers: BankAnswers) -> list[CommandHandler]:
    return [
        one(calls.SubmitBankDetails, bank_details.submit),
        one(calls.AcceptBankDetails, bank_details.accept),
        one(calls.RejectBankDetails, bank_details.reject),
        one(calls.AddDocument, documents.add),
        saga(calls.AddCustomRule, rules.add),
        one(calls.Correct, pricing.correct),
        saga(calls.Close, closing.close),
        saga(calls.MarkSent, answers.mark_sent),
        one(calls.MarkRejected, bank_answers.mark_rejected),
    ]


def queries(
    closing: Closing,
    balances: BalancesFile,
    reimbursements: Reimbursements,
    years: EstablishmentYears,
    reconciling: Reconciling,
) -> list[QueryHandler]:
    return [
        read(calls.PendingBankDetails, bank_details.pending),
        read(calls.Documents, documents.listed),
        read(calls.Document, documents.one_with_content),
        read(calls.CustomRules, custom_rules.listed),
        read(calls.OfferRule, custom_rules.of_offer),
        read(calls.Preview, closing.preview),
        read(calls.Payouts, payouts.newest_first),
        read(calls.Payout, payouts.one_with_transfers),
        read(calls.TransfersXml, payouts.transfers_file),
        read(calls.DetailsCsv, payouts.details_file),
        read(calls.VenuesCsv, payouts.venues_file),
        calling(calls.WalletsCsv, balances.part),
        calling(calls.Reimbursements, reimbursements.page),
        calling(calls.ReimbursementsCsv, reimbursements.file),
        read(calls.EstablishmentYear, years.one),
        calling(calls.Reconciliation, reconciling.reconcile),
    ]

"""How payout says no.

DomainError (shared.kernel.errors)
├── NotFound             NoSuchBatch · NoSuchBankDetails · NoSuchOwner · NoSuchTransfer · NoSuchLine · NoTransfers
│                        NoBalances · NoSuchDocument
├── Conflict             CutoffInTheFuture · EarlierThanLastBatch · NotCaughtUp · BatchNotClosed · TransferAnswered
│                        BankDetailsDecided · TooManyDocuments · RuleOverlaps · NotInABatch · OffererClosed
└── Invalid              EndsNoPeriod · BadBankDetails · BadDocument · BadRule · NoSuchRuleOwner · BadRequest
"""

from __future__ import annotations

from shared.kernel.errors import Conflict, Invalid, NotFound


class NoSuchBatch(NotFound):
    code = "batch-not-found"


class NoSuchBankDetails(NotFound):
    code = "bank-details-not-found"


class NoSuchOwner(NotFound):
    """A structure or a venue that is unknown, or not the caller's."""

    code = "not-found"


class NoSuchTransfer(NotFound):
    code = "transfer-not-found"


class NoSuchLine(NotFound):
    code = "line-not-found"


class NoTransfers(NotFound):
    """The batch transfers nothing, so there is no file for the bank."""

    code = "no-transfers"


class NoBalances(NotFound):
    """The batch was closed before it was written down where wallet's log stood."""

    code = "balances-not-noted"


class NoSuchDocument(NotFound):
    code = "document-not-found"


class CutoffInTheFuture(Conflict):
    code = "cutoff-in-the-future"


class EarlierThanLastBatch(Conflict):
    code = "earlier-than-last-batch"


class NotCaughtUp(Conflict):
    """A validation up to the cut-off has not reached payout yet."""

    code = "not-caught-up"


class BatchNotClosed(Conflict):
    code = "batch-not-closed"


class TransferAnswered(Conflict):
    """The bank has already answered otherwise for this transfer."""

    code = "transfer-already-answered"


class BankDetailsDecided(Conflict):
    code = "bank-details-already-decided"


class TooManyDocuments(Conflict):
    code = "too-many-documents"


class RuleOverlaps(Conflict):
    code = "custom-rule-overlaps"


class NotInABatch(Conflict):
    """Only a line of a closed batch is corrected; before that the desk or staff undo the validation itself."""

    code = "line-not-in-a-batch"


class OffererClosed(Conflict):
    code = "offerer-closed"


class EndsNoPeriod(Invalid):
    code = "cutoff-ends-no-period"


class BadBankDetails(Invalid):
    code = "bank-details-invalid"


class BadDocument(Invalid):
    code = "document-invalid"


class BadRule(Invalid):
    code = "custom-rule-invalid"


class NoSuchRuleOwner(Invalid):
    """A custom rule names an offer or a structure that there is not."""

    code = "custom-rule-owner-unknown"


class BadRequest(Invalid):
    code = "invalid"

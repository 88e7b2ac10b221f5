"""Payout's refusals. Their ``detail`` is French: finance, staff and cultural actors read it.

DomainError (shared.kernel.errors)
├── NotFound
│   ├── NoSuchBatch           there is no closed batch of this number
│   ├── NoSuchTransfer        the batch has no transfer of this identifier
│   ├── NoTransfers           the batch transfers nothing: it has no transfer file
│   ├── NothingToTransfer     a transfer file holds at least one transfer
│   ├── NoBalances            the batch was closed before the position of wallet's log was recorded
│   ├── NoSuchLine            the booking has no line
│   ├── NoSuchBankDetails     there are none of this number, or they are another structure's
│   ├── NoSuchDocument        the bank details have no document of this number
│   └── NoSuchOwner           the structure or venue is unknown, or not the caller's
├── Conflict
│   ├── CutoffInTheFuture     the period has not ended
│   ├── EarlierThanLastBatch  a later period is closed already
│   ├── NotCaughtUp           a validation up to the cut-off has not reached payout or wallet yet
│   ├── BatchNotClosed        the batch, or another one, is still being closed
│   ├── TransferAnswered      the bank has answered differently for this transfer
│   ├── NotInABatch           the line can still be undone at the desk or by staff, so nobody corrects it
│   ├── BankDetailsDecided    staff have decided on these bank details
│   ├── TooManyDocuments      these bank details have as many documents as they may
│   ├── RuleOverlaps          another custom rule is about the same bookings
│   └── OffererClosed         the structure is closed or rejected
├── Invalid
│   ├── EndsNoPeriod          the cut-off is not the last day of a period
│   ├── BadBankDetails        the IBAN or the BIC is wrong
│   ├── BadDocument           the file is not a whole PDF, PNG or JPEG
│   ├── BadRule               the dates of the custom rule are wrong
│   └── NoSuchRuleOwner       the custom rule is about an offer or a structure that does not exist
└── FileNotValid              the batch cannot be written as a valid file: an error of the code, 500
"""

from __future__ import annotations

from typing import Self

from shared.kernel.errors import Conflict, DomainError, Invalid, NotFound


class NoSuchBatch(NotFound):
    code = "batch-not-found"

    @classmethod
    def of(cls, batch_id: int) -> Self:
        return cls(f"Aucun lot de remboursement n’a le numéro {batch_id}.")


class NoSuchTransfer(NotFound):
    code = "transfer-not-found"


class NoTransfers(NotFound):
    code = "no-transfers"


class NothingToTransfer(NotFound):
    code = "nothing-to-transfer"


class NoBalances(NotFound):
    code = "balances-not-noted"


class NoSuchLine(NotFound):
    code = "line-not-found"


class NoSuchBankDetails(NotFound):
    code = "bank-details-not-found"

    @classmethod
    def of(cls, number: int) -> Self:
        return cls(f"Aucune coordonnée bancaire que vous puissiez consulter n’a le numéro {number}.")


class NoSuchDocument(NotFound):
    code = "document-not-found"


class NoSuchOwner(NotFound):
    code = "not-found"


class CutoffInTheFuture(Conflict):
    code = "cutoff-in-the-future"


class EarlierThanLastBatch(Conflict):
    code = "earlier-than-last-batch"


class NotCaughtUp(Conflict):
    code = "not-caught-up"


class BatchNotClosed(Conflict):
    code = "batch-not-closed"

    @classmethod
    def of(cls, batch_id: int) -> Self:
        return cls(f"Le lot {batch_id} est en cours de clôture : réessayez dans quelques instants.")


class TransferAnswered(Conflict):
    code = "transfer-already-answered"


class NotInABatch(Conflict):
    code = "line-not-in-a-batch"


class BankDetailsDecided(Conflict):
    code = "bank-details-already-decided"


class TooManyDocuments(Conflict):
    code = "too-many-documents"


class RuleOverlaps(Conflict):
    code = "custom-rule-overlaps"


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
    code = "custom-rule-owner-unknown"


class FileNotValid(DomainError):
    """Nothing that its caller can change: it is never stored under an idempotency key."""

    status = 500
    code = "file-not-valid"

    def __init__(self, reason: str) -> None:
        super().__init__(f"Le fichier n’est pas valide, prévenez un opérateur. {reason}.")

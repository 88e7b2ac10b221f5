"""The account that pays a structure or one of its venues: submitted by its actors, decided by staff (decision 24)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eventsourcing.domain import Aggregate

from services.payout.domain.documents import MAX_DOCUMENTS, Document
from services.payout.refusals import BadBankDetails, BankDetailsDecided, TooManyDocuments
from shared.kernel.identifiers import bic as valid_bic
from shared.kernel.identifiers import iban as valid_iban
from shared.kernel.identifiers import stream_id

_CALLED = {"iban": "l’IBAN", "bic": "le BIC"}


@dataclass(frozen=True, slots=True)
class Account:
    """A valid IBAN and BIC, and the holder's name."""

    iban: str
    bic: str
    holder: str

    @property
    def name(self) -> tuple[str, str]:
        return self.iban, self.bic


def account(iban: str, bic: str, holder: str) -> Account:
    """The account in upper case and without spaces. Raises BadBankDetails with every field that is wrong."""
    errors: dict[str, list[str]] = {}
    checked = {"iban": "", "bic": ""}
    for name, text, check in (("iban", iban, valid_iban), ("bic", bic, valid_bic)):
        try:
            checked[name] = check(text)
        except ValueError:
            errors[name] = [f"Vérifiez {_CALLED[name]} : un chiffre ou une lettre est faux."]
    if errors:
        wrong = " et ".join(_CALLED[name] for name in errors)
        raise BadBankDetails(f"Vérifiez {wrong} : un chiffre ou une lettre est faux.", errors=errors)
    return Account(checked["iban"], checked["bic"], " ".join(holder.split()))


class BankDetails(Aggregate):
    """One submission; a change is another one.

    Without ``venue_id`` it serves every venue of the structure that has no bank details of its own.
    """

    class Event(Aggregate.Event):
        bank_details_id: int

    class Submitted(Event, Aggregate.Created):
        offerer_id: int
        venue_id: int | None
        account: Account

    class Accepted(Event):
        def apply(self, details: BankDetails) -> None:
            details.status = "accepted"

    class Rejected(Event):
        reason: str

        def apply(self, details: BankDetails) -> None:
            details.status = "rejected"

    class DocumentAdded(Event):
        """The bytes are stored beside the log, under their SHA-256."""

        document_id: int
        document: Document

        def apply(self, details: BankDetails) -> None:
            details.documents[self.document_id] = self.document

    def __init__(self, *, bank_details_id: int, offerer_id: int, venue_id: int | None, account: Account) -> None:
        self.bank_details_id = bank_details_id
        self.offerer_id = offerer_id
        self.venue_id = venue_id
        self.account = account
        self.status = "pending"
        self.documents: dict[int, Document] = {}

    @classmethod
    def submit(
        cls, at: datetime, bank_details_id: int, offerer_id: int, venue_id: int | None, account: Account
    ) -> BankDetails:
        return cls._create(
            cls.Submitted,
            id=stream_id("bank-details", bank_details_id),
            timestamp=at,
            bank_details_id=bank_details_id,
            offerer_id=offerer_id,
            venue_id=venue_id,
            account=account,
        )

    def accept(self, at: datetime) -> None:
        """A repetition changes nothing. Raises BankDetailsDecided when they were rejected."""
        self._refuse_if("rejected")
        if self.status == "pending":
            self._record(at, self.Accepted)

    def reject(self, at: datetime, reason: str) -> None:
        """A repetition changes nothing. Raises BankDetailsDecided when they were accepted."""
        self._refuse_if("accepted")
        if self.status == "pending":
            self._record(at, self.Rejected, reason=reason)

    def known_document(self, document: Document) -> int | None:
        """The number of the same document, if it was added earlier."""
        return next((number for number, known in self.documents.items() if known == document), None)

    def add_document(self, at: datetime, document_id: int, document: Document) -> None:
        """Raises BankDetailsDecided once staff have decided, TooManyDocuments."""
        if self.status != "pending":
            raise _decided(self.status)
        if len(self.documents) >= MAX_DOCUMENTS:
            raise TooManyDocuments(f"Vous avez déjà ajouté {MAX_DOCUMENTS} documents : c’est le maximum.")
        self._record(at, self.DocumentAdded, document_id=document_id, document=document)

    def _refuse_if(self, status: str) -> None:
        if self.status == status:
            raise _decided(status)

    def _record(self, at: datetime, kind: type[Event], /, **facts: Any) -> None:
        self.trigger_event(kind, timestamp=at, bank_details_id=self.bank_details_id, **facts)


def _decided(status: str) -> BankDetailsDecided:
    decision = "acceptées" if status == "accepted" else "refusées"
    return BankDetailsDecided(
        f"Ces coordonnées bancaires ont déjà été {decision} : déposez-en de nouvelles si elles doivent changer."
    )

"""A structure (offerer): a legal person with a SIREN, the accounts attached to it, its API keys (domain.md §2.1)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from eventsourcing.domain import Aggregate

from services.identity.domain.accounts import Structure
from services.identity.refusals import AlreadyDecided, SirenInvalid, TooManyKeys, no_api_key, no_attachment, no_offerer
from shared.kernel import identifiers
from shared.kernel.identifiers import stream_id

MAX_API_KEYS = 5


class Status(StrEnum):
    PENDING = "pending"
    VALIDATED = "validated"
    REJECTED = "rejected"
    CLOSED = "closed"


class Attachment(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    ENDED = "ended"


class Offerer(Aggregate):
    class Event(Aggregate.Event):
        number: int

    class Registered(Event, Aggregate.Created):
        structure: Structure

    class AttachmentRequested(Event):
        attachment: int
        account: int

        def apply(self, offerer: Offerer) -> None:
            offerer.attachments[self.attachment] = Attachment.PENDING
            offerer.accounts[self.attachment] = self.account

    class Attached(Event):
        """The first account is attached at once, the others when staff approve."""

        attachment: int
        account: int

        def apply(self, offerer: Offerer) -> None:
            offerer.attachments[self.attachment] = Attachment.APPROVED
            offerer.accounts[self.attachment] = self.account

    class AttachmentRejected(Event):
        attachment: int
        reason: str

        def apply(self, offerer: Offerer) -> None:
            offerer.attachments[self.attachment] = Attachment.REJECTED

    class Detached(Event):
        attachment: int
        account: int

        def apply(self, offerer: Offerer) -> None:
            offerer.attachments[self.attachment] = Attachment.ENDED

    class Validated(Event):
        def apply(self, offerer: Offerer) -> None:
            offerer.status = Status.VALIDATED

    class Rejected(Event):
        reason: str

        def apply(self, offerer: Offerer) -> None:
            offerer.status = Status.REJECTED

    class Closed(Event):
        reason: str

        def apply(self, offerer: Offerer) -> None:
            offerer.status = Status.CLOSED

    class ApiKeyCreated(Event):
        prefix: str
        digest: str
        """SHA-256 of the whole key. Its 256 random bits need no slow hash."""
        account: int

        def apply(self, offerer: Offerer) -> None:
            offerer.api_keys[self.prefix] = True

    class ApiKeyDeleted(Event):
        prefix: str
        account: int

        def apply(self, offerer: Offerer) -> None:
            offerer.api_keys[self.prefix] = False

    def __init__(self, *, number: int, structure: Structure) -> None:
        self.number = number
        self.structure = structure
        self.status = Status.PENDING
        self.attachments: dict[int, Attachment] = {}
        self.accounts: dict[int, int] = {}
        self.api_keys: dict[str, bool] = {}

    @staticmethod
    def stream(number: int) -> UUID:
        return stream_id("offerer", number)

    @classmethod
    def register(cls, at: datetime, number: int, structure: Structure) -> Offerer:
        """The structure awaits validation by staff."""
        return cls._create(
            cls.Registered, id=stream_id("offerer", number), timestamp=at, number=number, structure=structure
        )

    # Decisions of staff: each returns False if it is a repetition, and raises AlreadyDecided after a different one.

    def validate(self, at: datetime) -> bool:
        return self._decide(at, Status.VALIDATED, self.Validated)

    def reject(self, at: datetime, reason: str) -> bool:
        return self._decide(at, Status.REJECTED, self.Rejected, reason=reason)

    def close(self, at: datetime, reason: str) -> bool:
        """Closes it from any state; its offers and API keys end."""
        if self.status is Status.CLOSED:
            return False
        self._record(at, self.Closed, reason=reason)
        return True

    def _decide(self, at: datetime, wanted: Status, event: type[Event], **fields: Any) -> bool:
        if self.status is wanted:
            return False
        if self.status is not Status.PENDING:
            raise AlreadyDecided("Cette structure a déjà reçu une autre décision.")
        self._record(at, event, **fields)
        return True

    # Accounts attached to it

    def attach_first(self, at: datetime, *, attachment: int, account: int) -> None:
        """Attaches the account that registered the structure: it needs no approval."""
        assert not self.attachments
        self._record(at, self.Attached, attachment=attachment, account=account)

    def request_attachment(self, at: datetime, *, attachment: int, account: int) -> None:
        if self.attachment_of(account) is None:
            self._record(at, self.AttachmentRequested, attachment=attachment, account=account)

    def approve_attachment(self, at: datetime, attachment: int) -> bool:
        """Raises NotFound or AlreadyDecided."""
        account = self.accounts.get(attachment)
        return self._decide_attachment(at, attachment, Attachment.APPROVED, self.Attached, account=account)

    def reject_attachment(self, at: datetime, attachment: int, reason: str) -> bool:
        return self._decide_attachment(at, attachment, Attachment.REJECTED, self.AttachmentRejected, reason=reason)

    def detach(self, at: datetime, account: int) -> None:
        """Ends the attachments of an erased account, those that await approval too."""
        for attachment, status in list(self.attachments.items()):
            if self.accounts[attachment] != account:
                continue
            if status is Attachment.APPROVED:
                self._record(at, self.Detached, attachment=attachment, account=account)
            elif status is Attachment.PENDING:
                self.reject_attachment(at, attachment, "account erased")

    def attachment_of(self, account: int) -> Attachment | None:
        """The account's approved attachment, else its pending one, else None."""
        states = {self.attachments[number] for number, who in self.accounts.items() if who == account}
        return next((state for state in (Attachment.APPROVED, Attachment.PENDING) if state in states), None)

    def _decide_attachment(
        self, at: datetime, attachment: int, wanted: Attachment, event: type[Event], **fields: Any
    ) -> bool:
        status = self.attachments.get(attachment)
        if status is None:
            raise no_attachment()
        if status is wanted:
            return False
        if status is not Attachment.PENDING:
            raise AlreadyDecided("Cette demande de rattachement a déjà reçu une autre décision.")
        self._record(at, event, attachment=attachment, **fields)
        return True

    # API keys

    def create_api_key(self, at: datetime, *, account: int, prefix: str, digest: str) -> None:
        """Raises NotFound for an account that does not act for it, TooManyKeys beyond MAX_API_KEYS."""
        self._require_acting(account)
        if sum(self.api_keys.values()) >= MAX_API_KEYS:
            raise TooManyKeys(f"Une structure a au plus {MAX_API_KEYS} clés d’API : supprimez-en une.")
        self._record(at, self.ApiKeyCreated, prefix=prefix, digest=digest, account=account)

    def delete_api_key(self, at: datetime, *, account: int, prefix: str) -> None:
        """Does nothing if the key is deleted already. Raises NotFound."""
        self._require_acting(account)
        active = self.api_keys.get(prefix)
        if active is None:
            raise no_api_key()
        if active:
            self._record(at, self.ApiKeyDeleted, prefix=prefix, account=account)

    def _record(self, at: datetime, event: type[Event], /, **fields: Any) -> None:
        self.trigger_event(event, timestamp=at, number=self.number, **fields)

    def _require_acting(self, account: int) -> None:
        if self.attachment_of(account) is not Attachment.APPROVED or self.status in (Status.REJECTED, Status.CLOSED):
            raise no_offerer()


def valid_siren(text: str) -> str:
    """Nine digits with their check digit, spaces removed. Raises SirenInvalid."""
    try:
        return identifiers.siren(text)
    except ValueError:
        raise SirenInvalid("Ce n’est pas un SIREN : vérifiez ses neuf chiffres.") from None

"""A structure (offerer): a legal person with a SIREN, those who act for it, and its API keys (domain.md §2.1)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from eventsourcing.domain import Aggregate

from services.identity.domain.accounts import Structure
from services.identity.domain.errors import AlreadyDecided, TooManyKeys
from shared.kernel.errors import NotFound
from shared.kernel.identifiers import stream_id

API_KEYS_ALLOWED = 5


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
        """The first one at once, the others when staff approve."""

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
        """sha-256 of the whole key, which has 256 bits of chance: nothing slower is needed."""
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
        """Awaits validation by staff."""
        return cls._create(
            cls.Registered, id=stream_id("offerer", number), timestamp=at, number=number, structure=structure
        )

    # ---- staff's word on the structure

    def validate(self, at: datetime) -> bool:
        """False when it was validated before."""
        if not self._decides(Status.VALIDATED):
            return False
        self.trigger_event(self.Validated, timestamp=at, number=self.number)
        return True

    def reject(self, at: datetime, reason: str) -> bool:
        if not self._decides(Status.REJECTED):
            return False
        self.trigger_event(self.Rejected, timestamp=at, number=self.number, reason=reason)
        return True

    def close(self, at: datetime, reason: str) -> bool:
        """From any state; its offers and keys no longer serve."""
        if self.status is Status.CLOSED:
            return False
        self.trigger_event(self.Closed, timestamp=at, number=self.number, reason=reason)
        return True

    def _decides(self, wanted: Status) -> bool:
        if self.status is wanted:
            return False
        if self.status is not Status.PENDING:
            raise AlreadyDecided(f"this structure is {self.status.value}")
        return True

    # ---- those who act for it

    def attach_first(self, at: datetime, *, attachment: int, account: int) -> None:
        """The one who registered it needs nobody's approval."""
        assert not self.attachments
        self.trigger_event(self.Attached, timestamp=at, number=self.number, attachment=attachment, account=account)

    def request_attachment(self, at: datetime, *, attachment: int, account: int) -> None:
        if self.attachment_of(account) is None:
            self.trigger_event(
                self.AttachmentRequested, timestamp=at, number=self.number, attachment=attachment, account=account
            )

    def approve_attachment(self, at: datetime, attachment: int) -> bool:
        """False when it was approved before. Raises NotFound or AlreadyDecided."""
        if not self._decides_attachment(attachment, Attachment.APPROVED):
            return False
        account = self.accounts[attachment]
        self.trigger_event(self.Attached, timestamp=at, number=self.number, attachment=attachment, account=account)
        return True

    def reject_attachment(self, at: datetime, attachment: int, reason: str) -> bool:
        if not self._decides_attachment(attachment, Attachment.REJECTED):
            return False
        self.trigger_event(
            self.AttachmentRejected, timestamp=at, number=self.number, attachment=attachment, reason=reason
        )
        return True

    def detach(self, at: datetime, account: int) -> None:
        """Whoever leaves, or is erased; what they only asked for ends as well."""
        for attachment, status in list(self.attachments.items()):
            if self.accounts[attachment] != account:
                continue
            if status is Attachment.APPROVED:
                self.trigger_event(
                    self.Detached, timestamp=at, number=self.number, attachment=attachment, account=account
                )
            elif status is Attachment.PENDING:
                self.reject_attachment(at, attachment, "account erased")

    def attachment_of(self, account: int) -> Attachment | None:
        """How an account stands to the structure: approved, pending, or None."""
        states = {self.attachments[number] for number, who in self.accounts.items() if who == account}
        return next((state for state in (Attachment.APPROVED, Attachment.PENDING) if state in states), None)

    def _decides_attachment(self, attachment: int, wanted: Attachment) -> bool:
        status = self.attachments.get(attachment)
        if status is None:
            raise NotFound("no such attachment")
        if status is wanted:
            return False
        if status is not Attachment.PENDING:
            raise AlreadyDecided(f"this attachment is {status.value}")
        return True

    # ---- API keys

    def create_api_key(self, at: datetime, *, account: int, prefix: str, digest: str) -> None:
        """Raises NotFound for those who do not act for it, TooManyKeys at the sixth."""
        self._require_acting(account)
        if sum(self.api_keys.values()) >= API_KEYS_ALLOWED:
            raise TooManyKeys(f"a structure has at most {API_KEYS_ALLOWED} API keys")
        self.trigger_event(
            self.ApiKeyCreated, timestamp=at, number=self.number, prefix=prefix, digest=digest, account=account
        )

    def delete_api_key(self, at: datetime, *, account: int, prefix: str) -> None:
        """Nothing happens to one that was deleted before. Raises NotFound."""
        self._require_acting(account)
        alive = self.api_keys.get(prefix)
        if alive is None:
            raise NotFound("no such API key")
        if alive:
            self.trigger_event(self.ApiKeyDeleted, timestamp=at, number=self.number, prefix=prefix, account=account)

    def _require_acting(self, account: int) -> None:
        if self.attachment_of(account) is not Attachment.APPROVED or self.status in (Status.REJECTED, Status.CLOSED):
            raise NotFound("no such structure")

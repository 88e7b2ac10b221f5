"""Identity's read models: one class per question. What a use case wrote itself, in the statement that decided, is
folded again by a rebuild only."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from services.identity import storage
from services.identity.domain.accounts import Account
from services.identity.domain.checks import Outcome
from services.identity.domain.eligibility import next_birthday
from services.identity.domain.offerers import Offerer
from shared.eventstore import sql
from shared.projections import Projection, on


class People(Projection):
    """Who is the account of this number? (sealed)"""

    name = "people"
    version = 1
    tables = (storage.people,)

    @on(Account.Opened)
    def opened(self, connection: sa.Connection, event: Account.Opened) -> None:
        row = {"account_id": event.number, "sealed": event.sealed, "roles": sorted(event.roles)}
        sql.insert_many(connection, storage.people, [row])

    @on(Account.EmailChanged, Account.PhoneCodeSent, Account.ProfileChanged)
    def changed(self, connection: sa.Connection, event: Any) -> None:
        self._seal(connection, event.number, event.sealed)

    @on(Account.Erased)
    def erased(self, connection: sa.Connection, event: Account.Erased) -> None:
        self._seal(connection, event.number, "")

    @staticmethod
    def _seal(connection: sa.Connection, number: int, sealed: str) -> None:
        sql.update_many(connection, storage.people, "account_id", [{"account_id": number, "sealed": sealed}])


class Emails(Projection):
    """Whose is this address? Guards that it is one account's."""

    name = "emails"
    version = 1
    tables = (storage.emails,)

    @on(Account.Opened, live=False)
    def opened(self, connection: sa.Connection, event: Account.Opened) -> None:
        storage.claim_email(connection, event.email_digest, event.number)

    @on(Account.EmailChanged, live=False)
    def changed(self, connection: sa.Connection, event: Account.EmailChanged) -> None:
        storage.release_email(connection, event.number)
        storage.claim_email(connection, event.email_digest, event.number)

    @on(Account.Erased, live=False)
    def erased(self, connection: sa.Connection, event: Account.Erased) -> None:
        storage.release_email(connection, event.number)


class Claims(Projection):
    """Who was checked with this document, under this name, with this phone? Guards that a credit is given once."""

    name = "claims"
    version = 1
    tables = (storage.claims,)

    @on(Account.PhoneConfirmed, live=False)
    def phone(self, connection: sa.Connection, event: Account.PhoneConfirmed) -> None:
        storage.claim(connection, "phone", event.phone_digest, event.number)

    @on(Account.IdentityChecked, live=False)
    def identity(self, connection: sa.Connection, event: Account.IdentityChecked) -> None:
        if event.outcome is not Outcome.KO:
            storage.claim(connection, "person", event.person_digest, event.number)
            storage.claim(connection, "document", event.document_digest, event.number)

    @on(Account.Erased, live=False)
    def erased(self, connection: sa.Connection, event: Account.Erased) -> None:
        storage.release_claims(connection, event.number, "phone")


class IdentityChecks(Projection):
    """Which identity checks await staff?"""

    name = "identity-checks"
    version = 1
    tables = (storage.identity_checks,)

    @on(Account.IdentityChecked)
    def checked(self, connection: sa.Connection, event: Account.IdentityChecked) -> None:
        row = {
            "check_id": event.check,
            "account_id": event.number,
            "status": "pending" if event.outcome is Outcome.SUSPICIOUS else event.outcome.value,
            "items": [
                {"name": item.name, "outcome": item.outcome.value, "detail": item.detail} for item in event.items
            ],
            "sealed_declared": event.sealed_declared,
            "checked_at": event.timestamp,
        }
        sql.insert_many(connection, storage.identity_checks, [row])

    @on(Account.IdentityReviewed)
    def reviewed(self, connection: sa.Connection, event: Account.IdentityReviewed) -> None:
        change = {"check_id": event.check, "status": "ok" if event.accepted else "ko"}
        sql.update_many(connection, storage.identity_checks, "check_id", [change])

    @on(Account.Erased)
    def erased(self, connection: sa.Connection, event: Account.Erased) -> None:
        table = storage.identity_checks
        connection.execute(table.delete().where(table.c.account_id == event.number))


class Birthdays(Projection):
    """Whose birthday matters to a credit, and when is the next?"""

    name = "birthdays"
    version = 1
    tables = (storage.birthdays,)

    @on(Account.Activated)
    def activated(self, connection: sa.Connection, event: Account.Activated) -> None:
        if event.birth_date is None:
            return
        coming = next_birthday(event.birth_date, event.timestamp)
        assert coming is not None, "an under-age person has a birthday to come"
        row = {"account_id": event.number, "birth_date": event.birth_date, "age": coming[0], "due_at": coming[1]}
        sql.insert_many(connection, storage.birthdays, [row])

    @on(Account.BirthdayReached)
    def reached(self, connection: sa.Connection, event: Account.BirthdayReached) -> None:
        table = storage.birthdays
        row = connection.execute(sa.select(table).where(table.c.account_id == event.number)).one()
        coming = next_birthday(row.birth_date, event.timestamp)
        if coming is None:
            connection.execute(table.delete().where(table.c.account_id == event.number))
        else:
            change = {"account_id": event.number, "age": coming[0], "due_at": coming[1]}
            sql.update_many(connection, table, "account_id", [change])

    @on(Account.Erased)
    def erased(self, connection: sa.Connection, event: Account.Erased) -> None:
        connection.execute(storage.birthdays.delete().where(storage.birthdays.c.account_id == event.number))


class Offerers(Projection):
    """What is the structure of this number, and which ones await staff?"""

    name = "offerers"
    version = 1
    tables = (storage.offerers,)

    @on(Offerer.Registered)
    def registered(self, connection: sa.Connection, event: Offerer.Registered) -> None:
        structure = event.structure
        row = {
            "offerer_id": event.number,
            "siren": structure.siren,
            "name": structure.name,
            "address": structure.address,
            "postal_code": structure.postal_code,
            "city": structure.city,
            "status": "pending",
            "registered_at": event.timestamp,
        }
        sql.insert_many(connection, storage.offerers, [row])

    @on(Offerer.Validated)
    def validated(self, connection: sa.Connection, event: Offerer.Validated) -> None:
        self._set(connection, event.number, "validated")

    @on(Offerer.Rejected)
    def rejected(self, connection: sa.Connection, event: Offerer.Rejected) -> None:
        self._set(connection, event.number, "rejected")

    @on(Offerer.Closed)
    def closed(self, connection: sa.Connection, event: Offerer.Closed) -> None:
        self._set(connection, event.number, "closed")

    @staticmethod
    def _set(connection: sa.Connection, number: int, status: str) -> None:
        sql.update_many(connection, storage.offerers, "offerer_id", [{"offerer_id": number, "status": status}])


class Sirens(Projection):
    """Which structure has this SIREN? Guards that it is one."""

    name = "sirens"
    version = 1
    tables = (storage.sirens,)

    @on(Offerer.Registered, live=False)
    def registered(self, connection: sa.Connection, event: Offerer.Registered) -> None:
        storage.claim_siren(connection, event.structure.siren, event.number)


class Attachments(Projection):
    """Who acts for which structure, and who asks to?"""

    name = "attachments"
    version = 1
    tables = (storage.attachments,)

    @on(Offerer.AttachmentRequested)
    def requested(self, connection: sa.Connection, event: Offerer.AttachmentRequested) -> None:
        self._put(connection, event, "pending")

    @on(Offerer.Attached)
    def attached(self, connection: sa.Connection, event: Offerer.Attached) -> None:
        self._put(connection, event, "approved")

    @on(Offerer.AttachmentRejected)
    def rejected(self, connection: sa.Connection, event: Offerer.AttachmentRejected) -> None:
        self._set(connection, event.attachment, "rejected")

    @on(Offerer.Detached)
    def detached(self, connection: sa.Connection, event: Offerer.Detached) -> None:
        self._set(connection, event.attachment, "ended")

    def _put(self, connection: sa.Connection, event: Any, status: str) -> None:
        row = {
            "attachment_id": event.attachment,
            "offerer_id": event.number,
            "account_id": event.account,
            "status": status,
            "requested_at": event.timestamp,
        }
        if not sql.insert_new(connection, storage.attachments, [row], "attachment_id"):
            self._set(connection, event.attachment, status)

    @staticmethod
    def _set(connection: sa.Connection, number: int, status: str) -> None:
        table = storage.attachments
        connection.execute(table.update().where(table.c.attachment_id == number).values(status=status))


class ApiKeys(Projection):
    """Whose is this API key?"""

    name = "api-keys"
    version = 1
    tables = (storage.api_keys,)

    @on(Offerer.ApiKeyCreated)
    def created(self, connection: sa.Connection, event: Offerer.ApiKeyCreated) -> None:
        row = {
            "prefix": event.prefix,
            "offerer_id": event.number,
            "digest": event.digest,
            "created_at": event.timestamp,
        }
        connection.execute(storage.api_keys.insert().values(**row))

    @on(Offerer.ApiKeyDeleted)
    def deleted(self, connection: sa.Connection, event: Offerer.ApiKeyDeleted) -> None:
        connection.execute(storage.api_keys.delete().where(storage.api_keys.c.prefix == event.prefix))

    @on(Offerer.Rejected, Offerer.Closed)
    def ended(self, connection: sa.Connection, event: Any) -> None:
        connection.execute(storage.api_keys.delete().where(storage.api_keys.c.offerer_id == event.number))


def projections() -> list[Projection]:
    return [
        People(),
        Emails(),
        Claims(),
        IdentityChecks(),
        Birthdays(),
        Offerers(),
        Sirens(),
        Attachments(),
        ApiKeys(),
    ]

"""People, sealed; what must belong to one account (addresses, phones, documents); identity checks and birthdays."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from services.identity.domain.accounts import Account
from services.identity.domain.checks import Outcome
from services.identity.domain.eligibility import next_birthday
from services.identity.storage import people, tables
from shared.eventstore import sql
from shared.projections import Projection, on


class People(Projection):
    """Who is the account of this number? Sealed with the person's key."""

    name = "people"
    version = 1
    tables = (tables.people,)

    @on(Account.Opened)
    def opened(self, connection: sa.Connection, event: Account.Opened) -> None:
        row = {"account_id": event.number, "sealed": event.sealed, "roles": sorted(event.roles)}
        sql.insert_many(connection, tables.people, [row])

    @on(Account.EmailChanged, Account.PhoneCodeSent, Account.ProfileChanged)
    def changed(self, connection: sa.Connection, event: Any) -> None:
        self._set(connection, event.number, event.sealed)

    @on(Account.Erased)
    def erased(self, connection: sa.Connection, event: Account.Erased) -> None:
        self._set(connection, event.number, "")

    @staticmethod
    def _set(connection: sa.Connection, number: int, sealed: str) -> None:
        sql.update_many(connection, tables.people, "account_id", [{"account_id": number, "sealed": sealed}])


class Emails(Projection):
    """Which account has this address? One at most."""

    name = "emails"
    version = 1
    tables = (tables.emails,)

    @on(Account.Opened, live=False)
    def opened(self, connection: sa.Connection, event: Account.Opened) -> None:
        people.claim_email(connection, event.email_digest, event.number)

    @on(Account.EmailChanged, live=False)
    def changed(self, connection: sa.Connection, event: Account.EmailChanged) -> None:
        people.release_email(connection, event.number)
        people.claim_email(connection, event.email_digest, event.number)

    @on(Account.Erased, live=False)
    def erased(self, connection: sa.Connection, event: Account.Erased) -> None:
        people.release_email(connection, event.number)


class Claims(Projection):
    """Which account confirmed this phone, or was checked with this document or under this name? One at most, so that
    nobody gets a credit twice."""

    name = "claims"
    version = 1
    tables = (tables.claims,)

    @on(Account.PhoneConfirmed, live=False)
    def phone(self, connection: sa.Connection, event: Account.PhoneConfirmed) -> None:
        people.claim(connection, "phone", event.phone_digest, event.number)

    @on(Account.IdentityChecked, live=False)
    def identity(self, connection: sa.Connection, event: Account.IdentityChecked) -> None:
        if event.outcome is not Outcome.KO:
            people.claim(connection, "person", event.person_digest, event.number)
            people.claim(connection, "document", event.document_digest, event.number)

    @on(Account.Erased, live=False)
    def erased(self, connection: sa.Connection, event: Account.Erased) -> None:
        people.release_claim(connection, event.number, "phone")


class IdentityChecks(Projection):
    """Which identity checks await staff?"""

    name = "identity-checks"
    version = 1
    tables = (tables.identity_checks,)

    @on(Account.IdentityChecked)
    def checked(self, connection: sa.Connection, event: Account.IdentityChecked) -> None:
        row = {
            "check_id": event.check,
            "account_id": event.number,
            "status": "pending" if event.outcome is Outcome.SUSPICIOUS else event.outcome.value,
            "items": [asdict(item) for item in event.items],
            "sealed_declared": event.sealed_declared,
            "checked_at": event.timestamp,
        }
        sql.insert_many(connection, tables.identity_checks, [row])

    @on(Account.IdentityReviewed)
    def reviewed(self, connection: sa.Connection, event: Account.IdentityReviewed) -> None:
        change = {"check_id": event.check, "status": "ok" if event.accepted else "ko"}
        sql.update_many(connection, tables.identity_checks, "check_id", [change])

    @on(Account.Erased)
    def erased(self, connection: sa.Connection, event: Account.Erased) -> None:
        table = tables.identity_checks
        connection.execute(table.delete().where(table.c.account_id == event.number))


class Birthdays(Projection):
    """Whose birthday matters to a credit, and when is the next?"""

    name = "birthdays"
    version = 1
    tables = (tables.birthdays,)

    @on(Account.Activated)
    def activated(self, connection: sa.Connection, event: Account.Activated) -> None:
        if event.birth_date is None:
            return
        coming = next_birthday(event.birth_date, event.timestamp)
        assert coming is not None, "an under-age person has a birthday to come"
        row = {"account_id": event.number, "birth_date": event.birth_date, "age": coming[0], "due_at": coming[1]}
        sql.insert_many(connection, tables.birthdays, [row])

    @on(Account.BirthdayReached)
    def reached(self, connection: sa.Connection, event: Account.BirthdayReached) -> None:
        table = tables.birthdays
        row = connection.execute(sa.select(table).where(table.c.account_id == event.number)).one()
        coming = next_birthday(row.birth_date, event.timestamp)
        if coming is None:
            connection.execute(table.delete().where(table.c.account_id == event.number))
        else:
            change = {"account_id": event.number, "age": coming[0], "due_at": coming[1]}
            sql.update_many(connection, table, "account_id", [change])

    @on(Account.Erased)
    def erased(self, connection: sa.Connection, event: Account.Erased) -> None:
        connection.execute(tables.birthdays.delete().where(tables.birthdays.c.account_id == event.number))

"""People, sealed, and what must belong to one account: addresses, phones, documents."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from services.identity.domain.accounts import Account
from services.identity.domain.checks import Outcome
from services.identity.storage import claims, people, tables
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
        claims.claim(connection, "phone", event.phone_digest, event.number)

    @on(Account.IdentityChecked, live=False)
    def identity(self, connection: sa.Connection, event: Account.IdentityChecked) -> None:
        if event.outcome is not Outcome.KO:
            claims.claim(connection, "person", event.person_digest, event.number)
            claims.claim(connection, "document", event.document_digest, event.number)

    @on(Account.Erased, live=False)
    def erased(self, connection: sa.Connection, event: Account.Erased) -> None:
        claims.release(connection, event.number, "phone")

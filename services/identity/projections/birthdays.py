"""Birthdays of under-age beneficiaries."""

from __future__ import annotations

import sqlalchemy as sa

from services.identity.domain.accounts import Account
from services.identity.domain.eligibility import next_birthday
from services.identity.storage import tables
from shared.eventstore import sql
from shared.projections import Projection, on


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

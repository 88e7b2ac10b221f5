"""Copies of other services' facts: offers, venues, structures, people, and the accounts that work for structures."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from services.booking.storage.tables import attachments, offers, persons, shut_offerers, venues
from shared.eventstore import sql


def keep_offer(connection: sa.Connection, row: dict[str, Any]) -> None:
    sql.upsert(connection, offers, [row])


def unpublish_offer(connection: sa.Connection, offer_id: int) -> None:
    connection.execute(offers.update().where(offers.c.offer_id == offer_id).values(is_published=False))


def keep_venue(connection: sa.Connection, row: dict[str, Any]) -> None:
    sql.upsert(connection, venues, [row])


def shut_offerer(connection: sa.Connection, offerer_id: int) -> None:
    sql.insert_ignore(connection, shut_offerers, [{"offerer_id": offerer_id}])


def open_offerer(connection: sa.Connection, offerer_id: int) -> None:
    connection.execute(shut_offerers.delete().where(shut_offerers.c.offerer_id == offerer_id))


def keep_person(connection: sa.Connection, person_id: int, **columns: Any) -> None:
    """Changes these columns only; a new person is no beneficiary and not suspended."""
    known = {"person_id": person_id, "is_beneficiary": False, "is_suspended": False}
    sql.insert_ignore(connection, persons, [known])
    sql.update_many(connection, persons, "person_id", [{"person_id": person_id, **columns}])


def attach(connection: sa.Connection, account_id: int, offerer_id: int) -> None:
    sql.insert_ignore(connection, attachments, [{"account_id": account_id, "offerer_id": offerer_id}])


def detach(connection: sa.Connection, account_id: int, offerer_id: int) -> None:
    which = (attachments.c.account_id == account_id) & (attachments.c.offerer_id == offerer_id)
    connection.execute(attachments.delete().where(which))


def without_colleagues(connection: sa.Connection, account_id: int) -> list[int]:
    """The structures that an account works for, and no other account that is not suspended."""
    theirs = attachments.alias()
    colleagues = (
        sa.select(theirs.c.account_id)
        .outerjoin(persons, persons.c.person_id == theirs.c.account_id)
        .where(theirs.c.offerer_id == attachments.c.offerer_id, theirs.c.account_id != account_id)
        .where(sa.or_(persons.c.is_suspended.is_(None), sa.not_(persons.c.is_suspended)))
    )
    query = sa.select(attachments.c.offerer_id).where(attachments.c.account_id == account_id, ~colleagues.exists())
    return sorted(connection.execute(query).scalars())


MAY_BOOK = sa.select(persons.c.person_id).where(
    sql.among_given(persons.c.person_id, "people"), persons.c.is_beneficiary, sa.not_(persons.c.is_suspended)
)
"""Those of ``people`` who are, or were, beneficiaries and are not suspended. Their rows are locked before stocks."""


def lock_people(connection: sa.Connection, person_ids: Collection[int]) -> None:
    """A shared lock: a suspension waits until the bookings decided by ``MAY_BOOK`` can be read, and cancels them."""
    sql.lock_rows(connection, persons, "person_id", person_ids, shared=True)


def venues_of(connection: sa.Connection, offerer_ids: Collection[int]) -> list[int]:
    if not offerer_ids:
        return []
    query = sa.select(venues.c.venue_id).where(sql.among(venues.c.offerer_id, sorted(offerer_ids)))
    return list(connection.execute(query.order_by(venues.c.venue_id)).scalars())


def offerer_of(connection: sa.Connection, offer_id: int) -> int | None:
    """The structure of an offer; None for one that was never published."""
    owned = sa.select(venues.c.offerer_id).join(offers, offers.c.venue_id == venues.c.venue_id)
    return connection.execute(owned.where(offers.c.offer_id == offer_id)).scalar()


def zones(connection: sa.Connection, venue_ids: Collection[int]) -> dict[int, str]:
    """The time zone of each venue."""
    query = sa.select(venues.c.venue_id, venues.c.timezone)
    found = connection.execute(query.where(sql.among(venues.c.venue_id, sorted(set(venue_ids)))))
    return {row.venue_id: row.timezone for row in found}

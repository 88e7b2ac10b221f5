"""What the other services told, as booking needs it: offers, venues, beneficiaries, who works for which structure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from services.booking.storage.tables import attachments, offers, persons, shut_offerers, venues
from shared.eventstore import sql
from shared.eventstore.outcomes import Caller


def put_offer(connection: sa.Connection, row: dict[str, Any]) -> None:
    sql.upsert(connection, offers, [row])


def unpublish_offer(connection: sa.Connection, offer_id: int) -> None:
    connection.execute(offers.update().where(offers.c.offer_id == offer_id).values(is_published=False))


def put_venue(connection: sa.Connection, row: dict[str, Any]) -> None:
    sql.upsert(connection, venues, [row])


def shut_offerer(connection: sa.Connection, offerer_id: int) -> None:
    sql.insert_ignore(connection, shut_offerers, [{"offerer_id": offerer_id}])


def open_offerer(connection: sa.Connection, offerer_id: int) -> None:
    connection.execute(shut_offerers.delete().where(shut_offerers.c.offerer_id == offerer_id))


def put_person(connection: sa.Connection, person_id: int, **columns: Any) -> None:
    """Keeps what is not named as it was; a person who was never heard of is no beneficiary and not suspended."""
    known = {"person_id": person_id, "is_beneficiary": False, "is_suspended": False}
    sql.insert_ignore(connection, persons, [known])
    sql.update_many(connection, persons, "person_id", [{"person_id": person_id, **columns}])


def attach(connection: sa.Connection, account_id: int, offerer_id: int) -> None:
    sql.insert_ignore(connection, attachments, [{"account_id": account_id, "offerer_id": offerer_id}])


def detach(connection: sa.Connection, account_id: int, offerer_id: int) -> None:
    which = (attachments.c.account_id == account_id) & (attachments.c.offerer_id == offerer_id)
    connection.execute(attachments.delete().where(which))


def left_alone(connection: sa.Connection, account_id: int) -> list[int]:
    """The structures that an account works for and nobody else does who is not suspended."""
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
"""Those of ``people`` who are, or were, beneficiaries and are not suspended; held before any stock."""


def lock_people(connection: sa.Connection, person_ids: Collection[int]) -> None:
    """A suspension waits until what is decided by ``MAY_BOOK`` can be seen, and then cancels it."""
    sql.lock_rows(connection, persons, "person_id", person_ids, shared=True)


# one look at each of the few: a join might read all that anybody knows of people
_IS_SUSPENDED = sa.select(persons.c.is_suspended).where(persons.c.person_id == attachments.c.account_id)
_ATTACHED = sa.select(attachments).where(
    sql.among_given(attachments.c.account_id, "accounts"),
    sa.not_(sa.func.coalesce(_IS_SUSPENDED.scalar_subquery(), sa.false())),
)


class Access:
    """For which structures callers may speak: an API key for its own, an account that is not suspended for those it is
    attached to."""

    def __init__(self, connection: sa.Connection, callers: Collection[Caller | None]) -> None:
        accounts = sorted({one.account_id for one in callers if one is not None and one.offerer_id is None})
        theirs = connection.execute(_ATTACHED, {"accounts": accounts}) if accounts else ()
        self._attached = {(row.account_id, row.offerer_id) for row in theirs}

    def allows(self, caller: Caller | None, offerer_id: int) -> bool:
        if caller is None:
            return False
        if caller.offerer_id is not None:
            return caller.offerer_id == offerer_id
        return (caller.account_id, offerer_id) in self._attached

    def offerers(self, caller: Caller | None) -> list[int]:
        if caller is None:
            return []
        if caller.offerer_id is not None:
            return [caller.offerer_id]
        return sorted(offerer for account, offerer in self._attached if account == caller.account_id)


def venues_of(connection: sa.Connection, offerer_ids: Collection[int]) -> list[sa.Row[Any]]:
    if not offerer_ids:
        return []
    query = sa.select(venues).where(sql.among(venues.c.offerer_id, sorted(offerer_ids)))
    return list(connection.execute(query.order_by(venues.c.venue_id)))


def offerer_of(connection: sa.Connection, offer_id: int) -> int | None:
    """Whose offer it is; None for one that was never published."""
    owned = sa.select(venues.c.offerer_id).join(offers, offers.c.venue_id == venues.c.venue_id)
    return connection.execute(owned.where(offers.c.offer_id == offer_id)).scalar()


def zones(connection: sa.Connection, venue_ids: Collection[int]) -> dict[int, str]:
    """The time zone of each venue."""
    query = sa.select(venues.c.venue_id, venues.c.timezone)
    found = connection.execute(query.where(sql.among(venues.c.venue_id, sorted(set(venue_ids)))))
    return {row.venue_id: row.timezone for row in found}

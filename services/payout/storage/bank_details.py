"""Bank details: which account pays a venue, and what awaits a decision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from services.payout.domain.bank_details import Account
from services.payout.storage.tables import bank_details, offerers
from shared.eventstore import sql


def accounts_of(connection: sa.Connection, owners: Mapping[int, int]) -> dict[int, Account]:
    """The accounts that pay venues: the newest accepted one of the venue, else of its structure (decision 24).

    ``owners``: venue → structure. Venues without accepted details are absent.
    """
    if not owners:
        return {}
    own = sql.among(bank_details.c.venue_id, sorted(owners))
    shared = bank_details.c.venue_id.is_(None) & sql.among(bank_details.c.offerer_id, sorted(set(owners.values())))
    accepted = sa.select(bank_details).where(bank_details.c.status == "accepted", own | shared)
    of_venue: dict[int, Account] = {}
    of_offerer: dict[int, Account] = {}
    for row in connection.execute(accepted.order_by(bank_details.c.bank_details_id)):
        found = Account(row.iban, row.bic, row.holder)
        if row.venue_id is None:
            of_offerer[row.offerer_id] = found
        else:
            of_venue[row.venue_id] = found
    chosen = {venue: of_venue.get(venue) or of_offerer.get(offerer) for venue, offerer in owners.items()}
    return {venue: account for venue, account in chosen.items() if account is not None}


def is_payable(lines: sa.Table) -> sa.ColumnElement[bool]:
    """Whether a line's venue, or its structure, has accepted bank details."""
    accepted = bank_details.c.status == "accepted"
    own = bank_details.c.venue_id == lines.c.venue_id
    shared = bank_details.c.venue_id.is_(None) & (bank_details.c.offerer_id == lines.c.offerer_id)
    return sa.exists().where(accepted, own) | sa.exists().where(accepted, shared)


def holders(connection: sa.Connection, ibans: Iterable[str]) -> dict[tuple[str, str], tuple[str, str]]:
    """(IBAN, BIC) → (holder, SIREN) of its newest accepted details."""
    query = (
        sa.select(bank_details.c.iban, bank_details.c.bic, bank_details.c.holder, offerers.c.siren)
        .outerjoin(offerers, offerers.c.offerer_id == bank_details.c.offerer_id)
        .where(bank_details.c.status == "accepted", sql.among(bank_details.c.iban, sorted(set(ibans))))
        .order_by(bank_details.c.bank_details_id)
    )
    return {(row.iban, row.bic): (row.holder, row.siren or "") for row in connection.execute(query)}


def by_id(connection: sa.Connection, bank_details_id: int) -> sa.Row[Any] | None:
    query = sa.select(bank_details).where(bank_details.c.bank_details_id == bank_details_id)
    return connection.execute(query).one_or_none()


def pending(connection: sa.Connection, after: int, limit: int) -> Sequence[sa.Row[Any]]:
    """Those that await a decision, oldest first."""
    query = sa.select(bank_details).where(bank_details.c.status == "pending", bank_details.c.bank_details_id > after)
    return connection.execute(query.order_by(bank_details.c.bank_details_id).limit(limit)).all()

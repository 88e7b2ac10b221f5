"""Bank details and custom rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from services.payout.domain.bank_details import Account
from services.payout.domain.custom_rules import CustomRule
from services.payout.storage.tables import bank_details, custom_rules, offerers
from shared.eventstore import sql
from shared.kernel.money import Cents


def accounts_of(connection: sa.Connection, owners: Mapping[int, int]) -> dict[int, Account]:
    """Where venues are paid: on their own newest accepted account, else on their structure's (decision 24).

    ``owners`` is venue → structure; venues without accepted details are left out.
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
    """A line whose venue, or its structure, has accepted bank details."""
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


def one_details(connection: sa.Connection, bank_details_id: int) -> sa.Row[Any] | None:
    query = sa.select(bank_details).where(bank_details.c.bank_details_id == bank_details_id)
    return connection.execute(query).one_or_none()


def with_status(connection: sa.Connection, status: str, after: int, limit: int) -> Sequence[sa.Row[Any]]:
    query = sa.select(bank_details).where(bank_details.c.status == status, bank_details.c.bank_details_id > after)
    return connection.execute(query.order_by(bank_details.c.bank_details_id).limit(limit)).all()


def all_rules(connection: sa.Connection) -> list[CustomRule]:
    """Every agreement; there are hundreds of them, not millions."""
    return [_rule(row) for row in connection.execute(sa.select(custom_rules).order_by(custom_rules.c.rule_id))]


def _rule(row: Any) -> CustomRule:
    return CustomRule(
        start=row.starts_at,
        end=row.ends_at,
        offer_id=row.offer_id,
        offerer_id=row.offerer_id,
        amount=None if row.amount_cents is None else Cents(row.amount_cents),
        rate=row.rate,
        subcategories=tuple(row.subcategories),
        rule_id=row.rule_id,
    )

"""Who may do what to a structure's resources."""

from __future__ import annotations

import sqlalchemy as sa
from eventsourcing.domain import Aggregate

from services.catalog import storage
from services.catalog.domain.refusals import OffererClosed
from services.catalog.domain.venues import Venue
from shared.eventstore import Transaction
from shared.kernel.callers import Caller
from shared.kernel.errors import NotFound, PreconditionFailed
from shared.kernel.identifiers import stream_id

STAFF = "staff"


def visible_offerers(connection: sa.Connection, caller: Caller | None) -> set[int] | None:
    """The structures whose resources a caller sees; None: every one's (staff, or the platform itself)."""
    if caller is None or STAFF in caller.roles:
        return None
    if caller.offerer_id is not None:
        return {caller.offerer_id}
    return storage.offerers_of(connection, caller.account_id)


def check_belongs(connection: sa.Connection, caller: Caller | None, offerer_id: int) -> None:
    """Another structure's resource is not found, as if there were none (decision 21)."""
    visible = visible_offerers(connection, caller)
    if visible is not None and offerer_id not in visible:
        raise NotFound("There is no such thing, or it is not yours.")


def check_version(aggregate: Aggregate, expected: int | None) -> None:
    """Raises PreconditionFailed when somebody changed it since the caller looked."""
    if expected is not None and expected != aggregate.version:
        raise PreconditionFailed("It has changed since you read it.")


def open_offerer(connection: sa.Connection, offerer_id: int) -> storage.Offerer:
    """The structure, validated or not yet. Raises NotFound, OffererClosed."""
    offerer = storage.offerer(connection, offerer_id)
    if offerer is None:
        raise NotFound("There is no such structure.")
    if offerer.status in ("rejected", "closed"):
        raise OffererClosed("This structure was closed or rejected.")
    return offerer


def own_venue(tx: Transaction, caller: Caller | None, venue_id: int) -> Venue:
    """A venue of one of the caller's structures."""
    venue = tx.get(Venue, stream_id("venue", venue_id))
    if venue is None:
        raise NotFound("There is no such venue.")
    check_belongs(tx.connection, caller, venue.facts.offerer_id)
    return venue

"""Which venues a caller sees."""

from __future__ import annotations

from collections.abc import Collection

from services.booking.storage.access import Access
from services.booking.storage.references import venues_of
from shared.eventstore import Connection
from shared.kernel.callers import Caller


def own_venues(connection: Connection, caller: Caller | None) -> list[int]:
    """The venues of the structures that the caller acts for."""
    return venues_of(connection, Access(connection, [caller]).offerers(caller))


def visible_venues(connection: Connection, caller: Caller | None, venue_ids: Collection[int]) -> list[int]:
    """Those of the venues that are the caller's own; staff and other services see all."""
    wanted = set(venue_ids)
    if caller is not None and "staff" not in caller.roles:
        wanted &= set(own_venues(connection, caller))
    return sorted(wanted)

"""Moves keys to their store: those of the platform, which the first migration makes in identity's own store, and those
that releases before the store of keys wrote there."""

from __future__ import annotations

import sqlalchemy as sa

from services.identity.keys.store import KeyStore
from services.identity.storage.tables import former_person_keys
from shared.eventstore import Store


def move_former_keys(store: Store, keys: KeyStore) -> None:
    """Copies the keys, then deletes them from identity's own store. Idempotent.

    The row locks make other processes wait: a slow process must not bring back a key that another one has moved and
    destroyed since.
    """
    query = sa.select(former_person_keys).order_by("account_id")
    with store.reading() as connection:
        if connection.execute(query.limit(1)).first() is None:
            return
    with store.transaction() as tx:
        found = {row.account_id: bytes(row.key) for row in tx.connection.execute(query.with_for_update())}
        if found:
            keys.put(found)
            tx.connection.execute(former_person_keys.delete())

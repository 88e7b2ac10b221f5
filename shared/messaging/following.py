"""Lets a consumer follow the new history of a source that was restored from a backup."""

from __future__ import annotations

from typing import Any

from shared.eventstore import Transaction
from shared.eventstore.histories import kept_until
from shared.kernel.errors import Invalid
from shared.messaging.storage import dead_letters, positions


def follow(tx: Transaction, source: str, histories: dict[str, Any], position: int | None = None) -> dict[str, Any]:
    """Makes the source's present history the tracked one. ``histories``: what ``histories.stored`` returns there.

    Returns ``{position, lost}``: the new tracked position, which is the last one that both histories have, and how many
    handled positions come after it. Their effects stay; their dead letters are discarded. ``position`` sets the tracked
    position instead. Raises Invalid if the last common position is unknown, or if the history is tracked already and
    ``position`` is another one.
    """
    row = positions.lock_tracked(tx.connection, source)
    if row is None:
        return {"position": 0, "lost": 0}  # the source was never followed
    if row.epoch == histories["epoch"]:
        if position not in (None, row.position):
            raise Invalid(f"Cet historique de {source} est déjà suivi, jusqu’à la position {row.position}.")
        return {"position": row.position, "lost": 0}
    shared_until = kept_until(histories["ended"], row.epoch) if row.epoch else row.position
    if position is None and shared_until is None:
        raise Invalid(
            f"Le service {source} ne connaît pas l’historique qui était suivi : indiquez la position à partir de "
            "laquelle continuer."
        )
    begin = min(row.position, shared_until or 0) if position is None else position
    positions.follow_epoch(tx.connection, source, histories["epoch"], begin)
    dead_letters.discard_lost(tx.connection, source, row.epoch, begin)
    return {"position": begin, "lost": max(0, row.position - begin)}

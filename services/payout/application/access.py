"""Which bank details and lines a caller may see and change: those of the structures that the account works for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.payout.refusals import NoSuchBankDetails, OffererClosed
from services.payout.storage import bank_details, references
from shared.eventstore import Connection
from shared.eventstore.outcomes import Call

SEES_ALL = frozenset({"staff", "operator"})


def own_offerers(connection: Connection, call: Call[Any]) -> Sequence[int]:
    """The structures that the caller's account works for."""
    assert call.caller is not None, "the contract admits accounts only"
    return references.offerers_of(connection, call.caller.account_id)


def check_open(connection: Connection, offerer_id: int) -> None:
    """Raises OffererClosed."""
    if references.is_closed(connection, offerer_id):
        raise OffererClosed("Cette structure est fermée ou refusée : vous ne pouvez plus rien y ajouter ni modifier.")


def check_own_details(connection: Connection, call: Call[Any], number: int) -> None:
    """Raises NoSuchBankDetails for those of another structure too (decision 21)."""
    row = bank_details.by_id(connection, number)
    if row is None or row.offerer_id not in own_offerers(connection, call):
        raise NoSuchBankDetails.of(number)


def check_seen_details(connection: Connection, call: Call[Any], number: int) -> None:
    """Like ``check_own_details``, but staff and operators see everybody's."""
    sees_all = call.caller is not None and call.caller.roles & SEES_ALL
    if not sees_all or bank_details.by_id(connection, number) is None:
        check_own_details(connection, call, number)

"""Which structures a caller acts for."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from services.booking.storage.tables import attachments, persons
from shared.eventstore import sql
from shared.kernel.callers import Caller

# a subquery per attachment: a join might read the whole table of people
_IS_SUSPENDED = sa.select(persons.c.is_suspended).where(persons.c.person_id == attachments.c.account_id)
_ATTACHED = sa.select(attachments).where(
    sql.among_given(attachments.c.account_id, "accounts"),
    sa.not_(sa.func.coalesce(_IS_SUSPENDED.scalar_subquery(), sa.false())),
)


class Access:
    """The structures that callers act for: an API key for its own, an account for those it is attached to, unless it is
    suspended."""

    def __init__(self, connection: sa.Connection, callers: Collection[Caller | None]) -> None:
        accounts = sorted({one.account_id for one in callers if one is not None and one.offerer_id is None})
        rows = connection.execute(_ATTACHED, {"accounts": accounts}) if accounts else ()
        self._attached = {(row.account_id, row.offerer_id) for row in rows}

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

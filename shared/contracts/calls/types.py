"""The types that the contracts of calls are written with."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from shared.contracts.calls.contract import AtMost, Data
from shared.contracts.fields import Count, Cursor, Date, DateTime, Number, OneOf, Price, Text, Whole
from shared.kernel.money import Cents

Id = Annotated[int, Number()]
"""An identifier: a positive integer."""

Ids = Annotated[tuple[Id, ...], AtMost(1_000)]
Amount = Annotated[Cents, Price()]
"""Euro cents, 0 or more."""

Position = Annotated[int, Count()]
"""A place in a service's log; 0 is before its first event."""

Version = Annotated[int, Number()]
"""The version of a resource that its caller has read (``If-Match``); another one is refused with 412."""

Instant = Annotated[datetime, DateTime()]
CivilDay = Annotated[date, Date()]
Reason = Annotated[str, Text(1, 500, lines=True)]
NextPage = Annotated[str, Cursor()]
"""``nextCursor`` of the page before."""

PageSize = Annotated[int, Whole(1, 100)]
"""How many items a page has at most."""


class Pending(Data):
    """A page of what awaits a decision."""

    status: Annotated[str, OneOf(["pending"])] = "pending"
    cursor: NextPage | None = None
    limit: PageSize = 100

"""Wallet's calls: reserving and releasing credit for booking, and what people and finance read of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from shared.contracts.calls.contract import FINANCE, OPERATOR, PLATFORM, SIGNED_IN, STAFF, Command, Query
from shared.contracts.calls.types import Id, NextPage, PageSize, Position
from shared.contracts.fields import DateTime, Price, Whole
from shared.kernel.money import Cents

MAX_BALANCES = 5_000
AsOf = Annotated[
    datetime,
    DateTime(metadata={"description": "As recorded up to that instant."}),
]
_CREDIT = ("insufficient-credit", "digital-cap-reached", "physical-cap-reached", "released", "reservation-differs")


class Reserve(Command, by=PLATFORM, refuses=_CREDIT):
    """Reserves credit for one attempt at a booking. The same attempt gets the same answer: ``{}`` or its refusal."""

    booking_id: Id
    attempt: Id
    person_id: Id
    amount: Annotated[Cents, Price(data_key="amountCents")]
    digital: bool
    physical: bool


class Release(Command, by=PLATFORM, refuses=("reservation-differs",)):
    """Releases the credit of an attempt. Sent before its reservation, it makes that reservation refused."""

    booking_id: Id
    attempt: Id
    person_id: Id


class Credit(Query, by=SIGNED_IN | PLATFORM):
    """A person's credits, now or as recorded up to an instant: ``{current, credits}``.

    A person sees their own; staff, finance and operators everybody's.
    """

    person_id: Id
    as_of: AsOf | None = None


class Entries(Query, by=SIGNED_IN | PLATFORM):
    """The lines of the ledger, oldest first, each with the balance after it.

    ``{items, nextCursor}``, of one person's wallet. The cursor brings the ``asOf`` of its first page along.
    """

    person_id: Id
    as_of: AsOf | None = None
    cursor: NextPage | None = None
    limit: PageSize = 50


class Balances(Query, by=STAFF | FINANCE | OPERATOR | PLATFORM):
    """The remaining credit of every person at a position of wallet's log (its end by default).

    ``{position, items: [{personId, theoreticalCents, actualCents}], nextCursor}``; the answer
    for a position never changes.
    """

    position: Position | None = None
    cursor: NextPage | None = None
    limit: Annotated[int, Whole(1, MAX_BALANCES)] = MAX_BALANCES


class Ledger(Query, by=PLATFORM):
    """The sums of wallet's log up to a position (its end by default), for reconciliation."""

    position: Position | None = None

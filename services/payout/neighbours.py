"""The other services, as payout calls them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.payout.domain.records import WalletBalance
from services.payout.refusals import NotCaughtUp
from shared.contracts.calls import booking, catalog, identity, platform, wallet
from shared.contracts.calls.contract import Query
from shared.kernel.errors import DomainError, Unavailable
from shared.kernel.money import Cents
from shared.messaging.bus import Bus

TIMEOUT_SECONDS = 30.0
LEDGER_SECONDS = 100.0
OFFER_SECONDS = 5.0
CATCH_UP_SECONDS = 20.0
PAGE = 500
"""People in one query."""


class Booking:
    """The bookings that are validated."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def validate_due(self, until: datetime) -> int:
        """Runs the automatic validations due before an instant; returns the position at which all are published."""
        answer = self._bus.command(booking.ValidateDue(until=until), timeout=TIMEOUT_SECONDS)
        return int(answer.result["position"])


class Ledgers:
    """The figures of other services, and the comparison of every service's rows with its log.

    Every method raises Unavailable.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def wallet(self) -> dict[str, Any]:
        """The answer to ``wallet.Ledger`` at the end of wallet's log."""
        return self._answer(wallet.Ledger())

    def booking(self, position: int) -> dict[str, Any]:
        """The answer to ``booking.Ledger`` at a position of booking's log."""
        return self._answer(booking.Ledger(position=position))

    def row_differences(self, service: str) -> list[dict[str, Any]]:
        """Live rows of a service that differ from a second fold of its log: ``{table, key, live, folded}``."""
        found: list[dict[str, Any]] = self._answer(platform.CompareProjection(), to=service)["differences"]
        return found

    def next_message_at(self, position: int) -> str | None:
        """When booking recorded its first message after a position; None at its end."""
        messages = self._answer(platform.Log(after=position, limit=1), to="booking")["messages"]
        return messages[0]["recordedAt"] if messages else None

    def _answer(self, query: Query, *, to: str = "") -> dict[str, Any]:
        answer: dict[str, Any] = self._bus.query(query, to=to, timeout=LEDGER_SECONDS)
        return answer


class Catalog:
    """The offers that custom rules are about."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def has_offer(self, offer_id: int) -> bool:
        """Raises Unavailable."""
        try:
            self._bus.query(catalog.Offer(offer_id=offer_id), timeout=OFFER_SECONDS)
        except DomainError as refusal:
            if refusal.status != 404:
                raise
            return False
        return True


class Consumers:
    """Services that consume booking's messages, payout among them."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def wait_for(self, service: str, position: int) -> None:
        """Waits until the service has handled booking's messages up to a position. Raises NotCaughtUp."""
        reached = platform.Reached(source="booking", position=position, seconds=CATCH_UP_SECONDS)
        try:
            self._bus.query(reached, to=service, timeout=CATCH_UP_SECONDS + 5)
        except Unavailable as error:
            raise NotCaughtUp(
                f"Le service {service} n’a pas encore traité toutes les validations de la période : "
                "réessayez dans quelques instants."
            ) from error


@dataclass(frozen=True, slots=True)
class Name:
    """A person's name; empty for a person whom identity does not know any more."""

    first: str = ""
    last: str = ""


class Identity:
    """The people who booked: their names are queried when they are shown, and stored nowhere in payout."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def names(self, person_ids: Collection[int]) -> dict[int, Name]:
        """The names of those whom identity knows. Raises Unavailable."""
        wanted, found = sorted(set(person_ids)), {}
        for begin in range(0, len(wanted), PAGE):
            page = self._bus.query(identity.People(account_ids=tuple(wanted[begin : begin + PAGE])))
            for number, person in page["people"].items():
                found[int(number)] = Name(person["firstName"], person["lastName"])
        return found


@dataclass(frozen=True, slots=True)
class Balances:
    """A page of what people had left when wallet's log stood at a position."""

    position: int
    items: list[WalletBalance]
    next_cursor: str | None


class Wallet:
    """The young people's credits."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def position(self) -> int:
        """The end of wallet's log. Raises Unavailable."""
        return self._balances(wallet.Balances(limit=1)).position

    def balances(self, position: int, cursor: str | None) -> Balances:
        """From a cursor on, or from the beginning. Raises Unavailable."""
        return self._balances(wallet.Balances(position=position, cursor=cursor))

    def _balances(self, query: wallet.Balances) -> Balances:
        page = self._bus.query(query, timeout=TIMEOUT_SECONDS)
        items = [
            WalletBalance(item["personId"], Cents(item["theoreticalCents"]), Cents(item["actualCents"]))
            for item in page["items"]
        ]
        return Balances(page["position"], items, page["nextCursor"])

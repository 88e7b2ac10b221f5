"""Checks the identities over everything that ever happened, at one vector of positions (ARCHITECTURE.md §8).

Payout's figures are folded from its own log; booking and wallet give theirs in their ``ledger`` queries. Each consumer
is compared with booking's log up to its tracked position; later messages are in flight, and are listed with their age.
Every service also compares its read models with a second fold of its log, as for ``passculture verify``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from services.payout import answers
from services.payout.application.own_ledger import own_ledger
from services.payout.domain import ledger
from services.payout.domain.ledger import Difference, Figure, Identity
from services.payout.neighbours import Ledgers
from shared.contracts.calls import payout as calls
from shared.eventstore import Store
from shared.eventstore.outcomes import Call


class Reconciling:
    def __init__(self, store: Store, ledgers: Ledgers) -> None:
        self._store = store
        self._ledgers = ledgers

    def reconcile(self, _call: Call[calls.Reconciliation]) -> dict[str, Any]:
        """``{balanced, days, differences, positions, inFlight}``. Raises Unavailable when a service does not answer."""
        own, wallet = own_ledger(self._store), self._ledgers.wallet()
        tracked = {"payout": own.tracked, "wallet": wallet["sources"]["booking"] or 0}
        booking = self._ledgers.booking(own.tracked)
        for_wallet = booking if tracked["wallet"] == own.tracked else self._ledgers.booking(tracked["wallet"])
        figures = (_figure(wallet, "spent"), _figure(for_wallet, "validated"), _figure(booking, "validated"))
        days = ledger.identities_by_day(*figures, own.sums)
        differences = [
            *ledger.differences_by_booking(*figures, own.sums),
            *(difference for day, identities in days for difference in ledger.differences_of(day, identities)),
            *ledger.differences_of("all credits", [_granted(wallet["totals"])]),
            *_contradictions("wallet", wallet),
            *_contradictions("booking", booking),
            *own.differences,
            *self._row_differences(),
        ]
        return {
            "balanced": not differences,
            "days": [{"day": day, "identities": [answers.identity(one) for one in found]} for day, found in days],
            "differences": [asdict(one) for one in differences],
            "positions": {"payout": own.position, "wallet": wallet["position"], "booking": tracked},
            "inFlight": [message for name, position in tracked.items() for message in self._in_flight(name, position)],
        }

    def _row_differences(self) -> Iterator[Difference]:
        for service in ("wallet", "booking", "payout"):
            for found in self._ledgers.row_differences(service):
                yield _row_difference(service, found)

    def _in_flight(self, consumer: str, position: int) -> Iterator[dict[str, Any]]:
        """The first message of booking that a consumer has not handled, if any."""
        since = self._ledgers.next_message_at(position)
        if since is not None:
            yield {"consumer": consumer, "source": "booking", "after": position, "since": since}


def _figure(answer: dict[str, Any], name: str) -> Figure:
    days = {day: sums.get(name, 0) for day, sums in answer["days"].items()}
    return Figure(days, {int(number): cents for number, cents in answer["bookings"].items()})


def _granted(totals: dict[str, int]) -> Identity:
    parts = sum(totals[name] for name in ("available", "reserved", "spent", "lapsed"))
    return Identity(ledger.GRANTED, totals["granted"], parts)


def _contradictions(service: str, answer: dict[str, Any]) -> Iterator[Difference]:
    for found in answer["contradictions"]:
        where = f"{service}: {found['stream']}"
        yield Difference(ledger.STREAM, where, None, None, tuple(found["bookings"]), found["detail"])


def _row_difference(service: str, found: dict[str, Any]) -> Difference:
    key, live, folded = found["key"], found["live"], found["folded"]
    booking = (live or folded).get("booking_id")
    if live is None or folded is None:
        detail = "no such row" if live is None else "no event leads to this row"
    else:
        detail = ", ".join(f"{name}: {live[name]} ≠ {folded[name]}" for name in live if live[name] != folded[name])
    name = "/".join(str(part) for part in key.values()) if [*key] != ["booking_id"] else ""
    where = f"{service}.{found['table']} {name}".rstrip()
    return Difference(ledger.ROWS, where, None, None, () if booking is None else (booking,), detail)

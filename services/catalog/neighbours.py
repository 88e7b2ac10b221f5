"""The calls of the catalogue to other services."""

from __future__ import annotations

from contextlib import suppress

from services.catalog.domain.stocks import QuantityRequest
from shared.contracts.calls import booking, payout, platform
from shared.kernel.errors import DomainError, Unavailable
from shared.messaging.bus import Bus

AGREEMENT_SECONDS = 3.0


class Booking:
    """Booking owns how many of a stock there are."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def set_quantity(self, stock_id: int, request: QuantityRequest, *, published: int) -> DomainError | None:
        """None when booking accepts the request, else its refusal; the same request gets the same answer.

        ``published``: the catalogue's last published position; booking must know a stock before it changes its
        quantity. Raises Unavailable when the answer is not known.
        """
        self._bus.query(platform.Reached(source="catalog", position=published), to="booking")
        command = booking.SetQuantity(stock_id=stock_id, quantity=request.quantity)
        try:
            answer = self._bus.command(command, key=f"stock-{stock_id}-quantity-{request.number}")
        except Unavailable:
            raise
        except DomainError as refusal:
            if refusal.status >= 500:
                raise Unavailable(reason="booking cannot answer now") from None
            return refusal
        self._wait_for_availability(answer.position)
        return None

    def _wait_for_availability(self, position: int | None) -> None:
        """Waits until the catalogue has handled booking's message about availability: the stock's status shows it."""
        if position is None:
            return
        with suppress(Unavailable):  # the quantity is accepted all the same
            self._bus.query(platform.Reached(source="booking", position=position), to="catalog")


class Payout:
    """Payout knows the custom rules, which fix the price that they were agreed for."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def has_agreed_price(self, offer_id: int) -> bool:
        """Raises Unavailable."""
        rule = self._bus.query(payout.OfferRule(offer_id=offer_id), timeout=AGREEMENT_SECONDS)
        return bool(rule["agreed"])
